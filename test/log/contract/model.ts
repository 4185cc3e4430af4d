// A log against a model in memory: random steps, the same to both. fast-check prints the seed and the shortest steps that
// fail; MODEL_RUNS sets how many sequences of steps are tried.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type {
  EventLog,
  Outcome,
  RecordFilter,
  ReplayedRecords,
  SettledOutcome,
} from '../../../src/log/log.ts';
import {
  appendAll,
  assertBooks,
  consumer,
  eventId,
  idsIn,
  makeEvent,
  makeReplayRequest,
  OpenedLog,
  otherConsumer,
  replayOf,
  settle,
  startConsumer,
  startReplaying,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

export const modelRuns = Number(process.env['MODEL_RUNS'] ?? 8);
const consumers = [consumer, otherConsumer];

export function describeModel(open: OpenLog): void {
  test(
    'whatever is done to the log in whatever order, it is as its model',
    { timeout: 30_000 + modelRuns * 5_000 },
    async () => {
      const steps = fc.commands(
        [
          appendStep,
          // Several times, since a step that opens the log again takes longer than all others, and all need settled records.
          consumeStep,
          consumeStep,
          consumeStep,
          replayStep,
          discardStep,
          pruneStep,
          fc.integer({ min: 1, max: 3 }).map(rejecting),
          fc.constantFrom(reopening, crashing),
        ],
        { maxCommands: 40, size: 'max' },
      );

      await fc.assert(
        fc.asyncProperty(steps, async (commands) => {
          await using opened = await OpenedLog.open(open);
          const model: Model = { records: [], received: 0, rejected: 0, registered: new Set() };
          await fc.asyncModelRun(() => ({ model, real: opened }), commands);
        }),
        { numRuns: modelRuns },
      );
    },
  );
}

interface ModelRecord {
  readonly id: string;
  readonly type: string;
  readonly receivedAt: number;
  isRemoved: boolean;
  /** By consumer; none where it is pending. */
  readonly outcomes: Record<string, SettledOutcome>;
  /** By consumer: whether a person made it filtered. */
  readonly discarded: Set<string>;
}

interface Model {
  readonly records: ModelRecord[];
  received: number;
  rejected: number;
  /** Consumers that have begun. */
  readonly registered: Set<string>;
}

type Step = fc.AsyncCommand<Model, OpenedLog>;

/** A step that can always be made, and after which log and model must agree. */
function step(name: string, run: (model: Model, opened: OpenedLog) => Promise<void>): Step {
  return {
    check: () => true,
    async run(model, opened) {
      await run(model, opened);
      await assertModel(model, opened.log);
    },
    toString: () => name,
  };
}

const names = fc.constantFrom(...consumers);
const outcomeLists = fc.array(fc.constantFrom<SettledOutcome>('delivered', 'filtered', 'dead'), {
  minLength: 6,
  maxLength: 6,
});
const filters = fc.oneof(
  fc.constant({}),
  fc.constantFrom<RecordFilter>({ types: ['even.*'] }, { types: ['odd.*'] }, { types: ['none'] }),
  fc
    .constantFrom<SettledOutcome>('delivered', 'filtered', 'dead')
    .map((outcome): RecordFilter => ({ outcome })),
  fc.constant<RecordFilter>({ reason: 'invalid' }),
  fc.nat(20).map((id): RecordFilter => ({ eventId: eventId(String(id)) })),
);

const appendStep = fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }).map((ids) =>
  step(`append(${ids.join(', ')})`, async (model, { log }) => {
    const events = ids.map((id, index) => ({
      id: String(id),
      type: id % 2 === 0 ? 'even.id' : 'odd.id',
      receivedAt: model.received + index,
    }));
    const expected = events.map((event) => {
      if (livingOf(model).some(({ id }) => id === event.id)) return 'duplicate';
      model.records.push({ ...event, isRemoved: false, outcomes: {}, discarded: new Set() });
      return 'stored';
    });
    model.received += ids.length;

    const answers = await appendAll(
      log,
      events.map((event) => makeEvent({ ...event, id: eventId(event.id) })),
    );

    assert.deepEqual(answers, expected);
  }),
);

