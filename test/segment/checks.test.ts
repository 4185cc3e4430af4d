import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { findDiscard } from '../../src/segment/checks.ts';
import { discardReasons } from '../../src/segment/discard-reasons.ts';
import type { DiscardReason } from '../../src/segment/discard-reasons.ts';

type Fields = Readonly<Record<string, unknown>>;

const common = { messageId: 'm', userId: 'user-1', context: {} };
const track = { ...common, type: 'track', event: 'user.login.success', properties: {} };
const identify = { ...common, type: 'identify', traits: {} };
const group = { ...common, type: 'group', groupId: 'g', traits: {} };
const alias = { ...common, type: 'alias', previousId: 'p' };
const page = { ...common, type: 'page', name: 'Home', category: 'Docs', properties: {} };
const consent = {
  ...track,
  event: 'Segment Consent Preference Updated',
  context: { consent: { categoryPreferences: { Advertising: true, Analytics: false }, version: 2 } },
};

/** What JavaScript takes for an object, or JSON for something else, and Segment does not. */
const noObjects: readonly [string, unknown][] = [
  ['null', null],
  ['a list', ['x']],
  ['a string', 'x'],
  ['a number', 7],
  ['a date', new Date(0)],
];

describe('a message that Segment keeps', () => {
  const cases: [string, unknown][] = [
    ['a track', track],
    ['an identify', identify],
    ['a group', group],
    ['an alias', alias],
    ['a page', page],
    ['a screen', { ...page, type: 'screen' }],
    ['of a visitor', { ...without(track, 'userId'), anonymousId: 'a' }],
    ['with both ids', { ...track, anonymousId: 'a' }],
    ['with a message id of 99 characters', { ...track, messageId: 'm'.repeat(99) }],
    ['an identify without traits', without(identify, 'traits')],
    ['a group without traits', without(group, 'traits')],
    ['a track without properties', without(track, 'properties')],
    ['a page without name, category and properties', without(page, 'name', 'category', 'properties')],
    ['without a context', without(track, 'context')],
    ['with 10,000 properties', { ...track, properties: propertiesOf(10_000) }],
    ['with fields of other calls, which nobody reads', { ...identify, event: 7, name: 7, properties: 7 }],
    ['with fields that are undefined', { ...track, anonymousId: undefined, timestamp: undefined }],
    ['with an advertisingId', { ...track, context: { device: { advertisingId: 'x' } } }],
    ['with a device that says nothing', { ...track, context: { device: null } }],
    ['made in another realm', runInNewContext('JSON.parse(text)', { text: JSON.stringify(page) })],
    ['without a prototype', Object.assign(Object.create(null) as object, track)],
    ['a consent preference', consent],
    ['a consent preference without a version', withConsent({ categoryPreferences: {} })],
    ['another event with a consent that is none', { ...track, context: { consent: 'yes' } }],
    ...[
      '2026-01-01T00:00:00.000Z',
      '2026-01-01T00:00:00Z',
      '2026-01-01T00:00Z',
      '2026-01-01T00:00:00.123456789+05:30',
      '2026-01-01T00:00:00-0800',
      '2026-01-01T00:00:00',
      '2024-02-29',
      '0001-01-01T00:00:00.000Z',
      '9999-12-31T23:59:59.999Z',
    ].map((timestamp): [string, unknown] => [`of ${timestamp}`, { ...track, timestamp }]),
  ];
  for (const [name, message] of cases) {
    test(name, () => {
      assert.equal(findDiscard(message), undefined);
    });
  }
});

