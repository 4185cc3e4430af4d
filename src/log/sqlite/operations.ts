// What the main thread asks of the two threads that have the log's file open. Positions are plain numbers in here.

import type {
  Attempt,
  Books,
  ConsumerJourney,
  DeadLetterCount,
  KeptDeadLetter,
  RecordFilter,
  RecordOutcomes,
  RecordSummary,
  Replay,
  ReplayRequest,
  SearchFilter,
  Settlement,
} from '../log.ts';
import type { Answer } from './worker-rpc.ts';

interface SettleCommon {
  readonly consumer: string;
  readonly settlements: readonly Settlement[];
  readonly attempts: readonly Attempt[];
  readonly settledAt: number;
}

export interface SettleOperation extends SettleCommon {
  readonly kind: 'settle';
  /** Where the consumer must stand, and where it stands afterwards. */
  readonly from: number;
  readonly to: number;
}

/** New outcomes in place of old ones, by a replay that then stands at `to`. */
export interface ResettleOperation extends SettleCommon {
  readonly kind: 'resettle';
  readonly replay: number;
  readonly to: number;
}

/** Those of these records that are dead become filtered ones. */
export interface DiscardOperation {
  readonly kind: 'discard';
  readonly consumer: string;
  readonly positions: readonly number[];
  readonly because: string;
  readonly now: number;
}

/** Removes those of these records that are dead at none of the consumers, with all that was kept of them. */
export interface PruneOperation {
  readonly kind: 'prune';
  readonly positions: readonly number[];
  readonly consumers: readonly string[];
  /** Of free space, to be given back in the same step. */
  readonly maxPages: number;
}

/** One write that is no append. */
export type Operation =
  | SettleOperation
  | ResettleOperation
  | DiscardOperation
  | PruneOperation
  /** Gives free space of the file back to the file system; comes back with the pages that are left to give back. */
  | { readonly kind: 'give-back'; readonly maxPages: number }
  | { readonly kind: 'register'; readonly consumer: string }
  | { readonly kind: 'reject'; readonly count: number }
  | { readonly kind: 'start-replay'; readonly request: ReplayRequest; readonly now: number }
  | {
      readonly kind: 'end-replay';
      readonly replay: number;
      readonly state: 'done' | 'stopped';
      readonly now: number;
    };

/** What an operation comes back with: a position, an id, a number of records or of pages. */
export type OperationResult = number | undefined;

/**
 * What the writer does in one transaction. The events stand as columns, each list with one value of each: handing over an
 * object for each costs the main thread more than all else that it does for a webhook.
 */
export interface Group {
  readonly ids: readonly string[];
  readonly types: readonly string[];
  readonly tenantIds: readonly (string | null)[];
  readonly receivedAts: readonly number[];
  readonly verifiedBys: readonly string[];
  readonly bodies: readonly string[];
  readonly operations: readonly Operation[];
}

export interface GroupResult {
  /** For each event of the group 1 where it is new, 0 where it is a duplicate. */
  readonly stored: Uint8Array;
  /** One for each operation. One that is refused for what it says takes nothing from the others of its group. */
  readonly results: readonly Answer<OperationResult>[];
}

/** A record as the reader hands it over. */
export interface RecordRow {
  readonly position: number;
  readonly event_id: string;
  readonly type: string;
  readonly tenant_id: string | null;
  readonly received_at: number;
  readonly verified_by: string;
  readonly body: string;
}

