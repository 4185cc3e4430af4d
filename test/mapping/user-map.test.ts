import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MappingFailure } from '../../src/mapping/map.ts';
import type { MessageDraft, UserMap } from '../../src/mapping/user-map.ts';
import { findDiscard } from '../../src/segment/checks.ts';
import type { Message } from '../../src/segment/message.ts';
import { library, mapAll, messagesOf, received, receivedSample } from '../support/mapped.ts';

const login = received({
  id: 'event-1',
  type: 'user.login.success',
  createInstant: 0,
  user: { id: 'u-1' },
});
const iso = '1970-01-01T00:00:00.000Z';
/** What a configuration file may return, whatever TypeScript says of it. */
const returning =
  (answer: unknown): UserMap =>
  () =>
    answer as MessageDraft[];

function failureOf(map: UserMap, event = login): MappingFailure {
  const [failure, ...more] = mapAll(event, { map });
  assert.deepEqual(more, []);
  assert.ok(failure?.type === 'failure', JSON.stringify(failure));
  return failure;
}

describe('the user’s map', () => {
  test('is given the event and its messages, and what it returns is what is sent', () => {
    const calls: unknown[] = [];

    const messages = messagesOf(login, {
      map: (event, made) => {
        calls.push([event, made]);
        return made.map((message) => ({
          ...message,
          context: { ...message.context, app: { name: 'Hooli' } },
        }));
      },
    });

    assert.deepEqual(calls, [[login, messagesOf(login)]]);
    assert.deepEqual(
      messages,
      messagesOf(login).map((message) => ({ ...message, context: { library, app: { name: 'Hooli' } } })),
    );
  });

  test('may return none', () => {
    assert.deepEqual(messagesOf(login, { map: () => [] }), []);
  });

  test('that returns what it was given changes nothing, for any type', () => {
    for (const type of ['user.create.complete', 'user.bulk.create', 'group.member.add.complete'] as const) {
      const event = receivedSample(type);

      assert.deepEqual(messagesOf(event, { map: (_event, made) => made }), messagesOf(event));
    }
  });

  test('is called for an event that becomes nothing by itself, known or not', () => {
    for (const type of ['group.create.complete', 'user.create', 'user.teleport', 'event-log.create']) {
      const event = received({ id: 'event-1', type, user: { id: 'u-1' } });
      const calls: unknown[] = [];

      const messages = messagesOf(event, {
        map: (_event, made) => {
          calls.push(made);
          return [{ type: 'track', userId: 'u-1', event: 'Made Up', properties: {} }];
        },
      });

      assert.deepEqual(calls, [[]]);
      assert.deepEqual(messages, [
        {
          type: 'track',
          userId: 'u-1',
          event: 'Made Up',
          properties: {},
          context: {},
          messageId: 'fusionauth-event-1-map-0',
        },
      ]);
    }
  });
});

describe('a draft', () => {
  const draft = { type: 'track', userId: 'u-1', event: 'Made Up', properties: {} } as const;

  test('is completed with an id, the event’s time and a context, and is then one that Segment keeps', () => {
    const messages = messagesOf(login, { map: () => [draft, { ...draft, event: 'Another' }] });

    assert.deepEqual(messages, [
      { ...draft, timestamp: iso, context: {}, messageId: 'fusionauth-event-1-map-0' },
      { ...draft, event: 'Another', timestamp: iso, context: {}, messageId: 'fusionauth-event-1-map-1' },
    ]);
    for (const message of messages) assert.equal(findDiscard(message), undefined);
  });

  test('has the same id each time', () => {
    assert.deepEqual(messagesOf(login, { map: () => [draft] }), messagesOf(login, { map: () => [draft] }));
  });

  test('has another id for another destination, as the messages of the rules have', () => {
    const ids = messagesOf(login, { map: (_event, made) => [...made, draft], idSuffix: '-staging' }).map(
      ({ messageId }) => messageId,
    );

    assert.deepEqual(ids, ['fusionauth-event-1-track-staging', 'fusionauth-event-1-map-1-staging']);
  });

  test('keeps the id, the time and the context that it has', () => {
    const own = { ...draft, messageId: 'mine', timestamp: '2020-01-01T00:00:00Z', context: { ip: '::1' } };

    assert.deepEqual(messagesOf(login, { map: () => [own] }), [own]);
  });

  test('of an event without a time has none', () => {
    const event = received({ id: 'event-1', type: 'test' });

    assert.deepEqual(messagesOf(event, { map: () => [draft] }), [
      { ...draft, context: {}, messageId: 'fusionauth-event-1-map-0' },
    ]);
  });

  test('that is a copy of a message gets an id of its own', () => {
    const ids = (drafts: (made: readonly Message[]) => MessageDraft[]) =>
      messagesOf(login, { map: (_event, made) => drafts(made) }).map(({ messageId }) => messageId);

    assert.deepEqual(
      ids((made) => [...made, ...made, ...made]),
      ['fusionauth-event-1-track', 'fusionauth-event-1-track-2', 'fusionauth-event-1-track-3'],
    );
    assert.deepEqual(
      ids(() => ['a', 'a-2', 'a', 'a'].map((messageId) => ({ ...draft, messageId }))),
      ['a', 'a-2', 'a-3', 'a-4'],
    );
  });

  test('becomes JSON: a Date its text, undefined nothing, NaN null', () => {
    const properties = { at: new Date(0), none: undefined, number: NaN, list: [undefined] };

    const [message] = messagesOf(login, {
      map: returning([{ ...draft, timestamp: new Date(0), properties }]),
    });

    assert.deepEqual(message, {
      ...draft,
      properties: { at: iso, number: null, list: [null] },
      timestamp: iso,
      context: {},
      messageId: 'fusionauth-event-1-map-0',
    });
  });

  test('of the wrong kind is not repaired: Segment’s checks tell of it', () => {
    const [message] = messagesOf(login, { map: returning([{ ...draft, userId: 7, context: null }]) });

    assert.equal(findDiscard(message)?.reason, 'id_not_string');
  });
});

