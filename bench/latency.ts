// How long an event takes at a steady rate, from its post to its answer, to Segment and to its row in PostgreSQL:
//
//   npm run bench:latency                                   500 events a second for 10 seconds
//   npm run bench:latency -- --rate 100 --seconds 30
//
// Segment is played by this process, which notes when a message arrives; for rows it asks PostgreSQL every 10 ms, so a
// row's time is up to that much too long.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Pool } from 'undici';
import { formatTable, print } from '../src/commands/report.ts';
import { connectionUrl, readConnection } from '../src/destinations/warehouse/embedded/connection.ts';
import { sampleEvent } from '../src/fusionauth/samples.ts';
import { signBody } from '../src/fusionauth/sign.ts';
import { startArguments } from '../test/support/bridge.ts';
import { freePort } from '../test/support/free-port.ts';

const { values } = parseArgs({
  options: { rate: { type: 'string', default: '500' }, seconds: { type: 'string', default: '10' } },
});
const rate = Number(values.rate);
const seconds = Number(values.seconds);
const secret = 'a-secret-of-the-benchmark-with-more-than-32-bytes';
/** The first seconds make tables and compile code, and are posted besides and left out. */
const warmUpSeconds = 3;
const pollMs = 10;

/** Milliseconds of `performance.now`, by message id. */
const postedAt = new Map<string, number>();
const answeredAt = new Map<string, number>();
const segmentAt = new Map<string, number>();
const rowAt = new Map<string, number>();

const segment = createServer((request, response) => {
  void text(request).then((body) => {
    const now = performance.now();
    const { batch } = JSON.parse(body) as { batch: { messageId: string }[] };
    for (const { messageId } of batch) segmentAt.set(messageId, now);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"success":true}');
  });
});
const segmentPort = await freePort();
segment.listen(segmentPort, '127.0.0.1');

const folder = await mkdtemp(join(tmpdir(), 'fusionauth-segment-bench-'));
const port = await freePort();
const bridge = spawn(process.execPath, startArguments, {
  env: {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    PORT: String(port),
    DATA_DIR: folder,
    FUSIONAUTH_WEBHOOK_SECRET: secret,
    LOG_LEVEL: 'warn',
    SEGMENT_WRITE_KEY: 'k',
    SEGMENT_ENDPOINT: `http://127.0.0.1:${segmentPort}`,
    WAREHOUSE_PORT: String(await freePort()),
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  await Promise.race([once(bridge.stdout, 'data'), once(bridge, 'exit')]);
  await run();
} finally {
  bridge.kill('SIGTERM');
  await once(bridge, 'exit');
  segment.close();
  segment.closeAllConnections();
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

async function run(): Promise<void> {
  const ending = new AbortController();
  const polling = pollRows(ending.signal);
  await post(warmUpSeconds, () => undefined);
  const measured: string[] = [];
  await post(seconds, (id) => measured.push(id));
  const deadline = performance.now() + 20_000;
  const isThere = (id: string) => segmentAt.has(id) && rowAt.has(id);
  while (!measured.every(isThere) && performance.now() < deadline) await sleep(50);
  ending.abort();
  await polling;
  report(measured);
}

async function post(forSeconds: number, note: (id: string) => void): Promise<void> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 32 });
  const startedAt = performance.now();
  const answers: Promise<void>[] = [];
  for (let count = 0; count < forSeconds * rate; count++) {
    const dueMs = startedAt + (count / rate) * 1000 - performance.now();
    if (dueMs > 1) await sleep(dueMs);
    const id = randomUUID();
    const messageId = `fusionauth-${id}-track`;
    const identity = { eventId: id, userId: randomUUID(), createInstant: Date.now() };
    const body = JSON.stringify({ event: sampleEvent('user.login.success', identity) });
    postedAt.set(messageId, performance.now());
    note(messageId);
    const headers = {
      'content-type': 'application/json',
      'x-fusionauth-signature-jwt': signBody(body, secret),
    };
    answers.push(
      pool.request({ path: '/webhook', method: 'POST', headers, body }).then(async (answer) => {
        await answer.body.dump();
        if (answer.statusCode === 200) answeredAt.set(messageId, performance.now());
      }),
    );
  }
  await Promise.all(answers);
  await pool.close();
}

async function pollRows(signal: AbortSignal): Promise<void> {
  const connection = readConnection(folder);
  if (connection === undefined) throw new Error('The bridge has made no warehouse');
  const client = new pg.Client({ connectionString: connectionUrl(connection, 'reader') });
  await client.connect();
  while (!signal.aborted) {
    const { rows } = await client
      .query<{ id: string }>("select id from user_login_success where uuid_ts > now() - interval '3 seconds'")
      .catch(() => ({ rows: [] }));
    const now = performance.now();
    for (const { id } of rows) if (!rowAt.has(id)) rowAt.set(id, now);
    await sleep(pollMs);
  }
  await client.end();
}

function report(ids: readonly string[]): void {
  const line = (name: string, at: ReadonlyMap<string, number>) => {
    const times = ids.map((id) => (at.get(id) ?? Infinity) - (postedAt.get(id) ?? 0)).sort((a, b) => a - b);
    const percentile = (share: number) =>
      times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;
    return [name, ...[0.5, 0.95, 0.99, 1].map((share) => percentile(share).toFixed(1))];
  };
  print(
    `${rate} events a second for ${seconds} s, HS256, ${cpus().length} cores, Node ${process.version}; milliseconds from the post\n`,
  );
  print(
    formatTable([
      ['to', 'p50', 'p95', 'p99', 'longest'],
      line('its answer', answeredAt),
      line('Segment', segmentAt),
      line('a row in PostgreSQL', rowAt),
    ]),
  );
}
