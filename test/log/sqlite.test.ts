// The log contract, and what SQLite adds to it: one process a folder, files that are damaged, a disk that is full.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open as openFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { LogOpenError, LogUnavailableError } from '../../src/log/log.ts';
import type { EventLog } from '../../src/log/log.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { describeLog } from './contract.ts';
import {
  appendAll,
  assertBooks,
  consumer,
  eventId,
  idsOf,
  makeEvent,
  OpenedLog,
  replayedIds,
  settle,
  startConsumer,
} from './opened-log.ts';

const open = (directory: string) => SqliteLog.open(directory);

// Side by side, since a full disk is mostly waited for.
describe('the log on SQLite', { concurrency: 2 }, () => {
  describeLog('sqlite', open);
  describe('on a full disk', describeFullDisk);
});

describe('a folder belongs to one bridge', { concurrency: 4 }, () => {
  test('a second log in the same process is refused by name, and the first goes on', async () => {
    await using opened = await OpenedLog.open(open);

    await assert.rejects(open(opened.directory), isInUse(opened.directory, process.pid));

    assert.equal(await opened.log.append(makeEvent()), 'stored');
  });

  test('a second process is refused while the folder is open, also after a refusal in the first', async () => {
    await using opened = await OpenedLog.open(open);
    await assert.rejects(open(opened.directory), LogOpenError);

    await using other = await startProcess(opened.directory);

    await until('the other process ends', () => other.hasExited);
    assert.match(other.output, new RegExp(`LOG_OPEN.*in use by another bridge \\(process ${process.pid}\\)`));
  });

  test('a folder that another process has open is refused, and free again once that process was killed', async () => {
    await using folder = await temporaryFolder();
    await using other = await startProcess(folder.path);
    await until('the other process has stored its event', () => other.output.includes('stored'));

    await assert.rejects(open(folder.path), isInUse(folder.path, other.pid));
    await other.kill();
    await using opened = await openAt(folder.path);

    await assertBooks(opened.log, { received: 1, stored: 1 });
    assert.equal(await opened.log.append(makeEvent({ id: eventId('of-the-other') })), 'duplicate');
  });

  test('closing frees the folder', async () => {
    await using folder = await temporaryFolder();
    await (await open(folder.path)).close();

    await using opened = await openAt(folder.path);

    assert.equal(await opened.log.append(makeEvent()), 'stored');
  });

  function isInUse(directory: string, pid: number) {
    return (error: unknown) => {
      assert.ok(error instanceof LogOpenError);
      assert.equal(error.message, `DATA_DIR ${directory} is in use by another bridge (process ${pid})`);
      assert.match(error.hint, /Stop that one/);
      return true;
    };
  }
});

describe('a folder that cannot be used', () => {
  test('a log file that is no database is kept aside and told of, and a new log takes its place', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'log.sqlite');
    const text = 'This is not a database. '.repeat(1_000);
    await writeFile(file, text);

    await using opened = await openAt(folder.path);

    const { damage } = opened.log;
    assert.partialDeepStrictEqual(damage, { found: 'file is not a database', records: 0 });
    assert.equal(await readFile(damage?.setAside ?? '', 'utf8'), text);
    assert.equal(await opened.log.append(makeEvent()), 'stored');
  });

  test('a log of a newer version is refused, says so, and is left as it is', async () => {
    await using opened = await OpenedLog.open(open);
    await opened.log.append(makeEvent({ id: eventId('1') }));
    await opened.log.close();
    const file = join(opened.directory, 'log.sqlite');
    const version = setSchemaVersion(file, 1_000);

    await assert
      .rejects(open(opened.directory), (error: unknown) => {
        assert.ok(error instanceof LogOpenError);
        assert.match(error.message, /newer version of the bridge \(schema 1000, known \d+\)/);
        assert.match(
          error.hint,
          /version/,
          'the hint says that a newer version is needed, and blames no disk',
        );
        return true;
      })
      .finally(async () => {
        setSchemaVersion(file, version);
        await opened.reopen();
      });
    assert.deepEqual(await idsOf(opened.log, 1), ['1']);
  });

  test('a DATA_DIR that is a file is refused with what to do', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'file');
    await writeFile(file, '');

    await assert.rejects(open(file), (error: unknown) => {
      assert.ok(error instanceof LogOpenError);
      assert.match(error.message, /DATA_DIR .*file cannot be used/);
      assert.match(error.hint, /set DATA_DIR to another folder/);
      return true;
    });
  });

  test('a DATA_DIR that is not there is made, with all above it', async () => {
    await using folder = await temporaryFolder();

    await using opened = await openAt(join(folder.path, 'not', 'there', 'yet'));

    assert.equal(await opened.log.append(makeEvent()), 'stored');
  });

  /** Answers the version before. */
  function setSchemaVersion(file: string, version: number): number {
    const database = new DatabaseSync(file);
    const { user_version: before } = database.prepare('pragma user_version').get() as {
      user_version: number;
    };
    database.exec(`pragma user_version = ${version}`);
    database.close();
    return before;
  }
});

