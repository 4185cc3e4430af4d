// `setup` at Segment, against a stand-in of its Public API.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openPublicApi } from '../../../src/commands/public-api.ts';
import { explainManualSteps, planSegmentSetup } from '../../../src/commands/setup/segment.ts';
import type { SegmentPlan, SegmentWishes } from '../../../src/commands/setup/segment.ts';
import type { PublicApi } from '../../../src/segment/public-api.ts';
import { SegmentPublicApiStandIn } from '../../support/segment-public-api.ts';

const token = 'a-token';
const password = 'its-password';
const warehouseUrl = `postgresql://segment:${password}@db.example.com:6543/analytics?sslmode=require`;
const sourceOnly: SegmentWishes = { sourceSlug: 'fusionauth' };
const withWarehouse: SegmentWishes = { ...sourceOnly, warehouseUrl };

interface Opened extends AsyncDisposable {
  readonly segment: SegmentPublicApiStandIn;
  readonly api: PublicApi;
}

async function open(): Promise<Opened> {
  const segment = await SegmentPublicApiStandIn.start();
  const config = {
    segmentPublicApiToken: token,
    segmentPublicApiUrl: segment.url,
    segmentRegion: 'us',
  } as const;
  const api = openPublicApi(config);
  assert.ok(api);
  const close = async () => {
    await api.close();
    await segment[Symbol.asyncDispose]();
  };
  return { segment, api, [Symbol.asyncDispose]: close };
}

/** Plans and applies; gives the plan that it followed. */
async function setUp(api: PublicApi, wishes: SegmentWishes): Promise<SegmentPlan> {
  const plan = await planSegmentSetup(api, wishes);
  for (const change of plan.changes) await change.apply();
  return plan;
}

/** What is there, whatever made it. */
function stateOf({ sources, warehouses, connections }: SegmentPublicApiStandIn) {
  return {
    sources: sources.map(({ slug, enabled, metadata }) => [slug, enabled, metadata.name]),
    warehouses: warehouses.map(({ settings }) => [
      settings['hostname'],
      settings['port'],
      settings['database'],
    ]),
    connections: connections.size,
  };
}
const done = {
  sources: [['fusionauth', true, 'HTTP API']],
  warehouses: [['db.example.com', '6543', 'analytics']],
  connections: 1,
};

