// How the bridge starts, where it refuses to, and how it stops.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { cli, runCommand } from '../support/command.ts';
import { BridgeProcess, sample, startArguments, startBridge } from '../support/bridge.ts';
import { EventStream } from '../support/event-stream.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);

test('with no setting but its place, a posted sample is a row that a client reads by the printed address', async () => {
  await using folder = await temporaryFolder();
  const settings = {
    DATA_DIR: folder.path,
    PORT: String(await freePort()),
    WAREHOUSE_PORT: String(await freePort()),
  };
  await using bridge = await BridgeProcess.start(settings);
  const command = async (...args: string[]) =>
    (await run(process.execPath, [cli, ...args], { env: { ...process.env, ...settings } })).stdout;

  const sent = await command('send', 'user.login.success');
  await bridge.settled();
  const url = (await command('warehouse', 'url')).trim();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('select event_text from user_login_success');
  await client.end();

  assert.match(sent, /^stored {2}user\.login\.success {2}[0-9a-f-]{36}\n$/);
  assert.deepEqual(rows, [{ event_text: 'user.login.success' }]);
  assert.match(bridge.stdout, new RegExp(`webhook +${bridge.url}/webhook`));
  assert.match(bridge.stdout, new RegExp(`page +${bridge.url}`));
  assert.match(
    bridge.stdout,
    new RegExp(`warehouse +embedded PostgreSQL at 127\\.0\\.0\\.1:${settings.WAREHOUSE_PORT}`),
  );
  assert.match(bridge.stdout, /segment +off: set SEGMENT_WRITE_KEY/);
  assert.match(bridge.stdout, /npm run -s cli -- send user\.login\.success/);
  const status = JSON.parse(await command('status', '--json')) as unknown;
  assert.partialDeepStrictEqual(status, {
    received: 1,
    rejected: 0,
    duplicates: 0,
    stored: 1,
    destinations: {
      warehouse: {
        state: 'running',
        pending: 0,
        delivered: 1,
        filtered: 0,
        dead: 0,
        oldestPendingSeconds: 0,
      },
    },
  });
});

test('psql, where it is on this machine, reads the warehouse', async (t) => {
  const hasPsql = await run('psql', ['--version']).then(
    () => true,
    () => false,
  );
  if (!hasPsql) {
    t.skip('psql is not on this machine');
    return;
  }
  await using folder = await temporaryFolder();
  const settings = {
    DATA_DIR: folder.path,
    PORT: String(await freePort()),
    WAREHOUSE_PORT: String(await freePort()),
  };
  await using bridge = await BridgeProcess.start(settings);
  await bridge.post(sample('user.login.success'));
  await bridge.settled();

  const { stdout } = await run(
    process.execPath,
    [cli, 'warehouse', 'psql', '--', '-Atc', 'select count(*) from user_login_success'],
    { env: { ...process.env, ...settings } },
  );

  assert.equal(stdout, '1\n');
});

test('stopped and started again it goes on where it was, its embedded warehouse with it', async () => {
  await using folder = await temporaryFolder();
  await using segment = await SegmentStandIn.start();
  const settings = {
    DATA_DIR: folder.path,
    PORT: String(await freePort()),
    WAREHOUSE_PORT: String(await freePort()),
    SEGMENT_WRITE_KEY: 'k',
    SEGMENT_ENDPOINT: segment.url,
  };
  const first = await BridgeProcess.start(settings);
  segment.fail({ kind: 'status', status: 503 });
  await first.post(sample('user.login.success'));
  await first.end('SIGTERM');
  segment.recover();

  await using second = await BridgeProcess.start(settings);
  const books = await second.settled();

  assert.equal(first.exitCode, 0);
  assert.equal(segment.messages.length, 1);
  assert.partialDeepStrictEqual(books, {
    stored: 1,
    destinations: { segment: { delivered: 1 }, warehouse: { delivered: 1 } },
  });
});

test('what is tested and measured is started as npm start does', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    scripts: { start: string };
  };
  const command = startArguments.map((argument) => argument.replace(/^.*(?=src\/cli\.ts$)/, ''));
  assert.equal(scripts.start, `exec node ${command.join(' ')}`);
});

