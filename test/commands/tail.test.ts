// `tail` as its user has it: behind a pipe, and at a terminal where one can be had.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { request } from 'undici';
import type { EventSummary } from '../../src/http/event-summary.ts';
import { BridgeProcess, sample, startBridge } from '../support/bridge.ts';
import { cli, runCommand } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { closeServer, listenOnLoopback, urlOf } from '../support/loopback-server.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

describe('tail --json behind a pipe', { timeout: 90_000 }, () => {
  test('prints each event that comes, one document a line, in order, none missing and none twice', async () => {
    await using site = await makeSite();
    await site.post(['user.login.failed']);
    await using tailing = await startTail(site.bridge);

    const ids = await site.post(Array.from({ length: 500 }, () => 'user.login.success' as const));
    await until('all are printed', () => tailing.events.length >= ids.length, 30_000);

    assert.deepEqual(new Set(tailing.ids), new Set(ids));
    assert.equal(tailing.ids.length, ids.length);
    const positions = tailing.events.map(({ position }) => Number(position));
    assert.deepEqual(
      positions,
      positions.toSorted((a, b) => a - b),
    );
    assert.partialDeepStrictEqual(tailing.events[0], {
      type: 'user.login.success',
      isKnown: true,
      outcomes: { segment: 'delivered' },
    });
    assert.equal(tailing.stderr, '');
  });

  test('begins with the last ones where it is asked to', async () => {
    await using site = await makeSite();
    const ids = await site.post(Array.from({ length: 5 }, () => 'user.login.success' as const));
    await using tailing = await startTail(site.bridge, ['--last', '3']);

    const [next] = await site.post(['user.login.failed']);
    await until('the new one is printed', () => tailing.ids.includes(next ?? ''));

    assert.deepEqual(tailing.ids, [...ids.slice(2), next]);
  });

  test('prints events whose destination does not take them, as pending, and goes on', async () => {
    await using site = await makeSite();
    site.segment.fail({ kind: 'status', status: 503 });
    await using tailing = await startTail(site.bridge);

    const ids = await site.post(['user.login.success', 'user.login.failed']);
    await until('both are printed', () => tailing.events.length === 2);

    assert.deepEqual(tailing.ids, ids);
    assert.deepEqual(
      tailing.events.map(({ outcomes }) => outcomes['segment']),
      ['pending', 'pending'],
    );
  });

  test('chooses by type, tenant and outcome', async () => {
    await using site = await makeSite();
    const tenantId = randomUUID();
    await using byType = await startTail(site.bridge, ['--type', 'user.login.*', 'user.delete']);
    await using byTenant = await startTail(site.bridge, ['--tenant', tenantId]);
    await using byOutcome = await startTail(site.bridge, ['--outcome', 'filtered']);

    const [login, update, kickstart] = await site.post([
      'user.login.success',
      'user.update.complete',
      // Of no user: nothing becomes of it.
      'kickstart.success',
    ]);
    const { event } = sample('user.email.update');
    await site.bridge.post({ event: { ...event, tenantId } });
    const [last] = await site.post(['user.login.failed']);
    await until(
      'all are printed',
      () => byType.events.length === 2 && byTenant.events.length === 1 && byOutcome.events.length === 1,
    );

    assert.ok(update);
    assert.deepEqual(byType.ids, [login, last]);
    assert.deepEqual(byTenant.ids, [event.id]);
    assert.deepEqual(byOutcome.ids, [kickstart]);
  });

  test('prints what is delivered much later, where that is asked for', async () => {
    await using site = await makeSite();
    site.segment.fail({ kind: 'status', status: 503 });
    await using all = await startTail(site.bridge);
    await using delivered = await startTail(site.bridge, ['--outcome', 'delivered']);

    const ids = await site.post(['user.login.success', 'user.login.failed']);
    await until('they are given up as pending', () => all.events.length === 2);
    const before = delivered.events.length;
    site.segment.recover();
    await until('both are printed', () => delivered.events.length === 2);

    assert.equal(before, 0);
    assert.deepEqual(delivered.ids, ids);
  });

  test('goes on after a restart of the bridge, with one line when that is away and one when it is back', async () => {
    await using folder = await temporaryFolder();
    const settings = {
      PORT: String(await freePort()),
      DATA_DIR: folder.path,
      WAREHOUSE_URL: 'off',
    };
    const before = sample('user.login.success');
    const after = sample('user.login.failed');
    await using first = await BridgeProcess.start(settings);
    await first.post(before);
    const child = spawn(process.execPath, [cli, 'tail', '--json', '--last', '9', '--url', first.url]);
    const [out, said] = [collect(child.stdout), collect(child.stderr)];
    await until('the first is printed', () => out().includes(before.event.id));

    await first.end('SIGTERM');
    await until('it says that the bridge is away', () => said().includes('\n'));
    await using bridge = await BridgeProcess.start(settings);
    await bridge.post(after);
    await until('the new one is printed', () => out().includes(after.event.id));
    child.kill('SIGINT');
    await once(child, 'exit');

    assert.equal(
      said(),
      `No bridge answers at ${bridge.url}; waiting for it\nThe bridge at ${bridge.url} answers again\n`,
    );
    assert.equal(out().trim().split('\n').length, 2, 'each once');
    assert.equal(child.exitCode, 0);
  });

  test('ends by Ctrl-C while nobody reads what it prints', async () => {
    await using site = await makeSite();
    await using tailing = await startTail(site.bridge);
    tailing.child.stdout.pause();
    await site.post(Array.from({ length: 2_000 }, () => 'user.login.success' as const));
    await tailing.looksUntilItWaits();

    tailing.child.kill('SIGINT');
    tailing.child.stdout.resume();
    await tailing.exited;

    assert.deepEqual([tailing.child.exitCode, tailing.stderr], [0, '']);
  });

  test('ends without an error when the pipe does', async () => {
    await using site = await makeSite();
    await using tailing = await startTail(site.bridge);
    await site.post(['user.login.success']);
    await until('the first is printed', () => tailing.events.length === 1);

    tailing.child.stdout.destroy();
    // It is told by its next writes.
    while (tailing.child.exitCode === null) await site.post(['user.login.success']);

    assert.deepEqual([tailing.child.exitCode, tailing.stderr], [0, '']);
  });

  test('ends without an error by Ctrl-C', async () => {
    await using site = await makeSite();
    await using tailing = await startTail(site.bridge);

    tailing.child.kill('SIGINT');
    await tailing.exited;

    assert.deepEqual([tailing.child.exitCode, tailing.stderr], [0, '']);
  });

  test('loses nothing to a slow reader, and does not grow while it waits for it', async () => {
    await using site = await makeSite();
    await using tailing = await startTail(site.bridge);
    const first = await site.post(Array.from({ length: 500 }, () => 'user.login.success' as const));
    await until('it has come up to speed', () => tailing.events.length === first.length);
    const before = memoryOf(tailing.child);

    tailing.child.stdout.pause();
    const ids = await site.post(Array.from({ length: 5_000 }, () => 'user.login.success' as const));
    await site.bridge.settled();
    const looks = await tailing.looksUntilItWaits();
    const during = memoryOf(tailing.child);
    tailing.child.stdout.resume();
    await until('all are printed', () => tailing.events.length >= first.length + ids.length, 30_000);

    assert.equal(tailing.ids.length, first.length + ids.length);
    assert.deepEqual(new Set(tailing.ids), new Set([...first, ...ids]));
    assert.ok(looks < 10, `it looked ${looks} times with nobody reading`);
    if (before !== undefined && during !== undefined) {
      assert.ok(during - before < 40, `it grew from ${before} to ${during} MB`);
    }
  });

  test('says so where there is no bridge', async () => {
    const { exitCode, stderr } = await runCommand(['tail', '--url', `http://127.0.0.1:${await freePort()}`]);

    assert.equal(exitCode, 1);
    assert.match(stderr, /^No bridge answers at /);
  });
});

