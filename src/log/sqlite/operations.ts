// What the main thread asks of the two threads that have the log's file open. Positions are plain numbers in here.

import type { Books, ReceivedEvent, RecordSummary, Settlement } from '../log.ts';

export interface AppendOperation {
  readonly kind: 'append';
  readonly event: ReceivedEvent;
}

export interface SettleOperation {
  readonly kind: 'settle';
  readonly consumer: string;
  /** Where the consumer must stand, and where it stands afterwards. */
  readonly from: number;
  readonly to: number;
  readonly settlements: readonly Settlement[];
  readonly settledAt: number;
}

/** One write. The writer runs a group of them in one transaction. */
export type Operation =
  | AppendOperation
  | SettleOperation
  | { readonly kind: 'register'; readonly consumer: string }
  | { readonly kind: 'reject'; readonly count: number };

/** `stored` or `duplicate` for an append, the position for a registration. */
export type OperationResult = 'stored' | 'duplicate' | 'done' | number;

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