describe('a message that Segment would drop', () => {
  const cases: [DiscardReason, string, unknown][] = [
    ['bad_request', 'null', null],
    ['bad_request', 'no object', 'track'],
    ['bad_request', 'a list', [track]],
    ['bad_request', 'without a type', without(track, 'type')],
    ['bad_request', 'of no known type', { ...track, type: 'import' }],
    ['bad_request', 'of a type that every object has', { ...track, type: 'toString' }],
    ['bad_request', 'of a type that is no string', { ...track, type: ['track'] }],

    ['message_id_required', 'without a message id', without(track, 'messageId')],
    ['message_id_required', 'with an empty message id', { ...track, messageId: '' }],
    ['message_id_not_string', 'with a number as message id', { ...track, messageId: 7 }],
    ['message_id_not_string', 'with null as message id', { ...track, messageId: null }],
    ['message_id_too_long', 'with a message id of 100 characters', { ...track, messageId: 'm'.repeat(100) }],

    ['no_user_anon_id', 'of nobody', without(track, 'userId')],
    ['no_user_anon_id', 'a group call with a groupId alone', without(group, 'userId')],
    ['no_user_anon_id', 'an alias of nobody', without(alias, 'userId', 'previousId')],
    ...(['userId', 'anonymousId', 'groupId', 'previousId'] as const).flatMap((field) =>
      ([7, null, '', {}, ['x'], true] as const).map((value): [DiscardReason, string, unknown] => [
        'id_not_string',
        `with ${JSON.stringify(value)} as ${field}`,
        { ...(field === 'groupId' ? group : field === 'previousId' ? alias : track), [field]: value },
      ]),
    ),
    [
      'id_not_string',
      'with an empty userId beside an anonymousId',
      { ...track, userId: '', anonymousId: 'a' },
    ],
    ['id_required', 'a group without groupId', without(group, 'groupId')],
    ['id_required', 'an alias without previousId', without(alias, 'previousId')],
    ['id_required', 'an alias without userId', { ...without(alias, 'userId'), anonymousId: 'a' }],

    ['event_not_defined', 'a track without an event', without(track, 'event')],
    ['event_not_defined', 'a track with an empty event', { ...track, event: '' }],
    ['event_not_string', 'a track with a number as event', { ...track, event: 7 }],
    ['event_not_string', 'a track with null as event', { ...track, event: null }],

    ...([track, page, { ...page, type: 'screen' }] as const).flatMap((message) =>
      noObjects.map(([name, value]): [DiscardReason, string, unknown] => [
        'properties_not_object',
        `a ${message.type} with ${name} as properties`,
        { ...message, properties: value },
      ]),
    ),
    ...([identify, group] as const).flatMap((message) =>
      noObjects.map(([name, value]): [DiscardReason, string, unknown] => [
        'traits_not_object',
        `a ${message.type} with ${name} as traits`,
        { ...message, traits: value },
      ]),
    ),
    ...noObjects.map(([name, value]): [DiscardReason, string, unknown] => [
      'context_not_object',
      `with ${name} as context`,
      { ...track, context: value },
    ]),
    ['too_many_properties', 'with 10,001 properties', { ...track, properties: propertiesOf(10_001) }],

    ['name_not_string', 'a page with a number as name', { ...page, name: 7 }],
    ['name_not_string', 'a screen with an empty name', { ...page, type: 'screen', name: '' }],
    ['category_not_string', 'a page with null as category', { ...page, category: null }],
    ['category_not_string', 'a screen with an empty category', { ...page, type: 'screen', category: '' }],
    [
      'device_advertisingid_should_be_string',
      'with a number as advertisingId',
      { ...identify, context: { device: { advertisingId: 7 } } },
    ],

    ['consent_categorypreferences_should_exist', 'a consent without a context', without(consent, 'context')],
    ['consent_categorypreferences_should_exist', 'a consent without preferences', withConsent({})],
    [
      'consent_categorypreferences_fields_should_be_object',
      'a consent with a list of preferences',
      withConsent({ categoryPreferences: ['Advertising'] }),
    ],
    [
      'consent_categorypreferences_fields_should_be_bool',
      'a consent with a preference that is neither true nor false',
      withConsent({ categoryPreferences: { Advertising: true, Analytics: 'no' } }),
    ],
    [
      'consent_version_should_be_number',
      'a consent with a version in words',
      withConsent({ categoryPreferences: {}, version: 'two' }),
    ],

    ...[
      '',
      'yesterday',
      '1 2',
      '2026',
      '2026-01',
      '2026-13-01',
      '2026-02-30',
      '2026-02-30T00:00:00Z',
      '2026-01-01T25:00:00Z',
      '2026-01-01 00:00:00Z',
      'Thu, 01 Jan 2026 00:00:00 GMT',
      '+010000-01-01T00:00:00.000Z',
      1_767_225_600_000,
      new Date(0),
      null,
    ].map((timestamp): [DiscardReason, string, unknown] => [
      'timestamp_not_iso_date',
      `of ${typeof timestamp === 'string' ? `"${timestamp}"` : JSON.stringify(timestamp)} (${typeof timestamp})`,
      { ...track, timestamp },
    ]),
  ];
  for (const [reason, name, message] of cases) {
    test(`${name}: ${reason}`, () => {
      assert.equal(findDiscard(message)?.reason, reason);
    });
  }

  test('is told of the first thing that is wrong with it, from what it is to what it says', () => {
    const wrong = { type: 'track', messageId: '', userId: 7, event: 7, context: 7, timestamp: 7 };

    const reasons = ['messageId', 'userId', 'event', 'context', 'timestamp'].map(
      (_, index, fields) => findDiscard({ ...wrong, ...pick(track, ...fields.slice(0, index)) })?.reason,
    );

    assert.deepEqual(reasons, [
      'message_id_required',
      'id_not_string',
      'event_not_string',
      'context_not_object',
      'timestamp_not_iso_date',
    ]);
  });

  test('for every reason that does not depend on its size', () => {
    const tested = new Set(cases.map(([reason]) => reason));

    assert.deepEqual(
      Object.keys(discardReasons).filter((reason) => !tested.has(reason as DiscardReason)),
      ['message_too_large'],
    );
  });
});

