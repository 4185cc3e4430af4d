// Damaged logs: what is found at the start, what is kept, and that the damaged file is kept too.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { DatabaseSync } from 'node:sqlite';
import { rowsOf } from '../../src/log/sqlite/page-rows.ts';
import { pageSize } from '../../src/log/sqlite/page-size.ts';
import { noteDamage, repairIfDamaged } from '../../src/log/sqlite/repair.ts';
import type { Damage } from '../../src/log/sqlite/repair.ts';
import { openForWriting } from '../../src/log/sqlite/schema.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { consumer, eventId, idsOf, makeEvent } from './opened-log.ts';

const runs = Number(process.env['DAMAGE_RUNS'] ?? 150);
const recordCount = 300;
const settledCount = 200;

/** The bytes of a log's files. */
interface Files {
  readonly main: Buffer;
  readonly wal: Buffer | undefined;
}

describe('a damaged log', { timeout: 300_000 }, () => {
  test('a healthy log, after its end or after a crash, is left as it is', async () => {
    await using folder = await temporaryFolder();
    for (const files of [await closedFiles, await crashedFiles]) {
      assert.equal(open(folder.path, files).damage, undefined);
      assert.deepEqual(
        readdirSync(folder.path).filter((name) => name.includes('damaged')),
        [],
      );
    }
  });

  for (const [name, change] of Object.entries<(files: Files) => Files>({
    'of garbage': ({ wal }) => ({ main: Buffer.from('This is not a database. '.repeat(1_000)), wal }),
    'whose first page was emptied': ({ main }) => ({ main: emptied(main, 1), wal: undefined }),
    'of which one byte is left': ({ main, wal }) => ({ main: main.subarray(0, 1), wal }),
    'that was emptied beside its write-ahead log': ({ wal }) => ({ main: Buffer.alloc(0), wal }),
    'whose version was changed': ({ main }) => ({ main: changed(main, 63, 0), wal: undefined }),
    'whose text encoding was changed': ({ main }) => ({ main: changed(main, 59, 3), wal: undefined }),
    'whose page size was changed': ({ main }) => ({ main: changed(main, 16, 0x20), wal: undefined }),
  })) {
    test(`a file ${name} is found, kept aside, and gives what can be read`, async () => {
      await using folder = await temporaryFolder();
      const files = change(
        name.includes('write-ahead') || name.includes('byte') ? await crashedFiles : await closedFiles,
      );

      const { damage, ids } = open(folder.path, files);

      assert.ok(damage);
      const kept = locate(files);
      assert.deepEqual(ids, [...kept.keys()]);
      assert.deepEqual(readFileSync(damage.setAside), files.main);
      if (files.wal) assert.deepEqual(readFileSync(`${damage.setAside}-wal`), files.wal);
    });
  }

  test('wherever the file is cut, what stands before the cut is kept', async () => {
    await using folder = await temporaryFolder();
    const { main } = await closedFiles;
    const whole = locate({ main, wal: undefined });
    for (let size = 0; size < main.length; size += Math.floor(pageSize * 1.7)) {
      const files = { main: main.subarray(0, size), wal: undefined };

      const { damage, ids } = open(folder.path, files);

      assert.equal(damage !== undefined, size > 0, `a file that was cut to ${size} bytes is found`);
      const pages = Math.floor(size / pageSize);
      assert.deepEqual(
        ids,
        idsOutside(whole, (page) => page > pages),
      );
    }
  });

  test('pages that were emptied cost what stood in them, and nothing else', async () => {
    await using folder = await temporaryFolder();
    const { main } = await closedFiles;
    const whole = locate({ main, wal: undefined });
    for (let seed = 0; seed < runs; seed++) {
      const random = randomOf(seed);
      const lost = new Set(Array.from({ length: 1 + Math.floor(random() * 5) }, () => pageAt(main, random)));
      const files = { main: [...lost].reduce(emptied, main), wal: undefined };

      const { ids, damage } = open(folder.path, files);

      const expected = idsOutside(whole, (page) => lost.has(page));
      assert.deepEqual(
        ids.filter((id) => expected.includes(id)),
        expected,
        `seed ${seed}: ${[...lost].join(' ')}`,
      );
      // The last page of a long text is not missed by SQLite: it has no sums of its pages.
      if (ids.length < recordCount) assert.ok(damage, `seed ${seed}: what is lost is told`);
    }
  });

  test('changed bytes cost what stands in their pages at most, and never the start', async () => {
    await using folder = await temporaryFolder();
    for (let seed = 0; seed < runs; seed++) {
      const random = randomOf(seed);
      const { main, wal } = await (random() < 0.5 ? closedFiles : crashedFiles);
      const whole = locate({ main, wal });
      const flipped = Buffer.from(main);
      const pages = new Set<number>();
      for (let count = 1 + Math.floor(random() * 8); count > 0; count--) {
        const offset = Math.floor(random() * flipped.length);
        flipped.writeUInt8(flipped.readUInt8(offset) ^ (1 << Math.floor(random() * 8)), offset);
        pages.add(Math.floor(offset / pageSize) + 1);
      }
      // A version that is not known yet is refused, not repaired.
      flipped.copy(flipped, 60, 0, 0);
      main.copy(flipped, 60, 60, 64);

      const ids = new Set(open(folder.path, { main: flipped, wal }).ids);

      // Where a changed position has taken its place, a record comes at the end.
      const missing = idsOutside(whole, (page) => pages.has(page)).filter((id) => !ids.has(id));
      assert.deepEqual(missing, [], `seed ${seed}`);
    }
  });

  test('a change in the write-ahead log costs no transaction behind it', async () => {
    await using folder = await temporaryFolder();
    const { main, wal } = await crashedFiles;
    assert.ok(wal);
    for (let seed = 0; seed < runs / 3; seed++) {
      const flipped = Buffer.from(wal);
      // Not in the last commits, which may as well be what a power loss cut short.
      const offset = Math.floor(randomOf(seed)() * (wal.length * 0.6));
      flipped.writeUInt8(flipped.readUInt8(offset) ^ 1, offset);

      const { ids, damage } = open(folder.path, { main, wal: flipped });

      assert.ok(damage, `seed ${seed}`);
      assert.ok(ids.length >= recordCount - 12, `seed ${seed}: ${ids.length} records are left`);
    }
  });

  test('a write-ahead log that is missing costs what stood in it', async () => {
    await using folder = await temporaryFolder();

    const { ids } = open(folder.path, { main: (await crashedFiles).main, wal: undefined });

    assert.ok(ids.length >= recordCount / 2 - 1 && ids.length < recordCount);
  });

  test('outcomes, dead letters, replays and sums are kept, and the books balance', async () => {
    await using folder = await temporaryFolder();
    const { main } = await closedFiles;

    const { damage, directory } = open(folder.path, { main: emptied(main, 1), wal: undefined });

    assert.partialDeepStrictEqual(damage, { records: recordCount, lostRecords: 0, assumedOutcomes: 0 });
    const log = await SqliteLog.open(directory);
    const books = await log.books([consumer]);
    const letters = await log.deadLetters([consumer], {}, 1_000);
    const replays = await log.replays();
    const next = await idsOf(log, 1, { maxRecords: 1 });
    const again = await log.append(makeEvent({ id: eventId('event-7') }));
    const journey = await log.journey(eventId('event-7'), [consumer]);
    await log.close();
    assert.deepEqual(books, {
      received: recordCount + 7,
      duplicates: 7,
      stored: recordCount,
      rejected: 3,
      consumers: {
        [consumer]: {
          pending: recordCount - settledCount,
          delivered: 180,
          filtered: 0,
          dead: 20,
          oldestPendingSeconds: books.consumers[consumer]?.oldestPendingSeconds,
        },
      },
    });
    assert.equal(letters.length, 20);
    assert.deepEqual(
      replays.map(({ state, delivered }) => [state, delivered]),
      [['stopped', 5]],
    );
    assert.deepEqual(next, [`event-${settledCount + 1}`]);
    assert.equal(again, 'duplicate');
    assert.equal(journey?.consumers[consumer]?.attempts.length, 1);
  });

  test('a repair that was cut short is made again', async () => {
    await using folder = await temporaryFolder();
    const { main, wal } = await crashedFiles;
    // As it is after the damaged file was set aside, with half of a new one.
    write(join(folder.path, 'log.sqlite.damaged-20260101T000000Z'), { main: emptied(main, 1), wal });
    writeFileSync(join(folder.path, 'log.sqlite.repairing-20260101T000000Z'), main.subarray(0, 10_000));

    const { damage, ids } = reopen(folder.path);

    assert.equal(ids.length, recordCount);
    assert.ok(damage?.setAside.endsWith('damaged-20260101T000000Z'));
    assert.deepEqual(
      readdirSync(folder.path).filter((name) => name.includes('repairing')),
      [],
    );
    assert.equal(reopen(folder.path).damage, undefined);
  });
});

