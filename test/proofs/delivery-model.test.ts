// The log and the delivery loops against a model in memory: random posts, faults of two destinations, time, crashes,
// restarts, replays, discards and removals, on a clock and a network that the test owns.
//
//   npm run proof:model                                         thousands of sequences of steps
//   MODEL_SEED=… MODEL_PATH=… node --test test/proofs/delivery-model.test.ts    one that failed, as its failure says
//
// The log's threads are real, so what happens at the same moment may differ from run to run: a seed that failed may need
// a few runs to fail again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import fc from 'fast-check';
import { pino } from 'pino';
import { Delivery } from '../../src/delivery/delivery.ts';
import { Turns } from '../../src/delivery/turns.ts';
import {
  BatchRefusedError,
  BlockedError,
  RetryableError,
  sendInHalves,
} from '../../src/destinations/destination.ts';
import type { Answer, Destination, EncodedMessage, Rejection } from '../../src/destinations/destination.ts';
import { reviveEvent } from '../../src/fusionauth/event.ts';
import type { EventLog, RecordFilter, ReceivedEvent } from '../../src/log/log.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import type { Message, MessageId } from '../../src/segment/message.ts';
import { eventId, OpenedLog } from '../log/opened-log.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { TestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

const runs = Number(process.env['MODEL_RUNS'] ?? 100);
const { MODEL_SEED: givenSeed, MODEL_PATH: path } = process.env;
/** Sequences that are under way at the same time: each mostly waits for its log. */
const lanes = givenSeed === undefined ? 8 : 1;
const silent = pino({ level: 'silent' });
const names = ['segment', 'warehouse'] as const;
type Name = (typeof names)[number];

/**
 * What an event becomes. The first two are delivered, `nothing` is filtered; the others are dead until the mapping and the
 * destinations are mended: the mapping throws at once, or after its first message; the message cannot be encoded; the
 * destination refuses every batch that holds it.
 */
const kinds = ['plain', 'double', 'nothing', 'unmappable', 'partial', 'unsendable', 'poison'] as const;
type Kind = (typeof kinds)[number];
const users = ['ann', 'bob', 'cy'] as const;

/** What a destination does with a request instead of taking it; `lost` takes it, and its answer does not arrive. */
const faults = ['taken', 'fails', 'lost', 'slow', 'blocked'] as const;
type Fault = (typeof faults)[number];

test(
  `${runs} sequences of posts, faults, crashes, replays and removals: delivery is as its model`,
  { timeout: 60_000 + runs * 5_000 },
  async (t) => {
    const seed = Number(givenSeed ?? Date.now() % 1_000_000_000);
    t.diagnostic(`seed ${seed}`);
    // Each opening of a log starts two threads, which then need not strip the types of their files again.
    await using compileCache = await temporaryFolder();
    process.env['NODE_COMPILE_CACHE'] = compileCache.path;
    let steps = 0;
    const commands = fc.commands(
      [
        post,
        post,
        fault,
        fault,
        fc.constant(mend),
        fc.constantFrom(300, 1_000, 30_000, 60_000).map(advance),
        fc.constantFrom(300, 1_000, 30_000, 60_000).map(advance),
        drain,
        restart,
        crash,
        postAndCrash,
        replay,
        discard,
        prune,
      ],
      { maxCommands: 25, size: 'max' },
    );
    const property = fc.asyncProperty(commands, async (sequence) => {
      await using world = await World.make();
      const model: Model = { records: [], received: 0, posted: 0, isMended: false };
      await fc.asyncModelRun(() => ({ model, real: world }), sequence);
      await finish(model, world);
      steps += world.steps;
    });
    const lane = (number: number) =>
      fc.assert(property, {
        seed: seed + number,
        numRuns: Math.ceil(runs / lanes),
        ...(path === undefined ? {} : { path, endOnFailure: true }),
      });
    try {
      await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
    } catch (error) {
      const { seed: failed, path: at } =
        /seed: (?<seed>-?\d+), path: "(?<path>[^"]+)"/.exec(String(error))?.groups ?? {};
      t.diagnostic(
        `again: MODEL_SEED=${failed ?? '?'} MODEL_PATH=${at ?? '?'} node --test ${import.meta.filename}`,
      );
      throw error;
    }
    t.diagnostic(`${steps} steps`);
  },
);

