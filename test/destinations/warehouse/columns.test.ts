// Which type a value asks for, and which values fit which column.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  cellOf,
  columnTypeOf,
  fitCell,
  textCell,
  timestampCell,
  widenedType,
} from '../../../src/destinations/warehouse/columns.ts';
import type { Cell, CellType, ColumnType } from '../../../src/destinations/warehouse/columns.ts';

const cellTypes: readonly CellType[] = ['text', 'bigint', 'numeric', 'boolean', 'timestamptz'];
const columnTypes: readonly ColumnType[] = [...cellTypes, 'foreign'];

const sampleCells: Readonly<Record<CellType, Cell>> = {
  text: { type: 'text', value: 'red' },
  bigint: { type: 'bigint', value: 42 },
  numeric: { type: 'numeric', value: 1.5 },
  boolean: { type: 'boolean', value: true },
  timestamptz: { type: 'timestamptz', value: '2026-01-31T12:00:00Z' },
};

describe('the column type that a value asks for', () => {
  const cases: [what: string, value: string | number | boolean, expected: ColumnType][] = [
    ['true', true, 'boolean'],
    ['false', false, 'boolean'],
    ['zero', 0, 'bigint'],
    ['a negative whole number', -7, 'bigint'],
    ['a whole number written with a fraction', 7.0, 'bigint'],
    ['an instant of FusionAuth, in milliseconds', 1_767_225_600_000, 'bigint'],
    ['the largest whole number that JavaScript holds exactly', Number.MAX_SAFE_INTEGER, 'bigint'],
    ['the smallest whole number that JavaScript holds exactly', Number.MIN_SAFE_INTEGER, 'bigint'],
    ['a whole number beyond that', Number.MAX_SAFE_INTEGER + 1, 'numeric'],
    ['a negative whole number beyond that', Number.MIN_SAFE_INTEGER - 1, 'numeric'],
    ['a fraction', 0.1, 'numeric'],
    ['a number near the end of the range', 1e308, 'numeric'],
    ['the smallest number there is', Number.MIN_VALUE, 'numeric'],
    ['a word', 'red', 'text'],
    ['an empty string', '', 'text'],
    ['a number in a string', '42', 'text'],
    ['a truth value in a string', 'true', 'text'],
    ['JSON in a string', '{"a":1}', 'text'],
    ['a year', '2026', 'text'],
    ['a year and a month', '2026-01', 'text'],
    ['a date', '1990-02-28', 'timestamptz'],
    ['a date and time in UTC', '2026-01-31T12:34:56Z', 'timestamptz'],
    ['a date and time with milliseconds', '2026-01-31T12:34:56.789Z', 'timestamptz'],
    ['a date and time with nanoseconds', '2026-01-31T12:34:56.123456789Z', 'timestamptz'],
    ['a date and time with an offset', '2026-01-31T12:34:56+05:30', 'timestamptz'],
    ['a date and time with an offset without a colon', '2026-01-31T12:34:56-0800', 'timestamptz'],
    ['a date and time without seconds', '2026-01-31T12:34Z', 'timestamptz'],
    ['the 29th of February of a leap year', '2024-02-29', 'timestamptz'],
    ['the last day that four digits can name', '9999-12-31', 'timestamptz'],
    ['the first day of our era', '0001-01-01', 'timestamptz'],
    ['the widest offset that PostgreSQL takes', '2026-01-31T12:00:00+15:59', 'timestamptz'],
    ['a date and time without a zone', '2026-01-31T12:34:56', 'text'],
    ['a date and time with a space between', '2026-01-31 12:34:56Z', 'text'],
    ['a date with words around it', 'born 1990-02-28', 'text'],
    ['a date with a line end behind it', '1990-02-28\n', 'text'],
    ['a 13th month', '2026-13-01', 'text'],
    ['a month zero', '2026-00-10', 'text'],
    ['a 32nd day', '2026-01-32', 'text'],
    ['a 31st of April', '2026-04-31', 'text'],
    ['a 30th of February', '2026-02-30', 'text'],
    ['a 29th of February of an ordinary year', '2026-02-29T10:00:00Z', 'text'],
    ['a year zero', '0000-01-01', 'text'],
    ['a 25th hour', '2026-01-31T25:00:00Z', 'text'],
    ['a leap second', '2016-12-31T23:59:60Z', 'text'],
    ['an offset wider than PostgreSQL takes', '2026-01-31T12:00:00+16:00', 'text'],
    ['a negative offset wider than PostgreSQL takes', '2026-01-31T12:00:00-23:59', 'text'],
    ['digits of another script', '２０２６-01-31', 'text'],
  ];
  for (const [what, value, expected] of cases) {
    test(`${what}, ${JSON.stringify(value)}: ${expected}`, () => {
      const cell = cellOf(value);

      assert.deepEqual(cell, { type: expected, value });
    });
  }
});

