import assert from 'node:assert/strict';
import { test } from 'node:test';
import { identifierFor } from '../../src/destinations/warehouse/naming.ts';
import { entryOf, eventTypes } from '../../src/fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../../src/fusionauth/catalogue.ts';
import { eventNameOf, namings } from '../../src/mapping/names.ts';

const nameOf = (type: string, naming: (typeof namings)[number]) =>
  eventNameOf(entryOf(type) as CatalogueEntry, naming);

test('under FusionAuth’s naming a track is called as its type is', () => {
  for (const type of eventTypes) assert.equal(nameOf(type, 'fusionauth'), type);
});

test('under Segment’s naming a track has Segment’s B2B name where there is one, else the title', () => {
  assert.deepEqual(
    ['user.create.complete', 'user.login.success', 'group.member.remove.complete'].map((type) =>
      nameOf(type, 'segment'),
    ),
    ['Signed Up', 'Signed In', 'Account Removed User'],
  );
  assert.equal(nameOf('user.login.failed', 'segment'), 'Login Failed');
  assert.equal(nameOf('user.create', 'segment'), 'User Creation Started');
});

for (const naming of namings) {
  test(`under ${naming} naming no two types have one name, nor one table in a warehouse`, () => {
    const names = eventTypes.map((type) => nameOf(type, naming));

    assert.equal(new Set(names).size, 64);
    assert.equal(new Set(names.map(identifierFor)).size, 64);
    for (const name of names) assert.notEqual(identifierFor(name), '');
  });
}
