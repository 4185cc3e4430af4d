// From rows to the statements that load them, given the columns that are there. Pure: the loader runs them.

import { hash } from 'node:crypto';
import pg from 'pg';
import { fitCell, textCell, widenedType } from './columns.ts';
import type { Cell, ColumnType } from './columns.ts';
import { discardsTable, usersTable } from './rows.ts';
import type { Row } from './rows.ts';

/** The tables of the schema and their columns, as far as the loader knows them. */
export type Tables = ReadonlyMap<string, ReadonlyMap<string, ColumnType>>;

export interface Statement {
  readonly text: string;
  readonly values: readonly string[];
}

export interface LoadPlan {
  /** In order: tables and columns first, then rows. */
  readonly statements: readonly Statement[];
  /** What the schema is after the statements. */
  readonly tables: Tables;
  /** Values that fit no column; they stand in `discards`. */
  readonly discards: number;
}

/** PostgreSQL's limit is 1,600, and columns that were dropped count as well (its documents, appendix "Limits"). */
const maxColumns = 1_500;

interface Load {
  readonly table: string;
  readonly columns: Map<string, ColumnType>;
  readonly records: readonly TableRecord[];
}

/** A row's values by their columns. */
type TableRecord = Record<string, Cell['value']>;

interface Discard {
  readonly id: string;
  readonly cells: ReadonlyMap<string, Cell>;
}

export interface LoadOptions {
  readonly schema: string;
  readonly tables: Tables;
  /** Now, as ISO 8601. */
  readonly loadedAt: string;
  /** Whether columns may change their type; false where PostgreSQL has refused that. */
  readonly mayWiden?: boolean;
}

/** The same rows and options give the same plan. */
export function planLoad(
  rows: readonly Row[],
  { schema, tables, loadedAt, mayWiden = true }: LoadOptions,
): LoadPlan {
  const known = new Map(Array.from(tables, ([table, columns]) => [table, new Map(columns)]));
  const definitions: Statement[] = [];
  const discards: Discard[] = [];
  const loads: Load[] = [];

  const byTable = Map.groupBy(rows, ({ table }) => table);
  for (const [table, tableRows] of byTable) loads.push(planTable(table, tableRows));
  if (discards.length > 0) loads.push(planTable(discardsTable, discards));

  return {
    statements: [...definitions, ...loads.map((load) => insertStatement(schema, load))],
    tables: known,
    discards: discards.length,
  };

  function planTable(
    table: string,
    tableRows: readonly { id: string; cells: ReadonlyMap<string, Cell> }[],
  ): Load {
    const stamped = tableRows.map(({ id, cells }) => ({ id, cells: withLoadTimes(table, cells, loadedAt) }));
    const columns = known.get(table) ?? new Map<string, ColumnType>();
    definitions.push(...defineColumns(table, columns, stamped));
    known.set(table, columns);

    const used = new Map<string, ColumnType>([['id', 'text']]);
    const records: TableRecord[] = [];
    const people = new Map<string, TableRecord>();
    for (const { id, cells } of stamped) {
      // Several identifies of one person in a batch are one row: in order, the later value that fits counts.
      let record = people.get(id);
      if (record === undefined) {
        record = { id };
        records.push(record);
        if (table === usersTable) people.set(id, record);
      }
      for (const [column, cell] of cells) {
        const type = columns.get(column);
        const value = type === undefined ? undefined : fitCell(cell, type);
        if (type === undefined || value === undefined) {
          discards.push(discardOf(table, id, column, cell, type, cells));
        } else {
          record[column] = value;
          used.set(column, type);
        }
      }
    }
    return { table, columns: used, records };
  }

  /** Creates the table or adds to it what it lacks, in `columns` and in the database. */
  function defineColumns(
    table: string,
    columns: Map<string, ColumnType>,
    tableRows: readonly { cells: ReadonlyMap<string, Cell> }[],
  ): Statement[] {
    const isNew = columns.size === 0;
    const added = new Map<string, ColumnType>();
    const widened = new Map<string, ColumnType>();
    for (const { cells } of tableRows) {
      for (const [column, cell] of cells) {
        const type = columns.get(column);
        const isFixed = type !== undefined && !mayWiden && !added.has(column);
        const wanted = type === undefined ? cell.type : isFixed ? type : widenedType(type, cell);
        if (wanted === type || (type === undefined && columns.size >= maxColumns)) continue;
        columns.set(column, wanted);
        if (type === undefined || added.has(column)) added.set(column, wanted);
        else widened.set(column, wanted);
      }
    }

    const name = qualified(schema, table);
    const statements: string[] = [];
    if (isNew) {
      columns.set('id', 'text');
      statements.push(`create table if not exists ${name} (${tableDefinition(added)})`);
    } else if (added.size > 0) {
      const clauses = Array.from(
        added,
        ([column, type]) => `add column if not exists ${quoted(column)} ${sqlType(type)}`,
      );
      statements.push(`alter table ${name} ${clauses.join(', ')}`);
    }
    for (const [column, type] of widened) {
      statements.push(`alter table ${name} alter column ${quoted(column)} type ${sqlType(type)}`);
    }
    return statements.map((text) => ({ text, values: [] }));
  }
}

