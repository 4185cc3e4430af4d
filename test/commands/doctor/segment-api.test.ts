// Each fault that `doctor` sees through Segment's Public API, planted one by one; and none where all is well.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkSegmentApi } from '../../../src/commands/doctor/segment-api.ts';
import type { Check } from '../../../src/commands/doctor/check.ts';
import { loadConfig } from '../../../src/config/config.ts';
import type { Environment } from '../../../src/config/config.ts';
import type { UserConfig } from '../../../src/config/user-config.ts';
import { SegmentPublicApiStandIn } from '../../support/segment-public-api.ts';
import type { StandInSource } from '../../support/segment-public-api.ts';
import { assertFinds as assertFindsThis } from './findings.ts';

const writeKey = 'k'.repeat(32);
const hourMs = 3_600_000;

interface Opened extends AsyncDisposable {
  readonly segment: SegmentPublicApiStandIn;
  readonly source: StandInSource;
  /** What `doctor` finds with these settings. */
  find(environment?: Environment, destinations?: UserConfig['destinations']): Promise<readonly Check[]>;
  /** Messages of the source, some while ago. */
  deliver(count: number, discardReason?: string, agoMs?: number): void;
}

/** A workspace where all is well. */
async function open(): Promise<Opened> {
  const segment = await SegmentPublicApiStandIn.start();
  segment.addSource({ slug: 'web', kind: 'javascript' });
  const source = segment.addSource({ slug: 'fusionauth', writeKeys: ['of-another-time', writeKey] });
  return {
    segment,
    source,
    find: (environment = {}, destinations) => {
      const variables = {
        WAREHOUSE_URL: 'off',
        SEGMENT_WRITE_KEY: writeKey,
        SEGMENT_PUBLIC_API_TOKEN: 'a-token',
        SEGMENT_PUBLIC_API_URL: segment.url,
        ...environment,
      };
      const file = destinations === undefined ? undefined : { path: 'c.ts', config: { destinations } };
      return checkSegmentApi(loadConfig(variables, file));
    },
    deliver: (count, discardReason, agoMs = hourMs) =>
      segment.delivery.push({
        sourceId: source.id,
        at: Date.now() - agoMs,
        stage: discardReason === undefined ? 'successfully-received' : 'failed-on-ingest',
        ...(discardReason === undefined ? {} : { discardReason }),
        count,
      }),
    [Symbol.asyncDispose]: () => segment[Symbol.asyncDispose](),
  };
}

/** As everywhere, and no secret stands in it. */
function assertFinds(...finding: Parameters<typeof assertFindsThis>): void {
  const [checks] = finding;
  assertFindsThis(...finding);
  assert.doesNotMatch(JSON.stringify(checks), /a-token|kkkk/);
}

describe('all is well', () => {
  test('of a key that belongs to a source that is on, and nothing dropped', async () => {
    await using opened = await open();
    opened.deliver(1204);
    opened.deliver(7, 'source_disabled', 7 * hourMs);

    const checks = await opened.find();

    assert.deepEqual(
      checks.map(({ name, status, detail, fix }) => [name, status, fix, detail]),
      [
        [
          'segment.public-api',
          'ok',
          '',
          `${new URL(opened.segment.url).host} knows the token: workspace “Acme”, 2 sources`,
        ],
        [
          'segment.source',
          'ok',
          '',
          'The write key is of the source “fusionauth” (HTTP API) of the workspace “Acme”, which is on',
        ],
        [
          'segment.discards',
          'ok',
          '',
          'In the last 6 hours Segment has kept 1204 messages of “fusionauth” and dropped none',
        ],
      ],
    );
    assert.deepEqual(opened.segment.changes, []);
  });

  test('of a library for servers', async () => {
    await using opened = await open();
    opened.segment.addSource({ kind: 'nodejs', writeKeys: ['n'.repeat(32)] });

    const checks = await opened.find({ SEGMENT_WRITE_KEY: 'n'.repeat(32) });

    assert.deepEqual(
      checks.map(({ status }) => status),
      ['ok', 'ok', 'ok'],
    );
  });

  test('of the empty batches that doctor itself has sent', async () => {
    await using opened = await open();
    opened.deliver(3, 'empty_batch');

    assert.deepEqual(
      (await opened.find()).filter(({ status }) => status !== 'ok'),
      [],
    );
  });

  test('without a token, which is said with the reason', async () => {
    await using opened = await open();

    const checks = await opened.find({ SEGMENT_PUBLIC_API_TOKEN: '' });

    assertFinds(checks, 'segment.public-api', 'skip', { detail: /answers 200 to any key/, fix: /Debugger/ });
    assert.deepEqual(opened.segment.calls, []);
  });

  test('without Segment there is nothing to look at', async () => {
    await using opened = await open();

    assert.deepEqual(await opened.find({ SEGMENT_PUBLIC_API_TOKEN: '', SEGMENT_WRITE_KEY: '' }), []);
  });
});

