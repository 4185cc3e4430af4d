// A real event on FusionAuth's own way to a bridge that runs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sendTestEvent } from '../../../src/commands/setup/test-event.ts';
import { webhookId } from '../../../src/fusionauth/setup-ids.ts';
import { startBridge } from '../../support/bridge.ts';
import { FakeFusionAuth } from '../../support/fake-fusionauth/fake-fusionauth.ts';
import { SetupRuns } from '../../support/setup.ts';

test('the event is followed to the bridge; where the webhook names another address, it is missing', async () => {
  await using fusionAuth = await FakeFusionAuth.start();
  await using bridge = await startBridge({ FUSIONAUTH_URL: fusionAuth.url });
  await using runs = await SetupRuns.at(fusionAuth);
  const address = { url: bridge.url, adminToken: undefined };

  await runs.setUp();
  assert.deepEqual(await sendTestEvent(runs.api, address, { patienceMs: 400 }), { kind: 'missing' });

  await runs.setUp({ webhookUrl: `${bridge.url}/webhook` });
  const result = await sendTestEvent(runs.api, address);
  assert.equal(result.kind, 'arrived');
  assert.equal((await bridge.books()).stored, 1);
});

test('an event that the bridge refuses is told with the reason', async () => {
  await using fusionAuth = await FakeFusionAuth.start();
  await using bridge = await startBridge({ FUSIONAUTH_URL: fusionAuth.url });
  await using runs = await SetupRuns.at(fusionAuth);
  await runs.setUp({ webhookUrl: `${bridge.url}/webhook` });
  Object.assign(fusionAuth.webhooks.get(webhookId) ?? {}, { signatureConfiguration: { enabled: false } });

  const result = await sendTestEvent(runs.api, { url: bridge.url, adminToken: undefined });

  assert.partialDeepStrictEqual(result, { kind: 'refused', status: 401, reason: 'missing' });
  assert.match((result as { hint?: string }).hint ?? '', /compare the webhook’s signing key there/);
});
