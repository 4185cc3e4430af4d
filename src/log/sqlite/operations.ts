// What the main thread asks of the two threads that have the log's file open. Positions are plain numbers in here.

import type { Books, RecordSummary, Settlement } from '../log.ts';

export interface SettleOperation {
  readonly kind: 'settle';
  readonly consumer: string;
  /** Where the consumer must stand, and where it stands afterwards. */
  readonly from: number;
  readonly to: number;
  readonly settlements: readonly Settlement[];
  readonly settledAt: number;
}

/** One write that is no append. */
export type Operation =
  | SettleOperation
  | { readonly kind: 'register'; readonly consumer: string }
  | { readonly kind: 'reject'; readonly count: number };

/** The position, for a registration. */
export type OperationResult = number | undefined;

/**
 * What the writer does in one transaction. The events stand as columns, each list with one value of each: handing over an object for each costs the main
 * thread more than all else that it does for a webhook.
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
  /** One for each operation. */
  readonly results: readonly OperationResult[];
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
  | { readonly kind: 'latest'; readonly count: number; readonly consumers: readonly string[] };

export type QueryResult =
  | { readonly kind: 'records'; readonly rows: readonly RecordRow[]; readonly isFull: boolean }
  | { readonly kind: 'books'; readonly books: Books }
  | { readonly kind: 'latest'; readonly records: readonly RecordSummary[] };
