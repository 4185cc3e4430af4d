// The tables in PostgreSQL, beside what stands in warehouses that Segment has made (its documents, "Warehouse Schemas", and
// published dumps of such databases): written here by hand, so that no code of ours says what is expected of it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonValue, Message, MessageId } from '../../../src/segment/message.ts';
import { pino } from 'pino';
import { WarehouseDestination } from '../../../src/destinations/warehouse.ts';
import { externalServer } from '../../../src/destinations/warehouse/server.ts';
import { startWarehouse } from '../../support/warehouse.ts';
import type { TestWarehouse } from '../../support/warehouse.ts';

const never = new AbortController().signal;
const receivedAt = Date.parse('2026-01-31T12:00:01Z');
const timestamp = '2026-01-31T12:00:00.000Z';

let warehouse: TestWarehouse;
before(async () => {
  warehouse = await startWarehouse();
});
after(() => warehouse[Symbol.asyncDispose]());

/** Loads the batches one after the other into a schema of their own. */
async function load(schema: string, ...batches: readonly (readonly Message[])[]): Promise<void> {
  const destination = new WarehouseDestination({
    name: 'warehouse',
    server: externalServer(warehouse.url),
    schema,
    bridge: { id: 'this-bridge', host: 'here' },
    logger: pino({ level: 'silent' }),
  });
  try {
    await destination.open(never);
    for (const messages of batches) {
      const answers = await destination.send(
        messages.map((message) => destination.encode(message, receivedAt).payload),
        never,
      );
      assert.ok(
        answers.every(({ kind }) => kind === 'accepted'),
        JSON.stringify(answers),
      );
    }
  } finally {
    await destination.close();
  }
}

function message(of: object, id = 'message-1'): Message {
  const common = { messageId: id as MessageId, userId: 'user-1', anonymousId: 'visitor-1', timestamp };
  const context = { ip: '203.0.113.42', library: { name: 'the bridge', version: '1.0' } };
  return { ...common, context, ...of } as unknown as Message;
}

