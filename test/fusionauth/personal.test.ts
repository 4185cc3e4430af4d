// What is hidden until somebody means to see it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue } from '../../src/fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../../src/fusionauth/catalogue.ts';
import { describeFields } from '../../src/fusionauth/describe-fields.ts';
import { personalNames } from '../../src/fusionauth/personal.ts';

for (const { type, fields } of catalogue as readonly CatalogueEntry[]) {
  test(`${type}: each field that the catalogue calls personal is hidden, or stands in one that is`, () => {
    const shown = describeFields(fields)
      .filter(({ isPersonal }) => isPersonal)
      .filter(
        ({ path }) => !path.split('.').some((name) => personalNames.includes(name.replaceAll('[]', ''))),
      );

    assert.deepEqual(shown, []);
  });
}

test('what an event is, and whom it is about, is not hidden', () => {
  for (const name of [
    'id',
    'type',
    'tenantId',
    'applicationId',
    'createInstant',
    'user',
    'userId',
    'info',
    'active',
  ]) {
    assert.ok(!personalNames.includes(name), name);
  }
  for (const name of ['email', 'firstName', 'ipAddress', 'data', 'username'])
    assert.ok(personalNames.includes(name), name);
});
