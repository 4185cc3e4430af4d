// The commands as their user has them: run in a process, judged by what they print and by their exit code.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { catalogue } from '../../src/fusionauth/catalogue.ts';
import { signatureHeader } from '../../src/fusionauth/signature.ts';
import { sample, startBridge } from '../support/bridge.ts';
import { runCommand } from '../support/command.ts';
import type { Run } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { signWithSecret } from '../support/fusionauth.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

function run(args: readonly string[], settings: Record<string, string> = {}, input = ''): Promise<Run> {
  return runCommand(args, { settings, input });
}

test('events lists every type of the catalogue with what it becomes', async () => {
  const { stdout, exitCode } = await run(['events']);

  assert.equal(exitCode, 0);
  assert.equal(stdout.trim().split('\n').length, catalogue.length + 1);
  assert.match(
    stdout,
    /^user\.create\.complete +1\.30 +all +identify, then track "user\.create\.complete" +a user was created; not for imports$/m,
  );
  assert.match(stdout, /^kickstart\.success +1\.30 +all +nothing: it names no user /m);
});

test('events --json is one document, and a text chooses among the types', async () => {
  const { stdout } = await run(['events', 'login.success', '--json']);

  const [entry, ...others] = JSON.parse(stdout) as unknown[];
  assert.deepEqual(others, []);
  assert.partialDeepStrictEqual(entry, { type: 'user.login.success', becomes: ['track'] });
});

test('map prints the messages of a file, of standard input and of a sample', async () => {
  await using folder = await temporaryFolder();
  const body = JSON.stringify(sample('user.login.success', { id: '1', userId: 'u' }));
  const file = join(folder.path, 'event.json');
  await writeFile(file, body);

  const [fromFile, fromInput, fromSample] = await Promise.all([
    run(['map', file]),
    run(['map'], {}, body),
    run(['map', '--sample', 'user.login.success']),
  ]);

  assert.equal(fromFile.stdout, fromInput.stdout);
  assert.partialDeepStrictEqual(JSON.parse(fromFile.stdout) as unknown, {
    type: 'user.login.success',
    messages: [{ type: 'track', event: 'user.login.success', userId: 'u', messageId: 'fusionauth-1-track' }],
    discards: [],
  });
  assert.equal((JSON.parse(fromSample.stdout) as { messages: unknown[] }).messages.length, 1);
});

test('map shows what Segment would drop', async () => {
  const event = {
    id: '1',
    type: 'user.update.complete',
    user: { id: 'u', data: { text: 'x'.repeat(40_000) } },
  };

  const { stdout } = await run(['map'], {}, JSON.stringify({ event }));

  assert.partialDeepStrictEqual(JSON.parse(stdout) as unknown, {
    discards: [{ reason: 'message_too_large' }],
  });
});

test('map says what is wrong with a body that is no event', async () => {
  const { exitCode, stderr, stdout } = await run(['map'], {}, '{"event":{"id":"1"}}');

  assert.deepEqual([exitCode, stdout], [1, '']);
  assert.match(stderr, /^event\.type is missing\nGive the body of a FusionAuth webhook/);
});

test('send signs by the secret, counts and prints JSON', async () => {
  const settings = { FUSIONAUTH_WEBHOOK_SECRET: 'a secret that both sides have' };
  await using bridge = await startBridge(settings);

  const { stdout, exitCode } = await run(
    ['send', 'user.login.success', 'user.create.complete', '--count', '3', '--url', bridge.url, '--json'],
    settings,
  );

  const sent = JSON.parse(stdout) as { httpStatus: number }[];
  assert.equal(exitCode, 0);
  assert.deepEqual(
    sent.map(({ httpStatus }) => httpStatus),
    [200, 200, 200, 200, 200, 200],
  );
  assert.equal((await bridge.books()).stored, 6);
});

test('send says what to do where the bridge refuses its signature', async () => {
  await using bridge = await startBridge({ FUSIONAUTH_WEBHOOK_SECRET: 'a secret that one side has' });

  const { exitCode, stderr } = await run(['send', 'user.login.success', '--url', bridge.url]);

  assert.equal(exitCode, 1);
  assert.match(stderr, /answered 401.*\nSet FUSIONAUTH_WEBHOOK_SECRET/);
});

