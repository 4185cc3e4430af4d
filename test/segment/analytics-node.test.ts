// Segment's own library accepts what we make: its calls throw at once where its validation finds a fault.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Analytics } from '@segment/analytics-node';
import type { Context } from '@segment/analytics-node';
import { eventTypes } from '../../src/fusionauth/catalogue.ts';
import type { Message } from '../../src/segment/message.ts';
import { messagesOf, receivedSample } from '../support/mapped.ts';
import { SegmentStandIn } from '../support/segment.ts';

type Call = (message: object, done: (error: Error | undefined, context: Context | undefined) => void) => void;

/** Resolves when the library has sent it. Rejects with what its validation says. */
async function giveTo(analytics: Analytics, { type, ...message }: Message): Promise<void> {
  assert.ok(type === 'identify' || type === 'track' || type === 'group', type);
  const call = analytics[type].bind(analytics) as unknown as Call;
  await new Promise<void>((resolve, reject) => {
    call(message, (error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}

function libraryFor(segment: SegmentStandIn): Analytics {
  return new Analytics({ writeKey: 'write-key', host: segment.url, flushAt: 1, maxRetries: 0 });
}

describe('Segment’s own library', () => {
  for (const naming of ['fusionauth', 'segment'] as const) {
    test(`takes every message that the 64 samples become, under naming ${naming}`, async () => {
      await using segment = await SegmentStandIn.start();
      const analytics = libraryFor(segment);
      const messages = eventTypes.flatMap((type) =>
        messagesOf(receivedSample(type), { filters: [{ include: [type] }], naming }).map((message) => ({
          ...message,
          // The samples are all of one event.
          messageId: `${message.messageId}-${type}` as Message['messageId'],
        })),
      );

      await Promise.all(messages.map((message) => giveTo(analytics, message)));
      await analytics.closeAndFlush();

      assert.ok(messages.length > 50);
      const received = new Map(segment.messages.map((message) => [message.messageId, message]));
      assert.equal(received.size, messages.length);
      for (const { context, ...message } of messages) {
        const arrived = received.get(message.messageId);
        assert.partialDeepStrictEqual(arrived, message);
        // It names itself as the library.
        const { library, ...ours } = context;
        assert.ok(library);
        assert.partialDeepStrictEqual(arrived?.['context'], ours);
      }
    });
  }

  test('refuses what we never make, so that its silence says something', async () => {
    await using segment = await SegmentStandIn.start();
    const analytics = libraryFor(segment);
    const [message] = messagesOf(receivedSample('user.login.success')) as [Message];
    const wrong = [
      { ...message, userId: undefined, anonymousId: undefined },
      { ...message, event: 7 },
      { ...message, properties: [] },
      { ...message, userId: 7, anonymousId: undefined },
    ] as unknown as Message[];

    for (const each of wrong) await assert.rejects(giveTo(analytics, each), / is nil$| is not an? /);
    await analytics.closeAndFlush();

    assert.equal(segment.requests, 0);
  });
});