test('webhooks that were turned away are counted once, also when the log closes while their count is written', async (t) => {
  await using opened = await OpenedLog.open(open);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (let count = 0; count < 3; count++) opened.log.countRejected();

  // The count is on its way to the disk when the log is told to close.
  t.mock.timers.tick(1_000);
  t.mock.timers.reset();
  await opened.reopen();

  await assertBooks(opened.log, { rejected: 3 });
});

test('more than memory should hold is refused while the disk is behind, and taken afterwards', async () => {
  await using opened = await OpenedLog.open(open);
  const body = 'x'.repeat(15 * 1024 * 1024);
  const events = Array.from({ length: 9 }, () => makeEvent({ body }));

  const answers = await Promise.allSettled(events.map((event) => opened.log.append(event)));

  const refused = answers.filter((answer) => answer.status === 'rejected');
  assert.equal(refused.length, 1);
  assert.ok(refused[0]?.reason instanceof LogUnavailableError);
  assert.equal(await opened.log.append(makeEvent()), 'stored');
  await assertBooks(opened.log, { received: 9, stored: 9 });
});

describe('a disk with little room', { concurrency: 2 }, () => {
  const mb = 1024 * 1024;

  test('refuses webhooks before SQLite does, settles and removes on, and takes them again when there is room', async () => {
    await using folder = await temporaryFolder();
    let freeBytes = 1_000 * mb;
    const measureVolume = () => Promise.resolve({ freeBytes, totalBytes: 100_000 * mb });
    await using opened = await openAt(folder.path, { measureVolume });
    const { log } = opened;
    await log.append(makeEvent());

    freeBytes = 100 * mb;
    await until('the log has seen that there is little room', () => !log.isWritable());
    await assert.rejects(log.append(makeEvent()), (error: unknown) => {
      assert.ok(error instanceof LogUnavailableError);
      assert.match(error.hint, /disk is full: make room/);
      return true;
    });
    await idsOf(log, 1);
    const pruned = await log.prune(Date.now(), [consumer], new AbortController().signal);
    await assertBooks(log, { received: 1, stored: 1, segment: { pending: 0, delivered: 1 } });
    assert.equal(pruned, 1);
    assert.equal(log.isWritable(), false, 'a write that worked says nothing of the room');

    freeBytes = 200 * mb;
    await until('the log takes webhooks again by itself', () => log.isWritable());
    assert.equal(await log.append(makeEvent()), 'stored');
  });

  for (const [name, freeBytes, totalBytes, expected] of [
    ['a large volume needs 128 MB', 129 * mb, 100_000 * mb, true],
    ['and no less', 127 * mb, 100_000 * mb, false],
    ['a small volume needs a twentieth', 6 * mb, 100 * mb, true],
    ['and no less than that', 4 * mb, 100 * mb, false],
  ] as const) {
    test(name, async () => {
      await using folder = await temporaryFolder();
      await using opened = await openAt(folder.path, {
        measureVolume: () => Promise.resolve({ freeBytes, totalBytes }),
      });

      assert.equal(opened.log.isWritable(), expected);
    });
  }

  test('a volume that does not tell its room is written to', async () => {
    await using folder = await temporaryFolder();
    await using opened = await openAt(folder.path, { measureVolume: () => Promise.reject(new Error('no')) });

    assert.equal(await opened.log.append(makeEvent()), 'stored');
  });
});

test('a log of the first version opens, keeps all that it has, and gains the rest', async () => {
  await using folder = await temporaryFolder();
  const database = new DatabaseSync(join(folder.path, 'log.sqlite'));
  database.exec(`pragma journal_mode = wal; ${firstSchema}
    insert into records values (1, '1', 'user.create', 'tenant', 1000, 'hmac:1', '{"a":1}'),
      (2, '2', 'user.update', null, 2000, 'unsigned', '{}'), (3, '3', 'user.update', null, 3000, 'unsigned', '{}');
    update books set received = 4, duplicates = 1, stored = 3, rejected = 5;
    insert into consumers values ('${consumer}', 2, 1, 0, 1);
    insert into outcomes values ('${consumer}', 1, 'delivered', 1500), ('${consumer}', 2, 'dead', 2500);
    insert into dead_letters values ('${consumer}', 2, 0, 'm', 'invalid', 'It has no user', '{"m":1}', 2500);`);
  database.close();

  await using opened = await openAt(folder.path);
  const { log } = opened;

  assert.equal(log.damage, undefined);
  const segment = { pending: 1, delivered: 1, filtered: 0, dead: 1 };
  await assertBooks(log, { received: 4, duplicates: 1, stored: 3, rejected: 5, segment });
  assert.partialDeepStrictEqual(await log.journey(eventId('2'), [consumer]), {
    record: { type: 'user.update', body: '{}' },
    consumers: {
      segment: {
        outcome: 'dead',
        settledAt: 2500,
        deadLetters: [{ messageId: 'm', reason: 'invalid', detail: 'It has no user', message: '{"m":1}' }],
      },
    },
  });
  assert.equal(await log.append(makeEvent({ id: eventId('1') })), 'duplicate');
  assert.deepEqual(await replayedIds(log, { outcome: 'dead' }), ['2']);
  assert.deepEqual(await idsOf(log, 1), ['3']);
  assert.equal(await log.prune(10_000, [consumer], new AbortController().signal), 3);
  await assertBooks(log, { stored: 3, segment: { pending: 0, delivered: 3, dead: 0 } });
});

