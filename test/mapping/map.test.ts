// A message, part by part: its id, its time, its traits, its context and its properties. What each type becomes as a
// whole is in every-type.test.ts and in golden/.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventTypes } from '../../src/fusionauth/catalogue.ts';
import { parseWebhookBody } from '../../src/fusionauth/event.ts';
import type { FusionAuthEvent } from '../../src/fusionauth/event.ts';
import { createMapper, createMapping } from '../../src/mapping/map.ts';
import type { JsonMap, Message } from '../../src/segment/message.ts';
import {
  identity,
  inWords,
  library,
  mapAll,
  messagesOf,
  notesOf,
  received,
  receivedSample,
  trackOf,
} from '../support/mapped.ts';
import type { EventFields } from '../support/mapped.ts';

const emptyThings: [string, unknown][] = [
  ['absent', undefined],
  ['null', null],
  ['an empty text', ''],
  ['an empty list', []],
  ['an empty object', {}],
];
/** What FusionAuth writes for "for ever", and other numbers that no date has. */
const numbersWithoutDate: [string, unknown][] = [
  ['Long.MAX', 9_223_372_036_854_775_807n],
  ['Long.MIN', -9_223_372_036_854_775_808n],
  ['a millisecond after the year 9999', 253_402_300_800_000],
  ['a millisecond before the year 1', -62_135_596_800_001],
  ['a millisecond after JavaScript’s last', 8_640_000_000_000_001],
];
const noInstants: [string, unknown][] = [
  ...numbersWithoutDate,
  ['a text', '1767225600000'],
  ['a boolean', true],
  ['a list', [1_767_225_600_000]],
];

function eventOf(fields: EventFields): FusionAuthEvent {
  return received({ type: 'user.update.complete', ...fields });
}

/** The one message of an event with these fields. */
function messageOf(fields: EventFields): Message {
  const messages = messagesOf(eventOf(fields));
  assert.equal(messages.length, 1);
  return messages[0] as Message;
}

function traitsOf(user: EventFields, fields: EventFields = {}): JsonMap {
  const message = messageOf({ user: { id: identity.userId, ...user }, ...fields });
  assert.ok(message.type === 'identify');
  return message.traits;
}

function contextOf(fields: EventFields): JsonMap {
  return messageOf({ user: { id: identity.userId }, ...fields }).context;
}

function propertiesOf(fields: EventFields): JsonMap {
  return trackOf(received({ type: 'user.login.success', user: { id: identity.userId }, ...fields }))
    .properties;
}

describe('an event that becomes no message', () => {
  const none: [string, EventFields][] = [
    ['has no user', {}],
    ['has the user null', { user: null }],
    ['has a user without an id', { user: { email: 'richard@example.com' } }],
    ['has a user with an empty id', { user: { id: '' } }],
    ['has a user whose id is null', { user: { id: null } }],
    ['has a user whose id is a number', { user: { id: 1 } }],
    ['is of a type about no user', { type: 'group.create.complete', user: { id: '1' } }],
    ['is of a type that is off', { type: 'user.create', user: { id: '1' } }],
    ['is of a type that nobody knows', { type: 'user.teleport', user: { id: '1' } }],
    ['is of a type that almost is one', { type: 'USER.CREATE.COMPLETE', user: { id: '1' } }],
    ['is of a type named constructor', { type: 'constructor', user: { id: '1' } }],
    ['is of a type named __proto__', { type: '__proto__', user: { id: '1' } }],
    ['is of a type named toString', { type: 'toString', user: { id: '1' } }],
  ];
  for (const [name, fields] of none) {
    test(name, () => {
      const event = eventOf(fields);

      assert.deepEqual(messagesOf(event), []);
      assert.match(notesOf(event)[0]?.note ?? '', / becomes nothing: /);
    });
  }
});