const consumeStep = fc
  .record({
    name: names,
    maxRecords: fc.integer({ min: 1, max: 6 }),
    outcomes: outcomeLists,
    commits: fc.boolean(),
  })
  .map(({ name, maxRecords, outcomes, commits }): Step => {
    const title = `consume(${name}, ${maxRecords}, ${commits ? outcomes.slice(0, maxRecords).join(' ') : 'no commit'})`;
    const pendingOf = (model: Readonly<Model>) =>
      livingOf(model).filter(({ outcomes: known }) => !known[name]);
    return {
      ...step(title, async (model, { log }) => {
        register(model, name);
        const expected = pendingOf(model);

        await using consuming = startConsumer(log, { maxRecords }, name);
        const handedOut = await consuming.next();
        const { length } = handedOut.records;
        if (commits) await settle(handedOut, outcomes.slice(0, length));

        assert.ok(length > 0 && length <= maxRecords, `${length} records were handed out`);
        assert.deepEqual(
          idsIn(handedOut),
          expected.slice(0, length).map(({ id }) => id),
        );
        if (!commits) return;
        for (const [index, record] of expected.slice(0, length).entries()) {
          record.outcomes[name] = outcomes[index] ?? 'delivered';
        }
      }),
      check: (model) => pendingOf(model).length > 0,
    };
  });

const replayStep = fc
  .record({
    name: names,
    filter: filters,
    outcomes: outcomeLists,
    stopsAfter: fc.integer({ min: 0, max: 4 }),
  })
  .map(({ name, filter, outcomes, stopsAfter }) =>
    step(
      `replay(${name}, ${JSON.stringify(filter)}, ${outcomes.join(' ')}, ${stopsAfter})`,
      async (model, opened) => {
        const { log } = opened;
        const expected = livingOf(model).filter((record) => fits(record, name, filter));
        const count = await log.countMatching(name, filter);
        const { id } = await log.startReplay(makeReplayRequest({ consumer: name, filter }));

        const replayed: string[] = [];
        await using replaying = startReplaying(log, { maxRecords: 2 }, name);
        for (let steps = 0; steps < stopsAfter; steps++) {
          const handedOut = await Promise.race([replaying.next(), ended(log, id)]);
          if (handedOut === undefined) break;
          replayed.push(...idsIn(handedOut));
          await settle(handedOut, outcomes.slice(0, handedOut.records.length));
          for (const [index, { id }] of handedOut.records.entries()) {
            const record = livingOf(model).find((one) => one.id === id);
            assert.ok(record);
            record.outcomes[name] = outcomes[index] ?? 'delivered';
            record.discarded.delete(name);
          }
        }
        await log.stopReplay(id);

        assert.equal(count, expected.length);
        assert.deepEqual(
          replayed,
          expected.slice(0, replayed.length).map((record) => record.id),
        );
        if (replayed.length < expected.length)
          assert.ok(replayed.length >= stopsAfter, 'it goes on until it is stopped');
      },
    ),
  );

const discardStep = fc.record({ name: names, filter: filters }).map(({ name, filter }) =>
  step(`discard(${name}, ${JSON.stringify(filter)})`, async (model, { log }) => {
    const dead: RecordFilter = { ...filter, outcome: 'dead' };
    const expected = livingOf(model).filter((record) => fits(record, name, dead));

    const discarded = await log.discard(name, filter, 'because');

    assert.equal(discarded, expected.length);
    for (const record of expected) {
      record.outcomes[name] = 'filtered';
      record.discarded.add(name);
    }
  }),
);

