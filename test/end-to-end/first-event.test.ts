// From nothing to a verified event, in the README's own steps: a stand-in for FusionAuth as `npm run fake-fusionauth` starts
// it, `setup`, the bridge with what `setup` left in `.env`, a login there, a row here.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import pg from 'pg';
import { request } from 'undici';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { connectionUrl, readConnection } from '../../src/destinations/warehouse/embedded/connection.ts';
import { BridgeProcess } from '../support/bridge.ts';
import { runCommand } from '../support/command.ts';
import { exampleApplicationId, superKey } from '../support/fake-fusionauth/fake-fusionauth.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const main = new URL('../support/fake-fusionauth/main.ts', import.meta.url).pathname;

test('npm run fake-fusionauth, setup --yes, npm start, a login there: a verified row here', async () => {
  await using folder = await temporaryFolder();
  const fusionAuthUrl = `http://127.0.0.1:${await freePort()}`;
  const standIn = spawn(process.execPath, [main, '--port', new URL(fusionAuthUrl).port], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(standIn, 'exit');
  try {
    let said = '';
    standIn.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    await until('the stand-in runs', () => said.includes(fusionAuthUrl));

    const settings = {
      DATA_DIR: join(folder.path, 'data'),
      PORT: String(await freePort()),
      WAREHOUSE_PORT: String(await freePort()),
    };
    const known = { ...settings, FUSIONAUTH_URL: fusionAuthUrl, FUSIONAUTH_API_KEY: superKey };
    const setup = await runCommand(['setup', '--yes'], { settings: known, cwd: folder.path });
    assert.equal(setup.exitCode, 0, setup.stderr);

    const kept = parseEnv(await readFile(join(folder.path, '.env'), 'utf8')) as Record<string, string>;
    await using bridge = await BridgeProcess.start({ ...settings, ...kept });
    const login = await request(`${fusionAuthUrl}/api/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        loginId: 'richard@example.com',
        password: 'password',
        applicationId: exampleApplicationId,
      }),
    });
    assert.equal(login.statusCode, 200, await login.body.text());

    await until('the login has come', async () => (await bridge.books()).stored > 0);
    await bridge.settled();
    const connection = readConnection(settings.DATA_DIR);
    assert.ok(connection);
    const client = new pg.Client({ connectionString: connectionUrl(connection, 'reader') });
    await client.connect();
    const { rows } = await client.query('select user_id, application_id from user_login_success');
    await client.end();
    assert.deepEqual(rows, [
      { user_id: '00000000-0000-0000-0000-111111111111', application_id: exampleApplicationId },
    ]);
    const { events } = JSON.parse((await bridge.get('/api/events')).text) as {
      events: { verifiedBy: string }[];
    };
    assert.match(events[0]?.verifiedBy ?? '', /^kid:/);

    // What nobody has signed is turned away from now on.
    assert.equal((await bridge.post({ event: { type: 'user.login.success', id: 'forged' } })).status, 401);
  } finally {
    standIn.kill('SIGTERM');
    await ended;
  }
});
