// How views read tables that may not be there yet: as subqueries with always the same columns and types.
//
// A whole number's column may have to become `numeric` later, and PostgreSQL refuses that (SQLSTATE 0A000) where a view
// names the column. So such a column is read through its row as a whole, which names no column: no view of ours ever
// stands in the way of a widening.

import pg from 'pg';
import type { KnownEventType } from '../../../fusionauth/catalogue.ts';
import type { ColumnType } from '../columns.ts';
import { tablesOfTrack } from './events.ts';

/** What a column is read as, and the columns that may hold it: of several, the first that is not null counts. */
type ColumnReading = readonly [type: 'text' | 'timestamptz' | 'boolean', ...from: readonly string[]];
export type TableReading = Readonly<Record<string, ColumnReading>>;

export interface Reader {
  /** The rows of a table, as a subquery in parentheses; none where the table is missing. */
  table(name: string, columns: TableReading): string;
  /** The tracks of an event, each once, whichever naming they were made under. With `eventColumns`, and those given. */
  event(type: KnownEventType, more?: TableReading): string;
}

/** The types of a table's columns. */
export interface ColumnTypes {
  get(column: string): ColumnType | undefined;
}

/** What is read of every event. */
const eventColumns: TableReading = {
  id: ['text', 'id'],
  timestamp: ['timestamptz', 'timestamp'],
  user_id: ['text', 'user_id'],
  tenant_id: ['text', 'tenant_id', 'context_tenant_id'],
  application_id: ['text', 'application_id', 'context_application_id'],
  ip: ['text', 'context_ip'],
  country: ['text', 'context_location_country'],
  region: ['text', 'context_location_region'],
  city: ['text', 'context_location_city'],
  device_type: ['text', 'context_device_type'],
  device_name: ['text', 'context_device_name'],
  os: ['text', 'context_os_name'],
  user_agent: ['text', 'context_user_agent'],
};

/** `columnsOf`: of a table, undefined where it is missing. */
export function createReader(schema: string, columnsOf: (table: string) => ColumnTypes | undefined): Reader {
  const qualified = (table: string) => `${quoted(schema)}.${quoted(table)}`;

  function select(table: string, types: ColumnTypes, columns: TableReading): string {
    const list = Object.entries(columns).map(
      ([name, reading]) => `${expressionOf(reading, types)} as ${quoted(name)}`,
    );
    return `select ${list.join(', ')} from ${qualified(table)} as stored`;
  }

  function readTables(tables: readonly string[], columns: TableReading): string {
    const present: string[] = [];
    const selects: string[] = [];
    for (const table of tables) {
      const types = columnsOf(table);
      if (types === undefined) continue;
      // A replay under another naming writes a track into the other table, under the id that it had.
      const unseen = present.map(
        (earlier) =>
          `not exists (select from ${qualified(earlier)} as earlier where earlier."id" = stored."id")`,
      );
      const where = unseen.length === 0 ? '' : ` where ${unseen.join(' and ')}`;
      selects.push(`${select(table, types, columns)}${where}`);
      present.push(table);
    }
    return `(${selects.join(' union all ') || emptySelect(columns)})`;
  }

  return {
    table: (name, columns) => readTables([name], columns),
    event: (type, more = {}) => readTables(tablesOfTrack(type), { ...eventColumns, ...more }),
  };
}

function emptySelect(columns: TableReading): string {
  const list = Object.entries(columns).map(([name, [type]]) => `null::${type} as ${quoted(name)}`);
  return `select ${list.join(', ')} where false`;
}

function expressionOf([type, ...from]: ColumnReading, types: ColumnTypes): string {
  const values = from.flatMap((column) => valueOf(column, types.get(column), type) ?? []);
  if (values.length === 0) return `null::${type}`;
  return values.length === 1 ? String(values[0]) : `coalesce(${values.join(', ')})`;
}

/** Undefined where the column is missing, or holds what cannot always be cast. */
function valueOf(column: string, has: ColumnType | undefined, wanted: ColumnReading[0]): string | undefined {
  if (has === undefined) return undefined;
  if (wanted !== 'text') return has === wanted ? `stored.${quoted(column)}` : undefined;
  return has === 'bigint'
    ? `(to_jsonb(stored) ->> ${pg.escapeLiteral(column)})`
    : `stored.${quoted(column)}::text`;
}

function quoted(identifier: string): string {
  return pg.escapeIdentifier(identifier);
}
