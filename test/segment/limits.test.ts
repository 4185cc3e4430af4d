import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  findOversize,
  maxBatchBytes,
  maxBatchMessages,
  maxMessageBytes,
  maxMessageIdLength,
  maxProperties,
} from '../../src/segment/limits.ts';

const cases: [string, number, string | undefined][] = [
  ['a few bytes', 200, undefined],
  ['exactly 32 KiB', 32_768, undefined],
  ['a byte more than 32 KiB', 32_769, 'message_too_large'],
];
for (const [name, bytes, reason] of cases) {
  test(`a message of ${name} ${reason === undefined ? 'is taken' : `would be refused: ${reason}`}`, () => {
    assert.equal(findOversize(bytes)?.reason, reason);
  });
}

test('the detail says how large the message is, and what Segment takes', () => {
  assert.match(findOversize(40_000)?.detail ?? '', /40000 bytes.*32768/);
});

const limits: [string, number, number][] = [
  ['bytes of a message', maxMessageBytes, 32_768],
  ['bytes of a batch, by the smaller kilobyte', maxBatchBytes, 500_000],
  ['messages of a batch, above which Segment drops them in silence', maxBatchMessages, 2_500],
  ['characters of a message id, by the smaller of its two limits', maxMessageIdLength, 99],
  ['properties of a message, above which Segment drops them in silence', maxProperties, 10_000],
];
for (const [name, ours, theirs] of limits) {
  test(`our limit lies within Segment’s: ${name}`, () => {
    assert.ok(ours > 0 && ours <= theirs);
  });
}
