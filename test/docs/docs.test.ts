// The pages that are made from the code are current, and those that speak of it agree with it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pages } from '../../docs/generate.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

for (const [path, make] of Object.entries(pages)) {
  test(`${path} is as the code makes it (npm run docs)`, () => {
    assert.equal(read(path), make());
  });
}

test('every error code stands in docs/operations.md, and no other does', () => {
  const sources = readdirSync(new URL('src', root), { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  const inCode = new Set(
    sources.flatMap((path) =>
      Array.from(
        read(`src/${path}`).matchAll(/(?:code(?:: string)?(?: =|:)|rejected\(|invalid\()\s*'([A-Z_]+)'/g),
        ([, code]) => code,
      ),
    ),
  );

  const table =
    read('docs/operations.md').split('## Which codes can an error have?')[1]?.split('\n## ')[0] ?? '';
  const inDocs = new Set(
    Array.from(table.matchAll(/^\| (.*?) \|/gm), ([, cell = '']) => cell).flatMap((cell) =>
      Array.from(cell.matchAll(/`([A-Z_]+)`/g), ([, code]) => code),
    ),
  );

  assert.deepEqual([...inDocs].sort(), [...inCode].sort());
});

test('every check of doctor stands in docs/operations.md, and no other does', () => {
  const files = readdirSync(new URL('src/commands/doctor', root));
  const inCode = files.flatMap((file) =>
    Array.from(
      read(`src/commands/doctor/${file}`).matchAll(
        /(?:name =|\b(?:ok|warn|fail|skip)\()\s*['`]([^'`]+)['`]/g,
      ),
      ([, name = '']) => name.replace(/^\$\{[^}]+\}/, '<destination>'),
    ),
  );

  const table = read('docs/operations.md').split('### Which checks are there?')[1]?.split('\n### ')[0] ?? '';
  const inDocs = Array.from(table.matchAll(/^\| (.*?) \|/gm), ([, cell = '']) => cell).flatMap((cell) =>
    Array.from(cell.matchAll(/`([^`]+)`/g), ([, name]) => name),
  );

  assert.deepEqual([...new Set(inDocs)].sort(), [...new Set(inCode)].sort());
});

test('every file that docs/architecture.md names is there', () => {
  const named = Array.from(
    read('docs/architecture.md').matchAll(/`((?:src|test)\/[\w./-]+\.ts)`/g),
    ([, path = '']) => path,
  );

  assert.ok(named.length > 15);
  for (const path of named) assert.ok(read(path).length > 0, path);
});
