// What every event log keeps: one suite, run against each implementation by `describeLog`.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { EventId } from '../../src/fusionauth/event.ts';
import type {
  ConsumedRecords,
  ConsumeLimits,
  DeadLetter,
  EventLog,
  Outcome,
  ReceivedEvent,
  SettledOutcome,
  Settlement,
} from '../../src/log/log.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

export type OpenLog = (directory: string) => Promise<EventLog>;

const consumer = 'segment';
const otherConsumer = 'warehouse';

export function describeLog(name: string, open: OpenLog): void {
  describe(`the log contract, kept by ${name}`, { concurrency: 4, timeout: 30_000 }, () => {
    describeAppend(open);
    describeConsume(open);
    describeLinger(open);
    describeBooks(open);
    describeModel(open);
  });
}

function describeAppend(open: OpenLog): void {
  test('an event is stored once, and its id is a duplicate from then on', async () => {
    await using opened = await OpenedLog.open(open);
    const event = makeEvent({ id: eventId('1') });

    const first = await opened.log.append(event);
    const second = await opened.log.append({ ...event, type: 'user.update', body: '{"changed":true}' });

    assert.deepEqual([first, second], ['stored', 'duplicate']);
    assert.deepEqual(await bodiesOf(opened.log, 1), [event.body]);
  });

  test('an id that comes twice at the same moment is stored once', async () => {
    await using opened = await OpenedLog.open(open);
    const event = makeEvent();

    const answers = await appendAll(opened.log, [event, makeEvent(), event, event]);

    assert.deepEqual(answers, ['stored', 'stored', 'duplicate', 'duplicate']);
    assert.equal((await opened.log.latest(10, [])).length, 2);
  });

  test('an id is a duplicate after the log was closed and opened again', async () => {
    await using opened = await OpenedLog.open(open);
    const event = makeEvent();
    await opened.log.append(event);

    await opened.reopen();
    const answers = await appendAll(opened.log, [event, makeEvent()]);

    assert.deepEqual(answers, ['duplicate', 'stored']);
  });

  test('a record comes out as its event went in', async () => {
    await using opened = await OpenedLog.open(open);
    const events = [
      makeEvent({ tenantId: undefined, verifiedBy: 'unsigned', receivedAt: 0 }),
      makeEvent({ id: eventId('!'.repeat(64)), tenantId: 'Zürich "east"', verifiedBy: 'kid:ü-1' }),
      makeEvent({ type: "x'; drop table records; --", body: '{"name":"Ōe 健三郎 🦉 \\u0000","n":1e300}' }),
      makeEvent({ type: 'type\u0000with zero', body: '' }),
    ];

    await appendAll(opened.log, events);
    await using consuming = startConsumer(opened.log);
    const { records } = await consuming.next();

    assert.deepEqual(
      records,
      events.map((event, index) => ({ ...event, position: records[index]?.position })),
    );
  });

  test('2,000 events that come at once are all stored in order, and each repeated one is a duplicate', async () => {
    await using opened = await OpenedLog.open(open);
    // Every fifth event repeats the one that stands ten before it.
    const indexes = Array.from({ length: 2_000 }, (_, index) =>
      index % 5 === 4 && index > 10 ? index - 10 : index,
    );
    const events = indexes.map((index) => makeEvent({ id: eventId(String(index)) }));
    const firstSeen = [...new Set(events.map(({ id }) => id))];

    const answers = await appendAll(opened.log, events);

    const seen = new Set<EventId>();
    assert.deepEqual(
      answers,
      events.map(({ id }) => (seen.has(id) ? 'duplicate' : (seen.add(id), 'stored'))),
    );
    assert.deepEqual(await idsOf(opened.log, firstSeen.length), firstSeen);
    await assertBooks(opened.log, {
      received: 2_000,
      duplicates: 2_000 - firstSeen.length,
      stored: firstSeen.length,
    });
  });

  test('a log that has just been opened takes writes', async () => {
    await using opened = await OpenedLog.open(open);

    assert.equal(opened.log.isWritable(), true);
  });

  test('closing waits for what was appended, and what was answered is there afterwards', async () => {
    await using opened = await OpenedLog.open(open);
    const events = Array.from({ length: 50 }, () => makeEvent());

    const appended = appendAll(opened.log, events);
    await opened.reopen();

    assert.deepEqual(new Set(await appended), new Set(['stored']));
    assert.deepEqual(
      await idsOf(opened.log, 50),
      events.map(({ id }) => id),
    );
  });
}

