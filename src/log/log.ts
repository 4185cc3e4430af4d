// The event log's contract. It names no implementation: SQLite keeps it on one machine (sqlite.ts).

import type { EventId } from '../fusionauth/event.ts';

/** Where a record stands. Opaque: only the log that made it knows what it means, or which of two is earlier. */
export type Position = string & { readonly __id: 'position' };

/** An event on its way into the log, its secrets stripped. */
export interface ReceivedEvent {
  readonly id: EventId;
  readonly type: string;
  readonly tenantId: string | undefined;
  /** When the bridge took it: milliseconds since 1970. */
  readonly receivedAt: number;
  /** The key that verified it (`hmac:1`, `kid:…`), or `unsigned`. */
  readonly verifiedBy: string;
  /** The event as JSON text. */
  readonly body: string;
}

/** An event as it stands in the log. */
export interface LogRecord extends ReceivedEvent {
  readonly position: Position;
}

/** What became of a record at a destination. `pending` is what has no settlement yet. */
export type SettledOutcome = 'delivered' | 'filtered' | 'dead';
export type Outcome = SettledOutcome | 'pending';

/** A message that can never be delivered as it is, kept with its reason. */
export interface DeadLetter {
  readonly messageId: string;
  readonly reason: string;
  readonly detail: string;
  /** The message as JSON text; empty where the record could not be mapped at all. */
  readonly message: string;
}

/** One try to send messages; several in a row that ended in the same way stand as one. */
export interface Attempt {
  /**
   * The stretch of records whose messages were in it. Of those between, the filtered ones had none, nor had those that a
   * replay left out; in a journey it may be a part of a very long stretch.
   */
  readonly first: Position;
  readonly last: Position;
  readonly messages: number;
  /** How many tries this stands for. */
  readonly count: number;
  /** When the first began and the last ended, milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly succeeded: boolean;
  /** What the other side said, in words: `503`, `ECONNREFUSED` … Never what was sent. */
  readonly answer: string;
}

/** The one outcome of one record at one destination. */
export type Settlement =
  | { readonly position: Position; readonly outcome: 'delivered' | 'filtered' }
  | { readonly position: Position; readonly outcome: 'dead'; readonly deadLetters: readonly DeadLetter[] };

export interface ConsumeLimits {
  readonly maxRecords: number;
  /** Of the records' bodies together, in characters; a single larger record comes alone. */
  readonly maxCharacters: number;
  /**
   * The first record after a pause is handed out at once. While records keep coming, each hand-out waits until this
   * long after the last one, so that it carries more of them.
   */
  readonly lingerMs: number;
}

/** Some records, in order, with the way to say what became of them. */
export interface ConsumedRecords {
  readonly records: readonly LogRecord[];
  /**
   * Writes the settlements, and the attempts that led to them, and moves the consumer past these records, in one step
   * that a crash cannot split. Called once, with one settlement for each record. Throws LogUnavailableError: nothing was
   * written, and the records will be handed out again.
   */
  commit(settlements: readonly Settlement[], attempts: readonly Attempt[]): Promise<void>;
}

/** Which settled records of one consumer are meant. A record must fit all that is set. */
export interface RecordFilter {
  readonly eventId?: EventId | undefined;
  /** A user's id, wherever in the event it stands. */
  readonly userId?: string | undefined;
  /** Types, or patterns in which `*` stands for anything. */
  readonly types?: readonly string[] | undefined;
  /** Received at this time or later, and before that one; milliseconds since 1970. */
  readonly from?: number | undefined;
  readonly until?: number | undefined;
  readonly outcome?: SettledOutcome | undefined;
  /** Of a dead letter of the record. */
  readonly reason?: string | undefined;
}

export type ReplayId = number & { readonly __id: 'replay' };

/** Records that are sent to a consumer again. */
export interface ReplayRequest {
  readonly consumer: string;
  readonly filter: RecordFilter;
  /** Whether messages get ids of their own, so that nobody takes them for those that were sent before. */
  readonly asNew: boolean;
  /** Records a second at most. */
  readonly perSecond: number;
}

export interface Replay extends ReplayRequest {
  readonly id: ReplayId;
  readonly state: 'running' | 'done' | 'stopped';
  /** Added to the messages' ids; '' where they keep theirs. */
  readonly idSuffix: string;
  /** Records that were settled again, by their new outcome. */
  readonly delivered: number;
  readonly filtered: number;
  readonly dead: number;
  readonly createdAt: number;
  readonly endedAt: number | undefined;
}

/** Some records of a replay, in order. */
export interface ReplayedRecords {
  readonly replay: Replay;
  readonly records: readonly LogRecord[];
  /**
   * As of ConsumedRecords; the new outcomes take the place of the old ones. False where the replay was stopped meanwhile:
   * nothing was written.
   */
  commit(settlements: readonly Settlement[], attempts: readonly Attempt[]): Promise<boolean>;
}

/** A dead letter as it stands in the log. */
export interface KeptDeadLetter extends DeadLetter {
  readonly consumer: string;
  readonly position: Position;
  readonly eventId: EventId;
  readonly type: string;
  readonly receivedAt: number;
  readonly settledAt: number;
}

