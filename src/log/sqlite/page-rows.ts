// The rows that stand in a page of a SQLite file, read without SQLite, so that one damaged page costs the rows of that page
// and no others. The format: https://www.sqlite.org/fileformat2.html#b_tree_pages
//
// Holds always: nothing that stands in a page can make this throw or read elsewhere; what is not whole is left out.

import { pageSize } from './page-size.ts';

export type Value = string | number | null;

export interface Row {
  /** Of a table with row ids; undefined in an index, and in a table without them, which is stored as one. */
  readonly rowId: number | undefined;
  readonly values: readonly Value[];
}

/** The content of a page; undefined where the file has none of that number. */
export type ReadPage = (number: number) => Buffer | undefined;

const fileHeaderBytes = 100;
const tableLeaf = 0x0d;
const indexLeaf = 0x0a;
const indexInterior = 0x02;

export function* rowsOf(page: Buffer, number: number, readPage: ReadPage): Generator<Row> {
  const start = number === 1 ? fileHeaderBytes : 0;
  const type = page.readUInt8(start);
  if (type !== tableLeaf && type !== indexLeaf && type !== indexInterior) return;
  const pointers = start + (type === indexInterior ? 12 : 8);
  const count = page.readUInt16BE(start + 3);
  let lastRowId = 0;
  for (let index = 0; index < count && pointers + 2 * index + 2 <= pageSize; index++) {
    const cell = page.readUInt16BE(pointers + 2 * index);
    if (cell < pointers || cell >= pageSize) continue;
    const row = readCell(page, cell + (type === indexInterior ? 4 : 0), type === tableLeaf, readPage);
    if (row === undefined) continue;
    if (row.rowId !== undefined) {
      // Rows stand in the order of their ids; one that does not was changed.
      if (row.rowId <= lastRowId) continue;
      lastRowId = row.rowId;
    }
    yield row;
  }
}

function readCell(page: Buffer, start: number, isTable: boolean, readPage: ReadPage): Row | undefined {
  const length = readVarint(page, start);
  if (length === undefined) return undefined;
  const rowId = isTable ? readVarint(page, length.end) : undefined;
  if (isTable && rowId === undefined) return undefined;
  const payload = readPayload(page, rowId?.end ?? length.end, length.value, isTable, readPage);
  const values = payload && readValues(payload);
  return values && { rowId: rowId?.value, values };
}

/** What does not fit in the page goes on in a chain of others. */
function readPayload(
  page: Buffer,
  start: number,
  length: number,
  isTable: boolean,
  readPage: ReadPage,
): Buffer | undefined {
  const maxLocal = isTable ? pageSize - 35 : Math.floor(((pageSize - 12) * 64) / 255) - 23;
  const minLocal = Math.floor(((pageSize - 12) * 32) / 255) - 23;
  const rest = minLocal + ((length - minLocal) % (pageSize - 4));
  const local = length <= maxLocal ? length : rest <= maxLocal ? rest : minLocal;
  if (start + local > pageSize) return undefined;
  const pieces = [page.subarray(start, start + local)];
  let missing = length - local;
  if (missing === 0) return pieces[0];
  if (start + local + 4 > pageSize) return undefined;
  let next = page.readUInt32BE(start + local);
  const seen = new Set<number>();
  while (missing > 0) {
    const overflow = seen.has(next) ? undefined : readPage(next);
    if (overflow === undefined) return undefined;
    seen.add(next);
    const piece = overflow.subarray(4, 4 + missing);
    pieces.push(piece);
    missing -= piece.length;
    next = overflow.readUInt32BE(0);
  }
  return next === 0 ? Buffer.concat(pieces, length) : undefined;
}

/** Undefined where the lengths in the row's header do not add up to the row's. */
function readValues(payload: Buffer): Value[] | undefined {
  const header = readVarint(payload, 0);
  if (header === undefined || header.value > payload.length) return undefined;
  const values: Value[] = [];
  let offset = header.value;
  for (let at = header.end; at < header.value;) {
    const type = readVarint(payload, at);
    if (type === undefined) return undefined;
    const size = sizeOf(type.value);
    if (size === undefined || offset + size > payload.length) return undefined;
    values.push(readValue(payload, offset, type.value, size));
    offset += size;
    at = type.end;
  }
  return offset === payload.length ? values : undefined;
}

/** Of a value, by its serial type; undefined for blobs, which the log has none of, and for what is reserved. */
function sizeOf(type: number): number | undefined {
  if (type >= 13 && type % 2 === 1) return (type - 13) / 2;
  return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0][type];
}

function readValue(payload: Buffer, offset: number, type: number, size: number): Value {
  if (type === 0) return null;
  if (type === 8 || type === 9) return type - 8;
  if (type === 7) return payload.readDoubleBE(offset);
  if (type >= 13) return payload.toString('utf8', offset, offset + size);
  return size === 8 ? Number(payload.readBigInt64BE(offset)) : payload.readIntBE(offset, size);
}

/** Up to eight bytes of seven bits, then one of eight. */
function readVarint(buffer: Buffer, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let offset = start; offset < buffer.length && offset < start + 8; offset++) {
    const byte = buffer.readUInt8(offset);
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: offset + 1 };
  }
  // Nine bytes are a number that none of ours comes near.
  return undefined;
}
