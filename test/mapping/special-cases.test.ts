// Where FusionAuth is known to do what nobody expects.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { eventTypes } from '../../src/fusionauth/catalogue.ts';
import type { KnownEventType } from '../../src/fusionauth/catalogue.ts';
import { findDiscard } from '../../src/segment/checks.ts';
import type { Message } from '../../src/segment/message.ts';
import {
  identity,
  inWords,
  messagesOf,
  notesOf,
  received,
  receivedSample,
  trackOf,
} from '../support/mapped.ts';

const { userId } = identity;
const on = (type: KnownEventType) => ({ filters: [{ include: [type] }] });

describe('two spellings', () => {
  test('of user.two-factor.failed-attempt become the same message, under either naming', () => {
    const sample = receivedSample('user.two-factor.failed-attempt');
    const documented = received({ ...sample, type: 'user.two-factor.failed.attempt' });

    for (const naming of ['fusionauth', 'segment'] as const) {
      assert.deepEqual(messagesOf(documented, { naming }), messagesOf(sample, { naming }));
    }
    assert.equal(trackOf(documented).event, 'user.two-factor.failed-attempt');
  });

  test('of the fields of user.action become the same message', () => {
    const { actioneeUserId, actionerUserId, ...rest } = receivedSample('user.action');
    const documented = received({ ...rest, actioneeId: actioneeUserId, actionerId: actionerUserId });

    assert.deepEqual(messagesOf(documented), messagesOf(receivedSample('user.action')));
    assert.equal(trackOf(documented).userId, userId);
  });

  test('of which the newer is null or empty become the message of the older', () => {
    for (const empty of [null, '', 7]) {
      const newer = { actioneeUserId: empty, actionerUserId: empty };
      const track = trackOf(
        received({ type: 'user.action', ...newer, actioneeId: 'u-1', actionerId: 'u-2' }),
      );

      assert.equal(track.userId, 'u-1');
      assert.equal(track.properties['actionerUserId'], 'u-2');
    }
  });
});

describe('somebody else', () => {
  test('who was rejected by user.loginId.duplicate.create is named nowhere: he never existed', () => {
    const event = receivedSample('user.loginId.duplicate.create');
    const rejected = event.user?.['id'] as string;

    const messages = messagesOf(event);

    assert.notEqual(rejected, userId);
    assert.deepEqual(
      messages.map((message) => message.userId),
      [userId],
    );
    assert.ok(!JSON.stringify(messages).includes(rejected));
  });

  for (const existing of [undefined, null, {}, { id: '' }, { email: 'richard@example.com' }]) {
    test(`is not taken where the existing user is ${inspect(existing)}`, () => {
      assert.deepEqual(messagesOf(receivedSample('user.loginId.duplicate.create', { existing })), []);
    });
  }

  test('who was in the way of user.loginId.duplicate.update is a property, the user is the one who changed', () => {
    const event = receivedSample('user.loginId.duplicate.update');
    const existing = (event['existing'] as { id: string }).id;

    const track = trackOf(event);

    assert.equal(track.userId, userId);
    assert.equal(track.properties['existingUserId'], existing);
    assert.notEqual(existing, userId);
  });

  test('who took a user.action is never its user', () => {
    for (const actioner of ['actionerUserId', 'actionerId']) {
      assert.deepEqual(messagesOf(received({ type: 'user.action', [actioner]: 'moderator-1' })), []);
      assert.equal(
        trackOf(received({ type: 'user.action', actioneeUserId: 'u-1', [actioner]: 'moderator-1' })).userId,
        'u-1',
      );
    }
  });

  test('who wrote the audit log is nobody’s user', () => {
    assert.deepEqual(messagesOf(receivedSample('audit-log.create'), on('audit-log.create')), []);
  });

  for (const user of [undefined, null, {}, { id: '' }, { id: null }, { email: 'nobody@example.com' }]) {
    test(`who failed to log in as the user ${inspect(user)} becomes nothing, no anonymous user`, () => {
      const event = receivedSample('user.login.failed', { user });

      assert.deepEqual(messagesOf(event), []);
      assert.deepEqual(notesOf(event), [
        { by: 'rule', note: 'user.login.failed becomes nothing: this one names no user' },
      ]);
    });
  }

  test('whose token was revoked with all others of an application is not guessed', () => {
    const { createInstant, info, tenantId } = receivedSample('jwt.refresh-token.revoke');
    const event = {
      createInstant,
      info,
      tenantId,
      type: 'jwt.refresh-token.revoke',
      applicationId: 'app-1',
      applicationTimeToLiveInSeconds: { 'app-1': 3600 },
    };

    assert.deepEqual(messagesOf(received(event)), []);
    for (const named of [{ userId: 'u-1' }, { user: { id: 'u-1' } }, { refreshToken: { userId: 'u-1' } }]) {
      assert.equal(trackOf(received({ ...event, ...named })).userId, 'u-1');
    }
  });
});

