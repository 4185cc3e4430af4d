import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  date,
  flag,
  formerly,
  free,
  instant as instantField,
  list,
  number,
  object,
  secret,
  text,
  uuid,
} from '../../src/fusionauth/fields.ts';
import type { Field } from '../../src/fusionauth/fields.ts';
import {
  compact,
  isoInstant,
  objectOf,
  objectsOf,
  readField,
  readFields,
  tenantIdOf,
  textOf,
  valueAt,
} from '../../src/mapping/read.ts';
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

describe('a field of an event', () => {
  const member = object({ id: text('m'), insertInstant: instantField(), data: free({}), admin: flag(true) });
  const values: [string, Field, unknown, unknown][] = [
    ['a text', text('x'), 'Richard', 'Richard'],
    ['an id', uuid('x'), 'not even a UUID', 'not even a UUID'],
    ['a day', date('x'), '1985-11-23', '1985-11-23'],
    ['an empty text', text('x'), '', undefined],
    ['a number for a text', text('x'), 7, undefined],
    ['true', flag(true), true, true],
    ['false', flag(true), false, false],
    ['a text for a flag', flag(true), 'true', undefined],
    ['0', number(1), 0, 0],
    ['a text for a number', number(1), '1', undefined],
    ['an instant', instantField(), instant, iso],
    ['an instant that no date has', instantField(), 2 ** 63, undefined],
    ['a date for an instant', instantField(), iso, undefined],
    ['a list', list(text('x')), ['a', 'b'], ['a', 'b']],
    ['a list, without what is of another kind', list(text('x')), ['a', 1, null, '', ['b'], 'c'], ['a', 'c']],
    ['a text for a list', list(text('x')), 'a', undefined],
    [
      'an object, by its own fields',
      member,
      { id: 'm', insertInstant: instant, admin: false, more: 'x' },
      { id: 'm', insertInstant: iso, admin: false },
    ],
    ['an object, without what is empty', member, { id: '', data: {}, insertInstant: null }, {}],
    ['a list for an object', member, [{ id: 'm' }], undefined],
    ['null for an object', member, null, undefined],
    [
      'objects in a list',
      list(member),
      [{ id: 'm', insertInstant: instant }, null, 'x', { id: 'n' }],
      [{ id: 'm', insertInstant: iso }, { id: 'n' }],
    ],
    [
      'free-form data, as it is',
      free({}),
      { insertInstant: instant, none: null, list: [''] },
      { insertInstant: instant, none: null, list: [''] },
    ],
    ['free-form data that is a text', free({}), 'x', 'x'],
    ['what is absent', text('x'), undefined, undefined],
  ];
  for (const [name, field, value, expected] of values) {
    test(`is read where it is ${name}`, () => {
      assert.deepEqual(readField({ field: value }, 'field', field), expected);
    });
  }

  test('is read under its former name where the newer one says nothing', () => {
    const field = formerly('older', text('x'));

    assert.equal(readField({ newer: 'n', older: 'o' }, 'newer', field), 'n');
    for (const newer of [undefined, null, '', 1]) {
      assert.equal(readField({ newer, older: 'o' }, 'newer', field), 'o');
    }
    assert.equal(readField({ older: 'o' }, 'newer', text('x')), undefined);
  });

  test('is left out where it is a secret, though none should have come this far', () => {
    const fields = { id: text('x'), inside: list(object({ token: secret(text('x')), id: text('x') })) };

    assert.deepEqual(
      compact(readFields({ id: 'i', inside: [{ token: 'SECRET', id: 'j' }], token: 'SECRET' }, fields)),
      { id: 'i', inside: [{ id: 'j' }] },
    );
    assert.deepEqual(compact(readFields({ id: 'SECRET' }, { id: secret(text('x')) })), {});
  });

  test('is read without a change to the event', () => {
    const event = { inside: [{ insertInstant: instant, empty: '' }] };
    const before = structuredClone(event);

    readFields(event, { inside: list(member) });

    assert.deepEqual(event, before);
  });

  test('is read from any JSON, and what comes of it is JSON', () => {
    const fields = { a: member, b: list(member), c: text('x'), d: instantField(), e: free({}), f: number(1) };
    fc.assert(
      fc.property(
        fc.record(
          Object.fromEntries(Object.keys(fields).map((name) => [name, fc.jsonValue({ stringUnit: unit })])),
        ),
        (source) => {
          const made = compact(readFields(source, fields));

          const text = JSON.stringify(made);
          assert.equal(JSON.stringify(compact(Object.entries(JSON.parse(text) as typeof made))), text);
        },
      ),
    );
  });
});

describe('what stands at a path', () => {
  const event = { a: { b: { c: 1 }, list: [{ d: 2 }], none: null }, 'a.b': 'dotted' };
  const paths: [string, unknown][] = [
    ['a.b.c', 1],
    ['a.b', { c: 1 }],
    ['a.none', null],
    ['a.none.c', undefined],
    ['a.b.c.d', undefined],
    ['a.list.0.d', undefined],
    ['a.list.length', undefined],
    ['toString', undefined],
    ['a.constructor.name', undefined],
    ['__proto__', undefined],
    ['', undefined],
  ];
  for (const [path, expected] of paths) {
    test(`"${path}" is ${inspect(expected)}`, () => {
      assert.deepEqual(valueAt(event, path), expected);
    });
  }
});

test('the tenant is the event’s own, else its user’s', () => {
  const tenantOf = (fields: object) => tenantIdOf({ id: 'e', type: 't', ...fields } as never);

  assert.equal(tenantOf({ tenantId: 'a', user: { tenantId: 'b' } }), 'a');
  for (const tenantId of [undefined, null, '', 7]) {
    assert.equal(tenantOf({ tenantId, user: { tenantId: 'b' } }), 'b');
  }
  for (const user of [undefined, null, [], 'b', { tenantId: 7 }]) assert.equal(tenantOf({ user }), undefined);
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

  test('holds what is in a value as it is, also a key named __proto__', () => {
    const data = JSON.parse('{"__proto__":{"isAdmin":true}}') as JsonValue;

    const made = compact([['data', data]]);

    assert.equal(JSON.stringify(made), '{"data":{"__proto__":{"isAdmin":true}}}');
    assert.ok(!('isAdmin' in made));
  });
});