describe('the message id', () => {
  test('holds the event’s id and the kind of message, the same each time', () => {
    const login = messageOf({ id: 'event-1', type: 'user.login.success', user: { id: '1' } });
    const update = messageOf({ id: 'event-1', type: 'user.update.complete', user: { id: '1' } });

    assert.deepEqual(
      [login.messageId, update.messageId],
      ['fusionauth-event-1-track', 'fusionauth-event-1-identify'],
    );
  });

  test('has fewer than 100 characters for the longest id that an event may have', () => {
    for (const type of eventTypes) {
      const event = received({ ...receivedSample(type), id: '~'.repeat(64) });

      for (const { messageId } of messagesOf(event, { filters: [{ include: [type] }] })) {
        assert.ok(messageId.includes('~'.repeat(64)) || messageId.includes(identity.userId));
        assert.ok(messageId.length < 100);
      }
    }
  });

  test('has fewer than 100 characters for FusionAuth’s ids at a destination of the longest name', () => {
    const idSuffix = `-${'n'.repeat(24)}`;
    for (const type of eventTypes) {
      for (const { messageId } of messagesOf(receivedSample(type), {
        filters: [{ include: [type] }],
        idSuffix,
      })) {
        assert.ok(messageId.endsWith(idSuffix));
        assert.ok(messageId.length < 100, messageId);
      }
    }
  });

  test('ends in the suffix of a further destination', () => {
    const event = eventOf({ id: 'event-1', user: { id: '1' } });

    assert.deepEqual(
      messagesOf(event, { idSuffix: '-staging' }).map(({ messageId }) => messageId),
      ['fusionauth-event-1-identify-staging'],
    );
  });
});

describe('the time of a message', () => {
  const times: [string, unknown, string | undefined][] = [
    ['that the event happened', 1_767_225_600_123, '2026-01-01T00:00:00.123Z'],
    ['of the first millisecond of 1970', 0, '1970-01-01T00:00:00.000Z'],
    ['before 1970', -1, '1969-12-31T23:59:59.999Z'],
    ['of the last millisecond of 9999', 253_402_300_799_999, '9999-12-31T23:59:59.999Z'],
    ['that is absent', undefined, undefined],
    ['that is null', null, undefined],
  ];
  for (const [name, createInstant, expected] of times) {
    test(`${name} is ${expected ?? 'left to Segment'}`, () => {
      const message = messageOf({ createInstant, user: { id: '1' } });

      assert.equal(message.timestamp, expected);
      assert.equal(Object.hasOwn(message, 'timestamp'), expected !== undefined);
    });
  }

  for (const [name, createInstant] of numbersWithoutDate) {
    test(`that is ${name} is left to Segment`, () => {
      const message = messageOf({ createInstant, user: { id: '1' } });

      assert.equal(Object.hasOwn(message, 'timestamp'), false);
    });
  }
});

const instant = 1_767_225_600_000;
const iso = '2026-01-01T00:00:00.000Z';

