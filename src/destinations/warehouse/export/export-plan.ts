// From a table or view and what is asked of it to the statements that read it. Pure.

import pg from 'pg';
import { ExportError } from './export-error.ts';
import type { Relation, RelationColumn } from './relations.ts';

export interface ExportOptions {
  /** All of them where it is undefined. */
  readonly columns?: readonly string[] | undefined;
  /** So many rows at most: of a table the newest, of a view the first. */
  readonly limit?: number | undefined;
  /** Milliseconds since 1970; rows of this time or later … */
  readonly since?: number | undefined;
  /** … and before this one. By `received_at`, or `timestamp` where there is no such column. */
  readonly until?: number | undefined;
}

export interface ExportPlan {
  readonly columns: readonly RelationColumn[];
  readonly reading: Reading;
}

/** A statement and its values. Each row comes as text, a value a column. */
export interface Query {
  readonly text: string;
  readonly values: readonly string[];
}

export type Reading =
  /** The whole, from one query. */
  | { readonly kind: 'at once'; readonly query: Query }
  /** Page by page, in the order of the primary key. */
  | {
      readonly kind: 'by key';
      /** The key of the last row of a page: no row where fewer are left. */
      readonly endOfPage: (after: readonly string[] | undefined, rows: number) => Query;
      /** The rows behind one key, up to and with the other; undefined: from the first, to the last. */
      readonly page: (after: readonly string[] | undefined, upTo: readonly string[] | undefined) => Query;
    };

/** Throws ExportError for a column that there is not. */
export function planExport(relation: Relation, options: ExportOptions): ExportPlan {
  const columns = chosenColumns(relation, options.columns);
  const filter = timeFilter(relation, options);
  const source = `from ${quoted(relation.schema)}.${quoted(relation.name)} as r`;
  const select = `select ${columns.map(asText).join(', ')} ${source}`;
  const { key } = relation;
  if (key.length === 0 || options.limit !== undefined) {
    const order = orderFor(relation);
    const limit = options.limit === undefined ? '' : `limit ${options.limit}`;
    return {
      columns,
      reading: {
        kind: 'at once',
        query: new Conditions(filter).query(select, `${order} ${limit}`),
      },
    };
  }

  const keyColumns = key.map(column).join(', ');
  const order = `order by ${keyColumns}`;
  return {
    columns,
    reading: {
      kind: 'by key',
      endOfPage: (after, rows) =>
        new Conditions()
          .compareKey(keyColumns, '>', after)
          .query(
            `select ${key.map((name) => `${column(name)}::text`).join(', ')} ${source}`,
            `${order} offset ${rows - 1} limit 1`,
          ),
      page: (after, upTo) =>
        new Conditions(filter)
          .compareKey(keyColumns, '>', after)
          .compareKey(keyColumns, '<=', upTo)
          .query(select, order),
    },
  };
}

function chosenColumns(
  { name, columns }: Relation,
  chosen: readonly string[] | undefined,
): readonly RelationColumn[] {
  if (chosen === undefined) return columns;
  return chosen.map((wanted) => {
    const found = columns.find((known) => known.name === wanted);
    if (found) return found;
    throw new ExportError(`${name} has no column "${wanted}"`, {
      code: 'EXPORT_INVALID',
      hint: `It has ${columns.map((known) => known.name).join(', ')}`,
    });
  });
}

type TimeFilter = readonly [text: (placeholder: string) => string, value: string];

function timeFilter({ name, columns }: Relation, { since, until }: ExportOptions): readonly TimeFilter[] {
  if (since === undefined && until === undefined) return [];
  const time = ['received_at', 'timestamp'].find((wanted) =>
    columns.some((known) => known.name === wanted && known.isInstant),
  );
  if (time === undefined) {
    throw new ExportError(
      `${name} has neither received_at nor timestamp, so there is no since and no until`,
      {
        code: 'EXPORT_INVALID',
        hint: 'Leave them out, or give the view one of the two as a timestamp with time zone',
      },
    );
  }
  const compare =
    (operator: string): TimeFilter[0] =>
    (placeholder) =>
      `${column(time)} ${operator} ${placeholder}::timestamptz`;
  return [
    ...(since === undefined ? [] : [[compare('>='), new Date(since).toISOString()] as const]),
    ...(until === undefined ? [] : [[compare('<'), new Date(until).toISOString()] as const]),
  ];
}

/** A view has its own order, if any. */
function orderFor({ kind, columns, key }: Relation): string {
  if (kind === 'view') return '';
  const byTime = columns.some(({ name }) => name === 'received_at')
    ? [`${column('received_at')} desc nulls last`]
    : [];
  const order = [...byTime, ...key.map(column)];
  return order.length === 0 ? '' : `order by ${order.join(', ')}`;
}

/** The conditions of one statement, whose values are parameters. */
class Conditions {
  readonly #texts: string[] = [];
  readonly #values: string[] = [];

  constructor(filters: readonly TimeFilter[] = []) {
    for (const [text, value] of filters) this.#texts.push(text(this.#placeholder(value)));
  }

  compareKey(columns: string, operator: '>' | '<=', key: readonly string[] | undefined): this {
    if (key === undefined) return this;
    const placeholders = key.map((value) => this.#placeholder(value)).join(', ');
    this.#texts.push(`(${columns}) ${operator} (${placeholders})`);
    return this;
  }

  query(select: string, rest: string): Query {
    const where = this.#texts.length === 0 ? '' : `where ${this.#texts.join(' and ')}`;
    return { text: `${select} ${where} ${rest}`, values: this.#values };
  }

  #placeholder(value: string): string {
    this.#values.push(value);
    return `$${this.#values.length}`;
  }
}

/** Times in UTC and without a zone, which spreadsheets take for times; booleans as `true` and `false`. */
function asText({ name, isInstant }: RelationColumn): string {
  return isInstant ? `(${column(name)} at time zone 'UTC')::text` : `${column(name)}::text`;
}

function column(name: string): string {
  return `r.${quoted(name)}`;
}

function quoted(identifier: string): string {
  return pg.escapeIdentifier(identifier);
}