function describeConsume(open: OpenLog): void {
  test('a consumer gets the records from the first one on, in the order of their appends', async () => {
    await using opened = await OpenedLog.open(open);
    const ids = await appendNumbered(opened.log, 25);

    const consumed = await idsOf(opened.log, 25, { maxRecords: 7 });

    assert.deepEqual(consumed, ids);
  });

  test('a consumer with nothing left waits, and wakes when an event is appended', async () => {
    await using opened = await OpenedLog.open(open);
    await using consuming = startConsumer(opened.log);

    for (const id of ['1', '2', '3']) {
      const waiting = consuming.next();
      await opened.log.append(makeEvent({ id: eventId(id) }));
      const handedOut = await waiting;
      await settle(handedOut);

      assert.deepEqual(idsIn(handedOut), [id]);
    }
  });

  test('a consumer that waits ends when its signal aborts', async () => {
    await using opened = await OpenedLog.open(open);
    const stopping = new AbortController();
    const handOuts = opened.log.consume(consumer, wide, stopping.signal)[Symbol.asyncIterator]();
    await opened.log.append(makeEvent());
    await settle((await handOuts.next()).value as ConsumedRecords);
    const waiting = handOuts.next();

    stopping.abort();

    assert.deepEqual(await waiting, { done: true, value: undefined });
  });

  test('a consumer whose signal has aborted already gets nothing', async () => {
    await using opened = await OpenedLog.open(open);
    await opened.log.append(makeEvent());

    const handedOut = await Array.fromAsync(opened.log.consume(consumer, wide, AbortSignal.abort()));

    assert.deepEqual(handedOut, []);
  });

  test('records that were not committed come again in the same loop', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 3);
    await using consuming = startConsumer(opened.log, { maxRecords: 2 });

    const first = await consuming.next();
    const second = await consuming.next();
    await settle(second);
    const third = await consuming.next();

    assert.deepEqual([first, second, third].map(idsIn), [['1', '2'], ['1', '2'], ['3']]);
  });

  test('records that were not committed come again to the next loop, with those that were appended since', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 2);
    await using abandoned = startConsumer(opened.log);
    await abandoned.next();
    await abandoned.end();
    await opened.log.append(makeEvent({ id: eventId('3') }));

    const ids = await idsOf(opened.log, 3);

    assert.deepEqual(ids, ['1', '2', '3']);
  });

  test('records that were not committed come again after the log was opened again', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 3);
    await using abandoned = startConsumer(opened.log, { maxRecords: 1 });
    await settle(await abandoned.next());
    await abandoned.next();
    await abandoned.end();

    await opened.reopen();
    const ids = await idsOf(opened.log, 2);

    assert.deepEqual(ids, ['2', '3']);
  });

  test('committed records never come again, neither to the next loop nor after the log was opened again', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 6);

    const first = await idsOf(opened.log, 2, { maxRecords: 2 });
    const second = await idsOf(opened.log, 2, { maxRecords: 2 });
    await opened.reopen();
    const third = await idsOf(opened.log, 2, { maxRecords: 2 });

    assert.deepEqual([first, second, third].flat(), ['1', '2', '3', '4', '5', '6']);
  });

  test('two consumers each get every record, at their own pace', async () => {
    await using opened = await OpenedLog.open(open);
    const ids = await appendNumbered(opened.log, 5);
    await using slow = startConsumer(opened.log, { maxRecords: 1 }, otherConsumer);
    await settle(await slow.next());

    const fast = await idsOf(opened.log, 5);
    const next = await slow.next();

    assert.deepEqual(fast, ids);
    assert.deepEqual(idsIn(next), ['2']);
  });

  test('a consumer that is new on an old log gets everything from the beginning', async () => {
    await using opened = await OpenedLog.open(open);
    const ids = await appendNumbered(opened.log, 5);
    await idsOf(opened.log, 5);
    await opened.reopen();

    const seen = await idsOf(opened.log, 5, {}, 'new');

    assert.deepEqual(seen, ids);
  });

  test('a hand-out holds no more records than maxRecords', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 10);

    const handOuts = await handOutsOf(opened.log, 10, { maxRecords: 4 });

    assert.deepEqual(handOuts.map(idsIn), [
      ['1', '2', '3', '4'],
      ['5', '6', '7', '8'],
      ['9', '10'],
    ]);
  });

  test('a hand-out holds no more characters than maxCharacters, and a larger record comes alone', async () => {
    await using opened = await OpenedLog.open(open);
    const sizes = [101, 50, 50, 1, 99, 500, 60, 41, 101];
    await appendAll(
      opened.log,
      sizes.map((size, index) => makeEvent({ id: eventId(String(index)), body: 'ü'.repeat(size) })),
    );

    const handOuts = await handOutsOf(opened.log, sizes.length, { maxCharacters: 100 });

    assert.deepEqual(
      handOuts.map(({ records }) => records.map(({ body }) => body.length)),
      [[101], [50, 50], [1, 99], [500], [60], [41], [101]],
    );
  });
}