test('status exits with 0 where all is well, and with 1 and the reason where a destination does not work', async () => {
  await using segment = await SegmentStandIn.start();
  await using bridge = await startBridge({ SEGMENT_WRITE_KEY: 'k', SEGMENT_ENDPOINT: segment.url });
  await bridge.post(sample('user.login.success'));
  await bridge.settled();

  const well = await run(['status', '--url', bridge.url]);
  segment.fail({ kind: 'status', status: 401 });
  await bridge.post(sample('user.login.success'));
  await until(
    'it is blocked',
    async () => (await bridge.books()).destinations['segment']?.state === 'blocked',
  );
  const unwell = await run(['status', '--url', bridge.url]);

  assert.equal(well.exitCode, 0);
  assert.match(well.stdout, /received 1 = duplicates 0 \+ stored 1; rejected 0/);
  assert.match(well.stdout, /The books balance\./);
  assert.equal(unwell.exitCode, 1);
  assert.match(unwell.stdout, /^segment: .*answered 401\. Check SEGMENT_WRITE_KEY/m);
});

test('status names why no webhook is taken, and counts what is dead', async () => {
  await using segment = await SegmentStandIn.start();
  const secret = 'a secret that both sides have, 32 bytes';
  await using bridge = await startBridge({
    SEGMENT_WRITE_KEY: 'k',
    SEGMENT_ENDPOINT: segment.url,
    FUSIONAUTH_WEBHOOK_SECRET: secret,
  });
  const post = (body: string) => bridge.post(body, { [signatureHeader]: signWithSecret(body, secret) });
  await bridge.post(sample('user.login.success'));

  const refused = await run(['status', '--url', bridge.url]);
  await post(JSON.stringify(sample('user.login.success')));
  await bridge.settled();
  segment.isBad = () => true;
  await post(JSON.stringify(sample('user.login.success')));
  await bridge.settled();
  const dead = await run(['status', '--url', bridge.url]);

  assert.equal(refused.exitCode, 1);
  assert.match(
    refused.stdout,
    /^The last webhook was refused .*: 401, missing\. FusionAuth does not sign: run setup/m,
  );
  assert.match(refused.stdout, /^What to mend, link by link: doctor\./m);
  assert.equal(dead.exitCode, 1);
  assert.match(dead.stdout, /^segment: 1 dead record; dead-letters shows each with its reason$/m);
  assert.doesNotMatch(dead.stdout, /refused/, 'webhooks come by now');
});

test('a command that finds no bridge says so, and what to do', async () => {
  const { exitCode, stderr } = await run(['status'], { PORT: String(await freePort()) });

  assert.equal(exitCode, 1);
  assert.match(stderr, /^No bridge answers at http:\/\/127\.0\.0\.1:\d+\nStart it/);
});

test('warehouse url says where there is no warehouse yet, and prints the address of one’s own server', async () => {
  await using folder = await temporaryFolder();

  const none = await run(['warehouse', 'url'], { DATA_DIR: folder.path });
  const off = await run(['warehouse', 'url'], { WAREHOUSE_URL: 'off' });
  const own = await run(['warehouse', 'url'], { WAREHOUSE_URL: 'postgresql://me@db.example.com/app' });

  assert.deepEqual([none.exitCode, off.exitCode, own.exitCode], [1, 1, 0]);
  assert.match(none.stderr, /There is no warehouse in .* yet\nStart the bridge once/);
  assert.match(off.stderr, /The warehouse is off\nUnset WAREHOUSE_URL/);
  assert.equal(own.stdout, 'postgresql://me@db.example.com/app\n');
});

test('wrong usage exits with 2, help with 0 and examples', async () => {
  for (const args of [
    ['fly'],
    ['send', '--count', '0'],
    ['send', '--count', 'many'],
    ['status', '--wrong'],
    ['warehouse', 'fly'],
  ]) {
    const { exitCode, stderr } = await run(args);
    assert.equal(exitCode, 2, args.join(' '));
    assert.match(stderr, /error: /);
  }
  for (const args of [
    ['--help'],
    ['start', '--help'],
    ['send', '--help'],
    ['events', '--help'],
    ['map', '--help'],
    ['status', '--help'],
    ['warehouse', 'url', '--help'],
    ['warehouse', 'psql', '--help'],
  ]) {
    const { exitCode, stdout } = await run(args);
    assert.equal(exitCode, 0);
    assert.match(stdout, /Examples?:/, args.join(' '));
  }
});
