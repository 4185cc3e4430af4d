import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError } from '../../src/config/config-error.ts';
import { ExportToken } from '../../src/config/export-token.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('a token is made when it is first asked for, in a file for this user alone, and stays', async () => {
  await using folder = await temporaryFolder();
  const token = ExportToken.open(folder.path);
  assert.deepEqual([token.value, await readdir(folder.path)], [undefined, []]);

  const value = token.readOrMake();

  assert.match(value, /^[\w-]{32}$/);
  assert.deepEqual([token.readOrMake(), ExportToken.open(folder.path).value], [value, value]);
  const file = join(folder.path, 'export-token');
  assert.deepEqual(await readdir(folder.path), ['export-token']);
  assert.equal(await readFile(file, 'utf8'), `${value}\n`);
  assert.equal(((await stat(file)).mode & 0o777).toString(8), '600');
});

test('a new token takes the place of the old one, also after a restart', async () => {
  await using folder = await temporaryFolder();
  const token = ExportToken.open(folder.path);
  const old = token.readOrMake();

  const renewed = token.renew();

  assert.notEqual(renewed, old);
  assert.deepEqual([token.value, ExportToken.open(folder.path).value], [renewed, renewed]);
});

test('an empty file lets nobody in: the start says what to do', async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'export-token'), '\n');

  assert.throws(
    () => ExportToken.open(folder.path),
    (error) => error instanceof ConfigError && error.message.includes('export-token is empty: remove it'),
  );
});