describe('the traits of FusionAuth’s guide', () => {
  /** From `event.user`, under FusionAuth’s own names. */
  const traits: [string, unknown, unknown][] = [
    [
      'data',
      { colour: 'green', token: 'a word', deep: { list: [1, null, ''] } },
      { colour: 'green', token: 'a word', deep: { list: [1, null, ''] } },
    ],
    ['email', 'richard@example.com', 'richard@example.com'],
    ['firstName', 'Richard', 'Richard'],
    ['lastName', 'Hendricks', 'Hendricks'],
    ['active', true, true],
    ['birthDate', '1985-11-23', '1985-11-23'],
    ['connectorId', 'connector-1', 'connector-1'],
    ['insertInstant', instant, iso],
    ['lastLoginInstant', instant, iso],
    ['lastUpdateInstant', instant, iso],
    [
      'memberships',
      [{ id: 'm', groupId: 'g', insertInstant: instant }],
      [{ id: 'm', groupId: 'g', insertInstant: iso }],
    ],
    ['passwordChangeRequired', true, true],
    ['passwordLastUpdateInstant', instant, iso],
    ['preferredLanguages', ['en_US', 'fr'], ['en_US', 'fr']],
    [
      'registrations',
      [{ applicationId: 'a', roles: ['user'], data: { usedInstant: instant }, verifiedInstant: instant }],
      [{ applicationId: 'a', roles: ['user'], data: { usedInstant: instant }, verifiedInstant: iso }],
    ],
    ['tenantId', 'tenant-1', 'tenant-1'],
    [
      'twoFactor',
      { methods: [{ id: 'x', lastUsed: true, unknownInstant: instant }] },
      { methods: [{ id: 'x', lastUsed: true }] },
    ],
    ['usernameStatus', 'ACTIVE', 'ACTIVE'],
    ['verified', true, true],
    ['verifiedInstant', instant, iso],
  ];
  for (const [name, value, expected] of traits) {
    test(`${name} is taken from the user`, () => {
      assert.deepEqual(traitsOf({ [name]: value })[name], expected);
    });
  }

  // The tenantId alone stands at both places.
  for (const [name, value] of traits.filter(([trait]) => trait !== 'tenantId')) {
    test(`${name} is not taken from beside the user, where the guide looks for it`, () => {
      assert.equal(traitsOf({}, { [name]: value })[name], undefined);
    });
  }

  for (const [name, value] of emptyThings) {
    test(`what is ${name} is left out, each by itself and all at once`, () => {
      for (const [trait] of traits) assert.deepEqual(traitsOf({ [trait]: value }), {});
      assert.deepEqual(traitsOf(Object.fromEntries(traits.map(([trait]) => [trait, value]))), {});
    });
  }

  test('registrations that FusionAuth empties on purpose are left out and not sent as none', () => {
    assert.deepEqual(traitsOf({ registrations: [], memberships: [], twoFactor: { methods: [] } }), {});
  });

  test('false is kept', () => {
    const falseTraits = { active: false, passwordChangeRequired: false, verified: false };

    assert.deepEqual(traitsOf(falseTraits), falseTraits);
  });

  const instants = traits.map(([name]) => name).filter((name) => name.endsWith('Instant'));
  for (const [name, value] of noInstants) {
    test(`an instant that is ${name} is left out`, () => {
      for (const trait of instants) assert.deepEqual(traitsOf({ [trait]: value }), {});
      assert.deepEqual(traitsOf({ memberships: [{ id: 'm', insertInstant: value }] }), {
        memberships: [{ id: 'm' }],
      });
    });
  }

  test('a tenantId of the user alone is taken; the event’s own comes first', () => {
    assert.equal(traitsOf({ tenantId: 'of the user' })['tenantId'], 'of the user');
    assert.equal(
      traitsOf({ tenantId: 'of the user' }, { tenantId: 'of the event' })['tenantId'],
      'of the event',
    );
  });

  test('the former user of an update is not taken', () => {
    assert.deepEqual(traitsOf({ firstName: 'Richard' }, { original: { firstName: 'Dick', lastName: 'H' } }), {
      firstName: 'Richard',
      name: 'Richard',
    });
  });

  test('a key named __proto__ in data is kept as a key', () => {
    const event = parseWebhookBody(
      Buffer.from('{"id":"1","type":"user.update.complete","user":{"id":"1","data":{"__proto__":{"a":1}}}}'),
    );

    assert.match(JSON.stringify(messagesOf(event)), /"traits":\{"data":\{"__proto__":\{"a":1\}\}\}/);
  });
});

