// Whatever is thrown at the bridge's port: it does not crash, answers no 5xx but BUSY, does not grow, goes on to answer
// ordinary webhooks, and what it has acknowledged is in its log.
//
//   npm run proof:hostile                                                  a million requests
//   HOSTILE_SEED=… HOSTILE_ONLY=… node --test test/proofs/hostile-input.test.ts    one that failed, as its failure says

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findImbalances } from '../../src/http/status.ts';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { freePort } from '../support/free-port.ts';
import { signWithSecret } from '../support/fusionauth.ts';
import { jsonPool } from '../support/hostile-bodies.ts';
import { hostileRequest } from '../support/hostile-requests.ts';
import type { HostileRequest } from '../support/hostile-requests.ts';
import { residentMegabytes } from '../support/memory.ts';
import { RawConnection } from '../support/raw-connection.ts';
import type { RawAnswer } from '../support/raw-connection.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const count = Number(process.env['HOSTILE_WEBHOOKS'] ?? 10_000);
const seed = Number(process.env['HOSTILE_SEED'] ?? Date.now() % 1_000_000);
const only = process.env['HOSTILE_ONLY'];
const isLong = count > 200_000;
const secret = 'a-secret-of-the-proof-with-more-than-32-bytes';

/** Requests that share what fast-check has made, which takes about a second and so is made before the first is sent. */
const requestsPerPool = 100_000;
const lanes = 48;
/** FusionAuth gives up after about two seconds. */
const maxOrdinaryMs = 2_000;
const ordinaryEveryMs = 20;

test(
  only === undefined ? `${count} hostile requests` : `hostile request ${only} of seed ${seed}`,
  { timeout: 60_000 + count * 2 },
  async (t) => {
    await using folder = await temporaryFolder();
    await using segment = await SegmentStandIn.start();
    segment.keepsBatches = false;
    const port = await freePort();
    await using bridge = await BridgeProcess.start({
      DATA_DIR: folder.path,
      PORT: String(port),
      WAREHOUSE_URL: 'off',
      FUSIONAUTH_WEBHOOK_SECRET: secret,
      SEGMENT_WRITE_KEY: 'k',
      SEGMENT_ENDPOINT: segment.url,
    });
    t.diagnostic(`seed ${seed}`);
    const load = new HostileLoad(port);
    const ownDelay = monitorEventLoopDelay();
    ownDelay.enable();
    const ending = new AbortController();
    const ordinary = postOrdinary(bridge, ending.signal);
    const memory = watchMemory(bridge, () => load.done / count, ending.signal);

    const startedAt = performance.now();
    try {
      await (only === undefined ? load.run() : load.runOnly(Number(only)));
    } finally {
      ending.abort();
    }
    const seconds = (performance.now() - startedAt) / 1000;
    const tookMs = (await ordinary).toSorted((a, b) => a - b);
    const megabytes = await memory;
    await until('nothing is pending', async () => isSettled(bridge), 120_000);
    const books = await bridge.books();
    await bridge.end('SIGTERM');

    t.diagnostic(
      `${load.done} requests in ${seconds.toFixed(0)} s, ${(load.done / seconds).toFixed(0)} a second`,
    );
    t.diagnostic(
      `answers: ${[...load.statuses]
        .map(([status, times]) => `${status}: ${times}`)
        .sort()
        .join(', ')}`,
    );
    t.diagnostic(`kinds: ${[...load.kinds].map(([what, times]) => `${what} ${times}`).join(', ')}`);
    t.diagnostic(
      `books: ${JSON.stringify({ ...books, destinations: undefined })} ${JSON.stringify(books.destinations['segment'])}`,
    );
    const at = (share: number) => (tookMs[Math.floor(tookMs.length * share)] ?? 0).toFixed(1);
    t.diagnostic(
      `ordinary webhooks in between: ${tookMs.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, slowest ${tookMs.at(-1)?.toFixed(0) ?? '-'} ms (this process itself: at most ${(ownDelay.max / 1e6).toFixed(0)} ms late)`,
    );
    const [early, late] = [median(megabytes, 0.1, 0.3), median(megabytes, 0.9, 1)];
    t.diagnostic(
      `memory: ${early.toFixed(0)} MB after the first tenth, ${late.toFixed(0)} MB at the end, most ${Math.max(0, ...megabytes.map((one) => one.megabytes)).toFixed(0)} MB`,
    );

    assert.deepEqual(load.faults, []);
    assert.equal(bridge.exitCode, 0, `the bridge came to its own end: ${bridge.stderr.slice(-2_000)}`);
    assert.deepEqual(findImbalances(books), []);
    assert.ok(
      (tookMs.at(-1) ?? 0) < maxOrdinaryMs,
      'ordinary webhooks are answered before FusionAuth gives up',
    );
    assert.equal(segment.refused, 0, 'Segment gets nothing that it would refuse');
    const stored = storedIds(folder.path);
    assert.equal(stored.size, books.stored);
    assert.deepEqual(
      [...load.acknowledged].filter((id) => !stored.has(id)).slice(0, 5),
      [],
      'what was answered 200 is in the log',
    );
    if (only !== undefined) return;
    assert.ok(load.acknowledged.size > count / 5, 'many of the hostile events were taken');
    // A short run ends while the heap still finds its size.
    assert.ok(late < early * (isLong ? 1.25 : 2) + 50, 'memory is flat');
  },
);

