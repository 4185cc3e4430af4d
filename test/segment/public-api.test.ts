import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PublicApi, publicApiEndpoints } from '../../src/segment/public-api.ts';
import { PublicApiError } from '../../src/segment/public-api-error.ts';
import type { PublicApiFault as Code } from '../../src/segment/public-api-error.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentPublicApiStandIn } from '../support/segment-public-api.ts';
import type { PublicApiFault } from '../support/segment-public-api.ts';

const token = 'a-token';
const settings = {
  hostname: 'db.example.com',
  port: '5432',
  database: 'analytics',
  username: 'segment',
  password: 'its-password',
};
const now = Date.now();
const span = { from: now - 6 * 3_600_000, until: now };

interface Opened extends AsyncDisposable {
  readonly segment: SegmentPublicApiStandIn;
  readonly api: PublicApi;
}

/** A stand-in and a client of it, closed at the end of the scope. */
async function open(
  access: { token?: string; timeoutMs?: number; patienceMs?: number } = {},
): Promise<Opened> {
  const segment = await SegmentPublicApiStandIn.start();
  const api = new PublicApi({
    endpoint: segment.url,
    token,
    userAgent: 'fusionauth-segment/1.2.3',
    ...access,
  });
  const close = async () => {
    await api.close();
    await segment[Symbol.asyncDispose]();
  };
  return { segment, api, [Symbol.asyncDispose]: close };
}

