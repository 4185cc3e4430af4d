// `setup` and `--undo` against a stand-in of each version that differs. The stand-in refuses what a version does not have,
// as FusionAuth does, so a test that passes has named no type and no field that is too new.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { UndoFile } from '../../../src/commands/setup/undo-file.ts';
import { wantedEvents } from '../../../src/commands/setup/wanted-events.ts';
import { loadConfig } from '../../../src/config/config.ts';
import { catalogue } from '../../../src/fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../../../src/fusionauth/catalogue.ts';
import { isAtLeast } from '../../../src/fusionauth/samples.ts';
import { hmacKeyId, signingKeyId, webhookId } from '../../../src/fusionauth/setup-ids.ts';
import { defaultTenantId, FakeFusionAuth } from '../../support/fake-fusionauth/fake-fusionauth.ts';
import { entriesOf } from '../../support/fake-fusionauth/model.ts';
import type { Tenant, Webhook } from '../../support/fake-fusionauth/model.ts';
import { SetupRuns, wanted, webhookUrl } from '../../support/setup.ts';

const versions = ['1.30.0', '1.37.0', '1.47.0', '1.48.0', '1.53.0', '1.57.0', '1.69.0'];
const tenantA = 'aaaaaaaa-0000-4000-8000-000000000000';
const tenantB = 'bbbbbbbb-0000-4000-8000-000000000000';
const secret = 'a-secret-of-the-bridge';

/** With somebody's work in it: two tenants, one of them with events on, and another webhook. */
async function start(version = '1.69.0'): Promise<FakeFusionAuth> {
  const fusionAuth = await FakeFusionAuth.start({ version, tenants: [tenantA, tenantB] });
  switchesOf(fusionAuth, tenantA)['user.create'] = { enabled: true, transactionType: 'AbsoluteMajority' };
  switchesOf(fusionAuth, tenantA)['user.delete'] = { enabled: false, transactionType: 'Any' };
  const other = handMade({ id: '0e000000-0000-4000-8000-000000000000', url: 'http://127.0.0.1:9/other' });
  if (isAtLeast(version, '1.37')) Object.assign(other, { global: false, tenantIds: [tenantA, tenantB] });
  fusionAuth.webhooks.set(other.id, other);
  return fusionAuth;
}

function handMade(changes: Partial<Webhook> = {}): Webhook {
  return {
    id: '0a000000-0000-4000-8000-000000000000',
    url: webhookUrl,
    connectTimeout: 700,
    readTimeout: 1400,
    global: true,
    headers: { 'x-route': 'blue' },
    description: 'made by hand',
    eventsEnabled: { 'user.create': true, 'user.action': false },
    ...changes,
  };
}

const switchesOf = ({ tenants }: FakeFusionAuth, id: string) =>
  (tenants.get(id) as Tenant).eventConfiguration.events;

const ownWebhook = ({ webhooks }: FakeFusionAuth) => webhooks.get(webhookId) as Webhook;

