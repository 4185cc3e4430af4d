// Which rights a key has, found out by calls that FusionAuth cannot carry out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demandRights, namesOf, neededRights } from '../../../src/commands/setup/rights.ts';
import type { Purpose, Right } from '../../../src/commands/setup/rights.ts';
import { FakeFusionAuth, superKey } from '../../support/fake-fusionauth/fake-fusionauth.ts';
import { apiOf } from '../../support/setup.ts';

const key = 'a-small-key';

/** Gives `key` all of these rights but those at these places. */
function give(fusionAuth: FakeFusionAuth, rights: readonly Right[], isLacking: (right: Right) => boolean) {
  const permissions: Record<string, string[]> = { '/api/system/version': ['GET'] };
  for (const right of rights) {
    if (!isLacking(right)) (permissions[right.endpoint] ??= []).push(right.method);
  }
  fusionAuth.apiKeys.set(key, { permissions });
}

const purposes: readonly [name: string, purpose: Purpose][] = [
  ['setup', { version: '1.69.0' }],
  ['setup --hmac', { version: '1.69.0', withHmac: true }],
  ['setup --no-event-log', { version: '1.69.0', withEventLog: false }],
  ['setup --undo', { version: '1.69.0', undo: true }],
  ['setup, FusionAuth 1.47', { version: '1.47.0' }],
  ['setup --undo, FusionAuth 1.47', { version: '1.47.0', undo: true }],
];

for (const [name, purpose] of purposes) {
  test(`${name}: each right that is missing is told, and no other; trying them out changes nothing`, async () => {
    await using fusionAuth = await FakeFusionAuth.start({ version: purpose.version });
    const before = fusionAuth.snapshot();
    const rights = neededRights(purpose);
    const api = apiOf(fusionAuth, key);

    give(fusionAuth, rights, () => false);
    assert.equal(await demandRights(api, purpose), purpose.version);
    for (const missing of rights) {
      give(fusionAuth, rights, (right) => right === missing);
      await assert.rejects(demandRights(api, purpose), {
        message: `The API key lacks the right to ${namesOf([missing])}`,
      });
    }
    assert.equal(await demandRights(apiOf(fusionAuth, superKey), purpose), purpose.version);

    assert.deepEqual(fusionAuth.snapshot(), before);
  });
}

test('the right to read the version is one of them', async () => {
  await using fusionAuth = await FakeFusionAuth.start();
  give(fusionAuth, neededRights({ version: '1.69.0' }), () => false);
  const { permissions = {} } = fusionAuth.apiKeys.get(key) ?? {};
  fusionAuth.apiKeys.set(key, { permissions: { ...permissions, '/api/system/version': [] } });

  await assert.rejects(demandRights(apiOf(fusionAuth, key), {}), {
    message: 'The API key lacks the right to GET /api/system/version',
  });
});

test('a FusionAuth that cannot answer is not taken for a key without rights', async () => {
  await using fusionAuth = await FakeFusionAuth.start();
  fusionAuth.faultFor = ({ method }) => (method === 'PUT' ? { kind: 'status', status: 503 } : undefined);

  await assert.rejects(demandRights(apiOf(fusionAuth), {}), {
    message: 'FusionAuth cannot do PUT /api/webhook/fa5e9000-0000-4000-8000-0000000000ff at the moment (503)',
  });
});
