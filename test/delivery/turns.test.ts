import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Turns } from '../../src/delivery/turns.ts';

const never = new AbortController().signal;

describe('steps that take long', () => {
  test('give the event loop a turn after each 10 ms, wherever values come', async () => {
    const turns = countTurns();

    const values = await collect(
      new Turns().take(slowSteps([undefined, 'a', undefined, undefined, 'b']), never),
    );
    const counted = turns.stop();

    assert.deepEqual(values, ['a', 'b']);
    assert.ok(counted >= 5, `${counted} turns`);
  });

  test('end with the reason of the signal at their next turn, and end their source', async () => {
    const abandoning = new AbortController();
    const steps = slowSteps(Array.from({ length: 1_000 }, () => undefined));

    const collecting = collect(new Turns().take(steps, abandoning.signal));
    abandoning.abort();

    await assert.rejects(collecting, (error: unknown) => error === abandoning.signal.reason);
    assert.deepEqual(steps.next(), { done: true, value: undefined });
  });
});

test('after a long step no loop takes another for twice as long, so that others have the thread', async () => {
  const turns = new Turns();
  const blocks: [from: number, to: number][] = [];
  function* longSteps() {
    for (let step = 0; step < 2; step++) {
      const from = performance.now();
      while (performance.now() < from + 60);
      blocks.push([from, performance.now()]);
      yield undefined;
    }
  }

  await Promise.all([1, 2, 3].map(() => collect(turns.take(longSteps(), never))));

  assert.equal(blocks.length, 6);
  const rests = blocks.slice(1).map(([from], index) => from - (blocks[index]?.[1] ?? 0));
  assert.ok(
    rests.every((rest) => rest >= 115),
    `rests of ${rests.map(Math.round).join(', ')} ms`,
  );
});

test('steps that take no time take no turn', async () => {
  const turns = countTurns();

  const values = await collect(new Turns().take(['a', undefined, 'b'], never));
  const counted = turns.stop();

  assert.deepEqual(values, ['a', 'b']);
  assert.equal(counted, 0);
});

test('steps are taken when a value is asked for, and end with who asks no more', async () => {
  let taken = 0;
  let isEnded = false;
  function* steps() {
    try {
      for (;;) yield ++taken;
    } finally {
      isEnded = true;
    }
  }

  for await (const value of new Turns().take(steps(), never)) if (value === 3) break;

  assert.deepEqual([taken, isEnded], [3, true]);
});

/** Each of them takes longer than a turn may. */
function* slowSteps<Value>(steps: readonly Value[]): Generator<Value, undefined> {
  for (const step of steps) {
    const endAt = performance.now() + 11;
    while (performance.now() < endAt);
    yield step;
  }
}

async function collect<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const collected: Value[] = [];
  for await (const value of values) collected.push(value);
  return collected;
}

/** Counts the event loop's turns until it is stopped. */
function countTurns(): { readonly stop: () => number } {
  let turns = 0;
  let immediate = setImmediate(function count() {
    turns++;
    immediate = setImmediate(count);
  });
  return {
    stop: () => {
      clearImmediate(immediate);
      return turns;
    },
  };
}
