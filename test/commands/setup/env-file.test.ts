import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { findNewVariables, writeVariables } from '../../../src/commands/setup/env-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function fileWith(
  text: string | undefined,
): Promise<AsyncDisposable & { readonly path: string; readonly text: string }> {
  const folder = await temporaryFolder();
  const path = join(folder.path, '.env');
  if (text !== undefined) await writeFile(path, text, { mode: 0o644 });
  return {
    path,
    get text() {
      return readFileSync(path, 'utf8');
    },
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  };
}

const cases: readonly [name: string, before: string | undefined, after: string][] = [
  ['no file', undefined, 'A=new\n'],
  ['an empty file', '', 'A=new\n'],
  ['other lines, with comments and empty ones', '# mine\n\nB=2 # two\n', '# mine\n\nB=2 # two\nA=new\n'],
  ['no newline at the end', 'B=2', 'B=2\nA=new\n'],
  ['an old value, in its place', 'A=old\nB=2\n', 'A=new\nB=2\n'],
  ['an old value of a shell', 'export A="old"\nB=2\n', 'export A=new\nB=2\n'],
  ['several, of which the last one counts', 'A=1\nA=2\nB=2\n', 'A=1\nA=new\nB=2\n'],
  ['one that is commented out', '#A=old\n', '#A=old\nA=new\n'],
  ['one whose name only begins so', 'A_B=1\n', 'A_B=1\nA=new\n'],
  ['newlines of Windows', 'A=old\r\nB=2\r\n', 'A=new\r\nB=2\r\n'],
];

for (const [name, before, after] of cases) {
  test(`a variable is written beside ${name}`, async () => {
    await using file = await fileWith(before);

    writeVariables({ A: 'new' }, file.path);

    assert.equal(file.text, after);
    assert.deepEqual(findNewVariables({ A: 'new' }, file.path), []);
  });
}

test('the file is for its owner alone from then on, and a link stays one', async () => {
  await using file = await fileWith('B=2\n');
  const link = `${file.path}.link`;
  await symlink(file.path, link);

  writeVariables({ A: 'new' }, link);

  assert.equal(file.text, 'B=2\nA=new\n');
  assert.equal(statSync(file.path).mode & 0o777, 0o600);
});

test('whatever stands in a variable is read back as it is', async () => {
  await using file = await fileWith('B=2\n');
  const printable = fc.string({ unit: 'grapheme-ascii' }).filter((text) => {
    // In a .env file nothing can be written that has all three marks.
    return !['"', "'", '`'].every((mark) => text.includes(mark));
  });

  fc.assert(
    fc.property(printable, (value) => {
      writeVariables({ A: value }, file.path);
      assert.deepEqual({ ...parseEnv(file.text) }, { B: '2', A: value });
    }),
    { examples: [['a # b'], [' a '], ['a"b'], ["a'b"], ['a\\nb'], ['$A ${B}'], ['a=b'], ['']] },
  );
});
