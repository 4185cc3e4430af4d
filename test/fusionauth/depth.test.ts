import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { boundDepth, deepJsonText } from '../../src/fusionauth/depth.ts';

const levels = 50_000;
const deepTexts: [string, string][] = [
  ['arrays', '['.repeat(levels) + ']'.repeat(levels)],
  ['objects', '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)],
  ['arrays and objects in turn', '[{"a":'.repeat(levels / 2) + 'null' + '}]'.repeat(levels / 2)],
  ['objects with something beside each', '{"a":"\\"","b":'.repeat(levels) + '[]' + ',"c":0}'.repeat(levels)],
];

/** Any UTF-16 unit: half a character too, as JSON may hold one. */
const unit = fc.nat(0xffff).map((code) => String.fromCharCode(code));
const json = fc.jsonValue({ stringUnit: unit });
const container = fc.oneof(fc.array(json), fc.dictionary(fc.string({ unit }), json));

test('the text of any JSON value is that of JSON.stringify', () => {
  fc.assert(
    fc.property(json, (value) => {
      assert.equal(deepJsonText(value), JSON.stringify(value));
    }),
    { numRuns: 1_000 },
  );
});

const values: [string, string][] = [
  ['an empty array', '[]'],
  ['an empty object', '{}'],
  ['null', 'null'],
  ['a text with quotes, a NUL and half a character', '"\\"\\u0000\\ud83d"'],
  ['empty things side by side', '[[],{},"",null,[[]],{"":{}}]'],
  ['keys that JavaScript has plans for', '{"__proto__":{"a":1},"constructor":2,"toJSON":3,"length":4}'],
  ['keys that are numbers, which come first', '{"1":"a","2":"b","x":"c"}'],
  ['keys with quotes', '{"\\"":{"\\\\":[{}]}}'],
];
for (const [name, text] of values) {
  test(`the text of ${name} is what JSON.parse read`, () => {
    assert.equal(deepJsonText(JSON.parse(text)), text);
  });
}

for (const [name, text] of deepTexts) {
  test(`the text of ${levels} levels of ${name} is what JSON.parse read`, () => {
    assert.equal(deepJsonText(JSON.parse(text)), text);
  });
}

const bounds: [string, number, string, string][] = [
  ['the root alone', 1, '{"a":{"b":[1]},"c":[],"d":"x"}', '{"a":"{\\"b\\":[1]}","c":"[]","d":"x"}'],
  ['two levels', 2, '{"a":{"b":[1]},"c":[],"d":"x"}', '{"a":{"b":"[1]"},"c":[],"d":"x"}'],
  ['as many levels as there are', 3, '{"a":{"b":[1]},"c":[]}', '{"a":{"b":[1]},"c":[]}'],
  ['an array', 1, '[[1,[2]],{"a":null},null,3]', '["[1,[2]]","{\\"a\\":null}",null,3]'],
  ['a key named __proto__', 1, '{"__proto__":{"isAdmin":true}}', '{"__proto__":"{\\"isAdmin\\":true}"}'],
];
for (const [name, maxDepth, text, expected] of bounds) {
  test(`bounded to ${maxDepth}, ${name}: what is deeper stands as its JSON text`, () => {
    const root = JSON.parse(text) as object;

    boundDepth(root, maxDepth);

    assert.equal(JSON.stringify(root), expected);
  });
}

test('a bounded key named __proto__ changes no prototype', () => {
  const root = JSON.parse('{"__proto__":{"isAdmin":true}}') as object;

  boundDepth(root, 1);

  assert.equal(Object.getPrototypeOf(root), Object.prototype);
  assert.ok(!('isAdmin' in root));
});

for (const [name, text] of deepTexts) {
  test(`${levels} levels of ${name} are bounded, and JSON.stringify can write them`, () => {
    const root = JSON.parse(text) as object;

    boundDepth(root, 100);

    assertBounded(JSON.parse(text), JSON.parse(JSON.stringify(root)), 100);
  });
}

test('bounded, any value keeps all it holds and is no deeper than asked', () => {
  fc.assert(
    fc.property(container, fc.integer({ min: 1, max: 6 }), (value, maxDepth) => {
      const text = JSON.stringify(value);
      const root = JSON.parse(text) as object;

      boundDepth(root, maxDepth);

      assertBounded(JSON.parse(text), root, maxDepth);
    }),
    { numRuns: 500 },
  );
});

/** The same down to `levelsLeft`, and below it the original's JSON text. */
function assertBounded(original: unknown, bounded: unknown, levelsLeft: number): void {
  if (typeof original !== 'object' || original === null) assert.equal(bounded, original);
  else if (levelsLeft === 0) assert.equal(bounded, deepJsonText(original));
  else {
    assert.ok(typeof bounded === 'object' && bounded !== null);
    assert.equal(Array.isArray(bounded), Array.isArray(original));
    assert.deepEqual(Object.keys(bounded), Object.keys(original));
    const held = new Map(Object.entries(bounded));
    for (const [key, value] of Object.entries(original)) assertBounded(value, held.get(key), levelsLeft - 1);
  }
}