describe('a map that cannot be used', () => {
  const circle: Record<string, unknown> = {};
  circle['itself'] = circle;
  const cases: [string, UserMap, string, RegExp][] = [
    [
      'returns a bigint',
      returning([{ value: 1n }]),
      'map_failed',
      /^TypeError: Do not know how to serialize a BigInt/,
    ],
    [
      'returns a circle',
      returning([circle]),
      'map_failed',
      /^TypeError: Converting circular structure to JSON/,
    ],
    ['returns undefined', returning(undefined), 'map_failed', /^map returned no list; it must return a list/],
    ['returns null', returning(null), 'map_failed', /^map returned no list/],
    ['returns a function', returning(() => []), 'map_failed', /^map returned no list/],
    ['returns one message', returning({ type: 'track' }), 'map_failed', /^map returned no list/],
    ['returns a Set', returning(new Set()), 'map_failed', /^map returned no list/],
    ['returns a list of texts', returning(['track']), 'map_failed', /^map returned a list with something/],
    ['returns a list with null', returning([null]), 'map_failed', /^map returned a list with something/],
    ['returns a list of lists', returning([[]]), 'map_failed', /^map returned a list with something/],
    ['is async', returning(Promise.resolve([])), 'map_failed', /^map answered a promise/],
    [
      'throws',
      () => {
        throw new TypeError('cannot read plan of undefined');
      },
      'map_failed',
      /^TypeError: cannot read plan of undefined\n\s+at .*user-map\.test\.ts/,
    ],
    [
      'never ends',
      () => {
        for (;;);
      },
      'map_timeout',
      /^map took longer than 250 ms$/,
    ],
    [
      'never ends where its answer is made JSON',
      returning([
        {
          toJSON() {
            for (;;);
          },
        },
      ]),
      'map_timeout',
      /^map took longer than 250 ms$/,
    ],
  ];
  for (const [name, map, reason, detail] of cases) {
    test(`because it ${name}, is a failure that says so`, () => {
      const failure = failureOf(map);

      assert.equal(failure.reason, reason);
      assert.match(failure.detail, detail);
    });
  }
});

describe('an import of 1,201 users', () => {
  const users = Array.from({ length: 1_201 }, (_, index) => ({ id: `u-${index}` }));
  const event = received({ id: 'event-1', type: 'user.bulk.create', users });

  test('comes to the map in portions of 500', () => {
    const portions: number[] = [];

    const messages = messagesOf(event, {
      map: (_event, made) => {
        portions.push(made.length);
        return made;
      },
    });

    assert.deepEqual(portions, [500, 500, 201]);
    assert.deepEqual(messages, messagesOf(event));
  });

  test('of 500 users comes once', () => {
    let calls = 0;
    const half = received({ type: 'user.bulk.create', users: users.slice(0, 500) });

    messagesOf(half, {
      map: (_event, made) => {
        calls++;
        return made;
      },
    });

    assert.equal(calls, 1);
  });

  test('has ids of its own for what the map makes in each portion', () => {
    const messages = messagesOf(event, {
      map: (_event, made) =>
        made.map(({ userId = '' }) => ({ type: 'track', userId, event: 'Imported', properties: {} })),
    });

    assert.equal(messages.length, 1_201);
    assert.equal(new Set(messages.map(({ messageId }) => messageId)).size, 1_201);
  });

  test('loses the messages of that portion alone in which the map fails', () => {
    const outcome = mapAll(event, {
      map: (_event, made) => {
        if (made.some(({ userId }) => userId === 'u-700')) throw new Error('of the second portion');
        return made;
      },
    });

    const failures = outcome.filter(({ type }) => type === 'failure') as MappingFailure[];
    assert.equal(failures.length, 1);
    assert.match(failures[0]?.detail ?? '', /^Error: of the second portion/);
    assert.deepEqual(
      outcome.flatMap((message) => (message.type === 'failure' ? [] : (message.userId ?? ''))),
      users.map(({ id }) => id).filter((_id, index) => index < 500 || index >= 1_000),
    );
    // In its place among the others, as the log has it.
    assert.equal(outcome[500]?.type, 'failure');
  });
});

test('what the user’s map adds beside the fields of Segment’s spec is not sent: no policy knows it', () => {
  const [message] = messagesOf(login, {
    map: (_event, made) => made.map((each) => ({ ...each, email: 'richard@example.com' })),
  });

  assert.ok(message && !('email' in message));
});

test('what the user’s code writes into its event is no part of it', () => {
  const writing = (event: { user?: unknown }): boolean => {
    event.user = { id: 'somebody-else' };
    return true;
  };

  const [message] = messagesOf(login, { filters: [{ filter: writing as never }] });

  assert.equal(message?.userId, 'u-1');
});
