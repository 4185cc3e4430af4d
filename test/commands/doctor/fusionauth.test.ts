// Each fault that `doctor` looks for in FusionAuth, planted one by one in one that `setup` has set up; and none where all
// is well.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, test } from 'node:test';
import type { Check } from '../../../src/commands/doctor/check.ts';
import { checkFusionAuthSend, fusionAuthSigner } from '../../../src/commands/doctor/fusionauth-send.ts';
import { checkFusionAuth } from '../../../src/commands/doctor/fusionauth.ts';
import { sendTest } from '../../../src/commands/doctor/send.ts';
import type { DoctorReport } from '../../../src/commands/doctor.ts';
import { planSetup } from '../../../src/commands/setup/plan.ts';
import { readState } from '../../../src/commands/setup/state.ts';
import { wantedEvents } from '../../../src/commands/setup/wanted-events.ts';
import { checkWebhook } from '../../../src/commands/doctor/fusionauth-webhook.ts';
import { bridgeUrl, loadConfig } from '../../../src/config/config.ts';
import type { Environment } from '../../../src/config/config.ts';
import { FusionAuthApi } from '../../../src/fusionauth/api/fusionauth-api.ts';
import { hmacKeyId, signingKeyId, webhookId } from '../../../src/fusionauth/setup-ids.ts';
import { startBridge } from '../../support/bridge.ts';
import { runCommand } from '../../support/command.ts';
import { defaultTenantId, FakeFusionAuth, superKey } from '../../support/fake-fusionauth/fake-fusionauth.ts';
import type { FakeFusionAuthOptions } from '../../support/fake-fusionauth/fake-fusionauth.ts';
import type { Key, Tenant, Webhook } from '../../support/fake-fusionauth/model.ts';
import { closeServer, listenOnLoopback, urlOf } from '../../support/loopback-server.ts';
import { SegmentPublicApiStandIn } from '../../support/segment-public-api.ts';
import { SegmentStandIn } from '../../support/segment.ts';
import { until } from '../../support/until.ts';
import { assertFinds as assertFindsThis } from './findings.ts';

const now = Date.now();
const secret = 'a-secret-of-the-webhook';
const otherTenantId = 'a1b2c3d4-0000-4000-8000-000000000001';
/** Where nothing listens. */
const nowhere = 'http://127.0.0.1:1/webhook';

interface Opened extends AsyncDisposable {
  readonly fusionAuth: FakeFusionAuth;
  readonly webhook: Webhook;
  readonly key: Key;
  readonly tenant: Tenant;
  /** What `doctor` finds with these settings. */
  find(environment?: Environment): Promise<readonly Check[]>;
}

interface Options extends FakeFusionAuthOptions {
  readonly webhookUrl?: string;
  readonly isHmac?: boolean;
}

function settingsFor({ url }: FakeFusionAuth): Record<string, string> {
  return {
    PORT: '1',
    WAREHOUSE_URL: 'off',
    SEGMENT_WRITE_KEY: 'k',
    FUSIONAUTH_URL: url,
    FUSIONAUTH_API_KEY: superKey,
  };
}

/** A FusionAuth that `setup` has set up for a bridge at this address. */
async function open({ webhookUrl = nowhere, isHmac = false, ...options }: Options = {}): Promise<Opened> {
  const fusionAuth = await FakeFusionAuth.start(options);
  await setUp(fusionAuth, webhookUrl, isHmac);
  return {
    fusionAuth,
    webhook: fusionAuth.webhooks.get(webhookId) as Webhook,
    key: fusionAuth.keys.get(isHmac ? hmacKeyId : signingKeyId) as Key,
    tenant: fusionAuth.tenants.get(defaultTenantId) as Tenant,
    find: async (environment = {}) => {
      const config = loadConfig({ ...settingsFor(fusionAuth), ...environment });
      return (await checkFusionAuth(config, { bridgeUrl: bridgeUrl(config), now })).checks;
    },
    [Symbol.asyncDispose]: () => fusionAuth[Symbol.asyncDispose](),
  };
}

async function setUp(fusionAuth: FakeFusionAuth, webhookUrl: string, isHmac = false): Promise<void> {
  const api = new FusionAuthApi({ url: fusionAuth.url, apiKey: superKey, userAgent: 'test' });
  const changes = planSetup(await readState(api), {
    webhookUrl,
    tenantIds: [],
    hmac: isHmac ? { secret, isNew: true } : undefined,
    keepsHmac: false,
    events: wantedEvents(loadConfig(settingsFor(fusionAuth))),
    withEventLog: true,
  });
  for (const { apply } of changes) await apply(api);
}