test('npm start hands SIGTERM on: the bridge stops, and npm with 0', async () => {
  await using folder = await temporaryFolder();
  const npm = spawn('npm', ['start'], {
    cwd: new URL('../..', import.meta.url).pathname,
    env: {
      PATH: process.env['PATH'],
      HOME: folder.path,
      DATA_DIR: folder.path,
      PORT: '0',
      WAREHOUSE_URL: 'off',
    },
  });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  await until('the bridge runs', () => output.includes('The bridge runs'), 60_000);

  npm.kill('SIGTERM');
  const [exitCode] = (await once(npm, 'exit')) as [number | null];

  assert.equal(exitCode, 0);
  assert.match(output, /"msg":"Stopped"/);
});

test('SIGTERM during the start stops the bridge in order, with what it has taken on disk', async () => {
  await using folder = await temporaryFolder();
  // Takes connections and never says a word, so that the warehouse cannot be opened.
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const settings = {
    DATA_DIR: folder.path,
    PORT: String(await freePort()),
    WAREHOUSE_URL: `postgresql://u:p@127.0.0.1:${port}/db`,
  };
  const starting = BridgeProcess.startInVain(settings);
  await until('webhooks are taken', () =>
    fetch(`http://127.0.0.1:${settings.PORT}/healthz`).then(
      () => true,
      () => false,
    ),
  );
  await fetch(`http://127.0.0.1:${settings.PORT}/webhook`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(sample('user.login.success')),
  });

  process.kill(Number(readFileSync(join(folder.path, 'bridge.pid'), 'utf8')), 'SIGTERM');
  const bridge = await starting;
  silent.close();

  assert.equal(bridge.exitCode, 0);
  assert.match(bridge.stderr, /"msg":"Stopped"/);
  await using again = await BridgeProcess.start({ ...settings, WAREHOUSE_URL: 'off' });
  assert.equal((await again.books()).stored, 1);
});

