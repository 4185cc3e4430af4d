import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Settled } from '../../src/delivery/delivery.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import type { Metrics, MetricsSources } from '../../src/http/metrics.ts';
import { LogUnavailableError } from '../../src/log/log.ts';
import type { LogRecord, Position, Replay } from '../../src/log/log.ts';
import { discardReasons } from '../../src/segment/discard-reasons.ts';

test('dead letters are counted by destination and reason', async () => {
  const metrics = makeMetrics();

  metrics.countSettled('segment', dead('message_too_large', 'map_failed'));
  metrics.countSettled('segment', { ...dead('message_too_large'), isReplay: true });
  metrics.countSettled('warehouse', dead('warehouse_refused'));

  assert.deepEqual(await deadLettersOf(metrics), {
    'segment message_too_large': 2,
    'segment map_failed': 1,
    'warehouse warehouse_refused': 1,
  });
});

const known = [
  ...Object.keys(discardReasons),
  'map_failed',
  'map_timeout',
  'filter_failed',
  'mapping_failed',
];
const cases: [reason: string, countedAs: string][] = [
  ...known.map((reason): [string, string] => [reason, reason]),
  ['a reason that a user’s code has made up', 'other'],
  ['toString', 'other'],
  ['', 'other'],
];
for (const [reason, countedAs] of cases) {
  test(`a dead letter of the reason "${reason}" is counted as ${countedAs}`, async () => {
    const metrics = makeMetrics();

    metrics.countSettled('segment', dead(reason));

    assert.deepEqual(await deadLettersOf(metrics), { [`segment ${countedAs}`]: 1 });
  });
}

test('the first scrape has the books, the state of each destination and the storage of that moment', async () => {
  const metrics = makeMetrics({ readReplays: () => Promise.resolve([running('segment'), running('acme')]) });

  const lines = (await metrics.scrape()).split('\n');

  for (const line of [
    'fusionauth_segment_received{kind="stored"} 7',
    'fusionauth_segment_records{destination="segment",outcome="pending"} 2',
    'fusionauth_segment_oldest_pending_seconds{destination="segment"} 90',
    'fusionauth_segment_books_imbalances 0',
    'fusionauth_segment_destination_state{destination="segment",state="blocked"} 1',
    'fusionauth_segment_destination_state{destination="segment",state="running"} 0',
    'fusionauth_segment_replays_running{destination="segment"} 1',
    'fusionauth_segment_log_writable 1',
    'fusionauth_segment_log_readable 1',
    'fusionauth_segment_log_file_bytes{file="log"} 4096',
    'fusionauth_segment_log_file_bytes{file="wal"} 512',
    'fusionauth_segment_log_volume_free_bytes 1000',
    'fusionauth_segment_log_volume_size_bytes 2000',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test('counters that a rule looks at are there, at 0, before anything has happened', async () => {
  const text = await makeMetrics().scrape();

  assert.match(text, /^fusionauth_segment_webhooks_total\{answer="unauthorized"\} 0$/m);
  assert.match(
    text,
    /^fusionauth_segment_delivery_attempts_total\{destination="segment",result="failed"\} 0$/m,
  );
});

test('a scrape of a log that cannot be read has no old books, and all the rest', async () => {
  let isReadable = true;
  const { readStatus } = sources;
  const metrics = makeMetrics({
    readStatus: () =>
      isReadable ? readStatus() : Promise.reject(new LogUnavailableError('It is gone', { hint: '' })),
  });
  await metrics.scrape();

  isReadable = false;
  const text = await metrics.scrape();

  assert.match(text, /^fusionauth_segment_log_readable 0$/m);
  assert.match(text, /^fusionauth_segment_webhooks_total\{/m);
  assert.doesNotMatch(text, /^fusionauth_segment_(records|received|books_imbalances|destination_state)\b/m);
});

test('the time from reception to settlement is measured for each record, and not for what a replay settles again', async () => {
  const metrics = makeMetrics();
  const records = [record('1', Date.now() - 200), record('2', Date.now() - 45_000)];
  const settlements = records.map(({ position }) => ({ position, outcome: 'delivered' }) as const);

  metrics.countSettled('segment', { records, settlements, isReplay: false });
  metrics.countSettled('segment', { records, settlements, isReplay: true });
  const lines = (await metrics.scrape()).split('\n');

  for (const line of [
    'fusionauth_segment_settlement_duration_seconds_bucket{le="0.1",destination="segment"} 0',
    'fusionauth_segment_settlement_duration_seconds_bucket{le="30",destination="segment"} 1',
    'fusionauth_segment_settlement_duration_seconds_count{destination="segment"} 2',
    'fusionauth_segment_replayed_records_total{destination="segment",outcome="delivered"} 2',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

const sources: MetricsSources = {
  readStatus: () =>
    Promise.resolve({
      received: 8,
      rejected: 1,
      duplicates: 1,
      stored: 7,
      destinations: {
        segment: {
          state: 'blocked',
          pending: 2,
          delivered: 3,
          filtered: 1,
          dead: 1,
          oldestPendingSeconds: 90,
        },
      },
    }),
  readReplays: () => Promise.resolve([]),
  readStorage: () =>
    Promise.resolve({ fileBytes: { log: 4096, wal: 512 }, freeBytes: 1000, totalBytes: 2000 }),
  isWritable: () => true,
};

function makeMetrics(others: Partial<MetricsSources> = {}): Metrics {
  return createMetrics({ ...sources, ...others });
}

function running(consumer: string): Replay {
  return { consumer, state: 'running' } as Replay;
}

function record(position: string, receivedAt: number): LogRecord {
  return { position: position as Position, receivedAt } as LogRecord;
}

/** One record, with a dead letter for each reason. */
function dead(...reasons: readonly string[]): Settled {
  const position = '1' as Position;
  const deadLetters = reasons.map((reason) => ({ messageId: '', reason, detail: '', message: '' }));
  return {
    records: [record(position, Date.now())],
    settlements: [{ position, outcome: 'dead', deadLetters }],
    isReplay: false,
  };
}

/** By destination and reason. */
async function deadLettersOf({ registry }: Metrics): Promise<Readonly<Record<string, number>>> {
  const metric = await registry.getSingleMetric('fusionauth_segment_dead_letters_total')?.get();
  return Object.fromEntries(
    (metric?.values ?? []).map(({ labels, value }) => [
      `${labels['destination'] ?? ''} ${labels['reason'] ?? ''}`,
      value,
    ]),
  );
}