/** As everywhere, and no secret stands in it. */
function assertFinds(...finding: Parameters<typeof assertFindsThis>): void {
  const [checks] = finding;
  assertFindsThis(...finding);
  assertNoSecret(checks);
}

function assertNoSecret(checks: readonly Check[]): void {
  assert.doesNotMatch(JSON.stringify(checks), new RegExp(`${superKey}|${secret}|hunter2|@example\\.com`));
}

function assertAllWell(checks: readonly Check[]): void {
  assert.ok(checks.length > 0);
  for (const { name, status, detail, fix } of checks)
    assert.deepEqual([status, fix], ['ok', ''], `${name}: ${detail}`);
  assertNoSecret(checks);
}

const allChecks = [
  'fusionauth',
  'fusionauth.key',
  'fusionauth.webhook',
  'fusionauth.events',
  'fusionauth.tenants',
  'fusionauth.transactions',
  'fusionauth.time-outs',
  'fusionauth.signature',
  'fusionauth.deliveries',
];

describe('all is well', () => {
  test('of a FusionAuth that setup has set up, of which nothing is changed', async () => {
    await using opened = await open({ tenants: [otherTenantId] });
    const before = opened.fusionAuth.snapshot();

    const checks = await opened.find();

    assertAllWell(checks);
    assert.deepEqual(
      checks.map(({ name }) => name),
      allChecks,
    );
    assert.match(checks[0]?.detail ?? '', /^Version 1\.69\.0 answers at http:/);
    assert.deepEqual(opened.fusionAuth.snapshot(), before);
  });

  test('of one that signs by an HMAC key', async () => {
    await using opened = await open({ isHmac: true });

    assertAllWell(await opened.find({ FUSIONAUTH_WEBHOOK_SECRET: secret }));
  });

  test('of a webhook made by hand, of one tenant, with the URL of the guide', async () => {
    await using opened = await open({ tenants: [otherTenantId] });
    const { fusionAuth, webhook } = opened;
    fusionAuth.webhooks.clear();
    const byHand = { ...webhook, id: 'b0000000-0000-4000-8000-000000000001', url: 'http://fa_seg' };
    fusionAuth.webhooks.set(byHand.id, { ...byHand, global: false, tenantIds: [defaultTenantId] });
    // The other tenant's events are not the bridge's.
    (fusionAuth.tenants.get(otherTenantId) as Tenant).eventConfiguration.events = {};

    assertAllWell(await opened.find({ PORT: '80' }));
  });

  test('of 1.53, whose webhook event log nobody can switch off', async () => {
    await using opened = await open({ version: '1.53.0' });

    assertAllWell(await opened.find());
  });

  test('with a key that may only read', async () => {
    await using opened = await open();
    opened.fusionAuth.apiKeys.set('a-reading-key', { permissions: readingRights });

    assertAllWell(await opened.find({ FUSIONAUTH_API_KEY: 'a-reading-key' }));
  });
});

const readingRights: Readonly<Record<string, readonly string[]>> = {
  '/api/system/version': ['GET'],
  '/api/webhook': ['GET'],
  '/api/tenant': ['GET'],
  '/api/key': ['GET'],
  '/api/system-configuration': ['GET'],
  '/api/system/webhook-event-log': ['POST'],
};

describe('FusionAuth', () => {
  test('is not named', async () => {
    await using opened = await open();

    assertFinds(await opened.find({ FUSIONAUTH_URL: '' }), 'fusionauth', 'skip', {
      detail: /webhook.*tenants.*not looked at/,
      fix: /FUSIONAUTH_URL, and FUSIONAUTH_API_KEY/,
    });
  });

  test('answers, and there is no API key', async () => {
    await using opened = await open();

    const calls = opened.fusionAuth.calls.length;
    const checks = await opened.find({ FUSIONAUTH_API_KEY: '' });

    assertFinds(checks, 'fusionauth.key', 'skip', { detail: /webhook.*not looked at/, fix: /API Keys/ });
    assert.equal(opened.fusionAuth.calls.length, calls);
  });

  test('cannot be reached', async () => {
    await using opened = await open();

    for (const FUSIONAUTH_API_KEY of ['', superKey]) {
      const checks = await opened.find({ FUSIONAUTH_URL: 'http://127.0.0.1:1', FUSIONAUTH_API_KEY });
      assertFinds(checks, 'fusionauth', 'fail', { detail: /ECONNREFUSED/, fix: /FUSIONAUTH_URL/ });
    }
  });

  test('is something else', async () => {
    await using opened = await open();
    const page = createServer((_request, response) => response.end('<html>Welcome</html>'));
    await listenOnLoopback(page);

    const checks = await opened.find({ FUSIONAUTH_URL: urlOf(page) });

    await closeServer(page);
    assertFinds(checks, 'fusionauth', 'fail', {
      detail: /not FusionAuth that answers/,
      fix: /FUSIONAUTH_URL/,
    });
  });
});