describe('text that PostgreSQL cannot hold', () => {
  const cases: [what: string, text: string, expected: string][] = [
    ['a NUL', 'a\u0000b', 'a\ufffdb'],
    ['NULs alone', '\u0000\u0000', '\ufffd\ufffd'],
    ['the first half of a surrogate pair', 'a\ud83db', 'a\ufffdb'],
    ['the second half of a surrogate pair', '\udd11', '\ufffd'],
    ['a pair the wrong way round', '\udd11\ud83d', '\ufffd\ufffd'],
  ];
  for (const [what, text, expected] of cases) {
    test(`${what} is replaced, and the rest of the text is kept`, () => {
      assert.deepEqual(cellOf(text), { type: 'text', value: expected });
      assert.deepEqual(textCell(text), { type: 'text', value: expected });
    });
  }

  test('never comes out, whatever goes in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const { value } of [cellOf(text), textCell(text)]) {
          assert.ok(typeof value === 'string' && value.isWellFormed() && !value.includes('\u0000'));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('an emoji, which is a whole pair, is kept', () => {
    assert.deepEqual(cellOf('key 🔑'), { type: 'text', value: 'key 🔑' });
  });
});

test('a string that is to stay a string does, though it looks like a date', () => {
  assert.deepEqual(textCell('2026-01-31'), { type: 'text', value: '2026-01-31' });
});

test('a time of the bridge’s own is a timestamp as it stands', () => {
  const cell = timestampCell('2026-01-31T12:00:00.000Z');

  assert.deepEqual(cell, { type: 'timestamptz', value: '2026-01-31T12:00:00.000Z' });
});

describe('a value in a column of another type', () => {
  /** Undefined: it does not fit. */
  const fits: Record<CellType, Partial<Record<ColumnType, Cell['value']>>> = {
    text: { text: 'red' },
    bigint: { text: '42', bigint: 42, numeric: 42 },
    numeric: { text: '1.5', numeric: 1.5 },
    boolean: { text: 'true', boolean: true },
    timestamptz: { text: '2026-01-31T12:00:00Z', timestamptz: '2026-01-31T12:00:00Z' },
  };
  for (const cellType of cellTypes) {
    for (const columnType of columnTypes) {
      const expected = fits[cellType][columnType];
      const verdict = expected === undefined ? 'does not fit' : `is ${JSON.stringify(expected)} in`;
      test(`a ${cellType} value ${verdict} a ${columnType} column`, () => {
        assert.equal(fitCell(sampleCells[cellType], columnType), expected);
      });
    }
  }

  test('a date alone is midnight in UTC in a timestamp column, and as it stands in a text column', () => {
    const date = cellOf('1990-02-28');

    assert.equal(fitCell(date, 'timestamptz'), '1990-02-28T00:00:00Z');
    assert.equal(fitCell(date, 'text'), '1990-02-28');
  });

  test('a zero, a false and an empty string fit like any other value', () => {
    assert.equal(fitCell(cellOf(0), 'bigint'), 0);
    assert.equal(fitCell(cellOf(false), 'boolean'), false);
    assert.equal(fitCell(cellOf(''), 'text'), '');
  });

  test('every value fits a column of its own type and one of text', () => {
    const anyValue = fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean());
    fc.assert(
      fc.property(anyValue, (value) => {
        const cell = cellOf(value);

        assert.notEqual(fitCell(cell, cell.type), undefined);
        assert.equal(typeof fitCell(cell, 'text'), 'string');
      }),
    );
  });
});

describe('a column that meets a value', () => {
  for (const columnType of columnTypes) {
    for (const cellType of cellTypes) {
      const widens = columnType === 'bigint' && cellType === 'numeric';
      test(`of ${columnType} that meets ${cellType} ${widens ? 'widens to numeric' : `stays ${columnType}`}`, () => {
        assert.equal(widenedType(columnType, cellType), widens ? 'numeric' : columnType);
      });
    }
  }
});

describe('a type of PostgreSQL’s', () => {
  const cases: [dataType: string, expected: ColumnType][] = [
    ['character varying', 'text'],
    ['text', 'text'],
    ['bigint', 'bigint'],
    ['integer', 'bigint'],
    ['smallint', 'bigint'],
    ['numeric', 'numeric'],
    ['double precision', 'numeric'],
    ['real', 'numeric'],
    ['boolean', 'boolean'],
    ['timestamp with time zone', 'timestamptz'],
    ['timestamp without time zone', 'timestamptz'],
    ['jsonb', 'foreign'],
    ['uuid', 'foreign'],
    ['date', 'foreign'],
  ];
  for (const [dataType, expected] of cases) {
    test(`${dataType} holds what ${expected} holds`, () => {
      assert.equal(columnTypeOf(dataType), expected);
    });
  }
});
