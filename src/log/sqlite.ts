// The event log on one machine: SQLite in DATA_DIR, one thread that writes and one that reads.
//
// Holds always: what has been answered is on disk (sqlite/group-writer.ts). Reading waits for no write, and no write for
// reading. A second process cannot open the same folder: the lock file's lock dies with the process that holds it.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
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
  FollowedRecords,
  FollowOptions,
  Journey,
  KeptDeadLetter,
  LogRecord,
  LogStorage,
  Position,
  ReceivedEvent,
  RecordFilter,
  RecordOutcomes,
  RecordSummary,
  Replay,
  ReplayedRecords,
  ReplayId,
  ReplayRequest,
  SearchFilter,
  SearchOptions,
  SearchPage,
  Settlement,
  WrittenGroup,
} from './log.ts';
import { AppendPressure } from './sqlite/append-pressure.ts';
import { DiskFloor, volumeOf } from './sqlite/disk-floor.ts';
import type { MeasureVolume } from './sqlite/disk-floor.ts';
import { lockDirectory, releaseDirectory } from './sqlite/folder-lock.ts';
import type { FolderLock } from './sqlite/folder-lock.ts';
import { GroupWriter, groupOf } from './sqlite/group-writer.ts';
import { hintFor } from './sqlite/hints.ts';
import type { Group, GroupResult, Query, QueryResult, RecordRow } from './sqlite/operations.ts';
import { isDamage, noteDamage, repairIfDamaged } from './sqlite/repair.ts';
import type { Damage } from './sqlite/repair.ts';
import { WorkerClient } from './sqlite/worker-rpc.ts';

/** Consumers give way to a flood of webhooks, but for no longer than this at each hand-out, so that none starves. */
const giveWayMs = 150;
/** What they are handed out then: some ten milliseconds' work. */
const floodRecords = 100;
/** Records that one step of a discard or a removal takes: some milliseconds, for which appends wait. */
const recordsPerStep = 50;
/** Of free space that one step gives back. */
const pagesPerStep = 100;
/** Between two steps of a removal, for the appends. */
const stepPauseMs = 10;
/** So long a search looks before it tells what it has. */
const searchMs = 1_000;
/** Of the bodies that a search for dead records hands over at a time; it needs none of them. */
const searchCharacters = 4_000_000;

const neverAborted = new AbortController().signal;

interface Threads {
  readonly writer: WorkerClient<Group, GroupResult>;
  readonly reader: WorkerClient<Query, QueryResult>;
}

interface OpenedParts extends Threads {
  readonly floor: DiskFloor;
  readonly measureVolume: MeasureVolume;
  readonly onGroup: ((group: WrittenGroup) => void) | undefined;
  readonly lock: FolderLock;
  readonly file: string;
  readonly damage: Damage | undefined;
}

export class SqliteLog implements EventLog {
  /** What was wrong with the log when it was opened, and has been repaired. */
  readonly damage: Damage | undefined;
  readonly #file: string;
  readonly #lock: FolderLock;
  readonly #writer: WorkerClient<Group, GroupResult>;
  readonly #reader: WorkerClient<Query, QueryResult>;
  readonly #groups: GroupWriter;
  readonly #floor: DiskFloor;
  readonly #measureVolume: MeasureVolume;
  readonly #pressure = new AppendPressure();
  readonly #outcomeListeners = new Set<(positions: readonly Position[]) => void>();
  /** The last step of a search that was asked for: they take turns, so that many hold up the others no longer than one. */
  #searchTurn: Promise<unknown> = Promise.resolve();
  #appended = Promise.withResolvers<undefined>();
  #replayStarted = Promise.withResolvers<undefined>();
  #closing: Promise<void> | undefined;

