import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { findPatternFault } from '../../src/mapping/privacy-patterns.ts';
import { compilePrivacy, defaultPolicy } from '../../src/mapping/privacy.ts';
import type { PrivacyAction, PrivacyPolicy, Redaction } from '../../src/mapping/privacy.ts';
import type { JsonMap, JsonValue, Message, MessageId } from '../../src/segment/message.ts';

const salt = 'salt-of-this-test';
const common = {
  messageId: 'fusionauth-event-1-identify' as MessageId,
  userId: 'richard@example.com',
  anonymousId: 'anonymous-richard',
  timestamp: '2026-01-01T00:00:00.000Z',
};

function identify(traits: JsonMap, context: JsonMap = {}): Message {
  return { type: 'identify', ...common, context, traits };
}

function track(properties: JsonMap, context: JsonMap = {}): Message {
  return { type: 'track', event: 'user.login.success', ...common, context, properties };
}

function redact(message: Message, ...policies: PrivacyPolicy[]): Message {
  return compilePrivacy({ policies, salt })(message);
}

/** Parsed from JSON, so that `__proto__` is a key. */
function traitsOf(traits: string | JsonMap, ...policies: PrivacyPolicy[]): JsonMap {
  const parsed = typeof traits === 'string' ? (JSON.parse(traits) as JsonMap) : traits;
  const message = redact(identify(parsed), ...policies);
  assert.ok(message.type === 'identify');
  return message.traits;
}

function propertiesOf(properties: JsonMap, ...policies: PrivacyPolicy[]): JsonMap {
  const message = redact(track(properties), ...policies);
  assert.ok(message.type === 'track');
  return message.properties;
}

function redactionsOf(message: Message, ...policies: PrivacyPolicy[]): readonly Redaction[] {
  const redactions: Redaction[] = [];
  compilePrivacy({ policies, salt })(message, (redaction) => redactions.push(redaction));
  return redactions;
}

function testTraits(cases: readonly [string, PrivacyPolicy, JsonMap, JsonMap][]): void {
  for (const [name, policy, traits, expected] of cases) {
    test(name, () => {
      assert.deepEqual(traitsOf(traits, policy), expected);
    });
  }
}

