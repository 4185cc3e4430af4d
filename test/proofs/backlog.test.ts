// A destination has been down for days: millions of records are pending. The bridge starts at once, stays small, answers
// webhooks as fast as one whose log is empty, and carries the backlog when the destination is back.
//
//   npm run proof:backlog                    ten million records, some 22 GB of disk below TMPDIR
//   BACKLOG_RECORDS=1000000 node --test test/proofs/backlog.test.ts

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Pool } from 'undici';
import { signBody } from '../../src/fusionauth/sign.ts';
import { fillLog, loginBodies } from '../support/backlog.ts';
import { BridgeProcess } from '../support/bridge.ts';
import { freePort } from '../support/free-port.ts';
import { residentMegabytes } from '../support/memory.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const records = Number(process.env['BACKLOG_RECORDS'] ?? 200_000);
const isLong = records > 1_000_000;
const secret = 'a-secret-of-the-proof-with-more-than-32-bytes';

/** Of the log's file: two records of this size have a page. */
const bytesPerRecord = 2_300;
/** A log of up to 512 MB, as that of the short form, is read through after a crash; its page cache has been dropped. */
const maxStartMs = isLong ? 5_000 : 20_000;
const maxMegabytes = 200;
/** Pairs of measurements of the webhook, one with an empty log and one with the backlog, in turn. */
const rounds = isLong ? 12 : 4;
const webhooksPerRound = isLong ? 1_000 : 400;
const drainSeconds = isLong ? 60 : 4;