test('what one operation is refused for fails it alone, and not the webhooks that share its write', async () => {
  await using opened = await OpenedLog.open(open);
  await opened.log.append(makeEvent({ id: eventId('1') }));
  await using consuming = startConsumer(opened.log);
  const handedOut = await consuming.next();
  await settle(handedOut);

  const [again, appended] = await Promise.allSettled([settle(handedOut), opened.log.append(makeEvent())]);

  assert.equal(again.status, 'rejected');
  assert.deepEqual(appended, { status: 'fulfilled', value: 'stored' });
  assert.equal(opened.log.isWritable(), true);
  await assertBooks(opened.log, { stored: 2, segment: { pending: 1, delivered: 1 } });
});

test('damage that shows while the log is in use says to restart, and the next start repairs it', async () => {
  await using folder = await temporaryFolder();
  {
    await using opened = await openAt(folder.path);
    const body = 'x'.repeat(1_000);
    await appendAll(
      opened.log,
      Array.from({ length: 100 }, () => makeEvent({ body })),
    );
  }
  {
    await using opened = await openAt(folder.path);
    const file = await openFile(join(folder.path, 'log.sqlite'), 'r+');
    const { size } = await file.stat();
    // All but the first pages, which tell the tables.
    await file.write(Buffer.alloc(size - 24 * 4096, 0xff), 0, size - 24 * 4096, 24 * 4096);
    await file.close();

    await assert.rejects(opened.log.latest(100, []), (error: unknown) => {
      assert.ok(error instanceof LogUnavailableError);
      assert.match(error.hint, /damaged: restart the bridge/);
      return true;
    });
  }
  await using repaired = await openAt(folder.path);

  const left = await repaired.log.latest(1_000, []);
  assert.equal(repaired.log.damage?.records, left.length);
  assert.ok(left.length > 0 && left.length < 100);
  await assertBooks(repaired.log, { stored: left.length, segment: { pending: left.length } });
});

test('a removal of many records gives their space back and holds up no append for long', async () => {
  await using opened = await OpenedLog.open(open);
  const count = 20_000;
  const body = 'x'.repeat(500);
  for (let start = 0; start < count; start += 5_000) {
    await appendAll(
      opened.log,
      Array.from({ length: 5_000 }, () => makeEvent({ body })),
    );
  }
  await idsOf(opened.log, count, { maxRecords: 5_000, maxCharacters: 10_000_000 });
  await opened.reopen();
  const file = join(opened.directory, 'log.sqlite');
  const { size: before } = await stat(file);

  const pruning = opened.log.prune(Date.now(), [consumer], new AbortController().signal);
  const ended = new AbortController();
  void pruning.finally(() => ended.abort());
  const waits: number[] = [];
  while (!ended.signal.aborted) {
    const startedAt = performance.now();
    await opened.log.append(makeEvent({ receivedAt: Date.now() + 3_600_000 }));
    waits.push(performance.now() - startedAt);
  }
  const pruned = await pruning;
  await opened.reopen();
  const { size: after } = await stat(file);

  waits.sort((a, b) => a - b);
  const percentile = (share: number) => waits[Math.floor((waits.length - 1) * share)] ?? 0;
  assert.equal(pruned, count);
  assert.ok(after < before / 2, `${before} bytes became ${after}`);
  assert.ok(percentile(0.5) < 50 && percentile(0.95) < 250, `${percentile(0.5)} ms, ${percentile(0.95)} ms`);
});

