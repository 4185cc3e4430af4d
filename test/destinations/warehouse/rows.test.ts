// Each message as rows of Segment's warehouse layout.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { rowsOf } from '../../../src/destinations/warehouse/rows.ts';
import type { Row } from '../../../src/destinations/warehouse/rows.ts';
import type {
  AliasMessage,
  GroupMessage,
  IdentifyMessage,
  JsonMap,
  JsonValue,
  Message,
  MessageId,
  PageMessage,
  TrackMessage,
} from '../../../src/segment/message.ts';

const receivedAt = Date.parse('2026-01-31T12:00:01Z');
const receivedAtText = '2026-01-31T12:00:01.000Z';
const timestamp = '2026-01-31T12:00:00.000Z';

const common = { messageId: 'message-1' as MessageId, userId: 'user-1', timestamp, context: {} };

function identify(fields: Partial<IdentifyMessage> = {}): IdentifyMessage {
  return { ...common, type: 'identify', traits: {}, ...fields };
}

function track(fields: Partial<TrackMessage> = {}): TrackMessage {
  return { ...common, type: 'track', event: 'Signed In', properties: {}, ...fields };
}

function group(fields: Partial<GroupMessage> = {}): GroupMessage {
  return { ...common, type: 'group', groupId: 'group-1', traits: {}, ...fields };
}

function alias(fields: Partial<AliasMessage> = {}): AliasMessage {
  return { ...common, type: 'alias', previousId: 'user-0', ...fields };
}

function page(fields: Partial<PageMessage> = {}): PageMessage {
  return { ...common, type: 'page', properties: {}, ...fields };
}

/** The columns of a row with their values. */
function valuesOf(row: Row | undefined): Record<string, unknown> {
  assert.ok(row);
  return Object.fromEntries(Array.from(row.cells, ([column, { value }]) => [column, value]));
}

/** What a message's last row holds besides the columns that a message without contents has. */
function contentsOf(message: Message): Record<string, unknown> {
  const bare = new Set(['received_at', 'original_timestamp', 'timestamp', 'user_id', 'event', 'event_text']);
  return Object.fromEntries(
    Object.entries(valuesOf(rowsOf(message, receivedAt).at(-1))).filter(([column]) => !bare.has(column)),
  );
}

function typesOf(row: Row | undefined): Record<string, unknown> {
  assert.ok(row);
  return Object.fromEntries(Array.from(row.cells, ([column, { type }]) => [column, type]));
}

const commonValues = {
  received_at: receivedAtText,
  original_timestamp: timestamp,
  timestamp,
  user_id: 'user-1',
};

describe('the tables that a message has rows in', () => {
  const cases: [what: string, message: Message, tables: string[]][] = [
    ['an identify', identify(), ['identifies', 'users']],
    ['an identify with both ids', identify({ anonymousId: 'anonymous-1' }), ['identifies', 'users']],
    ['a track', track(), ['tracks', 'signed_in']],
    [
      'a track of a FusionAuth event',
      track({ event: 'user.login.success' }),
      ['tracks', 'user_login_success'],
    ],
    ['a group', group(), ['groups']],
    ['an alias', alias(), ['aliases']],
    ['a page', page(), ['pages']],
    ['a screen', page({ type: 'screen' }), ['screens']],
    ['a track whose event has nothing left of its name', track({ event: '日本' }), ['tracks']],
    ['a track whose event is of separators', track({ event: ' -_- ' }), ['tracks']],
    ...['Aliases', 'Discards', 'Groups', 'Identifies', 'Pages', 'Screens', 'Tracks', 'Users'].map(
      (event): [string, Message, string[]] => [
        `a track of an event named ${event}`,
        track({ event }),
        ['tracks', `_${event.toLowerCase()}`],
      ],
    ),
    [
      'a track of an event that is spelled like a built-in table',
      track({ event: ' users! ' }),
      ['tracks', '_users'],
    ],
  ];
  for (const [what, message, tables] of cases) {
    test(`of ${what} are ${tables.join(' and ')}`, () => {
      const rows = rowsOf(message, receivedAt);

      assert.deepEqual(
        rows.map(({ table }) => table),
        tables,
      );
    });
  }

  test('of an identify without userId are identifies alone: there is no person to keep', () => {
    const anonymous: IdentifyMessage = {
      type: 'identify',
      messageId: 'message-1' as MessageId,
      anonymousId: 'anonymous-1',
      traits: { plan: 'free' },
      context: {},
    };

    const rows = rowsOf(anonymous, receivedAt);

    assert.deepEqual(
      rows.map(({ table }) => table),
      ['identifies'],
    );
    assert.equal(valuesOf(rows[0])['anonymous_id'], 'anonymous-1');
    assert.ok(!('user_id' in valuesOf(rows[0])));
  });

  test('of a track of a long event name is named within 63 bytes', () => {
    const rows = rowsOf(track({ event: 'Registration '.repeat(20) }), receivedAt);

    assert.match(rows[1]?.table ?? '', /^registration_.{50}$/);
  });
});