/** Writes the files as a log, looks for damage, and reads what is there then; its books must balance. */
function open(folder: string, files: Files) {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  write(join(folder, 'log.sqlite'), files);
  return reopen(folder);
}

function reopen(directory: string): {
  damage: Damage | undefined;
  ids: readonly string[];
  directory: string;
} {
  const file = join(directory, 'log.sqlite');
  let damage = repairIfDamaged(file, { isAfterCrash: true });
  let database: DatabaseSync;
  try {
    database = openForWriting(file);
  } catch (error) {
    // As the log's own open does with what only the one who writes can see.
    noteDamage(file, error);
    damage = repairIfDamaged(file, { isAfterCrash: true });
    database = openForWriting(file);
  }
  try {
    const rows = database.prepare('select event_id, position from records order by position').all() as {
      event_id: string;
      position: number;
    }[];
    if (damage) {
      const unbalanced = database
        .prepare(
          `select * from consumers c join books where stored - delivered - filtered - dead
             <> (select count(*) from records where position > c.position) or received <> duplicates + stored`,
        )
        .all();
      assert.deepEqual(unbalanced, [], 'the books balance');
      assert.equal(damage.records, rows.length);
    }
    return { damage, ids: rows.map(({ event_id }) => event_id), directory };
  } finally {
    database.close();
  }
}