function describeLinger(open: OpenLog): void {
  test('a lone record is handed out at once, however long the linger', async () => {
    await using opened = await OpenedLog.open(open);
    await using consuming = startConsumer(opened.log, { lingerMs: 3_600_000 });
    const waiting = consuming.next();

    await opened.log.append(makeEvent({ id: eventId('1') }));

    assert.deepEqual(idsIn(await waiting), ['1']);
  });

  test('records that keep coming are gathered until the linger after the last hand-out is over', async () => {
    await using opened = await OpenedLog.open(open);
    const lingerMs = 400;
    await using consuming = startConsumer(opened.log, { lingerMs });
    await opened.log.append(makeEvent({ id: eventId('1') }));
    await settle(await consuming.next());
    const handedOutAt = performance.now();

    const waiting = consuming.next();
    await opened.log.append(makeEvent({ id: eventId('2') }));
    await opened.log.append(makeEvent({ id: eventId('3') }));
    const gathered = await waiting;

    assert.deepEqual(idsIn(gathered), ['2', '3']);
    assert.ok(performance.now() - handedOutAt > lingerMs / 2, 'the hand-out waited for more records');
  });

  test('a hand-out that is full does not wait for the linger', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 4);

    const handOuts = await handOutsOf(opened.log, 4, { maxRecords: 2, lingerMs: 3_600_000 });

    assert.deepEqual(handOuts.map(idsIn), [
      ['1', '2'],
      ['3', '4'],
    ]);
  });

  test('a consumer that lingers ends when its signal aborts', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 1);
    const stopping = new AbortController();
    const limits = { ...wide, lingerMs: 3_600_000 };
    const handOuts = opened.log.consume(consumer, limits, stopping.signal)[Symbol.asyncIterator]();
    await settle((await handOuts.next()).value as ConsumedRecords);
    const lingering = handOuts.next();
    await opened.log.append(makeEvent());

    stopping.abort();

    assert.deepEqual(await lingering, { done: true, value: undefined });
  });
}