describe('the API key', () => {
  test('is wrong', async () => {
    await using opened = await open();

    assertFinds(await opened.find({ FUSIONAUTH_API_KEY: 'wrong' }), 'fusionauth.key', 'fail', {
      fix: /wrong, has expired, or belongs to one tenant.*GET \/api\/webhook, GET \/api\/tenant/,
    });
  });

  for (const [endpoint, skipped] of [
    ['/api/system/version', ['events', 'tenants', 'transactions', 'signature', 'deliveries']],
    ['/api/webhook', ['webhook']],
    ['/api/tenant', ['tenants', 'transactions']],
    ['/api/key', ['signature']],
    ['/api/system-configuration', ['deliveries']],
    ['/api/system/webhook-event-log', ['deliveries']],
  ] as const) {
    test(`lacks a right: ${endpoint}`, async () => {
      await using opened = await open();
      opened.fusionAuth.apiKeys.set('a-poor-key', { permissions: { ...readingRights, [endpoint]: [] } });

      const checks = await opened.find({ FUSIONAUTH_API_KEY: 'a-poor-key' });

      const others = checks.filter(({ status }) => status !== 'skip');
      const method = readingRights[endpoint]?.[0];
      assertFinds(others, 'fusionauth.key', 'warn', {
        detail: new RegExp(`lacks the right to ${method} ${endpoint}$`),
        fix: /API Keys → Edit → Endpoints/,
      });
      assert.deepEqual(
        checks.filter(({ status }) => status === 'skip').map(({ name }) => name),
        skipped.map((name) => `fusionauth.${name}`),
      );
    });
  }

  test('is well, and one call fails: only what needs it is skipped', async () => {
    await using opened = await open();
    opened.fusionAuth.faultFor = ({ path }) =>
      path === '/api/key' ? { kind: 'status', status: 503 } : undefined;

    assertFinds(await opened.find(), 'fusionauth.signature', 'skip', { detail: /503/, fix: /own log/ });
  });
});

