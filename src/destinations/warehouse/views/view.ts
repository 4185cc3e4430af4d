// What a view is: a question, its answer's columns, and the SQL that reads the answer from the tables.

import type { Reader } from './reader.ts';

/** A view's columns keep these types, whatever the tables' columns have. */
export type ViewColumnType = 'text' | 'timestamptz' | 'date' | 'bigint' | 'numeric' | 'boolean';

export interface ViewColumn {
  readonly type: ViewColumnType;
  /** For people: docs/warehouse.md has it, and DBeaver shows it. */
  readonly comment: string;
}

export interface View {
  readonly name: string;
  /** The question that it answers, and what to know of the answer. */
  readonly comment: string;
  /** In order. The query has one column of each name. A released view's columns stay; a new one goes to the end. */
  readonly columns: Readonly<Record<string, ViewColumn>>;
  /** The query; what it reads, it asks of the reader, so that it holds where a table or a column is missing. */
  readonly query: (read: Reader) => string;
}

/** Days, weeks (from Monday) and months are UTC's, whatever the session's time zone. */
export function startOf(unit: 'day' | 'week' | 'month', timestamp: string): string {
  return `date_trunc('${unit}', ${timestamp} at time zone 'UTC')::date`;
}