describe('the key of a row', () => {
  test('is the message id, in every table but users', () => {
    const messages = [track(), group(), alias(), page(), page({ type: 'screen' })];

    const ids = messages.flatMap((message) => rowsOf(message, receivedAt).map(({ id }) => id));

    assert.deepEqual(new Set(ids), new Set(['message-1']));
  });

  test('is the user id in users', () => {
    const [identifies, users] = rowsOf(identify(), receivedAt);

    assert.deepEqual([identifies?.id, users?.id], ['message-1', 'user-1']);
  });
});

describe('the columns of a row', () => {
  test('of identifies are the common ones, the context and one a trait', () => {
    const message = identify({ traits: { email: 'a@example.com', age: 41 }, context: { ip: '192.0.2.1' } });

    const [identifies] = rowsOf(message, receivedAt);

    assert.deepEqual(valuesOf(identifies), {
      ...commonValues,
      context_ip: '192.0.2.1',
      email: 'a@example.com',
      age: 41,
    });
  });

  test('of users are the time received, the context and one a trait: no user id, no time of a message', () => {
    const message = identify({
      anonymousId: 'anonymous-1',
      traits: { email: 'a@example.com', age: 41 },
      context: { ip: '192.0.2.1' },
    });

    const [, users] = rowsOf(message, receivedAt);

    assert.deepEqual(valuesOf(users), {
      received_at: receivedAtText,
      context_ip: '192.0.2.1',
      email: 'a@example.com',
      age: 41,
    });
  });

  test('of tracks are the common ones, the context and the event’s names, without its properties', () => {
    const message = track({ properties: { method: 'password' }, context: { ip: '192.0.2.1' } });

    const [tracks] = rowsOf(message, receivedAt);

    assert.deepEqual(valuesOf(tracks), {
      ...commonValues,
      context_ip: '192.0.2.1',
      event: 'signed_in',
      event_text: 'Signed In',
    });
  });

  test('of an event’s table are those of tracks and one a property', () => {
    const message = track({ properties: { method: 'password' }, context: { ip: '192.0.2.1' } });

    const [tracks, signedIn] = rowsOf(message, receivedAt);

    assert.deepEqual(valuesOf(signedIn), { ...valuesOf(tracks), method: 'password' });
  });

  test('of groups are the common ones, the group’s id and one a trait', () => {
    const [groups] = rowsOf(group({ traits: { name: 'Acme', seats: 3 } }), receivedAt);

    assert.deepEqual(valuesOf(groups), { ...commonValues, group_id: 'group-1', name: 'Acme', seats: 3 });
  });

  test('of aliases are the common ones and the former id', () => {
    const [aliases] = rowsOf(alias(), receivedAt);

    assert.deepEqual(valuesOf(aliases), { ...commonValues, previous_id: 'user-0' });
  });

  for (const type of ['page', 'screen'] as const) {
    test(`of ${type}s are the common ones, name, category and one a property`, () => {
      const message = page({ type, name: 'Login', category: 'Account', properties: { theme: 'dark' } });

      const [row] = rowsOf(message, receivedAt);

      assert.deepEqual(valuesOf(row), { ...commonValues, name: 'Login', category: 'Account', theme: 'dark' });
    });
  }

  test('leave out name and category where a page has none', () => {
    const [pages] = rowsOf(page(), receivedAt);

    assert.deepEqual(valuesOf(pages), commonValues);
  });

  test('name the anonymous id where there is one', () => {
    const [tracks] = rowsOf(track({ anonymousId: 'anonymous-1' }), receivedAt);

    assert.equal(valuesOf(tracks)['anonymous_id'], 'anonymous-1');
  });

  test('hold the time received where the message has no time of its own', () => {
    const timeless: TrackMessage = {
      type: 'track',
      messageId: 'message-1' as MessageId,
      userId: 'user-1',
      event: 'Signed In',
      properties: {},
      context: {},
    };

    const [tracks] = rowsOf(timeless, receivedAt);

    assert.partialDeepStrictEqual(valuesOf(tracks), {
      original_timestamp: receivedAtText,
      timestamp: receivedAtText,
    });
  });

  test('are of the type that their values ask for', () => {
    const properties = { count: 3, share: 0.5, isNew: true, since: '2026-01-31', method: 'password' };

    const [, signedIn] = rowsOf(track({ properties }), receivedAt);

    assert.deepEqual(typesOf(signedIn), {
      received_at: 'timestamptz',
      original_timestamp: 'timestamptz',
      timestamp: 'timestamptz',
      user_id: 'text',
      event: 'text',
      event_text: 'text',
      count: 'bigint',
      share: 'numeric',
      is_new: 'boolean',
      since: 'timestamptz',
      method: 'text',
    });
  });

  test('that name somebody or something are text, though the name looks like a date', () => {
    const date = '2026-01-31';

    const rows = [
      ...rowsOf(track({ userId: date, anonymousId: date, event: date }), receivedAt),
      ...rowsOf(group({ groupId: date }), receivedAt),
      ...rowsOf(alias({ previousId: date }), receivedAt),
      ...rowsOf(page({ name: date, category: date }), receivedAt),
    ];

    const names = [
      'user_id',
      'anonymous_id',
      'event',
      'event_text',
      'group_id',
      'previous_id',
      'name',
      'category',
    ];
    for (const row of rows) {
      for (const name of names) assert.ok([undefined, 'text'].includes(row.cells.get(name)?.type), name);
    }
  });

  test('do not hold where the message goes, nor its type', () => {
    const message = { ...track(), integrations: { All: false }, channel: 'server', version: 2 };

    const [tracks] = rowsOf(message, receivedAt);

    assert.deepEqual(Object.keys(valuesOf(tracks)), [...Object.keys(commonValues), 'event', 'event_text']);
  });
});