describe('the traits that Segment reserves', () => {
  const reserved: [string, string, EventFields, unknown][] = [
    ['name', 'the full name', { fullName: 'Richard Hendricks', firstName: 'Dick' }, 'Richard Hendricks'],
    ['name', 'first, middle and last name', { firstName: 'R', middleName: 'J', lastName: 'H' }, 'R J H'],
    ['name', 'the last name alone', { lastName: 'Hendricks', firstName: '' }, 'Hendricks'],
    ['name', 'no name', { firstName: null }, undefined],
    ['phone', 'the mobile phone', { mobilePhone: '+1', phoneNumber: '+2' }, '+1'],
    ['phone', 'the phone number', { phoneNumber: '+2' }, '+2'],
    ['username', 'the username', { username: 'richard', uniqueUsername: 'richard-1' }, 'richard'],
    ['birthday', 'the birth date', { birthDate: '1985-11-23' }, '1985-11-23'],
    ['createdAt', 'the insert instant', { insertInstant: instant }, iso],
    ['createdAt', 'no insert instant', { insertInstant: null }, undefined],
    ['avatar', 'the image', { imageUrl: 'https://www.example.com/r.png' }, 'https://www.example.com/r.png'],
  ];
  for (const [trait, name, user, expected] of reserved) {
    test(`${trait} comes from ${name}`, () => {
      assert.equal(traitsOf(user)[trait], expected);
    });
  }

  const identityOf = (type: string, value: unknown, rest: EventFields = {}) => ({ type, value, ...rest });
  const fallbacks: [string, string, EventFields, unknown][] = [
    [
      'email',
      'the primary identity',
      { identities: [identityOf('email', 'b@x'), identityOf('email', 'a@x', { primary: true })] },
      'a@x',
    ],
    [
      'email',
      'the first identity, where none is primary',
      { identities: [identityOf('email', 'b@x')] },
      'b@x',
    ],
    [
      'email',
      'the user, whatever the identities say',
      { email: 'u@x', identities: [identityOf('email', 'b@x')] },
      'u@x',
    ],
    [
      'email',
      'the identities, where the user’s is empty',
      { email: '', identities: [identityOf('email', 'b@x')] },
      'b@x',
    ],
    [
      'username',
      'its identity',
      { identities: [identityOf('email', 'a@x'), identityOf('username', 'r')] },
      'r',
    ],
    ['phone', 'its identity', { identities: [identityOf('phoneNumber', '+3')] }, '+3'],
    [
      'verified',
      'the primary identity',
      { identities: [identityOf('email', 'a@x', { primary: true, verified: false })] },
      false,
    ],
    [
      'verified',
      'no identity that is not primary',
      { identities: [identityOf('email', 'a@x', { verified: true })] },
      undefined,
    ],
    [
      'verified',
      'the user, whatever the identities say',
      { verified: false, identities: [identityOf('email', 'a@x', { primary: true, verified: true })] },
      false,
    ],
    [
      'email',
      'no identity of another kind',
      { identities: [identityOf('username', 'r', { primary: true })] },
      undefined,
    ],
    ['email', 'no identity without a text', { identities: [identityOf('email', { a: 1 })] }, undefined],
    ['email', 'no identities that are no list', { identities: { type: 'email', value: 'a@x' } }, undefined],
    [
      'email',
      'no identity that is no object',
      { identities: ['a@x', null, 1, [identityOf('email', 'a@x')]] },
      undefined,
    ],
    [
      'verified',
      'no identity that says neither',
      { identities: [{ primary: true, verified: 'yes' }] },
      undefined,
    ],
  ];
  for (const [trait, name, user, expected] of fallbacks) {
    test(`${trait} comes from ${name}`, () => {
      assert.equal(traitsOf(user)[trait], expected);
    });
  }
});

