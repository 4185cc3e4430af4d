// Every link between the documents leads somewhere, to the heading that it names.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../../', import.meta.url);
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(new URL('docs', root))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** As GitHub makes a heading's anchor. */
const anchorOf = (heading: string) =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

function anchorsOf(url: URL): Set<string> {
  const text = readFileSync(url, 'utf8').replace(/^```.*?^```/gms, '');
  const named = Array.from(text.matchAll(/<a (?:id|name)="([^"]+)"/g), ([, name = '']) => name);
  return new Set([
    ...Array.from(text.matchAll(/^#+ (.+)$/gm), ([, heading = '']) => anchorOf(heading)),
    ...named,
  ]);
}

for (const path of documents) {
  test(`${path}: each link to a file or a heading leads there`, () => {
    const here = new URL(path, root);
    const text = readFileSync(here, 'utf8').replace(/^```.*?^```/gms, '');
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const url = file === '' ? here : new URL(file, here);
      assert.ok(existsSync(url), target);
      if (anchor !== undefined) assert.ok(anchorsOf(url).has(anchor), target);
    }
  });
}