describe('the two events of one deletion', () => {
  test('become one message id', () => {
    const before = trackOf(received({ ...receivedSample('user.delete'), id: 'event-1' }));
    const after = trackOf(received({ ...receivedSample('user.delete.complete'), id: 'event-2' }));

    assert.equal(before.messageId, after.messageId);
    assert.equal(before.event, after.event);
  });

  test('have another one than those of a user of the same id who was created later', () => {
    const first = received({ type: 'user.delete', user: { id: userId, insertInstant: 1 } });
    const second = received({ type: 'user.delete', user: { id: userId, insertInstant: 2 } });

    assert.notEqual(trackOf(first).messageId, trackOf(second).messageId);
  });

  test('each give the track alone, where the other never comes', () => {
    for (const type of ['user.delete', 'user.delete.complete'] as const) {
      assert.equal(
        inWords(messagesOf(received({ type, user: { id: 'u-1' } }))),
        'track user.delete.complete',
      );
    }
  });

  test('have an id that Segment takes, whatever the user’s is', () => {
    for (const id of ['u'.repeat(36), 'u'.repeat(37), 'u'.repeat(500)]) {
      const { messageId } = trackOf(received({ type: 'user.delete', user: { id, insertInstant: 2 ** 63 } }), {
        idSuffix: '-another',
      });

      assert.ok(messageId.length < 100, messageId);
      assert.ok(messageId.endsWith('-track-another'));
    }
  });
});

describe('an emptied list of registrations', () => {
  const ofRegistrations = eventTypes.filter((type) => type.startsWith('user.registration.'));

  test('comes with all seven events of a registration', () => {
    assert.equal(ofRegistrations.length, 7);
    for (const type of ofRegistrations) {
      assert.deepEqual(receivedSample(type).user?.['registrations'], []);
    }
  });

  for (const type of ofRegistrations) {
    test(`never becomes “no registrations”: ${type} tells its application and roles alone`, () => {
      const messages = messagesOf(receivedSample(type), on(type));

      assert.equal(inWords(messages), `track ${type}`);
      assert.ok(!JSON.stringify(messages).includes('registrations'));
      const { properties } = messages[0] as Extract<Message, { type: 'track' }>;
      assert.equal(properties['applicationId'], 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e');
      assert.deepEqual(properties['roles'], ['user']);
      assert.deepEqual(properties['previousRoles'], type.includes('update') ? ['guest'] : undefined);
    });
  }

  test('in an update is no trait: absent and empty say nothing', () => {
    for (const registrations of [undefined, null, []]) {
      const [identify] = messagesOf(
        received({ type: 'user.update.complete', user: { id: userId, registrations } }),
      );

      assert.ok(identify?.type === 'identify');
      assert.ok(!('registrations' in identify.traits));
    }
  });

  test('of roles, where the last one was taken away, is left out', () => {
    const track = trackOf(
      received({
        type: 'user.registration.update.complete',
        user: { id: userId },
        registration: { applicationId: 'a', roles: [] },
        original: { roles: ['admin'] },
      }),
    );

    assert.ok(!('roles' in track.properties));
    assert.deepEqual(track.properties['previousRoles'], ['admin']);
  });
});

describe('an instant out of range', () => {
  /** FusionAuth’s “for ever”, and its opposite. */
  const forEver = [9_223_372_036_854_775_807n, -9_223_372_036_854_775_808n];

  for (const instant of forEver) {
    test(`such as ${instant} does no harm to a user.action that never ends`, () => {
      const track = trackOf(receivedSample('user.action', { expiry: instant, createInstant: instant }));

      assert.ok(!('expiry' in track.properties));
      assert.ok(!('timestamp' in track));
      assert.equal(findDiscard(track), undefined);
    });

    for (const type of eventTypes) {
      test(`such as ${instant} does no harm anywhere in ${type}`, () => {
        const changed = received(withInstants(receivedSample(type), instant) as Record<string, unknown>);

        const messages = messagesOf(changed, on(type));

        assert.equal(inWords(messages), inWords(messagesOf(receivedSample(type), on(type))));
        for (const message of messages) {
          assert.equal(findDiscard(message), undefined);
          assert.ok(!/922337203685477/.test(JSON.stringify({ ...message, messageId: '' })));
        }
      });
    }
  }

  function withInstants(value: unknown, instant: bigint): unknown {
    if (Array.isArray(value)) return value.map((entry) => withInstants(entry, instant));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, held]) => [
        key,
        /Instant$|^expiry$/.test(key) ? instant : withInstants(held, instant),
      ]),
    );
  }
});

