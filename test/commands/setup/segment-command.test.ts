// `setup` at Segment, as its user has it: the real command beside the stand-ins for FusionAuth and for Segment's Public API.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../support/command.ts';
import { FakeFusionAuth, superKey } from '../../support/fake-fusionauth/fake-fusionauth.ts';
import { SegmentPublicApiStandIn } from '../../support/segment-public-api.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

test('with a token the source is made, its write key kept in .env, and a second run changes nothing', async () => {
  await using fusionAuth = await FakeFusionAuth.start();
  await using segment = await SegmentPublicApiStandIn.start();
  await using folder = await temporaryFolder();
  const settings = {
    FUSIONAUTH_URL: fusionAuth.url,
    FUSIONAUTH_API_KEY: superKey,
    SEGMENT_PUBLIC_API_URL: segment.url,
    SEGMENT_PUBLIC_API_TOKEN: 'a-token',
  };
  const run = (...args: string[]) => runCommand(['setup', ...args], { settings, cwd: folder.path });

  const dry = await run('--dry-run');
  assert.equal(dry.exitCode, 0, dry.stderr);
  assert.match(dry.stdout, /Segment, workspace/);
  assert.equal(segment.sources.length, 0);

  const first = await run('--yes');
  assert.equal(first.exitCode, 0, first.stderr);
  const [source] = segment.sources;
  assert.equal(source?.slug, 'fusionauth');
  const [writeKey = ''] = source.writeKeys;
  assert.match(
    await readFile(join(folder.path, '.env'), 'utf8'),
    new RegExp(`^SEGMENT_WRITE_KEY=${writeKey}$`, 'm'),
  );
  assert.doesNotMatch(first.stdout + first.stderr, new RegExp(writeKey));

  const second = await run('--yes');
  assert.equal(second.exitCode, 0, second.stderr);
  assert.match(second.stdout, /All is set up already/);
  assert.equal(segment.sources.length, 1);
});

test('without a token the steps by hand are told, and that nobody can tell whether a key is right', async () => {
  await using fusionAuth = await FakeFusionAuth.start();
  await using folder = await temporaryFolder();
  const settings = { FUSIONAUTH_URL: fusionAuth.url, FUSIONAUTH_API_KEY: superKey };

  const { stdout, exitCode } = await runCommand(['setup', '--dry-run'], { settings, cwd: folder.path });
  assert.equal(exitCode, 0);
  assert.match(stdout, /1\. Sign in at https:\/\/app\.segment\.com/);
  assert.match(stdout, /cannot tell whether a write key is right/);

  const withKey = { ...settings, SEGMENT_WRITE_KEY: 'a-key' };
  const known = await runCommand(['setup', '--dry-run'], { settings: withKey, cwd: folder.path });
  assert.doesNotMatch(known.stdout, /app\.segment\.com/);
});

test('a warehouse of Segment’s own needs a token', async () => {
  const url = 'postgresql://user:password@db.example.com/database';
  const { exitCode, stderr } = await runCommand(['setup', '--segment-warehouse', url]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /SEGMENT_PUBLIC_API_TOKEN/);
});