export interface DeadLetterCount {
  readonly consumer: string;
  readonly reason: string;
  /** Of dead letters; a record may have several. */
  readonly deadLetters: number;
  readonly records: number;
  readonly oldestAt: number;
  readonly newestAt: number;
}

/** All that is known of one record. */
export interface Journey {
  readonly record: LogRecord;
  readonly consumers: Readonly<Record<string, ConsumerJourney>>;
}
export interface ConsumerJourney {
  readonly outcome: Outcome;
  readonly settledAt: number | undefined;
  /** Why it was discarded, where a person did so. */
  readonly discardedBecause: string | undefined;
  readonly deadLetters: readonly DeadLetter[];
  /** In order. Those under way, of a pending record, are not among them yet. */
  readonly attempts: readonly Attempt[];
}

/** What was written in one step, with one fsync: all that was waiting at one moment. For metrics and traces. */
export interface WrittenGroup {
  readonly eventIds: readonly string[];
  /** Writes that are no events: settlements, replays, counts. */
  readonly operations: number;
  readonly seconds: number;
  readonly succeeded: boolean;
}

/** What the log takes on its volume, in bytes, and what the volume has. */
export interface LogStorage {
  readonly fileBytes: Readonly<Record<'log' | 'wal', number>>;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Whole numbers of records since the log began. received = duplicates + stored. */
export interface Books {
  readonly received: number;
  readonly duplicates: number;
  readonly stored: number;
  /** Webhooks that were turned away; not among `received`. */
  readonly rejected: number;
  readonly consumers: Readonly<Record<string, ConsumerBooks>>;
}

/** stored = pending + delivered + filtered + dead. */
export interface ConsumerBooks {
  readonly pending: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly dead: number;
  /** Age of the oldest pending record; 0 where none is pending. */
  readonly oldestPendingSeconds: number;
}

/** One line of the list of the last events. */
export interface RecordSummary {
  readonly position: Position;
  readonly id: EventId;
  readonly type: string;
  readonly tenantId: string | null;
  readonly receivedAt: number;
  readonly verifiedBy: string;
  readonly outcomes: Readonly<Record<string, Outcome>>;
}

/** Which records a search is after, settled or not. A record must fit all that is set. */
export interface SearchFilter {
  readonly eventId?: EventId | undefined;
  /** Each of these three is a text that the event holds, wherever it stands. */
  readonly userId?: string | undefined;
  readonly email?: string | undefined;
  readonly applicationId?: string | undefined;
  readonly tenantId?: string | undefined;
  /** Types, or patterns in which `*` stands for anything. */
  readonly types?: readonly string[] | undefined;
  readonly verifiedBy?: string | undefined;
  /** Received at this time or later, and before that one; milliseconds since 1970. */
  readonly from?: number | undefined;
  readonly until?: number | undefined;
  /** At this consumer, or at any of those that are asked for. */
  readonly outcome?: { readonly is: Outcome; readonly consumer?: string | undefined } | undefined;
}

export interface SearchOptions {
  /** Only records that stand before this one. */
  readonly before?: Position | undefined;
  readonly count: number;
  /** Whose outcomes are told, and searched. */
  readonly consumers: readonly string[];
  /** Ends the search with what it has found by then. */
  readonly signal?: AbortSignal | undefined;
}

export interface SearchPage {
  /** The newest first. */
  readonly records: readonly RecordSummary[];
  /** What to give as `before` to go on; undefined where there is nothing left to look at. */
  readonly next: Position | undefined;
  /** When the last record that it looked at was received; undefined where it looked at none. */
  readonly searchedThrough: number | undefined;
}

export interface FollowOptions {
  /** Only records behind this one. */
  readonly after: Position;
  readonly count: number;
  readonly consumers: readonly string[];
  /** Where more records than this are left to look at, all but the newest `count` of them are skipped. */
  readonly mostBehind?: number | undefined;
}

export interface FollowedRecords {
  /** In order. */
  readonly records: readonly RecordSummary[];
  /** What to give as `after` to go on. */
  readonly next: Position;
  /** What was passed over unread, fitting or not: so many records, behind `after`, the last one at `next`. */
  readonly skipped: { readonly records: number; readonly after: Position } | undefined;
}

/** Of one record, at all consumers that were asked for. */
export interface RecordOutcomes {
  readonly position: Position;
  readonly id: EventId;
  readonly outcomes: Readonly<Record<string, Outcome>>;
}

export interface EventLog {
  /**
   * Resolves when the event is on disk or replicated. An id that is there already comes back as `duplicate`, after
   * its original is on disk. Safe to call concurrently: callers share one fsync, in order. Throws
   * LogUnavailableError: nothing is acknowledged, answer 503.
   */
  append(event: ReceivedEvent): Promise<'stored' | 'duplicate'>;

  /** Counts a webhook that was turned away. Cheap: the count reaches the disk with the next append or at close. */
  countRejected(): void;