for (const version of versions) {
  describe(`FusionAuth ${version}`, () => {
    test('set up, set up again without a change, undone to the last detail, set up again', async () => {
      await using fusionAuth = await start(version);
      await using runs = await SetupRuns.at(fusionAuth);
      const before = fusionAuth.snapshot();

      await runs.setUp();
      const after = fusionAuth.snapshot();
      assert.notDeepEqual(after, before);
      assert.deepEqual(await runs.setUp(), []);
      assert.deepEqual(fusionAuth.snapshot(), after);
      await runs.undo();
      assert.deepEqual(fusionAuth.snapshot(), before);
      assert.equal(runs.file.read(), undefined);
      await runs.setUp();
      assert.deepEqual(fusionAuth.snapshot(), after);
    });

    test('every event that this version knows and that becomes something reaches the webhook', async () => {
      await using fusionAuth = await start(version);
      await using runs = await SetupRuns.at(fusionAuth);

      await runs.setUp();

      const types = wanted().events.map(({ type }) => type);
      const known = entriesOf(version).filter(({ type }) => types.includes(type));
      const { eventsEnabled, global, signatureConfiguration } = ownWebhook(fusionAuth);
      assert.equal(global, true);
      assert.deepEqual(Object.keys(eventsEnabled).toSorted(), known.map(({ type }) => type).toSorted());
      assert.ok(Object.values(eventsEnabled).every(Boolean));
      for (const { id } of fusionAuth.tenants.values()) {
        const switches = switchesOf(fusionAuth, id);
        const off = known.filter(({ scope, type }) => scope !== 'instance' && !switches[type]?.enabled);
        assert.deepEqual(off, []);
      }
      assert.deepEqual(
        signatureConfiguration,
        isAtLeast(version, '1.48') ? { enabled: true, signingKeyId } : undefined,
      );
    });

    test('a transaction level that somebody chose stays, and another webhook keeps its tenants', async () => {
      await using fusionAuth = await start(version);
      await using runs = await SetupRuns.at(fusionAuth);
      const other = structuredClone(fusionAuth.webhooks.get('0e000000-0000-4000-8000-000000000000'));

      await runs.setUp();

      assert.deepEqual(switchesOf(fusionAuth, tenantA)['user.create'], {
        enabled: true,
        transactionType: 'AbsoluteMajority',
      });
      assert.deepEqual(switchesOf(fusionAuth, tenantA)['user.delete'], {
        enabled: true,
        transactionType: 'Any',
      });
      assert.equal(switchesOf(fusionAuth, tenantB)['user.delete']?.transactionType, 'None');
      assert.deepEqual(fusionAuth.webhooks.get('0e000000-0000-4000-8000-000000000000'), other);
    });

    test('a webhook made by hand for the same address is adopted, and given back as it was', async () => {
      await using fusionAuth = await start(version);
      await using runs = await SetupRuns.at(fusionAuth);
      const made = handMade();
      fusionAuth.webhooks.set(made.id, made);
      const before = fusionAuth.snapshot();

      await runs.setUp();

      assert.equal(fusionAuth.webhooks.has(webhookId), false);
      const adopted = fusionAuth.webhooks.get(made.id);
      assert.partialDeepStrictEqual(adopted, {
        connectTimeout: 700,
        readTimeout: 1400,
        headers: { 'x-route': 'blue' },
        description: 'made by hand',
        global: true,
        eventsEnabled: { 'user.create': true, 'user.action': true, 'user.login.success': true },
      });
      assert.deepEqual(await runs.plan(), []);
      await runs.undo();
      assert.deepEqual(fusionAuth.snapshot(), before);
    });
  });
}

for (const version of ['1.37.0', '1.47.0', '1.48.0', '1.69.0']) {
  test(`FusionAuth ${version}: of one tenant only, of a second one later; the others are not touched`, async () => {
    await using fusionAuth = await start(version);
    await using runs = await SetupRuns.at(fusionAuth);
    const before = fusionAuth.snapshot();
    const otherTenant = structuredClone(fusionAuth.tenants.get(defaultTenantId));

    await runs.setUp({ tenantIds: [tenantA] });
    assert.partialDeepStrictEqual(ownWebhook(fusionAuth), { global: false, tenantIds: [tenantA] });
    assert.equal(switchesOf(fusionAuth, tenantB)['user.delete']?.enabled, false);
    assert.deepEqual(await runs.plan({ tenantIds: [tenantA] }), []);
    assert.deepEqual(await runs.plan(), [], 'without --tenant it stays as it is');

    await runs.setUp({ tenantIds: [tenantB] });
    assert.partialDeepStrictEqual(ownWebhook(fusionAuth), { tenantIds: [tenantA, tenantB] });
    assert.deepEqual(fusionAuth.webhooks.get('0e000000-0000-4000-8000-000000000000')?.tenantIds, [
      tenantA,
      tenantB,
    ]);
    assert.deepEqual(fusionAuth.tenants.get(defaultTenantId), otherTenant);

    await runs.undo();
    assert.deepEqual(fusionAuth.snapshot(), before);
  });
}

