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
   * Writes the settlements and moves the consumer past these records, in one step that a crash cannot split. Called
   * once, with one settlement for each record. Throws LogUnavailableError: nothing was written, and the records will
   * be handed out again.
   */
  commit(settlements: readonly Settlement[]): Promise<void>;
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

  /** Whether an append would be taken at this moment, as far as is known. */
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
