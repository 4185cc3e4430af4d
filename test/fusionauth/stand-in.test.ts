// The stand-in for FusionAuth has the traps of the real one: what is built upon it is only as right as they are.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { request } from 'undici';
import { FusionAuthApiError } from '../../src/fusionauth/api/errors.ts';
import { PublicKeys } from '../../src/fusionauth/public-keys.ts';
import { createSignatureVerifier, signatureHeader, verifyBody } from '../../src/fusionauth/signature.ts';
import { defaultTenantId, FakeFusionAuth, superKey } from '../support/fake-fusionauth/fake-fusionauth.ts';
import type { Json, Tenant, TransactionType, Webhook } from '../support/fake-fusionauth/model.ts';
import { closeServer, listenOnLoopback, urlOf } from '../support/loopback-server.ts';
import { apiOf } from '../support/setup.ts';

const tenant = 'aaaaaaaa-0000-4000-8000-000000000000';
const keyId = '0c000000-0000-4000-8000-000000000000';

/** Takes webhooks, and answers as the test wants. */
class Receiver implements AsyncDisposable {
  readonly taken: { readonly body: Buffer; readonly headers: IncomingHttpHeaders }[] = [];
  /** Status of each answer in turn; 200 after the last. */
  answers: number[] = [];
  readonly #server = createServer((incoming, response) => {
    void buffer(incoming).then((body) => {
      this.taken.push({ body, headers: incoming.headers });
      response.writeHead(this.answers.shift() ?? 200).end();
    });
  });

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await listenOnLoopback(receiver.#server);
    return receiver;
  }

  get url(): string {
    return urlOf(this.#server);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeServer(this.#server);
  }
}

function webhook(url: string, changes: Partial<Webhook> = {}): Webhook {
  return {
    id: '0a000000-0000-4000-8000-000000000000',
    url,
    connectTimeout: 500,
    readTimeout: 500,
    global: true,
    eventsEnabled: { 'user.login.success': true, 'user.create': true, 'audit-log.create': true },
    ...changes,
  };
}

function switchOn(
  { tenants }: FakeFusionAuth,
  type: string,
  { id = defaultTenantId, level = 'None' }: { id?: string; level?: TransactionType } = {},
): void {
  (tenants.get(id) as Tenant).eventConfiguration.events[type] = { enabled: true, transactionType: level };
}

