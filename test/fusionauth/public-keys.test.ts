import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { CryptoKey } from 'jose';
import { exportJWK } from 'jose';
import { KeysUnavailableError, PublicKeys } from '../../src/fusionauth/public-keys.ts';
import { JwksStandIn, makeKey } from '../support/fusionauth.ts';
import type { SigningKey } from '../support/fusionauth.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

const first = makeKey('ES256', 'first');
const second = makeKey('ES256', 'second');
const unknownKey = { code: 'ERR_JWKS_NO_MATCHING_KEY' };

/** As the verifier asks: by a token's header. */
async function find(
  keys: PublicKeys,
  { kid, algorithm }: Pick<SigningKey, 'kid' | 'algorithm'>,
): Promise<CryptoKey> {
  return (await keys.find({ alg: algorithm, kid }, { payload: '', signature: '' })) as CryptoKey;
}

const someKid = () => ({ kid: randomUUID(), algorithm: 'ES256' }) as const;

async function assertIs(found: CryptoKey, key: SigningKey): Promise<void> {
  assert.partialDeepStrictEqual(await exportJWK(found), key.publicKey.export({ format: 'jwk' }));
}

/** A server that answers what it is told to. */
async function serve(listener: RequestListener): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

test('FusionAuth is asked once for the keys that it has published, however many tokens come', async () => {
  await using jwks = await JwksStandIn.start([first, second]);
  const keys = new PublicKeys({ fusionAuthUrl: jwks.url });

  const found = await Promise.all([first, second, first, second].map((key) => find(keys, key)));
  for (let token = 0; token < 50; token++) await find(keys, first);

  assert.equal(jwks.requests, 1);
  for (const [index, key] of found.entries()) await assertIs(key, index % 2 === 0 ? first : second);
});

test('a kid that is not known is asked for, and refused when FusionAuth has no such key', async () => {
  await using jwks = await JwksStandIn.start([first]);
  const keys = new PublicKeys({ fusionAuthUrl: jwks.url, minIntervalMs: 0 });
  await find(keys, first);

  await assert.rejects(find(keys, second), unknownKey);

  assert.equal(jwks.requests, 2);
});

test('a rotated key is accepted at once, even right after the last fetch, and the former one too', async () => {
  await using jwks = await JwksStandIn.start([first]);
  const minIntervalMs = 100;
  const keys = new PublicKeys({ fusionAuthUrl: jwks.url, minIntervalMs });
  await find(keys, first);
  jwks.keys = [first, second];
  const rotatedAt = performance.now();

  const found = await find(keys, second);

  await assertIs(found, second);
  await assertIs(await find(keys, first), first);
  assert.equal(jwks.requests, 2);
  // FusionAuth waits two seconds for an answer.
  assert.ok(performance.now() - rotatedAt < minIntervalMs + 1_000);
});

test('tokens that wait for a rotated key share one fetch', async () => {
  await using jwks = await JwksStandIn.start([first]);
  const keys = new PublicKeys({ fusionAuthUrl: jwks.url, minIntervalMs: 50 });
  await find(keys, first);
  jwks.keys = [second];

  const found = await Promise.all(Array.from({ length: 100 }, () => find(keys, second)));

  assert.equal(found.length, 100);
  assert.equal(jwks.requests, 2);
});

for (const isDown of [false, true]) {
  test(`FusionAuth${isDown ? ', while it is down,' : ''} is asked at most once in an interval, whatever tokens come`, async () => {
    await using jwks = await JwksStandIn.start([first]);
    const minIntervalMs = 40;
    const keys = new PublicKeys({ fusionAuthUrl: jwks.url, minIntervalMs });
    await find(keys, first);
    jwks.isDown = isDown;
    const startedAt = performance.now();

    for (let round = 0; round < 8; round++) {
      const tokens = Array.from({ length: 20 }, () => find(keys, someKid()));
      keys.load().catch(() => undefined);
      const results = await Promise.allSettled(tokens);
      assert.ok(results.every(({ status }) => status === 'rejected'));
      await find(keys, first);
    }

    // Node's timers may come up to a millisecond early.
    const intervals = (performance.now() - startedAt) / (minIntervalMs - 1);
    assert.ok(jwks.requests <= 2 + intervals, `${jwks.requests} requests in ${intervals} intervals`);
  });
}

test('known keys are kept through an outage; unknown ones are neither accepted nor refused, and found after it', async () => {
  await using jwks = await JwksStandIn.start([first]);
  const keys = new PublicKeys({ fusionAuthUrl: jwks.url, maxAgeMs: 0, minIntervalMs: 0 });
  await find(keys, first);
  jwks.isDown = true;
  jwks.keys = [first, second];

  for (let token = 0; token < 20; token++) await assertIs(await find(keys, first), first);
  await assert.rejects(find(keys, second), KeysUnavailableError);
  await assertIs(await find(keys, first), first);
  jwks.isDown = false;

  await assertIs(await find(keys, second), second);
});