function describeBooks(open: OpenLog): void {
  test('the books balance after every step, and are the same after the log was opened again', async () => {
    await using opened = await OpenedLog.open(open);
    const none = { delivered: 0, filtered: 0, dead: 0 };

    await assertBooks(opened.log, { received: 0, duplicates: 0, stored: 0, rejected: 0 });

    await appendNumbered(opened.log, 4);
    await appendNumbered(opened.log, 6);
    const appended = { received: 10, duplicates: 4, stored: 6 };
    await assertBooks(opened.log, { ...appended, segment: { pending: 6, ...none } });

    await using consuming = startConsumer(opened.log, { maxRecords: 4 });
    const handedOut = await consuming.next();
    await assertBooks(opened.log, { ...appended, segment: { pending: 6, ...none } });

    await settle(handedOut, ['delivered', 'dead', 'filtered', 'dead']);
    const segment = { pending: 2, delivered: 1, filtered: 1, dead: 2 };
    await assertBooks(opened.log, { ...appended, segment, warehouse: { pending: 6, ...none } });

    await idsOf(opened.log, 6, {}, otherConsumer);
    const warehouse = { pending: 0, delivered: 6, filtered: 0, dead: 0 };
    await assertBooks(opened.log, { ...appended, segment, warehouse });

    await opened.reopen();
    await assertBooks(opened.log, { ...appended, segment, warehouse });

    await appendNumbered(opened.log, 7);
    await assertBooks(opened.log, {
      received: 17,
      duplicates: 10,
      stored: 7,
      segment: { ...segment, pending: 3 },
      warehouse: { ...warehouse, pending: 1 },
    });
  });

  test('webhooks that were turned away are counted apart, and still counted after the log was opened again', async () => {
    await using opened = await OpenedLog.open(open);
    for (let count = 0; count < 3; count++) opened.log.countRejected();
    await assertBooks(opened.log, { received: 0, rejected: 3 });

    await opened.reopen();
    await assertBooks(opened.log, { received: 0, rejected: 3 });

    opened.log.countRejected();
    await opened.log.append(makeEvent());
    await opened.reopen();
    await assertBooks(opened.log, { received: 1, stored: 1, rejected: 4 });
  });

  test('the oldest pending record tells its age, and none has the age 0', async () => {
    await using opened = await OpenedLog.open(open);
    const ageOf = async () =>
      (await opened.log.books([consumer])).consumers[consumer]?.oldestPendingSeconds ?? NaN;
    const hourAgo = Date.now() - 3_600_000;
    const empty = await ageOf();
    await appendAll(opened.log, [makeEvent({ receivedAt: hourAgo }), makeEvent({ receivedAt: Date.now() })]);

    const whole = await ageOf();
    await idsOf(opened.log, 1, { maxRecords: 1 });
    const half = await ageOf();
    await idsOf(opened.log, 1, { maxRecords: 1 });
    const settled = await ageOf();

    assert.equal(empty, 0);
    assert.ok(whole >= 3_600 && whole < 3_660, `${whole} is about an hour`);
    assert.ok(half >= 0 && half < 60, `${half} is less than a minute`);
    assert.equal(settled, 0);
  });

  test('a record becomes dead with all its dead letters, at each consumer apart', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 1);
    const deadLetters = [
      makeDeadLetter({ messageId: 'm-1', message: '{"type":"track"}' }),
      makeDeadLetter({ messageId: 'm-2', reason: 'too_large', detail: 'ü'.repeat(10_000) }),
      makeDeadLetter({ messageId: '', reason: 'mapping_failed', message: '' }),
    ];

    for (const name of [consumer, otherConsumer]) {
      await using consuming = startConsumer(opened.log, {}, name);
      const handedOut = await consuming.next();
      await handedOut.commit(
        handedOut.records.map(({ position }) => ({ position, outcome: 'dead', deadLetters })),
        [],
      );
    }

    const books = { pending: 0, delivered: 0, filtered: 0, dead: 1 };
    await assertBooks(opened.log, { stored: 1, segment: books, warehouse: books });
  });

  test('two dead letters of one record may have the same message id', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 1);
    await using consuming = startConsumer(opened.log);
    const handedOut = await consuming.next();
    const deadLetters = [makeDeadLetter({ messageId: 'm-1' }), makeDeadLetter({ messageId: 'm-1' })];

    await handedOut.commit(
      handedOut.records.map(({ position }) => ({ position, outcome: 'dead', deadLetters })),
      [],
    );

    await assertBooks(opened.log, { segment: { pending: 0, delivered: 0, filtered: 0, dead: 1 } });
  });

  test('the newest records are listed first, each with its outcome at each consumer', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 4);
    await using consuming = startConsumer(opened.log, { maxRecords: 3 });
    await settle(await consuming.next(), ['delivered', 'filtered', 'dead']);
    await idsOf(opened.log, 1, { maxRecords: 1 }, otherConsumer);

    const listed = async () =>
      (await opened.log.latest(10, [consumer, otherConsumer])).map(({ id, outcomes }) => ({
        id,
        ...outcomes,
      }));
    const before = await listed();
    await opened.reopen();
    const after = await listed();

    assert.deepEqual(before, [
      { id: '4', segment: 'pending', warehouse: 'pending' },
      { id: '3', segment: 'dead', warehouse: 'pending' },
      { id: '2', segment: 'filtered', warehouse: 'pending' },
      { id: '1', segment: 'delivered', warehouse: 'delivered' },
    ]);
    assert.deepEqual(after, before);
  });

  test('the list of the newest records is as long as was asked for, and tells what is known of each', async () => {
    await using opened = await OpenedLog.open(open);
    const none = await opened.log.latest(2, []);
    const withoutTenant = makeEvent({ tenantId: undefined });
    const last = makeEvent({ tenantId: 'tenant', verifiedBy: 'hmac:1', type: 'user.create' });
    await appendAll(opened.log, [makeEvent(), withoutTenant, last]);

    const [first, second, ...others] = await opened.log.latest(2, []);

    const { id, type, tenantId, receivedAt, verifiedBy } = last;
    assert.deepEqual(none, []);
    assert.partialDeepStrictEqual(first, { id, type, tenantId, receivedAt, verifiedBy, outcomes: {} });
    assert.partialDeepStrictEqual(second, { id: withoutTenant.id, tenantId: null });
    assert.deepEqual(others, []);
  });
}