test(
  `${records} records are pending: the bridge starts at once, stays small, answers as ever, and drains`,
  { timeout: 15 * 60_000 },
  async (t) => {
    const tell = (line: string) => t.diagnostic(line);

    const { bavail, bsize } = await statfs(tmpdir());
    assert.ok(
      bavail * bsize > 1.1 * records * bytesPerRecord + 1e9,
      `${records} records need ${(records * bytesPerRecord) / 1e9} GB of disk in ${tmpdir()}`,
    );
    await using folder = await temporaryFolder();
    await using emptyFolder = await temporaryFolder();
    await using compileCache = await temporaryFolder();
    await using stack = new AsyncDisposableStack();
    const segmentPort = await freePort();
    const settingsFor = async (directory: string) => ({
      DATA_DIR: directory,
      PORT: String(await freePort()),
      WAREHOUSE_URL: 'off',
      LOG_RETENTION: 'forever',
      FUSIONAUTH_WEBHOOK_SECRET: secret,
      SEGMENT_WRITE_KEY: 'k',
      // Nobody listens there until the drain begins.
      SEGMENT_ENDPOINT: `http://127.0.0.1:${segmentPort}`,
      // Without it some 55 MB of each process are Node's own type stripper, which the npm package does not need. A process
      // that comes to its end fills it for those after it.
      NODE_COMPILE_CACHE: compileCache.path,
    });
    const emptySettings = await settingsFor(emptyFolder.path);
    await (await BridgeProcess.start(emptySettings)).end('SIGTERM');

    const filledAt = performance.now();
    const bytes = await fillLog(folder.path, records);
    tell(`filled: ${records} records, ${gigabytes(bytes)} GB, ${secondsSince(filledAt)} s`);
    const isCold = await dropFromPageCache(join(folder.path, 'log.sqlite'));

    const settings = await settingsFor(folder.path);
    const firstStart = await startTimed(settings);
    tell(
      `start to ready: ${ms(firstStart.startMs)} ms${isCold ? ', nothing of the log in the page cache' : ''}`,
    );
    await firstStart.bridge.end('SIGKILL');
    const { bridge: full, startMs } = await startTimed(settings);
    stack.use(full);
    tell(`start to ready after a SIGKILL: ${ms(startMs)} ms`);
    await using empty = await BridgeProcess.start(emptySettings);
    const restMegabytes = await residentMegabytes(full.pid);
    const emptyRestMegabytes = await residentMegabytes(empty.pid);

    // In turn, so that both see the same machine.
    const ofEmpty: number[] = [];
    const ofFull: number[] = [];
    let megabytes = 0;
    let statusMs = 0;
    for (let round = 0; round < rounds; round++) {
      ofEmpty.push(...(await postWebhooks(empty, webhooksPerRound)));
      ofFull.push(...(await postWebhooks(full, webhooksPerRound)));
      megabytes = Math.max(megabytes, await residentMegabytes(full.pid));
      const askedAt = performance.now();
      const { destinations } = await full.books();
      statusMs = Math.max(statusMs, performance.now() - askedAt);
      assert.ok((destinations['segment']?.pending ?? 0) >= records);
    }
    const emptyMegabytes = await residentMegabytes(empty.pid);
    for (const [name, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      const [before, now] = [percentile(ofEmpty, share), percentile(ofFull, share)];
      tell(
        `webhook ${name}: empty log ${before.toFixed(2)} ms, backlog ${now.toFixed(2)} ms, ratio ${(now / before).toFixed(2)}`,
      );
    }
    tell(`/api/status while pending: at most ${statusMs.toFixed(1)} ms`);
    tell(
      `memory while pending: ${ms(restMegabytes)} MB before the first webhook (with an empty log ${ms(emptyRestMegabytes)} MB), ` +
        `${ms(megabytes)} MB at most after ${rounds * webhooksPerRound} (with an empty log ${ms(emptyMegabytes)} MB)`,
    );

    stack.use(await startSink(segmentPort));
    const before = (await full.books()).destinations['segment']?.pending ?? 0;
    await until(
      'delivery begins',
      async () => ((await full.books()).destinations['segment']?.delivered ?? 0) > 0,
      // The longest wait after a failure.
      90_000,
    );
    const drained: { perSecond: number; megabytes: number }[] = [];
    let last = { at: performance.now(), delivered: await countDelivered(full) };
    for (let second = 0; second < drainSeconds && (await countPending(full)) > 0; second++) {
      await sleep(1_000);
      const now = { at: performance.now(), delivered: await countDelivered(full) };
      drained.push({
        perSecond: ((now.delivered - last.delivered) * 1000) / (now.at - last.at),
        megabytes: await residentMegabytes(full.pid),
      });
      last = now;
    }
    // The last one may be the one in which the backlog came to its end.
    const whole = drained.length > 2 ? drained.slice(0, -1) : drained;
    const half = Math.ceil(whole.length / 2);
    const rate = (part: typeof whole) => mean(part.map(({ perSecond }) => perSecond));
    const firstHalf = whole.slice(0, half);
    const secondHalf = whole.slice(-half);
    const most = Math.max(...whole.map((one) => one.megabytes));
    tell(
      `drain: ${ms(rate(whole))} records/s over ${whole.length} s (first half ${ms(rate(firstHalf))}, second ${ms(rate(secondHalf))}), ` +
        `memory ${whole.map((one) => ms(one.megabytes)).join(' ')} MB`,
    );
    const books = await full.books();

    assert.ok(firstStart.startMs < maxStartMs, 'it starts at once');
    assert.ok(startMs < maxStartMs, 'it starts at once after a crash');
    assert.ok(
      restMegabytes < maxMegabytes,
      `it starts with less than ${maxMegabytes} MB while records are pending`,
    );
    // What webhooks add is the heap that V8 gives any busy process on a machine of this size; the backlog's share is the rest.
    assert.ok(megabytes < emptyMegabytes + 50, 'it needs about what it needs with an empty log');
    assert.ok(statusMs < 1_000, 'the status is quick');
    // The machine's own noise decides about a single p99; what an index or a scan of all would cost is far beyond this.
    assert.ok(percentile(ofFull, 0.5) < 2 * percentile(ofEmpty, 0.5) + 2, 'webhooks are answered as ever');
    assert.ok(percentile(ofFull, 0.99) < 3 * percentile(ofEmpty, 0.99) + 10, 'also the slowest of them');
    assert.ok(rate(secondHalf) > 0.5 * rate(firstHalf), 'it drains at a steady rate');
    // Within some seconds the heap has its size; a short run ends before.
    const memoryOf = (part: typeof whole) => mean(part.map((one) => one.megabytes));
    assert.ok(
      memoryOf(secondHalf) < 1.1 * memoryOf(firstHalf) + (isLong ? 0 : 150),
      'memory stays flat while it drains',
    );
    assert.ok(most < 500, 'memory has a bound while it drains');
    assert.ok(before >= records, 'nothing was lost by the SIGKILL');
    const { pending, delivered, filtered, dead } = books.destinations['segment'] ?? assert.fail();
    assert.equal(books.stored, pending + delivered + filtered + dead);
    assert.equal(books.stored, records + rounds * webhooksPerRound);
    assert.equal(dead, 0);
  },
);

async function startTimed(settings: Readonly<Record<string, string>>) {
  const startedAt = performance.now();
  const bridge = await BridgeProcess.start(settings);
  const { status } = await bridge.get('/readyz');
  const startMs = performance.now() - startedAt;
  assert.equal(status, 200);
  return { bridge, startMs };
}

/** Over four connections, each waiting for its answer. Resolves to how long each took, in milliseconds. */
async function postWebhooks({ url }: BridgeProcess, count: number): Promise<readonly number[]> {
  const next = loginBodies();
  const webhooks = Array.from({ length: count }, () => {
    const body = JSON.stringify({ event: JSON.parse(next().body) as unknown });
    const headers = {
      'content-type': 'application/json',
      'x-fusionauth-signature-jwt': signBody(body, secret),
    };
    return { method: 'POST', path: '/webhook', body, headers } as const;
  });
  const pool = new Pool(url, { connections: 4 });
  const took: number[] = [];
  const post = async (): Promise<void> => {
    for (let webhook = webhooks.pop(); webhook !== undefined; webhook = webhooks.pop()) {
      const startedAt = performance.now();
      const { statusCode, body } = await pool.request(webhook);
      await body.dump();
      took.push(performance.now() - startedAt);
      assert.equal(statusCode, 200);
    }
  };
  await Promise.all([post(), post(), post(), post()]);
  await pool.close();
  return took;
}

/** Lets the kernel forget what it holds of a file, so that the start reads the disk. False where it cannot be asked to. */
async function dropFromPageCache(file: string): Promise<boolean> {
  return promisify(execFile)('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']).then(
    () => true,
    () => false,
  );
}

/** A Segment that takes everything, in a process of its own. */
async function startSink(port: number): Promise<AsyncDisposable> {
  const script = new URL('../../bench/segment-sink.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function countDelivered(bridge: BridgeProcess): Promise<number> {
  return (await bridge.books()).destinations['segment']?.delivered ?? 0;
}

async function countPending(bridge: BridgeProcess): Promise<number> {
  return (await bridge.books()).destinations['segment']?.pending ?? 0;
}

function percentile(numbers: readonly number[], share: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * share)] ?? 0;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}

function ms(value: number): string {
  return value.toFixed(0);
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

function secondsSince(at: number): string {
  return ((performance.now() - at) / 1000).toFixed(0);
}