/** util-linux's, which gives its command a terminal of its own; others take other options. */
const script = spawnSync('script', ['--version'], { encoding: 'utf8' });
const canHaveTerminal = script.status === 0 && script.stdout.includes('util-linux');

describe(
  'tail at a terminal',
  { timeout: 90_000, skip: !canHaveTerminal && 'no script of util-linux' },
  () => {
    test('numbers its lines, opens one by its digit, pauses and goes on by the space bar, and ends by q', async () => {
      await using site = await makeSite();
      await using terminal = await startAtTerminal(site.bridge);
      const [first] = await site.post(['user.login.success']);
      await until('the line is there', () => /^0 .*user\.login\.success .*delivered/m.test(terminal.screen));

      terminal.press('0');
      await until('the event is open', () => terminal.screen.includes('  verified  unsigned'));
      terminal.press(' ');
      // The space is read by the time that the digit behind it is answered.
      terminal.press('0');
      await until('it is open again', () => terminal.screen.split('  verified  unsigned').length === 3);
      const [hidden] = await site.post(['user.login.failed']);
      await site.bridge.settled();
      terminal.press('0');
      await until(
        'it is open a third time',
        () => terminal.screen.split('  verified  unsigned').length === 4,
      );
      const whilePaused = terminal.screen;
      terminal.press(' ');
      await until('what came meanwhile is there', () => terminal.screen.includes(hidden ?? ''));
      terminal.press('q');
      await terminal.exited;

      assert.ok(!whilePaused.includes(hidden ?? ''));
      assert.ok(terminal.screen.includes(`${first ?? ''}  user.login.success`), 'the journey of the first');
      assert.equal(terminal.exitCode, 0);
    });

    test('takes keys that come together one by one, and the digits of other keys for none', async () => {
      await using site = await makeSite();
      await using terminal = await startAtTerminal(site.bridge);
      const ids = await site.post(['user.login.success', 'user.login.failed', 'user.update.complete']);
      await until('the lines are there', () => /^2 .*user\.update\.complete/m.test(terminal.screen));

      // F9, then 1, then 2.
      terminal.press('\u001b[20~12');
      await until('two are open', () => terminal.screen.split('  verified  unsigned').length === 3);
      terminal.press('\u001b[5~q');
      await terminal.exited;

      const opened = ids.filter((id) => new RegExp(`^${id}  user`, 'm').test(terminal.screen));
      assert.deepEqual(opened, ids.slice(1));
      assert.equal(terminal.exitCode, 0);
    });

    test('says that an event which it was to open is gone, and goes on', async () => {
      await using site = await makeSite();
      await using terminal = await startAtTerminal(site.bridge);
      const [first = ''] = await site.post(['user.login.success']);
      await until('the line is there', () => terminal.screen.includes(first));

      terminal.looks.gone = first;
      terminal.press('0');
      await until('it says so', () => terminal.screen.includes(`${first}: The log has no event of this id`));
      const [next = ''] = await site.post(['user.login.failed']);
      await until('the next one is there', () => terminal.screen.includes(next));
    });

    test('ends by Ctrl-C', async () => {
      await using site = await makeSite();
      await using terminal = await startAtTerminal(site.bridge);

      terminal.press('\u0003');
      await terminal.exited;

      assert.equal(terminal.exitCode, 0);
    });
  },
);

