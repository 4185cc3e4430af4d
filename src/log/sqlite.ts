// The event log on one machine: SQLite in DATA_DIR, one thread that writes and one that reads.
//
// Holds always: what has been answered is on disk (sqlite/group-writer.ts). Reading waits for no write, and no write for
// reading. A second process cannot open the same folder: the lock file's lock dies with the process that holds it.

import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventId } from '../fusionauth/event.ts';
import { LogOpenError, LogUnavailableError } from './log.ts';
import type {
  Attempt,
  Books,
  ConsumedRecords,
  ConsumeLimits,
  DeadLetterCount,
  EventLog,
  Journey,
  KeptDeadLetter,
  LogRecord,
  Position,
  ReceivedEvent,
  RecordFilter,
  RecordSummary,
  Replay,
  ReplayedRecords,
  ReplayId,
  ReplayRequest,
  Settlement,
} from './log.ts';
import { AppendPressure } from './sqlite/append-pressure.ts';
import { lockDirectory, releaseDirectory } from './sqlite/folder-lock.ts';
import { GroupWriter, groupOf } from './sqlite/group-writer.ts';
import { hintFor } from './sqlite/hints.ts';
import type { Group, GroupResult, Query, QueryResult, RecordRow, StoredReplay } from './sqlite/operations.ts';
import { WorkerClient } from './sqlite/worker-rpc.ts';

/** Consumers give way to a flood of webhooks, but for no longer than this at each hand-out, so that none starves. */
const giveWayMs = 150;
/** Records that one step of a discard or a removal takes: some milliseconds, for which appends wait. */
const recordsPerStep = 100;
/** Between two steps of a removal, for the appends. */
const stepPauseMs = 10;

export class SqliteLog implements EventLog {
  readonly #lock: DatabaseSync;
  readonly #writer: WorkerClient<Group, GroupResult>;
  readonly #reader: WorkerClient<Query, QueryResult>;
  readonly #groups: GroupWriter;
  readonly #pressure = new AppendPressure();
  #appended = Promise.withResolvers<undefined>();
  #replayStarted = Promise.withResolvers<undefined>();
  #closing: Promise<void> | undefined;

