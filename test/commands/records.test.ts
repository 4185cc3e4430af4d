// The commands about records, wrongly used: what they say, and by which exit code.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import type { BridgeProcess } from '../support/bridge.ts';
import { sample, startBridge } from '../support/bridge.ts';
import { runCommand } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { closeServer, listenOnLoopback, urlOf } from '../support/loopback-server.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { until } from '../support/until.ts';

const run = (...args: string[]) => runCommand(args);

describe('wrong usage', { concurrency: 2, timeout: 60_000 }, () => {
  const cases: [command: string, says: RegExp][] = [
    ['replay', /^To which destination\?\nName it: --to segment$/m],
    ['replay --type a', /^To which destination\?/],
    ['replay --to segment', /^Which records\?\nChoose by --event, .*--type '\*' for all$/m],
    ['replay --to segment --outcome pending', /^error: .*'pending' is invalid/],
    ['replay --to segment --type a --rate 0', /^error: a number above 0 is expected, not "0"$/m],
    ['replay --to segment --type a --rate fast', /^error: a number above 0 is expected, not "fast"$/m],
    ['replay --stop 1.5', /^error: a whole number above 0 is expected, not "1\.5"$/m],
    ['replay --stop all', /^error: a whole number above 0 is expected, not "all"$/m],
    ['replay --to', /^error: .*--to <destination>.* argument missing/],
    ['replay --of segment --type a', /^error: unknown option '--of'/],
    ['dead-letters retry', /^error: required option '--of <destination>' not specified/],
    ['dead-letters discard --of segment', /^error: required option '--because <reason>' not specified/],
    ['dead-letters discard --because x', /^error: required option '--of <destination>' not specified/],
    ['dead-letters list --limit 0', /^error: a whole number above 0 is expected, not "0"$/m],
    ['dead-letters show', /^error: missing required argument 'event id'/],
    ['show', /^error: missing required argument 'event id'/],
    [
      'replay --to segment --since yesterday',
      /^--since must be a time, not "yesterday"\nGive it as 2026-01-31/,
    ],
    ['replay --to segment --since 2026-02-30', /^--since must be a time, not "2026-02-30"$/m],
    ['replay --to segment --until 12:00', /^--until must be a time, not "12:00"$/m],
    ['dead-letters retry --of segment --until 2w', /^--until must be a time, not "2w"$/m],
    ['dead-letters discard --of a --because x', /^Which dead letters\?\nChoose by .*; or say --all$/m],
    ['dead-letters discard --of a --all --type b --because x', /^All of them, or those that an option /],
    ['tail --last 1.5', /^error: a whole number above 0 is expected/],
    ['tail --outcome lost', /^error: .*'lost' is invalid/],
  ];
  for (const [command, says] of cases) {
    test(`of "${command}" is told on stderr, with exit code 2`, async () => {
      const { exitCode, stdout, stderr } = await run(...command.split(' '));

      assert.deepEqual([exitCode, stdout], [2, ''], stderr);
      assert.match(stderr, says);
    });
  }
});