function write(file: string, { main, wal }: Files): void {
  writeFileSync(file, main);
  if (wal) writeFileSync(`${file}-wal`, wal);
}

/** A log of 300 records, as its end leaves it, or as a crash does with half of it in the write-ahead log. */
async function makeFiles(isClosed: boolean): Promise<Files> {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'log.sqlite');
  const database = openForWriting(file);
  const record = database.prepare(`insert into records values (?, ?, 'user.create', null, ?, 'unsigned', ?)`);
  const outcome = database.prepare('insert into outcomes values (?, ?, ?, ?)');
  const deadLetter = database.prepare(
    `insert into dead_letters values (?, ?, 0, 'm', 'invalid', 'd', '{}', 1, null)`,
  );
  database.exec(`insert into consumers values ('${consumer}', 0, 0, 0, 0)`);
  database.exec('pragma wal_autocheckpoint = 0');
  for (let position = 1; position <= recordCount; position++) {
    if (position === recordCount / 2) database.exec('pragma wal_checkpoint(truncate)');
    database.exec('begin');
    const body = JSON.stringify({ position, text: 'x'.repeat(position % 20 === 0 ? 9_000 : 300) });
    record.run(position, `event-${position}`, position, body);
    database.exec('update books set received = received + 1, stored = stored + 1');
    if (position <= settledCount) {
      const isDead = position % 10 === 0;
      outcome.run(consumer, position, isDead ? 'dead' : 'delivered', position);
      if (isDead) deadLetter.run(consumer, position);
      database.exec(
        `update consumers set position = position + 1, ${isDead ? 'dead = dead + 1' : 'delivered = delivered + 1'}`,
      );
    }
    database.exec('commit');
  }
  database.exec(`
    insert into attempts values (null, '${consumer}', 1, 200, 200, 1, 1, 2, 1, '200', null);
    insert into replays values (null, '${consumer}', '{}', 1, 10, 'stopped', 5, 200, 5, 0, 0, 1, 2);
    update books set received = received + 7, duplicates = 7, rejected = 3;
  `);
  if (isClosed) database.close();
  const files = { main: readFileSync(file), wal: isClosed ? undefined : readFileSync(`${file}-wal`) };
  if (!isClosed) database.close();
  return files;
}

const lastOverflow = 1_000_000;
const closedFiles = makeFiles(true);
const crashedFiles = makeFiles(false);

/** Of each event that stands in the files: the pages of the first file that it stands in, none where it is in the other. */
function locate({ main, wal }: Files): ReadonlyMap<string, readonly number[]> {
  const found = new Map<number, { id: string; pages: readonly number[] }>();
  for (let number = 1; number <= main.length / pageSize; number++) {
    const pages = [number];
    const read = (page: number) => {
      pages.push(page);
      return main.subarray((page - 1) * pageSize, page * pageSize);
    };
    for (const { rowId, values } of rowsOf(read(number), number, read)) {
      if (rowId !== undefined && values.length === 7)
        found.set(rowId, { id: String(values[1]), pages: [...pages] });
    }
  }
  if (wal) {
    for (let offset = 32; offset + 24 < wal.length; offset += 24 + pageSize) {
      // A large body goes on in two other pages; here it is enough that the record is there.
      const read = (number: number) => {
        const overflow = Buffer.alloc(pageSize, 'x');
        overflow.writeUInt32BE(number === lastOverflow ? 0 : lastOverflow);
        return overflow;
      };
      const page = wal.subarray(offset + 24, offset + 24 + pageSize);
      for (const { rowId, values } of rowsOf(page, wal.readUInt32BE(offset), read)) {
        if (rowId !== undefined && values.length === 7)
          found.set(rowId, { id: String(values[1]), pages: [] });
      }
    }
  }
  return new Map([...found].sort(([a], [b]) => a - b).map(([, { id, pages }]) => [id, pages]));
}

function idsOutside(
  located: ReadonlyMap<string, readonly number[]>,
  isLost: (page: number) => boolean,
): readonly string[] {
  return [...located].filter(([, pages]) => !pages.some(isLost)).map(([id]) => id);
}

function emptied(main: Buffer, page: number): Buffer {
  return Buffer.from(main).fill(0, (page - 1) * pageSize, page * pageSize);
}

function changed(main: Buffer, offset: number, value: number): Buffer {
  const copy = Buffer.from(main);
  copy.writeUInt8(value, offset);
  return copy;
}

function pageAt(main: Buffer, random: () => number): number {
  return 1 + Math.floor((random() * main.length) / pageSize);
}

/** Between 0 and 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