/** As the first version made it. */
const firstSchema = `
  create table records (
    position integer primary key,
    event_id text not null unique,
    type text not null,
    tenant_id text,
    received_at integer not null,
    verified_by text not null,
    body text not null
  ) strict;

  create table books (
    id integer primary key check (id = 1),
    received integer not null,
    duplicates integer not null,
    stored integer not null,
    rejected integer not null
  ) strict;
  insert into books values (1, 0, 0, 0, 0);

  -- What a destination has settled: everything up to "position", with the sums of its outcomes.
  create table consumers (
    name text primary key,
    position integer not null,
    delivered integer not null,
    filtered integer not null,
    dead integer not null
  ) strict, without rowid;

  create table outcomes (
    consumer text not null,
    position integer not null,
    outcome text not null check (outcome in ('delivered', 'filtered', 'dead')),
    settled_at integer not null,
    primary key (consumer, position)
  ) strict, without rowid;

  create table dead_letters (
    consumer text not null,
    position integer not null,
    number integer not null, -- among the dead letters of its record
    message_id text not null,
    reason text not null,
    detail text not null,
    message text not null,
    settled_at integer not null,
    primary key (consumer, position, number)
  ) strict, without rowid;

  pragma user_version = 1;
`;

function describeFullDisk(): void {
  test('refuses events, is known as not writable until there is room, and loses none that was stored', async (t) => {
    await using disk = await mountSmallDisk();
    if (disk === undefined) {
      t.skip('a small file system cannot be mounted here: this needs root on Linux');
      return;
    }
    const stored: string[] = [];
    const isWritableWhileFull: boolean[] = [];
    {
      await using opened = await openAt(disk.path);
      const { log } = opened;

      const refusal = await fill(log, stored);
      assert.ok(refusal instanceof LogUnavailableError);
      assert.match(refusal.hint, /disk is full: make room/);
      assert.equal(log.isWritable(), false);

      // It tries the disk again once a second.
      const filledAt = performance.now();
      await until('the log has tried the full disk again', () => {
        isWritableWhileFull.push(log.isWritable());
        return performance.now() - filledAt > 1_500;
      });
      await assert.rejects(log.append(makeEvent()), LogUnavailableError);
      await assertBooks(log, { received: stored.length, stored: stored.length });

      // Room for the write-ahead log, and for its copy into the file when the log is closed.
      execFileSync('mount', ['-o', 'remount,size=8m', disk.path]);
      await until('the log takes writes again by itself', () => log.isWritable());
      const late = makeEvent();
      assert.equal(await log.append(late), 'stored');
      stored.push(late.id);
    }
    await using reopened = await openAt(disk.path);

    assert.deepEqual(await idsOf(reopened.log, stored.length), stored);
    await assertBooks(reopened.log, { received: stored.length, stored: stored.length });
    assert.ok(!isWritableWhileFull.includes(true), 'a disk that is still full is not reported as writable');
  });

  /** Appends until not even the smallest event is taken; the error of the last one. */
  async function fill(log: EventLog, stored: string[]): Promise<unknown> {
    let error: unknown;
    for (const size of [40_000, 4_000, 10, 10]) {
      for (error = undefined; error === undefined;) {
        const event = makeEvent({ body: 'x'.repeat(size) });
        try {
          await log.append(event);
          stored.push(event.id);
        } catch (refusal) {
          error = refusal;
        }
      }
    }
    return error;
  }

  /** Undefined where it cannot be done. */
  async function mountSmallDisk(): Promise<({ path: string } & AsyncDisposable) | undefined> {
    const folder = await temporaryFolder();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder.path], { stdio: 'ignore' });
    } catch {
      await folder[Symbol.asyncDispose]();
      return undefined;
    }
    return {
      path: folder.path,
      async [Symbol.asyncDispose]() {
        // Lazily, so that a test that fails with its log open leaves no mount behind.
        execFileSync('umount', ['--lazy', folder.path]);
        await folder[Symbol.asyncDispose]();
      },
    };
  }
}

/** A log that is closed at the end of its scope. */
async function openAt(
  directory: string,
  options: Parameters<typeof SqliteLog.open>[1] = {},
): Promise<{ log: SqliteLog } & AsyncDisposable> {
  const log = await SqliteLog.open(directory, options);
  return { log, [Symbol.asyncDispose]: () => log.close() };
}

/** Another process that opens the log, stores the event `of-the-other` and stays until it is killed. */
async function startProcess(directory: string) {
  const script = `
    import { SqliteLog } from ${JSON.stringify(new URL('../../src/log/sqlite.ts', import.meta.url))};
    try {
      const log = await SqliteLog.open(${JSON.stringify(directory)});
      const event = ${JSON.stringify(makeEvent({ id: eventId('of-the-other') }))};
      console.log(await log.append(event));
      setInterval(() => undefined, 1_000);
    } catch (error) {
      console.log(error.code, error.message);
    }`;
  const child = spawn(process.execPath, ['--eval', script]);
  const exited = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  await once(child, 'spawn');
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  return {
    pid: child.pid ?? 0,
    get hasExited() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    get output() {
      return output;
    },
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
