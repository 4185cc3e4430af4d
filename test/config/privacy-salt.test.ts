import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ConfigError } from '../../src/config/config-error.ts';
import { readOrMakeSalt, readSalt } from '../../src/config/privacy-salt.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);

test('a salt is made once, in a file for this user alone, and is the same ever after', async () => {
  await using folder = await temporaryFolder();

  const salt = readOrMakeSalt(folder.path);

  assert.match(salt, /^[0-9a-f]{64}$/);
  assert.equal(readOrMakeSalt(folder.path), salt);
  assert.equal(readSalt(folder.path), salt);
  assert.deepEqual(await readdir(folder.path), ['privacy-salt'], 'nothing else is left in the folder');
  assert.equal(await readFile(join(folder.path, 'privacy-salt'), 'utf8'), `${salt}\n`);
  const { mode } = await stat(join(folder.path, 'privacy-salt'));
  assert.equal((mode & 0o777).toString(8), '600');
});

test('two folders have two salts', async () => {
  await using one = await temporaryFolder();
  await using other = await temporaryFolder();

  assert.notEqual(readOrMakeSalt(one.path), readOrMakeSalt(other.path));
});

test('a folder that is not there yet is made with the salt, and not by looking for one', async () => {
  await using folder = await temporaryFolder();
  const directory = join(folder.path, 'data', 'bridge');

  assert.equal(readSalt(directory), undefined);
  assert.deepEqual(await readdir(folder.path), []);
  assert.equal(readOrMakeSalt(directory), readSalt(directory));
});

test('a salt that somebody has put there is taken, without the line end', async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'privacy-salt'), 'a salt of their own\r\n');

  assert.equal(readOrMakeSalt(folder.path), 'a salt of their own');
});

test('an empty file is a fault, and no new salt: all hashes would silently be others', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'privacy-salt');
  await writeFile(path, '\n');

  for (const read of [readSalt, readOrMakeSalt]) {
    assert.throws(
      () => read(folder.path),
      (error) => error instanceof ConfigError && error.message.startsWith(`${path} is empty: restore it`),
    );
  }
  assert.equal(await readFile(path, 'utf8'), '\n');
});

test('processes that make one at the same time get the same one', async () => {
  await using folder = await temporaryFolder();
  const module = new URL('../../src/config/privacy-salt.ts', import.meta.url).href;
  // All wait for the same moment, so that they look before any of them has written.
  const script = `
    const { readOrMakeSalt } = await import(${JSON.stringify(module)});
    const moment = Number(process.argv[1]);
    while (Date.now() < moment);
    const salts = Array.from({ length: 200 }, (_, i) => readOrMakeSalt(process.argv[2] + '/' + i));
    console.log(JSON.stringify(salts));
  `;
  const start = () =>
    run(process.execPath, [
      '--input-type=module',
      '--eval',
      script,
      String(Date.now() + 1_000),
      join(folder.path, 'data'),
    ]);

  const outputs = await Promise.all([start(), start(), start()]);

  const [first = '', ...others] = outputs.map(({ stdout }) => stdout);
  const salts = JSON.parse(first) as string[];
  assert.equal(new Set(salts).size, 200);
  for (const other of others) assert.deepEqual(JSON.parse(other), salts);
  for (const [index, salt] of salts.entries()) {
    assert.equal(readSalt(join(folder.path, 'data', String(index))), salt);
  }
});
