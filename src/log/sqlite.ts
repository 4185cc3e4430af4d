// The event log on one machine: SQLite in DATA_DIR, one thread that writes and one that reads.
//
// Holds always: one group of writes is under way at a time, and all that arrives meanwhile is the next group, so any
// number of webhooks share one fsync and a lone one waits for nobody. What has been answered is on disk. A second
// process cannot open the same folder: the lock file's lock dies with the process that holds it.

import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventId } from '../fusionauth/event.ts';
import { LogOpenError, LogUnavailableError } from './log.ts';
import type {
  Books,
  ConsumedRecords,
  ConsumeLimits,
  EventLog,
  LogRecord,
  Position,
  ReceivedEvent,
  RecordSummary,
  Settlement,
} from './log.ts';
import type {
  Group,
  GroupResult,
  Operation,
  OperationResult,
  Query,
  QueryResult,
  RecordRow,
} from './sqlite/operations.ts';
import { AppendPressure } from './sqlite/append-pressure.ts';
import { lockDirectory, releaseDirectory } from './sqlite/folder-lock.ts';
import { hintFor } from './sqlite/hints.ts';
import { WorkerClient } from './sqlite/worker-rpc.ts';

/** Bodies of webhooks that wait for the disk, in characters. Above it an append is refused, since memory is not a log. */
const maxWaitingCharacters = 128 * 1024 * 1024;
/** Consumers give way to a flood of webhooks, but for no longer than this at each hand-out, so that none starves. */
const giveWayMs = 150;
/** A log that was full is known to be writable again from here on. */
const minRoomBytes = 64 * 1024;
/** How long a count of rejected webhooks may stay in memory alone. */
const rejectedFlushMs = 1_000;

interface WaitingAppend {
  readonly event: ReceivedEvent;
  readonly resolve: (status: 'stored' | 'duplicate') => void;
  readonly reject: (error: Error) => void;
}

interface WaitingOperation {
  readonly operation: Operation;
  readonly resolve: (result: OperationResult) => void;
  readonly reject: (error: Error) => void;
}

export class SqliteLog implements EventLog {
  readonly #directory: string;
  readonly #lock: DatabaseSync;
  readonly #writer: WorkerClient<Group, GroupResult>;
  readonly #reader: WorkerClient<Query, QueryResult>;
  #waitingAppends: WaitingAppend[] = [];
  #waitingOperations: WaitingOperation[] = [];
  #waitingCharacters = 0;
  readonly #pressure = new AppendPressure();
  #writing: Promise<void> | undefined;
  #rejected = 0;
  #rejectedBeingWritten = 0;
  #rejectedTimer: NodeJS.Timeout | undefined;
  #appended = Promise.withResolvers<undefined>();
  #isWritable = true;
  #closing: Promise<void> | undefined;

  private constructor(
    directory: string,
    lock: DatabaseSync,
    writer: WorkerClient<Group, GroupResult>,
    reader: WorkerClient<Query, QueryResult>,
  ) {
    this.#directory = directory;
    this.#lock = lock;
    this.#writer = writer;
    this.#reader = reader;
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

  async append(event: ReceivedEvent): Promise<'stored' | 'duplicate'> {
    // A single one is never too large: MAX_BODY_BYTES says what is.
    if (this.#waitingCharacters > 0 && this.#waitingCharacters + event.body.length > maxWaitingCharacters) {
      throw new LogUnavailableError('More webhooks are waiting for the disk than memory should hold', {
        hint: 'The disk is slower than the webhooks come; use a faster one',
      });
    }
    this.#waitingCharacters += event.body.length;
    this.#pressure.noteAppend();
    try {
      return await new Promise<'stored' | 'duplicate'>((resolve, reject) => {
        this.#waitingAppends.push({ event, resolve, reject });
        this.#writeSoon();
      });
    } finally {
      this.#waitingCharacters -= event.body.length;
    }
  }

  countRejected(): void {
    this.#rejected++;
    this.#flushRejectedSoon();
  }

  async *consume(
    consumer: string,
    limits: ConsumeLimits,
    signal: AbortSignal,
  ): AsyncGenerator<ConsumedRecords> {
    let position = (await this.#write({ kind: 'register', consumer })) as number;
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
        commit: async (settlements: readonly Settlement[]) => {
          await this.#write({ kind: 'settle', consumer, from, to, settlements, settledAt: Date.now() });
          position = to;
        },
      };
    }
  }

