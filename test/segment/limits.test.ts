import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findDiscard, maxBatchBytes, maxBatchMessages, maxMessageBytes } from '../../src/segment/limits.ts';
import type { DiscardReason } from '../../src/segment/limits.ts';
import type { Message, MessageId } from '../../src/segment/message.ts';

const idOf = (length: number) => 'm'.repeat(length) as MessageId;
const withoutUser: Message = {
  type: 'track',
  event: 'user.login.success',
  messageId: idOf(36),
  context: {},
  properties: {},
};
const track: Message = { ...withoutUser, userId: 'user-1' };

const cases: [string, Message, number, DiscardReason | undefined][] = [
  ['a message of a few bytes', track, 200, undefined],
  ['a message of exactly 32 KiB', track, 32_768, undefined],
  ['a message of a byte more than 32 KiB', track, 32_769, 'message_too_large'],
  ['a message id of 99 characters', { ...track, messageId: idOf(99) }, 200, undefined],
  ['a message id of 100 characters', { ...track, messageId: idOf(100) }, 200, 'message_id_too_long'],
  ['a message with an anonymousId alone', { ...withoutUser, anonymousId: 'a' }, 200, undefined],
  ['a message with both ids', { ...track, anonymousId: 'a' }, 200, undefined],
  ['a message with neither id', withoutUser, 200, 'no_user_anon_id'],
  ['a message with an empty userId', { ...track, userId: '' }, 200, 'no_user_anon_id'],
  ['a message with two empty ids', { ...track, userId: '', anonymousId: '' }, 200, 'no_user_anon_id'],
  ['an empty userId beside an anonymousId', { ...track, userId: '', anonymousId: 'a' }, 200, undefined],
  ['a track without an event name', { ...track, event: '' }, 200, 'event_not_defined'],
  [
    'a group call with a groupId alone',
    { type: 'group', groupId: 'g', messageId: idOf(9), context: {}, traits: {} },
    200,
    'no_user_anon_id',
  ],
  [
    'an identify without traits',
    { type: 'identify', userId: 'user-1', messageId: idOf(9), context: {}, traits: {} },
    200,
    undefined,
  ],
  [
    'a page without a name',
    { type: 'page', userId: 'user-1', messageId: idOf(9), context: {}, properties: {} },
    200,
    undefined,
  ],
];
for (const [name, message, bytes, reason] of cases) {
  test(`${name} ${reason === undefined ? 'is kept by Segment' : `would be dropped: ${reason}`}`, () => {
    assert.equal(findDiscard(message, bytes)?.reason, reason);
  });
}

test('the detail says what Segment takes, and names nobody', () => {
  const message: Message = { ...track, userId: 'richard@example.com', messageId: idOf(100) };

  const details = [findDiscard(message, 40_000), findDiscard(message, 200)].map((discard) => discard?.detail);

  assert.match(details[0] ?? '', /40000 bytes.*32768/);
  assert.match(details[1] ?? '', /100 characters.*fewer than 100/);
  assert.ok(!details.join().includes('richard'));
});

const limits: [string, number, number][] = [
  ['bytes of a message', maxMessageBytes, 32_768],
  ['bytes of a batch, by the smaller kilobyte', maxBatchBytes, 500_000],
  ['messages of a batch, above which Segment drops them in silence', maxBatchMessages, 2_500],
];
for (const [name, ours, theirs] of limits) {
  test(`our limit lies within Segment’s: ${name}`, () => {
    assert.ok(ours > 0 && ours <= theirs);
  });
}
