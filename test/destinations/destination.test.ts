import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BatchRefusedError, RetryableError, sendInHalves } from '../../src/destinations/destination.ts';

describe('a batch sent in halves', () => {
  test('goes in one request where nothing is wrong with it', async () => {
    const server = refusing([]);

    const answers = await sendInHalves(['a', 'b', 'c'], server.send);

    assert.deepEqual(kindsOf(answers), ['accepted', 'accepted', 'accepted']);
    assert.deepEqual(server.requests, [['a', 'b', 'c']]);
  });

  test('is answered as refused, with the reason, where it is one message', async () => {
    const server = refusing(['a']);

    const answers = await sendInHalves(['a'], server.send);

    assert.deepEqual(answers, [{ kind: 'rejected', reason: 'bad_value', detail: 'Refused for a' }]);
    assert.equal(server.requests.length, 1);
  });

  test('is cut until the bad message stands alone, and the good ones go in their order', async () => {
    const server = refusing(['c']);

    const answers = await sendInHalves(['a', 'b', 'c', 'd', 'e'], server.send);

    assert.deepEqual(kindsOf(answers), ['accepted', 'accepted', 'rejected', 'accepted', 'accepted']);
    assert.deepEqual(server.taken, ['a', 'b', 'd', 'e']);
    assert.deepEqual(server.requests, [
      ['a', 'b', 'c', 'd', 'e'],
      ['a', 'b', 'c'],
      ['a', 'b'],
      ['c'],
      ['d', 'e'],
    ]);
  });

  for (const [name, bad] of [
    ['first', 0],
    ['middle', 500],
    ['last', 999],
  ] as const) {
    test(`finds its ${name} message as the only bad one of a thousand with few requests`, async () => {
      const batch = Array.from({ length: 1_000 }, (_, index) => String(index));
      const server = refusing([String(bad)]);

      const answers = await sendInHalves(batch, server.send);

      assert.deepEqual(
        answers.flatMap(({ kind }, index) => (kind === 'rejected' ? [index] : [])),
        [bad],
      );
      // Two for each halving, of which a thousand have ten, and the first.
      assert.ok(server.requests.length <= 21, `${server.requests.length} requests`);
    });
  }

  test('of which every message is bad is answered message by message', async () => {
    const batch = ['a', 'b', 'c'];
    const server = refusing(batch);

    const answers = await sendInHalves(batch, server.send);

    assert.deepEqual(
      answers.map((answer) => (answer.kind === 'rejected' ? answer.detail : undefined)),
      ['Refused for a', 'Refused for b', 'Refused for c'],
    );
    assert.deepEqual(server.taken, []);
  });

  test('that fails half way for a reason that may pass rises as it is, and nothing more is sent', async () => {
    const server = refusing(['a']);
    const unavailable = new RetryableError('It is down', { hint: 'Start it', retryAfterMs: 17 });
    const send = async (batch: readonly string[]) => {
      if (server.requests.length === 2) throw unavailable;
      await server.send(batch);
    };

    await assert.rejects(sendInHalves(['a', 'b', 'c', 'd'], send), (error) => error === unavailable);

    assert.deepEqual(server.requests, [
      ['a', 'b', 'c', 'd'],
      ['a', 'b'],
    ]);
  });

  test('that fails for no known reason rises as it is', async () => {
    const broken = new TypeError('A promise of ours is broken');

    await assert.rejects(
      sendInHalves(['a', 'b'], () => Promise.reject(broken)),
      (error) => error === broken,
    );
  });

  test('gets one answer for each message, in their order, and each good one is taken exactly once, whichever are bad', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 100 }), async (isBad) => {
        const batch = isBad.map((_, index) => String(index));
        const server = refusing(batch.filter((_, index) => isBad[index]));

        const answers = await sendInHalves(batch, server.send);

        assert.deepEqual(
          kindsOf(answers),
          isBad.map((bad) => (bad ? 'rejected' : 'accepted')),
        );
        assert.deepEqual(
          server.taken,
          batch.filter((_, index) => !isBad[index]),
        );
      }),
    );
  });
});

/** Takes a batch as a whole, unless one of these is in it. */
function refusing(bad: readonly string[]) {
  const requests: (readonly string[])[] = [];
  const taken: string[] = [];
  return {
    requests,
    taken,
    send: async (batch: readonly string[]): Promise<void> => {
      requests.push(batch);
      const culprit = batch.find((message) => bad.includes(message));
      if (culprit !== undefined) {
        await Promise.reject(new BatchRefusedError('bad_value', `Refused for ${culprit}`));
      }
      taken.push(...batch);
    },
  };
}

function kindsOf(answers: Awaited<ReturnType<typeof sendInHalves>>): readonly string[] {
  return answers.map(({ kind }) => kind);
}