/** The error, after its code and that nothing secret stands in it are looked at. */
async function failureOf(call: Promise<unknown>, code: Code): Promise<PublicApiError> {
  const error = await call.then(
    () => assert.fail('It did not fail'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof PublicApiError, String(error));
  assert.equal(error.code, code, error.message);
  assert.doesNotMatch(`${error.message} ${error.hint}`, /a-token|its-password/);
  assert.notEqual(error.hint, '');
  return error;
}

describe('a call', () => {
  test('shows the token, asks for the stable version and names its program', async () => {
    await using opened = await open();

    const workspace = await opened.api.workspace();

    assert.deepEqual(workspace, { id: 'ws1', name: 'Acme' });
    assert.partialDeepStrictEqual(opened.segment.calls, [
      { path: '/', accept: 'application/vnd.segment.v1+json', userAgent: 'fusionauth-segment/1.2.3' },
    ]);
  });

  test('goes to the host of the region', () => {
    assert.deepEqual(publicApiEndpoints, {
      us: 'https://api.segmentapis.com',
      eu: 'https://eu1.api.segmentapis.com',
    });
  });

  test('reaches a base URL that ends in a slash', async () => {
    await using segment = await SegmentPublicApiStandIn.start();
    const api = new PublicApi({ endpoint: `${segment.url}/`, token, userAgent: 'test' });

    await api.sources().finally(() => api.close());

    assert.equal(segment.calls[0]?.path, '/sources');
  });

  test('ends when its signal says so, by the reason of it', async () => {
    await using opened = await open();
    opened.segment.fail({ kind: 'hang' });
    const reason = new Error('Enough');

    await assert.rejects(opened.api.workspace(abortedSoon(reason)), reason);
  });
});

describe('sources', () => {
  test('are read from all pages', async () => {
    await using opened = await open();
    opened.segment.maxPage = 2;
    for (let count = 0; count < 5; count++) opened.segment.addSource();

    const sources = await opened.api.sources();

    assert.deepEqual(
      sources.map(({ id }) => id),
      ['source-1', 'source-2', 'source-3', 'source-4', 'source-5'],
    );
    assert.equal(opened.segment.calls.length, 3);
  });

  test('without end are given up', async () => {
    await using opened = await open();
    const body = JSON.stringify({ data: { sources: [], pagination: { current: 'a', next: 'b' } } });
    opened.segment.fail({ kind: 'body', body });

    await failureOf(opened.api.sources(), 'PUBLIC_API_UNAVAILABLE');
  });

  test('come with their kind and their write keys', async () => {
    await using opened = await open();
    opened.segment.addSource({ slug: 'web', kind: 'javascript', enabled: false, writeKeys: ['k1', 'k2'] });

    assert.deepEqual(await opened.api.source('source-1'), {
      id: 'source-1',
      slug: 'web',
      name: 'web',
      isEnabled: false,
      writeKeys: ['k1', 'k2'],
      kind: { id: 'javascript', name: 'Javascript', categories: ['Website'] },
    });
  });

  test('show no write key to a token that is no Source Admin', async () => {
    await using opened = await open();
    opened.segment.tokens.set(token, 'read-only');
    opened.segment.addSource();

    assert.deepEqual((await opened.api.sources())[0]?.writeKeys, []);
    assert.deepEqual((await opened.api.source('source-1')).writeKeys, []);
  });

  test('are made as HTTP API sources that no warehouse is connected to', async () => {
    await using opened = await open();
    opened.segment.addWarehouse({});

    const { id } = await opened.api.createHttpSource('fusionauth');

    const { slug, kind, isEnabled, writeKeys } = await opened.api.source(id);
    assert.deepEqual([slug, kind.name, isEnabled, writeKeys.length], ['fusionauth', 'HTTP API', true, 1]);
    assert.equal(opened.segment.connections.size, 0);
  });

  test('are turned on', async () => {
    await using opened = await open();
    const source = opened.segment.addSource({ enabled: false });

    assert.equal((await opened.api.enableSource(source.id)).isEnabled, true);
    assert.equal(source.enabled, true);
  });

  test('with fields that nobody knows, and without those that may be absent, are taken', async () => {
    await using opened = await open();
    const source = { id: 's', slug: 'x', enabled: true, metadata: { id: 'm', new: 1 }, brandNew: {} };
    opened.segment.fail({ kind: 'body', body: JSON.stringify({ data: { source, more: [] }, meta: 1 }) });

    assert.partialDeepStrictEqual(await opened.api.source('s'), {
      name: 'x',
      writeKeys: [],
      kind: { name: 'm' },
    });
  });
});

describe('warehouses', () => {
  test('are tried, made without any source, and found again', async () => {
    await using opened = await open();
    opened.segment.addSource();

    assert.equal(await opened.api.canLogIn(settings), true);
    const made = await opened.api.createPostgresWarehouse({ name: 'FusionAuth', settings });

    assert.deepEqual(await opened.api.warehouses(), [made]);
    assert.deepEqual([made.host, made.port, made.database], ['db.example.com', '5432', 'analytics']);
    assert.equal(opened.segment.connections.size, 0);
  });

  test('into which Segment cannot log in are told from others', async () => {
    await using opened = await open();
    opened.segment.canLogIn = ({ password }) => password !== settings.password;

    assert.equal(await opened.api.canLogIn(settings), false);
  });

  test('of other kinds have other settings', async () => {
    await using opened = await open();
    opened.segment.addWarehouse(
      { account: 'x', port: 443, hostname: { odd: true } },
      { id: 'sf', name: 'Snowflake' },
    );

    assert.partialDeepStrictEqual(await opened.api.warehouses(), [
      { kindId: 'sf', host: undefined, port: '443', database: undefined },
    ]);
  });

  test('are connected to a source, once and again', async () => {
    await using opened = await open();
    opened.segment.maxPage = 1;
    const { id: sourceId } = opened.segment.addSource();
    opened.segment.connections.add(`${sourceId} ${opened.segment.addWarehouse({}).id}`);
    const pair = { sourceId, warehouseId: opened.segment.addWarehouse({}).id };

    assert.equal(await opened.api.isConnected(pair), false);
    await opened.api.connect(pair);
    await opened.api.connect(pair);
    assert.equal(await opened.api.isConnected(pair), true);
  });

  test('that stay unconnected are a fault', async () => {
    await using opened = await open();
    opened.segment.fail({ kind: 'body', body: '{"data":{"status":"NOT_CONNECTED"}}' });

    const { message } = await failureOf(
      opened.api.connect({ sourceId: 's', warehouseId: 'w' }),
      'PUBLIC_API_REFUSED',
    );
    assert.match(message, /NOT_CONNECTED/);
  });
});

describe('the delivery overview', () => {
  test('tells what was dropped in a span, by its reason, over all pages', async () => {
    await using opened = await open();
    const { segment, api } = opened;
    const { id: sourceId } = segment.addSource();
    const { id: another } = segment.addSource();
    segment.maxPage = 1;
    const row = (at: number, discardReason: string, count: number, of = sourceId) =>
      segment.delivery.push({ sourceId: of, at, stage: 'failed-on-ingest', discardReason, count });
    row(now - 1000, 'id_not_string', 2);
    row(now - 2000, 'source_disabled', 40);
    row(now - 3_600_000, 'id_not_string', 3);
    row(now - 7 * 3_600_000, 'id_not_string', 100);
    row(now - 1000, 'id_not_string', 100, another);
    segment.delivery.push({ sourceId, at: now - 1000, stage: 'successfully-received', count: 1204 });

    assert.deepEqual(await api.failedOnIngest({ sourceId, ...span }), [
      { reason: 'source_disabled', count: 40 },
      { reason: 'id_not_string', count: 5 },
    ]);
    assert.equal(await api.successfullyReceived({ sourceId, ...span }), 1204);
    assert.partialDeepStrictEqual(segment.calls.at(-1), {
      accept: 'application/vnd.segment.v1beta+json',
      query: { granularity: 'HOUR', startTime: new Date(span.from).toISOString() },
    });
  });
});

describe('a token', () => {
  test('that is none is told from one with too few rights', async () => {
    await using opened = await open({ token: 'another' });

    const { hint } = await failureOf(opened.api.workspace(), 'PUBLIC_API_TOKEN');

    assert.match(hint, /SEGMENT_PUBLIC_API_TOKEN and SEGMENT_REGION/);
  });

  for (const [what, call, role] of [
    ['listing sources', (api: PublicApi) => api.sources(), /Source Read-only/],
    ['making a source', (api: PublicApi) => api.createHttpSource('x'), /Workspace Owner/],
    ['turning a source on', (api: PublicApi) => api.enableSource('source-1'), /Source Admin/],
    ['listing warehouses', (api: PublicApi) => api.warehouses(), /Warehouse Read-only/],
    [
      'connecting a warehouse',
      (api: PublicApi) => api.connect({ sourceId: 's', warehouseId: 'w' }),
      /Warehouse Admin/,
    ],
  ] as const) {
    test(`with too few rights for ${what} is told the role that it lacks, and of the plan`, async () => {
      await using opened = await open();
      opened.segment.tokens.set(token, 'none');

      const { message, hint } = await failureOf(call(opened.api), 'PUBLIC_API_DENIED');

      assert.match(message, /403, “Not allowed”/);
      assert.match(hint, role);
      assert.match(hint, /Team or Business/);
    });
  }
});

describe('a refusal', () => {
  test('is told in Segment’s own words', async () => {
    await using opened = await open();
    opened.segment.addSource({ slug: 'fusionauth' });

    const { message } = await failureOf(opened.api.createHttpSource('fusionauth'), 'PUBLIC_API_REFUSED');

    assert.match(
      message,
      /could not make the source “fusionauth”: it answered 422, “slug: The slug fusionauth is taken”/,
    );
  });

  test('that repeats the password or the token is told without them', async () => {
    await using opened = await open();
    opened.segment.fail({ kind: 'status', status: 422, message: `no login\nby its-password or ${token}` });

    const { message } = await failureOf(opened.api.canLogIn(settings), 'PUBLIC_API_REFUSED');

    assert.match(message, /no login by ••• or •••/);
  });

  test('of something that is not there is told as such', async () => {
    await using opened = await open();

    await failureOf(opened.api.source('gone'), 'PUBLIC_API_NOT_FOUND');
  });
});

describe('too many calls', () => {
  test('are waited out', async () => {
    await using opened = await open();
    opened.segment.fail({ kind: 'status', status: 429, headers: { 'retry-after': '0.05' } }, 3);
    const startedAt = performance.now();

    assert.equal((await opened.api.createHttpSource('fusionauth')).slug, 'fusionauth');

    assert.ok(performance.now() - startedAt >= 140);
    assert.deepEqual([opened.segment.calls.length, opened.segment.sources.length], [4, 1]);
  });

  test('are not waited out for longer than one would', async () => {
    await using opened = await open({ patienceMs: 1_000 });
    opened.segment.fail({ kind: 'status', status: 429, headers: { 'retry-after': '120' } });

    const { hint } = await failureOf(opened.api.sources(), 'PUBLIC_API_BUSY');

    assert.match(hint, /120 seconds/);
    assert.equal(opened.segment.calls.length, 1);
  });

  test('that are told again and again to come back at once end', async () => {
    await using opened = await open();
    opened.segment.fail({ kind: 'status', status: 429, headers: { 'retry-after': '0' } });

    await failureOf(opened.api.sources(), 'PUBLIC_API_BUSY');
    assert.equal(opened.segment.calls.length, 10);
  });
});

describe('no proper answer', () => {
  const faults: readonly (readonly [string, PublicApiFault, RegExp])[] = [
    ['a broken connection', { kind: 'reset' }, /could not be reached/],
    ['an outage', { kind: 'status', status: 503 }, /answered 503/],
    ['a redirection', { kind: 'status', status: 302 }, /answered 302/],
    ['a sign-in page', { kind: 'web-page' }, /without JSON/],
    ['half an answer', { kind: 'body', body: '{"data":{"sour' }, /without JSON/],
    ['another document', { kind: 'body', body: '{"sources":[]}' }, /no proper “data”/],
    ['a source without id', { kind: 'body', body: '{"data":{"sources":[{}]}}' }, /data\.sources\.0\.id/],
    ['too much', { kind: 'body', body: ' '.repeat(17 * 1024 * 1024) }, /more than/],
  ];
  for (const [name, fault, words] of faults) {
    test(`(${name}) is told as such, and asked for once`, async () => {
      await using opened = await open();
      opened.segment.fail(fault);

      const { message } = await failureOf(opened.api.sources(), 'PUBLIC_API_UNAVAILABLE');

      assert.match(message, words);
      assert.equal(opened.segment.calls.length, 1);
    });
  }

  test('in time is told as such', async () => {
    await using opened = await open({ timeoutMs: 100 });
    opened.segment.fail({ kind: 'hang' });

    assert.match(
      (await failureOf(opened.api.workspace(), 'PUBLIC_API_UNAVAILABLE')).message,
      /not answered in time/,
    );
  });

  test('from a port where nobody listens, or a host that is unknown', async () => {
    for (const [endpoint, hint] of [
      [`http://127.0.0.1:${await freePort()}`, /network/],
      ['https://segment.invalid', /DNS/],
    ] as const) {
      const api = new PublicApi({ endpoint, token, userAgent: 'test' });

      const error = await failureOf(api.workspace(), 'PUBLIC_API_UNAVAILABLE');

      await api.close();
      assert.match(error.hint, hint);
    }
  });

  test('to a call that made something does not make it twice', async () => {
    await using opened = await open();
    opened.segment.fail({ kind: 'done-but-reset' }, 1);

    await failureOf(opened.api.createHttpSource('fusionauth'), 'PUBLIC_API_UNAVAILABLE');

    assert.deepEqual(
      (await opened.api.sources()).map(({ slug }) => slug),
      ['fusionauth'],
    );
  });
});

function abortedSoon(reason: Error): AbortSignal {
  const controller = new AbortController();
  setImmediate(() => controller.abort(reason));
  return controller.signal;
}