describe('the webhook', () => {
  test('is not there', async () => {
    await using opened = await open();
    opened.fusionAuth.webhooks.clear();

    assertFinds(await opened.find(), 'fusionauth.webhook', 'fail', {
      detail: /no webhook/,
      fix: /Run setup/,
    });
  });

  test('is not among those of others, whose passwords are not told', async () => {
    await using opened = await open();
    const { fusionAuth, webhook } = opened;
    fusionAuth.webhooks.clear();
    const url = 'https://user:hunter2@crm.example.org/hook?token=hunter2';
    fusionAuth.webhooks.set('other', { ...webhook, id: 'other', url });

    assertFinds(await opened.find(), 'fusionauth.webhook', 'fail', {
      detail: /post to crm\.example\.org:443$/,
      fix: /Run setup.*--webhook-url/,
    });
  });

  test('posts to the loopback of another machine', async () => {
    await using opened = await open();
    const ends = { fusionAuthUrl: 'https://auth.example.org', bridgeUrl: 'http://127.0.0.1:1' };

    assertFinds(checkWebhook([{ ...opened.webhook }], ends), 'fusionauth.webhook', 'warn', {
      detail: /auth\.example\.org does not find the bridge at 127\.0\.0\.1:1: .*own machine/,
      fix: /--webhook-url.*host\.docker\.internal/,
    });
  });

  test('posts to another port of this machine', async () => {
    await using opened = await open();

    assertFinds(await opened.find({ PORT: '3000' }), 'fusionauth.webhook', 'warn', {
      detail: /posts to http:\/\/127\.0\.0\.1:1\/webhook, and the bridge is at http:\/\/127\.0\.0\.1:3000$/,
      fix: /setup --webhook-url http:\/\/127\.0\.0\.1:3000\/webhook$/,
    });
  });

  test('posts to a path where the bridge takes none', async () => {
    await using opened = await open();
    opened.webhook.url = 'http://127.0.0.1:1/webhooks?token=hunter2';

    assertFinds(await opened.find(), 'fusionauth.webhook', 'fail', {
      detail: /127\.0\.0\.1:1\/webhooks, and/,
      fix: /^Run setup --webhook-url http:\/\/127\.0\.0\.1:1\/webhook$/,
    });
  });

  test('posts to a path that only a proxy can make right', async () => {
    await using opened = await open();
    opened.webhook.url = 'https://example.org/fusionauth/webhook';
    assertAllWell(await opened.find());

    opened.webhook.url = 'https://example.org/fusionauth';

    assertFinds(await opened.find(), 'fusionauth.webhook', 'warn', {
      fix: /https:\/\/example\.org\/webhook$/,
    });
  });

  test('is there twice', async () => {
    await using opened = await open();
    const { fusionAuth, webhook } = opened;
    fusionAuth.webhooks.set('the-double', { ...webhook, id: 'the-double', url: 'http://localhost:1/' });
    fusionAuth.webhooks.set('another', { ...webhook, id: 'another', url: 'http://localhost:2/webhook' });

    assertFinds(await opened.find(), 'fusionauth.webhook', 'warn', {
      detail: /2 webhooks post to localhost:1.*twice/,
      fix: new RegExp(`Delete all but ${webhookId} .*: the-double$`),
    });
  });

  for (const [planted, status, detail] of [
    [{ readTimeout: 900 }, 'warn', /readTimeout 900 ms/],
    [{ connectTimeout: 400 }, 'warn', /connectTimeout 400 ms/],
    [{ connectTimeout: 0, readTimeout: 0 }, 'fail', /no connectTimeout and readTimeout/],
  ] as const) {
    test(`has a time-out that is too short: ${JSON.stringify(planted)}`, async () => {
      await using opened = await open();
      Object.assign(opened.webhook, planted);

      assertFinds(await opened.find(), 'fusionauth.time-outs', status, { detail, fix: /1000 ms.*2000 ms/ });
    });
  }
});

