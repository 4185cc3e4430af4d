// The event by which `doctor --send` tries the whole way.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bridgeTestEvent } from '../../src/mapping/bridge-test.ts';
import { findDiscard } from '../../src/segment/checks.ts';
import { identity, messagesOf, received, receivedSample } from '../support/mapped.ts';

const event = () =>
  received({ ...bridgeTestEvent({ id: identity.eventId, createInstant: identity.createInstant }) });

test('becomes one track about nobody, under a name of its own', () => {
  assert.deepEqual(messagesOf(event()), [
    {
      type: 'track',
      event: 'Bridge Tested',
      messageId: `fusionauth-${identity.eventId}-track`,
      anonymousId: 'fusionauth-segment-doctor',
      timestamp: '2026-01-01T00:00:00.000Z',
      context: { library: { name: 'fusionauth-segment', version: '1.2.3' } },
      properties: { fusionauthEventId: identity.eventId },
    },
  ]);
});

test('passes filters, the user’s code and the privacy policy, which are for real events', () => {
  const messages = messagesOf(event(), {
    filters: [{ include: ['user.*'], filter: () => assert.fail('asked') }],
    map: () => assert.fail('asked'),
    privacy: { policies: [{ 'properties.*': 'drop' }], salt: 'salt' },
    idSuffix: '-acme',
  });

  assert.deepEqual(
    messages.map(({ messageId }) => messageId),
    [`fusionauth-${identity.eventId}-track-acme`],
  );
});

test('is what Segment takes', () => {
  const [message] = messagesOf(event());

  assert.ok(message);
  assert.equal(findDiscard(message), undefined);
});

test('FusionAuth’s own test event becomes nothing', () => {
  assert.deepEqual(messagesOf(receivedSample('test')), []);
  assert.deepEqual(messagesOf(received({ ...event(), type: 'kickstart.success' })), []);
});
