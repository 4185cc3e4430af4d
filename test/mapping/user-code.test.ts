import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { callUserCode, UserCodeError, userCodeTimeoutMs } from '../../src/mapping/user-code.ts';
import type { UserFunction } from '../../src/mapping/user-code.ts';

/** How a call fails. */
function failure(call: () => unknown, name: UserFunction = 'map'): UserCodeError {
  try {
    callUserCode(name, call);
  } catch (error) {
    assert.ok(error instanceof UserCodeError, String(error));
    return error;
  }
  assert.fail('It did not fail');
}

/** Where our own code puts the function for the time of its call. */
const slot = Symbol.for('fusionauth-segment.user-code');

test('the user’s code is called, and what it answers is returned as it is', () => {
  const answer = { any: ['thing'] };

  assert.equal(
    callUserCode('map', () => answer),
    answer,
  );
  assert.equal(
    callUserCode('filter', () => null),
    null,
  );
});

test('a call leaves nothing behind, however it ends', () => {
  callUserCode('map', () => 1);
  failure(() => {
    throw new Error('x');
  });

  assert.equal(Reflect.has(globalThis, slot), false);
});

describe('an endless loop', () => {
  const loops: [string, () => unknown][] = [
    [
      'by itself',
      () => {
        for (;;);
      },
    ],
    [
      'inside try and finally',
      () => {
        try {
          for (;;);
        } finally {
          for (;;);
        }
      },
    ],
    [
      'that catches what ends it',
      () => {
        for (;;) {
          try {
            for (;;);
          } catch {
            continue;
          }
        }
      },
    ],
    [
      'in a callback',
      () =>
        [1].map(() => {
          for (;;);
        }),
    ],
    [
      'in a getter',
      () =>
        JSON.stringify({
          get slow() {
            for (;;);
          },
        }),
    ],
    ['in a regular expression', () => /^(a+)+$/.test(`${'a'.repeat(60)}b`)],
  ];
  for (const [name, loop] of loops) {
    test(`${name} ends in about the limit, and the next call is not touched by it`, () => {
      const startedAt = performance.now();

      const { reason, detail } = failure(loop);

      const tookMs = performance.now() - startedAt;
      assert.equal(reason, 'map_timeout');
      assert.equal(detail, `map took longer than ${userCodeTimeoutMs} ms`);
      assert.ok(tookMs >= userCodeTimeoutMs - 5 && tookMs < userCodeTimeoutMs * 8, String(tookMs));
      assert.equal(
        callUserCode('map', () => 'next'),
        'next',
      );
    });
  }

  test('of the filter is told from one of the map', () => {
    assert.equal(
      failure(() => {
        for (;;);
      }, 'filter').reason,
      'filter_timeout',
    );
  });
});

describe('code that throws', () => {
  test('fails with its stack, which names its line', () => {
    const { reason, detail, cause } = failure(function nameOfTheFunction() {
      throw new RangeError('no such plan');
    });

    assert.equal(reason, 'map_failed');
    assert.match(detail, /^RangeError: no such plan\n\s+at .*nameOfTheFunction.*user-code\.test\.ts:\d+:\d+/);
    assert.ok(cause instanceof RangeError);
  });

  const thrown: [string, unknown, string][] = [
    ['a text', 'no such plan', 'filter threw no such plan'],
    ['undefined', undefined, 'filter threw undefined'],
    ['null', null, 'filter threw null'],
    ['a symbol', Symbol('x'), 'filter threw Symbol(x)'],
    ['an object', { a: 1 }, 'filter threw something that is no Error'],
    ['an object that is no text', Object.create(null), 'filter threw something that is no Error'],
    [
      'an object whose text throws',
      {
        toString() {
          throw new Error('x');
        },
      },
      'filter threw something that is no Error',
    ],
  ];
  for (const [name, value, expected] of thrown) {
    test(`such as ${name} fails and says so`, () => {
      const { reason, detail } = failure(() => {
        throw value;
      }, 'filter');

      assert.equal(reason, 'filter_failed');
      assert.equal(detail, expected);
    });
  }

  test('an error whose stack is no text fails with its message', () => {
    const error = Object.assign(new Error('bare'), { stack: { any: 'thing' } });

    assert.equal(
      failure(() => {
        throw error;
      }).detail,
      'bare',
    );
  });

  test('an error without a stack fails with its message', () => {
    const error = Object.assign(new Error('bare'), { stack: undefined });

    assert.equal(
      failure(() => {
        throw error;
      }).detail,
      'bare',
    );
  });

  test('by recursion without an end fails, and the process goes on', () => {
    const recurse = (): number => recurse() + 1;

    assert.match(failure(recurse).detail, /^RangeError: Maximum call stack size exceeded/);
  });
});

describe('a promise', () => {
  const promises: [string, () => unknown][] = [
    ['of an async function', async () => Promise.resolve([])],
    ['that is rejected, which ends nothing', () => Promise.reject(new Error('nobody waits'))],
    ['that is never kept', () => new Promise(() => undefined)],
  ];
  for (const [name, call] of promises) {
    test(`${name} is refused`, async () => {
      const { reason, detail } = failure(call);

      // A rejection that nobody handles would end the process in the next turn.
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(reason, 'map_failed');
      assert.equal(detail, 'map answered a promise; it must not be async');
    });
  }
});