/** Column order as in the tables that Segment makes: these first, the rest by name. */
function tableDefinition(columns: ReadonlyMap<string, ColumnType>): string {
  const rest = [...columns.keys()]
    .filter((column) => column !== 'received_at' && column !== 'uuid_ts')
    .sort();
  const definitions = ['received_at', 'uuid_ts', ...rest].map(
    (column) => `${quoted(column)} ${sqlType(columns.get(column) ?? 'timestamptz')}`,
  );
  // PostgreSQL names the key, <table>_pkey as at Segment, and finds another name where that is taken.
  return ['"id" character varying(1024) not null primary key', ...definitions].join(', ');
}

function withLoadTimes(table: string, cells: ReadonlyMap<string, Cell>, loadedAt: string): Map<string, Cell> {
  const time: Cell = { type: 'timestamptz', value: loadedAt };
  // First, so that a row of very many cells does not take their columns.
  const stamped = new Map<string, Cell>([['uuid_ts', time]]);
  if (table !== usersTable && table !== discardsTable) stamped.set('sent_at', time);
  for (const [column, cell] of cells) stamped.set(column, cell);
  return stamped;
}

function discardOf(
  table: string,
  rowId: string,
  column: string,
  cell: Cell,
  type: ColumnType | undefined,
  cells: ReadonlyMap<string, Cell>,
): Discard {
  const receivedAt = cells.get('received_at');
  return {
    // The same value of the same row is discarded once, however often its batch is sent.
    id: `${hash('sha256', String(cell.value)).slice(0, 16)}:${table}.${column}:${rowId}`.slice(0, 1024),
    cells: new Map([
      ['row_id', textCell(rowId)],
      ['table_name', textCell(table)],
      ['column_name', textCell(column)],
      ['column_value', textCell(String(cell.value))],
      [
        'reason',
        textCell(
          type === undefined
            ? `the table has ${maxColumns} columns already`
            : `a ${cell.type} value does not fit a ${type} column`,
        ),
      ],
      ...(receivedAt === undefined ? [] : [['received_at', receivedAt] as const]),
    ]),
  };
}

/** All rows of a table as one JSON parameter: one statement, whatever their number and columns. */
function insertStatement(schema: string, { table, columns, records }: Load): Statement {
  const name = qualified(schema, table);
  const names = [...columns.keys()].map(quoted).join(', ');
  const types = Array.from(columns, ([column, type]) => `${quoted(column)} ${sqlType(type)}`).join(', ');
  const conflict = table === usersTable ? `do update set ${mergeAssignments(columns)}` : 'do nothing';
  return {
    text:
      `insert into ${name} as stored (${names}) select ${names} from json_to_recordset($1::json) as sent (${types}) ` +
      `on conflict (id) ${conflict}`,
    values: [JSON.stringify(records)],
  };
}

/** What the message does not say keeps its value. */
function mergeAssignments(columns: ReadonlyMap<string, ColumnType>): string {
  return [...columns.keys()]
    .filter((column) => column !== 'id')
    .map((column) => `${quoted(column)} = coalesce(excluded.${quoted(column)}, stored.${quoted(column)})`)
    .join(', ');
}

function sqlType(type: ColumnType): string {
  return type === 'timestamptz' ? 'timestamp with time zone' : type;
}

function qualified(schema: string, table: string): string {
  return `${quoted(schema)}.${quoted(table)}`;
}

function quoted(identifier: string): string {
  return pg.escapeIdentifier(identifier);
}
