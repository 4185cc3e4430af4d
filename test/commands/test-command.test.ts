// `test` as its user has it: run in a process, in a folder of their own, judged by what it prints and by its exit code.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../support/command.ts';
import type { Run } from '../support/command.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = new URL('../../', import.meta.url).pathname;

function run(folder: string, args: readonly string[], settings: Record<string, string> = {}): Promise<Run> {
  return runCommand(['test', ...args], { cwd: folder, settings });
}

/** A folder with these files. */
async function folderWith(files: Readonly<Record<string, unknown>>) {
  const folder = await temporaryFolder();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, path)), { recursive: true });
    await writeFile(join(folder.path, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

const passing = { name: 'a login', sample: 'user.login.success', expect: [{ type: 'track' }] };
const failing = { name: 'no login', sample: 'user.login.success', expect: [] };

test('every test is told under its file, differences below it, and one that fails makes the exit code 1', async () => {
  await using folder = await folderWith({
    'logins.mapping.json': [passing, failing],
    'deep/er/others.mapping.json': passing,
  });

  const { exitCode, stdout, stderr } = await run(folder.path, []);

  assert.equal(
    stdout,
    `deep/er/others.mapping.json
  ok   a login

logins.mapping.json
  ok   a login
  FAIL no login
       messages[0]: superfluous: track "user.login.success" of 00000000-0000-4000-8000-000000000002

2 passed, 1 failed
`,
  );
  assert.deepEqual([exitCode, stderr], [1, '']);
});

test('--json is one document, and the exit code is 0 where all pass', async () => {
  await using folder = await folderWith({ 'a.mapping.json': passing, 'b.mapping.json': failing });

  const one = await run(folder.path, ['--json', 'a.mapping.json']);
  const both = await run(folder.path, ['--json']);

  assert.equal(one.exitCode, 0);
  assert.deepEqual(JSON.parse(one.stdout), {
    passed: 1,
    failed: 0,
    tests: [{ file: 'a.mapping.json', name: 'a login', ok: true, differences: [] }],
  });
  assert.equal(both.exitCode, 1);
  assert.partialDeepStrictEqual(JSON.parse(both.stdout) as unknown, { passed: 1, failed: 1 });
});

test('files and folders may be named, and none is run twice', async () => {
  await using folder = await folderWith({
    'here/a.mapping.json': passing,
    'here/b.json': { ...passing, name: 'named by its name' },
    'there/c.mapping.json': failing,
  });

  const { stdout } = await run(folder.path, [
    'here',
    './here/a.mapping.json',
    join(folder.path, 'here/b.json'),
  ]);

  assert.match(stdout, /^here\/a\.mapping\.json\n {2}ok {3}a login\n\nhere\/b\.json\n {2}ok {3}named by/);
  assert.match(stdout, /\n2 passed, 0 failed\n$/);
});

test('what others wrote, what was built and what the bridge keeps is not searched, unless it is named', async () => {
  await using folder = await folderWith({
    'a.mapping.json': passing,
    'test/data/b.mapping.json': passing,
    ...Object.fromEntries(
      ['node_modules/x', 'deep/node_modules', '.git', 'dist', 'data'].map((path) => [
        `${path}/x.mapping.json`,
        failing,
      ]),
    ),
  });

  const all = await run(folder.path, []);
  const named = await run(folder.path, ['data']);

  assert.match(all.stdout, /\n2 passed, 0 failed\n$/);
  assert.match(named.stdout, /\n0 passed, 1 failed\n$/);
});

test('without a test the exit code is 1, and it says how a test looks', async () => {
  await using folder = await folderWith({ 'not-this.json': passing });

  const none = await run(folder.path, []);
  const missing = await run(folder.path, ['nowhere.mapping.json']);

  assert.deepEqual([none.exitCode, none.stdout], [1, '']);
  assert.match(
    none.stderr,
    /^There is no test file in this folder or below it\nWrite one, such as logins\.mapping\.json: \{/,
  );
  assert.equal(missing.exitCode, 1);
  assert.match(missing.stderr, /^nowhere\.mapping\.json cannot be read/);
});

test('the faults of all files are told at once, each with its file, and no test is run', async () => {
  await using folder = await folderWith({
    'a.mapping.json': passing,
    'b.mapping.json': '{"name": "x",}',
    'c.mapping.json': [
      { ...passing, expekt: [] },
      { ...passing, destination: 'acme' },
    ],
  });

  const { exitCode, stdout, stderr } = await run(folder.path, []);

  assert.deepEqual([exitCode, stdout], [1, '']);
  const [first, second, third, last] = stderr.trimEnd().split('\n');
  assert.match(first ?? '', /^b\.mapping\.json: is not JSON: .*\(line 1 column 14\)$/);
  assert.match(second ?? '', /^c\.mapping\.json: test "a login": "expekt" is not known/);
  assert.match(
    third ?? '',
    /^c\.mapping\.json: test "a login": there is no destination "acme", only warehouse/,
  );
  assert.equal(last, 'No test was run');
});

test('the user’s own map is what is tested, and its failure is told with its line', async () => {
  await using folder = await folderWith({
    'fusionauth-segment.config.ts': `export default {
      map: (event) => {
        if (event.type === 'user.create.complete') throw new Error('not this one');
        return [{ type: 'track', event: 'Mine', userId: 'me' }];
      },
    };`,
    'own.mapping.json': [
      { ...passing, expect: [{ event: 'Mine' }] },
      { name: 'unforeseen', sample: 'user.create.complete', expect: [] },
      { name: 'foreseen', sample: 'user.create.complete', failures: ['map_failed'] },
    ],
  });

  const { stdout } = await run(folder.path, []);

  assert.match(
    stdout,
    /FAIL unforeseen\n +failures: got map_failed: Error: not this one at .*config\.ts:3:\d+\)\n/,
  );
  assert.match(stdout, /\n2 passed, 1 failed\n$/);
});

test('hashes can be compared where the salt is set', async () => {
  await using folder = await folderWith({
    'fusionauth-segment.config.ts': `export default { privacy: { 'traits.email': 'hash' } };`,
    'hash.mapping.json': {
      name: 'the address is hashed',
      sample: 'user.update.complete',
      with: { user: { email: 'a@example.com' } },
      expect: [{ traits: { email: 'bc02f457770996327f01071403c198d599eda1dec36f4c5feac68aa22acbff7d' } }],
      withheld: ['a@example.com'],
    },
  });

  const { stdout } = await run(folder.path, [], { PRIVACY_SALT: 'a salt for tests alone' });

  assert.match(stdout, /\n1 passed, 0 failed\n$/);
});

test('the examples pass under the example of a configuration file', async () => {
  const { exitCode, stdout, stderr } = await run(root, ['examples'], {
    CONFIG: 'examples/fusionauth-segment.config.ts',
    ACME_KEY: 'any',
  });

  assert.deepEqual([exitCode, stderr], [0, ''], stdout);
  assert.match(stdout, /^10 passed, 0 failed$/m);
});
