import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backoffMs } from '../../src/delivery/backoff.ts';

const longestMs = 60_000;

test('the wait doubles from half a second with each failed attempt, to a minute', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000, 100_000].map((attempt) =>
    backoffMs(attempt, { random: 0 }),
  );

  assert.deepEqual(waits, [
    500,
    1_000,
    2_000,
    4_000,
    8_000,
    16_000,
    32_000,
    longestMs,
    longestMs,
    longestMs,
    longestMs,
  ]);
});

test('chance takes off up to a half, so that many bridges do not come back at once', () => {
  const waits = [0, 0.25, 0.5, 1].map((random) => backoffMs(2, { random }));

  assert.deepEqual(waits, [1_000, 875, 750, 500]);
});

const cases: [
  name: string,
  attempt: number,
  retryAfterMs: number | undefined,
  random: number,
  expected: number,
][] = [
  ['is waited for in full, whatever chance says', 1, 10_000, 1, 10_000],
  ['is waited for even where it is longer than a minute', 1, 3_600_000, 0.5, 3_600_000],
  ['is no reason to come back sooner than without it', 8, 1_000, 0, longestMs],
  ['of zero changes nothing', 1, 0, 0, 500],
  ['that was not given changes nothing', 1, undefined, 0, 500],
];
for (const [name, attempt, retryAfterMs, random, expected] of cases) {
  test(`a Retry-After ${name}`, () => {
    assert.equal(backoffMs(attempt, { retryAfterMs, random }), expected);
  });
}

test('every wait is a whole number of milliseconds, from a quarter of a second on, and never less than was asked for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.option(fc.nat(10 * longestMs), { nil: undefined }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, retryAfterMs, random) => {
        const waitMs = backoffMs(attempt, { retryAfterMs, random });

        assert.ok(Number.isInteger(waitMs));
        assert.ok(waitMs >= 250 && waitMs >= (retryAfterMs ?? 0));
        assert.ok(waitMs <= Math.max(longestMs, retryAfterMs ?? 0));
      },
    ),
  );
});
