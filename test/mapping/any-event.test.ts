// What holds whatever an event holds: any part of it missing, null, of the wrong kind, or beside what nobody knows.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { snakeCase } from '../../src/destinations/warehouse/naming.ts';
import { rowsOf } from '../../src/destinations/warehouse/rows.ts';
import { eventTypes } from '../../src/fusionauth/catalogue.ts';
import type { KnownEventType } from '../../src/fusionauth/catalogue.ts';
import { reviveEvent } from '../../src/fusionauth/event.ts';
import type { FusionAuthEvent } from '../../src/fusionauth/event.ts';
import { sampleEvent } from '../../src/fusionauth/samples.ts';
import { createMapper } from '../../src/mapping/map.ts';
import type { MappingOptions } from '../../src/mapping/map.ts';
import { defaultPolicy } from '../../src/mapping/privacy.ts';
import { findDiscard } from '../../src/segment/checks.ts';
import type { JsonMap, Message } from '../../src/segment/message.ts';
import { identity, library } from '../support/mapped.ts';

/** Any UTF-16 unit: half a character too, as JSON may hold one. */
const unit = fc.nat(0xffff).map((code) => String.fromCharCode(code));
const key = fc.oneof(
  fc.string({ unit, maxLength: 8 }),
  fc.constantFrom('__proto__', 'constructor', 'toJSON', 'id', 'type', 'userId', 'data', 'user', 'timestamp'),
);
const anything = fc.oneof(
  fc.jsonValue({ stringUnit: unit, maxDepth: 3 }),
  fc.constantFrom<unknown>('', 0, -1, 2 ** 63, -(2 ** 63), 8.64e15, 'u'.repeat(300), [], {}, [[]], [{}]),
);
const extras = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.dictionary(key, anything, { maxKeys: 3 }) },
);
const missing = Symbol('missing');

/** A value as it is, with changes inside, missing, null, or something else. */
function changed(value: unknown): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 12, arbitrary: changedInside(value) },
    { weight: 1, arbitrary: fc.constant(missing) },
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: anything },
  );
}

function changedInside(value: unknown): fc.Arbitrary<unknown> {
  if (Array.isArray(value)) {
    const [first] = value as unknown[];
    return first === undefined
      ? fc.constant(value)
      : fc.array(changed(first), { maxLength: 3 }).map((entries) => entries.filter((x) => x !== missing));
  }
  return typeof value === 'object' && value !== null ? changedObject(value) : fc.constant(value);
}

function changedObject(object: object): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(object).map(([name, value]) => fc.tuple(fc.constant(name), changed(value)));
  return fc
    .tuple(extras, fc.tuple(...fields))
    .map(([more, entries]) =>
      Object.fromEntries([...Object.entries(more), ...entries.filter(([, value]) => value !== missing)]),
    );
}

const changedEvents = new Map(
  eventTypes.map((type) => [
    type,
    changedObject(sampleEvent(type, identity)).map((fields) =>
      reviveEvent(JSON.stringify({ ...fields, id: identity.eventId, type })),
    ),
  ]),
);
const anyEvent = fc
  .constantFrom(...eventTypes)
  .chain((type) =>
    (changedEvents.get(type) as fc.Arbitrary<FusionAuthEvent>).map((event) => ({ type, event })),
  );
const anyOptions = fc.record({
  naming: fc.constantFrom(undefined, 'fusionauth', 'segment'),
  groupId: fc.constantFrom(undefined, 'tenant', 'application'),
  privacy: fc.constantFrom(undefined, { policies: [defaultPolicy], salt: 'salt' }),
  anonymousId: fc.constantFrom(undefined, 'user.data.favouriteColour'),
  idSuffix: fc.constantFrom(undefined, '-another'),
});

/** With its type switched on. */
function mapOnce(event: FusionAuthEvent, type: KnownEventType, options: Partial<MappingOptions>): Message[] {
  const mapper = createMapper({ library, ...options, filters: [{ include: [type] }] });
  return [...mapper.map(event)].map((message) => {
    assert.ok(message.type !== 'failure');
    return message;
  });
}

function assertAlways(check: (messages: Message[], event: FusionAuthEvent, type: KnownEventType) => void) {
  fc.assert(
    fc.property(anyEvent, anyOptions, ({ event, type }, options) => {
      check(mapOnce(event, type, options), event, type);
    }),
    { numRuns: 1_000 },
  );
}

