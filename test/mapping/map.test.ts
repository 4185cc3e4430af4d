import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { catalogue } from '../../src/fusionauth/catalogue.ts';
import { parseWebhookBody } from '../../src/fusionauth/event.ts';
import type { FusionAuthEvent } from '../../src/fusionauth/event.ts';
import { sampleEvent, sampleTypes } from '../../src/fusionauth/samples.ts';
import type { SampleType } from '../../src/fusionauth/samples.ts';
import { mapEvent, messageKindsOf } from '../../src/mapping/map.ts';
import type { JsonMap, Message } from '../../src/segment/message.ts';

type Fields = Readonly<Record<string, unknown>>;

const options = { library: { name: 'fusionauth-segment', version: '1.2.3' } };
const identity = {
  eventId: 'f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e',
  userId: 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0',
  createInstant: 1_767_225_600_000,
};
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

/** JSON that may hold a 64-bit number, as Java writes it. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? `long:${part}` : part,
  ).replaceAll(/"long:(-?\d+)"/g, '$1');
}

function eventOf(fields: Fields): FusionAuthEvent {
  return parseWebhookBody(
    Buffer.from(jsonOf({ event: { id: identity.eventId, type: 'user.update.complete', ...fields } })),
  );
}

/** The one message of an event with these fields. */
function messageOf(fields: Fields): Message {
  const messages = mapEvent(eventOf(fields), options);
  assert.equal(messages.length, 1);
  return messages[0] as Message;
}

function traitsOf(user: Fields, fields: Fields = {}): JsonMap {
  const message = messageOf({ user: { id: identity.userId, ...user }, ...fields });
  assert.ok(message.type === 'identify');
  return message.traits;
}

function contextOf(fields: Fields): JsonMap {
  return messageOf({ user: { id: identity.userId }, ...fields }).context;
}

function propertiesOf(fields: Fields): JsonMap {
  const message = messageOf({ type: 'user.login.success', user: { id: identity.userId }, ...fields });
  assert.ok(message.type === 'track');
  return message.properties;
}