/** As `\d` shows a table: each column with its type, and what is not null; then the indexes. */
async function definitionOf(schema: string, table: string): Promise<readonly string[]> {
  const columns = await warehouse.query(
    `select a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as not_null,
       a.atthasdef as has_default
     from pg_attribute a where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [`${schema}.${table}`],
  );
  const indexes = await warehouse.query(
    `select pg_get_constraintdef(c.oid) as definition, c.conname::text as name from pg_constraint c
     where c.conrelid = to_regclass($1) and c.contype <> 'n' order by c.conname`,
    [`${schema}.${table}`],
  );
  return [
    ...columns.map(
      ({ name, type, not_null: isNotNull, has_default: hasDefault }) =>
        `${String(name)} ${String(type)}${isNotNull === true ? ' not null' : ''}${hasDefault === true ? ' default' : ''}`,
    ),
    ...indexes.map(({ name, definition }) => `${String(name)} ${String(definition)}`),
  ];
}

/** Ours hold one value each of every kind that JSON has. */
const values = {
  text: 'York',
  whole: 7,
  fraction: 1.5,
  flag: true,
  at: '2026-01-01T00:00:00Z',
  list: [1, 'a'],
  nested: { deep: { er: 'x' } },
  nothing: null,
};
const ofValues = {
  at: 'at timestamp with time zone',
  flag: 'flag boolean',
  fraction: 'fraction numeric',
  list: 'list text',
  nestedDeepEr: 'nested_deep_er text',
  text: 'text text',
  whole: 'whole bigint',
};
const anonymousId = 'anonymous_id text';
const context = ['context_ip text', 'context_library_name text', 'context_library_version text'];
const id = 'id character varying(1024) not null';
const receivedAndLoaded = ['received_at timestamp with time zone', 'uuid_ts timestamp with time zone'];
const originalTimestamp = 'original_timestamp timestamp with time zone';
const sentAt = 'sent_at timestamp with time zone';
const ownTime = 'timestamp timestamp with time zone';
const userId = 'user_id text';
const key = (table: string) => `${table}_pkey PRIMARY KEY (id)`;

describe('the layout is Segment’s', () => {
  const schema = 'layout';
  before(() =>
    load(schema, [
      message({ type: 'identify', traits: values }, 'identify'),
      message({ type: 'track', event: 'Order Completed', properties: values }, 'track'),
      message({ type: 'group', groupId: 'group-1', traits: values }, 'group'),
      message({ type: 'page', name: 'Home', category: 'Docs', properties: values }, 'page'),
      message({ type: 'screen', name: 'Home', category: 'Docs', properties: values }, 'screen'),
      message({ type: 'alias', previousId: 'visitor-0' }, 'alias'),
    ]),
  );

  const tables: Readonly<Record<string, readonly string[]>> = {
    identifies: [
      id,
      ...receivedAndLoaded,
      anonymousId,
      ofValues.at,
      ...context,
      ofValues.flag,
      ofValues.fraction,
      ofValues.list,
      ofValues.nestedDeepEr,
      originalTimestamp,
      sentAt,
      ofValues.text,
      ownTime,
      userId,
      ofValues.whole,
      key('identifies'),
    ],
    users: [
      id,
      ...receivedAndLoaded,
      ofValues.at,
      ...context,
      ofValues.flag,
      ofValues.fraction,
      ofValues.list,
      ofValues.nestedDeepEr,
      ofValues.text,
      ofValues.whole,
      key('users'),
    ],
    tracks: [
      id,
      ...receivedAndLoaded,
      anonymousId,
      ...context,
      'event text',
      'event_text text',
      originalTimestamp,
      sentAt,
      ownTime,
      userId,
      key('tracks'),
    ],
    order_completed: [
      id,
      ...receivedAndLoaded,
      anonymousId,
      ofValues.at,
      ...context,
      'event text',
      'event_text text',
      ofValues.flag,
      ofValues.fraction,
      ofValues.list,
      ofValues.nestedDeepEr,
      originalTimestamp,
      sentAt,
      ofValues.text,
      ownTime,
      userId,
      ofValues.whole,
      key('order_completed'),
    ],
    groups: [
      id,
      ...receivedAndLoaded,
      anonymousId,
      ofValues.at,
      ...context,
      ofValues.flag,
      ofValues.fraction,
      'group_id text',
      ofValues.list,
      ofValues.nestedDeepEr,
      originalTimestamp,
      sentAt,
      ofValues.text,
      ownTime,
      userId,
      ofValues.whole,
      key('groups'),
    ],
    ...Object.fromEntries(
      ['pages', 'screens'].map((table) => [
        table,
        [
          id,
          ...receivedAndLoaded,
          anonymousId,
          ofValues.at,
          'category text',
          ...context,
          ofValues.flag,
          ofValues.fraction,
          ofValues.list,
          'name text',
          ofValues.nestedDeepEr,
          originalTimestamp,
          sentAt,
          ofValues.text,
          ownTime,
          userId,
          ofValues.whole,
          key(table),
        ],
      ]),
    ),
    aliases: [
      id,
      ...receivedAndLoaded,
      anonymousId,
      ...context,
      originalTimestamp,
      'previous_id text',
      sentAt,
      ownTime,
      userId,
      key('aliases'),
    ],
  };
  for (const [table, expected] of Object.entries(tables)) {
    test(`of ${table}`, async () => {
      assert.deepEqual(await definitionOf(schema, table), expected);
    });
  }

  test('and the only index of a table is its primary key', async () => {
    const indexes = await warehouse.query(
      `select tablename::text as table, indexname::text as index from pg_indexes where schemaname = $1`,
      [schema],
    );

    assert.ok(indexes.length >= Object.keys(tables).length);
    for (const { table, index } of indexes) assert.equal(index, `${String(table)}_pkey`);
  });

  test('and a property named like a column of Segment’s own is prefixed or lost, as there', async () => {
    const properties = {
      id: 'i',
      uuid: 'u',
      userId: 'x',
      received_at: 'x',
      event: 'x',
      anonymousId: 'x',
      uuid_ts: 'x',
    };

    await load('reserved', [message({ type: 'track', event: 'Reserved Words', properties })]);

    assert.deepEqual(await definitionOf('reserved', 'reserved_words'), [
      id,
      ...receivedAndLoaded,
      '_id text',
      '_uuid text',
      anonymousId,
      ...context,
      'event text',
      'event_text text',
      originalTimestamp,
      sentAt,
      ownTime,
      userId,
      key('reserved_words'),
    ]);
  });
});

describe('a column of one type that meets a value of another', () => {
  const kinds: Readonly<Record<string, JsonValue>> = {
    text: 'red',
    bigint: 42,
    numeric: 1.5,
    boolean: true,
    timestamptz: '2026-01-31T12:00:00Z',
    list: ['a', 1],
  };
  const instant = '2026-01-31 12:00:00+00';
  const kept = (type: string, value: string) => ({ type, value, discarded: null });
  const discarded = (type: string, value: string) => ({ type, value: null, discarded: value });
  const [text, bigint, numeric, boolean, time] = [
    'text',
    'bigint',
    'numeric',
    'boolean',
    'timestamp with time zone',
  ];
  const list = '["a",1]';
  const iso = '2026-01-31T12:00:00Z';

  /** What the column is then, and where the second value stands. */
  const expected: Readonly<
    Record<string, Readonly<Record<string, { type: string; value: string | null; discarded: string | null }>>>
  > = {
    text: {
      text: kept(text, 'red'),
      bigint: kept(text, '42'),
      numeric: kept(text, '1.5'),
      boolean: kept(text, 'true'),
      timestamptz: kept(text, iso),
      list: kept(text, list),
    },
    bigint: {
      text: discarded(bigint, 'red'),
      bigint: kept(bigint, '42'),
      numeric: kept(numeric, '1.5'),
      boolean: discarded(bigint, 'true'),
      timestamptz: discarded(bigint, iso),
      list: discarded(bigint, list),
    },
    numeric: {
      text: discarded(numeric, 'red'),
      bigint: kept(numeric, '42'),
      numeric: kept(numeric, '1.5'),
      boolean: discarded(numeric, 'true'),
      timestamptz: discarded(numeric, iso),
      list: discarded(numeric, list),
    },
    boolean: {
      text: discarded(boolean, 'red'),
      bigint: discarded(boolean, '42'),
      numeric: discarded(boolean, '1.5'),
      boolean: kept(boolean, 'true'),
      timestamptz: discarded(boolean, iso),
      list: discarded(boolean, list),
    },
    timestamptz: {
      text: discarded(time, 'red'),
      bigint: discarded(time, '42'),
      numeric: discarded(time, '1.5'),
      boolean: discarded(time, 'true'),
      timestamptz: kept(time, instant),
      list: discarded(time, list),
    },
    list: {
      text: kept(text, 'red'),
      bigint: kept(text, '42'),
      numeric: kept(text, '1.5'),
      boolean: kept(text, 'true'),
      timestamptz: kept(text, iso),
      list: kept(text, list),
    },
  };
  const pairs = Object.keys(kinds).flatMap((first) =>
    Object.keys(kinds).map((second) => [first, second] as const),
  );
  const track = (which: string, id: string) =>
    message(
      {
        type: 'track',
        event: 'Conflict',
        properties: Object.fromEntries(
          pairs.map(([first, second]) => [
            `${first}_meets_${second}`,
            kinds[which === 'first' ? first : second] as JsonValue,
          ]),
        ),
      },
      id,
    );

  for (const [how, schema, batches] of [
    ['in a later batch', 'conflict_later', [[track('first', 'a')], [track('second', 'b')]]],
    ['in the same batch', 'conflict_same', [[track('first', 'a'), track('second', 'b')]]],
  ] as const) {
    describe(how, () => {
      before(() => load(schema, ...batches));

      for (const [first, second] of pairs) {
        test(`${first} meets ${second}`, async () => {
          const column = `${first}_meets_${second}`;
          const [found] = await warehouse.query(
            `select format_type(a.atttypid, a.atttypmod) as type,
               (select c.${column}::text from ${schema}.conflict c where c.id = 'b') as value,
               (select d.column_value from ${schema}.discards d where d.column_name = $1 and d.row_id = 'b') as discarded
             from pg_attribute a where a.attrelid = '${schema}.conflict'::regclass and a.attname = $1`,
            [column],
          );

          assert.deepEqual({ ...found }, expected[first]?.[second]);
        });
      }

      test('and the first value is still there', async () => {
        const rows = await warehouse.query(`select * from ${schema}.conflict where id = 'a'`);
        for (const [first, second] of pairs) {
          assert.notEqual(rows[0]?.[`${first}_meets_${second}`], null, `${first}_meets_${second}`);
        }
      });
    });
  }
});

test('two thousand tables are made, are known again, and take a row each', { timeout: 240_000 }, async () => {
  const schema = 'many';
  const tables = 2_000;
  const perBatch = 100;
  const batch = (number: number, round: number) =>
    Array.from({ length: perBatch }, (_, place) => {
      const event = `Event ${number * perBatch + place}`;
      return message({ type: 'track', event, properties: { round } }, `${round}-${event}`);
    });
  const numbers = Array.from({ length: tables / perBatch }, (_, number) => number);
  const tookMs: number[] = [];
  const timed = async (work: Promise<void>) => {
    const startedAt = performance.now();
    await work;
    tookMs.push(performance.now() - startedAt);
  };

  // Each by a destination of its own, which reads the schema anew.
  await timed(load(schema, ...numbers.slice(0, 5).map((number) => batch(number, 1))));
  await timed(load(schema, ...numbers.slice(5, 15).map((number) => batch(number, 1))));
  await timed(load(schema, ...numbers.slice(15).map((number) => batch(number, 1))));
  await timed(load(schema, ...numbers.map((number) => batch(number, 2))));

  const [counted] = await warehouse.query(
    `select count(*)::int as tables, (select count(*)::int from ${schema}.tracks) as tracks
     from pg_tables where schemaname = '${schema}' and tablename like 'event\\_%'`,
  );
  assert.deepEqual({ ...counted }, { tables, tracks: 2 * tables });
  const [row] = await warehouse.query(
    `select array_agg(round order by round) as rounds from ${schema}.event_1999`,
  );
  assert.deepEqual(row?.['rounds'], ['1', '2']);
  // The last five hundred tables take no more than their share: nothing grows with the tables that are there already.
  const [first = 0, , last = 0] = tookMs;
  assert.ok(last < 5 * first + 2_000, tookMs.map(Math.round).join(', '));
});
