import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { retryAfterMs } from '../../src/segment/retry-after.ts';

const now = Date.parse('2026-01-01T00:00:00.000Z');

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const waits: [string, Headers, number | undefined][] = [
  ['seconds', { 'retry-after': '2' }, 2_000],
  ['no seconds', { 'retry-after': '0' }, 0],
  ['seconds with white space', { 'retry-after': ' 30 ' }, 30_000],
  ['parts of a second', { 'retry-after': '1.5' }, 1_500],
  ['parts of a millisecond, which are waited out', { 'retry-after': '0.0001' }, 1],
  ['a day', { 'retry-after': '86400' }, 86_400_000],
  ['a month, which is cut to a day', { 'retry-after': '2592000' }, 86_400_000],
  ['a number beyond all bounds, cut likewise', { 'retry-after': '9'.repeat(400) }, 86_400_000],
  ['a date in a hundred years, cut likewise', { 'retry-after': 'Fri, 01 Jan 2126 00:00:00 GMT' }, 86_400_000],
  ['a date', { 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, 30_000],
  ['a date as RFC 850 has it', { 'retry-after': 'Thursday, 01-Jan-26 00:00:30 GMT' }, 30_000],
  ['a date that is now', { 'retry-after': 'Thu, 01 Jan 2026 00:00:00 GMT' }, 0],
  ['a date that is over', { 'retry-after': 'Wed, 31 Dec 2025 23:59:59 GMT' }, 0],
  ['Segment’s own header', { 'x-ratelimit-reset': '5' }, 5_000],
  ['both headers, of which the standard one counts', { 'retry-after': '2', 'x-ratelimit-reset': '5' }, 2_000],
  ['a standard header of no known form', { 'retry-after': 'soon', 'x-ratelimit-reset': '5' }, 5_000],
  ['an empty standard header', { 'retry-after': '', 'x-ratelimit-reset': '5' }, 5_000],
  ['a standard header that came twice', { 'retry-after': ['1', '2'], 'x-ratelimit-reset': '5' }, 5_000],
];
for (const [name, headers, expected] of waits) {
  test(`how long to wait is read from ${name}`, () => {
    assert.equal(retryAfterMs(headers, now), expected);
  });
}

const silent: [string, Headers][] = [
  ['no header', {}],
  ['a header without a value', { 'retry-after': undefined }],
  ['an empty header', { 'retry-after': '' }],
  ['white space', { 'retry-after': '  ' }],
  ['a word', { 'retry-after': 'soon' }],
  ['a word and a number', { 'retry-after': 'soon 7' }],
  ['a number and a unit', { 'retry-after': '5s' }],
  ['a negative number', { 'retry-after': '-5' }],
  ['a number with a sign', { 'retry-after': '+5' }],
  ['a number with an exponent', { 'retry-after': '1e3' }],
  ['a number in hexadecimal', { 'retry-after': '0x10' }],
  ['two numbers', { 'retry-after': '5, 10' }],
  ['a decimal comma', { 'retry-after': '1,5' }],
  ['a date in Segment’s own header', { 'x-ratelimit-reset': 'Thu, 01 Jan 2026 00:00:30 GMT' }],
  ['both headers, of no known form', { 'retry-after': 'soon', 'x-ratelimit-reset': 'later' }],
];
for (const [name, headers] of silent) {
  test(`${name} does not say how long to wait`, () => {
    assert.equal(retryAfterMs(headers, now), undefined);
  });
}

test('whatever the headers say, the wait is a whole number of milliseconds that can be waited, or unknown', () => {
  const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 });
  const value = fc.oneof(
    fc.string(),
    fc.nat().map(String),
    fc.double().map(String),
    digits.map((list) => list.join('')),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    fc.array(fc.string()),
  );
  const headers = fc.record({ 'retry-after': value, 'x-ratelimit-reset': value }, { requiredKeys: [] });
  fc.assert(
    fc.property(headers, (given) => {
      const wait = retryAfterMs(given, now);

      assert.ok(
        wait === undefined || (Number.isInteger(wait) && wait >= 0 && wait <= 86_400_000),
        String(wait),
      );
    }),
    { numRuns: 1_000 },
  );
});