/** Sends the requests of a seed over some lanes, and judges what is answered. */
class HostileLoad {
  readonly #port: number;
  readonly statuses = new Map<number, number>();
  readonly kinds = new Map<string, number>();
  readonly acknowledged = new Set<string>();
  readonly faults: string[] = [];
  done = 0;
  #next = 0;
  readonly #pools = Array.from({ length: Math.ceil(count / requestsPerPool) }, (_, index) =>
    jsonPool(seed + index),
  );

  constructor(port: number) {
    this.#port = port;
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: lanes }, () => this.#lane()));
  }

  async runOnly(number: number): Promise<void> {
    await this.#send(number, new RawConnection(this.#port));
  }

  async #lane(): Promise<void> {
    let connection = new RawConnection(this.#port);
    while (this.#next < count && this.faults.length === 0) {
      connection = await this.#send(this.#next++, connection);
    }
    connection.close();
  }

  /** Resolves to the connection for the next one. */
  async #send(number: number, connection: RawConnection): Promise<RawConnection> {
    const request = hostileRequest(number, {
      seed,
      secret,
      pool: this.#pools[Math.floor(number / requestsPerPool)] ?? [],
    });
    this.kinds.set(request.what, (this.kinds.get(request.what) ?? 0) + 1);
    const { pieces, pauseMs, answers: expected, ends } = request;
    const own = connection.isClosed ? new RawConnection(this.#port) : connection;
    await own.write(pieces, pauseMs);
    if (expected !== undefined) {
      const answers = await own.answers(expected, 30_000);
      this.#judge(number, request, own, answers);
      if (answers.length < expected && !own.isClosed)
        this.#fault(number, request, `${answers.length} answers of ${expected} in 30 s`);
      this.done++;
      return own;
    }
    // A broken request may leave the server waiting for the rest: it is not waited for.
    if (ends === 'reset') {
      own.reset();
    } else {
      if (ends === 'half-close') own.halfClose();
      this.#judge(number, request, own, await own.answers(Infinity, ends === 'half-close' ? 500 : 20));
      own.close();
    }
    this.done++;
    return new RawConnection(this.#port);
  }

  #judge(
    number: number,
    request: HostileRequest,
    connection: RawConnection,
    answers: readonly RawAnswer[],
  ): void {
    if (connection.garbage !== undefined)
      this.#fault(number, request, `no HTTP: ${connection.garbage.slice(0, 200)}`);
    for (const { status, body } of answers) {
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      if (status >= 500 && !(status === 503 && body.includes('"BUSY"')))
        this.#fault(number, request, `${status} ${body}`);
      const id = /^\{"status":"(?:stored|duplicate)","id":(".*")\}$/s.exec(body)?.[1];
      if (status === 200 && id !== undefined) this.acknowledged.add(JSON.parse(id) as string);
    }
  }

  #fault(number: number, { what, pieces }: HostileRequest, fault: string): void {
    const bytes = Buffer.concat(pieces).toString('latin1').slice(0, 500);
    this.faults.push(
      `HOSTILE_SEED=${seed} HOSTILE_ONLY=${number} (${what}): ${fault}\n${JSON.stringify(bytes)}`,
    );
  }
}

/** Ordinary webhooks all along, as FusionAuth sends them. Resolves to how long each took, in milliseconds. */
async function postOrdinary(bridge: BridgeProcess, signal: AbortSignal): Promise<readonly number[]> {
  const took: number[] = [];
  while (!signal.aborted) {
    const body = JSON.stringify(sample('user.login.success'));
    const headers = { 'x-fusionauth-signature-jwt': signWithSecret(body, secret) };
    const startedAt = performance.now();
    const { status } = await bridge.post(body, headers).catch((cause: unknown) => {
      const last = bridge.stderr.slice(-2_000);
      throw new Error(
        `An ordinary webhook got no answer; the bridge ${bridge.hasExited ? `ended: ${last}` : `runs on: ${last}`}`,
        { cause },
      );
    });
    took.push(performance.now() - startedAt);
    assert.equal(status, 200);
    await sleep(ordinaryEveryMs);
  }
  return took;
}

interface MemorySample {
  readonly progress: number;
  readonly megabytes: number;
}

async function watchMemory(
  bridge: BridgeProcess,
  progress: () => number,
  signal: AbortSignal,
): Promise<readonly MemorySample[]> {
  const samples: MemorySample[] = [];
  while (!signal.aborted) {
    samples.push({ progress: progress(), megabytes: await residentMegabytes(bridge.pid) });
    await sleep(isLong ? 1_000 : 250, undefined, { signal }).catch(() => undefined);
  }
  return samples;
}

function median(samples: readonly MemorySample[], from: number, to: number): number {
  const sorted = samples
    .filter(({ progress }) => progress >= from && progress <= to)
    .map(({ megabytes }) => megabytes)
    .sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

async function isSettled(bridge: BridgeProcess): Promise<boolean> {
  return (await bridge.books()).destinations['segment']?.pending === 0;
}

function storedIds(directory: string): Set<string> {
  const database = new DatabaseSync(join(directory, 'log.sqlite'), { readOnly: true });
  const ids = new Set<string>();
  for (const { event_id } of database.prepare('select event_id from records').iterate())
    ids.add(event_id as string);
  database.close();
  return ids;
}