// The model: what was acknowledged, in the order of the log.

interface ModelRecord {
  readonly id: string;
  readonly kind: Kind;
  readonly user: string;
  readonly receivedAt: number;
  isRemoved: boolean;
  /** Destinations at which a person discarded it. */
  readonly discarded: Set<Name>;
}

interface Model {
  readonly records: ModelRecord[];
  received: number;
  /** Events, duplicates included, that were ever made up: the number of the next one. */
  posted: number;
  isMended: boolean;
}

const isTroubled = ({ kind }: ModelRecord) => !['plain', 'double', 'nothing'].includes(kind);
const livingOf = ({ records }: Readonly<Model>) => records.filter(({ isRemoved }) => !isRemoved);

/** Of all its messages, once everything is mended. */
function idsOf({ id, kind }: ModelRecord): readonly string[] {
  if (kind === 'nothing') return [];
  return kind === 'double' || kind === 'partial' ? [`${id}.1`, `${id}.2`] : [`${id}.1`];
}

/** Of those that arrive whatever is mended. */
function sureIdsOf(record: ModelRecord): readonly string[] {
  if (record.kind === 'partial') return [`${record.id}.1`];
  return isTroubled(record) ? [] : idsOf(record);
}

// The world outside: two destinations, which outlive the bridge's crashes, and a clock.

class Outside {
  /** Ids of all messages that it has taken, repeats included, in order. */
  readonly taken: string[] = [];
  /** Of the next requests, in order; then it is as `usual`. */
  script: Fault[] = [];
  usual: Fault = 'taken';
}

/** One life of the bridge, from a start to its end. After a crash nothing reaches it and nothing comes of it any more. */
class Life {
  isOver = false;

  /** Passes the result on, unless the life is over by then. */
  async during<Result>(work: Promise<Result>): Promise<Result> {
    try {
      const result = await work;
      return this.isOver ? await forever() : result;
    } catch (error) {
      if (this.isOver) return forever();
      throw error;
    }
  }
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}