  async books(consumers: readonly string[]): Promise<Books> {
    const { books } = await this.#query<'books'>({ kind: 'books', consumers, now: Date.now() });
    return { ...books, rejected: books.rejected + this.#rejected + this.#rejectedBeingWritten };
  }

  async latest(count: number, consumers: readonly string[]): Promise<readonly RecordSummary[]> {
    return (await this.#query<'latest'>({ kind: 'latest', count, consumers })).records;
  }

  isWritable(): boolean {
    return this.#isWritable;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#rejectedTimer);
    if (this.#rejected > 0) await this.#flushRejected().catch(() => undefined);
    await this.#writing;
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

  #write(operation: Operation): Promise<OperationResult> {
    return new Promise((resolve, reject) => {
      this.#waitingOperations.push({ operation, resolve, reject });
      this.#writeSoon();
    });
  }

  #writeSoon(): void {
    this.#writing ??= this.#writeGroups().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeGroups(): Promise<void> {
    // The end of this turn of the event loop: every webhook that the sockets have ready joins the first group.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waitingAppends.length + this.#waitingOperations.length > 0) {
      const appends = this.#waitingAppends;
      const operations = this.#waitingOperations;
      this.#waitingAppends = [];
      this.#waitingOperations = [];
      try {
        const { stored, results } = await this.#writer.request(groupOf(appends, operations));
        if (appends.length > 0) this.#isWritable = true;
        appends.forEach(({ resolve }, index) => resolve(stored[index] === 1 ? 'stored' : 'duplicate'));
        operations.forEach(({ resolve }, index) => resolve(results[index]));
        if (stored.includes(1)) this.#announce();
        // Only now that everybody has his answer: what fails from here on is no failed write.
        if (!this.#isWritable) this.#isWritable = await this.#hasRoom();
      } catch (cause) {
        this.#isWritable = false;
        // Nobody may post to a bridge that is not ready, so it finds out by itself when the disk takes writes again.
        this.#flushRejectedSoon();
        const error = new LogUnavailableError(`The log could not be written: ${(cause as Error).message}`, {
          hint: hintFor(cause),
          cause,
        });
        for (const { reject } of [...appends, ...operations]) reject(error);
      }
    }
  }

  /** A write that adds no page may go through where the disk is full: room is what tells then. */
  async #hasRoom(): Promise<boolean> {
    const hasRoom = await statfs(this.#directory).then(
      ({ bavail, bsize }) => bavail * bsize >= minRoomBytes,
      () => false,
    );
    if (!hasRoom) this.#flushRejectedSoon();
    return hasRoom;
  }

  /** Wakes the consumers that wait for records. */
  #announce(): void {
    this.#appended.resolve(undefined);
    this.#appended = Promise.withResolvers<undefined>();
  }

  #flushRejectedSoon(): void {
    this.#rejectedTimer ??= setTimeout(() => {
      this.#rejectedTimer = undefined;
      // A failure keeps the count and comes back here by way of #writeGroups.
      this.#flushRejected().catch(() => undefined);
    }, rejectedFlushMs).unref();
  }

  async #flushRejected(): Promise<void> {
    const count = this.#rejected;
    this.#rejected -= count;
    this.#rejectedBeingWritten += count;
    try {
      await this.#write({ kind: 'reject', count });
    } catch (error) {
      this.#rejected += count;
      throw error;
    } finally {
      this.#rejectedBeingWritten -= count;
    }
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

function groupOf(appends: readonly WaitingAppend[], operations: readonly WaitingOperation[]): Group {
  return {
    ids: appends.map(({ event }) => event.id),
    types: appends.map(({ event }) => event.type),
    tenantIds: appends.map(({ event }) => event.tenantId ?? null),
    receivedAts: appends.map(({ event }) => event.receivedAt),
    verifiedBys: appends.map(({ event }) => event.verifiedBy),
    bodies: appends.map(({ event }) => event.body),
    operations: operations.map(({ operation }) => operation),
  };
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
