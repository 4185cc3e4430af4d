// The small programs that stand in the Dockerfile and the Compose file do what they are for, beside a running bridge.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { sample, startBridge } from '../support/bridge.ts';
import { JwksStandIn, makeKey, signWithKey } from '../support/fusionauth.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const program = promisify(execFile);
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const { services } = parse(read('deploy/compose.yaml'), { merge: true }) as {
  services: { 'admin-token': { entrypoint: string[]; command: [string] } };
};

/** Runs the Compose file's `admin-token` on a folder in place of the volume, and returns the token that is there then. */
async function makeToken(folder: string, given = ''): Promise<string> {
  const { entrypoint, command } = services['admin-token'];
  assert.deepEqual(entrypoint, ['node', '-e']);
  const script = command[0].replaceAll("'/data/", `'${folder}/`);
  await program(process.execPath, ['-e', script], { env: { ADMIN_TOKEN: given } });
  return readFile(join(folder, 'admin-token'), 'utf8');
}

test('Compose makes a token at the first start and keeps it, unless one is given', async () => {
  await using folder = await temporaryFolder();

  const first = await makeToken(folder.path);
  const second = await makeToken(folder.path);
  const third = await makeToken(folder.path, 'a-token-of-my-own');

  assert.match(first, /^[0-9a-f]{48}$/);
  assert.equal(second, first);
  assert.equal(third, 'a-token-of-my-own');
  assert.equal((await stat(join(folder.path, 'admin-token'))).mode & 0o777, 0o600);
});

test('a bridge with that token, on all addresses, takes what the kickstart’s kind of key signed, and only that', async () => {
  await using folder = await temporaryFolder();
  const token = await makeToken(folder.path);
  const key = makeKey('ES256');
  await using fusionAuth = await JwksStandIn.start([key]);
  await using bridge = await startBridge({
    HOST: '0.0.0.0',
    FUSIONAUTH_URL: fusionAuth.url,
    ADMIN_TOKEN_FILE: join(folder.path, 'admin-token'),
  });
  const body = JSON.stringify(sample('user.login.success'));

  const signed = await bridge.post(body, { 'x-fusionauth-signature-jwt': signWithKey(body, key) });
  const unsigned = await bridge.post(body);
  const page = await bridge.get('/api/status', { authorization: `Bearer ${token}` });
  const stranger = await bridge.get('/api/status');

  assert.equal(signed.status, 200);
  assert.equal(unsigned.status, 401);
  assert.equal(page.status, 200);
  assert.equal(stranger.status, 401);
});

test('the image’s health check ends with 0 beside a bridge that lives, and with 1 beside none', async () => {
  const [, command = ''] = /^HEALTHCHECK .*\\\n\s*CMD (\[.*\])$/m.exec(read('deploy/Dockerfile')) ?? [];
  const [, ...args] = JSON.parse(command) as string[];
  const check = (url: string) =>
    program(process.execPath, args, { env: { PORT: new URL(url).port } }).then(
      () => 0,
      (error: unknown) => (error as { code: number }).code,
    );
  const bridge = await startBridge();

  const alive = await check(bridge.url);
  await bridge[Symbol.asyncDispose]();
  const dead = await check(bridge.url);

  assert.equal(alive, 0);
  assert.equal(dead, 1);
});