describe('the switches', () => {
  test('of the webhook: some are off', async () => {
    await using opened = await open();
    opened.webhook.eventsEnabled['user.login.success'] = false;

    assertFinds(await opened.find(), 'fusionauth.events', 'warn', {
      detail: /does not take 1 of \d+ .*: user\.login\.success$/,
      fix: new RegExp(`Run setup.*${webhookId} → Edit → Events`),
    });
  });

  test('of the webhook: all are off', async () => {
    await using opened = await open();
    opened.webhook.eventsEnabled = {};

    assertFinds(await opened.find(), 'fusionauth.events', 'fail', { fix: /Run setup/ });
  });

  test('of the webhook: one that is on for nothing here is no fault', async () => {
    await using opened = await open();
    opened.webhook.eventsEnabled['event-log.create'] = true;

    assertAllWell(await opened.find());
  });

  test('are asked for only where this FusionAuth has the type', async () => {
    await using opened = await open({ version: '1.53.0' });
    assert.ok(!('entity.create.complete' in opened.webhook.eventsEnabled));

    assertAllWell(await opened.find());
  });

  test('of a tenant: works in Test but not live', async () => {
    await using opened = await open({ tenants: [otherTenantId] });
    const other = opened.fusionAuth.tenants.get(otherTenantId) as Tenant;
    other.eventConfiguration.events['user.login.success'] = { enabled: false, transactionType: 'None' };

    assertFinds(await opened.find(), 'fusionauth.tenants', 'warn', {
      detail: new RegExp(
        `“Tenant ${otherTenantId}” \\(${otherTenantId}\\) does not send user\\.login\\.success; .*Test`,
      ),
      fix: /Run setup.*Tenants → Tenant .* → Edit → Webhooks → Enabled/,
    });
  });

  test('of every tenant: all are off', async () => {
    await using opened = await open();
    opened.tenant.eventConfiguration.events = {};

    assertFinds(await opened.find(), 'fusionauth.tenants', 'fail', {
      detail: /“Default” .* none of the \d+ events/,
      fix: /Run setup/,
    });
  });

  test('of many tenants are told in few words', async () => {
    const tenants = Array.from({ length: 8 }, (_, index) => `a1b2c3d4-0000-4000-8000-00000000000${index}`);
    await using opened = await open({ tenants });
    for (const id of tenants) (opened.fusionAuth.tenants.get(id) as Tenant).eventConfiguration.events = {};

    const faults = (await opened.find()).filter(({ status }) => status !== 'ok');

    assert.deepEqual(
      new Set(faults.map(({ name, status }) => `${name} ${status}`)),
      new Set(['fusionauth.tenants warn']),
    );
    assert.equal(faults.length, 6);
    assert.match(faults.at(-1)?.detail ?? '', /^3 further tenants/);
  });

  test('say that the webhook is of no tenant', async () => {
    await using opened = await open();
    Object.assign(opened.webhook, { global: false, tenantIds: [] });

    assertFinds(await opened.find(), 'fusionauth.tenants', 'fail', {
      detail: /of no tenant/,
      fix: /setup --tenant.*All tenants/,
    });
  });

  test('have users wait for the bridge', async () => {
    await using opened = await open();
    const { events } = opened.tenant.eventConfiguration;
    events['user.login.success'] = { enabled: true, transactionType: 'Any' };
    const ofOtherEvents = { id: 'crm', url: 'https://crm.example.org/', eventsEnabled: {} };
    opened.fusionAuth.webhooks.set('crm', { ...opened.webhook, ...ofOtherEvents });

    assertFinds(await opened.find(), 'fusionauth.transactions', 'warn', {
      detail: /“Default” .*its only receiver.*: user\.login\.success \(Any\)$/,
      fix: /Tenants → Default → Edit → Webhooks.*No webhooks are required to succeed/,
    });
  });

  test('have users of many tenants wait, which is told in few words', async () => {
    const tenants = Array.from({ length: 6 }, (_, index) => `a1b2c3d4-0000-4000-8000-00000000000${index}`);
    await using opened = await open({ tenants });
    for (const { eventConfiguration } of opened.fusionAuth.tenants.values())
      eventConfiguration.events['user.login.success'] = { enabled: true, transactionType: 'Any' };

    const faults = (await opened.find()).filter(({ status }) => status !== 'ok');

    assert.deepEqual([...new Set(faults.map(({ name }) => name))], ['fusionauth.transactions']);
    assert.equal(faults.length, 6);
    assert.match(faults.at(-1)?.detail ?? '', /in 2 further tenants$/);
  });

  test('have users wait for the bridge and for another', async () => {
    await using opened = await open();
    const { events } = opened.tenant.eventConfiguration;
    events['user.login.success'] = { enabled: true, transactionType: 'AbsoluteMajority' };
    const url = 'https://crm.example.org/';
    opened.fusionAuth.webhooks.set('crm', { ...opened.webhook, id: 'crm', url });

    assertFinds(await opened.find(), 'fusionauth.transactions', 'warn', {
      detail: /may refuse.*\(AbsoluteMajority\)$/,
      fix: /No webhooks/,
    });
  });

  test('have users wait for another than the bridge, which is no fault', async () => {
    await using opened = await open();
    const { events } = opened.tenant.eventConfiguration;
    events['user.login.failed'] = { enabled: true, transactionType: 'Any' };
    events['user.create'] = { enabled: true, transactionType: 'AbsoluteMajority' };
    for (const type of ['user.login.failed', 'user.create']) opened.webhook.eventsEnabled[type] = false;

    const checks = await opened.find();

    assert.equal(checks.find(({ name }) => name === 'fusionauth.transactions')?.status, 'ok');
  });
});