const pruneStep = fc
  .record({ before: fc.nat(200), pruners: fc.subarray(consumers) })
  .map(({ before, pruners }) =>
    step(`prune(${before}, ${pruners.join(' ')})`, async (model, { log }) => {
      const isNeeded = ({ outcomes }: ModelRecord) =>
        pruners.some((name) => outcomes[name] === undefined || outcomes[name] === 'dead');
      const expected =
        pruners.length === 0
          ? []
          : livingOf(model).filter((one) => one.receivedAt < before && !isNeeded(one));

      const pruned = await log.prune(before, pruners, new AbortController().signal);

      assert.equal(pruned, expected.length);
      for (const record of expected) record.isRemoved = true;
      for (const name of model.registered) register(model, name);
    }),
  );

const rejecting = (count: number) =>
  step(`reject(${count})`, async (model, { log }) => {
    model.rejected += count;
    for (let rejected = 0; rejected < count; rejected++) log.countRejected();
    await Promise.resolve();
  });

const reopening = step('reopen()', async (_, opened) => opened.reopen());
const crashing = step('crash()', async (model, opened) => {
  // What was turned away is on disk a second later or with the next append; a crash may come before.
  if (model.rejected === 0) await opened.crash();
});

/** For a consumer that begins, or that had not come to them, what was removed counts as filtered. */
function register(model: Model, name: string): void {
  model.registered.add(name);
  for (const { isRemoved, outcomes } of model.records) if (isRemoved) outcomes[name] ??= 'filtered';
}

function livingOf({ records }: Readonly<Model>): readonly ModelRecord[] {
  return records.filter(({ isRemoved }) => !isRemoved);
}

function fits(record: ModelRecord, name: string, { types, outcome, reason, eventId }: RecordFilter): boolean {
  const known = record.outcomes[name];
  if (known === undefined) return false;
  if (outcome !== undefined && known !== outcome) return false;
  if (reason !== undefined && known !== 'dead') return false;
  if (eventId !== undefined && record.id !== eventId) return false;
  return types === undefined || types.includes(`${record.type.split('.')[0] ?? ''}.*`);
}

/** Resolves when the replay has ended. */
async function ended(log: EventLog, id: ReplayedRecords['replay']['id']): Promise<undefined> {
  while ((await replayOf(log, id)).state === 'running')
    await new Promise((resolve) => setTimeout(resolve, 5));
  return undefined;
}

async function assertModel(model: Model, log: EventLog): Promise<void> {
  const { records, received, rejected } = model;
  const booksOf = (name: string) => {
    const count = (outcome: Outcome) =>
      records.filter(({ outcomes }) => (outcomes[name] ?? 'pending') === outcome).length;
    return {
      pending: count('pending'),
      delivered: count('delivered'),
      filtered: count('filtered'),
      dead: count('dead'),
    };
  };
  await assertBooks(log, {
    received,
    duplicates: received - records.length,
    stored: records.length,
    rejected,
    segment: booksOf(consumer),
    warehouse: booksOf(otherConsumer),
  });

  const listed = await log.latest(1_000, consumers);
  assert.deepEqual(
    listed.map(({ id, outcomes }) => ({ id, outcomes })).reverse(),
    livingOf(model).map(({ id, outcomes }) => ({
      id,
      outcomes: {
        [consumer]: outcomes[consumer] ?? 'pending',
        [otherConsumer]: outcomes[otherConsumer] ?? 'pending',
      },
    })),
  );

  const letters = await log.deadLetters(consumers, {}, 1_000);
  const dead = (name: string) => livingOf(model).filter(({ outcomes }) => outcomes[name] === 'dead');
  assert.deepEqual(
    letters.map((letter) => `${letter.consumer} ${letter.eventId}`).sort(),
    consumers.flatMap((name) => dead(name).map(({ id }) => `${name} ${id}`)).sort(),
  );
  const [last] = livingOf(model).slice(-1);
  if (last === undefined) return;
  const journey = await log.journey(eventId(last.id), consumers);
  for (const name of consumers) {
    const { outcome, discardedBecause } = journey?.consumers[name] ?? {};
    assert.equal(outcome, last.outcomes[name] ?? 'pending');
    assert.equal(discardedBecause, last.discarded.has(name) ? 'because' : undefined);
  }
}