/** Random steps against an array in memory; fast-check prints the seed and the shortest steps that fail. */
function describeModel(open: OpenLog): void {
  test('whatever is appended, consumed, committed and opened again, the log is as its model', async () => {
    const name = fc.constantFrom(consumer, otherConsumer);
    const outcome = fc.constantFrom<SettledOutcome>('delivered', 'filtered', 'dead');
    const consume = fc
      .record({
        name,
        maxRecords: fc.integer({ min: 1, max: 6 }),
        outcomes: fc.option(fc.array(outcome, { minLength: 6, maxLength: 6 })),
      })
      .map((options) => new ConsumeCommand(options));
    const commands = fc.commands(
      [
        fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }).map((ids) => new AppendCommand(ids)),
        // Twice, since a step that opens the log again takes longer than all others.
        consume,
        consume,
        fc.integer({ min: 1, max: 3 }).map((count) => new RejectCommand(count)),
        fc.constant(new ReopenCommand()),
      ],
      { maxCommands: 30, size: 'max' },
    );

    await fc.assert(
      fc.asyncProperty(commands, async (steps) => {
        await using opened = await OpenedLog.open(open);
        const model: Model = { ids: [], received: 0, rejected: 0, settled: { segment: [], warehouse: [] } };
        await fc.asyncModelRun(() => ({ model, real: opened }), steps);
      }),
      { numRuns: 6 },
    );
  });
}

interface Model {
  /** Of the stored records, in order. */
  readonly ids: string[];
  received: number;
  rejected: number;
  readonly settled: { readonly [name: string]: SettledOutcome[] };
}

type Command = fc.AsyncCommand<Model, OpenedLog>;

class AppendCommand implements Command {
  readonly #ids: readonly string[];

  constructor(ids: readonly number[]) {
    this.#ids = ids.map(String);
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, { log }: OpenedLog): Promise<void> {
    const expected = this.#ids.map((id) => {
      if (model.ids.includes(id)) return 'duplicate';
      model.ids.push(id);
      return 'stored';
    });
    model.received += this.#ids.length;

    const answers = await appendAll(
      log,
      this.#ids.map((id) => makeEvent({ id: eventId(id) })),
    );

    assert.deepEqual(answers, expected);
    await assertModel(model, log);
  }

  toString(): string {
    return `append(${this.#ids.join(', ')})`;
  }
}

