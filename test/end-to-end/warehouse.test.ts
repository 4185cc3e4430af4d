// What a warehouse that others run may go through, and the running process with it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startWarehouse } from '../support/warehouse.ts';
import type { TestWarehouse } from '../support/warehouse.ts';
import { until } from '../support/until.ts';

describe('a bridge with a warehouse that others run', () => {
  let warehouse: TestWarehouse;
  before(async () => {
    warehouse = await startWarehouse();
  });
  after(() => warehouse[Symbol.asyncDispose]());

  const countLogins = async (schema: string) => {
    const table = `${schema}.user_login_success`;
    const [there] = await warehouse.query('select to_regclass($1) as name', [table]);
    if (there?.['name'] === null) return 0;
    const [row] = await warehouse.query(`select count(*)::int as count from ${table}`);
    return row?.['count'];
  };

  const settingsFor = async (folder: { path: string }, schema: string) => ({
    DATA_DIR: folder.path,
    PORT: String(await freePort()),
    WAREHOUSE_URL: warehouse.url,
    WAREHOUSE_SCHEMA: schema,
  });

  test('loads all that the log has into a warehouse that has lost it, or that is new', async () => {
    await using folder = await temporaryFolder();
    const settings = await settingsFor(folder, 'lost');
    {
      await using bridge = await BridgeProcess.start(settings);
      for (let count = 0; count < 20; count++) await bridge.post(sample('user.login.success'));
      await bridge.settled();
    }
    await warehouse.query('drop schema lost cascade');

    for (const schema of ['lost', 'another']) {
      await using bridge = await BridgeProcess.start({ ...settings, WAREHOUSE_SCHEMA: schema });

      await until('the rows are there', async () => (await countLogins(schema)) === 20);
      assert.partialDeepStrictEqual((await bridge.books()).destinations['warehouse'], {
        state: 'running',
        pending: 0,
        delivered: 20,
      });
    }
  });

  test('says that another bridge loads into its schema, and holds its records until that one stops', async () => {
    await using one = await temporaryFolder();
    await using other = await temporaryFolder();
    const first = await BridgeProcess.start(await settingsFor(one, 'shared'));
    await first.post(sample('user.login.success'));
    await first.settled();
    const settings = await settingsFor(other, 'shared');
    {
      await using second = await BridgeProcess.start(settings);
      await second.post(sample('user.login.success'));

      const { destinations } = await second.books();

      assert.partialDeepStrictEqual(destinations['warehouse'], { state: 'blocked', pending: 1 });
      const { message = '', hint = '' } = destinations['warehouse']?.fault ?? {};
      assert.match(message, /^Another bridge, on the host .+, loads into the schema "shared" \(last seen 20/);
      assert.match(hint, /^Stop that bridge/);
    }
    await first.end('SIGTERM');

    await using second = await BridgeProcess.start(settings);
    await second.settled();
    assert.equal(await countLogins('shared'), 2);
  });
});