describe('the context', () => {
  const contexts: [string, EventFields, JsonMap][] = [
    ['no info holds the library alone', {}, { library }],
    ['the info null holds the library alone', { info: null }, { library }],
    [
      'empty things in its info leaves them out',
      { info: { ipAddress: '', userAgent: null, deviceName: '', deviceType: '' }, tenantId: '' },
      { library },
    ],
    [
      'a device names it as Segment does and as the guide does',
      { info: { deviceName: 'iPhone', deviceType: 'MOBILE' } },
      { device: { name: 'iPhone', type: 'MOBILE' }, deviceName: 'iPhone', deviceType: 'MOBILE', library },
    ],
    [
      'half a device names that half',
      { info: { deviceType: 'MOBILE' } },
      { device: { type: 'MOBILE' }, deviceType: 'MOBILE', library },
    ],
    ['an address in its info has it', { info: { ipAddress: '2001:db8::1' } }, { ip: '2001:db8::1', library }],
    ['an address beside its info has that', { ipAddress: '203.0.113.1' }, { ip: '203.0.113.1', library }],
    [
      'an empty address in its info has the one beside it',
      { info: { ipAddress: '' }, ipAddress: '203.0.113.1' },
      { ip: '203.0.113.1', library },
    ],
    [
      'two addresses has the one in its info',
      { info: { ipAddress: '203.0.113.2' }, ipAddress: '203.0.113.1' },
      { ip: '203.0.113.2', library },
    ],
    [
      'things of the wrong kind leaves them out',
      {
        info: { ipAddress: 1, userAgent: {}, deviceName: [], deviceType: true },
        applicationId: 7,
        ipAddress: {},
      },
      { library },
    ],
    [
      'an operating system names it as Segment does',
      { info: { os: 'macOS' } },
      { os: { name: 'macOS' }, library },
    ],
    [
      'a location has what Segment and maps need of it',
      {
        info: {
          location: {
            city: 'Denver',
            country: 'US',
            displayString: 'Denver, CO, US',
            latitude: 0,
            longitude: -1,
          },
        },
      },
      { location: { city: 'Denver', country: 'US', latitude: 0, longitude: -1 }, library },
    ],
    [
      'a location of the wrong kind has none',
      { info: { os: ['macOS'], location: { city: 1, latitude: '39' } } },
      { library },
    ],
    [
      'languages has the first one as Segment writes it',
      { user: { id: '1', preferredLanguages: ['zh_Hant_TW', 'fr'] } },
      { locale: 'zh-Hant-TW', library },
    ],
    [
      'a language that is no text has none',
      { user: { id: '1', preferredLanguages: [null, 'fr'] } },
      { library },
    ],
    ['languages as a text has none', { user: { id: '1', preferredLanguages: 'fr' } }, { library }],
    [
      'a time zone has it',
      { user: { id: '1', timezone: 'Europe/Vienna' } },
      { timezone: 'Europe/Vienna', library },
    ],
    ['an application has it', { applicationId: 'app-1' }, { applicationId: 'app-1', library }],
    [
      'a tenant has it',
      { tenantId: 'tenant-1', user: { id: '1', tenantId: 't-2' } },
      { tenantId: 'tenant-1', library },
    ],
    [
      'a tenant of its user alone has that',
      { user: { id: '1', tenantId: 't-2' } },
      { tenantId: 't-2', library },
    ],
  ];
  for (const [name, fields, expected] of contexts) {
    test(`of an event with ${name}`, () => {
      assert.deepEqual(contextOf(fields), expected);
    });
  }
});

describe('the properties of a login', () => {
  test('are its application, tenant, connector and how it was done', () => {
    const fields = {
      applicationId: 'app-1',
      authenticationType: 'GOOGLE',
      connectorId: 'connector-1',
      identityProviderId: 'provider-1',
      identityProviderName: 'Google',
      tenantId: 'tenant-1',
    };

    assert.deepEqual(propertiesOf(fields), fields);
  });

  test('are none where the event says nothing', () => {
    assert.deepEqual(propertiesOf({}), {});
  });

  test('hold neither what is empty nor what is of the wrong kind', () => {
    assert.deepEqual(
      propertiesOf({ applicationId: '', authenticationType: null, connectorId: { a: 1 } }),
      {},
    );
  });
});