interface ConsumeOptions {
  readonly name: string;
  readonly maxRecords: number;
  /** Null: takes them and commits nothing. */
  readonly outcomes: readonly SettledOutcome[] | null;
}

class ConsumeCommand implements Command {
  readonly #options: ConsumeOptions;

  constructor(options: ConsumeOptions) {
    this.#options = options;
  }

  check({ ids, settled }: Readonly<Model>): boolean {
    return ids.length > (settled[this.#options.name]?.length ?? 0);
  }

  async run(model: Model, { log }: OpenedLog): Promise<void> {
    const { name, maxRecords, outcomes } = this.#options;
    const settled = model.settled[name] ?? [];

    await using consuming = startConsumer(log, { maxRecords }, name);
    const handedOut = await consuming.next();
    const { length } = handedOut.records;
    if (outcomes) await settle(handedOut, outcomes.slice(0, length));

    assert.ok(length > 0 && length <= maxRecords, `${length} records were handed out`);
    assert.deepEqual(idsIn(handedOut), model.ids.slice(settled.length, settled.length + length));
    settled.push(...(outcomes?.slice(0, length) ?? []));
    await assertModel(model, log);
  }

  toString(): string {
    const { name, maxRecords, outcomes } = this.#options;
    return `consume(${name}, ${maxRecords}, ${outcomes?.slice(0, maxRecords).join(' ') ?? 'no commit'})`;
  }
}

class RejectCommand implements Command {
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, { log }: OpenedLog): Promise<void> {
    model.rejected += this.#count;

    for (let count = 0; count < this.#count; count++) log.countRejected();

    await assertModel(model, log);
  }

  toString(): string {
    return `reject(${this.#count})`;
  }
}

class ReopenCommand implements Command {
  check(): boolean {
    return true;
  }

  async run(model: Model, opened: OpenedLog): Promise<void> {
    await opened.reopen();

    await assertModel(model, opened.log);
  }

  toString(): string {
    return 'reopen()';
  }
}

async function assertModel({ ids, received, rejected, settled }: Model, log: EventLog): Promise<void> {
  const count = (name: string, outcome: Outcome) =>
    settled[name]?.filter((settledOutcome) => settledOutcome === outcome).length ?? 0;
  const booksOf = (name: string) => ({
    pending: ids.length - (settled[name]?.length ?? 0),
    delivered: count(name, 'delivered'),
    filtered: count(name, 'filtered'),
    dead: count(name, 'dead'),
  });
  await assertBooks(log, {
    received,
    duplicates: received - ids.length,
    stored: ids.length,
    rejected,
    segment: booksOf(consumer),
    warehouse: booksOf(otherConsumer),
  });

  const listed = await log.latest(100, [consumer, otherConsumer]);
  const expected = ids.map((id, index) => ({
    id,
    outcomes: {
      segment: settled[consumer]?.[index] ?? 'pending',
      warehouse: settled[otherConsumer]?.[index] ?? 'pending',
    },
  }));
  assert.deepEqual(
    listed.map(({ id, outcomes }) => ({ id, outcomes })),
    expected.reverse(),
  );
}

/** A log in a folder of its own, which can be closed and opened again. */
export class OpenedLog implements AsyncDisposable {
  readonly #open: OpenLog;
  readonly #folder: { path: string } & AsyncDisposable;
  log: EventLog;

  private constructor(open: OpenLog, folder: { path: string } & AsyncDisposable, log: EventLog) {
    this.#open = open;
    this.#folder = folder;
    this.log = log;
  }

  static async open(open: OpenLog): Promise<OpenedLog> {
    const folder = await temporaryFolder();
    return new OpenedLog(open, folder, await open(folder.path));
  }

  get directory(): string {
    return this.#folder.path;
  }

  async reopen(): Promise<void> {
    await this.log.close();
    this.log = await this.#open(this.#folder.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
    await this.#folder[Symbol.asyncDispose]();
  }
}

export function eventId(text: string): EventId {
  return text as EventId;
}

export function makeEvent(fields: Partial<ReceivedEvent> = {}): ReceivedEvent {
  return {
    id: eventId(randomUUID()),
    type: 'user.login.success',
    tenantId: undefined,
    receivedAt: 1_767_225_600_000,
    verifiedBy: 'unsigned',
    body: '{}',
    ...fields,
  };
}

function makeDeadLetter(fields: Partial<DeadLetter>): DeadLetter {
  return { messageId: 'm', reason: 'invalid', detail: 'It has no user', message: '{}', ...fields };
}

/** All at once. */
export function appendAll(log: EventLog, events: readonly ReceivedEvent[]) {
  return Promise.all(events.map((event) => log.append(event)));
}

/** Appends events of the ids 1 to `count`, those that are there already included. */
async function appendNumbered(log: EventLog, count: number): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, index) => eventId(String(index + 1)));
  await appendAll(
    log,
    ids.map((id) => makeEvent({ id })),
  );
  return ids;
}

