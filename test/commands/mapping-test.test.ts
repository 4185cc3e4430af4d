import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findDifferences, parseTestFile } from '../../src/commands/mapping-test.ts';
import type { MappingTest } from '../../src/commands/mapping-test.ts';
import type { Message } from '../../src/segment/message.ts';

const parse = (written: unknown) => parseTestFile(JSON.stringify(written));

function parseOne(written: object): MappingTest {
  const { tests, faults } = parse({ name: 'a test', sample: 'user.login.success', ...written });
  assert.deepEqual(faults, []);
  assert.ok(tests[0]);
  return tests[0];
}

function message(fields: object): Message {
  return {
    type: 'track',
    event: 'Signed In',
    messageId: 'm',
    userId: 'u',
    context: {},
    properties: {},
    ...fields,
  } as Message;
}

test('a file holds one test or a list of them', () => {
  const one = { name: 'one', sample: 'user.create', expect: [] };

  assert.deepEqual(
    parse(one).tests.map(({ name }) => name),
    ['one'],
  );
  assert.deepEqual(
    parse([one, { ...one, name: 'two' }]).tests.map(({ name }) => name),
    ['one', 'two'],
  );
});

test('with is merged over the sample: objects deep, lists and values replace, null removes', () => {
  const { event } = parseOne({
    with: {
      tenantId: 'acme',
      applicationId: null,
      user: { email: 'a@example.com', preferredLanguages: ['de'], data: { plan: { name: 'pro' } } },
    },
    expect: [],
  });

  assert.equal(event.type, 'user.login.success');
  assert.equal(event.tenantId, 'acme');
  assert.ok(!('applicationId' in event));
  assert.partialDeepStrictEqual(event.user, {
    email: 'a@example.com',
    firstName: 'Richard',
    preferredLanguages: ['de'],
    data: { favouriteColour: 'green', plan: { name: 'pro' } },
  });
  assert.equal((event.user?.['preferredLanguages'] as unknown[]).length, 1);
});

test('an event may stand in a webhook’s envelope or alone, and its secrets are stripped', () => {
  const event = { id: '1', type: 'user.create', user: { id: 'u', password: 'x' } };

  for (const given of [event, { event }]) {
    const parsed = parseOne({ sample: undefined, event: given, with: { user: { email: 'e' } }, expect: [] });
    assert.deepEqual(parsed.event, { id: '1', type: 'user.create', user: { id: 'u', email: 'e' } });
  }
});

