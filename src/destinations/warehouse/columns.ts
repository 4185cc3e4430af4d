// The types of columns, and which values fit which.

/** Segment's column types in PostgreSQL, as they stand in warehouses that it has made. */
export type CellType = 'text' | 'bigint' | 'numeric' | 'boolean' | 'timestamptz';
/** `foreign`: a type that somebody else has given a column, and that no value of ours fits. */
export type ColumnType = CellType | 'foreign';

/** A value on its way into a column, never null: a column that says nothing is left out. */
export interface Cell {
  readonly type: CellType;
  readonly value: CellValue;
}
export type CellValue = string | number | boolean;

/** An ISO 8601 date, or date and time with a zone. */
const timestampPattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-](\d{2}):?\d{2}))?$/;
const digitNine = '9'.charCodeAt(0);
/** PostgreSQL takes offsets below 16 hours. */
const maxOffsetHours = 15;

/** The type that a value asks for. Strings that are dates become timestamps, as at Segment. */
export function cellOf(value: string | number | boolean): Cell {
  if (typeof value === 'boolean') return { type: 'boolean', value };
  if (typeof value === 'number') return { type: Number.isSafeInteger(value) ? 'bigint' : 'numeric', value };
  const text = storableText(value);
  return { type: isTimestamp(text) ? 'timestamptz' : 'text', value: text };
}

/** A string that stays a string, whatever it looks like. */
export function textCell(value: string): Cell {
  return { type: 'text', value: storableText(value) };
}

export function timestampCell(value: string): Cell {
  return { type: 'timestamptz', value };
}

/** What a cell is in a column of that type, or undefined where it does not fit. */
export function fitCell(cell: Cell, columnType: ColumnType): CellValue | undefined {
  if (cell.type === columnType)
    return columnType === 'timestamptz' ? withZone(String(cell.value)) : cell.value;
  if (columnType === 'text') return String(cell.value);
  if (columnType === 'numeric' && cell.type === 'bigint') return cell.value;
  return undefined;
}

/** The type of a column that has one and meets such a cell: a whole number's column that meets a fraction widens. */
export function widenedType(columnType: ColumnType, cellType: CellType): ColumnType {
  return columnType === 'bigint' && cellType === 'numeric' ? 'numeric' : columnType;
}

/** Our type for one of PostgreSQL's (`information_schema.columns.data_type`). */
export function columnTypeOf(dataType: string): ColumnType {
  if (/^(bigint|integer|smallint)$/.test(dataType)) return 'bigint';
  if (/^(numeric|double precision|real)$/.test(dataType)) return 'numeric';
  if (dataType === 'boolean') return 'boolean';
  if (dataType.startsWith('timestamp')) return 'timestamptz';
  return /^(text|character varying|character)$/.test(dataType) ? 'text' : 'foreign';
}

function isTimestamp(text: string): boolean {
  // Most strings are none, and are told from one by their first character.
  if (!(text.charCodeAt(0) <= digitNine)) return false;
  const [, year, month = '', day = '', offsetHours = '0'] = timestampPattern.exec(text) ?? [];
  // PostgreSQL has no year 0, and Date.parse takes a 30th of February for the 2nd of March.
  if (year === undefined || year === '0000' || Number.isNaN(Date.parse(text))) return false;
  const date = new Date(`${year}-${month}-${day}`);
  return date.getUTCDate() === Number(day) && Number(offsetHours) <= maxOffsetHours;
}

/** A date alone is midnight in UTC, whatever the session's time zone. */
function withZone(text: string): string {
  return text.length === 10 ? `${text}T00:00:00Z` : text;
}

/** PostgreSQL's text holds neither NUL nor half a surrogate pair. */
export function storableText(text: string): string {
  if (text.isWellFormed() && !text.includes('\u0000')) return text;
  return text.replaceAll('\u0000', '\ufffd').toWellFormed();
}
