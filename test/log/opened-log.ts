// A log in a folder of its own, and the short ways in which the tests of the contract use it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { cp } from 'node:fs/promises';
import type { EventId } from '../../src/fusionauth/event.ts';
import type {
  Attempt,
  ConsumedRecords,
  ConsumeLimits,
  ConsumerJourney,
  DeadLetter,
  EventLog,
  LogRecord,
  Outcome,
  ReceivedEvent,
  RecordFilter,
  Replay,
  ReplayedRecords,
  ReplayId,
  ReplayRequest,
  SettledOutcome,
  Settlement,
} from '../../src/log/log.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

export type OpenLog = (directory: string) => Promise<EventLog>;

export const consumer = 'segment';
export const otherConsumer = 'warehouse';

/** A log in a folder of its own, which can be closed and opened again. */
export class OpenedLog implements AsyncDisposable {
  readonly #open: OpenLog;
  #folder: { path: string } & AsyncDisposable;
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

  /** Goes on with the files as a process that is killed now would leave them behind. */
  async crash(): Promise<void> {
    const killed = this.#folder;
    this.#folder = await temporaryFolder();
    await cp(killed.path, this.#folder.path, { recursive: true });
    await this.log.close();
    await killed[Symbol.asyncDispose]();
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

export function makeDeadLetter(fields: Partial<DeadLetter>): DeadLetter {
  return { messageId: 'm', reason: 'invalid', detail: 'It has no user', message: '{}', ...fields };
}

/** All at once. */
export function appendAll(log: EventLog, events: readonly ReceivedEvent[]) {
  return Promise.all(events.map((event) => log.append(event)));
}

/** Appends events of the ids 1 to `count`, those that are there already included. */
export async function appendNumbered(log: EventLog, count: number): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, index) => eventId(String(index + 1)));
  await appendAll(
    log,
    ids.map((id) => makeEvent({ id })),
  );
  return ids;
}

export const wide: ConsumeLimits = { maxRecords: 1_000, maxCharacters: 1_000_000, lingerMs: 0 };

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
  handedOut: Pick<ConsumedRecords | ReplayedRecords, 'records' | 'commit'>,
  outcomes: readonly SettledOutcome[] = handedOut.records.map(() => 'delivered'),
  attempts: readonly Attempt[] = [],
): Promise<void> {
  const settlements = handedOut.records.map(({ position, id }, index): Settlement => {
    const outcome = outcomes[index];
    assert.ok(outcome);
    if (outcome !== 'dead') return { position, outcome };
    return { position, outcome, deadLetters: [makeDeadLetter({ messageId: `m-${id}` })] };
  });
  await handedOut.commit(settlements, attempts);
}

/** Consumes and commits until this many records have come. */
export async function handOutsOf(
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

export async function bodiesOf(log: EventLog, count: number): Promise<readonly string[]> {
  return (await handOutsOf(log, count)).flatMap(({ records }) => records.map(({ body }) => body));
}

export function idsIn({ records }: { readonly records: readonly LogRecord[] }): readonly string[] {
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

/** A try that sent one message of each record from the first to the last. */
export function makeAttempt(records: readonly LogRecord[], fields: Partial<Attempt> = {}): Attempt {
  const first = records[0];
  const last = records.at(-1);
  assert.ok(first && last);
  return {
    first: first.position,
    last: last.position,
    messages: records.length,
    count: 1,
    startedAt: 1_767_225_600_100,
    endedAt: 1_767_225_600_200,
    succeeded: true,
    answer: '200',
    ...fields,
  };
}

/** Appends one event for each outcome, with the ids from 1 on, and settles them; where none is named, all are delivered. */
export async function appendSettled(
  log: EventLog,
  outcomes: readonly SettledOutcome[],
  fields: (index: number) => Partial<ReceivedEvent> = () => ({}),
): Promise<void> {
  await appendAll(
    log,
    outcomes.map((_, index) => makeEvent({ id: eventId(String(index + 1)), ...fields(index) })),
  );
  await using consuming = startConsumer(log);
  for (let settled = 0; settled < outcomes.length;) {
    const handedOut = await consuming.next();
    const { length } = handedOut.records;
    await settle(handedOut, outcomes.slice(settled, settled + length));
    settled += length;
  }
}

/** The loop of a consumer's replays, taken step by step. */
export function startReplaying(log: EventLog, limits: Partial<ConsumeLimits> = {}, name = consumer) {
  const stopping = new AbortController();
  const handOuts = log.replay(name, { ...wide, ...limits }, stopping.signal)[Symbol.asyncIterator]();
  const end = async () => {
    stopping.abort();
    await handOuts.return?.();
  };
  return {
    async next(): Promise<ReplayedRecords> {
      const result: IteratorResult<ReplayedRecords, unknown> = await handOuts.next();
      assert.ok(result.done !== true, 'the replay goes on');
      return result.value;
    },
    end,
    [Symbol.asyncDispose]: end,
  };
}

/** The ids of all that a new replay hands out, in order; each is settled as delivered. */
export async function replayedIds(
  log: EventLog,
  filter: RecordFilter,
  limits: Partial<ConsumeLimits> = {},
): Promise<readonly string[]> {
  const { id } = await log.startReplay(makeReplayRequest({ filter }));
  return runReplay(log, id, limits);
}

/** Runs this replay to its end, everything delivered; the ids that it handed out. */
export async function runReplay(
  log: EventLog,
  replay: ReplayId,
  limits: Partial<ConsumeLimits> = {},
): Promise<readonly string[]> {
  const ids: string[] = [];
  await using replaying = startReplaying(log, limits);
  const running = (async () => {
    for (;;) {
      const handedOut = await replaying.next();
      ids.push(...idsIn(handedOut));
      await settle(handedOut);
    }
  })().catch(() => undefined);
  await until('the replay has ended', async () => (await replayOf(log, replay)).state !== 'running');
  await replaying.end();
  await running;
  return ids;
}

export async function replayOf(log: EventLog, id: ReplayId): Promise<Replay> {
  const found = (await log.replays()).find((replay) => replay.id === id);
  assert.ok(found);
  return found;
}

export function makeReplayRequest(fields: Partial<ReplayRequest> = {}): ReplayRequest {
  return { consumer, filter: {}, asNew: false, perSecond: 1_000, ...fields };
}

/** Of each record that this consumer knows, the newest last. */
export async function outcomesAt(log: EventLog, name = consumer): Promise<readonly (Outcome | undefined)[]> {
  return (await log.latest(1_000, [name])).map(({ outcomes }) => outcomes[name]).reverse();
}

export async function journeyAt(log: EventLog, id: string, name = consumer): Promise<ConsumerJourney> {
  const journey = (await log.journey(eventId(id), [name]))?.consumers[name];
  assert.ok(journey, `the event ${id} has a journey`);
  return journey;
}