describe('the visitor’s id', () => {
  const login = (fields: Readonly<Record<string, unknown>>) =>
    received({ type: 'user.login.success', user: { id: userId }, ...fields });

  test('is what FusionAuth’s caller gave as eventInfo.data.anonymousId', () => {
    assert.equal(trackOf(login({ info: { data: { anonymousId: 'visitor-1' } } })).anonymousId, 'visitor-1');
  });

  test('comes with every message of an event about one user', () => {
    for (const message of messagesOf(receivedSample('user.create.complete'))) {
      assert.equal(message.anonymousId, '8d8ac610-566d-4ef0-9c22-186b2a5ed793');
    }
  });

  test('is taken from a configured path, and from no other', () => {
    const event = login({
      user: { id: userId, data: { segment: { ajs_anonymous_id: 'visitor-2' } } },
      info: { data: { anonymousId: 'visitor-1' } },
    });

    assert.equal(
      trackOf(event, { anonymousId: 'user.data.segment.ajs_anonymous_id' }).anonymousId,
      'visitor-2',
    );
    assert.equal(trackOf(event, { anonymousId: 'user.data.elsewhere' }).anonymousId, undefined);
  });

  for (const anonymousId of [undefined, null, '', 7, true, {}, ['visitor-1']]) {
    test(`is absent where it is ${inspect(anonymousId)}`, () => {
      assert.ok(!('anonymousId' in trackOf(login({ info: { data: { anonymousId } } }))));
    });
  }

  test('is nothing that an object inherits', () => {
    for (const path of ['constructor.name', '__proto__', 'info.toString.name', 'type.length']) {
      assert.ok(!('anonymousId' in trackOf(login({ info: {} }), { anonymousId: path })));
    }
  });

  test('is not that of the person who imported users or changed a group', () => {
    for (const type of ['user.bulk.create', 'group.member.add.complete'] as const) {
      for (const message of messagesOf(receivedSample(type))) assert.ok(!('anonymousId' in message));
    }
  });
});

describe('context.groupId', () => {
  const groupIdOf = (event: ReturnType<typeof received>, groupId?: 'tenant' | 'application') =>
    messagesOf(event, { groupId }).map(({ context }) => context['groupId']);

  test('is the tenant or the application where that is configured, else absent', () => {
    const login = receivedSample('user.login.success');

    assert.deepEqual(groupIdOf(login), [undefined]);
    assert.deepEqual(groupIdOf(login, 'tenant'), [login.tenantId]);
    assert.deepEqual(groupIdOf(login, 'application'), [login.applicationId]);
  });

  test('is absent where the event names none', () => {
    const login = received({ type: 'user.login.success', user: { id: userId } });

    assert.deepEqual(groupIdOf(login, 'tenant'), [undefined]);
    assert.deepEqual(groupIdOf(login, 'application'), [undefined]);
  });

  test('is the tenant of the user where the event names none', () => {
    const update = received({ type: 'user.update.complete', user: { id: userId, tenantId: 't-1' } });

    assert.deepEqual(groupIdOf(update, 'tenant'), ['t-1']);
  });
});

