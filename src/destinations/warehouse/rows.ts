// A message as rows of Segment's warehouse layout (its documents, "Warehouse Schemas"). Pure.

import type { JsonMap, JsonValue, Message } from '../../segment/message.ts';
import { cellOf, storableText, textCell, timestampCell } from './columns.ts';
import type { Cell } from './columns.ts';
import { identifierFor, shortened } from './naming.ts';

/** One row to be. Columns that only the load knows (`sent_at`, `uuid_ts`) are added there. */
export interface Row {
  readonly table: string;
  /** `id`: the row's key. A row that is there already stays as it is; in `users` it takes the new values. */
  readonly id: string;
  readonly cells: ReadonlyMap<string, Cell>;
}

type NamedCell = readonly [column: string, cell: Cell];
type NamedCells = Iterable<NamedCell>;

/** The one table whose rows are brought up to date; in every other a row is written once. */
export const usersTable = 'users';

/** Where the loader keeps each value that fits no column. */
export const discardsTable = 'discards';
const builtInTables = new Set([
  'aliases',
  discardsTable,
  'groups',
  'identifies',
  'pages',
  'screens',
  'tracks',
  usersTable,
]);

/**
 * Columns that Segment fills itself in every table: a property of such a name is not stored (its documents, "Reserved
 * words"). Those of a single table (`group_id` in `groups`) keep their value because they come first (mergeCells).
 */
const reservedColumns = new Set([
  'anonymous_id',
  'event',
  'event_text',
  'original_timestamp',
  'received_at',
  'sent_at',
  'timestamp',
  'user_id',
  'uuid_ts',
]);
/** A property of such a name stands in a column with `_` before it, as observed in warehouses that Segment made. */
const prefixedColumns = new Set(['id', 'uuid']);

/** The rows that a message becomes. `receivedAt`: milliseconds since 1970. */
export function rowsOf(message: Message, receivedAt: number): readonly Row[] {
  const row = (table: string, ...cells: NamedCells[]): Row => ({
    table,
    id: storableText(message.messageId),
    cells: mergeCells(commonCells(message, receivedAt), ...cells),
  });

  switch (message.type) {
    case 'identify': {
      const identifies = row('identifies', flatten(message.traits));
      return message.userId === undefined
        ? [identifies]
        : [identifies, usersRow(message.userId, message, receivedAt)];
    }
    case 'track': {
      const slug = identifierFor(message.event);
      const names: NamedCells = [
        ['event', textCell(slug)],
        ['event_text', textCell(message.event)],
      ];
      const tracks = row('tracks', names);
      if (slug === '') return [tracks];
      return [tracks, row(eventTableFor(slug), names, flatten(message.properties))];
    }
    case 'group':
      return [row('groups', [['group_id', textCell(message.groupId)]], flatten(message.traits))];
    case 'alias':
      return [row('aliases', [['previous_id', textCell(message.previousId)]])];
    case 'page':
    case 'screen':
      return [
        row(
          `${message.type}s`,
          optionalText('name', message.name),
          optionalText('category', message.category),
          flatten(message.properties),
        ),
      ];
  }
}

/** An event named like one of our tables, or like the key of any table, gets `_` before its name. */
function eventTableFor(slug: string): string {
  return builtInTables.has(slug) || slug.endsWith('_pkey') ? shortened(`_${slug}`) : slug;
}

function usersRow(userId: string, message: Message & { type: 'identify' }, receivedAt: number): Row {
  return {
    table: usersTable,
    id: storableText(userId),
    cells: mergeCells(
      [['received_at', isoCell(receivedAt)]],
      flatten({ context: message.context }),
      flatten(message.traits),
    ),
  };
}

function commonCells(message: Message, receivedAt: number): NamedCells {
  const timestamp = message.timestamp === undefined ? isoCell(receivedAt) : timestampCell(message.timestamp);
  return [
    ['received_at', isoCell(receivedAt)],
    ['original_timestamp', timestamp],
    // Segment corrects this by the clock of the sender; FusionAuth's is a server's, so there is nothing to correct.
    ['timestamp', timestamp],
    ...optionalText('user_id', message.userId),
    ...optionalText('anonymous_id', message.anonymousId),
    ...flatten({ context: message.context }),
  ];
}

/** Objects become columns with `_` between the names, arrays JSON text in one; null and unusable names are left out. */
function* flatten(map: JsonMap, prefix = ''): Generator<NamedCell> {
  for (const [key, value] of Object.entries(map)) {
    const name = prefix === '' ? key : `${prefix}_${key}`;
    if (isMap(value)) yield* flatten(value, name);
    else if (value !== null) {
      const column = columnFor(name);
      if (column !== undefined)
        yield [column, Array.isArray(value) ? textCell(JSON.stringify(value)) : cellOf(value as string)];
    }
  }
}

function columnFor(name: string): string | undefined {
  const column = identifierFor(name);
  if (column === '' || reservedColumns.has(column)) return undefined;
  return prefixedColumns.has(column) ? `_${column}` : column;
}

function isMap(value: JsonValue): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function optionalText(column: string, value: string | undefined): NamedCells {
  return value === undefined ? [] : [[column, textCell(value)]];
}

function isoCell(milliseconds: number): Cell {
  return timestampCell(new Date(milliseconds).toISOString());
}

/** Two spellings of a name can be one column: the first stays. */
function mergeCells(...parts: NamedCells[]): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const part of parts) {
    for (const [column, cell] of part) if (!cells.has(column)) cells.set(column, cell);
  }
  return cells;
}
