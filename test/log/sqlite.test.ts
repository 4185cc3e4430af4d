// The log contract, and what SQLite adds to it: one process a folder, files that are damaged, a disk that is full.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { LogOpenError, LogUnavailableError } from '../../src/log/log.ts';
import type { EventLog } from '../../src/log/log.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { assertBooks, describeLog, eventId, idsOf, makeEvent, OpenedLog } from './contract.ts';

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
  test('a log file that is no database is refused with what to do, and opens once it is out of the way', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'log.sqlite');
    await writeFile(file, 'This is not a database. '.repeat(1_000));

    await assert.rejects(open(folder.path), (error: unknown) => {
      assert.ok(error instanceof LogOpenError);
      assert.match(error.message, /log\.sqlite could not be opened: file is not a database/);
      assert.match(error.hint, /damaged.*restore it from a backup/);
      return true;
    });

    await rm(file);
    await using opened = await openAt(folder.path);
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
async function openAt(directory: string): Promise<{ log: EventLog } & AsyncDisposable> {
  const log = await open(directory);
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