test('a sender that never finishes its request holds up no stop', async () => {
  await using bridge = await startBridge();
  const socket = connect(Number(new URL(bridge.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(
    'POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  );
  const startedAt = performance.now();

  await bridge.end('SIGTERM');

  socket.destroy();
  assert.equal(bridge.exitCode, 0);
  assert.ok(performance.now() - startedAt < 10_000);
});

test('a live stream holds up no stop', async () => {
  await using bridge = await startBridge();
  using stream = await EventStream.open(`${bridge.url}/api/stream`);
  await bridge.post(sample('user.create'));
  await until('the event is told', () => stream.dataOf('events').length === 1);

  const startedAt = performance.now();
  await bridge.end('SIGTERM');

  const elapsedMs = performance.now() - startedAt;
  assert.equal(bridge.exitCode, 0);
  // What a request is given to come to its end takes two seconds.
  assert.ok(elapsedMs < 1_900, `the stop took ${elapsedMs} ms`);
  assert.ok(stream.hasEnded);
});

test('a second bridge on one DATA_DIR stops with a clear error, and the first goes on', async () => {
  await using folder = await temporaryFolder();
  const settings = { DATA_DIR: folder.path, WAREHOUSE_URL: 'off' };
  await using first = await BridgeProcess.start({ ...settings, PORT: String(await freePort()) });

  const second = await BridgeProcess.startInVain({ ...settings, PORT: String(await freePort()) });

  assert.equal(second.exitCode, 1);
  assert.match(second.stderr, new RegExp(`in use by another bridge \\(process ${first.pid}\\)`));
  assert.equal((await first.post(sample('user.login.success'))).status, 200);
});

test('a port in use stops the start with a clear error', async () => {
  await using folder = await temporaryFolder();
  await using first = await startBridge();

  const second = await BridgeProcess.startInVain({
    DATA_DIR: folder.path,
    WAREHOUSE_URL: 'off',
    PORT: new URL(first.url).port,
  });

  assert.equal(second.exitCode, 1);
  assert.match(second.stderr, /cannot listen on 127\.0\.0\.1:\d+.*EADDRINUSE/);
  assert.match(second.stderr, /Set HOST .* PORT/);
});

test('a warehouse port in use stops no webhook: the destination says what to mend and waits', async () => {
  await using folder = await temporaryFolder();
  await using other = await startBridge();
  const { port } = new URL(other.url);

  await using bridge = await BridgeProcess.start({
    DATA_DIR: folder.path,
    PORT: String(await freePort()),
    WAREHOUSE_PORT: port,
  });
  const answer = await bridge.post(sample('user.login.success'));

  assert.equal(answer.status, 200);
  assert.match(bridge.stdout, new RegExp(`not working yet: Port ${port} .*WAREHOUSE_PORT`));
  assert.partialDeepStrictEqual((await bridge.books()).destinations, {
    warehouse: { state: 'retrying', pending: 1 },
  });
});

for (const [name, settings, message] of [
  ['a port that is none', { PORT: '70000' }, /^PORT="70000" is not allowed: it must be a port/m],
  ['a region that is none', { SEGMENT_REGION: 'mars' }, /^SEGMENT_REGION="mars" .* us or eu$/m],
  [
    'a warehouse that is no URL',
    { WAREHOUSE_URL: 'hunter2' },
    /^WAREHOUSE_URL is not allowed: it must be a postgresql/m,
  ],
  [
    'a network address without signatures',
    { HOST: '0.0.0.0' },
    /^HOST="0\.0\.0\.0" .*FUSIONAUTH_ALLOW_UNSIGNED=true/m,
  ],
] as const) {
  test(`${name} stops the start with one line that names it`, async () => {
    await using folder = await temporaryFolder();

    const bridge = await BridgeProcess.startInVain({ DATA_DIR: folder.path, ...settings });

    assert.equal(bridge.exitCode, 1);
    assert.match(bridge.stderr, message);
    assert.doesNotMatch(bridge.stderr, /hunter2/);
    assert.equal(bridge.stderr.trim().split('\n').length, 1);
  });
}

test('on a network address with FUSIONAUTH_ALLOW_UNSIGNED it takes webhooks, and keeps page and API closed', async () => {
  await using bridge = await startBridge({ HOST: '0.0.0.0', FUSIONAUTH_ALLOW_UNSIGNED: 'true' });

  assert.equal((await bridge.post(sample('user.login.success'))).status, 200);
  assert.equal((await bridge.get('/')).status, 403);
  assert.equal((await bridge.get('/api/status')).status, 403);
  assert.equal((await bridge.get('/readyz')).status, 200);
});

test('ADMIN_TOKEN opens page and API to who has it', async () => {
  await using bridge = await startBridge({
    HOST: '0.0.0.0',
    FUSIONAUTH_ALLOW_UNSIGNED: 'true',
    ADMIN_TOKEN: 'the-token',
  });
  const basic = `Basic ${Buffer.from('anybody:the-token').toString('base64')}`;

  assert.equal((await bridge.get('/api/status')).status, 401);
  assert.equal((await bridge.get('/api/status', { authorization: 'Bearer another' })).status, 401);
  assert.equal((await bridge.get('/api/status', { authorization: 'Bearer the-token' })).status, 200);
  assert.equal((await bridge.get('/', { authorization: basic })).status, 200);
});

test('who signed in stays so through a restart, may only read with VIEWER_TOKEN, and no token is in a log line', async () => {
  await using folder = await temporaryFolder();
  const settings = {
    HOST: '0.0.0.0',
    PORT: String(await freePort()),
    DATA_DIR: folder.path,
    WAREHOUSE_URL: 'off',
    FUSIONAUTH_ALLOW_UNSIGNED: 'true',
    ADMIN_TOKEN: 'token-of-the-admin',
    VIEWER_TOKEN: 'token-of-a-viewer',
    LOG_LEVEL: 'trace',
  };
  await using before = await BridgeProcess.start(settings);
  const url = before.url;
  const signIn = (token: string) =>
    fetch(`${url}/sign-in`, { method: 'POST', body: new URLSearchParams({ token }), redirect: 'manual' });
  assert.equal((await signIn('a-wrong-token')).status, 401);
  const answer = await signIn(settings.VIEWER_TOKEN);
  const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
  await before.end('SIGTERM');

  await using after = await BridgeProcess.start(settings);

  assert.equal(answer.status, 303);
  assert.doesNotMatch((await after.get('/', { cookie, accept: 'text/html' })).text, /action="\/sign-in"/);
  assert.match((await after.get('/', { accept: 'text/html' })).text, /action="\/sign-in"/);
  assert.deepEqual(JSON.parse((await after.get('/api/session', { cookie })).text), {
    access: 'viewer',
    canChange: false,
  });
  assert.equal((await after.post({ id: 1 }, { cookie }, '/api/replays/stop')).status, 403);
  const output = [before, after].map(({ stdout, stderr }) => stdout + stderr).join('\n');
  for (const secret of [settings.ADMIN_TOKEN, settings.VIEWER_TOKEN, 'a-wrong-token', cookie]) {
    assert.ok(!output.includes(secret), secret);
  }
});

test('VIEWER_TOKEN without ADMIN_TOKEN ends the start', async () => {
  const bridge = await BridgeProcess.startInVain({ VIEWER_TOKEN: 'token-of-a-viewer' });

  assert.equal(bridge.exitCode, 1);
  assert.match(bridge.stderr, /set ADMIN_TOKEN as well/);
});

test('a foreign host name that resolves to loopback sees nothing', async () => {
  await using bridge = await startBridge();

  assert.equal((await bridge.get('/', { host: 'evil.example.com' })).status, 403);
  assert.equal((await bridge.get('/', { host: 'localhost' })).status, 200);
});

test('what it writes is readable by its user alone', async () => {
  await using folder = await temporaryFolder();
  const dataDirectory = join(folder.path, 'made', 'by', 'it');
  await using bridge = await startBridge({ DATA_DIR: dataDirectory });
  await bridge.post(sample('user.login.success'));

  for (const file of ['', 'log.sqlite', 'log.sqlite-wal']) {
    assert.equal(statSync(join(dataDirectory, file)).mode & 0o077, 0, file);
  }
});

test('a full disk is answered 503 with Retry-After; with room again the bridge goes on, nothing acknowledged is lost', async (t) => {
  await using folder = await temporaryFolder();
  const dataDirectory = join(folder.path, 'full');
  mkdirSync(dataDirectory);
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', dataDirectory]).then(
    () => true,
    () => false,
  );
  if (!mounted) {
    t.skip('a small file system cannot be mounted here');
    return;
  }
  try {
    await using bridge = await startBridge({ DATA_DIR: dataDirectory });
    writeFileSync(join(dataDirectory, 'ballast'), Buffer.alloc(1_000_000));
    let acknowledged = 0;
    let refused;
    for (let count = 0; count < 2_000 && refused === undefined; count++) {
      const answer = await bridge.post(sample('user.update.complete'));
      if (answer.status === 200) acknowledged++;
      else refused = answer;
    }

    assert.deepEqual([refused?.status, refused?.headers['retry-after']], [503, '5']);
    assert.equal((await bridge.get('/readyz')).status, 503);
    const settings = { DATA_DIR: dataDirectory, WAREHOUSE_URL: 'off' };
    const status = await runCommand(['status', '--url', bridge.url], { settings });
    const doctor = await runCommand(['doctor', '--url', bridge.url], { settings });
    assert.deepEqual([status.exitCode, doctor.exitCode], [1, 1]);
    assert.match(
      status.stdout,
      /^The log in DATA_DIR cannot be written: webhooks are answered 503\. Make room/m,
    );
    assert.match(doctor.stdout, /^✖ log +The log in DATA_DIR cannot be written/m);
    assert.match(doctor.stdout, /^! disk +\d+ MB are free of 2 MB/m);
    await run('rm', [join(dataDirectory, 'ballast')]);
    await run('mount', ['-o', 'remount,size=20m', dataDirectory]);
    let readiness = 0;
    while (readiness !== 200) readiness = (await bridge.get('/readyz')).status;
    assert.equal((await bridge.post(sample('user.login.success'))).status, 200);
    assert.equal((await bridge.books()).stored, acknowledged + 1);
  } finally {
    await run('umount', ['-l', dataDirectory]);
  }
});

test('health, readiness and metrics tell', async () => {
  await using bridge = await startBridge();
  await bridge.post(sample('user.login.success'));

  assert.equal((await bridge.get('/healthz')).status, 200);
  assert.equal((await bridge.get('/readyz')).status, 200);
  const { text } = await bridge.get('/metrics');
  assert.match(text, /^fusionauth_segment_webhooks_total\{answer="stored"\} 1$/m);
  assert.match(text, /^fusionauth_segment_books_imbalances 0$/m);
});