test('every reason has one sentence, and is named in Segment’s style', () => {
  for (const [reason, sentence] of Object.entries(discardReasons)) {
    assert.match(reason, /^[a-z_]+$/);
    assert.match(sentence, /^[A-Z][^\n]*\.$/);
  }
});

const anyField = fc.oneof(fc.constantFrom('x', '', undefined), fc.anything());
/** A good message, with a few of its fields of any kind. */
const anyMessage = fc
  .tuple(
    fc.constantFrom<Fields>(track, identify, group, alias, page, consent),
    fc.dictionary(
      fc.constantFrom(
        ...Object.keys({ ...track, ...group, ...alias, ...page, anonymousId: '', timestamp: '' }),
      ),
      anyField,
      { maxKeys: 3 },
    ),
  )
  .map(([message, changes]) => ({ ...message, ...changes }));

test('whatever a message is, it is kept or has a known reason, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.oneof(anyMessage, fc.anything()), (message) => {
      const discard = findDiscard(message);

      assert.ok(discard === undefined || Object.hasOwn(discardReasons, discard.reason));
      assert.deepEqual(findDiscard(message), discard);
    }),
  );
});

test('a message that is kept is kept by the letter of Segment’s documents', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      fc.pre(findDiscard(message) === undefined);

      const { type, messageId, userId, anonymousId, event, groupId, previousId }: Fields = message;
      assert.ok(isText(messageId) && messageId.length < 100);
      assert.ok(isText(userId) || isText(anonymousId));
      assert.ok(['identify', 'track', 'group', 'alias', 'page', 'screen'].includes(String(type)));
      if (type === 'track') assert.ok(isText(event));
      if (type === 'group') assert.ok(isText(groupId));
      if (type === 'alias') assert.ok(isText(userId) && isText(previousId));
    }),
  );
});

test('a detail names fields, and nothing of what stands in them', () => {
  const secret = 'richard@example.com';
  const values = [secret, [secret], { [secret]: secret }, new Map([[secret, secret]])];
  const messages = Object.keys({ ...track, ...group, ...alias, ...page, timestamp: '' }).flatMap((field) =>
    values.flatMap((value) =>
      [track, identify, group, alias, page, consent].map((message) => ({ ...message, [field]: value })),
    ),
  );
  messages.push({ ...track, messageId: secret.repeat(9) });

  const details = messages.flatMap((message) => findDiscard(message)?.detail ?? []);

  assert.ok(details.length > 50);
  assert.ok(!details.join().includes('richard'));
});

test('the detail of an id that is too long says how long, and what Segment takes', () => {
  const discard = findDiscard({ ...track, messageId: 'm'.repeat(100) });

  assert.match(discard?.detail ?? '', /100 characters.*fewer than 100/);
});

function without(message: Fields, ...left: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(message).filter(([field]) => !left.includes(field)));
}

function pick(message: Fields, ...taken: readonly string[]): Fields {
  return Object.fromEntries(taken.map((field) => [field, message[field]]));
}

function withConsent(given: Fields): Fields {
  return { ...consent, context: { consent: given } };
}

function propertiesOf(count: number): Fields {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, index]));
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