/** All that may be somebody’s id in an event of this type, said without the code’s own table. */
function idsNamed(type: KnownEventType, event: FusionAuthEvent): unknown[] {
  const at = (value: unknown, ...path: string[]): unknown =>
    path.reduce<unknown>((held, name) => (held as Record<string, unknown> | null | undefined)?.[name], value);
  const each = (list: unknown, name: string): unknown[] =>
    Array.isArray(list) ? list.map((entry: unknown) => at(entry, name)) : [];
  if (type === 'user.bulk.create') return each(event['users'], 'id');
  if (type.startsWith('group.')) return each(event['members'], 'userId');
  if (type === 'user.loginId.duplicate.create') return [at(event, 'existing', 'id')];
  if (type === 'user.action') return [event['actioneeUserId'], event['actioneeId']];
  if (type === 'jwt.refresh') return [event['userId']];
  if (type === 'jwt.refresh-token.revoke') {
    return [event['userId'], at(event, 'user', 'id'), at(event, 'refreshToken', 'userId')];
  }
  return [at(event, 'user', 'id')];
}

/** As Segment’s warehouses have them (its documents, and what was seen in them). */
const reservedColumns = new Set([
  'id',
  'uuid',
  'uuid_ts',
  'event',
  'event_text',
  'timestamp',
  'received_at',
  'sent_at',
  'original_timestamp',
  'user_id',
  'anonymous_id',
  'loaded_at',
  'type',
]);

const partsOf = (message: Message): JsonMap[] => [
  message.context,
  ...('traits' in message ? [message.traits] : []),
  ...('properties' in message ? [message.properties] : []),
];

describe('whatever an event holds', () => {
  test('it becomes messages that Segment keeps, or none, and never a failure', () => {
    let kept = 0;
    assertAlways((messages) => {
      for (const message of messages) assert.equal(findDiscard(message), undefined);
      kept += messages.length;
    });

    // The changes are not so many that hardly anything is left to check.
    assert.ok(kept > 250, String(kept));
  });

  test('it becomes the same bytes each time, and is left as it was', () => {
    fc.assert(
      fc.property(anyEvent, anyOptions, ({ event, type }, options) => {
        const before = JSON.stringify(event);

        const first = JSON.stringify(mapOnce(event, type, options));
        const second = JSON.stringify(mapOnce(reviveEvent(before), type, options));

        assert.equal(second, first);
        assert.equal(JSON.stringify(event), before);
      }),
      { numRuns: 1_000 },
    );
  });

  test('each message’s user is one whom the event names', () => {
    assertAlways((messages, event, type) => {
      const ids = idsNamed(type, event);
      for (const { userId } of messages) assert.ok(userId !== undefined && ids.includes(userId));
    });
  });

  test('no trait and no property has a name that a warehouse reserves', () => {
    assertAlways((messages) => {
      for (const part of messages.flatMap((message) => partsOf(message).slice(1))) {
        for (const name of Object.keys(part)) assert.ok(!reservedColumns.has(snakeCase(name)), name);
      }
    });
  });

  test('no trait, property or context field is empty', () => {
    assertAlways((messages) => {
      for (const value of messages.flatMap(partsOf).flatMap(Object.values) as unknown[]) {
        assert.ok(value !== null && value !== undefined && value !== '');
        assert.ok(typeof value !== 'object' || Object.keys(value).length > 0);
      }
    });
  });

  test('its messages have ids of their own, make rows, and an identify comes first', () => {
    assertAlways((messages) => {
      assert.equal(new Set(messages.map(({ messageId }) => messageId)).size, messages.length);
      for (const message of messages) assert.ok(rowsOf(message, identity.createInstant).length > 0);
      const kinds = messages.map(({ type }) => type);
      assert.ok(!kinds.includes('track') || kinds.indexOf('identify') <= 0);
    });
  });
});

test('an event of a type that nobody knows becomes nothing, whatever it holds', () => {
  fc.assert(
    fc.property(fc.oneof(key, fc.string({ unit })), fc.constantFrom(...eventTypes), (type, like) => {
      fc.pre(type !== '' && !eventTypes.some((known) => known === type));
      const event = { ...sampleEvent(like, identity), id: 'event-1', type } as FusionAuthEvent;

      assert.deepEqual([...createMapper({ library, filters: [{ include: ['*', type] }] }).map(event)], []);
    }),
  );
});
