import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noteFailure } from '../../src/delivery/attempts.ts';
import { BlockedError, RetryableError } from '../../src/destinations/destination.ts';
import type { Attempt, Position } from '../../src/log/log.ts';

const batch = { first: '1' as Position, last: '3' as Position, messages: 5 };

describe('the failed attempts of a batch', () => {
  test('are kept with their stretch of records, their times and what the other side said', () => {
    const attempts: Attempt[] = [];

    noteFailure(attempts, { ...batch, startedAt: 100, error: failure('Segment answered 503') }, 130);

    assert.deepEqual(attempts, [
      {
        ...batch,
        count: 1,
        startedAt: 100,
        endedAt: 130,
        succeeded: false,
        answer: 'Segment answered 503',
      },
    ]);
  });

  test('stand as one while they fail in the same way, from the first to the last', () => {
    const attempts: Attempt[] = [];

    for (const at of [100, 200, 300]) {
      noteFailure(attempts, { ...batch, startedAt: at, error: failure('Segment answered 503') }, at + 10);
    }

    assert.partialDeepStrictEqual(attempts, [{ count: 3, startedAt: 100, endedAt: 310 }]);
    assert.equal(attempts.length, 1);
  });

  test('stand apart where they differ, in order', () => {
    const answers = ['503', '503', '429', '503', '401', '401'];

    const attempts = noted(answers);

    assert.deepEqual(
      attempts.map(({ answer, count }) => [answer, count]),
      [
        ['503', 2],
        ['429', 1],
        ['503', 1],
        ['401', 2],
      ],
    );
  });

  test('do not count with one that succeeded before', () => {
    const attempts: Attempt[] = [
      { ...batch, count: 1, startedAt: 1, endedAt: 2, succeeded: true, answer: '503' },
    ];

    noteFailure(attempts, { ...batch, startedAt: 3, error: failure('503') }, 4);

    assert.deepEqual(
      attempts.map(({ succeeded, count }) => [succeeded, count]),
      [
        [true, 1],
        [false, 1],
      ],
    );
  });

  test('are twenty at most, the first ten and the last ten of those that differ', () => {
    const answers = Array.from({ length: 50 }, (_, index) => String(index + 1));

    const attempts = noted(answers);

    assert.deepEqual(
      attempts.map(({ answer }) => answer),
      [...answers.slice(0, 10), ...answers.slice(-10)],
    );
  });

  test('stay few through a million that take turns', () => {
    const attempts: Attempt[] = [];

    for (let index = 0; index < 1_000_000; index++) {
      noteFailure(attempts, { ...batch, startedAt: index, error: failure(String(index % 3)) }, index);
    }

    assert.equal(attempts.length, 20);
    assert.equal(attempts[0]?.startedAt, 0);
    assert.equal(attempts.at(-1)?.endedAt, 999_999);
  });

  const codes: [name: string, error: RetryableError, answer: string][] = [
    ['none', failure('It is down'), 'It is down'],
    ['that of the network', failure('It is down', { code: 'ECONNREFUSED' }), 'It is down (ECONNREFUSED)'],
    ['one that the message has already', failure('Down (28P01)', { code: '28P01' }), 'Down (28P01)'],
    ['no text', failure('It is down', { code: 20 }), 'It is down'],
    ['of a cause that is no object', failure('It is down', 'ECONNRESET'), 'It is down'],
    [
      'of a blocked one',
      new BlockedError('No', { hint: '', cause: { code: 'ENOTFOUND' } }),
      'No (ENOTFOUND)',
    ],
  ];
  for (const [name, error, answer] of codes) {
    test(`tell the code of their cause where there is one: ${name}`, () => {
      const attempts: Attempt[] = [];

      noteFailure(attempts, { ...batch, startedAt: 1, error });

      assert.equal(attempts[0]?.answer, answer);
    });
  }
});

function failure(message: string, cause?: unknown): RetryableError {
  return new RetryableError(message, { hint: 'Wait', cause });
}

function noted(answers: readonly string[]): readonly Attempt[] {
  const attempts: Attempt[] = [];
  for (const [index, answer] of answers.entries()) {
    noteFailure(attempts, { ...batch, startedAt: index, error: failure(answer) }, index);
  }
  return attempts;
}