const wide: ConsumeLimits = { maxRecords: 1_000, maxCharacters: 1_000_000, lingerMs: 0 };

/** One loop of a consumer, taken step by step. */
export function startConsumer(log: EventLog, limits: Partial<ConsumeLimits> = {}, name = consumer) {
  const stopping = new AbortController();
  const handOuts = log.consume(name, { ...wide, ...limits }, stopping.signal)[Symbol.asyncIterator]();
  const end = async () => {
    stopping.abort();
    await handOuts.return?.();
  };
  return {
    async next(): Promise<ConsumedRecords> {
      const result: IteratorResult<ConsumedRecords, unknown> = await handOuts.next();
      assert.ok(result.done !== true, 'the consumer goes on');
      return result.value;
    },
    end,
    [Symbol.asyncDispose]: end,
  };
}

export async function settle(
  handedOut: ConsumedRecords,
  outcomes: readonly SettledOutcome[] = handedOut.records.map(() => 'delivered'),
): Promise<void> {
  const settlements = handedOut.records.map(({ position, id }, index): Settlement => {
    const outcome = outcomes[index];
    assert.ok(outcome);
    if (outcome !== 'dead') return { position, outcome };
    return { position, outcome, deadLetters: [makeDeadLetter({ messageId: `m-${id}` })] };
  });
  await handedOut.commit(settlements, []);
}

/** Consumes and commits until this many records have come. */
async function handOutsOf(
  log: EventLog,
  count: number,
  limits: Partial<ConsumeLimits> = {},
  name = consumer,
): Promise<readonly ConsumedRecords[]> {
  await using consuming = startConsumer(log, limits, name);
  const handOuts: ConsumedRecords[] = [];
  for (let seen = 0; seen < count;) {
    const handedOut = await consuming.next();
    await settle(handedOut);
    handOuts.push(handedOut);
    seen += handedOut.records.length;
  }
  return handOuts;
}

export async function idsOf(
  log: EventLog,
  count: number,
  limits: Partial<ConsumeLimits> = {},
  name = consumer,
): Promise<readonly string[]> {
  return (await handOutsOf(log, count, limits, name)).flatMap(idsIn);
}

async function bodiesOf(log: EventLog, count: number): Promise<readonly string[]> {
  return (await handOutsOf(log, count)).flatMap(({ records }) => records.map(({ body }) => body));
}

export function idsIn({ records }: ConsumedRecords): readonly string[] {
  return records.map(({ id }) => id);
}

/** The books that are named, and that all of them balance. */
export async function assertBooks(
  log: EventLog,
  { segment = {}, warehouse = {}, ...expected }: Readonly<Record<string, unknown>>,
): Promise<void> {
  const books = await log.books([consumer, otherConsumer]);
  assert.partialDeepStrictEqual(books, { ...expected, consumers: { segment, warehouse } });
  assert.equal(books.received, books.duplicates + books.stored, 'received = duplicates + stored');
  for (const [name, { pending, delivered, filtered, dead }] of Object.entries(books.consumers)) {
    assert.equal(books.stored, pending + delivered + filtered + dead, `the books of ${name} balance`);
  }
}