describe('a type that is off', () => {
  const included = (...include: string[]) => ({ filters: [{ include }] });

  test('is switched on by its full name, and not by a pattern', () => {
    const event = receivedSample('user.create');

    assert.equal(inWords(messagesOf(event, included('user.create'))), 'identify, track user.create');
    for (const pattern of ['*', 'user.*', 'user.create*', '*user.create', 'user.c*e']) {
      assert.deepEqual(messagesOf(event, included(pattern)), [], pattern);
    }
    assert.equal(
      inWords(messagesOf(event, included('user.*', 'user.create'))),
      'identify, track user.create',
    );
  });

  test('is switched on by one destination’s filter alone, if the common one lets it pass', () => {
    const event = receivedSample('jwt.refresh');

    assert.equal(
      inWords(messagesOf(event, { filters: [{ include: ['*'] }, { include: ['jwt.refresh'] }] })),
      'track jwt.refresh',
    );
    assert.deepEqual(
      messagesOf(event, { filters: [{ include: ['user.*'] }, { include: ['jwt.refresh'] }] }),
      [],
    );
  });

  test('stays off where another filter excludes it', () => {
    const filters = [{ include: ['user.create'], exclude: ['*.create'] }];

    assert.deepEqual(messagesOf(receivedSample('user.create'), { filters }), []);
  });

  test('says why, and how it is switched on', () => {
    assert.deepEqual(notesOf(receivedSample('user.create')), [
      {
        by: 'rule',
        note: 'user.create becomes nothing: user.create.complete comes when it is committed; events.include switches it on by its full name',
      },
    ]);
  });
});

test('an event-log.create never becomes anything, whatever switches it on or it holds', () => {
  const event = receivedSample('event-log.create', {
    user: { id: userId },
    userId,
    users: [{ id: userId }],
    members: [{ userId }],
  });

  for (const include of [['event-log.create'], ['*'], ['event-log.*', 'event-log.create']]) {
    assert.deepEqual(messagesOf(event, { filters: [{ include }] }), []);
  }
});

describe('an address verified or changed', () => {
  for (const type of ['user.identity.verified', 'user.identity.update'] as const) {
    test(`comes as another event too, so ${type} of an e-mail address adds no second track`, () => {
      const event = receivedSample(type, { loginIdType: 'email' });

      assert.equal(inWords(messagesOf(event)), 'identify');
      assert.match(notesOf(event).at(-1)?.note ?? '', /^user\.identity\.\w+ becomes no track: for an e-mail/);
    });

    for (const loginIdType of ['phoneNumber', 'username', undefined]) {
      test(`does not, so ${type} of ${loginIdType ?? 'whatever'} has a track of its own`, () => {
        const event = receivedSample(type, { loginIdType });

        assert.equal(inWords(messagesOf(event)), `identify, track ${type}`);
      });
    }
  }
});

describe('an event sent before its commit', () => {
  test('has the user as it was: a deactivated one is not active, a reactivated one is', () => {
    const activeOf = (type: KnownEventType, active: boolean) => {
      const [identify] = messagesOf(received({ type, user: { id: userId, active } }));
      return identify?.type === 'identify' ? identify.traits['active'] : undefined;
    };

    assert.deepEqual(
      [true, false].map((active) => activeOf('user.deactivate', active)),
      [false, false],
    );
    assert.deepEqual(
      [true, false].map((active) => activeOf('user.reactivate', active)),
      [true, true],
    );
  });
});

describe('members of a group', () => {
  const members = [{ userId: 'u-1' }, null, { id: 'no user' }, { userId: '' }, { userId: 'u-2' }];
  const group = { id: 'g-1', name: 'Pied Piper', roles: { 'app-1': [{ name: 'admin' }] } };

  test('become a group each, with the traits of the group, none without a user', () => {
    const messages = messagesOf(received({ type: 'group.member.add.complete', group, members }));

    assert.deepEqual(
      messages.map(
        (message) => message.type === 'group' && [message.userId, message.groupId, message.traits],
      ),
      [
        ['u-1', 'g-1', { name: 'Pied Piper' }],
        ['u-2', 'g-1', { name: 'Pied Piper' }],
      ],
    );
    assert.equal(new Set(messages.map(({ messageId }) => messageId)).size, 2);
  });

  test('become nothing where the group has no id', () => {
    const event = received({ type: 'group.member.add.complete', group: { name: 'x' }, members });

    assert.deepEqual(messagesOf(event), []);
    assert.equal(notesOf(event)[0]?.note, 'group.member.add.complete becomes no group: its group has no id');
  });

  test('that are removed become a track each, with the group but not its roles, keyed by application', () => {
    const messages = messagesOf(received({ type: 'group.member.remove.complete', group, members }));

    assert.deepEqual(
      messages.map((message) => message.type === 'track' && [message.userId, message.properties]),
      ['u-1', 'u-2'].map((id) => [
        id,
        { group: { id: 'g-1', name: 'Pied Piper' }, groupId: 'g-1', groupName: 'Pied Piper' },
      ]),
    );
  });
});