describe('the signature', () => {
  test('is off, and the bridge demands one', async () => {
    await using opened = await open();
    opened.webhook.signatureConfiguration = { enabled: false };

    assertFinds(await opened.find(), 'fusionauth.signature', 'fail', {
      detail: /refuses what is not signed/,
      fix: /Run setup.*Sign events/,
    });
  });

  test('is off, and the bridge takes that', async () => {
    await using opened = await open();
    opened.webhook.signatureConfiguration = { enabled: false };

    assertFinds(await opened.find({ FUSIONAUTH_ALLOW_UNSIGNED: 'true' }), 'fusionauth.signature', 'warn', {
      detail: /whoever reaches/,
      fix: /Run setup/,
    });
  });

  test('is of a key that is not there', async () => {
    await using opened = await open();
    opened.fusionAuth.keys.clear();

    assertFinds(await opened.find(), 'fusionauth.signature', 'fail', {
      detail: /not in FusionAuth’s Key Master/,
      fix: /Run setup/,
    });
  });

  test('is of a key that is not published', async () => {
    await using opened = await open();
    opened.fusionAuth.unpublishedKeys.add(opened.key.id);

    assertFinds(await opened.find(), 'fusionauth.signature', 'fail', {
      detail: /not among the keys at \/\.well-known\/jwks\.json/,
      fix: /FUSIONAUTH_URL/,
    });
  });

  test('is of a key without its private half', async () => {
    await using opened = await open();
    Reflect.deleteProperty(opened.key, 'pair');

    assertFinds(await opened.find(), 'fusionauth.signature', 'fail', {
      detail: /no private key/,
      fix: /Key Master/,
    });
  });

  test('is of a key that has expired', async () => {
    await using opened = await open();
    opened.key.expirationInstant = now - 3 * 86_400_000;

    assertFinds(await opened.find(), 'fusionauth.signature', 'fail', {
      detail: /expired 3 days ago/,
      fix: /Key Master: make another/,
    });
  });

  test('is of a key that expires soon', async () => {
    await using opened = await open();
    opened.key.expirationInstant = now + 3 * 86_400_000;
    assertFinds(await opened.find(), 'fusionauth.signature', 'warn', {
      detail: /expires in 3 days/,
      fix: /Key Master: make another/,
    });

    opened.key.expirationInstant = now + 300 * 86_400_000;
    assertAllWell(await opened.find());
  });

  test('is by HMAC, and the bridge has no secret', async () => {
    await using opened = await open({ isHmac: true });

    assertFinds(await opened.find(), 'fusionauth.signature', 'fail', {
      detail: /does not know its secret/,
      fix: /FUSIONAUTH_WEBHOOK_SECRET/,
    });
  });

  test('cannot be made by a FusionAuth before 1.48', async () => {
    await using opened = await open({ version: '1.47.0' });
    const find = async (environment: Environment) =>
      (await opened.find(environment)).filter(({ name }) => name !== 'fusionauth.deliveries');

    assertFinds(await find({}), 'fusionauth.signature', 'fail', {
      detail: /1\.47\.0 cannot sign webhooks, and the bridge refuses/,
      fix: /Update FusionAuth to 1\.48.*FUSIONAUTH_ALLOW_UNSIGNED/,
    });
    assertFinds(await find({ FUSIONAUTH_ALLOW_UNSIGNED: 'true' }), 'fusionauth.signature', 'warn', {
      fix: /Update FusionAuth/,
    });
  });

  test('and tenants of webhooks are things that 1.30 does not have', async () => {
    await using opened = await open({ version: '1.30.0' });

    const checks = await opened.find({ FUSIONAUTH_ALLOW_UNSIGNED: 'true' });

    assert.deepEqual(
      checks.filter(({ status }) => status !== 'ok').map(({ name, status }) => [name, status]),
      [
        ['fusionauth.signature', 'warn'],
        ['fusionauth.deliveries', 'skip'],
      ],
    );
  });
});