  /**
   * Hands out the records that this consumer has not settled, in order, from the first one at its first call ever;
   * waits for more when there are none, and ends when the signal aborts. What was handed out and not committed comes
   * again. One loop a consumer at a time. Throws LogUnavailableError.
   */
  consume(consumer: string, limits: ConsumeLimits, signal: AbortSignal): AsyncIterable<ConsumedRecords>;

  /** The books for these consumers. Reads; never waits for an append. */
  books(consumers: readonly string[]): Promise<Books>;

  /** The newest records first. */
  latest(count: number, consumers: readonly string[]): Promise<readonly RecordSummary[]>;

  /** Records behind this position, in order: what is new since a look before. */
  since(position: Position, count: number, consumers: readonly string[]): Promise<readonly RecordSummary[]>;

  /** A position as somebody gives it back; undefined where the text is none of this log's. */
  parsePosition(text: string): Position | undefined;

  /**
   * The newest records that fit, from `before` on through the whole log, which may hold millions of others: it looks for
   * about a second, in steps that hold up nobody, and comes back with what it has found, which may be nothing, and where to
   * go on. Records of a time are looked for where the log stands at that time: one that was received while the clock was off
   * by more than an hour may be missed by `from` and `until`.
   */
  search(filter: SearchFilter, options: SearchOptions): Promise<SearchPage>;

  /**
   * The next records that fit, as they come: one short look, which may find nothing and yet go on. Where an outcome other
   * than `pending` is asked for, it stops before the first record that is pending there, so that each is judged when it is
   * settled. An `after` behind the newest record counts as the newest.
   */
  follow(filter: SearchFilter, options: FollowOptions): Promise<FollowedRecords>;

  /** What is known of these records now; those that are gone are left out. */
  outcomesOf(
    positions: readonly Position[],
    consumers: readonly string[],
  ): Promise<readonly RecordOutcomes[]>;

  /**
   * Tells the listener, until the signal aborts, of records whose outcomes have been written, whoever wrote them: a
   * consumer, a replay or a discard. A read that begins then finds the new ones.
   */
  watchOutcomes(listener: (positions: readonly Position[]) => void, signal: AbortSignal): void;

  /** One event's way; undefined where the log does not have it (any more). */
  journey(id: EventId, consumers: readonly string[]): Promise<Journey | undefined>;

  /** Dead letters that nobody has discarded, the newest first. */
  deadLetters(
    consumers: readonly string[],
    filter: RecordFilter,
    count: number,
  ): Promise<readonly KeptDeadLetter[]>;

  /** The same, counted by consumer and reason. */
  countDeadLetters(consumers: readonly string[], filter: RecordFilter): Promise<readonly DeadLetterCount[]>;

  /**
   * Makes dead records that fit filtered ones, deliberately: their dead letters are kept with the reason, and need nobody
   * any more. Resolves to how many.
   */
  discard(consumer: string, filter: RecordFilter, because: string): Promise<number>;

  /** When the newest record that was delivered to this consumer was received; undefined where none was, or none is left. */
  deliveredThrough(consumer: string): Promise<number | undefined>;

  /** How many settled records a replay of this filter would send. */
  countMatching(consumer: string, filter: RecordFilter): Promise<number>;

  /** Resolves when the replay is on disk: it goes on through restarts, in `replay`. */
  startReplay(request: ReplayRequest): Promise<Replay>;

  /** A replay that runs is stopped where it is; false where there is none of this id that runs. */
  stopReplay(id: ReplayId): Promise<boolean>;

  /** The newest first. */
  replays(): Promise<readonly Replay[]>;

  /**
   * Hands out the records of this consumer's replays, one replay after the other and at once no more than it may send in
   * a second, waits for new ones, and ends when the signal aborts. What was handed out and not committed comes again. One
   * loop a consumer. Throws LogUnavailableError.
   */
  replay(consumer: string, limits: ConsumeLimits, signal: AbortSignal): AsyncIterable<ReplayedRecords>;

  /**
   * Removes records that were received before this time and that all these consumers have settled, none of them dead, with
   * all that was kept of them, and gives their space back. In steps that hold up no append. Resolves to how many. A consumer
   * that has never begun has settled nothing; for one that is not among them the removed records count as filtered, since
   * it will not get them any more.
   */
  prune(before: number, consumers: readonly string[], signal: AbortSignal): Promise<number>;

  /** Whether an append would be taken at this moment, as far as is known; not where the disk has too little room. */
  isWritable(): boolean;

  /** Resolves when all that was appended or committed is on disk and the files are closed. */
  close(): Promise<void>;
}

/** The log could not write or read. `hint` says what the operator can do; `code` is stable. */
export class LogUnavailableError extends Error {
  readonly code = 'LOG_UNAVAILABLE';
  readonly hint: string;

  constructor(message: string, { hint, cause }: { hint: string; cause?: unknown }) {
    super(message, { cause });
    this.name = 'LogUnavailableError';
    this.hint = hint;
  }
}

/** The log cannot be opened at all: ends the start. */
export class LogOpenError extends Error {
  readonly code = 'LOG_OPEN';
  readonly hint: string;

  constructor(message: string, { hint, cause }: { hint: string; cause?: unknown }) {
    super(message, { cause });
    this.name = 'LogOpenError';
    this.hint = hint;
  }
}