class World implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly outside: Readonly<Record<Name, Outside>> = { segment: new Outside(), warehouse: new Outside() };
  readonly opened: OpenedLog;
  isMended = false;
  steps = 0;
  #life = new Life();
  #deliveries: readonly Delivery[] = [];

  private constructor(opened: OpenedLog) {
    this.opened = opened;
  }

  static async make(): Promise<World> {
    const world = new World(await OpenedLog.open((directory) => SqliteLog.open(directory)));
    await world.#start();
    return world;
  }

  get log(): EventLog {
    return this.opened.log;
  }

  async restart(graceMs: number): Promise<void> {
    await Promise.all(this.#deliveries.map((delivery) => delivery.stop(graceMs)));
    await this.opened.reopen();
    await this.#start();
  }

  /** `isIdle`: what is under way reaches the disk, and nobody hears of it; else the files are copied in the middle of it. */
  async crash({ isIdle }: { isIdle: boolean }): Promise<void> {
    this.#life.isOver = true;
    this.clock.forget();
    // An operation that does nothing, behind all that was asked of the writer before.
    if (isIdle) await this.log.stopReplay(-1 as Parameters<EventLog['stopReplay']>[0]);
    await this.opened.crash();
    await this.#start();
  }

  async #start(): Promise<void> {
    const life = new Life();
    this.#life = life;
    const log = untilOver(this.log, life);
    const turns = new Turns();
    this.#deliveries = names.map(
      (name) =>
        new Delivery({
          log,
          destination: this.#destination(name, life),
          mappingFor: (idSuffix) => (body) => this.#map(body, idSuffix),
          turns,
          logger: silent,
          random: () => 0.5,
          pause: (milliseconds, signal) =>
            this.clock.sleep(milliseconds, undefined, { signal }).catch(() => undefined),
        }),
    );
    await Promise.all(this.#deliveries.map((delivery) => delivery.start()));
  }

  *#map(body: string, idSuffix: string): Generator<Message> {
    const { id, type: kind } = reviveEvent(body);
    const message = (number: number) => makeMessage(`${id}.${number}${idSuffix}`, kind);
    if (kind === 'nothing') return;
    if (kind === 'unmappable' && !this.isMended) throw new Error('It cannot be mapped');
    yield message(1);
    if (kind === 'partial' && !this.isMended) throw new Error('The second message cannot be made');
    if (kind === 'double' || kind === 'partial') yield message(2);
  }

  #destination(name: Name, life: Life): Destination<Message> {
    const outside = this.outside[name];
    const request = async (batch: readonly Message[], signal: AbortSignal): Promise<void> => {
      if (life.isOver) await forever();
      const fault = outside.script.shift() ?? outside.usual;
      await nextTurn();
      if (fault === 'slow') await this.clock.sleep(5_000, undefined, { signal }).catch(refuseToWait);
      if (life.isOver) await forever();
      if (fault === 'fails') throw new RetryableError('503', { hint: 'It will come back' });
      if (fault === 'blocked') throw new BlockedError('401', { hint: 'Mend the key' });
      if (!this.isMended && batch.some(({ event }: Message & { event?: unknown }) => event === 'poison')) {
        throw new BatchRefusedError('refused', 'The batch holds a bad message');
      }
      outside.taken.push(...batch.map(({ messageId }) => messageId));
      if (fault === 'lost') throw new RetryableError('ECONNRESET', { hint: 'It will come back' });
    };
    return {
      name,
      limits: { maxMessages: 3, maxBytes: 1_000 },
      open: () => Promise.resolve(),
      encode: (message): EncodedMessage<Message> | Rejection =>
        !this.isMended && 'event' in message && message.event === 'unsendable'
          ? { reason: 'unsendable', detail: 'It cannot be encoded' }
          : { payload: message, bytes: 1 },
      send: (batch, signal): Promise<readonly Answer[]> =>
        sendInHalves(batch, (half) => life.during(request(half, signal))),
      close: () => Promise.resolve(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of Object.values(this.outside)) Object.assign(one, { script: [], usual: 'taken' });
    this.clock.advance(1e9);
    await Promise.all(this.#deliveries.map((delivery) => delivery.stop(0)));
    await this.opened[Symbol.asyncDispose]();
  }
}

function refuseToWait(): never {
  throw new RetryableError('The bridge stops', { hint: 'It will be sent again' });
}

