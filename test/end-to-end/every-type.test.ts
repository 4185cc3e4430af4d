// Every type that FusionAuth sends, in the shapes of three versions, through the running bridge. What each becomes is
// stated by hand in test/mapping/every-type.test.ts; here it is what arrives.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { eventTypes } from '../../src/fusionauth/catalogue.ts';
import { sampleEvent } from '../../src/fusionauth/samples.ts';
import type { Message } from '../../src/segment/message.ts';
import { startBridge } from '../support/bridge.ts';
import { inWords, messagesOf, received } from '../support/mapped.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { startWarehouse } from '../support/warehouse.ts';

test('all 64 types in the shapes of FusionAuth 1.30, 1.53 and 1.69 are taken, and arrive as what they become', async () => {
  await using warehouse = await startWarehouse();
  await using segment = await SegmentStandIn.start();
  await using bridge = await startBridge({
    SEGMENT_WRITE_KEY: 'write-key',
    SEGMENT_ENDPOINT: segment.url,
    WAREHOUSE_URL: warehouse.url,
    WAREHOUSE_SCHEMA: 'every_type',
  });
  const events = ['1.30', '1.53', '1.69'].flatMap((version) =>
    eventTypes.map((type) => {
      const identity = { eventId: randomUUID(), userId: randomUUID(), createInstant: 1_767_225_600_000 };
      return {
        name: `${type} of ${version}`,
        userId: identity.userId,
        event: sampleEvent(type, identity, { version }),
      };
    }),
  );

  for (const { name, event } of events) assert.equal((await bridge.post({ event })).status, 200, name);
  const { stored, destinations } = await bridge.settled();

  const expected = events.map(({ event }) => messagesOf(received(event)));
  const delivered = expected.filter((messages) => messages.length > 0).length;
  const books = { pending: 0, delivered, filtered: 192 - delivered, dead: 0 };
  assert.equal(stored, 192);
  assert.partialDeepStrictEqual(destinations, { segment: books, warehouse: books });
  for (const [index, { name, userId }] of events.entries()) {
    const arrived = segment.messages.filter((message) => message['userId'] === userId);
    assert.equal(inWords(arrived as unknown as Message[]), inWords(expected[index] ?? []), name);
  }
  for (const [table, type] of [
    ['tracks', 'track'],
    ['identifies', 'identify'],
    ['groups', 'group'],
  ] as const) {
    const [row] = await warehouse.query(`select count(*)::int as rows from every_type.${table}`);
    assert.equal(row?.['rows'], expected.flat().filter((message) => message.type === type).length, table);
  }
});