test('a webhook made by hand is found however its address is written', async () => {
  await using fusionAuth = await start();
  await using runs = await SetupRuns.at(fusionAuth);
  const made = handMade({ url: 'http://fa_seg' });
  fusionAuth.webhooks.set(made.id, made);

  await runs.setUp({ webhookUrl: 'http://fa_seg:80/' });

  assert.equal(fusionAuth.webhooks.has(webhookId), false);
  assert.equal(fusionAuth.webhooks.get(made.id)?.url, 'http://fa_seg');
});

describe('what somebody chose stays', () => {
  test('events, time-outs and headers of our own webhook, changed after the first run', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    await runs.setUp();
    const webhook = ownWebhook(fusionAuth);
    Object.assign(webhook, { readTimeout: 9000, headers: { 'x-own': 'yes' } });
    webhook.eventsEnabled['user.login.success'] = false;

    const plan = await runs.setUp();

    assert.deepEqual(
      plan.map(({ lines }) => lines),
      [['+ 1 events: user.login.success']],
    );
    assert.partialDeepStrictEqual(ownWebhook(fusionAuth), {
      readTimeout: 9000,
      headers: { 'x-own': 'yes' },
      eventsEnabled: { 'user.login.success': true },
    });
  });

  test('an event that the bridge does not ask for', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    await runs.setUp();

    const events = wanted().events.filter(({ type }) => type !== 'user.delete');

    assert.deepEqual(await runs.plan({ events }), []);
  });

  test('a key pair by which the webhook is signed already', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    await runs.api.generateKey('0c000000-0000-4000-8000-000000000000', 'by hand', 'RS256');
    const signatureConfiguration = { enabled: true, signingKeyId: '0c000000-0000-4000-8000-000000000000' };
    const made = handMade({ signatureConfiguration });
    fusionAuth.webhooks.set(made.id, made);

    await runs.setUp();

    assert.deepEqual(fusionAuth.webhooks.get(made.id)?.signatureConfiguration, signatureConfiguration);
    assert.deepEqual([...fusionAuth.keys.keys()], ['0c000000-0000-4000-8000-000000000000']);
  });

  test('an HMAC key, so long as the bridge has a secret to verify by; without one it gives way to a pair', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    await runs.api.importHmacKey('0c000000-0000-4000-8000-000000000000', 'by hand', secret);
    const signatureConfiguration = { enabled: true, signingKeyId: '0c000000-0000-4000-8000-000000000000' };
    const made = handMade({ signatureConfiguration });
    fusionAuth.webhooks.set(made.id, made);

    await runs.setUp({ keepsHmac: true });
    assert.deepEqual(fusionAuth.webhooks.get(made.id)?.signatureConfiguration, signatureConfiguration);

    await runs.setUp();
    assert.equal(fusionAuth.webhooks.get(made.id)?.signatureConfiguration?.signingKeyId, signingKeyId);
    await runs.undo();
    assert.deepEqual(fusionAuth.webhooks.get(made.id)?.signatureConfiguration, signatureConfiguration);
  });

  test('for how long the webhook event log is kept', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    await runs.api.changeWebhookEventLogSettings({ delete: { enabled: true, numberOfDaysToRetain: 7 } });
    const before = fusionAuth.snapshot();

    await runs.setUp();

    assert.deepEqual(fusionAuth.systemConfiguration['webhookEventLogConfiguration'], {
      enabled: true,
      delete: { enabled: true, numberOfDaysToRetain: 7 },
    });
    await runs.undo();
    assert.deepEqual(fusionAuth.snapshot(), before);
  });
});