/** The log for one life: when that is over, nothing comes back from it. */
function untilOver(log: EventLog, life: Life): EventLog {
  async function* handOuts<HandOut extends { commit: (...args: never[]) => Promise<unknown> }>(
    from: AsyncIterable<HandOut>,
  ) {
    const iterator = from[Symbol.asyncIterator]();
    for (;;) {
      const { value, done } = (await life.during(iterator.next())) as IteratorResult<HandOut, undefined>;
      if (done === true) return;
      yield {
        ...value,
        commit: (...args: Parameters<HandOut['commit']>) => life.during(value.commit(...args)),
      };
    }
  }
  return new Proxy(log, {
    get(target, key) {
      if (key === 'consume') {
        return (...args: Parameters<EventLog['consume']>) => handOuts(target.consume(...args));
      }
      if (key === 'replay')
        return (...args: Parameters<EventLog['replay']>) => handOuts(target.replay(...args));
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

function makeMessage(messageId: string, event: string): Message {
  return {
    type: 'track',
    messageId: messageId as MessageId,
    userId: 'u',
    event,
    context: {},
    properties: {},
  };
}

// The steps.

type Step = fc.AsyncCommand<Model, World>;

/** After each, log and destinations must be as the model allows. */
function step(name: string, run: (model: Model, world: World) => Promise<void> | void): Step {
  return {
    check: () => true,
    async run(model, world) {
      await run(model, world);
      world.steps++;
      await assertModel(model, world);
    },
    toString: () => name,
  };
}

const newEvents = fc.array(fc.record({ kind: fc.constantFrom(...kinds), user: fc.constantFrom(...users) }), {
  minLength: 1,
  maxLength: 8,
});
const wordsOf = (events: readonly { kind: Kind; user: string }[]) =>
  events.map(({ kind, user }) => `${user} ${kind}`).join(', ');

/** Also events that were posted before, living or removed. */
const post = fc.tuple(newEvents, fc.array(fc.nat(), { maxLength: 2 })).map(([events, again]) =>
  step(`post(${wordsOf(events)}; again ${again.join(' ')})`, async (model, world) => {
    const repeats = again.flatMap((number) => model.records[number % model.records.length] ?? []);
    const all = [...events.map((event) => makeRecord(model, event)), ...repeats.map(copyOf)];
    const expected = all.map((record) => {
      model.received++;
      if (livingOf(model).some(({ id }) => id === record.id)) return 'duplicate';
      model.records.push(record);
      return 'stored';
    });

    const answers = await Promise.all(all.map((record) => world.log.append(toEvent(record))));

    assert.deepEqual(answers, expected);
  }),
);

/** A crash while events are being written: those that were acknowledged are there afterwards, the others may be. */
const postAndCrash = fc.tuple(newEvents, fc.nat(3), fc.boolean()).map(([events, turns, isIdle]) =>
  step(`post and crash(${wordsOf(events)}; ${turns}, ${isIdle ? 'idle' : 'busy'})`, async (model, world) => {
    const records = events.map((event) => makeRecord(model, event));
    const acknowledged = new Set<string>();
    let isOver = false;
    for (const record of records) {
      world.log.append(toEvent(record)).then(
        () => {
          if (!isOver) acknowledged.add(record.id);
        },
        () => undefined,
      );
    }
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    isOver = true;
    await world.crash({ isIdle });

    for (const record of records) {
      const isThere = (await world.log.journey(eventId(record.id), [])) !== undefined;
      assert.ok(isThere || !acknowledged.has(record.id), `${record.id} was acknowledged`);
      if (!isThere) continue;
      model.records.push(record);
      model.received++;
    }
  }),
);

const fault = fc
  .record({
    name: fc.constantFrom(...names),
    script: fc.array(fc.constantFrom(...faults), { maxLength: 6 }),
    usual: fc.constantFrom<Fault>('taken', 'taken', 'fails', 'slow', 'blocked', 'lost'),
  })
  .map(({ name, script, usual }) =>
    step(`destination(${name}: ${[...script, `then ${usual}`].join(' ')})`, (_, world) => {
      world.outside[name].script = [...script];
      world.outside[name].usual = usual;
    }),
  );

const mend = step('mend()', (model, world) => {
  model.isMended = true;
  world.isMended = true;
});

const advance = (ms: number) =>
  step(`advance(${ms})`, async (_, world) => {
    world.clock.advance(ms);
    await wait(5);
  });

const drain = fc.constant(
  step('drain()', async (_, world) => {
    await drained(world);
  }),
);

const restart = fc.constantFrom(0, 50).map((graceMs) =>
  step(`restart(${graceMs})`, async (_, world) => {
    await world.restart(graceMs);
  }),
);

const crash = fc.boolean().map((isIdle) =>
  step(`crash(${isIdle ? 'idle' : 'busy'})`, async (_, world) => {
    await world.crash({ isIdle });
  }),
);

const filters = fc.constantFrom<RecordFilter>(
  {},
  { outcome: 'dead' },
  { outcome: 'delivered' },
  { types: ['poison', 'double'] },
  { reason: 'refused' },
);

const replay = fc
  .record({ name: fc.constantFrom(...names), filter: filters, asNew: fc.boolean() })
  .map(({ name, filter, asNew }) =>
    step(`replay(${name}, ${JSON.stringify(filter)}${asNew ? ', as new' : ''})`, async (_, world) => {
      await world.log.startReplay({ consumer: name, filter, asNew, perSecond: 100 });
    }),
  );

const discard = fc.record({ name: fc.constantFrom(...names), filter: filters }).map(({ name, filter }) =>
  step(`discard(${name}, ${JSON.stringify(filter)})`, async (model, world) => {
    // Else what is dead may not be a moment later.
    await drained(world);
    const before = await outcomesOf(world);

    const count = await world.log.discard(name, filter, 'because');

    const after = await outcomesOf(world);
    const discarded = livingOf(model).filter(
      ({ id }) => before.get(id)?.[name] === 'dead' && after.get(id)?.[name] === 'filtered',
    );
    assert.equal(count, discarded.length);
    if (filter.outcome === 'dead') {
      assert.ok(
        livingOf(model).every(({ id }) => after.get(id)?.[name] !== 'dead'),
        'all dead ones are discarded',
      );
    }
    for (const record of discarded) record.discarded.add(name);
  }),
);

const prune = fc.nat(60).map((before) =>
  step(`prune(${before})`, async (model, world) => {
    await drained(world);
    const outcomes = await outcomesOf(world);
    const expected = livingOf(model).filter(
      ({ id, receivedAt }) =>
        receivedAt < before && names.every((name) => outcomes.get(id)?.[name] !== 'dead'),
    );

    const pruned = await world.log.prune(before, names, new AbortController().signal);

    assert.equal(pruned, expected.length);
    for (const record of expected) record.isRemoved = true;
  }),
);

function makeRecord(model: Model, { kind, user }: { kind: Kind; user: string }): ModelRecord {
  const number = model.posted++;
  return { id: `e${number}`, kind, user, receivedAt: number, isRemoved: false, discarded: new Set() };
}

function copyOf(record: ModelRecord): ModelRecord {
  return { ...record, isRemoved: false, discarded: new Set() };
}

function toEvent({ id, kind, receivedAt }: ModelRecord): ReceivedEvent {
  const body = JSON.stringify({ id, type: kind });
  return { id: eventId(id), type: kind, tenantId: undefined, receivedAt, verifiedBy: 'unsigned', body };
}

/** Everything works from here on, and time passes until nothing is left to do. */
async function drained(world: World): Promise<void> {
  for (const name of names) Object.assign(world.outside[name], { script: [], usual: 'taken' });
  await until('all is delivered', async () => {
    world.clock.advance(120_000);
    const { consumers } = await world.log.books(names);
    if (names.some((name) => consumers[name]?.pending !== 0)) return false;
    return (await world.log.replays()).every(({ state }) => state !== 'running');
  });
}

async function outcomesOf(world: World) {
  const latest = await world.log.latest(10_000, names);
  return new Map(latest.map(({ id, outcomes }) => [id as string, outcomes]));
}

// What must hold.

/** At any moment, whatever is under way. */
async function assertModel(model: Model, { log, outside }: World): Promise<void> {
  const { records, received } = model;
  const { consumers, ...books } = await log.books(names);
  assert.deepEqual(books, {
    received,
    duplicates: received - records.length,
    stored: records.length,
    rejected: 0,
  });
  for (const name of names) {
    const { pending, delivered, filtered, dead } = consumers[name] ?? assert.fail();
    assert.ok(pending >= 0 && dead >= 0);
    assert.equal(pending + delivered + filtered + dead, records.length, `the books of ${name} balance`);
  }

  // Read before what was taken: a record is settled after it.
  const latest = (await log.latest(10_000, names)).toReversed();
  assert.deepEqual(
    latest.map(({ id }) => id),
    livingOf(model).map(({ id }) => id),
  );
  for (const name of names) {
    const taken = new Set(outside[name].taken.map(baseOf));
    for (const [index, record] of livingOf(model).entries()) {
      const outcome = latest[index]?.outcomes[name];
      const at = `${record.id} (${record.kind}) is ${outcome ?? '?'} at ${name}`;
      if (outcome === 'delivered') {
        assert.ok(record.kind !== 'nothing' && (!isTroubled(record) || model.isMended), at);
        assert.ok(
          idsOf(record).every((id) => taken.has(id)),
          `${at}, which has not taken all of it`,
        );
      } else if (outcome === 'filtered')
        assert.ok(record.kind === 'nothing' || record.discarded.has(name), at);
      else if (outcome === 'dead') assert.ok(isTroubled(record), at);
    }
    assertTaken(model, outside[name].taken);
  }
}

/** Nothing that was not posted, and for each user in the order of the log. */
function assertTaken({ records }: Model, taken: readonly string[]): void {
  const placeOf = new Map<string, { place: number; user: string; isOrdered: boolean }>();
  for (const [index, record] of records.entries()) {
    for (const [number, id] of idsOf(record).entries()) {
      // A message that is bad for a while arrives after those behind it; an event that is stored again, after its removal,
      // has been delivered once.
      const isOrdered = sureIdsOf(record).includes(id) && !placeOf.has(id);
      if (!placeOf.has(id)) placeOf.set(id, { place: index + number / 10, user: record.user, isOrdered });
    }
  }
  const last = new Map<string, number>();
  for (const id of new Set(taken)) {
    const known = placeOf.get(baseOf(id));
    assert.ok(known, `${id} was never posted`);
    if (id !== baseOf(id) || !known.isOrdered) continue;
    assert.ok(known.place > (last.get(known.user) ?? -1), `${id} of ${known.user} came after one behind it`);
    last.set(known.user, known.place);
  }
}

/** Without what a replay as new adds. */
function baseOf(messageId: string): string {
  return messageId.replace(/-r\d+$/, '');
}

/** Everything works again: nothing is lost, and nothing dead but what was refused; mended and sent again, that goes too. */
async function finish(model: Model, world: World): Promise<void> {
  await drained(world);
  await assertModel(model, world);
  await assertSettled(model, world);

  model.isMended = true;
  world.isMended = true;
  for (const name of names) {
    await world.log.startReplay({
      consumer: name,
      filter: { outcome: 'dead' },
      asNew: false,
      perSecond: 1_000,
    });
  }
  await drained(world);
  await assertModel(model, world);
  const { consumers } = await world.log.books(names);
  for (const name of names) {
    assert.equal(consumers[name]?.dead, 0);
    assert.deepEqual(await world.log.deadLetters([name], {}, 10), []);
    const taken = new Set(world.outside[name].taken.map(baseOf));
    const lost = model.records.flatMap((record) =>
      record.discarded.has(name) ? [] : idsOf(record).filter((id) => !taken.has(id)),
    );
    assert.deepEqual(lost, [], `lost on the way to ${name}`);
  }
}

async function assertSettled(model: Model, world: World): Promise<void> {
  const outcomes = await outcomesOf(world);
  for (const name of names) {
    const taken = new Set(world.outside[name].taken.map(baseOf));
    for (const record of livingOf(model)) {
      const outcome = outcomes.get(record.id)?.[name];
      const at = `${record.id} (${record.kind}) is ${outcome ?? '?'} at ${name}`;
      assert.ok(
        sureIdsOf(record).every((id) => taken.has(id)),
        `${at}, and not there`,
      );
      if (record.kind === 'nothing') assert.equal(outcome, 'filtered', at);
      else if (!isTroubled(record)) assert.equal(outcome, 'delivered', at);
      else if (!model.isMended && !record.discarded.has(name)) {
        assert.equal(outcome, 'dead', at);
        assert.deepEqual(
          idsOf(record).filter((id) => taken.has(id)),
          sureIdsOf(record),
          at,
        );
      }
    }
    const letters = await world.log.deadLetters([name], {}, 10_000);
    const dead = livingOf(model).filter(({ id }) => outcomes.get(id)?.[name] === 'dead');
    assert.deepEqual(
      letters.map((letter) => letter.eventId as string).sort(),
      dead.map(({ id }) => id).sort(),
    );
  }
}