describe('a pattern', () => {
  testTraits([
    ['names a value', { 'traits.email': 'drop' }, { email: 'x', name: 'y' }, { name: 'y' }],
    [
      'names a value in an object',
      { 'traits.a.b': 'drop' },
      { a: { b: 1, c: 2 }, b: 3 },
      { a: { c: 2 }, b: 3 },
    ],
    [
      'names a value that is not there',
      { 'traits.a.b': 'drop', 'traits.c': 'drop' },
      { a: 'text', d: 1 },
      { a: 'text', d: 1 },
    ],
    [
      'is exact without a wildcard',
      { 'traits.email': 'drop' },
      { Email: 1, emails: 2 },
      { Email: 1, emails: 2 },
    ],
    [
      'goes into each element of a list',
      { 'traits.registrations.data': 'drop' },
      { registrations: [{ id: 1, data: { a: 1 } }, { id: 2, data: 'x' }, { id: 3 }] },
      { registrations: [{ id: 1 }, { id: 2 }, { id: 3 }] },
    ],
    [
      'goes into lists in lists',
      { 'traits.a.b': 'drop' },
      { a: [[{ b: 1, c: 2 }], [[{ b: 1, c: 3 }]], { c: 4 }] },
      { a: [[{ c: 2 }], [[{ c: 3 }]], { c: 4 }] },
    ],
    [
      'with * names all keys of one level',
      { 'traits.*.b': 'drop' },
      { a: { b: 1, c: 1 }, d: [{ b: 1, c: 1 }], e: { f: { b: 1 } }, b: 1 },
      { a: { c: 1 }, d: [{ c: 1 }], e: { f: { b: 1 } }, b: 1 },
    ],
    [
      'with *Phone names keys by their end, whatever the case',
      { 'traits.*Phone': 'drop' },
      { phone: 1, mobilePhone: 2, MOBILEPHONE: 3, phoneNumber: 4 },
      { phoneNumber: 4 },
    ],
    [
      'with *password* names keys by what is in them',
      { 'traits.*password*': 'drop' },
      { password: 1, myPassWordHint: 2, pass_word: 3 },
      { pass_word: 3 },
    ],
    [
      'with *a*a* needs two of them',
      { 'traits.*a*a*': 'drop' },
      { a: 1, ba: 2, aba: 3, aa: 4 },
      { a: 1, ba: 2 },
    ],
    [
      'with a*b*a takes no character twice',
      { 'traits.a*b*a': 'drop' },
      { aba: 1, aXbXa: 2, ab: 3, ba: 4, abab: 5, aa: 6 },
      { ab: 3, ba: 4, abab: 5, aa: 6 },
    ],
    ['with aba*aba needs room for both', { 'traits.aba*aba': 'drop' }, { ababa: 1, abaaba: 2 }, { ababa: 1 }],
    ['with other signs means these signs', { 'traits.a+(*': 'drop' }, { 'a+(1)': 1, aa: 2 }, { aa: 2 }],
    [
      'with ** names a key at any depth',
      { 'traits.**.secret': 'drop' },
      { secret: 1, a: { secret: 2, b: 1, c: [{ d: { secret: 3, b: 1 } }] } },
      { a: { b: 1, c: [{ d: { b: 1 } }] } },
    ],
    [
      'with ** inside names a key below another',
      { 'traits.data.**.b': 'drop' },
      { b: 1, data: { b: 2, c: { b: 3, d: 4 } }, a: { data: { b: 5 } } },
      { b: 1, data: { c: { d: 4 } }, a: { data: { b: 5 } } },
    ],
    [
      'with two ** names a key below a key at any depth',
      { '**.data.**.b': 'drop' },
      { b: 1, data: { b: 2, c: 3 }, a: { data: { d: { data: { b: 5 }, e: 6 } } } },
      { b: 1, data: { c: 3 }, a: { data: { d: { e: 6 } } } },
    ],
    [
      'with ** and ** is as one with **',
      { 'traits.**.**.b': 'drop' },
      { b: 1, a: { b: 2, c: 3 } },
      { a: { c: 3 } },
    ],
    ['with ** at its end names all below', { 'traits.a.**': 'drop' }, { a: { b: { c: 1 } }, d: 1 }, { d: 1 }],
    ['with ** alone names everything', { '**': 'drop' }, { a: { b: 1 }, c: [1] }, {}],
    ['with * alone names everything', { '*': 'drop' }, { a: { b: 1 }, c: [1] }, {}],
    ['with a wildcard for traits', { 'TRAIT*.a': 'drop' }, { a: 1, b: 2 }, { b: 2 }],
    [
      'names no key with a dot, by its letters',
      { 'traits.a.b': 'drop' },
      { 'a.b': 1, a: { b: 2 }, c: 3 },
      { 'a.b': 1, c: 3 },
    ],
    [
      'names a key with a dot by wildcards, as one segment',
      { 'traits.a*': 'drop', 'traits.*.*.y': 'drop' },
      { 'a.b': 1, c: { 'd.e': { y: 1, z: 2 } } },
      { c: { 'd.e': { z: 2 } } },
    ],
    ['names a key that is empty by a wildcard', { 'traits.*.*': 'drop' }, { '': { '': 1 }, b: 1 }, { b: 1 }],
  ]);

  test('reaches the traits of a group, the properties of a page, and any context', () => {
    const policy = { 'traits.a': 'drop', 'properties.a': 'drop', 'context.a': 'drop' } as const;
    const fields = { a: 1, b: 2 };
    const messages: Message[] = [
      { type: 'group', groupId: 'g', ...common, context: fields, traits: fields },
      { type: 'page', name: 'p', ...common, context: fields, properties: fields },
      { type: 'alias', previousId: 'p', ...common, context: fields },
    ];

    assert.deepEqual(
      messages.map((message) => redact(message, policy)),
      [
        { type: 'group', groupId: 'g', ...common, context: { b: 2 }, traits: { b: 2 } },
        { type: 'page', name: 'p', ...common, context: { b: 2 }, properties: { b: 2 } },
        { type: 'alias', previousId: 'p', ...common, context: { b: 2 } },
      ],
    );
  });
});