const sampled = { name: 'a', sample: 'user.login.success' };
const faulty: readonly [name: string, written: unknown, fault: RegExp][] = [
  ['no test at all', [], /^has no test, such as \{ "name"/],
  ['no object', [5], /^test 1: must be an object such as/],
  [
    'an unknown key',
    { ...sampled, expct: [] },
    /^test "a": "expct" is not known; a test may have name, event/,
  ],
  ['no name', { sample: 'user.create', expect: [] }, /^test 1: name must be a text/],
  [
    'an unknown sample',
    { ...sampled, sample: 'user.fly', expect: [] },
    /^test "a": .*no event type "user\.fly"/,
  ],
  ['neither event nor sample', { name: 'a', expect: [] }, /needs either "event" or "sample"/],
  ['both event and sample', { ...sampled, event: {}, expect: [] }, /needs either "event" or "sample"/],
  [
    'an event that is none',
    { name: 'a', event: { id: '1' }, expect: [] },
    /^test "a": event\.type is missing/,
  ],
  [
    'changes in an envelope',
    { ...sampled, with: { event: { id: '1' } }, expect: [] },
    /leave out its "event"/,
  ],
  ['nothing to check', sampled, /^test "a": checks nothing/],
  ['exact without messages', { ...sampled, exact: true, absent: ['traits.email'] }, /exact needs "expect"/],
  [
    'a message that is no object',
    { ...sampled, expect: [{}, 'track'] },
    /^test "a": expect\[1\] must be an object/,
  ],
  ['no list of messages', { ...sampled, expect: {} }, /expect must be a list of messages, \[\] for none/],
  ['a path with a wildcard', { ...sampled, absent: ['traits.*'] }, /absent\[0\] must be a path such as/],
  ['a path into a list', { ...sampled, absent: ['traits.registrations[0].data'] }, /without \* and \[ \]/],
  ['a path that ends nowhere', { ...sampled, absent: ['traits.'] }, /absent\[0\] must be a path/],
  ['no path', { ...sampled, absent: [] }, /absent must not be empty/],
  [
    'a text that the event lacks',
    { ...sampled, withheld: ['xyz'] },
    /withheld: "xyz" does not stand in the event/,
  ],
  [
    'an unknown discard reason',
    { ...sampled, discards: ['no_user'] },
    /discards\[0\] must be one of bad_request/,
  ],
  ['an unknown failure', { ...sampled, failures: ['map'] }, /failures\[0\] must be one of filter_failed/],
];
for (const [name, written, fault] of faulty) {
  test(`${name} is a fault that names the test and the key`, () => {
    const { tests, faults } = parse(written);

    assert.deepEqual(tests, []);
    assert.equal(faults.length, 1);
    assert.match(faults[0] ?? '', fault);
  });
}

test('all faults of a file are told at once', () => {
  const { tests, faults } = parse([{ ...sampled, expct: [], exakt: 1 }, { ...sampled, expect: [] }, sampled]);

  assert.equal(tests.length, 1);
  assert.equal(faults.length, 3);
});

for (const [text, place] of [
  ['', 'Unexpected end of JSON input (line 1 column 1)'],
  ['[\n{"name": "a",\n}]', 'Expected double-quoted property name (line 3 column 1)'],
  ['[\n  {"name": "a"},\n]', "Unexpected token ']' (line 3 column 1)"],
  [`[\n"${'x'.repeat(90)}",\n  tru, "a"]`, "Unexpected token ',' (line 3 column 6)"],
  ['{"a": // a comment\n1}', "Unexpected token '/' (line 1 column 7)"],
  ["{'a': 1}", "Expected property name or '}' (line 1 column 2)"],
] as const) {
  test(`what is not JSON is told with its place: ${place}`, () => {
    assert.deepEqual(parseTestFile(text), { tests: [], faults: [`is not JSON: ${place}`] });
  });
}

interface Case {
  readonly name: string;
  readonly test: object;
  readonly messages?: readonly Message[];
  readonly failures?: readonly { reason: string; detail: string }[];
  readonly differences: readonly string[];
}

const login = message({ properties: { plan: 'free', roles: ['user', { name: 'a', id: 1 }] } });
const cases: readonly Case[] = [
  {
    name: 'only the fields that are named count',
    test: { expect: [{ type: 'track', properties: { plan: 'free' } }] },
    messages: [login],
    differences: [],
  },
  {
    name: 'a value that differs is told with its path',
    test: { expect: [{ properties: { plan: 'pro' } }] },
    messages: [login],
    differences: ['messages[0].properties.plan: expected "pro", got "free"'],
  },
  {
    name: 'what is not there is told as nothing, and is not null',
    test: { expect: [{ properties: { 'first name': 'a', seats: null, deep: { x: 1 } } }] },
    messages: [login],
    differences: [
      'messages[0].properties["first name"]: expected "a", got nothing',
      'messages[0].properties.seats: expected null, got nothing',
      'messages[0].properties.deep: expected {"x":1}, got nothing',
    ],
  },
  {
    name: 'a list counts whole, and an object in it with all its fields',
    test: { expect: [{ properties: { roles: ['user', { name: 'a' }] } }] },
    messages: [login],
    differences: ['messages[0].properties.roles[1].id: expected nothing, got 1'],
  },
  {
    name: 'a list of another length is shown whole',
    test: { expect: [{ properties: { roles: ['user'] } }] },
    messages: [login],
    differences: ['messages[0].properties.roles: expected ["user"], got ["user",{"name":"a","id":1}]'],
  },
  {
    name: 'another kind of value is a difference',
    test: { expect: [{ properties: { plan: ['free'], roles: { 0: 'user' } }, context: '' }] },
    messages: [login],
    differences: [
      'messages[0].properties.plan: expected ["free"], got "free"',
      'messages[0].properties.roles: expected {"0":"user"}, got ["user",{"name":"a","id":1}]',
      'messages[0].context: expected "", got {}',
    ],
  },
  {
    name: 'what every object inherits is not there',
    test: { expect: [{ context: { toString: 'x' } }] },
    messages: [login],
    differences: ['messages[0].context.toString: expected "x", got nothing'],
  },
  {
    name: 'exact counts every field',
    test: { exact: true, expect: [{ ...login, properties: { plan: 'free' }, messageId: undefined }] },
    messages: [login],
    differences: [
      'messages[0].properties.roles: expected nothing, got ["user",{"name":"a","id":1}]',
      'messages[0].messageId: expected nothing, got "m"',
    ],
  },
  {
    name: 'no message at all is expected',
    test: { expect: [] },
    messages: [login],
    differences: ['messages[0]: superfluous: track "Signed In" of u'],
  },
  {
    name: 'a missing message spoils no other',
    test: {
      expect: [
        { type: 'identify', userId: 'u' },
        { type: 'track', event: 'Signed In' },
      ],
    },
    messages: [login],
    differences: ['expect[0]: missing: identify of u'],
  },
  {
    name: 'a superfluous message spoils no other',
    test: { expect: [{ type: 'track', properties: { plan: 'pro' } }] },
    messages: [message({ type: 'identify' }), login],
    differences: [
      'messages[0]: superfluous: identify "Signed In" of u',
      'messages[1].properties.plan: expected "pro", got "free"',
    ],
  },
  {
    name: 'the order counts',
    test: { expect: [{ type: 'identify' }, { type: 'track' }] },
    messages: [login, message({ type: 'identify' })],
    differences: [
      'messages[0].type: expected "identify", got "track"',
      'messages[1].type: expected "track", got "identify"',
    ],
  },
  {
    name: 'a path that must be absent is looked for in lists as well',
    test: { absent: ['properties.roles.id', 'context', 'properties.plan.name', 'traits.email'] },
    messages: [login],
    differences: [
      'messages[0].properties.roles[1].id: expected nothing, got 1',
      'messages[0].context: expected nothing, got {}',
    ],
  },
  {
    name: 'a text that is withheld may stand in no value and no key, also not as a part',
    test: { with: { user: { email: 'a@example.com' } }, withheld: ['a@example.com'] },
    messages: [message({ properties: { by: 'mail to a@example.com', to: { 'a@example.com': 1 } } })],
    differences: [
      'messages[0].properties.by: tells "a@example.com"',
      'messages[0].properties.to["a@example.com"]: tells "a@example.com"',
    ],
  },
  {
    name: 'absence from no message proves nothing',
    test: { absent: ['traits.email'] },
    messages: [],
    differences: ['messages: there is none to look at; where that is meant, say so: "expect": []'],
  },
  {
    name: 'absence from no message is fine where none is expected',
    test: { absent: ['traits.email'], expect: [] },
    messages: [],
    differences: [],
  },
  {
    name: 'what Segment would drop fails a test that does not say so',
    test: { expect: [{}] },
    messages: [message({ userId: undefined })],
    differences: ['discards: got no_user_anon_id: messages[0]: Neither userId nor anonymousId is set'],
  },
  {
    name: 'what Segment would drop may be expected, once for any number of messages',
    test: { discards: ['no_user_anon_id'] },
    messages: [message({ userId: undefined }), message({ userId: undefined })],
    differences: [],
  },
  {
    name: 'a message that is too large is dropped too',
    test: { discards: ['no_user_anon_id'] },
    messages: [message({ properties: { text: 'x'.repeat(33_000) } })],
    differences: [
      'discards: got message_too_large: messages[0]: The message has 33103 bytes; Segment takes 32768',
      'discards: expected no_user_anon_id, got nothing',
    ],
  },
  {
    name: 'a failure of the user’s code fails a test that does not say so, and is told on one line',
    test: { expect: [] },
    failures: [{ reason: 'map_failed', detail: 'TypeError: no\n    at map (/config.ts:3:5)\n    at more' }],
    differences: ['failures: got map_failed: TypeError: no at map (/config.ts:3:5)'],
  },
  {
    name: 'of a stack that begins with the line of code, the error is told all the same',
    test: { expect: [] },
    failures: [
      {
        reason: 'map_failed',
        detail: 'file:///config.ts:3\n  throw error\n  ^\n\nError: no\n    at map (/config.ts:3:5)',
      },
    ],
    differences: ['failures: got map_failed: Error: no at map (/config.ts:3:5)'],
  },
  {
    name: 'a failure that is expected must come',
    test: { failures: ['map_timeout', 'filter_failed'] },
    failures: [{ reason: 'map_timeout', detail: 'map took longer than 250 ms' }],
    differences: ['failures: expected filter_failed, got nothing'],
  },
];
for (const { name, test: written, messages = [], failures = [], differences } of cases) {
  test(name, () => {
    assert.deepEqual(findDifferences(parseOne(written), { messages, failures }), differences);
  });
}
