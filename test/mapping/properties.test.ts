import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { snakeCase } from '../../src/destinations/warehouse/naming.ts';
import { entryOf, eventTypes } from '../../src/fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../../src/fusionauth/catalogue.ts';
import { describeFields } from '../../src/fusionauth/describe-fields.ts';
import { propertiesOf, propertyFieldsOf } from '../../src/mapping/properties.ts';
import { received } from '../support/mapped.ts';
import type { EventFields } from '../support/mapped.ts';

function properties(type: string, fields: EventFields) {
  return propertiesOf(received({ type, ...fields }), entryOf(type) as CatalogueEntry);
}

describe('the properties of a track', () => {
  test('are the event’s own fields, its instants as dates, and its tenant', () => {
    assert.deepEqual(
      properties('user.identity-provider.link', {
        tenantId: 't-1',
        user: { id: 'u-1', email: 'a@x' },
        linkedObjectId: 'u-1',
        identityProviderLink: {
          displayName: 'Richard',
          identityProviderName: 'Google',
          insertInstant: 0,
          tenantId: 't-1',
          userId: 'u-1',
        },
      }),
      {
        identityProviderLink: {
          displayName: 'Richard',
          identityProviderName: 'Google',
          insertInstant: '1970-01-01T00:00:00.000Z',
        },
        tenantId: 't-1',
      },
    );
  });

  test('hold nothing that the catalogue does not know: it might be a secret', () => {
    assert.deepEqual(properties('user.login.success', { sessionToken: 'x', user: { id: 'u-1' } }), {});
    assert.deepEqual(properties('user.login.failed', { reason: { code: 'credentials', newSecret: 'x' } }), {
      reason: { code: 'credentials' },
    });
  });

  test('hold neither what a lambda answered nor a life time for each application', () => {
    assert.deepEqual(
      properties('user.login.failed', {
        reason: { code: 'lambdaValidation', lambdaResult: { any: 'thing' } },
      }),
      { reason: { code: 'lambdaValidation' } },
    );
    assert.deepEqual(
      properties('jwt.refresh-token.revoke', { applicationTimeToLiveInSeconds: { 'a-1': 3600 } }),
      {},
    );
  });

  test('of a registration name its application and roles, those before too', () => {
    const registration = { applicationId: 'a-1', roles: ['admin', 7, 'user'] };

    assert.deepEqual(
      properties('user.registration.update.complete', {
        registration,
        original: { applicationId: 'a-1', roles: ['user'] },
      }),
      {
        registration: { applicationId: 'a-1', roles: ['admin', 'user'] },
        applicationId: 'a-1',
        roles: ['admin', 'user'],
        previousRoles: ['user'],
      },
    );
    assert.equal(
      properties('user.registration.create.complete', { applicationId: 'a-2', registration })[
        'applicationId'
      ],
      'a-2',
    );
  });

  test('of a removal name the group, without its roles, keyed by application', () => {
    assert.deepEqual(
      properties('group.member.remove.complete', {
        group: { id: 'g-1', name: 'Pied Piper', data: { plan: 'growth' }, roles: { 'a-1': [{ name: 'x' }] } },
        members: [{ userId: 'u-1' }],
      }),
      {
        group: { id: 'g-1', name: 'Pied Piper', data: { plan: 'growth' } },
        groupId: 'g-1',
        groupName: 'Pied Piper',
      },
    );
  });

  test('of a duplicate name the user who exists by his id alone', () => {
    assert.deepEqual(
      properties('user.loginId.duplicate.create', {
        duplicateEmail: 'a@x',
        existing: { id: 'u-1', email: 'a@x' },
        user: { id: 'rejected' },
      }),
      { duplicateEmail: 'a@x', existingUserId: 'u-1' },
    );
  });

  test('of a user.action hold no e-mail that was sent', () => {
    assert.deepEqual(properties('user.action', { action: 'Suspend', email: { text: 'https://login' } }), {
      action: 'Suspend',
    });
  });
});

test('no field that becomes a property is a secret, or has a name that a warehouse reserves', () => {
  const reserved =
    /^(?:id|uuid|uuid_ts|event|event_text|timestamp|received_at|sent_at|original_timestamp|user_id|anonymous_id|loaded_at|type)$/;
  for (const type of eventTypes) {
    const entry = entryOf(type) as CatalogueEntry;
    if (!entry.tells.some((telling) => telling === 'activity' || telling === 'departure')) continue;
    const fields = propertyFieldsOf(entry);

    for (const name of Object.keys(fields)) assert.doesNotMatch(snakeCase(name), reserved, type);
    for (const { path, isSecret } of describeFields(fields)) assert.ok(!isSecret, `${type}: ${path}`);
  }
});