describe('the token', () => {
  test('is wrong', async () => {
    await using opened = await open();

    assertFinds(await opened.find({ SEGMENT_PUBLIC_API_TOKEN: 'wrong' }), 'segment.public-api', 'fail', {
      detail: /401/,
      fix: /SEGMENT_PUBLIC_API_TOKEN and SEGMENT_REGION/,
    });
  });

  test('has too few rights to see sources', async () => {
    await using opened = await open();
    opened.segment.tokens.set('a-token', 'none');

    assertFinds(await opened.find(), 'segment.public-api', 'fail', { fix: /Source Read-only/ });
  });

  test('has too few rights to see write keys', async () => {
    await using opened = await open();
    opened.segment.tokens.set('a-token', 'read-only');

    assertFinds(await opened.find(), 'segment.source', 'skip', {
      detail: /2 sources of 2/,
      fix: /Source Admin/,
    });
  });

  test('cannot be tried, since the API is away', async () => {
    await using opened = await open();
    opened.segment.fail({ kind: 'status', status: 503 });

    assertFinds(await opened.find(), 'segment.public-api', 'warn', {
      detail: /503/,
      fix: /status\.segment\.com/,
    });
  });

  test('cannot be tried, since it has had too many calls', async () => {
    await using opened = await open();
    opened.segment.fail({ kind: 'status', status: 429, headers: { 'retry-after': '60' } });

    assertFinds(await opened.find(), 'segment.public-api', 'warn', { fix: /60 seconds/ });
  });
});

describe('the source', () => {
  test('is none of the workspace', async () => {
    await using opened = await open();

    assertFinds(await opened.find({ SEGMENT_WRITE_KEY: 'x'.repeat(32) }), 'segment.source', 'fail', {
      detail: /none of the 2 sources of the workspace “Acme”.*drops every event/,
      fix: /API Keys/,
    });
  });

  test('of a further destination may be of another workspace', async () => {
    await using opened = await open();

    const checks = await opened.find({}, { acme: { type: 'segment', writeKey: 'x'.repeat(32) } });

    const acme = checks.filter(({ name }) => name.startsWith('acme.'));
    assert.deepEqual(
      acme.map(({ name, status }) => [name, status]),
      [['acme.source', 'skip']],
    );
  });

  test('is disabled', async () => {
    await using opened = await open();
    opened.source.enabled = false;

    assertFinds(await opened.find(), 'segment.source', 'fail', { detail: /disabled/, fix: /Turn it on/ });
  });

  test('is in another region than events are sent to', async () => {
    await using opened = await open();

    assertFinds(
      await opened.find({ SEGMENT_ENDPOINT: 'https://events.eu1.segmentapis.com/v1' }),
      'segment.source',
      'fail',
      { detail: /region us.*sent to eu/, fix: /SEGMENT_REGION/ },
    );
  });

  test('is a website’s', async () => {
    await using opened = await open();
    opened.segment.addSource({ kind: 'javascript', writeKeys: ['w'.repeat(32)] });

    assertFinds(await opened.find({ SEGMENT_WRITE_KEY: 'w'.repeat(32) }), 'segment.source', 'warn', {
      detail: /Javascript/,
      fix: /HTTP API/,
    });
  });
});

describe('what Segment dropped', () => {
  test('for one message is told with its reason, and who must have sent it', async () => {
    await using opened = await open();
    opened.deliver(5, 'id_not_string');
    opened.deliver(2, 'brand_new_reason');

    assertFinds(await opened.find(), 'segment.discards', 'warn', {
      detail: /dropped 7 messages of “fusionauth”: id_not_string \(5\) and brand_new_reason \(2\)$/,
      fix: /id_not_string \(“Its userId.*another program.*source of its own; brand_new_reason: .*Delivery Overview/,
    });
  });

  for (const [reason, fix] of [
    ['source_disabled', /turn the source on/],
    ['locked_workspace', /locked the workspace/],
    ['unknown_source', /SEGMENT_WRITE_KEY/],
    ['invalid_settings', /settings/],
  ] as const) {
    test(`is everything, for ${reason}`, async () => {
      await using opened = await open();
      opened.deliver(40, reason);

      assertFinds(await opened.find(), 'segment.discards', 'fail', { detail: /40 messages/, fix });
    });
  }

  test('is told with the mend of what drops everything first', async () => {
    await using opened = await open();
    for (const reason of ['id_not_string', 'one', 'two', 'three']) opened.deliver(40, reason);
    opened.deliver(1, 'source_disabled');

    assertFinds(await opened.find(), 'segment.discards', 'fail', { fix: /^source_disabled: / });
  });

  test('cannot be seen by this token', async () => {
    await using opened = await open();
    opened.segment.faultFor = (call) => (call === 3 ? { kind: 'status', status: 403 } : undefined);

    assertFinds(await opened.find(), 'segment.discards', 'skip', { detail: /403/, fix: /role/ });
  });
});