/** Stands between `tail` and its bridge, and counts its looks. */
class LookCounter implements AsyncDisposable {
  readonly #server = createServer((incoming, response) => void this.#pass(incoming.url ?? '', response));
  readonly #bridgeUrl: string;
  answered = 0;
  /** Id of an event that the log has no more. */
  gone: string | undefined;

  private constructor(bridgeUrl: string) {
    this.#bridgeUrl = bridgeUrl;
  }

  static async start(bridgeUrl: string): Promise<LookCounter> {
    const looks = new LookCounter(bridgeUrl);
    await listenOnLoopback(looks.#server);
    return looks;
  }

  get url(): string {
    return urlOf(this.#server);
  }

  async #pass(path: string, response: ServerResponse): Promise<void> {
    const isGone = this.gone !== undefined && path.endsWith(this.gone);
    const answer = await request(`${this.#bridgeUrl}${isGone ? '/api/events/none' : path}`);
    response.writeHead(answer.statusCode, { 'content-type': 'application/json' });
    response.end(await answer.body.text());
    this.answered++;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeServer(this.#server);
  }
}

/** In MB, where the system tells. */
function memoryOf({ pid }: ChildProcessWithoutNullStreams): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid ?? 0}/status`, 'utf8');
    return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024);
  } catch {
    return undefined;
  }
}

/** All that has come of it so far. */
function collect(stream: Readable): () => string {
  let all = '';
  stream.setEncoding('utf8').on('data', (text: string) => (all += text));
  return () => all;
}

/** A bridge with Segment alone. */
async function makeSite() {
  const segment = await SegmentStandIn.start();
  const bridge = await startBridge({ SEGMENT_WRITE_KEY: 'k', SEGMENT_ENDPOINT: segment.url });
  return {
    segment,
    bridge,
    /** Posts samples, some at a time; their ids. */
    async post(types: readonly Parameters<typeof sample>[0][]): Promise<readonly string[]> {
      const bodies = types.map((type) => sample(type));
      const atOnce = types.length < 100 ? 1 : 50;
      for (let from = 0; from < bodies.length; from += atOnce) {
        await Promise.all(bodies.slice(from, from + atOnce).map((body) => bridge.post(body)));
      }
      return bodies.map(({ event }) => event.id);
    },
    async [Symbol.asyncDispose]() {
      await bridge[Symbol.asyncDispose]();
      await segment[Symbol.asyncDispose]();
    },
  };
}

/** Resolves when it has had its first look, so that what comes from now on is new to it. */
async function startTail(bridge: BridgeProcess, args: readonly string[] = []) {
  const looks = await LookCounter.start(bridge.url);
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [cli, 'tail', '--json', ...args, '--url', looks.url], {
    env: { PATH, HOME },
  });
  const exited = once(child, 'exit');
  const tailing = {
    child,
    looks,
    exited,
    stderr: '',
    events: [] as EventSummary[],
    get ids(): readonly string[] {
      return tailing.events.map(({ id }) => id);
    },
    /** How often it looked before it stopped looking, which is when it has done so for two seconds. */
    async looksUntilItWaits(): Promise<number> {
      const before = looks.answered;
      let last = before;
      let since = performance.now();
      await until('it looks no more', () => {
        if (looks.answered !== last) [last, since] = [looks.answered, performance.now()];
        return performance.now() - since > 2_000;
      });
      return last - before;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await exited;
      await looks[Symbol.asyncDispose]();
    },
  };
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) tailing.events.push(JSON.parse(line) as EventSummary);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (tailing.stderr += text));
  await until('it has had its first look', () => looks.answered > 0);
  return tailing;
}

async function startAtTerminal(bridge: BridgeProcess) {
  const looks = await LookCounter.start(bridge.url);
  const { PATH, HOME } = process.env;
  const command = `'${process.execPath}' '${cli}' tail --url ${looks.url}`;
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { PATH, HOME, TERM: 'xterm', NO_COLOR: '1' },
  });
  const exited = once(child, 'exit');
  const terminal = {
    /** All that was ever on it. */
    screen: '',
    looks,
    exited,
    press: (key: string) => child.stdin.write(key),
    get exitCode() {
      return child.exitCode;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await exited;
      await looks[Symbol.asyncDispose]();
    },
  };
  child.stdout
    .setEncoding('utf8')
    .on('data', (text: string) => (terminal.screen += text.replaceAll('\r', '')));
  await until('tail says what its keys do', () => terminal.screen.includes('q ends'));
  await until('it has had its first look', () => looks.answered > 0);
  return terminal;
}