describe('the source', () => {
  test('is planned without a change, made, and gives its write key', async () => {
    await using opened = await open();

    const plan = await planSegmentSetup(opened.api, sourceOnly);

    assert.deepEqual(
      plan.changes.map(({ description }) => description),
      ['Make the HTTP API source “fusionauth” in the Segment workspace “Acme”'],
    );
    assert.equal(plan.workspace, 'Acme');
    assert.deepEqual(opened.segment.changes, []);
    for (const change of plan.changes) await change.apply();
    assert.deepEqual(stateOf(opened.segment), { ...done, warehouses: [], connections: 0 });
    const [writeKey] = opened.segment.sources[0]?.writeKeys ?? [];
    assert.deepEqual(await plan.readWriteKey(), { kind: 'found', writeKey });
  });

  test('that is there is found on the last page, and nothing is changed', async () => {
    await using opened = await open();
    opened.segment.maxPage = 1;
    for (const slug of ['web', 'fusionauth-old', 'fusionauth']) opened.segment.addSource({ slug });

    const plan = await setUp(opened.api, sourceOnly);

    assert.deepEqual([plan.changes, plan.notes, opened.segment.changes], [[], [], []]);
    assert.partialDeepStrictEqual(await plan.readWriteKey(), { kind: 'found' });
  });

  test('that is disabled is turned on', async () => {
    await using opened = await open();
    opened.segment.addSource({ slug: 'fusionauth', enabled: false });

    const plan = await setUp(opened.api, sourceOnly);

    assert.match(plan.changes[0]?.description ?? '', /^Turn the source “fusionauth” on/);
    assert.equal(opened.segment.sources[0]?.enabled, true);
    assert.deepEqual((await planSegmentSetup(opened.api, sourceOnly)).changes, []);
  });

  test('is not connected to the warehouses that are there, and its reader is told', async () => {
    await using opened = await open();
    opened.segment.addWarehouse({ hostname: 'elsewhere' });

    const plan = await setUp(opened.api, sourceOnly);

    assert.equal(opened.segment.connections.size, 0);
    assert.match(plan.notes.join(), /will be connected to no warehouse.*Connections → Sources → fusionauth/);
  });

  test('of another kind under this name is left alone', async () => {
    await using opened = await open();
    opened.segment.addSource({ slug: 'fusionauth', kind: 'javascript' });

    await assert.rejects(planSegmentSetup(opened.api, sourceOnly), {
      message: /kind Javascript, not HTTP API/,
      hint: /another name/,
    });
    assert.deepEqual(opened.segment.changes, []);
  });

  test('whose write key the token may not see is told with what to click', async () => {
    await using opened = await open();
    opened.segment.tokens.set(token, 'read-only');
    opened.segment.addSource({ slug: 'fusionauth' });

    const key = await (await planSegmentSetup(opened.api, sourceOnly)).readWriteKey();

    assert.equal(key.kind, 'hidden');
    assert.match(
      key.steps.join('\n'),
      /Source Admin[^]*fusionauth → Settings → API Keys\n.*SEGMENT_WRITE_KEY/,
    );
  });

  test('that a token may not make ends in the role that it lacks', async () => {
    await using opened = await open();
    opened.segment.tokens.set(token, 'read-only');

    await assert.rejects(setUp(opened.api, sourceOnly), {
      code: 'PUBLIC_API_DENIED',
      hint: /Workspace Owner/,
    });
  });
});

describe('the warehouse', () => {
  test('is made with its source and connected to it alone', async () => {
    await using opened = await open();
    const other = opened.segment.addSource({ slug: 'web' });

    const plan = await planSegmentSetup(opened.api, withWarehouse);

    assert.deepEqual(
      plan.changes.map(({ description }) => description),
      [
        'Make the HTTP API source “fusionauth” in the Segment workspace “Acme”',
        'Make the Postgres warehouse db.example.com:6543/analytics, which Segment loads as user “segment”',
        'Connect the source “fusionauth” to the warehouse db.example.com:6543/analytics',
      ],
    );
    assert.match(plan.notes.join(), /schema “fusionauth”.*WAREHOUSE_SCHEMA/);
    assert.doesNotMatch(JSON.stringify(plan), new RegExp(password));
    assert.deepEqual(opened.segment.changes, []);
    for (const change of plan.changes) await change.apply();
    assert.deepEqual(stateOf(opened.segment).warehouses, done.warehouses);
    assert.deepEqual(
      [...opened.segment.connections].map((pair) => pair.startsWith(`${other.id} `)),
      [false],
    );
    assert.deepEqual(
      opened.segment.calls.find(({ path, method }) => path === '/warehouses' && method === 'POST')?.body,
      {
        metadataId: '55d3d3aea3c',
        name: 'FusionAuth (analytics)',
        enabled: true,
        settings: {
          hostname: 'db.example.com',
          port: '6543',
          database: 'analytics',
          username: 'segment',
          password,
        },
        disconnectAllSources: true,
      },
    );
  });

  test('that is there already is found, and connected', async () => {
    await using opened = await open();
    opened.segment.addWarehouse({ hostname: 'db.example.com', port: '5432', database: 'analytics' });
    opened.segment.addWarehouse({ host: 'DB.example.com', port: 6543, database: 'analytics' });

    await setUp(opened.api, withWarehouse);

    assert.deepEqual(
      opened.segment.changes.filter((change) => change === 'POST /warehouses'),
      [],
    );
    assert.deepEqual([...opened.segment.connections], ['source-3 warehouse-2']);
  });

  test('that is disabled is told of', async () => {
    await using opened = await open();
    await setUp(opened.api, withWarehouse);
    for (const warehouse of opened.segment.warehouses) warehouse.enabled = false;

    const { changes, notes } = await planSegmentSetup(opened.api, withWarehouse);

    assert.deepEqual(changes, []);
    assert.match(notes.join(), /disabled at Segment/);
  });

  test('into which Segment cannot log in ends the run before anything is made', async () => {
    await using opened = await open();
    opened.segment.canLogIn = () => false;

    await assert.rejects(planSegmentSetup(opened.api, withWarehouse), {
      message: 'Segment cannot log in at db.example.com:6543/analytics as “segment”',
      hint: /52\.25\.130\.38.*GRANT CREATE/,
    });
    assert.deepEqual(opened.segment.changes, []);
  });

  for (const [why, url, message] of [
    ['on this machine', `postgresql://segment:${password}@localhost/analytics`, /cannot reach localhost/],
    ['behind a socket', `postgresql://segment:${password}@/analytics?host=/tmp`, /cannot reach \/tmp/],
    [
      'in a private network',
      `postgresql://segment:${password}@10.1.2.3/analytics`,
      /cannot reach 10\.1\.2\.3/,
    ],
    [
      'in a private IPv6 network',
      `postgresql://segment:${password}@[fd00::1]/analytics`,
      /cannot reach fd00::1/,
    ],
    ['of several hosts', `postgresql://segment:${password}@a.example,b.example/analytics`, /several/],
    ['without a password', 'postgresql://segment@db.example.com/analytics', /no password for “segment”/],
    [
      'with a client certificate',
      `postgresql://segment:${password}@db.example.com/analytics?sslcert=c.pem&sslkey=k.pem`,
      /client certificate/,
    ],
    ['that is no connection string', `db.example.com ${password}`, /begins with neither/],
  ] as const) {
    test(`${why} is refused before Segment is asked, without its password`, async () => {
      await using opened = await open();

      await assert.rejects(
        planSegmentSetup(opened.api, { ...sourceOnly, warehouseUrl: url }),
        ({ message: said, hint = '' }: Error & { hint?: string }) => {
          assert.match(said, message);
          assert.doesNotMatch(said + hint, new RegExp(password));
          return true;
        },
      );
      assert.deepEqual(opened.segment.calls, []);
    });
  }
});