/** The whole of what each sample becomes. */
const expectedOf = {
  'user.create.complete': [
    {
      type: 'identify',
      messageId: 'fusionauth-f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e-identify',
      userId: 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0',
      timestamp: '2026-01-01T00:00:00.000Z',
      context: {
        ip: '203.0.113.42',
        userAgent:
          'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
        device: { name: 'macOS Chrome', type: 'BROWSER' },
        deviceName: 'macOS Chrome',
        deviceType: 'BROWSER',
        locale: 'en-US',
        timezone: 'America/Los_Angeles',

        tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
        library: { name: 'fusionauth-segment', version: '1.2.3' },
      },
      traits: {
        data: { favouriteColour: 'green', seats: 3 },
        email: 'richard.c2a5f5a8@example.com',
        firstName: 'Richard',
        lastName: 'Hendricks',
        active: true,
        birthDate: '1985-11-23',
        connectorId: 'e3306678-a53a-4964-9040-1c96f36dda72',
        insertInstant: '2026-01-01T00:00:00.000Z',
        lastUpdateInstant: '2026-01-01T00:00:00.000Z',
        passwordChangeRequired: false,
        passwordLastUpdateInstant: '2026-01-01T00:00:00.000Z',
        preferredLanguages: ['en_US', 'fr'],
        registrations: [
          {
            id: '5cb9e8b8-3b1e-4d1e-9c1d-3c2c8f6b1c11',
            applicationId: 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e',
            roles: ['user'],
            insertInstant: '2026-01-01T00:00:00.000Z',
            lastLoginInstant: '2026-01-01T00:00:00.000Z',
            verified: true,
          },
        ],
        tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
        twoFactor: { methods: [{ id: '7GK2', method: 'authenticator' }] },
        usernameStatus: 'ACTIVE',
        verified: true,
        verifiedInstant: '2026-01-01T00:00:00.000Z',
        name: 'Richard Hendricks',
        phone: '+1 555 0100',
        username: 'richard',
        birthday: '1985-11-23',
        createdAt: '2026-01-01T00:00:00.000Z',
        avatar: 'https://www.example.com/richard.png',
      },
    },
  ],
  'user.email.update': [
    {
      type: 'identify',
      messageId: 'fusionauth-f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e-identify',
      userId: 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0',
      timestamp: '2026-01-01T00:00:00.000Z',
      context: {
        ip: '203.0.113.42',
        userAgent:
          'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
        device: { name: 'macOS Chrome', type: 'BROWSER' },
        deviceName: 'macOS Chrome',
        deviceType: 'BROWSER',
        locale: 'en-US',
        timezone: 'America/Los_Angeles',

        tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
        library: { name: 'fusionauth-segment', version: '1.2.3' },
      },
      traits: {
        data: { favouriteColour: 'green', seats: 3 },
        email: 'richard.c2a5f5a8@example.com',
        firstName: 'Richard',
        lastName: 'Hendricks',
        active: true,
        birthDate: '1985-11-23',
        connectorId: 'e3306678-a53a-4964-9040-1c96f36dda72',
        insertInstant: '2025-12-31T00:00:00.000Z',
        lastUpdateInstant: '2025-12-31T00:00:00.000Z',
        passwordChangeRequired: false,
        passwordLastUpdateInstant: '2025-12-31T00:00:00.000Z',
        preferredLanguages: ['en_US', 'fr'],
        registrations: [
          {
            id: '5cb9e8b8-3b1e-4d1e-9c1d-3c2c8f6b1c11',
            applicationId: 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e',
            roles: ['user'],
            insertInstant: '2025-12-31T00:00:00.000Z',
            lastLoginInstant: '2025-12-31T00:00:00.000Z',
            verified: true,
          },
        ],
        tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
        twoFactor: { methods: [{ id: '7GK2', method: 'authenticator' }] },
        usernameStatus: 'ACTIVE',
        verified: true,
        verifiedInstant: '2025-12-31T00:00:00.000Z',
        name: 'Richard Hendricks',
        phone: '+1 555 0100',
        username: 'richard',
        birthday: '1985-11-23',
        createdAt: '2025-12-31T00:00:00.000Z',
        avatar: 'https://www.example.com/richard.png',
      },
    },
  ],
  'user.update.complete': [
    {
      type: 'identify',
      messageId: 'fusionauth-f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e-identify',
      userId: 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0',
      timestamp: '2026-01-01T00:00:00.000Z',
      context: {
        ip: '203.0.113.42',
        userAgent:
          'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
        device: { name: 'macOS Chrome', type: 'BROWSER' },
        deviceName: 'macOS Chrome',
        deviceType: 'BROWSER',
        locale: 'en-US',
        timezone: 'America/Los_Angeles',

        tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
        library: { name: 'fusionauth-segment', version: '1.2.3' },
      },
      traits: {
        data: { favouriteColour: 'green', seats: 3 },
        email: 'richard.c2a5f5a8@example.com',
        firstName: 'Richard',
        lastName: 'Hendricks',
        active: true,
        birthDate: '1985-11-23',
        connectorId: 'e3306678-a53a-4964-9040-1c96f36dda72',
        insertInstant: '2025-12-31T00:00:00.000Z',
        lastUpdateInstant: '2025-12-31T00:00:00.000Z',
        passwordChangeRequired: false,
        passwordLastUpdateInstant: '2025-12-31T00:00:00.000Z',
        preferredLanguages: ['en_US', 'fr'],
        registrations: [
          {
            id: '5cb9e8b8-3b1e-4d1e-9c1d-3c2c8f6b1c11',
            applicationId: 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e',
            roles: ['user'],
            insertInstant: '2025-12-31T00:00:00.000Z',
            lastLoginInstant: '2025-12-31T00:00:00.000Z',
            verified: true,
          },
        ],
        tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
        twoFactor: { methods: [{ id: '7GK2', method: 'authenticator' }] },
        usernameStatus: 'ACTIVE',
        verified: true,
        verifiedInstant: '2025-12-31T00:00:00.000Z',
        name: 'Richard Hendricks',
        phone: '+1 555 0100',
        username: 'richard',
        birthday: '1985-11-23',
        createdAt: '2025-12-31T00:00:00.000Z',
        avatar: 'https://www.example.com/richard.png',
      },
    },
  ],
  'user.login.success': [
    {
      type: 'track',
      event: 'user.login.success',
      messageId: 'fusionauth-f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e-track',
      userId: 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0',
      timestamp: '2026-01-01T00:00:00.000Z',
      context: {
        ip: '203.0.113.42',
        userAgent:
          'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
        device: { name: 'macOS Chrome', type: 'BROWSER' },
        deviceName: 'macOS Chrome',
        deviceType: 'BROWSER',
        locale: 'en-US',
        timezone: 'America/Los_Angeles',
        applicationId: 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e',
        tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
        library: { name: 'fusionauth-segment', version: '1.2.3' },
      },
      properties: {
        applicationId: 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e',
        authenticationType: 'PASSWORD',
        connectorId: 'e3306678-a53a-4964-9040-1c96f36dda72',
        tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
      },
    },
  ],
} as const satisfies Record<SampleType, readonly object[]>;

describe('the four events of FusionAuth’s guide', () => {
  for (const type of sampleTypes) {
    test(`${type} becomes ${messageKindsOf(type).join()}, with all that it holds`, () => {
      const event = parseWebhookBody(Buffer.from(JSON.stringify({ event: sampleEvent(type, identity) })));

      const messages = mapEvent(event, options);

      assert.deepStrictEqual(messages, expectedOf[type]);
    });
  }

  test('become identify, identify, identify and track; all other types are only stored', () => {
    const mapped = catalogue.flatMap(({ type }) => messageKindsOf(type).map((kind) => [type, kind]));

    assert.deepEqual(mapped, [
      ['user.create.complete', 'identify'],
      ['user.update.complete', 'identify'],
      ['user.email.update', 'identify'],
      ['user.login.success', 'track'],
    ]);
  });
});