/** One read, and what it comes back with. */
export type Query =
  | {
      readonly kind: 'records';
      readonly after: number;
      readonly maxRecords: number;
      readonly maxCharacters: number;
    }
  | { readonly kind: 'books'; readonly consumers: readonly string[]; readonly now: number }
  | { readonly kind: 'latest'; readonly count: number; readonly consumers: readonly string[] }
  | { readonly kind: 'delivered-through'; readonly consumer: string }
  | {
      readonly kind: 'since';
      readonly after: number;
      readonly count: number;
      readonly consumers: readonly string[];
    }
  /** One step of a search: the newest first, before this position where there is one. */
  | {
      readonly kind: 'search';
      readonly filter: SearchFilter;
      readonly before: number | undefined;
      readonly count: number;
      readonly consumers: readonly string[];
    }
  | {
      readonly kind: 'follow';
      readonly filter: SearchFilter;
      readonly after: number;
      readonly count: number;
      readonly consumers: readonly string[];
      readonly mostBehind: number | undefined;
    }
  | {
      readonly kind: 'outcomes';
      readonly positions: readonly number[];
      readonly consumers: readonly string[];
    }
  | { readonly kind: 'journey'; readonly eventId: string; readonly consumers: readonly string[] }
  | {
      readonly kind: 'dead-letters';
      readonly consumers: readonly string[];
      readonly filter: RecordFilter;
      readonly count: number;
    }
  | {
      readonly kind: 'dead-letter-counts';
      readonly consumers: readonly string[];
      readonly filter: RecordFilter;
    }
  | { readonly kind: 'replays' }
  /** The oldest one of this consumer that runs. */
  | { readonly kind: 'next-replay'; readonly consumer: string }
  | {
      readonly kind: 'matching';
      readonly consumer: string;
      readonly filter: RecordFilter;
      readonly after: number;
      /** The last position to search; all that is settled where it is undefined. */
      readonly until: number | undefined;
      readonly maxRecords: number;
      readonly maxCharacters: number;
    }
  | {
      readonly kind: 'count-matching';
      readonly consumer: string;
      readonly filter: RecordFilter;
      readonly after: number;
      readonly until: number | undefined;
    }
  /** Records behind `after` that may be removed. */
  | {
      readonly kind: 'prunable';
      readonly before: number;
      readonly consumers: readonly string[];
      readonly after: number;
      readonly maxRecords: number;
    };

export interface StoredReplay {
  readonly replay: Replay;
  /** Up to which it has settled records again, and the last one that it may come to. */
  readonly position: number;
  readonly until: number;
}

export type QueryResult =
  | { readonly kind: 'records'; readonly rows: readonly RecordRow[]; readonly isFull: boolean }
  | { readonly kind: 'books'; readonly books: Books }
  | { readonly kind: 'latest' | 'since'; readonly records: readonly RecordSummary[] }
  | {
      readonly kind: 'search';
      readonly records: readonly RecordSummary[];
      readonly next: number | undefined;
      readonly searchedThrough: number | undefined;
    }
  | {
      readonly kind: 'follow';
      readonly records: readonly RecordSummary[];
      readonly next: number;
      readonly skipped: { readonly records: number; readonly after: number } | undefined;
    }
  | { readonly kind: 'outcomes'; readonly records: readonly RecordOutcomes[] }
  | { readonly kind: 'delivered-through'; readonly receivedAt: number | undefined }
  | {
      readonly kind: 'journey';
      readonly record: RecordRow | undefined;
      readonly consumers: Readonly<Record<string, ConsumerJourney>>;
    }
  | { readonly kind: 'dead-letters'; readonly deadLetters: readonly KeptDeadLetter[] }
  | { readonly kind: 'dead-letter-counts'; readonly counts: readonly DeadLetterCount[] }
  | { readonly kind: 'replays'; readonly replays: readonly Replay[] }
  | { readonly kind: 'next-replay'; readonly next: StoredReplay | undefined }
  /** `searchedTo`: no record up to there is left to find; `until`: there is nothing to search behind it. */
  | {
      readonly kind: 'matching';
      readonly rows: readonly RecordRow[];
      readonly searchedTo: number;
      readonly until: number;
    }
  | {
      readonly kind: 'count-matching';
      readonly count: number;
      readonly searchedTo: number;
      readonly until: number;
    }
  | {
      readonly kind: 'prunable';
      readonly positions: readonly number[];
      readonly searchedTo: number;
      /** Whether all behind it is too young, or not settled by all. */
      readonly isDone: boolean;
    };
