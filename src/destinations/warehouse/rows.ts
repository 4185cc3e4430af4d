// A message as rows of Segment's warehouse layout (its documents, "Warehouse Schemas"). Pure.

import type { IdentifyMessage, JsonMap, JsonValue, Message } from '../../segment/message.ts';
import { cellOf, storableText, textCell, timestampCell } from './columns.ts';
import type { Cell } from './columns.ts';
import { identifierFor, shortened } from './naming.ts';

/** One row to be. Columns that only the load knows (`sent_at`, `uuid_ts`) are added there. */
export interface Row {
  readonly table: string;
  /** `id`: the row's key. A row that is there already stays as it is; in `users` it takes the newer values. */
  readonly id: string;
  readonly cells: ReadonlyMap<string, Cell>;
  /** Of a row of `users` only. */
  readonly said?: Said;
}

/** When a row of `users` was said, which counts where two say different things, and what it takes back. */
export interface Said {
  /** The event's own time, milliseconds since 1970. */
  readonly at: number;
  /** Columns whose value was null, which is more than not to speak of them. */
  readonly cleared: readonly string[];
}

/** The one table whose rows are brought up to date; in every other a row is written once. */
export const usersTable = 'users';

/** Where the loader keeps each value that fits no column. */
export const discardsTable = 'discards';

/** Tables of the loader's own (state.ts, user-times.ts). */
export const stateTable = 'fusionauth_segment_state';
export const userTimesTable = 'fusionauth_segment_user_times';

const builtInTables = new Set([
  'aliases',
  discardsTable,
  'groups',
  'identifies',
  'pages',
  'screens',
  'tracks',
  usersTable,
  stateTable,
  userTimesTable,
]);

/**
 * Columns that Segment fills itself in every table: a property of such a name is not stored (its documents, "Reserved
 * words"). Those of a single table (`group_id` in `groups`) keep their value because they come first (addCell).
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

type Cells = Map<string, Cell>;

/** The rows that a message becomes. `receivedAt`: milliseconds since 1970. */
export function rowsOf(message: Message, receivedAt: number): readonly Row[] {
  const id = storableText(message.messageId);
  const common = commonCells(message, receivedAt);

  switch (message.type) {
    case 'identify': {
      const identifies = { table: 'identifies', id, cells: addMap(common, message.traits) };
      return message.userId === undefined
        ? [identifies]
        : [identifies, usersRow(message.userId, message, receivedAt)];
    }
    case 'track': {
      const slug = identifierFor(message.event);
      addCell(common, 'event', textCell(slug));
      addCell(common, 'event_text', textCell(message.event));
      const tracks = { table: 'tracks', id, cells: common };
      if (slug === '') return [tracks];
      return [tracks, { table: eventTableFor(slug), id, cells: addMap(new Map(common), message.properties) }];
    }
    case 'group':
      addCell(common, 'group_id', textCell(message.groupId));
      return [{ table: 'groups', id, cells: addMap(common, message.traits) }];
    case 'alias':
      addCell(common, 'previous_id', textCell(message.previousId));
      return [{ table: 'aliases', id, cells: common }];
    case 'page':
    case 'screen':
      addText(common, 'name', message.name);
      addText(common, 'category', message.category);
      return [{ table: `${message.type}s`, id, cells: addMap(common, message.properties) }];
  }
}

/** An event named like one of our tables, or like the key of any table, gets `_` before its name. */
export function eventTableFor(slug: string): string {
  return builtInTables.has(slug) || slug.endsWith('_pkey') ? shortened(`_${slug}`) : slug;
}

function usersRow(userId: string, message: IdentifyMessage, receivedAt: number): Row {
  const { context, traits, timestamp } = message;
  const cells: Cells = new Map([['received_at', isoCell(receivedAt)]]);
  const cleared: string[] = [];
  addMap(cells, context, 'context', cleared);
  addMap(cells, traits, '', cleared);
  const at = Date.parse(timestamp ?? '') || receivedAt;
  return { table: usersTable, id: storableText(userId), cells, said: { at, cleared } };
}

function commonCells(message: Message, receivedAt: number): Cells {
  const received = isoCell(receivedAt);
  const timestamp = message.timestamp === undefined ? received : timestampCell(message.timestamp);
  const cells: Cells = new Map([
    ['received_at', received],
    ['original_timestamp', timestamp],
    // Segment corrects this by the clock of the sender; FusionAuth's is a server's, so there is nothing to correct.
    ['timestamp', timestamp],
  ]);
  addText(cells, 'user_id', message.userId);
  addText(cells, 'anonymous_id', message.anonymousId);
  return addMap(cells, message.context, 'context');
}

/** Objects become columns with `_` between the names, arrays JSON text in one; unusable names are left out. */
function addMap(cells: Cells, map: JsonMap, prefix = '', cleared?: string[]): Cells {
  for (const [key, value] of Object.entries(map)) {
    const name = prefix === '' ? key : `${prefix}_${key}`;
    if (isMap(value)) {
      addMap(cells, value, name, cleared);
      continue;
    }
    const column = columnFor(name);
    if (column === undefined) continue;
    if (value === null) cleared?.push(column);
    else
      addCell(
        cells,
        column,
        Array.isArray(value) ? textCell(JSON.stringify(value)) : cellOf(value as string),
      );
  }
  return cells;
}

/** Two spellings of a name can be one column: the first stays. */
function addCell(cells: Cells, column: string, cell: Cell): void {
  if (!cells.has(column)) cells.set(column, cell);
}

function addText(cells: Cells, column: string, value: string | undefined): void {
  if (value !== undefined) addCell(cells, column, textCell(value));
}

/** Names are few and come with every message, so each is worked out once. Bounded: they are the senders' to choose. */
const columns = new Map<string, string | undefined>();
const maxRememberedColumns = 10_000;

function columnFor(name: string): string | undefined {
  if (columns.has(name)) return columns.get(name);
  if (columns.size >= maxRememberedColumns) columns.clear();
  const identifier = identifierFor(name);
  const isUnusable = identifier === '' || reservedColumns.has(identifier);
  const column = prefixedColumns.has(identifier) ? `_${identifier}` : identifier;
  columns.set(name, isUnusable ? undefined : column);
  return columns.get(name);
}

function isMap(value: JsonValue): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isoCell(milliseconds: number): Cell {
  return timestampCell(new Date(milliseconds).toISOString());
}
