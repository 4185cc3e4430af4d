// A damaged log: how it is found at the start, and what is done about it.
//
// Holds always: nothing is deleted. The damaged file goes aside with its write-ahead log under a name that says so, and a new
// log is made of what can be read of it. `log.sqlite.repairing-<time>` is there from before the first step until after the
// last, so that a repair that a crash cut short is made again from the file that was set aside.

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { syncFolder } from '../../durable-files.ts';
import { pageSize } from './page-size.ts';
import { salvage } from './salvage.ts';
import type { Salvaged } from './salvage.ts';
import { openForReading, schemaVersion } from './schema.ts';
import { readWriteAheadLog } from './wal.ts';
import { errcodeOf } from './worker-rpc.ts';

/** What a damaged log came to. */
export interface Damage extends Salvaged {
  /** What was found, in words. */
  readonly found: string;
  /** Where the damaged file is kept. */
  readonly setAside: string;
}

/** A log up to this size is read through at every start, in a fifth of a second from a slow disk … */
const alwaysCheckedBytes = 32 * 1024 * 1024;
/** … and one up to this size where the last bridge did not come to its end, in some two seconds. */
const checkedAfterCrashBytes = 512 * 1024 * 1024;

/** Of a file that was made and has no table yet. */
const maxEmptyPages = 2;
/** Of the log's files, beside the first, which has no ending. */
const endings = ['', '-wal', '-shm'] as const;

/**
 * Looks for damage, in a time that does not grow with the log, and repairs it. `isAfterCrash`: the last bridge did not come
 * to its end. Undefined where all is well. Throws what SQLite says where the new log cannot be written.
 */
export function repairIfDamaged(
  file: string,
  { isAfterCrash }: { isAfterCrash: boolean },
): Damage | undefined {
  const unfinished = findUnfinished(file);
  if (unfinished !== undefined) return repair(file, 'a repair was cut short', unfinished);
  const found = findDamage(file, isAfterCrash);
  return found === undefined ? undefined : repair(file, found);
}

/** Makes the next start repair the log, where its size keeps that start from seeing what was seen now. */
export function noteDamage(file: string, error: unknown): void {
  if (!isDamage(error)) return;
  try {
    writeFileSync(noteOf(file), (error as Error).message);
  } catch {
    // On a disk that takes no writes; the start then finds it or not.
  }
}

/** What SQLite says of a file that is not as it was written. */
export function isDamage(error: unknown): boolean {
  const sqliteCorrupt = 11;
  const sqliteNotADb = 26;
  return [sqliteCorrupt, sqliteNotADb].includes(errcodeOf(error) & 0xff);
}

function noteOf(file: string): string {
  return `${file}.damaged`;
}

function findUnfinished(file: string): string | undefined {
  const start = `${basename(file)}.repairing-`;
  const names = readdirSync(dirname(file)).sort();
  return names
    .find((name) => name.startsWith(start) && !/-(wal|shm|journal)$/.test(name))
    ?.slice(start.length);
}

