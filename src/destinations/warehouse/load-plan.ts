// From rows to the statements that load them, given the columns that are there. Pure: the loader runs them.

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import pg from 'pg';
import { fitCell, textCell, widenedType } from './columns.ts';
import type { Cell, CellType, CellValue, ColumnType } from './columns.ts';
import { discardsTable, usersTable } from './rows.ts';
import type { Row } from './rows.ts';
import type { Statement } from './statement.ts';
import { newPerson, say, userTimesStatement } from './user-times.ts';
import type { ColumnTimes, Person } from './user-times.ts';
import { dropViews } from './views.ts';

/** The tables of the schema and their columns, as far as the loader knows them. */
export type Tables = ReadonlyMap<string, ReadonlyMap<string, ColumnType>>;

export interface LoadPlan {
  /** In order: tables and columns first, then rows; those of `discards`, where there are any, at the end. */
  readonly statements: readonly Statement[];
  /** What the schema is after the statements. */
  readonly tables: Tables;
  /** Values that fit no column; they stand in `discards`. */
  readonly discards: number;
}

/** PostgreSQL's limit is 1,600, and columns that were dropped count as well (its documents, appendix "Limits"). */
const maxColumns = 1_500;

/** Rows of one table, by columns: each has a value or null for each row. */
interface Load {
  readonly table: string;
  readonly ids: readonly string[];
  readonly columns: Map<string, { readonly type: ColumnType; readonly values: (CellValue | null)[] }>;
}

interface Discard {
  readonly id: string;
  readonly cells: ReadonlyMap<string, Cell>;
}

export interface LoadOptions {
  readonly schema: string;
  readonly tables: Tables;
  /** Of those persons among the rows that have been written before. */
  readonly userTimes: ReadonlyMap<string, ColumnTimes>;
  /** Now, as ISO 8601. */
  readonly loadedAt: string;
  /** Whether columns may change their type; false where PostgreSQL has refused that. */
  readonly mayWiden?: boolean;
}