async function call(
  { url }: FakeFusionAuth,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string; json: Json }> {
  const answer = await request(`${url}${path}`, {
    method: method as 'GET',
    headers: { authorization: superKey, ...(body && { 'content-type': 'application/json' }), ...headers },
    body: body ? JSON.stringify(body) : null,
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, text, json: (text === '' ? {} : JSON.parse(text)) as Json };
}

const logIn = (fusionAuth: FakeFusionAuth, tenantId = defaultTenantId) =>
  fusionAuth.emit('user.login.success', { user: {} }, { tenantId });

describe('the three switches', () => {
  const cases: readonly [name: string, arrives: boolean, change: (fusionAuth: FakeFusionAuth) => void][] = [
    ['all on', true, () => undefined],
    [
      'the tenant’s event off',
      false,
      ({ tenants }) => {
        Object.assign((tenants.get(defaultTenantId) as Tenant).eventConfiguration, { events: {} });
      },
    ],
    ['the webhook’s event off', false, change({ eventsEnabled: {} })],
    ['the webhook of another tenant', false, change({ global: false, tenantIds: [tenant] })],
    ['the webhook of this tenant', true, change({ global: false, tenantIds: [defaultTenantId] })],
  ];
  function change(changes: Partial<Webhook>) {
    return ({ webhooks }: FakeFusionAuth) => {
      for (const each of webhooks.values()) Object.assign(each, changes);
    };
  }

  for (const [name, arrives, change] of cases) {
    test(`${name}: an event ${arrives ? 'arrives' : 'does not arrive'}`, async () => {
      await using fusionAuth = await FakeFusionAuth.start({ tenants: [tenant] });
      await using receiver = await Receiver.start();
      const made = webhook(receiver.url);
      fusionAuth.webhooks.set(made.id, made);
      switchOn(fusionAuth, 'user.login.success');
      change(fusionAuth);

      await logIn(fusionAuth);
      await fusionAuth.settled();

      assert.equal(receiver.taken.length, arrives ? 1 : 0);
    });
  }

  test('an event of the whole instance needs the webhook’s only', async () => {
    await using fusionAuth = await FakeFusionAuth.start({ tenants: [tenant] });
    await using receiver = await Receiver.start();
    const made = webhook(receiver.url, { global: false, tenantIds: [tenant] });
    fusionAuth.webhooks.set(made.id, made);

    await apiOf(fusionAuth).writeAuditLog('a line');
    await fusionAuth.settled();

    const [taken] = receiver.taken;
    const { event } = JSON.parse(taken?.body.toString() ?? '') as { event: Json };
    assert.partialDeepStrictEqual(event, { type: 'audit-log.create', auditLog: { message: 'a line' } });
    assert.equal('tenantId' in event, false);
  });
});

describe('transaction levels', () => {
  /** Two receivers of a creation of a user, of which `bad` answers 500 so many times. */
  async function open(level: TransactionType, failures: number) {
    const stack = new AsyncDisposableStack();
    const fusionAuth = stack.use(await FakeFusionAuth.start());
    const [good, bad] = [stack.use(await Receiver.start()), stack.use(await Receiver.start())];
    bad.answers = Array<number>(failures).fill(500);
    fusionAuth.webhooks.set('good', webhook(good.url, { id: 'good' }));
    fusionAuth.webhooks.set('bad', webhook(bad.url, { id: 'bad' }));
    switchOn(fusionAuth, 'user.create', { level });
    await apiOf(fusionAuth).changeWebhookEventLogSettings({ enabled: true });
    const create = () =>
      call(fusionAuth, 'POST', '/api/user', { user: { email: 'a@example.com', password: 'password' } });
    return { fusionAuth, good, bad, create, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  }

  test('None: who failed is not tried again, and nothing is held up', async () => {
    await using scene = await open('None', 1);

    assert.equal((await scene.create()).status, 200);
    await scene.fusionAuth.settled();

    assert.deepEqual([scene.good.taken.length, scene.bad.taken.length], [1, 1]);
    const [logged] = scene.fusionAuth.eventLog;
    assert.equal(logged?.eventResult, 'Succeeded', 'as FusionAuth says, whatever became of the attempts');
    assert.deepEqual(logged.attempts.map(({ attemptResult }) => attemptResult).toSorted(), [
      'Failure',
      'Success',
    ]);
  });

  for (const [failures, tries] of [
    [1, 2],
    [3, 4],
    [9, 4],
  ] as const) {
    test(`met: who fails ${failures} times is tried ${tries} times`, async () => {
      await using scene = await open('Any', failures);

      assert.equal((await scene.create()).status, 200);

      assert.deepEqual([scene.good.taken.length, scene.bad.taken.length], [1, tries]);
      const bodies = new Set([...scene.good.taken, ...scene.bad.taken].map(({ body }) => body.toString()));
      assert.equal(bodies.size, 1, 'the same event with the same id');
    });
  }

  test('not met: nobody is tried again, FusionAuth answers 504, and the user is not made', async () => {
    await using scene = await open('AbsoluteMajority', 1);

    const { status, json } = await scene.create();

    assert.equal(status, 504);
    const [error] = json['generalErrors'] as { code: string }[];
    assert.equal(error?.code, '[WebhookTransactionException]');
    assert.deepEqual([scene.good.taken.length, scene.bad.taken.length], [1, 1]);
    assert.equal(scene.fusionAuth.users.size, 0);
    assert.equal(scene.fusionAuth.eventLog[0]?.eventResult, 'Failed');
  });

  for (const [level, isMet] of [
    ['SimpleMajority', true],
    ['SuperMajority', false],
  ] as const) {
    test(`${level}: half of the receivers ${isMet ? 'are' : 'are not'} enough`, async () => {
      await using scene = await open(level, 9);
      assert.equal((await scene.create()).status, isMet ? 200 : 504);
    });
  }

  test('a level of an event that is no transaction is put back to None in silence', async () => {
    await using fusionAuth = await FakeFusionAuth.start();
    const switches = { 'user.create.complete': { enabled: true, transactionType: 'AbsoluteMajority' } };

    await apiOf(fusionAuth).changeTenantEvents(defaultTenantId, switches);

    const { events } = (fusionAuth.tenants.get(defaultTenantId) as Tenant).eventConfiguration;
    assert.deepEqual(events['user.create.complete'], { enabled: true, transactionType: 'None' });
  });

  test('a receiver that does not answer in time has failed', async () => {
    await using scene = await open('AbsoluteMajority', 0);
    const never = createServer(() => undefined);
    await listenOnLoopback(never);
    Object.assign(scene.fusionAuth.webhooks.get('bad') ?? {}, { url: urlOf(never), readTimeout: 100 });

    assert.equal((await scene.create()).status, 504);
    await closeServer(never);
  });
});

describe('changes by the API', () => {
  const path = '/api/webhook/0a000000-0000-4000-8000-000000000000';
  const patch = { webhook: { tenantIds: [tenant], headers: { b: '2' } } };
  const open = async (version?: string) => {
    const fusionAuth = await FakeFusionAuth.start({ tenants: [tenant], ...(version && { version }) });
    const given = webhook('http://127.0.0.1:9', {
      global: false,
      tenantIds: [defaultTenantId],
      headers: { a: '1' },
    });
    fusionAuth.webhooks.set(given.id, given);
    return fusionAuth;
  };
  const made = ({ webhooks }: FakeFusionAuth) => [...webhooks.values()][0] as Webhook;

  test('PATCH appends to lists; as a merge patch it replaces them', async () => {
    await using fusionAuth = await open();

    await call(fusionAuth, 'PATCH', path, patch);
    assert.deepEqual(made(fusionAuth).tenantIds, [defaultTenantId, tenant]);
    assert.deepEqual(made(fusionAuth).headers, { a: '1', b: '2' });

    await call(fusionAuth, 'PATCH', path, patch, { 'content-type': 'application/merge-patch+json' });
    assert.deepEqual(made(fusionAuth).tenantIds, [tenant]);
  });

  for (const [version, isKept] of [
    ['1.37.0', false],
    ['1.47.0', false],
    ['1.48.0', true],
  ] as const) {
    test(`${version}: a tenant that is changed ${isKept ? 'keeps' : 'loses'} webhooks that the request does not name`, async () => {
      await using fusionAuth = await open(version);
      const change = { tenant: { name: 'Renamed' } };

      await call(fusionAuth, 'PATCH', `/api/tenant/${defaultTenantId}`, {
        ...change,
        webhookIds: [made(fusionAuth).id],
      });
      assert.deepEqual(made(fusionAuth).tenantIds, [defaultTenantId]);
      await call(fusionAuth, 'PATCH', `/api/tenant/${defaultTenantId}`, change);

      assert.deepEqual(made(fusionAuth).tenantIds, isKept ? [defaultTenantId] : []);
      assert.equal(fusionAuth.tenants.get(defaultTenantId)?.name, 'Renamed');
    });
  }

  const refused: readonly [version: string, what: string, method: string, path: string, body: object][] = [
    ['1.37.0', 'an event of 1.38', 'PATCH', `/api/tenant/${tenant}`, eventsOf('group.create')],
    ['1.69.0', 'an event that is none', 'PATCH', `/api/tenant/${tenant}`, eventsOf('no.such.event')],
    [
      '1.37.0',
      'an event of 1.38',
      'POST',
      path,
      { webhook: hook({ eventsEnabled: { 'group.create': true } }) },
    ],
    [
      '1.47.0',
      'a signature',
      'POST',
      path,
      { webhook: hook({ signatureConfiguration: { enabled: false } }) },
    ],
    ['1.36.0', 'a webhook of tenants', 'POST', path, { webhook: hook({ tenantIds: [tenant] }) }],
    ['1.36.0', 'a tenant’s webhooks', 'PATCH', `/api/tenant/${tenant}`, { tenant: {}, webhookIds: [] }],
    [
      '1.52.0',
      'the webhook event log',
      'PATCH',
      '/api/system-configuration',
      { systemConfiguration: { webhookEventLogConfiguration: { enabled: true } } },
    ],
    ['1.69.0', 'no time-out', 'POST', path, { webhook: { url: 'http://127.0.0.1:9' } }],
    ['1.69.0', 'a tenant that is not there', 'POST', path, { webhook: hook({ tenantIds: ['nobody'] }) }],
    [
      '1.69.0',
      'a signing key that is not there',
      'POST',
      path,
      { webhook: hook({ signatureConfiguration: { enabled: true, signingKeyId: 'none' } }) },
    ],
  ];
  function eventsOf(type: string) {
    return { tenant: { eventConfiguration: { events: { [type]: { enabled: true } } } } };
  }
  function hook(changes: Partial<Webhook>) {
    return { url: 'http://127.0.0.1:9', connectTimeout: 1, readTimeout: 1, global: true, ...changes };
  }
  for (const [version, what, method, at, body] of refused) {
    test(`${version} refuses ${what} (${method})`, async () => {
      await using fusionAuth = await FakeFusionAuth.start({ version, tenants: [tenant] });
      const before = fusionAuth.snapshot();

      const { status, json } = await call(fusionAuth, method, at, body);

      assert.equal(status, 400);
      assert.ok('fieldErrors' in json && 'generalErrors' in json);
      assert.deepEqual(fusionAuth.snapshot(), before);
    });
  }

  test('a webhook is not made twice, and a key that signs one is not removed', async () => {
    await using fusionAuth = await FakeFusionAuth.start();
    const api = apiOf(fusionAuth);
    await api.generateKey(keyId, 'a key', 'ES256');
    const signed = webhook('http://127.0.0.1:9', {
      signatureConfiguration: { enabled: true, signingKeyId: keyId },
    });
    await api.createWebhook(signed);

    await assert.rejects(api.createWebhook(signed), { reasons: ['[duplicate]webhookId'] });
    await assert.rejects(api.generateKey('another', 'a key', 'ES256'), { reasons: ['[duplicate]key.name'] });
    await assert.rejects(api.deleteKey(keyId), FusionAuthApiError);
    await api.deleteWebhook(signed.id);
    await api.deleteKey(keyId);
    assert.equal(fusionAuth.keys.size, 0);
  });
});

describe('signatures', () => {
  for (const algorithm of ['ES256', 'RS256', 'Ed25519', 'HS256'] as const) {
    test(`${algorithm}: the bridge verifies what it sends`, async () => {
      await using fusionAuth = await FakeFusionAuth.start();
      await using receiver = await Receiver.start();
      const api = apiOf(fusionAuth);
      const isHmac = algorithm === 'HS256';
      if (isHmac) await api.importHmacKey(keyId, 'a key', 'a-secret');
      else await api.generateKey(keyId, 'a key', algorithm);
      await api.createWebhook(
        webhook(receiver.url, { signatureConfiguration: { enabled: true, signingKeyId: keyId } }),
      );
      switchOn(fusionAuth, 'user.login.success');

      await logIn(fusionAuth);
      await fusionAuth.settled();

      const [taken] = receiver.taken;
      assert.ok(taken);
      await verify(taken, isHmac ? { secrets: ['a-secret'] } : { fusionAuthUrl: fusionAuth.url });
      const jwks = await call(fusionAuth, 'GET', '/.well-known/jwks.json');
      assert.equal((jwks.json['keys'] as unknown[]).length, isHmac ? 0 : 1);
    });
  }

  test('the secret of an HMAC key that FusionAuth makes is told to nobody', async () => {
    await using fusionAuth = await FakeFusionAuth.start();

    const body = { key: { name: 'a key', algorithm: 'HS256' } };
    const made = await call(fusionAuth, 'POST', `/api/key/generate/${keyId}`, body);
    const read = await call(fusionAuth, 'GET', `/api/key/${keyId}`);
    const all = await call(fusionAuth, 'GET', '/api/key');

    const secret = fusionAuth.keys.get(keyId)?.secret ?? '';
    assert.ok(secret.length > 10);
    for (const { status, text } of [made, read, all]) {
      assert.equal(status, 200);
      assert.ok(text.includes(keyId) && !text.includes(secret));
    }
  });

  test('Ed25519 needs 1.62', async () => {
    await using fusionAuth = await FakeFusionAuth.start({ version: '1.61.0' });
    await assert.rejects(apiOf(fusionAuth).generateKey(keyId, 'a key', 'Ed25519'), FusionAuthApiError);
  });
});

describe('the webhook event log', () => {
  const search = (fusionAuth: FakeFusionAuth, body: object = {}) =>
    call(fusionAuth, 'POST', '/api/system/webhook-event-log/search', { search: body });
  /** With an event of two hours ago, and one of now. */
  async function open(version: string) {
    const fusionAuth = await FakeFusionAuth.start({ version });
    if (version >= '1.57') await apiOf(fusionAuth).changeWebhookEventLogSettings({ enabled: true });
    fusionAuth.webhooks.set('a', webhook('http://127.0.0.1:9', { id: 'a' }));
    switchOn(fusionAuth, 'user.login.success');
    await logIn(fusionAuth);
    await logIn(fusionAuth);
    await fusionAuth.settled();
    const [first] = fusionAuth.eventLog;
    Object.assign(first ?? {}, { insertInstant: Date.now() - 2 * 3_600_000 });
    return fusionAuth;
  }

  test('from 1.57 on shows the last hour, where no start is given; before, everything', async () => {
    await using old = await open('1.53.0');
    await using now = await open('1.57.0');

    assert.equal((await search(old)).json['total'], 2);
    assert.equal((await search(now)).json['total'], 1);
    const since = await search(now, { start: Date.now() - 3 * 3_600_000, orderBy: 'sequence ASC' });
    const logs = since.json['webhookEventLogs'] as Json[];
    assert.deepEqual(
      logs.map(({ sequence }) => sequence),
      [1, 2],
    );
    assert.partialDeepStrictEqual(logs[0], { failedAttempts: 1, successfulAttempts: 0 });
  });

  test('is off from 1.57 on until somebody switches it on, and is not there before 1.53', async () => {
    await using now = await FakeFusionAuth.start({ version: '1.57.0' });
    now.webhooks.set('a', webhook('http://127.0.0.1:9', { id: 'a' }));
    switchOn(now, 'user.login.success');
    await logIn(now);
    await now.settled();
    assert.equal((await search(now, { start: 0 })).json['total'], 0);

    await using old = await FakeFusionAuth.start({ version: '1.52.0' });
    assert.equal((await search(old)).status, 404);
  });
});

describe('API keys', () => {
  test('without the right, and unknown ones, are answered 401 with nothing in it', async () => {
    await using fusionAuth = await FakeFusionAuth.start();
    fusionAuth.apiKeys.set('reads', { permissions: { '/api/webhook': ['GET'] } });

    for (const [authorization, method, status] of [
      ['reads', 'GET', 200],
      ['reads', 'POST', 401],
      ['wrong', 'GET', 401],
      [`Bearer ${superKey}`, 'GET', 401],
    ] as const) {
      const path = method === 'GET' ? '/api/webhook' : '/api/webhook/an-id';
      const answer = await call(fusionAuth, method, path, undefined, { authorization });
      assert.equal(answer.status, status, `${authorization} ${method}`);
      if (status === 401) assert.equal(answer.text, '');
    }
  });

  test('a right is looked at before what is asked: without it 401, with it 404 or 400', async () => {
    await using fusionAuth = await FakeFusionAuth.start();
    fusionAuth.apiKeys.set('none', { permissions: {} });

    for (const [method, path, body] of [
      ['PUT', '/api/webhook/nobody', {}],
      ['PATCH', '/api/tenant/nobody', {}],
      ['DELETE', '/api/key/nobody', undefined],
      ['POST', '/api/key/generate/nobody', {}],
    ] as const) {
      const without = await call(fusionAuth, method, path, body, { authorization: 'none' });
      const withRight = await call(fusionAuth, method, path, body);
      assert.equal(without.status, 401, path);
      assert.ok([400, 404].includes(withRight.status), path);
    }
  });

  test('of one tenant cannot have rights to what belongs to all of them', async () => {
    await using fusionAuth = await FakeFusionAuth.start({ tenants: [tenant] });
    fusionAuth.apiKeys.set('of-one', { tenantId: tenant });
    const ask = async (path: string) =>
      (await call(fusionAuth, 'GET', path, undefined, { authorization: 'of-one' })).status;

    assert.deepEqual(
      await Promise.all(['/api/webhook', '/api/key', '/api/system-configuration'].map(ask)),
      [401, 401, 401],
    );
    assert.equal(await ask('/api/tenant'), 200);
  });
});

/** Rejects where the bridge would not take it. */
async function verify(
  { body, headers }: { body: Buffer; headers: IncomingHttpHeaders },
  { secrets = [], fusionAuthUrl }: { secrets?: readonly string[]; fusionAuthUrl?: string },
): Promise<void> {
  const publicKeys = fusionAuthUrl === undefined ? undefined : new PublicKeys({ fusionAuthUrl });
  const verifier = createSignatureVerifier({ secrets, publicKeys });
  verifyBody(await verifier.verifyToken(headers[signatureHeader] as string | undefined), body);
}