describe('a pattern’s fault', () => {
  const faults: [string, RegExp | undefined][] = [
    ['traits.email', undefined],
    ['traits', undefined],
    ['properties.*.data', undefined],
    ['context.**', undefined],
    ['**', undefined],
    ['*', undefined],
    ['**.email', undefined],
    ['*.email', undefined],
    ['T*.email', undefined],
    ['*t*.email', undefined],
    ['traits.Card number.x', undefined],
    ['traits.registrations.0', undefined],
    ['traits.__proto__', undefined],
    ['', /empty segment/],
    ['.', /empty segment/],
    ['traits.', /empty segment/],
    ['traits..email', /empty segment/],
    ['traits. .email', /empty segment/],
    ['traits.email ', /space/],
    ['traits .email', /space/],
    ['traits.**password', /\*\*/],
    ['traits.a***', /\*\*/],
    ['***', /\*\*/],
    ['traits.registrations[].data', /index/],
    ['traits.registrations[0].data', /index/],
    ['email', /begin with traits, properties, context/],
    ['userId', /begin with traits, properties, context/],
    ['Traits.email', /begin with traits, properties, context/],
    ['user*.email', /begin with traits, properties, context/],
    ['messageId.**', /begin with traits, properties, context/],
  ];
  for (const [pattern, expected] of faults) {
    test(`"${pattern}" ${expected === undefined ? 'has none' : `is told of ${expected}`}`, () => {
      const fault = findPatternFault(pattern);

      if (expected === undefined) assert.equal(fault, undefined);
      else assert.match(fault ?? '', expected);
    });
  }

  test('stops the compilation', () => {
    assert.throws(
      () => compilePrivacy({ policies: [{ 'traits.email': 'drop' }, { email: 'drop' }], salt }),
      /^TypeError: The privacy pattern "email" must begin with/,
    );
  });
});

describe('which rule decides', () => {
  testTraits([
    [
      'a rule for a container acts on all in it, lists too',
      { 'traits.a': 'mask' },
      { a: { b: 'secret', c: [1, { d: true }] }, e: 'x' },
      { a: { b: '***et', c: ['***', { d: '***' }] }, e: 'x' },
    ],
    [
      'a deeper rule decides over one for its container',
      { 'traits.a.b': 'keep', 'traits.a': 'drop' },
      { a: { b: 1, c: 2 }, d: 3 },
      { a: { b: 1 }, d: 3 },
    ],
    [
      'the deepest decides, wildcards or not',
      { 'traits.a': 'drop', 'traits.*.*': 'keep', 'traits.a.b.**.secret': 'drop' },
      { a: { b: { c: { secret: 1, d: 2 } } } },
      { a: { b: { c: { d: 2 } } } },
    ],
    [
      'a rule that ends with ** matches as deep as there is',
      { 'traits.a.b': 'keep', 'traits.**': 'drop' },
      { a: { b: { c: 1 } } },
      {},
    ],
    [
      'at equal depth more literal segments decide',
      { 'traits.a.b': 'keep', 'traits.a.*': 'drop', 'traits.*.*': 'drop', '**.b': 'drop' },
      { a: { b: 1, c: 2 } },
      { a: { b: 1 } },
    ],
    [
      'at equal depth with as many literal segments the later decides',
      { 'traits.*.b': 'drop', 'traits.a.*': 'keep', '*.a.c': 'drop' },
      { a: { b: 1, c: 2, d: 3 } },
      { a: { b: 1, d: 3 } },
    ],
    [
      'patterns that differ in the case of a wildcard’s letters are one, and the later decides',
      { 'traits.*PHONE': 'drop', 'traits.*phone': 'keep' },
      { phone: 1 },
      { phone: 1 },
    ],
  ]);

  test('a later policy decides over an earlier one with as many literal segments', () => {
    assert.deepEqual(traitsOf({ a: 'abcdef', b: 1 }, { 'traits.a': 'drop' }, { 'traits.a': 'mask' }), {
      a: '***ef',
      b: 1,
    });
  });

  test('an earlier policy decides where it has more literal segments or matches more deeply', () => {
    assert.deepEqual(
      traitsOf({ a: { b: 1, c: 2 } }, { 'traits.a': 'keep', 'traits.a.b': 'drop' }, { 'traits.*': 'keep' }),
      { a: { c: 2 } },
    );
  });
});