describe('a running bridge', { timeout: 60_000 }, () => {
  let segment: SegmentStandIn;
  let bridge: BridgeProcess & AsyncDisposable;
  before(async () => {
    segment = await SegmentStandIn.start();
    bridge = await startBridge({ SEGMENT_WRITE_KEY: 'k', SEGMENT_ENDPOINT: segment.url });
    await bridge.post(sample('user.login.success', { id: 'the-login' }));
    await bridge.settled();
  });
  after(async () => {
    await bridge[Symbol.asyncDispose]();
    await segment[Symbol.asyncDispose]();
  });

  const refusals: [command: string, says: RegExp][] = [
    ['replay --to acme --type a', /^There is no destination "acme"; there are segment\n/],
    ['dead-letters list --of acme', /^There is no destination "acme"; there are segment\n/],
    [
      'dead-letters discard --of acme --all --because x',
      /^There is no destination "acme"; there are segment\n/,
    ],
    ['replay --stop 99', /^No replay 99 is running\n/],
    ['show nothing', /^The log has no event of this id/],
    ['dead-letters show nothing', /^Event nothing has no dead letter\ndead-letters list shows/],
  ];
  for (const [command, says] of refusals) {
    test(`refuses "${command}", with exit code 1 and the reason`, async () => {
      const { exitCode, stdout, stderr } = await run(...command.split(' '), '--url', bridge.url);

      assert.deepEqual([exitCode, stdout], [1, ''], stderr);
      assert.match(stderr, says);
    });
  }

  test('says what it may not be asked, with exit code 2', async () => {
    const slow = ['replay', '--to', 'segment', '--type', 'a', '--rate', '0.001'];

    const { exitCode, stderr } = await run(...slow, '--url', bridge.url);

    assert.equal(exitCode, 2);
    assert.match(stderr, /^perSecond: .*0\.01\n/);
  });

  const documents: [command: string, expected: object][] = [
    ['dead-letters --of segment --json', { counts: [], deadLetters: [] }],
    ['replay --to segment --since 2h --dry-run --json', { records: 1 }],
    ['replay --to segment --until 2h --dry-run --json', { records: 0 }],
    ['dead-letters retry --of segment --dry-run --json', { records: 0 }],
    ['replay --to segment --since 2026-01-01T00:00:00+02:00 --dry-run --json', { records: 1 }],
    ['replay --to segment --until 1767225600000 --dry-run --json', { records: 0 }],
    ['dead-letters --reason none --json', { counts: [], deadLetters: [] }],
    ['dead-letters discard --of segment --all --because x --json', { discarded: 0 }],
    ['show the-login --json', { event: { id: 'the-login' } }],
  ];
  for (const [command, expected] of documents) {
    test(`answers "${command}" by one document and nothing else`, async () => {
      const { exitCode, stdout, stderr } = await run(...command.split(' '), '--url', bridge.url);

      assert.deepEqual([exitCode, stderr], [0, '']);
      assert.partialDeepStrictEqual(JSON.parse(stdout) as object, expected);
    });
  }

  test('starts, lists and stops replays in words and in documents', async () => {
    const all = ['--to', 'segment', '--type', '*', '--url', bridge.url];

    const dryRun = await run('replay', ...all, '--dry-run');
    const started = await run('replay', ...all, '--rate', '0.01');
    await until('it waits for its rate', async () => {
      const { text: replays } = await bridge.get('/api/replays');
      return replays.includes('"delivered":1');
    });
    const listed = await run('replay', '--list', '--url', bridge.url);
    const stopped = await run('replay', '--stop', '1', '--json', '--url', bridge.url);

    assert.equal(dryRun.stdout, '1 records would be sent to segment again\n');
    assert.match(started.stdout, /^Replay 1 sends them to segment again, 0\.01 a second at most; /);
    assert.match(listed.stdout, /^1 +segment +running +1 +0 +0 .*\{"types":\["\*"\]\}$/m);
    assert.deepEqual(JSON.parse(stopped.stdout), { stopped: true });
  });
});

describe('what is no bridge', { timeout: 60_000 }, () => {
  test('is told from one that is away', async () => {
    const server = createServer((_incoming, response) => response.end('<!doctype html>'));
    await listenOnLoopback(server);

    const page = await run('status', '--url', urlOf(server));
    await closeServer(server);
    const nobody = await run('status', '--url', `http://127.0.0.1:${await freePort()}`);

    assert.deepEqual([page.exitCode, nobody.exitCode], [1, 1]);
    assert.match(page.stderr, /^What answers at .* is no bridge: it sent no JSON\n/);
    assert.match(nobody.stderr, /^No bridge answers at .*\nStart it/);
  });
});

test(
  'show prints a Java long with all the digits that the bridge has of it',
  { timeout: 60_000 },
  async () => {
    const journey = '{"event":{"id":"1","body":{"expiry":9223372036854775807}},"destinations":{}}';
    const server = createServer((_incoming, response) => response.end(journey));
    await listenOnLoopback(server);

    const { stdout } = await run('show', '1', '--json', '--url', urlOf(server));
    await closeServer(server);

    assert.match(stdout, /"expiry": 9223372036854775807$/m);
  },
);
