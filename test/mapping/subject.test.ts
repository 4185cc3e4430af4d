import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { entryOf } from '../../src/fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../../src/fusionauth/catalogue.ts';
import { subjectOf, subjectsOf } from '../../src/mapping/subject.ts';
import { received } from '../support/mapped.ts';
import type { EventFields } from '../support/mapped.ts';

function subject(type: string, fields: EventFields) {
  return subjectOf(received({ type, ...fields }), entryOf(type) as CatalogueEntry);
}

describe('whom an event is about', () => {
  const user = { id: 'u-1', email: 'a@x' };
  const cases: [string, string, EventFields, unknown][] = [
    ['its user', 'user.login.success', { user }, { userId: 'u-1', user }],
    ['nobody without a user', 'user.login.success', { userId: 'u-2', linkedObjectId: 'u-3' }, undefined],
    ['nobody where the user has no id', 'user.login.success', { user: { email: 'a@x' } }, undefined],
    [
      'who exists already',
      'user.loginId.duplicate.create',
      { existing: user, user: { id: 'rejected' } },
      { userId: 'u-1', user },
    ],
    ['nobody where nobody exists', 'user.loginId.duplicate.create', { user: { id: 'rejected' } }, undefined],
    [
      'who was changed, not who was in the way',
      'user.loginId.duplicate.update',
      { existing: { id: 'other' }, user },
      { userId: 'u-1', user },
    ],
    [
      'the actionee',
      'user.action',
      { actioneeUserId: 'u-1', actionerUserId: 'moderator' },
      { userId: 'u-1', user: {} },
    ],
    [
      'the actionee in the older spelling',
      'user.action',
      { actioneeId: 'u-1', actionerId: 'moderator' },
      { userId: 'u-1', user: {} },
    ],
    ['never the actioner', 'user.action', { actionerUserId: 'm', actionerId: 'm', user }, undefined],
    ['the user of a token', 'jwt.refresh', { userId: 'u-1' }, { userId: 'u-1', user: {} }],
    [
      'the user of a revoked token',
      'jwt.refresh-token.revoke',
      { userId: 'u-1' },
      { userId: 'u-1', user: {} },
    ],
    ['the user beside it', 'jwt.refresh-token.revoke', { user }, { userId: 'u-1', user }],
    [
      'the user in it',
      'jwt.refresh-token.revoke',
      { refreshToken: { userId: 'u-1' } },
      { userId: 'u-1', user: {} },
    ],
    [
      'nobody where an application’s are revoked',
      'jwt.refresh-token.revoke',
      { applicationId: 'a' },
      undefined,
    ],
  ];
  for (const [name, type, fields, expected] of cases) {
    test(`${type}: ${name}`, () => {
      assert.deepEqual(subject(type, fields), expected);
    });
  }
});

describe('the users of an event about many', () => {
  test('are those of the import, with their places', () => {
    const users = [{ id: 'u-1', email: 'a@x' }, { email: 'nobody' }, { id: 'u-2' }];

    assert.deepEqual(Array.from(subjectsOf(received({ type: 'user.bulk.create', users }), 'users')), [
      { userId: 'u-1', user: users[0], index: 0 },
      { userId: 'u-2', user: users[2], index: 2 },
    ]);
  });

  test('are the members’ user ids, not the ids of the memberships', () => {
    const members = [{ id: 'm-1', userId: 'u-1' }, { id: 'm-2' }];

    assert.deepEqual(
      Array.from(subjectsOf(received({ type: 'group.member.add.complete', members }), 'members')),
      [{ userId: 'u-1', user: {}, index: 0 }],
    );
  });

  for (const users of [undefined, null, 'u-1', { id: 'u-1' }, [], [null, 'u-1', ['u-1']]]) {
    test(`are none in ${inspect(users)}`, () => {
      assert.deepEqual(Array.from(subjectsOf(received({ type: 'user.bulk.create', users }), 'users')), []);
    });
  }
});