describe('the traits that FusionAuth’s guide does not have', () => {
  const more: [string, unknown, unknown][] = [
    ['middleName', 'Thomas', 'Thomas'],
    ['parentEmail', 'parent@example.com', 'parent@example.com'],
    ['breachedPasswordStatus', 'None', 'None'],
    ['breachedPasswordLastCheckedInstant', instant, iso],
    ['expiry', instant, iso],
    ['legacyIdentifier', 'hooli-42', 'hooli-42'],
    ['passwordChangeReason', 'Expired', 'Expired'],
    ['twoFactorEnabled', false, false],
  ];
  for (const [name, value, expected] of more) {
    test(`${name} is taken from the user`, () => {
      assert.deepEqual(traitsOf({ [name]: value })[name], expected);
    });
  }

  test('are none that the catalogue does not know: a new one might be a secret', () => {
    assert.deepEqual(traitsOf({ newToken: 'x', identities: [{ type: 'email' }], id2: 'x' }), {});
    assert.deepEqual(traitsOf({ registrations: [{ id: 'r', newToken: 'x' }] }), {
      registrations: [{ id: 'r' }],
    });
  });
});

describe('a mapping', () => {
  test('is lazy: the messages of an import are made when they are asked for', () => {
    let reads = 0;
    const users = Array.from({ length: 100 }, (_, index) => ({
      id: `u-${index}`,
      get email() {
        reads++;
        return 'x';
      },
    }));
    const event = { id: 'event-1', type: 'user.bulk.create', users } as unknown as FusionAuthEvent;

    const messages = createMapper({ library }).map(event)[Symbol.iterator]();
    messages.next();
    messages.next();

    assert.ok(reads > 0 && reads < 10, String(reads));
  });

  test('of a record’s body is that of the event in it', () => {
    const event = receivedSample('user.create.complete');

    assert.deepEqual([...createMapping({ library })(JSON.stringify(event))], messagesOf(event));
  });

  test('applies the privacy policy last, to what the user’s own code has made too', () => {
    const event = eventOf({ user: { id: '1', email: 'a@x' } });

    const messages = messagesOf(event, {
      privacy: { policies: [{ 'traits.email': 'drop', 'traits.copy': 'drop' }], salt: 's' },
      map: (_event, made) =>
        made.map((message) =>
          message.type === 'identify'
            ? { ...message, traits: { ...message.traits, copy: 'a@x', kept: true } }
            : message,
        ),
    });

    assert.deepEqual(
      messages.map((message) => message.type === 'identify' && message.traits),
      [{ kept: true }],
    );
  });

  test('tells of each step: the rule’s messages, the user’s code and the policy', () => {
    const event = eventOf({ id: 'e', user: { id: '1', email: 'a@x' } });

    const notes = notesOf(event, {
      privacy: { policies: [{ 'traits.email': 'drop' }], salt: 's' },
      map: (_event, messages) => messages,
    });

    assert.deepEqual(notes, [
      { by: 'rule', note: 'user.update.complete tells profile: identify fusionauth-e-identify' },
      { by: 'map', note: 'was given 1 messages and returned 1' },
      { by: 'privacy', note: 'fusionauth-e-identify: traits.email: drop, by traits.email' },
    ]);
  });

  test('of an event that a filter stops is nothing, and the user’s own code never sees it', () => {
    const event = eventOf({ user: { id: '1' } });
    const options = {
      filters: [{ exclude: ['user.*'] }],
      map: () => {
        throw new Error('never called');
      },
    };

    assert.deepEqual(mapAll(event, options), []);
    assert.deepEqual(notesOf(event, options), [
      {
        by: 'filter',
        note: 'events.exclude has a pattern for user.update.complete: the event becomes nothing',
      },
    ]);
  });

  test('has the identify before the track of one event', () => {
    for (const type of eventTypes) {
      const words = inWords(messagesOf(receivedSample(type), { filters: [{ include: [type] }] }));

      assert.match(words, /^(?:nothing|identify(?:, track .+)?|track [^,]+|group)$/);
    }
  });
});