describe('what is left', () => {
  testTraits([
    ['of an emptied object is nothing', { 'traits.a.b': 'drop' }, { a: { b: 1 }, c: 1 }, { c: 1 }],
    [
      'of an emptied object in objects is nothing',
      { '**.b': 'drop' },
      { a: { a: { b: 1 } }, c: 1 },
      { c: 1 },
    ],
    ['of an emptied list is nothing', { 'traits.a.b': 'drop' }, { a: [{ b: 1 }, { b: 2 }], c: 1 }, { c: 1 }],
    [
      'of a list loses its emptied elements',
      { 'traits.a.b': 'drop' },
      { a: [{ b: 1 }, { c: 1 }, {}] },
      { a: [{ c: 1 }, {}] },
    ],
    [
      'of empty things that no rule drops are they',
      { 'traits.x': 'drop' },
      { a: {}, b: [], x: 1 },
      { a: {}, b: [] },
    ],
    [
      'beside what was dropped are things that were empty before',
      { 'traits.a.b': 'drop' },
      { a: { b: 1, c: {} } },
      { a: { c: {} } },
    ],
    [
      'of empty things in a dropped container is nothing',
      { 'traits.a': 'drop' },
      { a: { b: 1, c: {} }, d: 1 },
      { d: 1 },
    ],
    ['of an empty container that is dropped is nothing', { 'traits.a': 'drop' }, { a: {}, d: 1 }, { d: 1 }],
    [
      'of a list of texts is each of them, masked',
      { 'traits.a': 'mask' },
      { a: ['abcdef', 'richard@example.com', null, ''] },
      { a: ['***ef', 'r***@example.com', null, ''] },
    ],
    [
      'of a list of texts is each that can be truncated',
      { 'traits.a': 'truncate' },
      { a: ['203.0.113.42', 'x', '2001:db8:85a3::1'] },
      { a: ['203.0.113.0', '2001:db8:85a3::'] },
    ],
    [
      'of a list of which nothing can be truncated is nothing',
      { 'traits.a': 'truncate' },
      { a: ['x', 1], b: 1 },
      { b: 1 },
    ],
    ['of a dropped list is nothing', { 'traits.a': 'drop' }, { a: [1, [2]], b: 1 }, { b: 1 }],
  ]);

  test('of traits, properties and context are at least empty objects', () => {
    assert.deepEqual(redact(identify({ a: 1 }, { b: 1 }), { '**': 'drop' }), identify({}, {}));
    assert.deepEqual(redact(track({ a: 1 }, { b: 1 }), { '**': 'drop' }), track({}, {}));
  });

  test('is hashed with the salt', () => {
    const expected = createHmac('sha256', salt).update('richard@example.com').digest('hex');

    assert.deepEqual(traitsOf({ email: 'richard@example.com' }, { 'traits.email': 'hash' }), {
      email: expected,
    });
  });

  test('has its keys in the order they had', () => {
    const left = traitsOf({ z: 'a', y: 'abcdef', b: { y: 1, x: 2 }, a: 'c' }, { '**.y': 'mask' });

    assert.equal(JSON.stringify(left), '{"z":"a","y":"***ef","b":{"y":"***","x":2},"a":"c"}');
  });
});