test('a withdrawn key goes once the set is old: it is fetched anew in the background', async () => {
  await using jwks = await JwksStandIn.start([first, second]);
  const keys = new PublicKeys({ fusionAuthUrl: jwks.url, maxAgeMs: 0, minIntervalMs: 0 });
  await find(keys, first);
  jwks.keys = [second];

  await until('the withdrawn key is refused', () =>
    find(keys, first).then(
      () => false,
      (error: unknown) => (error as { code?: unknown }).code === unknownKey.code,
    ),
  );

  await assertIs(await find(keys, second), second);
});

test('a set that is not old is not fetched anew', async () => {
  await using jwks = await JwksStandIn.start([first]);
  const keys = new PublicKeys({ fusionAuthUrl: jwks.url, maxAgeMs: 600_000, minIntervalMs: 0 });
  await find(keys, first);
  jwks.keys = [];

  for (let token = 0; token < 20; token++) await find(keys, first);

  assert.equal(jwks.requests, 1);
});

test('keys can be fetched before the first token comes, and a failure of that is no fault', async () => {
  await using jwks = await JwksStandIn.start([first]);
  const keys = new PublicKeys({ fusionAuthUrl: jwks.url, minIntervalMs: 0 });
  jwks.isDown = true;
  keys.load().catch(() => undefined);
  await until('the failed request', () => jwks.requests === 1);
  jwks.isDown = false;
  await until('keys are there', () =>
    find(keys, first).then(
      () => true,
      () => false,
    ),
  );
  const { requests } = jwks;

  await find(keys, first);

  assert.equal(jwks.requests, requests);
});

const answers: [string, number, string][] = [
  ['503', 503, '{"keys":[]}'],
  ['404', 404, ''],
  ['a redirect', 302, ''],
  ['a page', 200, '<!doctype html><title>Sign in</title>'],
  ['an empty body', 200, ''],
  ['null', 200, 'null'],
  ['no keys', 200, '{}'],
  ['keys that are no list', 200, '{"keys":{"first":{}}}'],
  ['keys that are no keys', 200, '{"keys":[null]}'],
];
for (const [name, status, text] of answers) {
  test(`${name} in place of a key set: the keys are unavailable`, async () => {
    await using server = await serve((_request, response) => void response.writeHead(status).end(text));
    const keys = new PublicKeys({ fusionAuthUrl: server.url });

    await assert.rejects(find(keys, first), (error) => {
      assert.ok(error instanceof KeysUnavailableError);
      assert.equal(error.code, 'KEYS_UNAVAILABLE');
      assert.match(error.message, /\/\.well-known\/jwks\.json/);
      assert.ok(error.cause instanceof Error);
      return true;
    });
  });
}

test('where nobody answers, the keys are unavailable', async () => {
  const keys = new PublicKeys({ fusionAuthUrl: `http://127.0.0.1:${await freePort()}` });

  await assert.rejects(find(keys, first), KeysUnavailableError);
});

test('where FusionAuth does not answer in time, the keys are unavailable', async () => {
  await using server = await serve(() => undefined);
  const keys = new PublicKeys({ fusionAuthUrl: server.url, timeoutMs: 30 });

  await assert.rejects(find(keys, first), KeysUnavailableError);
});

test('a bad answer does not replace the keys that are there', async () => {
  let text = JSON.stringify({ keys: [{ ...first.publicKey.export({ format: 'jwk' }), kid: first.kid }] });
  await using server = await serve((_request, response) => void response.end(text));
  const keys = new PublicKeys({ fusionAuthUrl: server.url, minIntervalMs: 0 });
  await find(keys, first);
  text = '{"keys":"gone"}';

  await assert.rejects(find(keys, second), KeysUnavailableError);

  await assertIs(await find(keys, first), first);
});

const urls: [string, string][] = [
  ['', '/.well-known/jwks.json'],
  ['/', '/.well-known/jwks.json'],
  ['//', '/.well-known/jwks.json'],
  ['/auth', '/auth/.well-known/jwks.json'],
  ['/auth/', '/auth/.well-known/jwks.json'],
];
for (const [path, expected] of urls) {
  test(`with FusionAuth at http://host${path} the keys are read from ${expected}`, async () => {
    const asked: (string | undefined)[] = [];
    await using server = await serve((request, response) => {
      asked.push(request.url);
      response.end('{"keys":[]}');
    });
    const keys = new PublicKeys({ fusionAuthUrl: `${server.url}${path}` });

    await assert.rejects(find(keys, first), unknownKey);

    assert.deepEqual(asked, [expected]);
  });
}
