// The warehouse as CSV, by address and by command, from the running bridge and its embedded PostgreSQL.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { request } from 'undici';
import { connectionUrl, readConnection } from '../../src/destinations/warehouse/embedded/connection.ts';
import { viewNames } from '../../src/destinations/warehouse/views.ts';
import { BridgeProcess, sample, startBridge } from '../support/bridge.ts';
import { runCommand } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { residentMegabytes } from '../support/memory.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const adminToken = 'token-of-the-admin';
const admin = { authorization: `Bearer ${adminToken}` };

describe('the exports of a bridge', { timeout: 180_000 }, () => {
  let folder: { path: string } & AsyncDisposable;
  let settings: Record<string, string>;
  let bridge: BridgeProcess;
  let owner: pg.Client;
  before(async () => {
    folder = await temporaryFolder();
    settings = {
      HOST: '0.0.0.0',
      PORT: String(await freePort()),
      DATA_DIR: join(folder.path, 'data'),
      WAREHOUSE_PORT: String(await freePort()),
      ADMIN_TOKEN: adminToken,
      FUSIONAUTH_ALLOW_UNSIGNED: 'true',
    };
    bridge = await BridgeProcess.start(settings);
    await bridge.post(sample('user.login.success', { userId: 'the user' }));
    await until('the row is there', async () => {
      const { text } = await bridge.get('/export/user_login_success.csv', admin);
      return text.includes('the user');
    });
    const connection = readConnection(settings['DATA_DIR'] ?? '');
    assert.ok(connection);
    owner = new pg.Client({ connectionString: connectionUrl(connection, 'owner') });
    await owner.connect();
    await owner.query(
      `set search_path = fusionauth;
       create table large (id text primary key, received_at timestamptz, words text);
       insert into large select md5(n::text), timestamptz '2026-01-01Z' + n * interval '1 second', repeat('words ', 10)
         from generate_series(1, 1000000) n;
       create view own_active_users as select date_trunc('day', received_at) as day, count(*) as users from user_login_success group by 1`,
    );
  });
  after(async () => {
    await owner.end();
    await bridge[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const run = (...args: string[]) => runCommand(['export', ...args], { settings });
  const queriesRunning = async () => {
    const { rows } = await owner.query<{ running: number }>(
      `select count(*)::int as running from pg_stat_activity where application_name = 'fusionauth-segment export'`,
    );
    return rows[0]?.running;
  };

  test('a million rows come whole, and in memory that does not grow with them', async () => {
    let [bytes, lines, pieces] = [0, 0, 0];
    // In the first half the heap of V8 finds its size; what is kept of the rows would show in the second.
    const highest = { firstHalf: 0, secondHalf: 0 };

    const answer = await request(`${bridge.url}/export/large.csv`, { headers: admin });
    for await (const piece of answer.body as AsyncIterable<Buffer>) {
      if (pieces++ % 50 === 0) {
        const half = lines < 500_000 ? 'firstHalf' : 'secondHalf';
        highest[half] = Math.max(highest[half], await residentMegabytes(bridge.pid));
      }
      bytes += piece.length;
      for (let at = piece.indexOf(10); at !== -1; at = piece.indexOf(10, at + 1)) lines++;
    }

    assert.equal(lines, 1_000_001);
    assert.ok(bytes > 100_000_000, `${bytes} bytes`);
    assert.ok(highest.secondHalf - highest.firstHalf < 40, JSON.stringify(highest));
  });

  test('a reader that takes nothing costs no memory; when it goes away its query ends', async () => {
    await bridge.get('/export/large.csv?limit=1000', admin);
    const before = await residentMegabytes(bridge.pid);
    const asked = httpRequest(`${bridge.url}/export/large.csv?since=2026-01-01`, { headers: admin }).end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    await once(answer, 'readable');
    answer.on('error', () => undefined);

    await owner.query('alter table fusionauth.large add column more text');

    assert.ok((await residentMegabytes(bridge.pid)) - before < 60);
    assert.equal(await queriesRunning(), 1);
    asked.destroy();
    await until('its connection has ended', async () => (await queriesRunning()) === 0);
    await owner.query('alter table fusionauth.large drop column more');
  });

  test('a fault in the midst breaks the connection, so that a part does not pass for the whole', async () => {
    const answer = await request(`${bridge.url}/export/large.csv`, { headers: admin });
    const ended = (async () => {
      for await (const piece of answer.body as AsyncIterable<Buffer>) {
        assert.ok(piece.length > 0);
        await terminateExports();
      }
    })();

    await assert.rejects(ended);
    await until('the log says so', () => bridge.stderr.includes('An export broke off'));
  });

  test('an address with the token is all that a spreadsheet needs, until there is a new token', async () => {
    const shown = await run('own_active_users', '--address', '--bom');
    const address = shown.stdout.trim();
    const get = async (url: string) => {
      const answer = await request(url);
      return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
    };

    assert.match(
      address,
      new RegExp(`^${bridge.url}/export/own_active_users\\.csv\\?bom=1&token=[\\w-]{32}$`),
    );
    assert.match(shown.stderr, /Only this machine reaches that address/);
    const answer = await get(address);
    assert.equal(answer.status, 200);
    assert.match(answer.text, /^\ufeff?day,users\r\n\d{4}-\d\d-\d\d 00:00:00,1\r\n$/);
    assert.partialDeepStrictEqual(answer.headers, {
      'content-type': 'text/csv; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    });
    const token = new URL(address).searchParams.get('token') ?? '';
    assert.equal((await bridge.get('/api/status', { authorization: `Bearer ${token}` })).status, 401);
    const file = join(settings['DATA_DIR'] ?? '', 'export-token');
    assert.equal((statSync(file).mode & 0o777).toString(8), '600');
    assert.equal(readFileSync(file, 'utf8').trim(), token);

    const renewed = (await run('own_active_users', '--address', '--new-token')).stdout.trim();

    assert.equal((await get(address)).status, 401);
    assert.equal((await get(renewed)).status, 200);
    for (const secret of [token, new URL(renewed).searchParams.get('token') ?? '']) {
      assert.ok(!(bridge.stderr + bridge.stdout).includes(secret), 'no log line has a token');
    }
  });

  test('nobody else is let in', async () => {
    for (const path of [
      '/export',
      '/export/users.csv',
      '/export/users.csv?token=wrong',
      '/api/export-token',
    ]) {
      assert.equal((await bridge.get(path)).status, 401, path);
    }
    assert.equal((await bridge.post({}, {}, '/api/export-token')).status, 401);
  });

  test('what cannot be exported is answered with what can', async () => {
    const cases: [path: string, status: number, code: string, hint: RegExp][] = [
      ['unknown.csv', 404, 'EXPORT_UNKNOWN', /own_active_users, .*large, tracks, user_login_success$/],
      [`${encodeURIComponent('users"; drop table users; --')}.csv`, 404, 'EXPORT_UNKNOWN', /large/],
      ['large.csv?columns=id,none', 400, 'EXPORT_INVALID', /It has id, received_at, words/],
      ['large.csv?limit=0', 400, 'EXPORT_INVALID', /docs\/api\.md/],
      ['large.csv?since=yesterday', 400, 'EXPORT_INVALID', /docs\/api\.md/],
      ['large.csv?order=id', 400, 'EXPORT_INVALID', /docs\/api\.md/],
      ['own_active_users.csv?since=2026-01-01', 400, 'EXPORT_INVALID', /timestamp/],
    ];
    for (const [path, status, code, hint] of cases) {
      const answer = await bridge.get(`/export/${path}`, admin);

      const body = JSON.parse(answer.text) as { code: string; hint: string };
      assert.deepEqual([answer.status, body.code], [status, code], path);
      assert.match(body.hint, hint);
    }
  });

  test('columns, limit and times are chosen in the address', async () => {
    const newest = await bridge.get('/export/large.csv?columns=received_at&limit=2', admin);
    const between = await bridge.get(
      `/export/large.csv?columns=received_at&since=2026-01-01T00:00:10Z&until=${Date.parse('2026-01-01T00:00:11Z')}`,
      admin,
    );

    assert.equal(newest.text, 'received_at\r\n2026-01-12 13:46:40\r\n2026-01-12 13:46:39\r\n');
    assert.equal(between.text, 'received_at\r\n2026-01-01 00:00:10\r\n');
  });

  test('HEAD is answered without reading the table', async () => {
    const answer = await request(`${bridge.url}/export/large.csv`, { method: 'HEAD', headers: admin });

    assert.equal(answer.statusCode, 200);
    await until('nothing is read', async () => (await queriesRunning()) === 0, 2_000);
  });

  test('a fifth at once is told to come back', async () => {
    const slow = Array.from({ length: 4 }, () =>
      httpRequest(`${bridge.url}/export/large.csv`, { headers: admin }).end(),
    );
    // All at once: an answer that nobody listens for yet is thrown away.
    const answers = await Promise.all(slow.map((asked) => once(asked, 'response')));
    for (const [answer] of answers as [IncomingMessage][]) answer.on('error', () => undefined);

    const refused = await request(`${bridge.url}/export/large.csv`, { headers: admin });

    assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [429, '10']);
    await refused.body.dump();
    for (const asked of slow) asked.destroy();
    await until('there is room again', async () => {
      return (await bridge.get('/export/large.csv?limit=1', admin)).status === 200;
    });
  });

  test('the command lists, prints, and writes a file that is there when it is whole', async () => {
    const file = join(folder.path, 'logins.csv');

    const [list, json, printed, written, unknown] = await Promise.all([
      run(),
      run('--json'),
      run('user_login_success', '--columns', 'user_id', '--since', '1h'),
      run('large', '--columns', 'id,received_at', '--until', '2026-01-01T00:10:00Z', '--out', file),
      run('unknown', '--out', join(folder.path, 'unknown.csv')),
    ]);

    assert.match(
      list.stdout,
      /^NAME +KIND\n.*\nown_active_users +view\n.*\nlarge +table\ntracks +table\nuser_login_success +table\n$/s,
    );
    const { exports } = JSON.parse(json.stdout) as { exports: { name: string; kind: string }[] };
    assert.deepEqual(
      exports.filter(({ name }) => !viewNames.has(name)),
      [
        { name: 'own_active_users', kind: 'view' },
        { name: 'large', kind: 'table' },
        { name: 'tracks', kind: 'table' },
        { name: 'user_login_success', kind: 'table' },
      ],
    );
    assert.equal(printed.stdout, 'user_id\r\nthe user\r\n');
    assert.deepEqual([written.exitCode, written.stdout], [0, '']);
    assert.equal(readFileSync(file, 'utf8').split('\r\n').length, 601);
    assert.equal(unknown.exitCode, 1);
    assert.match(unknown.stderr, /no table or view "unknown"\nThere are .*own_active_users, .*large/);
    assert.ok(!existsSync(join(folder.path, 'unknown.csv')));
  });

  test('a command whose export breaks off fails, and leaves no file', async () => {
    const file = join(folder.path, 'broken.csv');
    const running = run('large', '--out', file);
    await until('it has begun', () => existsSync(`${file}.part`) && statSync(`${file}.part`).size > 0);

    await terminateExports();

    const { exitCode, stderr } = await running;
    assert.equal(exitCode, 1);
    assert.match(stderr, /The export broke off: what has come is not all\nTry again/);
    assert.ok(!existsSync(file) && !existsSync(`${file}.part`));
  });

  test('wrong usage of the command exits with 2', async () => {
    for (const args of [['--address'], ['--out', 'x.csv'], ['large', '--limit', '0']]) {
      assert.equal((await run(...args)).exitCode, 2, args.join(' '));
    }
    const help = await run('--help');
    assert.match(help.stdout, /Examples:/);
  });

  async function terminateExports(): Promise<void> {
    // Only who is in a session may end it without being superuser; the reader may end its own role's.
    const connection = readConnection(settings['DATA_DIR'] ?? '');
    assert.ok(connection);
    const reader = new pg.Client({ connectionString: connectionUrl(connection, 'reader') });
    await reader.connect();
    await reader.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fusionauth-segment export'`,
    );
    await reader.end();
  }
});

test('without a warehouse there is nothing to export, and it is said why', async () => {
  await using bridge = await startBridge();

  for (const path of ['/export', '/export/users.csv', '/api/export-token']) {
    const { status, text } = await bridge.get(path);

    assert.deepEqual([status, (JSON.parse(text) as { code: string }).code], [404, 'WAREHOUSE_OFF'], path);
  }
});

test('a warehouse that does not answer is 503, with what to do, and later', async () => {
  await using bridge = await startBridge({ WAREHOUSE_URL: 'postgresql://u:secret-word@127.0.0.1:1/d' });

  const answer = await request(`${bridge.url}/export/users.csv`);

  assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [503, '10']);
  const body = await answer.body.text();
  assert.partialDeepStrictEqual(JSON.parse(body), {
    code: 'WAREHOUSE_UNAVAILABLE',
    message: 'The warehouse cannot be read (ECONNREFUSED)',
  });
  assert.match(bridge.stderr, /An export failed/);
  assert.ok(!(body + bridge.stderr).includes('secret-word'));
});