describe('a second run', () => {
  test('finds what the first one made and changes nothing', async () => {
    await using opened = await open();
    await setUp(opened.api, withWarehouse);
    const calls = opened.segment.changes.length;

    const plan = await setUp(opened.api, withWarehouse);

    assert.deepEqual(plan.changes, []);
    assert.equal(opened.segment.changes.length, calls);
    assert.deepEqual(stateOf(opened.segment), done);
    assert.partialDeepStrictEqual(await plan.readWriteKey(), { kind: 'found' });
  });

  test('after a run that broke off at any call leaves nothing double and nothing out', async () => {
    for (const kind of ['reset', 'done-but-reset'] as const) {
      for (let broken = 1; ; broken++) {
        await using opened = await open();
        opened.segment.faultFor = (call) => (call === broken ? { kind } : undefined);
        const isComplete = await setUp(opened.api, withWarehouse).then(
          () => true,
          () => false,
        );

        opened.segment.recover();
        await setUp(opened.api, withWarehouse);

        assert.deepEqual(stateOf(opened.segment), done, `${kind} at call ${broken}`);
        if (isComplete) {
          assert.ok(broken > 6, 'the run was broken off at each of its calls');
          break;
        }
      }
    }
  });
});

test('without a token the clicks are told, and that no API can tell whether a key is right', () => {
  const steps = explainManualSteps({ sourceSlug: 'fusionauth' }).join('\n');

  assert.match(
    steps,
    /Connections → Sources → Add Source[^]*“HTTP API”[^]*“fusionauth”[^]*Settings → API Keys/,
  );
  assert.match(steps, /SEGMENT_WRITE_KEY/);
  assert.match(steps, /cannot tell whether a write key is right, since it answers 200 to any/);
  assert.match(steps, /Debugger/);
});