describe('a message', () => {
  test('keeps its ids, type, names and time whatever the policy', () => {
    const made = (fields: JsonMap): Message[] => [
      { type: 'identify', ...common, context: fields, traits: fields },
      { type: 'track', event: 'e', ...common, context: fields, properties: fields },
      { type: 'group', groupId: 'g', ...common, context: fields, traits: fields },
      { type: 'alias', previousId: 'p', ...common, context: fields },
      { type: 'screen', name: 'n', category: 'c', ...common, context: fields, properties: fields },
    ];
    const policy = { '**': 'drop', '*': 'drop', '**.*Id': 'drop', '**.type': 'drop' } as const;

    assert.deepEqual(
      made({ userId: 1, type: 2, a: 3 }).map((message) => redact(message, policy)),
      made({}),
    );
  });

  test('of which nothing is redacted is the very same object', () => {
    const message = identify({ a: { b: [1, { c: '' }], d: '203.0.113.0' }, e: null }, { ip: '203.0.113.42' });
    const policies: PrivacyPolicy[] = [
      {},
      { 'traits.x': 'drop', 'properties.**': 'drop' },
      { '**': 'keep' },
      { 'traits.a.d': 'truncate', 'traits.e': 'hash', 'traits.a.b.c': 'mask' },
      { traits: 'drop', 'traits.**': 'keep' },
    ];

    for (const policy of policies) assert.equal(redact(message, policy), message);
  });

  test('shares with its copy what is not redacted', () => {
    const message = identify({ a: { b: 1 }, c: [{ d: 1 }, { e: 1 }] }, { ip: 'x' });

    const redacted = redact(message, { 'traits.c.d': 'mask' });

    assert.ok(message.type === 'identify' && redacted.type === 'identify');
    assert.equal(redacted.context, message.context);
    assert.equal(redacted.traits['a'], message.traits['a']);
    assert.equal((redacted.traits['c'] as JsonValue[])[1], (message.traits['c'] as JsonValue[])[1]);
  });

  test('keeps a key named __proto__ as a key', () => {
    const left = traitsOf('{"__proto__":{"isAdmin":true,"b":1},"a":{"__proto__":2,"b":1},"c":"x"}', {
      '**.b': 'drop',
    });

    assert.equal(JSON.stringify(left), '{"__proto__":{"isAdmin":true},"a":{"__proto__":2},"c":"x"}');
    assert.equal(Object.getPrototypeOf(left), Object.prototype);
    assert.ok(!('isAdmin' in left) && !('isAdmin' in {}));
  });

  test('loses a key named __proto__ by a rule for it, and nothing by rules for what all objects inherit', () => {
    const traits = '{"__proto__":{"a":1},"b":1}';

    assert.equal(JSON.stringify(traitsOf(traits, { 'traits.__proto__': 'drop' })), '{"b":1}');
    assert.equal(
      JSON.stringify(traitsOf(traits, { 'traits.constructor': 'drop', 'traits.toString.name': 'mask' })),
      traits,
    );
  });

  test('of a hundred levels is redacted to the last', () => {
    const nest = (leaf: JsonMap): JsonMap =>
      Array.from({ length: 97 }).reduce<JsonMap>((inner) => ({ a: inner }), leaf);

    assert.deepEqual(traitsOf(nest({ secret: 1, b: 2 }), { '**.secret': 'drop' }), nest({ b: 2 }));
    assert.deepEqual(
      traitsOf(nest({ secret: 1, b: 2 }), { '**.*.**.a*.**.*.**.*secret*': 'drop' }),
      nest({ b: 2 }),
    );
  });

  test('is redacted the same way after more keys than are remembered, and with keys longer than those', () => {
    const apply = compilePrivacy({ policies: [{ 'traits.data.**.*secret*': 'drop' }], salt });
    for (let index = 0; index < 6_000; index++) {
      assert.deepEqual(
        apply(identify({ data: { [`key${index}`]: 1, [`secret${index}`]: { a: 1 } } })),
        identify({ data: { [`key${index}`]: 1 } }),
      );
    }
    const long = 'x'.repeat(100);

    assert.deepEqual(
      apply(identify({ data: { [long]: { a: { secret: 1, b: 2 } }, [`${long}secret`]: 1 } })),
      identify({ data: { [long]: { a: { b: 2 } } } }),
    );
  });

  test('with a long hostile key is done with at once', () => {
    const apply = compilePrivacy({ policies: [{ 'traits.*a*a*a*a*a*a*b': 'drop' }], salt });
    const message = identify({ ['a'.repeat(1_000_000)]: 1 });
    const start = performance.now();

    assert.equal(apply(message), message);
    assert.ok(performance.now() - start < 1_000);
  });
});