describe('what is undone', () => {
  test('what was found at first, however often it was set up since', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    const before = fusionAuth.snapshot();

    await runs.setUp({ tenantIds: [tenantA] });
    await runs.setUp({ webhookUrl: 'https://bridge.example.com/webhook', tenantIds: [tenantB] });
    await runs.setUp({ hmac: { secret, isNew: false } });
    await runs.undo();

    assert.deepEqual(fusionAuth.snapshot(), before);
  });

  test('an adopted webhook and one that was made for another address later', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    const made = handMade();
    fusionAuth.webhooks.set(made.id, made);
    const before = fusionAuth.snapshot();

    await runs.setUp();
    await runs.setUp({ webhookUrl: 'https://bridge.example.com/webhook' });
    assert.equal(ownWebhook(fusionAuth).url, 'https://bridge.example.com/webhook');
    await runs.undo();

    assert.deepEqual(fusionAuth.snapshot(), before);
  });

  test('not what somebody else has changed since: a level, a header, an event switched off', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    const made = handMade();
    fusionAuth.webhooks.set(made.id, made);
    await runs.setUp();
    switchesOf(fusionAuth, tenantB)['user.delete'] = { enabled: true, transactionType: 'Any' };
    switchesOf(fusionAuth, tenantB)['user.login.success'] = { enabled: false, transactionType: 'None' };
    Object.assign(fusionAuth.webhooks.get(made.id) as Webhook, { headers: { 'x-route': 'green' } });

    await runs.undo();

    assert.deepEqual(switchesOf(fusionAuth, tenantB)['user.delete'], {
      enabled: false,
      transactionType: 'Any',
    });
    assert.equal(switchesOf(fusionAuth, tenantB)['user.login.success']?.enabled, false);
    assert.partialDeepStrictEqual(fusionAuth.webhooks.get(made.id), {
      headers: { 'x-route': 'green' },
      eventsEnabled: { 'user.create': true, 'user.action': false },
    });
  });

  test('not the key, where another webhook is signed by it by now', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    await runs.setUp();
    const made = handMade({
      url: 'http://127.0.0.1:9/third',
      signatureConfiguration: { enabled: true, signingKeyId },
    });
    fusionAuth.webhooks.set(made.id, made);

    await runs.undo();

    assert.equal(fusionAuth.webhooks.has(webhookId), false);
    assert.equal(fusionAuth.keys.has(signingKeyId), true);
  });

  test('without a fault where webhook, key and tenant are gone', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    await runs.setUp({ tenantIds: [tenantA, tenantB] });
    fusionAuth.webhooks.delete(webhookId);
    fusionAuth.keys.delete(signingKeyId);
    fusionAuth.tenants.delete(tenantA);

    const plan = await runs.undo();

    assert.deepEqual(
      plan.map(({ title }) => title),
      ['webhook event log', `tenant "Tenant ${tenantB}" (${tenantB})`],
    );
  });

  test('an adopted webhook of a tenant that is gone', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    const made = handMade({ global: false, tenantIds: [tenantA, tenantB] });
    fusionAuth.webhooks.set(made.id, made);
    await runs.setUp();
    fusionAuth.tenants.delete(tenantA);
    Object.assign(fusionAuth.webhooks.get(made.id) as Webhook, { tenantIds: [tenantB] });

    await runs.undo();

    assert.partialDeepStrictEqual(fusionAuth.webhooks.get(made.id), {
      tenantIds: [tenantB],
      eventsEnabled: { 'user.create': true, 'user.action': false },
    });
  });
});

