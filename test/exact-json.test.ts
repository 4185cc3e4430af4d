import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExactly } from '../src/exact-json.ts';

const texts = [
  '{"expiry":9223372036854775807}',
  '[12345678901234567890.123456789,1e400,1.0,1E2,-0,0.1]',
  '{"a":{"b":["9223372036854775807",null,true,""]}}',
  '9007199254740993',
];
for (const text of texts) {
  test(`${text} is written as it was read`, () => {
    assert.equal(JSON.stringify(parseExactly(text)), text);
  });
}

test('a number that is what it says stays a number', () => {
  assert.deepEqual(parseExactly('{"count":3,"share":0.25}'), { count: 3, share: 0.25 });
});