describe('a redaction is told', () => {
  test('once for each value that a rule changed or removed, with the rule that decided', () => {
    const message = identify(
      { email: 'richard@example.com', a: [{ b: 1 }, { b: 2 }], c: { 'd.e': 1 }, f: { g: 1 }, h: '', i: 'x' },
      { ip: '203.0.113.42' },
    );

    const redactions = redactionsOf(
      message,
      { 'traits.*mail': 'hash', 'traits.a.b': 'drop', 'traits.c': 'mask', 'traits.h': 'mask' },
      { 'traits.f': 'drop', 'traits.f.g': 'keep', 'context.ip': 'truncate' },
    );

    assert.deepEqual(redactions, [
      { path: 'traits.email', pattern: 'traits.*mail', action: 'hash' },
      { path: 'traits.a.b', pattern: 'traits.a.b', action: 'drop' },
      { path: 'traits.a.b', pattern: 'traits.a.b', action: 'drop' },
      { path: 'traits.c.d.e', pattern: 'traits.c', action: 'mask' },
      { path: 'context.ip', pattern: 'context.ip', action: 'truncate' },
    ]);
  });
});

describe('the default policy', () => {
  const sensitive = [
    ...['password', 'oldPassword', 'password_hash', 'PASSWD', 'passphrase', 'dbPwd', 'passcode'],
    ...[
      'secret',
      'client_secret',
      'secretAnswer',
      'token',
      'accessToken',
      'refresh_token',
      'accessTokens',
      'jwt',
    ],
    ...[
      'apiKey',
      'API_KEY',
      'stripeApiKeyLive',
      'x-api-key',
      'privateKey',
      'ssh_private_key',
      'recoveryCodes',
    ],
    ...['otp', 'ssn', 'SSN', 'ssnLast4', 'userSsn', 'socialSecurityNumber', 'social_security', 'taxId'],
    ...['creditCard', 'credit_card_last4', 'cardNumber', 'card_number', 'cvv', 'CVV2', 'cvc', 'securityCode'],
    ...[
      'iban',
      'IBAN',
      'bankAccount',
      'bank_account_number',
      'routingNumber',
      'passportNumber',
      'nationalId',
    ],
    ...['driversLicense', 'driving_licence_no'],
  ];
  const ordinary = [
    ...[
      'tokensLeft',
      'tokenCount',
      'maxTokens',
      'tokens',
      'tokenized',
      'bypass',
      'passenger',
      'compass',
      'passed',
    ],
    ...[
      'businessName',
      'className',
      'accessNumber',
      'sessionId',
      'lesson',
      'apiVersion',
      'capital',
      'keyword',
      'key',
    ],
    ...[
      'primaryKey',
      'pinCode',
      'shipping',
      'opinion',
      'laptop',
      'option',
      'cardType',
      'loyaltyCard',
      'cardigan',
    ],
    ...[
      'urban',
      'accountNumber',
      'bankHoliday',
      'taxPaid',
      'taxiDriver',
      'internationalId',
      'license',
      'author',
    ],
    ...[
      'credentials',
      'authorization',
      'socialNetwork',
      'security',
      'creditScore',
      'phoneNumber',
      'codeName',
    ],
  ];
  const keys = (names: readonly string[]): JsonMap =>
    Object.fromEntries(names.map((name) => [name, 'value']));
  const places: [string, (data: JsonMap) => Message][] = [
    ['traits.data', (data) => identify({ data })],
    ['traits.registrations.data', (data) => identify({ registrations: [{ id: 1, data }] })],
    ['traits.memberships.data', (data) => identify({ memberships: [{ id: 1, data }] })],
    ['properties.data', (data) => track({ data })],
    ['properties.*.data', (data) => track({ registration: { data } })],
    ['an object in traits.data', (data) => identify({ data: { billing: { data } } })],
    ['a list in properties.*.data', (data) => track({ user: { data: { accounts: [[{ data }]] } } })],
  ];

  for (const [name, put] of places) {
    test(`drops what looks like a secret or such a number in ${name}, and nothing else`, () => {
      const message = put({ ...keys(sensitive), ...keys(ordinary) });

      assert.deepEqual(redact(message, defaultPolicy), put(keys(ordinary)));
    });
  }

  test('drops tokens that stand by name in an object, and keeps a number of them', () => {
    assert.deepEqual(traitsOf({ data: { tokens: { google: 'x' }, gameTokens: 5 } }, defaultPolicy), {
      data: { gameTokens: 5 },
    });
  });

  test('drops a parent’s address and where a second factor is sent', () => {
    const method = { id: '7GK2', method: 'email', email: 'r@example.com', mobilePhone: '+1 555 0100' };

    assert.deepEqual(
      traitsOf(
        { email: 'r@example.com', parentEmail: 'p@example.com', twoFactor: { methods: [method] } },
        defaultPolicy,
      ),
      { email: 'r@example.com', twoFactor: { methods: [{ id: '7GK2', method: 'email' }] } },
    );
    assert.deepEqual(propertiesOf({ method }, defaultPolicy), { method: { id: '7GK2', method: 'email' } });
  });

  test('leaves FusionAuth’s own fields alone', () => {
    const message = identify(
      {
        passwordChangeRequired: false,
        passwordLastUpdateInstant: '2026',
        twoFactor: { methods: [{ id: '1' }] },
      },
      { ip: '203.0.113.42', data: { password: 'x' } },
    );

    assert.equal(redact(message, defaultPolicy), message);
  });

  test('does not look into the context', () => {
    const context = new Proxy<JsonMap>({}, { ownKeys: () => assert.fail('the context was walked') });

    redact(track({ a: 1 }, context), defaultPolicy);
    redact(identify({ a: 1 }, context), defaultPolicy);
  });

  test('gives way to a later policy: for one key, or for all free-form data', () => {
    const data = { secretaryName: 'Monica', password: 'x', a: { token: 'y' } };

    assert.deepEqual(traitsOf({ data }, defaultPolicy, { 'traits.data.secretaryName': 'keep' }), {
      data: { secretaryName: 'Monica' },
    });
    assert.deepEqual(traitsOf({ data }, defaultPolicy, { 'traits.data.**': 'keep' }), { data });
  });

  test('holds under a later rule for the whole of the data', () => {
    assert.deepEqual(
      traitsOf({ data: { password: 'abcdef', a: 'abcdef' } }, defaultPolicy, { 'traits.data': 'mask' }),
      {
        data: { a: '***ef' },
      },
    );
  });
});