/** The same rows and options give the same plan. */
export function planLoad(
  rows: readonly Row[],
  { schema, tables, userTimes, loadedAt, mayWiden = true }: LoadOptions,
): LoadPlan {
  const known = new Map(Array.from(tables, ([table, columns]) => [table, new Map(columns)]));
  const definitions: Statement[] = [];
  const discards: Discard[] = [];
  const inserts: Statement[] = [];

  for (const [table, tableRows] of Map.groupBy(rows, (row) => row.table)) {
    const columns = defineColumns(table, tableRows);
    inserts.push(
      ...(table === usersTable
        ? planUsers(tableRows, columns)
        : [insertStatement(schema, planTable(table, tableRows, columns), loadedAt)]),
    );
  }
  if (discards.length > 0) {
    const columns = defineColumns(discardsTable, discards);
    inserts.push(insertStatement(schema, planTable(discardsTable, discards, columns), loadedAt));
  }

  return { statements: [...definitions, ...inserts], tables: known, discards: discards.length };

  function planTable(
    table: string,
    tableRows: readonly Pick<Row, 'id' | 'cells'>[],
    columns: ReadonlyMap<string, ColumnType>,
  ): Load {
    const load = emptyLoad(
      table,
      tableRows.map(({ id }) => id),
    );
    for (const [index, row] of tableRows.entries()) {
      for (const [column, cell] of row.cells) {
        const type = columns.get(column);
        const value = fitOrDiscard(table, row, column, cell, type);
        if (type !== undefined && value !== undefined) setValue(load, column, type, index, value);
      }
    }
    return load;
  }

  /** A row for each person; of each column the value that was said last, by the events' own times. */
  function planUsers(tableRows: readonly Row[], columns: ReadonlyMap<string, ColumnType>): Statement[] {
    const people = new Map<string, Person>();
    for (const row of tableRows) {
      const { id, cells, said } = row;
      assert(said, 'A row of users says when it was said');
      const person = people.get(id) ?? newPerson(userTimes.get(id));
      people.set(id, person);
      for (const [column, cell] of cells) {
        const value = fitOrDiscard(usersTable, row, column, cell, columns.get(column));
        if (value !== undefined) say(person, column, value, said.at);
      }
      for (const column of said.cleared) {
        if (!cells.has(column)) say(person, column, null, said.at);
      }
    }
    const changed = [...people].filter(([, { values }]) => values.size > 0);
    if (changed.length === 0) return [];
    const load = emptyLoad(
      usersTable,
      changed.map(([id]) => id),
    );
    const cleared = new Map<string, string[]>();
    for (const [index, [id, { values }]] of changed.entries()) {
      for (const [column, value] of values) {
        const type = columns.get(column);
        // Taken back before it was ever said: that it was is kept, for an older event that says it.
        if (type === undefined) continue;
        if (value !== null) setValue(load, column, type, index, value);
        else cleared.set(column, [...(cleared.get(column) ?? []), id]);
      }
    }
    return [
      insertStatement(schema, load, loadedAt),
      ...Array.from(cleared, ([column, ids]) => clearStatement(schema, column, ids)),
      userTimesStatement(schema, new Map(changed.map(([id, { times }]) => [id, times]))),
    ];
  }

  function fitOrDiscard(
    table: string,
    { id, cells }: Pick<Row, 'id' | 'cells'>,
    column: string,
    cell: Cell,
    type: ColumnType | undefined,
  ): CellValue | undefined {
    const value = type === undefined ? undefined : fitCell(cell, type);
    if (value === undefined) discards.push(discardOf(table, id, column, cell, type, cells));
    return value;
  }

  /** Creates the table or adds to it what it lacks. Returns its columns as they are then. */
  function defineColumns(
    table: string,
    tableRows: readonly Pick<Row, 'cells'>[],
  ): ReadonlyMap<string, ColumnType> {
    const isNew = !known.has(table);
    const columns = known.get(table) ?? new Map<string, ColumnType>();
    known.set(table, columns);
    const added = new Map<string, ColumnType>();
    const widened = new Map<string, ColumnType>();
    const define = (column: string, type: CellType) => {
      const known = columns.get(column);
      if (known === type) return;
      const isFixed = known !== undefined && !mayWiden && !added.has(column);
      const wanted = known === undefined ? type : isFixed ? known : widenedType(known, type);
      if (wanted === known || (known === undefined && columns.size >= maxColumns)) return;
      columns.set(column, wanted);
      (known === undefined || added.has(column) ? added : widened).set(column, wanted);
    };
    // First, so that a row of very many cells does not take their columns.
    for (const column of loadTimeColumns(table)) define(column, 'timestamptz');
    for (const { cells } of tableRows) for (const [column, { type }] of cells) define(column, type);

    const name = qualified(schema, table);
    const statements: string[] = [];
    if (isNew) {
      columns.set('id', 'text');
      // An event's table goes before a view of ours that has its name.
      statements.push(...dropViews(schema, [table]).map(({ text }) => text));
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
    definitions.push(...statements.map((text) => ({ text, values: [] })));
    return columns;
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

/** Columns that say when a row was loaded: the same for all rows of a load. */
function loadTimeColumns(table: string): readonly string[] {
  return table === usersTable || table === discardsTable ? ['uuid_ts'] : ['uuid_ts', 'sent_at'];
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

/** A load of these rows, none of whose values is set yet. */
function emptyLoad(table: string, ids: readonly string[]): Load {
  return { table, ids, columns: new Map() };
}

function setValue(
  { ids, columns }: Load,
  column: string,
  type: ColumnType,
  index: number,
  value: CellValue,
): void {
  let found = columns.get(column);
  if (found === undefined) {
    found = { type, values: new Array<CellValue | null>(ids.length).fill(null) };
    columns.set(column, found);
  }
  found.values[index] = value;
}

/**
 * All rows of a table in one statement, whatever their number: a parameter for each column. Measured, 30 columns, 1,000
 * rows a statement: 50,000 rows/s, beside 25,000 as JSON by json_to_recordset and 4,000 row by row. COPY into a temporary
 * table and from there is no faster; straight into the table it is, by half, but knows no `on conflict`.
 */
function insertStatement(schema: string, { table, ids, columns }: Load, loadedAt: string): Statement {
  const loadTimes = loadTimeColumns(table);
  const names = ['id', ...columns.keys()].map(quoted);
  const lists = [
    '$1::text[]',
    ...Array.from(columns.values(), ({ type }, index) => `$${index + 2}::${sqlType(type)}[]`),
  ];
  const last = lists.length + 1;
  const into = [...names, ...loadTimes.map(quoted)].join(', ');
  const conflict =
    table === usersTable ? `do update set ${mergeAssignments([...columns.keys()])}` : 'do nothing';
  return {
    text:
      `insert into ${qualified(schema, table)} as stored (${into}) ` +
      `select sent.*, ${loadTimes.map(() => `$${last}::timestamptz`).join(', ')} ` +
      `from unnest(${lists.join(', ')}) as sent on conflict (id) ${conflict}`,
    values: [ids, ...Array.from(columns.values(), ({ values }) => values), loadedAt],
  };
}

/** What is null here was not said, or by an event that is older than what is stored. */
function mergeAssignments(columns: readonly string[]): string {
  const merged = columns.map(
    (column) => `${quoted(column)} = coalesce(excluded.${quoted(column)}, stored.${quoted(column)})`,
  );
  return [...merged, '"uuid_ts" = excluded."uuid_ts"'].join(', ');
}

function clearStatement(schema: string, column: string, ids: readonly string[]): Statement {
  return {
    text: `update ${qualified(schema, usersTable)} set ${quoted(column)} = null where id = any($1)`,
    values: [ids],
  };
}

function sqlType(type: ColumnType): string {
  return type === 'timestamptz' ? 'timestamp with time zone' : type;
}

export function qualified(schema: string, table: string): string {
  return `${quoted(schema)}.${quoted(table)}`;
}

export function quoted(identifier: string): string {
  return pg.escapeIdentifier(identifier);
}