describe('an event that becomes no message', () => {
  const none: [string, Fields][] = [
    ['has no user', {}],
    ['has the user null', { user: null }],
    ['has a user without an id', { user: { email: 'richard@example.com' } }],
    ['has a user with an empty id', { user: { id: '' } }],
    ['has a user whose id is null', { user: { id: null } }],
    ['has a user whose id is a number', { user: { id: 1 } }],
    ['is of a type that is only stored', { type: 'user.login.failed', user: { id: '1' } }],
    ['is of a type that nobody knows', { type: 'user.teleport', user: { id: '1' } }],
    ['is of a type that almost is one', { type: 'USER.CREATE.COMPLETE', user: { id: '1' } }],
    ['is of a type named constructor', { type: 'constructor', user: { id: '1' } }],
    ['is of a type named __proto__', { type: '__proto__', user: { id: '1' } }],
    ['is of a type named toString', { type: 'toString', user: { id: '1' } }],
  ];
  for (const [name, fields] of none) {
    test(name, () => {
      assert.deepEqual(mapEvent(eventOf(fields), options), []);
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
    for (const type of sampleTypes) {
      const { messageId } = messageOf({ id: '~'.repeat(64), type, user: { id: '1' } });

      assert.ok(messageId.includes('~'.repeat(64)));
      assert.ok(messageId.length < 100);
    }
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
      { methods: [{ id: 'x', lastUsedInstant: instant }] },
      { methods: [{ id: 'x', lastUsedInstant: iso }] },
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

    assert.match(JSON.stringify(mapEvent(event, options)), /"traits":\{"data":\{"__proto__":\{"a":1\}\}\}/);
  });
});

describe('the traits that Segment reserves', () => {
  const reserved: [string, string, Fields, unknown][] = [
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

  const identityOf = (type: string, value: unknown, rest: Fields = {}) => ({ type, value, ...rest });
  const fallbacks: [string, string, Fields, unknown][] = [
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
  const { library } = options;
  const contexts: [string, Fields, JsonMap][] = [
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

describe('whatever an event holds', () => {
  /** Any UTF-16 unit: half a character too, as JSON may hold one. */
  const unit = fc.nat(0xffff).map((code) => String.fromCharCode(code));
  const json = fc.jsonValue({ stringUnit: unit, maxDepth: 4 });
  /** A field as it is, missing, null, or anything. */
  const changed = (value: unknown) =>
    fc.oneof(
      { weight: 4, arbitrary: fc.constant(value) },
      { weight: 1, arbitrary: fc.constantFrom(undefined, null, '', Number(2n ** 63n), NaN) },
      { weight: 1, arbitrary: json },
    );
  const withChanges = (fields: Fields) =>
    fc.record(Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, changed(value)])));

  const events = fc.constantFrom(...sampleTypes).chain((type) => {
    const { user, info, ...event } = sampleEvent(type, identity);
    const userWithAll = {
      ...(user as Fields),
      memberships: [{ id: 'm', insertInstant: instant }],
      lastLoginInstant: instant,
      middleName: 'J',
      phoneNumber: '+1',
    };
    return fc
      .record({
        event: withChanges({ ...event, ipAddress: '203.0.113.1' }),
        user: fc.oneof({ weight: 9, arbitrary: withChanges(userWithAll) }, { weight: 1, arbitrary: json }),
        info: fc.oneof({ weight: 9, arbitrary: withChanges(info as Fields) }, { weight: 1, arbitrary: json }),
      })
      .map((parts) => ({ ...parts.event, user: parts.user, info: parts.info, id: 'event-1', type }));
  });

  test('it becomes messages that JSON can carry, the same bytes each time, and is left as it was', () => {
    fc.assert(
      fc.property(events, (fields) => {
        const event = fields as unknown as FusionAuthEvent;
        const before = JSON.stringify(event);

        const first = JSON.stringify(mapEvent(event, options));
        const second = JSON.stringify(mapEvent(structuredClone(event), options));

        assert.equal(second, first);
        assert.equal(JSON.stringify(event), before);
        for (const message of JSON.parse(first) as Message[]) {
          assert.ok(typeof message.userId === 'string' && message.userId !== '');
          assert.match(message.timestamp ?? iso, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('no trait, property or context field is empty', () => {
    fc.assert(
      fc.property(events, (fields) => {
        for (const message of mapEvent(fields as unknown as FusionAuthEvent, options)) {
          const values = [message.context, message.type === 'identify' ? message.traits : {}].flatMap(
            Object.values,
          );

          for (const value of values as unknown[]) {
            assert.ok(value !== null && value !== undefined && value !== '');
            assert.ok(typeof value !== 'object' || Object.keys(value).length > 0);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
