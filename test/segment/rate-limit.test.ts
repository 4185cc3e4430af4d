import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RateLimit } from '../../src/segment/rate-limit.ts';

const never = new AbortController().signal;
/** A timer may come a little early by the finer clock. */
const toleranceMs = 5;

describe('the rate limit', { concurrency: true, timeout: 10_000 }, () => {
  test('lets the first batch go at once, however large', async () => {
    const rate = new RateLimit(10);

    const ms = await msOf(() => rate.take(10_000, never));

    assert.ok(ms < 100, `${ms} ms`);
  });

  test('lets the next one go when those before it have had their time', async () => {
    const rate = new RateLimit(100);

    await rate.take(10, never);
    const second = await msOf(() => rate.take(20, never));
    const third = await msOf(() => rate.take(1, never));

    assert.ok(second > 100 - toleranceMs, `${second} ms`);
    assert.ok(third > 200 - toleranceMs, `${third} ms`);
  });

  test('is kept over many batches', async () => {
    const rate = new RateLimit(1_000);

    const ms = await msOf(async () => {
      for (let batch = 0; batch <= 10; batch++) await rate.take(50, never);
    });

    assert.ok(ms > 500 - toleranceMs, `550 messages, of which the last 50 need not wait, went in ${ms} ms`);
  });

  test('saves up no time in which nothing was sent', async () => {
    const rate = new RateLimit(100);
    await rate.take(1, never);
    await rate.take(1, never);
    await msOf(() => rate.take(30, never));

    const ms = await msOf(() => rate.take(1, never));

    assert.ok(ms > 300 - toleranceMs, `${ms} ms`);
  });

  test('of 0 is none', async () => {
    const rate = new RateLimit(0);

    const ms = await msOf(async () => {
      for (let batch = 0; batch < 1_000; batch++) await rate.take(1_000_000, never);
    });

    assert.ok(ms < 1_000, `${ms} ms`);
  });

  test('ends its wait when the bridge stops', async () => {
    const rate = new RateLimit(1);
    await rate.take(3_600, never);

    const ms = await msOf(() => rate.take(1, AbortSignal.timeout(50)));

    assert.ok(ms < 2_000, `${ms} ms`);
  });
});

async function msOf(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