describe('deliveries', () => {
  /** The stand-in's attempts at a receiver that answers so. */
  async function send(opened: Opened, url: string, times = 1): Promise<void> {
    opened.webhook.url = url;
    for (let time = 0; time < times; time++) {
      await opened.fusionAuth.emit('user.login.success', {}, { tenantId: defaultTenantId });
      await opened.fusionAuth.settled();
    }
    opened.webhook.url = nowhere;
  }

  for (const [status, fix] of [
    [401, /refusals and fusionauth\.signature/],
    [404, /see fusionauth\.webhook/],
    [413, /MAX_BODY_BYTES/],
    [503, /log and disk/],
    [502, /proxy/],
  ] as const) {
    test(`are answered ${status}`, async () => {
      await using opened = await open();
      await using receiver = await startReceiver(status);
      await send(opened, receiver.url, 2);

      assertFinds(await opened.find(), 'fusionauth.deliveries', 'fail', {
        detail: new RegExp(
          `^2 of 2 in the last 24 hours failed, the last \\d+ \\w+ ago: it answered ${status}$`,
        ),
        fix,
      });
    });
  }

  test('find nobody', async () => {
    await using opened = await open();
    await send(opened, nowhere);

    assertFinds(await opened.find(), 'fusionauth.deliveries', 'fail', {
      detail: /^1 of 1 .*no answer: .*ECONNREFUSED/,
      fix: /address that FusionAuth reaches/,
    });
  });

  test('take too long', async () => {
    await using opened = await open();
    await send(opened, nowhere);
    const [attempt] = opened.fusionAuth.eventLog[0]?.attempts ?? [];
    const exception =
      'java.net.SocketTimeoutException: Read timed out: https://a:hunter2@example.org/\n\tat x';
    Object.assign(attempt?.webhookCallResponse ?? {}, { exception });

    assertFinds(await opened.find(), 'fusionauth.deliveries', 'fail', {
      detail: /Read timed out: its URL$/,
      fix: /fusionauth\.time-outs/,
    });
  });

  test('have failed, and go on', async () => {
    await using opened = await open();
    await using receiver = await startReceiver(200);
    await send(opened, nowhere);
    await until(
      'the next attempt is a later one',
      () => Date.now() > (opened.fusionAuth.eventLog[0]?.attempts[0]?.endInstant ?? 0),
    );
    await send(opened, receiver.url);

    assertFinds(await opened.find(), 'fusionauth.deliveries', 'warn', {
      detail: /^1 of 2 in the last 24 hours failed/,
      fix: /./,
    });
  });

  test('to others, and of the day before yesterday, are not the bridge’s', async () => {
    await using opened = await open();
    await using receiver = await startReceiver(200);
    const other = { ...opened.webhook, id: 'other', url: 'http://127.0.0.1:2/' };
    opened.fusionAuth.webhooks.set('other', other);
    await send(opened, receiver.url);
    const logged = opened.fusionAuth.eventLog[0];
    opened.fusionAuth.eventLog.push({
      ...(logged as NonNullable<typeof logged>),
      insertInstant: now - 2 * 86_400_000,
      attempts: (logged?.attempts ?? []).map((attempt) => ({ ...attempt, attemptResult: 'Failure' })),
    });

    assertAllWell(await opened.find());
  });

  test('are not kept', async () => {
    await using opened = await open();
    opened.fusionAuth.systemConfiguration['webhookEventLogConfiguration'] = { enabled: false };

    assertFinds(await opened.find(), 'fusionauth.deliveries', 'warn', {
      detail: /event log is off/,
      fix: /Run setup.*Webhook event log/,
    });
  });

  test('are not kept by a FusionAuth before 1.53', async () => {
    await using opened = await open({ version: '1.52.0' });

    assertFinds(await opened.find(), 'fusionauth.deliveries', 'skip', {
      detail: /1\.52\.0 keeps no/,
      fix: /Update it to 1\.53/,
    });
  });
});