describe('the contents of a message become columns', () => {
  const cases: [what: string, properties: JsonMap, expected: Record<string, unknown>][] = [
    ['a value under its snake-case name', { firstName: 'Ann' }, { first_name: 'Ann' }],
    [
      'a value named like a column that only another table fills',
      { groupId: 'g', previousId: 'p' },
      { group_id: 'g', previous_id: 'p' },
    ],
    [
      'an object by its parts',
      { address: { street: 'High', city: 'York' } },
      { address_street: 'High', address_city: 'York' },
    ],
    ['an object in an object in an object', { a: { b: { c: { dE: 1 } } } }, { a_b_c_d_e: 1 }],
    ['an empty object by nothing', { address: {} }, {}],
    ['an array by its JSON text', { roles: ['admin', 'user'] }, { roles: '["admin","user"]' }],
    [
      'an array of objects by its JSON text',
      { factors: [{ id: 1, on: true }] },
      { factors: '[{"id":1,"on":true}]' },
    ],
    ['an empty array by its JSON text', { roles: [] }, { roles: '[]' }],
    ['an array of null by its JSON text', { roles: [null] }, { roles: '[null]' }],
    ['an array inside an object', { account: { roles: [1] } }, { account_roles: '[1]' }],
    ['null by nothing', { email: null }, {}],
    ['null in an object by nothing', { address: { street: null, city: 'York' } }, { address_city: 'York' }],
    ['zero, false and an empty string by themselves', { a: 0, b: false, c: '' }, { a: 0, b: false, c: '' }],
    ['an id beside the row’s own', { id: 'registration-1' }, { _id: 'registration-1' }],
    ['a uuid beside Segment’s own', { uuid: 'x' }, { _uuid: 'x' }],
    ['an _id as an id', { _id: 'x' }, { _id: 'x' }],
    [
      'an id inside an object without a prefix of its own',
      { application: { id: 'x' } },
      { application_id: 'x' },
    ],
    ['a name of which nothing is left by nothing', { 日本: 1, '': 2, _: 3, '🔑': 4 }, {}],
    ['what is inside a name of which nothing is left', { 日本: { city: 'Kyoto' } }, { city: 'Kyoto' }],
    [
      'two spellings of one name by the first',
      { userName: 'first', user_name: 'second' },
      { user_name: 'first' },
    ],
    [
      'an object’s part and its flat spelling by the first',
      { address_city: 'York', address: { city: 'Bath' } },
      { address_city: 'York' },
    ],
    ['SQL words like any other', { select: 1, order: 2, table: 3 }, { select: 1, order: 2, table: 3 }],
    [
      'names that every object has',
      JSON.parse('{"constructor":1,"__proto__":2}') as JsonMap,
      { constructor: 1, proto: 2 },
    ],
    ['a NUL in a value by a stand-in', { name: 'a\u0000b' }, { name: 'a\ufffdb' }],
  ];
  for (const [what, contents, expected] of cases) {
    test(`${what}, in properties`, () => {
      assert.deepEqual(contentsOf(track({ properties: contents })), expected);
    });
    test(`${what}, in traits`, () => {
      assert.deepEqual(contentsOf(identify({ traits: contents })), expected);
    });
  }

  for (const reserved of [
    'anonymousId',
    'event',
    'eventText',
    'originalTimestamp',
    'receivedAt',
    'sentAt',
    'timestamp',
    'userId',
    'user_id',
    'uuid_ts',
  ]) {
    test(`but ${reserved} does not: Segment fills that column itself`, () => {
      const bare = rowsOf(track(), receivedAt);

      const rows = rowsOf(track({ properties: { [reserved]: 'mine' } }), receivedAt);

      assert.deepEqual(rows, bare);
    });

    test(`but ${reserved} does not, in traits of a user`, () => {
      const bare = rowsOf(identify(), receivedAt);

      const rows = rowsOf(identify({ traits: { [reserved]: 'mine' } }), receivedAt);

      assert.deepEqual(rows, bare);
    });
  }

  test('a context under its own prefix, whatever its depth', () => {
    const context = {
      ip: '192.0.2.1',
      device: { name: 'Laptop', type: null },
      traits: { email: 'a@example.com' },
      id: 'x',
      list: [1],
    };

    const contents = contentsOf(track({ context }));

    assert.deepEqual(contents, {
      context_ip: '192.0.2.1',
      context_device_name: 'Laptop',
      context_traits_email: 'a@example.com',
      context_id: 'x',
      context_list: '[1]',
    });
  });

  test('a property cannot take the place of what the context says', () => {
    const contents = contentsOf(track({ context: { ip: '192.0.2.1' }, properties: { contextIp: 'forged' } }));

    assert.deepEqual(contents, { context_ip: '192.0.2.1' });
  });

  test('a page’s property cannot take the place of its name', () => {
    const contents = contentsOf(page({ name: 'Login', properties: { name: 'other' } }));

    assert.deepEqual(contents, { name: 'Login' });
  });
});