describe('an HMAC key', () => {
  test('is imported with the secret of the bridge, which is what signs', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    const before = fusionAuth.snapshot();

    const plan = await runs.setUp({ hmac: { secret, isNew: true } });

    assert.equal(fusionAuth.keys.get(hmacKeyId)?.secret, secret);
    assert.equal(ownWebhook(fusionAuth).signatureConfiguration?.signingKeyId, hmacKeyId);
    assert.equal(fusionAuth.keys.has(signingKeyId), false);
    assert.doesNotMatch(JSON.stringify(plan), new RegExp(secret));
    assert.deepEqual(await runs.plan({ hmac: { secret, isNew: false } }), []);
    await runs.undo();
    assert.deepEqual(fusionAuth.snapshot(), before);
  });

  test('is refused where it is there already and nobody knows its secret', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    await runs.setUp({ hmac: { secret, isNew: true } });

    await assert.rejects(runs.plan({ hmac: { secret: 'another', isNew: true } }), {
      message:
        'FusionAuth has the key "fusionauth-segment webhook (HMAC)" already, and tells nobody its secret',
    });
  });

  test('is refused where FusionAuth does not sign, so that the bridge does not refuse everything', async () => {
    await using fusionAuth = await start('1.47.0');
    await using runs = await SetupRuns.at(fusionAuth);

    await assert.rejects(runs.plan({ hmac: { secret, isNew: true } }), {
      message: 'FusionAuth 1.47.0 does not sign webhooks',
    });
  });
});

describe('which events are asked for', () => {
  const typesOf = (entries: readonly CatalogueEntry[]) => entries.map(({ type }) => type).toSorted();

  test('all that become something, where nothing is configured', () => {
    const types = typesOf(wantedEvents(loadConfig({})));

    assert.ok(types.includes('user.login.success') && types.includes('audit-log.create'));
    assert.ok(!types.includes('test'), 'which FusionAuth sends by its button only');
    assert.ok(types.every((type) => catalogue.some((entry) => entry.type === type)));
  });

  test('those that the filters let through, and the one that can be asked for as a test', () => {
    const config = loadConfig({}, { path: 'config.ts', config: { events: { include: ['user.login.*'] } } });

    const types = typesOf(wantedEvents(config));

    assert.deepEqual(
      types.filter((type) => !type.startsWith('user.login.')),
      ['audit-log.create'],
    );
    assert.ok(types.includes('user.login.success'));
  });

  test('those that at least one destination takes', () => {
    const config = loadConfig(
      { SEGMENT_WRITE_KEY: 'a-key', WAREHOUSE_URL: 'off' },
      {
        path: 'config.ts',
        config: { destinations: { segment: { events: { include: ['user.create.complete'] } } } },
      },
    );

    assert.deepEqual(typesOf(wantedEvents(config)), ['audit-log.create', 'user.create.complete']);
  });
});

describe('what cannot be done is refused before anything is changed', () => {
  test('a tenant that is unknown; those that are known are told', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);

    await assert.rejects(runs.plan({ tenantIds: ['no-such-tenant'] }), (error: Error & { hint: string }) => {
      assert.equal(error.message, 'FusionAuth has no tenant no-such-tenant');
      assert.match(error.hint, new RegExp(`${defaultTenantId} \\(Default\\), ${tenantA}`));
      return true;
    });
  });

  test('single tenants, where this FusionAuth has no webhooks of them', async () => {
    await using fusionAuth = await start('1.30.0');
    await using runs = await SetupRuns.at(fusionAuth);

    await assert.rejects(runs.plan({ tenantIds: [tenantA] }), {
      message: 'FusionAuth 1.30.0 has no webhooks of single tenants',
    });
  });

  test('a damaged file of what was found', async () => {
    await using fusionAuth = await start();
    await using runs = await SetupRuns.at(fusionAuth);
    await runs.setUp();
    await writeFile(runs.file.path, '{"http');

    assert.throws(() => runs.file.read(), { message: `${runs.file.path} is damaged` });
    assert.throws(() => runs.file.add({ madeKeys: [] }), { message: `${runs.file.path} is damaged` });
  });
});

test('what was found is kept apart for each FusionAuth', async () => {
  await using first = await start();
  await using second = await start();
  await using runs = await SetupRuns.at(first);
  const ofSecond = new UndoFile(dirname(runs.file.path), second.url);
  await runs.setUp();
  ofSecond.add({ madeKeys: ['a-key'] });

  await runs.undo();

  assert.equal(runs.file.read(), undefined);
  assert.deepEqual(ofSecond.read(), { madeKeys: ['a-key'] });
});