describe('for any policy and message', () => {
  const key = fc.constantFrom('a', 'b', 'ab', 'A', 'a.b', '', '__proto__', 'constructor', '1');
  const segment = fc.constantFrom('a', 'b', 'ab', 'a*', '*b', '*', '**', '**', '__proto__', 'A*b');
  const first = fc.constantFrom('traits', 'context', '*', '**', 'T*');
  const pattern = fc
    .tuple(first, fc.array(segment, { maxLength: 4 }))
    .map(([head, tail]) => [head, ...tail].join('.'));
  const policies = fc.array(
    fc.dictionary(pattern, fc.constantFrom<PrivacyAction>('keep', 'drop', 'mask', 'truncate', 'hash'), {
      maxKeys: 5,
    }),
    { maxLength: 3 },
  );
  const { map } = fc.letrec<{ value: JsonValue; map: JsonMap }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<JsonValue>(null, '', 'abcdef', 203, '203.0.113.42', 'r@example.com', true),
      fc.array(tie('value'), { maxLength: 3 }),
      tie('map'),
    ),
    map: fc.dictionary(key, tie('value'), { maxKeys: 4 }).map((entries) => fromJson(entries)),
  }));
  const message = fc.tuple(map, map).map(([traits, context]) => identify(traits, context));

  /** With `__proto__` as a key of its own and Object.prototype as prototype, as JSON.parse makes objects. */
  function fromJson(value: JsonMap): JsonMap {
    return JSON.parse(JSON.stringify(value)) as JsonMap;
  }

  interface CheckedRule {
    pattern: string;
    action: PrivacyAction;
    literals: number;
  }

  function matches(segments: readonly string[], path: readonly string[]): boolean {
    const [segment, ...others] = segments;
    if (segment === undefined) return path.length === 0;
    if (segment === '**') {
      return matches(others, path) || (path.length > 0 && matches(segments, path.slice(1)));
    }
    const [name, ...rest] = path;
    if (name === undefined) return false;
    const fits = segment.includes('*')
      ? new RegExp(`^${segment.replaceAll('*', '.*')}$`, 'is').test(name)
      : segment === name;
    return fits && matches(others, rest);
  }

  /** Word for word what the documentation says: each rule is tried against each beginning of the path. */
  function decide(rules: readonly CheckedRule[], path: readonly string[]): CheckedRule | undefined {
    for (let depth = path.length; depth > 0; depth--) {
      const matching = rules.filter((rule) => matches(rule.pattern.split('.'), path.slice(0, depth)));
      const most = Math.max(...matching.map((rule) => rule.literals));
      const decisive = matching.findLast((rule) => rule.literals === most);
      if (decisive !== undefined) return decisive;
    }
    return undefined;
  }

  /** What becomes of each leaf, in order. */
  function* leavesOf(value: JsonValue, path: readonly string[]): Generator<[readonly string[], JsonValue]> {
    if (typeof value !== 'object' || value === null) yield [path, value];
    else if (Array.isArray(value)) for (const entry of value as JsonValue[]) yield* leavesOf(entry, path);
    else for (const [name, entry] of Object.entries(value)) yield* leavesOf(entry, [...path, name]);
  }

  function freeze<T>(value: T): T {
    if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
    return value;
  }

  test('each value has become what the rule makes of it that decides by the book', () => {
    fc.assert(
      fc.property(policies, message, (policies, message) => {
        const rules = policies.flatMap(Object.entries<PrivacyAction>).map(([pattern, action]) => ({
          pattern,
          action,
          literals: pattern.split('.').filter((segment) => !segment.includes('*')).length,
        }));
        const expected: [string, JsonValue][] = [];
        for (const part of ['traits', 'context'] as const) {
          assert.ok(message.type === 'identify');
          for (const [path, value] of leavesOf(message[part], [part])) {
            const action = decide(rules, path)?.action ?? 'keep';
            // One leaf alone, under a rule that cannot be mistaken.
            const { leaf } = traitsOf({ leaf: value }, { 'traits.leaf': action });
            if (leaf !== undefined) expected.push([path.join('.'), leaf]);
          }
        }

        const redacted = redact(message, ...policies);

        assert.ok(redacted.type === 'identify');
        const leaves = [...leavesOf(redacted.traits, ['traits']), ...leavesOf(redacted.context, ['context'])];
        assert.deepEqual(
          leaves.map(([path, value]) => [path.join('.'), value]),
          expected,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test('the message itself does not change, and comes back where nothing was redacted', () => {
    fc.assert(
      fc.property(policies, message, (policies, message) => {
        const before = JSON.stringify(message);
        const redactions: Redaction[] = [];

        const redacted = compilePrivacy({ policies, salt })(freeze(message), (redaction) => {
          redactions.push(redaction);
        });

        assert.equal(JSON.stringify(message), before);
        assert.equal(redacted === message, redactions.length === 0);
        assert.equal(redacted === message, JSON.stringify(redacted) === before);
      }),
      { numRuns: 1_000 },
    );
  });
});
