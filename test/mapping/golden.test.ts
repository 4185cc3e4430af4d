// What each type of event becomes, whole, in files that a person reads: test/mapping/golden/<type>.json. After a change
// that is meant: UPDATE_GOLDEN=1 node --test test/mapping/golden.test.ts, and a look at what git says has changed.
//
// A file holds the messages of the sample in FusionAuth's newest shape; those of the shape of 1.30 as well, where that
// version had the type and they differ; those that come once it is switched on, where it is off. No privacy policy is
// applied: its own tests say what it withholds.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { entryOf, eventTypes } from '../../src/fusionauth/catalogue.ts';
import type { KnownEventType } from '../../src/fusionauth/catalogue.ts';
import { isAtLeast } from '../../src/fusionauth/samples.ts';
import { messagesOf, receivedSample } from '../support/mapped.ts';

const folder = new URL('golden/', import.meta.url);
const isUpdating = process.env['UPDATE_GOLDEN'] === '1';

async function goldenOf(type: KnownEventType): Promise<string> {
  const inShapeOf = (version?: string) => {
    const event = receivedSample(type, {}, { version });
    const byDefault = messagesOf(event);
    const switchedOn = messagesOf(event, { filters: [{ include: [type] }] });
    return isDeepStrictEqual(byDefault, switchedOn) ? byDefault : { byDefault, switchedOn };
  };
  const newest = inShapeOf();
  const oldest = inShapeOf('1.30');
  const since = entryOf(type)?.since ?? 'early';
  const hadItIn130 = since === 'early' || isAtLeast('1.30', since);
  const golden =
    hadItIn130 && !isDeepStrictEqual(oldest, newest) ? { newest, 'FusionAuth 1.30': oldest } : { newest };
  const path = fileOf(type).pathname;
  return format(JSON.stringify(golden, null, 2), { ...(await resolveConfig(path)), filepath: path });
}

function fileOf(type: string): URL {
  return new URL(`${type}.json`, folder);
}

test('every golden file is of a type that the catalogue has', () => {
  const strangers = readdirSync(folder).filter(
    (name) => !eventTypes.some((type) => fileOf(type).pathname === new URL(name, folder).pathname),
  );

  if (isUpdating) for (const name of strangers) rmSync(new URL(name, folder));
  else assert.deepEqual(strangers, []);
});

for (const type of eventTypes) {
  test(`${type} becomes what its golden file says, byte for byte`, async () => {
    const made = await goldenOf(type);

    if (isUpdating) writeFileSync(fileOf(type), made);
    assert.equal(readFileSync(fileOf(type), 'utf8'), made);
  });
}