describe('whatever a message holds', () => {
  const { value: anyValue } = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 4 }),
    ),
  }));
  const anyMap = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('id', 'userId', 'uuid')), anyValue, {
    maxKeys: 6,
  });
  const anyMessage: fc.Arbitrary<Message> = fc
    .tuple(anyMap, anyMap, fc.string({ unit: 'binary' }))
    .chain(([contents, context, name]) =>
      fc.constantFrom<Message>(
        identify({ traits: contents, context }),
        track({ properties: contents, context, event: name }),
        group({ traits: contents, context, groupId: name }),
        alias({ context, previousId: name }),
        page({ properties: contents, context, name }),
      ),
    );

  test('the same message becomes the same rows', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        assert.deepEqual(rowsOf(message, receivedAt), rowsOf(structuredClone(message), receivedAt));
      }),
    );
  });

  test('every table and column has a name that PostgreSQL keeps, and no column says nothing', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        for (const { table, cells } of rowsOf(message, receivedAt)) {
          assert.match(table, /^[a-z0-9_]{1,63}$/);
          for (const [column, { value }] of cells) {
            assert.match(column, /^[a-z0-9_]{1,63}$/);
            assert.ok(['string', 'number', 'boolean'].includes(typeof value));
          }
        }
      }),
    );
  });

  test('it never fills the columns that the load fills: id, uuid_ts and sent_at', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        for (const { cells } of rowsOf(message, receivedAt)) {
          for (const column of ['id', 'uuid', 'uuid_ts', 'sent_at']) assert.ok(!cells.has(column), column);
        }
      }),
    );
  });
});

test('a person’s id that PostgreSQL’s text cannot hold is written as nearly as it can', () => {
  const message: Message = { ...identifyOf('a\u0000b\ud800') };

  const users = rowsOf(message, 0).find(({ table }) => table === 'users');

  assert.equal(users?.id, 'a\ufffdb\ufffd');
});

function identifyOf(userId: string): Message {
  return { type: 'identify', messageId: 'message-1' as MessageId, userId, context: {}, traits: {} };
}
