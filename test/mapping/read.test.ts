import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compact, isoInstant, objectOf, objectsOf, textOf, withIsoInstants } from '../../src/mapping/read.ts';
import type { JsonValue } from '../../src/segment/message.ts';

const instant = 1_767_225_600_000;
const iso = '2026-01-01T00:00:00.000Z';
/** Any UTF-16 unit: half a character too, as JSON may hold one. */
const unit = fc.nat(0xffff).map((code) => String.fromCharCode(code));

describe('a text', () => {
  const values: [string, unknown, string | undefined][] = [
    ['a text', 'Richard', 'Richard'],
    ['a space', ' ', ' '],
    ['an empty text', '', undefined],
    ['undefined', undefined, undefined],
    ['null', null, undefined],
    ['a number', 1, undefined],
    ['a boolean', true, undefined],
    ['a list', ['Richard'], undefined],
    ['an object', { name: 'Richard' }, undefined],
  ];
  for (const [name, value, expected] of values) {
    test(`read from ${name} is ${expected === undefined ? 'none' : `"${expected}"`}`, () => {
      assert.equal(textOf(value), expected);
    });
  }
});

describe('an object', () => {
  test('is the one that is there', () => {
    const value = { id: '1' };

    assert.equal(objectOf(value), value);
  });

  for (const value of [undefined, null, '', 'text', 1, true, [], [{ id: '1' }]]) {
    test(`read from ${JSON.stringify(value)} is empty`, () => {
      assert.deepEqual(objectOf(value), {});
    });
  }
});

describe('objects', () => {
  test('are those of a list, in order, without what is no object', () => {
    assert.deepEqual(objectsOf([{ id: 1 }, null, 'x', 1, [], [{ id: 2 }], {}, { id: 3 }]), [
      { id: 1 },
      {},
      { id: 3 },
    ]);
  });

  for (const value of [undefined, null, '', 'text', 1, true, [], { 0: { id: '1' }, length: 1 }]) {
    test(`read from ${JSON.stringify(value)} are none`, () => {
      assert.deepEqual(objectsOf(value), []);
    });
  }
});

describe('an instant', () => {
  const instants: [string, unknown, string | undefined][] = [
    ['a time', instant + 123, '2026-01-01T00:00:00.123Z'],
    ['0', 0, '1970-01-01T00:00:00.000Z'],
    ['a time before 1970', -1, '1969-12-31T23:59:59.999Z'],
    ['the last millisecond of 9999', 253_402_300_799_999, '9999-12-31T23:59:59.999Z'],
    ['the first millisecond of 10000', 253_402_300_800_000, undefined],
    ['the first millisecond of the year 1', -62_135_596_800_000, '0001-01-01T00:00:00.000Z'],
    ['the millisecond before it', -62_135_596_800_001, undefined],
    ['Long.MAX', 2 ** 63, undefined],
    ['Long.MIN', -(2 ** 63), undefined],
    ['JavaScript’s last millisecond', 8.64e15, undefined],
    ['a millisecond more', 8.64e15 + 1, undefined],
    ['infinity', Infinity, undefined],
    ['no number', NaN, undefined],
    ['a text of digits', String(instant), undefined],
    ['an ISO date', iso, undefined],
    ['undefined', undefined, undefined],
    ['null', null, undefined],
    ['a boolean', true, undefined],
    ['a list', [instant], undefined],
    ['an object', { epochSecond: 1 }, undefined],
  ];
  for (const [name, value, expected] of instants) {
    test(`read from ${name} is ${expected ?? 'none'}`, () => {
      assert.equal(isoInstant(value), expected);
    });
  }

  test('read from anything is a date with a four-digit year, or none', () => {
    const values = fc.oneof(fc.double(), fc.maxSafeInteger(), fc.jsonValue());
    fc.assert(
      fc.property(values, (value) => {
        assert.match(isoInstant(value) ?? iso, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('instants inside a value', () => {
  const values: [string, unknown, unknown][] = [
    ['in an object', { insertInstant: instant, id: 1 }, { insertInstant: iso, id: 1 }],
    [
      'in a list',
      [{ insertInstant: instant }, { lastLoginInstant: 0 }],
      [{ insertInstant: iso }, { lastLoginInstant: '1970-01-01T00:00:00.000Z' }],
    ],
    ['far inside', { a: [{ b: { verifiedInstant: instant } }] }, { a: [{ b: { verifiedInstant: iso } }] }],
    [
      'in free-form data are left alone',
      { data: { insertInstant: instant, none: null } },
      { data: { insertInstant: instant, none: null } },
    ],
    ['that are none are left out', { insertInstant: 2 ** 63, id: 1 }, { id: 1 }],
    ['that are texts are left out', { insertInstant: iso, id: 1 }, { id: 1 }],
    ['under another name are left alone', { instant, instants: [instant] }, { instant, instants: [instant] }],
    ['with empty things beside them lose those', { id: 1, a: '', b: null, c: [], d: {} }, { id: 1 }],
    ['with false and 0 beside them keep those', { a: false, b: 0 }, { a: false, b: 0 }],
    ['in a list keep the places of the others', [null, '', 1, {}], [null, '', 1, {}]],
    ['that is a text', 'Richard', 'Richard'],
    ['that is false', false, false],
    ['that is null', null, null],
    ['that is absent', undefined, undefined],
  ];
  for (const [name, value, expected] of values) {
    test(name, () => {
      assert.deepEqual(withIsoInstants(value), expected);
    });
  }

  test('are read without a change to the value itself', () => {
    const value = { list: [{ insertInstant: instant, empty: '' }] };
    const before = structuredClone(value);

    withIsoInstants(value);

    assert.deepEqual(value, before);
  });

  test('are read from any JSON, and what comes of it is JSON that is read again without a fault', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: unit }), (value) => {
        const once = withIsoInstants(value);

        assert.equal(typeof JSON.stringify(once), 'string');
        assert.doesNotThrow(() => withIsoInstants(once));
      }),
    );
  });
});

describe('an object of what says something', () => {
  const entries: [string, JsonValue | undefined, boolean][] = [
    ['undefined', undefined, false],
    ['null', null, false],
    ['an empty text', '', false],
    ['an empty list', [], false],
    ['an empty object', {}, false],
    ['false', false, true],
    ['0', 0, true],
    ['a space', ' ', true],
    ['a list of null', [null], true],
    ['an object with null', { a: null }, true],
  ];
  for (const [name, value, isKept] of entries) {
    test(`${isKept ? 'holds' : 'leaves out'} ${name}`, () => {
      assert.deepEqual(compact([['key', value]]), isKept ? { key: value } : {});
    });
  }

  test('holds its entries in order, the last of those with one key', () => {
    const made = compact([
      ['b', 1],
      ['a', 2],
      ['b', 3],
    ]);

    assert.equal(JSON.stringify(made), '{"b":3,"a":2}');
  });

  test('holds a key named __proto__ as a key', () => {
    const made = compact([['__proto__', { isAdmin: true }]]);

    assert.equal(JSON.stringify(made), '{"__proto__":{"isAdmin":true}}');
    assert.equal(Object.getPrototypeOf(made), Object.prototype);
    assert.ok(!('isAdmin' in made));
  });
});