  private constructor(
    directory: string,
    lock: DatabaseSync,
    writer: WorkerClient<Group, GroupResult>,
    reader: WorkerClient<Query, QueryResult>,
  ) {
    this.#lock = lock;
    this.#writer = writer;
    this.#reader = reader;
    this.#groups = new GroupWriter({
      directory,
      writer,
      onStored: () => {
        this.#appended.resolve(undefined);
        this.#appended = Promise.withResolvers<undefined>();
      },
    });
  }

  /** Opens the log in this folder, which is made where it is missing. Throws LogOpenError. */
  static async open(directory: string): Promise<SqliteLog> {
    const lock = lockDirectory(directory);
    const file = join(directory, 'log.sqlite');
    const writer = new WorkerClient<Group, GroupResult>('writer', { file });
    let reader: WorkerClient<Query, QueryResult> | undefined;
    try {
      // The first, empty group is answered when the writer has opened the file and made the tables.
      await writer.request(groupOf([], []));
      reader = new WorkerClient<Query, QueryResult>('reader', { file });
      await reader.request({ kind: 'books', consumers: [], now: 0 });
      writer.demandToLive();
      reader.demandToLive();
      return new SqliteLog(directory, lock, writer, reader);
    } catch (cause) {
      await reader?.close();
      await writer.close();
      releaseDirectory(lock);
      throw new LogOpenError(`The log ${file} could not be opened: ${(cause as Error).message}`, {
        hint: hintFor(cause),
        cause,
      });
    }
  }

  append(event: ReceivedEvent): Promise<'stored' | 'duplicate'> {
    this.#pressure.noteAppend();
    return this.#groups.append(event);
  }

  countRejected(): void {
    this.#groups.countRejected();
  }

  async *consume(
    consumer: string,
    limits: ConsumeLimits,
    signal: AbortSignal,
  ): AsyncGenerator<ConsumedRecords> {
    let position = (await this.#groups.run({ kind: 'register', consumer })) as number;
    let handedOutAt = -Infinity;
    while (!signal.aborted) {
      // Taken before the read, so that what is appended after the read is not missed.
      const appended = this.#appended.promise;
      await this.#giveWay(signal);
      let found = await this.#readRecords(position, limits);
      if (found.rows.length === 0) {
        await until(appended, signal);
        continue;
      }
      const lingerMs = handedOutAt + limits.lingerMs - performance.now();
      if (!found.isFull && lingerMs > 0) {
        await sleep(lingerMs, undefined, { signal }).catch(() => undefined);
        found = await this.#readRecords(position, limits);
      }
      if (isAborted(signal)) return;

      const from = position;
      const to = found.rows.at(-1)?.position ?? from;
      handedOutAt = performance.now();
      yield {
        records: found.rows.map(toRecord),
        commit: async (settlements: readonly Settlement[], attempts: readonly Attempt[]) => {
          const settledAt = Date.now();
          await this.#groups.run({ kind: 'settle', consumer, from, to, settlements, attempts, settledAt });
          position = to;
        },
      };
    }
  }

  async books(consumers: readonly string[]): Promise<Books> {
    const { books } = await this.#query<'books'>({ kind: 'books', consumers, now: Date.now() });
    return { ...books, rejected: books.rejected + this.#groups.unwrittenRejected };
  }

  async latest(count: number, consumers: readonly string[]): Promise<readonly RecordSummary[]> {
    return (await this.#query<'latest'>({ kind: 'latest', count, consumers })).records;
  }

  async since(
    position: Position,
    count: number,
    consumers: readonly string[],
  ): Promise<readonly RecordSummary[]> {
    return (await this.#query<'since'>({ kind: 'since', after: Number(position), count, consumers })).records;
  }

  async journey(id: EventId, consumers: readonly string[]): Promise<Journey | undefined> {
    const found = await this.#query<'journey'>({ kind: 'journey', eventId: id, consumers });
    return found.record && { record: toRecord(found.record), consumers: found.consumers };
  }

  async deadLetters(
    consumers: readonly string[],
    filter: RecordFilter,
    count: number,
  ): Promise<readonly KeptDeadLetter[]> {
    return (await this.#query<'dead-letters'>({ kind: 'dead-letters', consumers, filter, count }))
      .deadLetters;
  }

  async countDeadLetters(consumers: readonly string[]): Promise<readonly DeadLetterCount[]> {
    return (await this.#query<'dead-letter-counts'>({ kind: 'dead-letter-counts', consumers })).counts;
  }

  async discard(consumer: string, filter: RecordFilter, because: string): Promise<number> {
    let discarded = 0;
    for (;;) {
      const limit = recordsPerStep;
      const step = (await this.#groups.run({ kind: 'discard', consumer, filter, because, limit })) as number;
      discarded += step;
      if (step < limit) return discarded;
    }
  }

  async countMatching(consumer: string, filter: RecordFilter): Promise<number> {
    let total = 0;
    let after = 0;
    let end: number | undefined;
    do {
      const query = { kind: 'count-matching', consumer, filter, after, until: end } as const;
      const { count, searchedTo, until } = await this.#query<'count-matching'>(query);
      total += count;
      after = searchedTo;
      end = until;
    } while (after < end);
    return total;
  }

  async startReplay(request: ReplayRequest): Promise<Replay> {
    const id = await this.#groups.run({ kind: 'start-replay', request, now: Date.now() });
    const started = (await this.replays()).find((replay) => replay.id === id) as Replay;
    this.#replayStarted.resolve(undefined);
    this.#replayStarted = Promise.withResolvers<undefined>();
    return started;
  }

  async stopReplay(id: ReplayId): Promise<boolean> {
    return (await this.#endReplay(id, 'stopped')) === 1;
  }

  async replays(): Promise<readonly Replay[]> {
    return (await this.#readReplays()).map(({ replay }) => replay);
  }

  async *replay(
    consumer: string,
    { maxRecords, maxCharacters }: ConsumeLimits,
    signal: AbortSignal,
  ): AsyncGenerator<ReplayedRecords> {
    while (!signal.aborted) {
      const started = this.#replayStarted.promise;
      const next = (await this.#readReplays()).findLast(
        ({ replay }) => replay.consumer === consumer && replay.state === 'running',
      );
      if (next === undefined) {
        await until(started, signal);
        continue;
      }
      const { replay, position: after, until: end } = next;
      const { rows, searchedTo } = await this.#search(replay, after, end, maxRecords, maxCharacters, signal);
      if (isAborted(signal)) return;
      if (rows.length === 0) {
        if (searchedTo >= end) await this.#endReplay(replay.id, 'done');
        continue;
      }
      yield {
        replay,
        records: rows.map(toRecord),
        commit: async (settlements: readonly Settlement[], attempts: readonly Attempt[]) => {
          const to = searchedTo;
          const settledAt = Date.now();
          const settled = { consumer, replay: replay.id, to, settlements, attempts, settledAt };
          await this.#groups.run({ kind: 'resettle', ...settled });
        },
      };
    }
  }

  async prune(before: number, consumers: readonly string[], signal: AbortSignal): Promise<number> {
    let pruned = 0;
    while (!signal.aborted) {
      const limit = recordsPerStep;
      const step = (await this.#groups.run({ kind: 'prune', before, consumers, limit })) as number;
      pruned += step;
      if (step < limit) break;
      await sleep(stepPauseMs, undefined, { signal }).catch(() => undefined);
      await this.#giveWay(signal);
    }
    return pruned;
  }

  isWritable(): boolean {
    return this.#groups.isWritable;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#groups.close();
    await this.#reader.close();
    await this.#writer.close();
    releaseDirectory(this.#lock);
  }

  async #giveWay(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + giveWayMs;
    while (this.#pressure.isHigh() && performance.now() < deadline && !signal.aborted) {
      await sleep(20, undefined, { signal }).catch(() => undefined);
    }
  }

  #endReplay(replay: ReplayId, state: 'done' | 'stopped') {
    return this.#groups.run({ kind: 'end-replay', replay, state, now: Date.now() });
  }

  /** The first records behind `after` that fit, piece by piece; none where nothing up to `end` does. */
  async #search(
    { consumer, filter }: Replay,
    after: number,
    end: number,
    maxRecords: number,
    maxCharacters: number,
    signal: AbortSignal,
  ): Promise<Pick<QueryResult & { kind: 'matching' }, 'rows' | 'searchedTo'>> {
    let searchedTo = after;
    while (searchedTo < end && !signal.aborted) {
      const limits = { after: searchedTo, until: end, maxRecords, maxCharacters };
      const found = await this.#query<'matching'>({ kind: 'matching', consumer, filter, ...limits });
      if (found.rows.length > 0) return found;
      searchedTo = found.searchedTo;
    }
    return { rows: [], searchedTo };
  }

  async #readReplays(): Promise<readonly StoredReplay[]> {
    return (await this.#query<'replays'>({ kind: 'replays' })).replays;
  }

  #readRecords(
    after: number,
    { maxRecords, maxCharacters }: ConsumeLimits,
  ): Promise<QueryResult & { kind: 'records' }> {
    return this.#query<'records'>({ kind: 'records', after, maxRecords, maxCharacters });
  }

  async #query<Kind extends Query['kind']>(
    query: Query & { kind: Kind },
  ): Promise<QueryResult & { kind: Kind }> {
    try {
      return (await this.#reader.request(query)) as QueryResult & { kind: Kind };
    } catch (cause) {
      throw new LogUnavailableError(`The log could not be read: ${(cause as Error).message}`, {
        hint: hintFor(cause),
        cause,
      });
    }
  }
}

function toRecord(row: RecordRow): LogRecord {
  return {
    position: String(row.position) as Position,
    id: row.event_id as EventId,
    type: row.type,
    tenantId: row.tenant_id ?? undefined,
    receivedAt: row.received_at,
    verifiedBy: row.verified_by,
    body: row.body,
  };
}

/** Waits for the promise or the signal, whichever is first, and leaves no listener behind. */
async function until(promise: Promise<undefined>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = () => resolve(undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  await Promise.race([promise, aborted]);
  signal.removeEventListener('abort', onAbort);
}

/** A function, so that the compiler does not remember an earlier answer. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
