import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidEventError, parseWebhookBody } from '../../src/fusionauth/event.ts';
import { findExcess } from '../../src/fusionauth/structure.ts';

const megabyte = 1024 * 1024;

const excessive: [string, string, RegExp][] = [
  ['ten million nested arrays', '['.repeat(10 * megabyte), /deeper than 100000 levels/],
  ['three million nested objects', '{"a":'.repeat(3 * megabyte), /deeper than 100000 levels/],
  ['six million empty arrays', `[${'[],'.repeat(6 * megabyte)}[]]`, /more than 1000000 objects and arrays/],
];
for (const [name, body, message] of excessive) {
  test(`${name} are refused before they become objects`, () => {
    const startedAt = performance.now();

    assert.throws(
      () => parseWebhookBody(Buffer.from(body)),
      (error) => error instanceof InvalidEventError && message.test(error.message),
    );

    assert.ok(performance.now() - startedAt < 1_000, 'at once');
  });
}

const harmless: [string, string][] = [
  ['50,000 levels', `${'['.repeat(50_000)}${']'.repeat(50_000)}`.padEnd(200_000)],
  ['brackets in a text', JSON.stringify({ text: '['.repeat(2 * megabyte) })],
  ['brackets behind an escaped quote', JSON.stringify({ text: `"${'{'.repeat(2 * megabyte)}\\"` })],
  [
    'an import of ten thousand users',
    JSON.stringify({
      users: Array.from({ length: 10_000 }, (_, id) => ({ id, data: {}, registrations: [{ roles: [] }] })),
    }),
  ],
];
for (const [name, body] of harmless) {
  test(`${name} are not too much`, () => {
    assert.equal(findExcess(Buffer.from(body)), undefined);
  });
}