describe('--send', () => {
  async function look(fusionAuth: FakeFusionAuth, environment: Environment = {}) {
    const config = loadConfig({ ...settingsFor(fusionAuth), ...environment });
    const { seen } = await checkFusionAuth(config, { bridgeUrl: bridgeUrl(config), now });
    assert.ok(seen);
    return seen;
  }

  test('where all is well, every check is well, and FusionAuth has signed', async () => {
    await using fusionAuth = await FakeFusionAuth.start();
    await using segment = await SegmentStandIn.start();
    await using publicApi = await SegmentPublicApiStandIn.start();
    publicApi.addSource({ slug: 'fusionauth', writeKeys: ['a-write-key'] });
    await using bridge = await startBridge({
      FUSIONAUTH_URL: fusionAuth.url,
      SEGMENT_WRITE_KEY: 'a-write-key',
      SEGMENT_ENDPOINT: segment.url,
    });
    const webhookUrl = `${bridge.url}/webhook`;
    await setUp(fusionAuth, webhookUrl);
    await fusionAuth.emit('user.login.success', {}, { tenantId: defaultTenantId });
    await until('an event has come', async () => (await bridge.books()).stored === 1);

    const run = await runCommand(['doctor', '--send', '--json'], {
      settings: {
        ...settingsFor(fusionAuth),
        PORT: new URL(bridge.url).port,
        DATA_DIR: '/nonexistent',
        SEGMENT_WRITE_KEY: 'a-write-key',
        SEGMENT_ENDPOINT: segment.url,
        SEGMENT_PUBLIC_API_TOKEN: 'a-token',
        SEGMENT_PUBLIC_API_URL: publicApi.url,
      },
    });

    assert.equal(run.exitCode, 0, run.stdout + run.stderr);
    const { checks } = JSON.parse(run.stdout) as DoctorReport;
    assertAllWell(checks);
    const names = checks.map(({ name }) => name);
    assert.deepEqual(names.slice(0, 3 + allChecks.length), [
      'configuration',
      'verification',
      'bridge',
      ...allChecks,
    ]);
    assert.deepEqual(names.slice(-3), ['fusionauth.send', 'send', 'segment.send']);
    const sent = checks.find(({ name }) => name === 'fusionauth.send')?.detail ?? '';
    assert.match(sent, /had it after \d+ ms \(kid:\w+\); it leaves a line in FusionAuth’s audit log$/);
    assert.equal(fusionAuth.auditLog.length, 1);
  });

  test('a bridge that knows another secret refuses what FusionAuth posts', async () => {
    await using bridge = await startBridge({ FUSIONAUTH_WEBHOOK_SECRET: 'another-secret' });
    await using opened = await open({ isHmac: true, webhookUrl: `${bridge.url}/webhook` });
    const seen = await look(opened.fusionAuth, { FUSIONAUTH_WEBHOOK_SECRET: secret });

    const checks = await checkFusionAuthSend(seen, { url: bridge.url, adminToken: undefined });

    assertFinds(checks, 'fusionauth.send', 'fail', {
      detail: /refused it: signature forged/,
      fix: /FUSIONAUTH_WEBHOOK_SECRET/,
    });
    assert.equal(fusionAuthSigner(seen), undefined);
  });

  test('a bridge of another FusionAuth refuses what this one has signed', async () => {
    await using other = await FakeFusionAuth.start();
    await using bridge = await startBridge({ FUSIONAUTH_URL: other.url });
    await using opened = await open({ webhookUrl: `${bridge.url}/webhook` });
    const settings = { ...settingsFor(opened.fusionAuth), PORT: new URL(bridge.url).port };

    const { stdout } = await runCommand(['doctor', '--send', '--json'], { settings });

    const { checks } = JSON.parse(stdout) as DoctorReport;
    const fixOf = (name: string) =>
      checks.find((check) => check.name === name && check.status === 'fail')?.fix;
    assert.match(fixOf('fusionauth.send') ?? '', /FUSIONAUTH_URL publishes: name the right FusionAuth/);
    assert.match(fixOf('send') ?? '', /Let FUSIONAUTH_URL here name the FusionAuth/);
  });

  test('what FusionAuth posts does not arrive', async () => {
    await using bridge = await startBridge();
    await using opened = await open();
    const seen = await look(opened.fusionAuth);

    const checks = await checkFusionAuthSend(seen, { url: bridge.url, adminToken: undefined }, 300);

    assertFinds(checks, 'fusionauth.send', 'fail', {
      detail: /did not get it; it leaves a line/,
      fix: /does not reach the bridge/,
    });
  });

  test('a webhook that does not take the one event is asked for none', async () => {
    await using opened = await open();
    opened.webhook.eventsEnabled['audit-log.create'] = false;
    const seen = await look(opened.fusionAuth);

    const checks = await checkFusionAuthSend(seen, { url: 'http://127.0.0.1:1', adminToken: undefined });

    assertFinds(checks, 'fusionauth.send', 'skip', { detail: /audit-log\.create/, fix: /Run setup/ });
    assert.equal(opened.fusionAuth.auditLog.length, 0);
  });

  test('a key that may only read sends nothing, and that is no fault', async () => {
    await using bridge = await startBridge();
    await using opened = await open({ webhookUrl: `${bridge.url}/webhook` });
    opened.fusionAuth.apiKeys.set('a-reading-key', { permissions: readingRights });
    const seen = await look(opened.fusionAuth, { FUSIONAUTH_API_KEY: 'a-reading-key' });
    const sign = fusionAuthSigner(seen);
    assert.ok(sign);
    const address = { url: bridge.url, adminToken: undefined };

    assertFinds(await checkFusionAuthSend(seen, address), 'fusionauth.send', 'skip', {
      detail: /POST \/api\/system\/audit-log/,
      fix: /that right/,
    });
    assertFinds(await sendTest(address, { sign }), 'send', 'skip', {
      detail: /POST \/api\/jwt\/vend/,
      fix: /that right/,
    });
    assert.equal((await bridge.books()).received, 0);
  });
});

/** What answers a webhook by this status. */
async function startReceiver(status: number) {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status).end();
  });
  await listenOnLoopback(server);
  return { url: `${urlOf(server)}/webhook`, [Symbol.asyncDispose]: () => closeServer(server) };
}
