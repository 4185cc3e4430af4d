// How many webhooks a second are acknowledged: the bridge, with everything on disk and both destinations on, beside an
// adapter in the manner of FusionAuth's guide and a bare HTTP server. Rounds are interleaved; medians are printed.
//
//   npm run bench                      three rounds of five seconds
//   npm run bench -- --rounds 5 --seconds 10

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { formatTable, print } from '../src/commands/report.ts';
import { startArguments } from '../test/support/bridge.ts';
import { freePort } from '../test/support/free-port.ts';
import type { Status } from '../src/http/status.ts';
import type { LoadOptions, LoadResult } from './load.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '5' } },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const connections = 64;
const secret = 'a-secret-of-the-benchmark-with-more-than-32-bytes';

interface Contestant {
  readonly name: string;
  readonly path: string;
  /** Requests a second to have ready. */
  readonly ceiling: number;
  readonly start: (port: number, segmentUrl: string) => Promise<Server>;
}

interface Server {
  readonly stop: () => Promise<void>;
  /** Records that no destination has yet; none for a server that keeps none. */
  readonly countPending?: () => Promise<number>;
}

interface Result extends LoadResult {
  /** Records that were still pending at the end of the load, and how long they took from there. */
  readonly pending: number;
  readonly drainSeconds: number;
  /** To Segment, for as many acknowledged events. */
  readonly requestsPerThousand: number;
}

const contestants: readonly Contestant[] = [
  {
    name: 'adapter like the guide’s',
    path: '/',
    ceiling: 15_000,
    start: (port, segmentUrl) => startScript('guide-adapter.ts', String(port), segmentUrl),
  },
  {
    name: 'bridge, warehouse off, Segment off',
    path: '/webhook',
    ceiling: 40_000,
    start: (port) => startBridge(port, { WAREHOUSE_URL: 'off' }),
  },
  {
    name: 'bridge, warehouse and Segment on',
    path: '/webhook',
    ceiling: 40_000,
    start: async (port, segmentUrl) =>
      startBridge(port, {
        SEGMENT_WRITE_KEY: 'k',
        SEGMENT_EVENTS_PER_SECOND: '0',
        SEGMENT_ENDPOINT: segmentUrl,
        WAREHOUSE_PORT: String(await freePort()),
      }),
  },
  {
    name: 'bare node:http',
    path: '/',
    ceiling: 80_000,
    start: (port) => startScript('bare-http.ts', String(port)),
  },
];

const results = new Map<string, Result[]>();
for (let round = 0; round < rounds; round++) {
  for (const contestant of contestants) {
    const result = await measure(contestant);
    results.set(contestant.name, [...(results.get(contestant.name) ?? []), result]);
    process.stderr.write(`round ${round + 1}: ${contestant.name}: ${JSON.stringify(result)}\n`);
  }
}
report();

async function measure({ path, ceiling, start }: Contestant): Promise<Result> {
  const segmentPort = await freePort();
  const sink = await startSink(segmentPort);
  const port = await freePort();
  const server = await start(port, `http://127.0.0.1:${segmentPort}`);
  try {
    const result = await load({ port, path, secret, connections, seconds, requests: ceiling * seconds });
    const drained = await drain(server);
    const requests = await sink.stop();
    return { ...result, ...drained, requestsPerThousand: (requests / result.acknowledged) * 1000 };
  } finally {
    await server.stop();
    await sink.stop();
  }
}

/** `stop` resolves to how many requests it has had; once stopped it stays so. */
async function startSink(port: number): Promise<{ stop: () => Promise<number> }> {
  const child = runScript('segment-sink.ts', [String(port)]);
  await once(child.stdout, 'data');
  let stopped: Promise<number> | undefined;
  const stop = async () => {
    const lines = once(createInterface({ input: child.stdout }), 'line');
    await end(child, 'SIGTERM');
    return Number((await lines)[0]);
  };
  return { stop: () => (stopped ??= stop()) };
}

async function drain({ countPending }: Server): Promise<Pick<Result, 'pending' | 'drainSeconds'>> {
  const pending = (await countPending?.()) ?? 0;
  const startedAt = performance.now();
  if (countPending) while ((await countPending()) > 0) await sleep(50);
  return { pending, drainSeconds: (performance.now() - startedAt) / 1000 };
}

async function load(options: LoadOptions): Promise<LoadResult> {
  const child = runScript('load.ts', [JSON.stringify(options)]);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return JSON.parse(line) as LoadResult;
}

function report(): void {
  const median = (name: string, of: (result: Result) => number) => {
    const sorted = (results.get(name) ?? []).map(of).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  };
  const rate = (name: string) => median(name, ({ acknowledged, seconds: took }) => acknowledged / took);
  const guide = rate(contestants[0]?.name ?? '');
  const rows = contestants.map(({ name }) => [
    name,
    String(Math.round(rate(name))),
    `${(rate(name) / guide).toFixed(1)} x`,
    median(name, ({ p50Ms }) => p50Ms).toFixed(1),
    median(name, ({ p99Ms }) => p99Ms).toFixed(1),
    String(median(name, ({ otherAnswers, brokenConnections }) => otherAnswers + brokenConnections)),
    String(median(name, ({ pending }) => pending)),
    median(name, ({ drainSeconds }) => drainSeconds).toFixed(1),
    median(name, ({ requestsPerThousand }) => requestsPerThousand).toFixed(1),
  ]);
  print(
    `${rounds} rounds of ${seconds} s, ${connections} connections, HS256, ${cpus().length} cores, Node ${process.version}; medians\n`,
  );
  print(
    formatTable([
      [
        '',
        'acknowledged/s',
        'to the guide',
        'p50 ms',
        'p99 ms',
        'not 200',
        'pending after',
        'drained in s',
        'requests for 1,000',
      ],
      ...rows,
    ]),
  );
  if ([...results.values()].flat().some(({ ranOut }) => ranOut))
    print('\nA round ran out of requests: its figure is too low.');
}

async function startBridge(port: number, settings: Record<string, string>): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'fusionauth-segment-bench-'));
  const child = runNode(startArguments, {
    PORT: String(port),
    DATA_DIR: folder,
    FUSIONAUTH_WEBHOOK_SECRET: secret,
    LOG_LEVEL: 'warn',
    ...settings,
  });
  await once(child.stdout, 'data');
  return {
    stop: async () => {
      await end(child, 'SIGTERM');
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
    countPending: async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/status`);
      const { destinations } = (await answer.json()) as Status;
      return Math.max(0, ...Object.values(destinations).map(({ pending }) => pending));
    },
  };
}

async function startScript(file: string, ...args: string[]): Promise<Server> {
  const child = runScript(file, args);
  await once(child.stdout, 'data');
  return { stop: () => end(child, 'SIGTERM') };
}

function runScript(file: string, args: readonly string[]) {
  return runNode([new URL(file, import.meta.url).pathname, ...args]);
}

function runNode(args: readonly string[], settings: Record<string, string> = {}) {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Nobody would wait for the rest of a benchmark of which a part is gone.
  child.once('exit', (code) => {
    if (code === null || code === 0) return;
    process.stderr.write(`${args.join(' ')} ended with ${code}\n`);
    process.exit(1);
  });
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  await once(child, 'exit');
}
