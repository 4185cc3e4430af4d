// docs/events.md as GitHub shows it. That it is current is told by docs.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventsPage } from '../../docs/events-page.ts';
import { anchorOf, formatJson, formatTable } from '../../docs/markdown.ts';
import { catalogue } from '../../src/fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../../src/fusionauth/catalogue.ts';
import { parseWebhookBody } from '../../src/fusionauth/event.ts';
import { describeFields } from '../../src/fusionauth/describe-fields.ts';

const page = eventsPage();
const headings = Array.from(page.matchAll(/^#+ (.*)$/gm), ([, heading = '']) => heading);
const sectionOf = (heading: string) => page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
const jsonBlocks = (text: string) =>
  Array.from(text.matchAll(/^```json\n(.*?)^```$/gms), ([, json = '']): unknown => JSON.parse(json));

test('anchors are as GitHub makes them', () => {
  for (const [heading, anchor] of [
    ['user.login.success', 'userloginsuccess'],
    ['user.two-factor.failed-attempt', 'usertwo-factorfailed-attempt'],
    ['user.loginId.duplicate.create', 'userloginidduplicatecreate'],
    ['How to read this page', 'how-to-read-this-page'],
    ['FusionAuth’s events', 'fusionauths-events'],
  ] as const) {
    assert.equal(anchorOf(heading), anchor);
  }
});

test('a pipe in a cell is escaped, and JSON that fits on a line stays on one', () => {
  assert.equal(formatTable(['a', 'b'], [['x|y', '']]), '| a | b |\n| --- | --- |\n| x\\|y |  |');
  assert.equal(formatJson({ a: [1, { b: null }], c: {} }), '{ "a": [1, { "b": null }], "c": {} }');
  assert.equal(formatJson({ a: 'x'.repeat(110), b: [] }), `{\n  "a": "${'x'.repeat(110)}",\n  "b": []\n}`);
});

test('every type has a section, and every link leads to one heading', () => {
  const anchors = headings.map(anchorOf);
  const linked = Array.from(page.matchAll(/\]\(#([^)]+)\)/g), ([, anchor = '']) => anchor);

  assert.equal(new Set(anchors).size, anchors.length);
  assert.deepEqual(
    linked.filter((anchor) => !anchors.includes(anchor)),
    [],
  );
  for (const { type } of catalogue) {
    assert.ok(headings.includes(type), type);
    assert.ok(linked.includes(anchorOf(type)), type);
  }
});

test('all rows of a table have as many cells', () => {
  const tables = Array.from(page.matchAll(/(?:^\|.*\|\n)+/gm), ([table]) => table.trimEnd().split('\n'));

  assert.ok(tables.length > 60);
  for (const rows of tables) {
    const counts = new Set(rows.map((row) => row.split(/(?<!\\)\|/).length));
    assert.equal(counts.size, 1, rows[0]);
  }
});

test('what is folded is unfolded again, and no word is missing', () => {
  assert.equal(page.match(/<details>/g)?.length, page.match(/<\/details>/g)?.length);
  assert.doesNotMatch(page, /undefined|\[object|NaN/);
});

for (const entry of catalogue as readonly CatalogueEntry[]) {
  test(`the example of ${entry.type} can be mapped as it stands, and its messages are of its kinds`, () => {
    const [body, messages = []] = jsonBlocks(sectionOf(entry.type)) as [object, { type: string }[]?];

    assert.equal(parseWebhookBody(Buffer.from(JSON.stringify(body))).type, entry.type);
    assert.equal(messages.length > 0, entry.tells.length > 0);
  });

  test(`the secrets of ${entry.type} are named, and stand in no table`, () => {
    const section = sectionOf(entry.type);
    const userFields = /^(?:user|existing|users\[\]|original)(?:\.|$)/;

    for (const { path, isSecret } of describeFields(entry.fields)) {
      if (!isSecret || (userFields.test(path) && entry.type !== 'jwt.refresh')) continue;
      assert.ok(section.includes(`\`${path}\``), path);
      assert.ok(!section.includes(`| \`${path}\` |`), path);
    }
  });
}

test('the page is not larger than what GitHub renders at once', () => {
  assert.ok(Buffer.byteLength(page) < 400_000);
});
