// `warehouse move`, against a running bridge with its embedded warehouse, and another PostgreSQL server.

import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { runCommand } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { startWarehouse } from '../support/warehouse.ts';
import type { TestWarehouse } from '../support/warehouse.ts';

describe('warehouse move', { timeout: 120_000 }, () => {
  let target: TestWarehouse;
  before(async () => {
    target = await startWarehouse();
  });
  after(() => target[Symbol.asyncDispose]());

  const settingsFor = async (folder: { path: string }, schema: string) => ({
    DATA_DIR: folder.path,
    PORT: String(await freePort()),
    WAREHOUSE_PORT: String(await freePort()),
    WAREHOUSE_SCHEMA: schema,
  });

  const countLogins = async (schema: string) => {
    const [row] = await target.query(
      `select count(distinct id)::int as count from ${schema}.user_login_success`,
    );
    return row?.['count'];
  };

  /** Posts logins until it is stopped. */
  function pour(bridge: BridgeProcess) {
    const stopping = new AbortController();
    const ids: string[] = [];
    const pouring = (async () => {
      while (!stopping.signal.aborted) {
        const { status, body } = await bridge.post(sample('user.login.success'));
        assert.equal(status, 200);
        ids.push(String(body['id']));
      }
      return ids.length;
    })();
    return {
      count: () => ids.length,
      stop: () => {
        stopping.abort();
        return pouring;
      },
    };
  }

  test('brings all of it there while events come in, and the bridge goes on there, after a restart as well', async () => {
    await using folder = await temporaryFolder();
    const settings = await settingsFor(folder, 'moved');
    let posted: number;
    {
      await using bridge = await BridgeProcess.start(settings);
      for (let count = 0; count < 50; count++) await bridge.post(sample('user.create.complete'));
      await bridge.settled();
      const pouring = pour(bridge);

      const run = await runCommand(['warehouse', 'move', target.url], { settings });
      posted = await pouring.stop();
      await bridge.settled();

      assert.equal(run.exitCode, 0, run.stderr);
      assert.match(run.stdout, /^Copying the schema "moved" to 127\.0\.0\.1:\d+\/warehouse/);
      assert.match(run.stdout, /^ {2}users: 50 rows$/m);
      assert.match(run.stdout, /The warehouse is there, and the bridge loads into it/);
      assert.ok(!run.stdout.includes(new URL(target.url).password), 'the password is not printed');
      assert.ok(posted > 10, `${posted} events came meanwhile`);
      assert.equal(await countLogins('moved'), posted);
      const { mode } = await stat(join(folder.path, 'warehouse-url'));
      assert.equal((mode & 0o777).toString(8), '600');
      await bridge.end('SIGKILL');
    }
    await using bridge = await BridgeProcess.start(settings);
    await bridge.post(sample('user.login.success'));
    await bridge.settled();

    assert.equal(await countLogins('moved'), posted + 1);
    const url = await runCommand(['warehouse', 'url'], { settings });
    assert.equal(url.stdout.trim(), target.url);
    const again = await runCommand(['warehouse', 'move', target.url], { settings });
    assert.equal(again.exitCode, 1);
    assert.match(
      again.stderr,
      /^The warehouse is not the embedded one\nIt is where WAREHOUSE_URL, or .*warehouse-url, says/,
    );
  });

  test('that was killed behind the copy is finished by the bridge’s next start', async () => {
    await using folder = await temporaryFolder();
    const settings = await settingsFor(folder, 'killed');
    {
      await using bridge = await BridgeProcess.start(settings);
      for (let count = 0; count < 10; count++) await bridge.post(sample('user.login.success'));
      await bridge.settled();
      const [run] = await Promise.all([
        runCommand(['warehouse', 'move', target.url], { settings }),
        (async () => {
          // As soon as the new place is on disk, whatever the command has asked for since.
          for (;;) {
            const moved = await readFile(join(folder.path, 'warehouse-url'), 'utf8').catch(() => undefined);
            if (moved !== undefined) return bridge.end('SIGKILL');
            await bridge.post(sample('user.login.success'));
          }
        })(),
      ]);
      assert.match(run.stdout, /user_login_success: \d+ rows/);
    }

    await using bridge = await BridgeProcess.start(settings);
    const { stored } = await bridge.settled();

    await until('what came meanwhile is there', async () => (await countLogins('killed')) === stored);
  });

  test('to where the schema has something in it changes nothing, and says what to do', async () => {
    await using folder = await temporaryFolder();
    const settings = await settingsFor(folder, 'taken');
    await target.query('create schema taken; create table taken.theirs (id int)');
    await using bridge = await BridgeProcess.start(settings);

    const run = await runCommand(['warehouse', 'move', target.url], { settings });

    assert.equal(run.exitCode, 1);
    assert.match(
      run.stderr,
      /^The schema "taken" is there already, with "theirs" in it\nName another database/,
    );
    await assert.rejects(stat(join(folder.path, 'warehouse-url')));
    await bridge.post(sample('user.login.success'));
    assert.partialDeepStrictEqual((await bridge.settled()).destinations['warehouse'], { state: 'running' });
  });

  test('to nowhere, without a bridge, or of a warehouse that is off, says what is wrong', async () => {
    await using folder = await temporaryFolder();
    const settings = await settingsFor(folder, 'unmoved');
    const move = (url: string, changes = {}) =>
      runCommand(['warehouse', 'move', url], { settings: { ...settings, ...changes } });

    const withoutBridge = await move(target.url);
    const off = await move(target.url, { WAREHOUSE_URL: 'off' });
    const malformed = await move('nonsense');
    await using bridge = await BridgeProcess.start(settings);
    const unreachable = await move(`postgresql://user:secret@127.0.0.1:${await freePort()}/database`);

    assert.match(withoutBridge.stderr, /^No bridge answers at/);
    assert.match(off.stderr, /^The warehouse is not the embedded one\nIt is off/);
    assert.equal(malformed.exitCode, 2);
    assert.match(malformed.stderr, /^That is no connection string/);
    assert.match(unreachable.stderr, /^The warehouse could not be copied: .*ECONNREFUSED/);
    assert.ok(!unreachable.stderr.includes('secret'));
    assert.equal(bridge.hasExited, false);
  });
});