test('imported users become an identify each, one by one, with an id of its own', () => {
  const users = Array.from({ length: 10_000 }, (_, index) => ({ id: `u-${index}`, email: `${index}@x` }));
  const messages = messagesOf(received({ type: 'user.bulk.create', users }));

  assert.equal(messages.length, 10_000);
  assert.equal(new Set(messages.map(({ messageId }) => messageId)).size, 10_000);
  assert.deepEqual(
    [messages[0], messages[9_999]].map((message) => message?.type === 'identify' && message.traits),
    [{ email: '0@x' }, { email: '9999@x' }],
  );
});

describe('a visitor', () => {
  const info = { data: { anonymousId: 'visitor-1' } };

  test('is joined with the user who logged in', () => {
    assert.equal(trackOf(receivedSample('user.login.success', { info })).anonymousId, 'visitor-1');
  });

  for (const type of [
    'user.login.failed',
    'user.login.suspicious',
    'user.password.reset.start',
    'user.two-factor.failed-attempt',
    'user.loginId.duplicate.create',
    'user.action',
  ] as const) {
    test(`is not joined with the user whom ${type} is about: it may be anybody`, () => {
      const track = trackOf(receivedSample(type, { info }));

      assert.equal(track.anonymousId, undefined);
      assert.ok(!JSON.stringify(track).includes('visitor-1'));
    });
  }

  test('is read from each user of an import, where that is what is configured', () => {
    const users = [
      { id: 'u-1', data: { visitor: 'v-1' } },
      { id: 'u-2', data: {} },
      { id: 'u-3', data: { visitor: 'v-3' } },
    ];

    const messages = messagesOf(received({ type: 'user.bulk.create', users, info }), {
      anonymousId: 'user.data.visitor',
    });

    assert.deepEqual(
      messages.map((message) => message.anonymousId),
      ['v-1', undefined, 'v-3'],
    );
  });
});

describe('a filter by application', () => {
  test('lets those users of an import pass who are registered for it', () => {
    const users = ['a', 'b', 'a'].map((applicationId, index) => ({
      id: `u-${index}`,
      registrations: [{ applicationId }],
    }));

    const messages = messagesOf(received({ type: 'user.bulk.create', users }), {
      filters: [{ applications: ['a'] }],
    });

    assert.deepEqual(
      messages.map((message) => message.userId),
      ['u-0', 'u-2'],
    );
  });
});

test('the track of an identity is made where the other event of it is not delivered', () => {
  const event = receivedSample('user.identity.verified', { loginIdType: 'email' });

  assert.equal(inWords(messagesOf(event)), 'identify');
  assert.equal(
    inWords(messagesOf(event, { filters: [{ include: ['user.identity.*'] }] })),
    'identify, track user.identity.verified',
  );
});

test('who excludes one of the two events of a deletion excludes both', () => {
  for (const type of ['user.delete', 'user.delete.complete'] as const) {
    const filters = [{ exclude: ['user.delete.complete'] }];

    assert.deepEqual(messagesOf(receivedSample(type), { filters }), []);
  }
});

test('an e-mail address that was verified is never told as not verified', () => {
  const user = {
    id: 'u',
    verified: false,
    identities: [{ type: 'username', primary: true, verified: false }],
  };

  for (const type of ['user.email.verified', 'user.identity.verified']) {
    const [identify] = messagesOf(received({ type, loginIdType: 'email', user }));

    assert.ok(identify?.type === 'identify');
    assert.equal(identify.traits['verified'], true);
  }
});