  private constructor({ lock, file, damage, writer, reader, floor, measureVolume, onGroup }: OpenedParts) {
    this.damage = damage;
    this.#file = file;
    this.#lock = lock;
    this.#writer = writer;
    this.#reader = reader;
    this.#floor = floor;
    this.#measureVolume = measureVolume;
    this.#groups = new GroupWriter({
      floor,
      measureVolume,
      writer,
      onStored: () => {
        this.#appended.resolve(undefined);
        this.#appended = Promise.withResolvers<undefined>();
      },
      onFault: (cause) => noteDamage(file, cause),
      onGroup,
    });
  }

  /**
   * Opens the log in this folder, which is made where it is missing. A damaged one is repaired, which can take minutes for
   * millions of records; `damage` tells of it. `onGroup` is told of each group that was written, or was not. Throws
   * LogOpenError.
   */
  static async open(
    directory: string,
    {
      measureVolume = volumeOf(directory),
      onGroup,
    }: { measureVolume?: MeasureVolume; onGroup?: (group: WrittenGroup) => void } = {},
  ): Promise<SqliteLog> {
    const lock = lockDirectory(directory);
    const file = join(directory, 'log.sqlite');
    try {
      let damage = repairIfDamaged(file, lock);
      const threads = await startThreads(file).catch(async (cause: unknown) => {
        if (!isDamage(cause)) throw cause;
        noteDamage(file, cause);
        damage = repairIfDamaged(file, lock);
        return startThreads(file);
      });
      const floor = await DiskFloor.watch(measureVolume);
      return new SqliteLog({ lock, file, damage, floor, measureVolume, onGroup, ...threads });
    } catch (cause) {
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
      const isFlooded = this.#pressure.isHigh();
      let found = await this.#readRecords(
        position,
        isFlooded ? { ...limits, maxRecords: floodRecords } : limits,
      );
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
          this.#tellOutcomes(settlements.map((settlement) => settlement.position));
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

  parsePosition(text: string): Position | undefined {
    return /^\d{1,15}$/.test(text) ? toPosition(Number(text)) : undefined;
  }

  async search(
    filter: SearchFilter,
    { before, count, consumers, signal = neverAborted }: SearchOptions,
  ): Promise<SearchPage> {
    const deadline = performance.now() + searchMs;
    const records: RecordSummary[] = [];
    let next = before === undefined ? undefined : Number(before);
    let searchedThrough: number | undefined;
    do {
      const query = { filter, before: next, count: count - records.length, consumers } as const;
      const step = await this.#inSearchTurn(signal, () =>
        this.#query<'search'>({ kind: 'search', ...query }),
      );
      records.push(...step.records);
      next = step.next;
      searchedThrough = step.searchedThrough ?? searchedThrough;
    } while (
      next !== undefined &&
      records.length < count &&
      performance.now() < deadline &&
      !isAborted(signal)
    );
    return { records, next: next === undefined ? undefined : toPosition(next), searchedThrough };
  }

  async follow(
    filter: SearchFilter,
    { after, count, consumers, mostBehind }: FollowOptions,
  ): Promise<FollowedRecords> {
    const query = { filter, after: Number(after), count, consumers, mostBehind } as const;
    const { records, next, skipped } = await this.#query<'follow'>({ kind: 'follow', ...query });
    return {
      records,
      next: toPosition(next),
      skipped: skipped && { ...skipped, after: toPosition(skipped.after) },
    };
  }

  async outcomesOf(
    positions: readonly Position[],
    consumers: readonly string[],
  ): Promise<readonly RecordOutcomes[]> {
    const query = { kind: 'outcomes', positions: positions.map(Number), consumers } as const;
    return (await this.#query<'outcomes'>(query)).records;
  }

  watchOutcomes(listener: (positions: readonly Position[]) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#outcomeListeners.add(listener);
    signal.addEventListener('abort', () => this.#outcomeListeners.delete(listener), { once: true });
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

  async countDeadLetters(
    consumers: readonly string[],
    filter: RecordFilter,
  ): Promise<readonly DeadLetterCount[]> {
    return (await this.#query<'dead-letter-counts'>({ kind: 'dead-letter-counts', consumers, filter }))
      .counts;
  }

  async discard(consumer: string, filter: RecordFilter, because: string): Promise<number> {
    const limits = { maxRecords: recordsPerStep, maxCharacters: searchCharacters };
    let discarded = 0;
    let after = 0;
    let end: number | undefined;
    do {
      const search = {
        kind: 'matching',
        consumer,
        filter: { ...filter, outcome: 'dead' },
        ...limits,
      } as const;
      const { rows, searchedTo, until } = await this.#query<'matching'>({ ...search, after, until: end });
      const positions = rows.map(({ position }) => position);
      if (positions.length > 0) {
        const step = { kind: 'discard', consumer, positions, because, now: Date.now() } as const;
        discarded += (await this.#groups.run(step)) as number;
        this.#tellOutcomes(positions.map(toPosition));
      }
      after = searchedTo;
      end = until;
    } while (after < end);
    return discarded;
  }

  async deliveredThrough(consumer: string): Promise<number | undefined> {
    return (await this.#query<'delivered-through'>({ kind: 'delivered-through', consumer })).receivedAt;
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
    return (await this.#query<'replays'>({ kind: 'replays' })).replays;
  }

  async *replay(
    consumer: string,
    { maxRecords, maxCharacters }: ConsumeLimits,
    signal: AbortSignal,
  ): AsyncGenerator<ReplayedRecords> {
    // How far the search for the next records of a replay has come, which may be further than what it has settled.
    let searched: { id: ReplayId | undefined; to: number } = { id: undefined, to: 0 };
    while (!isAborted(signal)) {
      const started = this.#replayStarted.promise;
      const { next } = await this.#query<'next-replay'>({ kind: 'next-replay', consumer });
      if (next === undefined) {
        await until(started, signal);
        continue;
      }
      const { replay, position, until: end } = next;
      const after = searched.id === replay.id ? Math.max(searched.to, position) : position;
      if (after >= end) {
        await this.#endReplay(replay.id, 'done');
        continue;
      }
      const secondsWorth = Math.max(Math.floor(replay.perSecond), 1);
      const limits = { maxRecords: Math.min(maxRecords, secondsWorth), maxCharacters };
      const { filter } = replay;
      const search = { kind: 'matching', consumer, filter, after, until: end, ...limits } as const;
      const { rows, searchedTo } = await this.#query<'matching'>(search);
      if (isAborted(signal)) return;
      if (rows.length === 0) {
        searched = { id: replay.id, to: searchedTo };
        continue;
      }
      yield {
        replay,
        records: rows.map(toRecord),
        commit: async (settlements: readonly Settlement[], attempts: readonly Attempt[]) => {
          const settled = { consumer, replay: replay.id, to: searchedTo, settlements, attempts };
          const operation = { kind: 'resettle', ...settled, settledAt: Date.now() } as const;
          const isWritten = (await this.#groups.run(operation)) === 1;
          if (isWritten) this.#tellOutcomes(settlements.map((settlement) => settlement.position));
          return isWritten;
        },
      };
    }
  }

  async prune(before: number, consumers: readonly string[], signal: AbortSignal): Promise<number> {
    let pruned = 0;
    for (let after = 0; !isAborted(signal);) {
      const search = { kind: 'prunable', before, consumers, after, maxRecords: recordsPerStep } as const;
      const { positions, searchedTo, isDone } = await this.#query<'prunable'>(search);
      if (isDone) break;
      after = searchedTo;
      if (positions.length === 0) continue;
      const step = { kind: 'prune', positions, consumers, maxPages: pagesPerStep } as const;
      pruned += (await this.#groups.run(step)) as number;
      await this.#pauseStep(signal);
    }
    await this.#giveBack(signal);
    return pruned;
  }

  /** For metrics. */
  async storage(): Promise<LogStorage> {
    const sizeOf = (file: string) =>
      stat(file).then(
        ({ size }) => size,
        () => 0,
      );
    const [log, wal, { freeBytes, totalBytes }] = await Promise.all([
      sizeOf(this.#file),
      sizeOf(`${this.#file}-wal`),
      this.#measureVolume(),
    ]);
    return { fileBytes: { log, wal }, freeBytes, totalBytes };
  }

  isWritable(): boolean {
    return this.#groups.isWritable;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#floor.stop();
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

  #tellOutcomes(positions: readonly Position[]): void {
    for (const listener of this.#outcomeListeners) listener(positions);
  }

  /** Runs one step of a search when those that were asked for before are done, and the flood of webhooks lets it. */
  async #inSearchTurn<Result>(signal: AbortSignal, step: () => Promise<Result>): Promise<Result> {
    const turn = this.#searchTurn.then(async () => {
      await this.#giveWay(signal);
      return step();
    });
    this.#searchTurn = turn.catch(() => undefined);
    return turn;
  }

  #endReplay(replay: ReplayId, state: 'done' | 'stopped') {
    return this.#groups.run({ kind: 'end-replay', replay, state, now: Date.now() });
  }

  /** What the steps of a removal have freed and not given back yet. */
  async #giveBack(signal: AbortSignal): Promise<void> {
    while (!isAborted(signal)) {
      const left = (await this.#groups.run({ kind: 'give-back', maxPages: pagesPerStep })) as number;
      if (left === 0) return;
      await this.#pauseStep(signal);
    }
  }

  async #pauseStep(signal: AbortSignal): Promise<void> {
    await sleep(stepPauseMs, undefined, { signal }).catch(() => undefined);
    await this.#giveWay(signal);
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
      noteDamage(this.#file, cause);
      throw new LogUnavailableError(`The log could not be read: ${(cause as Error).message}`, {
        hint: hintFor(cause),
        cause,
      });
    }
  }
}

/** Resolves when both have opened the file; where one cannot, none is left. */
async function startThreads(file: string): Promise<Threads> {
  const writer = new WorkerClient<Group, GroupResult>('writer', { file });
  let reader: WorkerClient<Query, QueryResult> | undefined;
  try {
    // The first, empty group is answered when the writer has opened the file and made the tables.
    await writer.request(groupOf([], []));
    reader = new WorkerClient<Query, QueryResult>('reader', { file });
    await reader.request({ kind: 'books', consumers: [], now: 0 });
    writer.demandToLive();
    reader.demandToLive();
    return { writer, reader };
  } catch (cause) {
    await reader?.close();
    await writer.close();
    throw cause;
  }
}

function toPosition(position: number): Position {
  return String(position) as Position;
}

function toRecord(row: RecordRow): LogRecord {
  return {
    position: toPosition(row.position),
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