function findDamage(file: string, isAfterCrash: boolean): string | undefined {
  if (existsSync(noteOf(file))) return 'damage was seen while the bridge ran';
  const size = sizeOf(file);
  const walSize = sizeOf(`${file}-wal`);
  // A new log.
  if (size === 0 && walSize === 0) return undefined;
  // SQLite would take away a write-ahead log that stands beside an empty file.
  if (size < pageSize)
    return size === 0
      ? 'it is empty or missing, and its write-ahead log is not'
      : 'it is cut in its first page';
  const wal = readWriteAheadLog(`${file}-wal`);
  if (wal.isDamaged) return 'its write-ahead log is damaged before its end';
  try {
    // Reads alone, so that what is damaged is left as it is.
    const database = openForReading(file);
    try {
      const limit = isAfterCrash ? checkedAfterCrashBytes : alwaysCheckedBytes;
      return findMissingPage(database, size, wal.offsets) ?? checkContent(database, size + walSize <= limit);
    } finally {
      database.close();
    }
  } catch (error) {
    if (isDamage(error) || isOfSchema(error)) return (error as Error).message;
    // A crash while the file was made has left something to undo, which only the one who writes can do.
    if (isReadOnly(error)) return undefined;
    throw error;
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** A page that the file should have: it was cut, or not copied whole. */
function findMissingPage(
  database: DatabaseSync,
  size: number,
  inWriteAheadLog: ReadonlyMap<number, number>,
): string | undefined {
  const { page_count: count } = database.prepare('pragma page_count').get() as { page_count: number };
  for (let page = Math.floor(size / pageSize) + 1; page <= count; page++) {
    if (!inWriteAheadLog.has(page)) return `it is cut: page ${page} of ${count} is missing`;
  }
  return undefined;
}

/** Where the file is too large to be read whole, a look at each table from both its ends. */
function checkContent(database: DatabaseSync, isWhole: boolean): string | undefined {
  const { user_version: version } = database.prepare('pragma user_version').get() as { user_version: number };
  const { page_count: pages } = database.prepare('pragma page_count').get() as { page_count: number };
  const names = database.prepare('select name from sqlite_schema').all() as { name: string }[];
  if (names.length === 0) return pages > maxEmptyPages ? 'its tables are missing' : undefined;
  // What a newer bridge wrote is not ours to judge.
  if (version > schemaVersion) return undefined;
  const isSecond = names.some(({ name }) => name === 'attempts');
  if (version === 0 || isSecond !== version > 1) return 'its version is not that of its tables';
  if (isWhole) {
    const { quick_check: verdict } = database.prepare('pragma quick_check(1)').get() as {
      quick_check: string;
    };
    return verdict === 'ok' ? undefined : verdict.replaceAll(/\s+/g, ' ');
  }
  for (const query of looks) database.prepare(query).all();
  return undefined;
}

const looks = [
  'select * from books',
  'select * from consumers',
  'select * from records order by position limit 100',
  'select * from records order by position desc limit 100',
  'select event_id from records order by event_id limit 100',
  'select event_id from records order by event_id desc limit 100',
  'select * from outcomes order by consumer, position limit 100',
  'select * from outcomes order by consumer desc, position desc limit 100',
  'select * from dead_letters order by consumer, position limit 100',
  'select * from dead_letters order by consumer desc, position desc limit 100',
];

/** A table or a column that our log has is not there. */
function isOfSchema(error: unknown): boolean {
  const sqliteError = 1;
  return (errcodeOf(error) & 0xff) === sqliteError;
}

function isReadOnly(error: unknown): boolean {
  const sqliteReadOnly = 8;
  return (errcodeOf(error) & 0xff) === sqliteReadOnly;
}

/** `time`: of a repair that was cut short. */
function repair(
  file: string,
  found: string,
  time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, ''),
): Damage {
  const setAside = `${file}.damaged-${time}`;
  const repairing = `${file}.repairing-${time}`;
  writeFileSync(repairing, '');
  // The first file comes last: while it stands, the others are looked for beside it.
  for (const ending of endings.toReversed()) {
    if (existsSync(file + ending) && !existsSync(setAside + ending))
      renameSync(file + ending, setAside + ending);
  }
  if (!existsSync(setAside)) writeFileSync(setAside, '');
  syncFolder(dirname(file));
  // What an earlier try has left.
  for (const ending of ['-wal', '-shm', '-journal']) rmSync(repairing + ending, { force: true });
  const salvaged = salvage(setAside, repairing);
  syncFile(repairing);
  renameSync(repairing, file);
  rmSync(noteOf(file), { force: true });
  syncFolder(dirname(file));
  return { found, setAside, ...salvaged };
}

function syncFile(file: string): void {
  const descriptor = openSync(file, 'r+');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
