// FusionAuth's API by FusionAuth's own client, against the stand-in.

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { FusionAuthApiError } from '../../src/fusionauth/api/errors.ts';
import { FusionAuthApi } from '../../src/fusionauth/api/fusionauth-api.ts';
import { PublicKeys } from '../../src/fusionauth/public-keys.ts';
import { createSignatureVerifier, verifyBody } from '../../src/fusionauth/signature.ts';
import { FakeFusionAuth, superKey } from '../support/fake-fusionauth/fake-fusionauth.ts';
import { freePort } from '../support/free-port.ts';

let fusionAuth: FakeFusionAuth;
before(async () => {
  fusionAuth = await FakeFusionAuth.start();
});
after(() => fusionAuth[Symbol.asyncDispose]());

function apiWith(apiKey = superKey, url = fusionAuth.url): FusionAuthApi {
  return new FusionAuthApi({ url, apiKey, userAgent: 'test', timeoutMs: 500 });
}

async function failureOf(call: Promise<unknown>): Promise<FusionAuthApiError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof FusionAuthApiError, String(error));
  return error;
}

test('a URL with a slash at its end is the same one', async () => {
  assert.equal(await apiWith(superKey, `${fusionAuth.url}/`).version(), '1.69.0');
});

describe('what fails says what happened and what to do', () => {
  const faults: readonly [string, () => Promise<unknown>, RegExp, RegExp][] = [
    [
      'a wrong key',
      () => apiWith('wrong').webhooks(),
      /does not let this API key do GET \/api\/webhook/,
      /API Keys/,
    ],
    [
      'what FusionAuth refuses, in its own words',
      () => apiWith().generateKey('1', 'name', 'ES999'),
      /refuses POST \/api\/key\/generate: Invalid JSON .*algorithm/,
      /what it names/,
    ],
    [
      'nobody listens',
      async () => apiWith(superKey, `http://127.0.0.1:${await freePort()}`).version(),
      /cannot be reached at http:.*ECONNREFUSED/,
      /FUSIONAUTH_URL/,
    ],
    [
      'another program',
      () => apiWith(superKey, `${fusionAuth.url}/other`).version(),
      /not FusionAuth that answers/,
      /without a path/,
    ],
  ];
  for (const [what, call, message, hint] of faults) {
    test(what, async () => {
      const error = await failureOf(call());
      assert.match(error.message, message);
      assert.match(error.hint, hint);
    });
  }

  for (const [what, fault, message] of [
    ['it hangs', { kind: 'hang' }, /no answer in time/],
    ['it breaks off', { kind: 'reset' }, /cannot be reached/],
    ['it has a fault', { kind: 'status', status: 500 }, /cannot do GET \/api\/tenant at the moment \(500\)/],
  ] as const) {
    test(what, async () => {
      fusionAuth.faultFor = () => fault;
      const error = await failureOf(apiWith().tenants()).finally(
        () => (fusionAuth.faultFor = () => undefined),
      );
      assert.match(error.message, message);
    });
  }
});

test('a key of one tenant may not touch what belongs to all', async () => {
  fusionAuth.apiKeys.set('of-a-tenant', { tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453' });
  assert.equal((await failureOf(apiWith('of-a-tenant').keys())).status, 401);
});

test('a token that FusionAuth vends with the hash of a body is a signature of that body', async () => {
  const api = apiWith();
  const id = 'fa5e9000-0000-4000-8000-00000000000a';
  await api.generateKey(id, 'A key', 'ES256');
  const body = Buffer.from('{"event":{}}');
  const token = await api.vendToken(id, { request_body_sha256: hash('sha256', body, 'base64') });
  const publicKeys = new PublicKeys({ fusionAuthUrl: fusionAuth.url });
  verifyBody(await createSignatureVerifier({ secrets: [], publicKeys }).verifyToken(token), body);
});
