import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../../src/http/metrics.ts';
import type { Metrics } from '../../src/http/metrics.ts';
import { discardReasons } from '../../src/segment/discard-reasons.ts';

test('dead letters are counted by destination and reason', async () => {
  const metrics = makeMetrics();

  metrics.countDeadLetters('segment', [{ reason: 'message_too_large' }, { reason: 'map_failed' }]);
  metrics.countDeadLetters('segment', [{ reason: 'message_too_large' }]);
  metrics.countDeadLetters('warehouse', [{ reason: 'warehouse_refused' }]);

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

    metrics.countDeadLetters('segment', [{ reason }]);

    assert.deepEqual(await deadLettersOf(metrics), { [`segment ${countedAs}`]: 1 });
  });
}

function makeMetrics(): Metrics {
  return createMetrics(() =>
    Promise.resolve({ received: 0, rejected: 0, duplicates: 0, stored: 0, destinations: {} }),
  );
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
