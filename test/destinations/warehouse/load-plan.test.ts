// From rows and the columns that are there to the statements that load them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { cellOf } from '../../../src/destinations/warehouse/columns.ts';
import type { ColumnType } from '../../../src/destinations/warehouse/columns.ts';
import { planLoad } from '../../../src/destinations/warehouse/load-plan.ts';
import type { LoadOptions, LoadPlan, Tables } from '../../../src/destinations/warehouse/load-plan.ts';
import type { Row } from '../../../src/destinations/warehouse/rows.ts';

const loadedAt = '2026-01-31T12:00:02.000Z';
const receivedAt = '2026-01-31T12:00:01.000Z';
const saidAt = Date.parse('2026-01-31T12:00:00Z');
const nothing: Tables = new Map();
type UserTimes = LoadOptions['userTimes'];
const nobody: UserTimes = new Map();

function row(
  table: string,
  id: string,
  values: Readonly<Record<string, string | number | boolean>> = {},
): Row {
  const entries = Object.entries({ received_at: receivedAt, ...values });
  const cells = new Map(entries.map(([column, value]) => [column, cellOf(value)]));
  return { table, id, cells, ...(table === 'users' && { said: { at: saidAt, cleared: [] } }) };
}

/** The same, of a person, said at another time. */
function said(at: number, person: Row, cleared: readonly string[] = []): Row {
  return { ...person, said: { at, cleared } };
}

function plan(
  rows: readonly Row[],
  tables: Tables = nothing,
  { schema = 'fusionauth', userTimes = nobody }: { schema?: string; userTimes?: UserTimes } = {},
): LoadPlan {
  return planLoad(rows, { schema, tables, userTimes, loadedAt });
}

function tablesOf(tables: Readonly<Record<string, Readonly<Record<string, ColumnType>>>>): Tables {
  return new Map(Object.entries(tables).map(([table, columns]) => [table, new Map(Object.entries(columns))]));
}

/** What loading the rows leaves behind, for a next load. */
function after(...rows: readonly Row[]): Tables {
  return plan(rows).tables;
}

/** The statements that change the schema. */
function definitionsOf({ statements }: LoadPlan): string[] {
  return statements.map(({ text }) => text).filter((text) => !text.startsWith('insert'));
}

/** The records that a plan writes into a table, without the time of the load. */
function recordsOf({ statements }: LoadPlan, table: string): Record<string, unknown>[] {
  const inserts = statements.filter(({ text }) => text.startsWith(`insert into "fusionauth"."${table}" `));
  return inserts.flatMap(({ text, values }) => {
    const names = /\((.*?)\) select/.exec(text)?.[1] ?? '';
    const columns = names.split(', ').map((name) => name.slice(1, -1));
    const lists = values.flatMap((value) => (typeof value === 'string' ? [] : [value]));
    return Array.from(lists[0] ?? [], (_id, index) => {
      const cells = lists.map((list, column): [string, unknown] => [columns[column] ?? '', list[index]]);
      return Object.fromEntries(cells.filter(([, value]) => value !== null));
    });
  });
}

describe('a table that is not there', () => {
  test('is created as Segment makes it: id, received_at and uuid_ts first, the rest by name', () => {
    const loads = plan([
      row('signed_in', 'message-1', { zip: 'YO1', event: 'signed_in', count: 3, share: 0.5, is_new: true }),
    ]);

    assert.deepEqual(definitionsOf(loads), [
      'create table if not exists "fusionauth"."signed_in" (' +
        '"id" character varying(1024) not null primary key, ' +
        '"received_at" timestamp with time zone, ' +
        '"uuid_ts" timestamp with time zone, ' +
        '"count" bigint, ' +
        '"event" text, ' +
        '"is_new" boolean, ' +
        '"sent_at" timestamp with time zone, ' +
        '"share" numeric, ' +
        '"zip" text)',
    ]);
  });

  test('is created once for all rows of a batch, with the columns of them all', () => {
    const loads = plan([row('tracks', 'message-1', { b: 1 }), row('tracks', 'message-2', { a: 'x' })]);

    assert.match(definitionsOf(loads)[0] ?? '', /"a" text, "b" bigint, "sent_at"/);
    assert.equal(definitionsOf(loads).length, 1);
  });

  test('has a numeric column where its first rows hold whole numbers and fractions', () => {
    const loads = plan([
      row('tracks', 'message-1', { score: 1 }),
      row('tracks', 'message-2', { score: 1.5 }),
    ]);

    assert.match(definitionsOf(loads).join(), /"score" numeric/);
    assert.deepEqual(
      recordsOf(loads, 'tracks').map(({ score }) => score),
      [1, 1.5],
    );
    assert.equal(loads.discards, 0);
  });

  test('has no column for the time sent where it is users, which are no messages', () => {
    const loads = plan([row('users', 'user-1', { email: 'a@example.com' })]);

    assert.doesNotMatch(definitionsOf(loads).join(), /sent_at/);
    assert.match(definitionsOf(loads).join(), /"received_at".*"uuid_ts".*"email"/);
  });
});

describe('a table that is there', () => {
  test('is left as it is where it has every column', () => {
    const loads = plan(
      [row('tracks', 'message-2', { count: 4 })],
      after(row('tracks', 'message-1', { count: 3 })),
    );

    assert.deepEqual(definitionsOf(loads), []);
  });

  test('gets the columns it lacks in one statement', () => {
    const loads = plan(
      [row('tracks', 'message-2', { plan: 'free' }), row('tracks', 'message-3', { seats: 3, plan: 'paid' })],
      after(row('tracks', 'message-1')),
    );

    assert.deepEqual(definitionsOf(loads), [
      'alter table "fusionauth"."tracks" add column if not exists "plan" text, add column if not exists "seats" bigint',
    ]);
  });

  test('gets a column of numeric where the first values for it are whole numbers and fractions', () => {
    const loads = plan(
      [row('tracks', 'message-2', { score: 1 }), row('tracks', 'message-3', { score: 1.5 })],
      after(row('tracks', 'message-1')),
    );

    assert.deepEqual(definitionsOf(loads), [
      'alter table "fusionauth"."tracks" add column if not exists "score" numeric',
    ]);
  });

  test('has a column of whole numbers widened when it meets a fraction', () => {
    const loads = plan(
      [row('tracks', 'message-2', { score: 1.5 }), row('tracks', 'message-3', { score: 2.5 })],
      after(row('tracks', 'message-1', { score: 1 })),
    );

    assert.deepEqual(definitionsOf(loads), [
      'alter table "fusionauth"."tracks" alter column "score" type numeric',
    ]);
    assert.equal(loads.tables.get('tracks')?.get('score'), 'numeric');
    assert.deepEqual(
      recordsOf(loads, 'tracks').map(({ score }) => score),
      [1.5, 2.5],
    );
  });

  test('has a column of whole numbers widened when it meets one beyond what JavaScript holds exactly', () => {
    const loads = plan(
      [row('tracks', 'message-2', { big: 2 ** 60 })],
      after(row('tracks', 'message-1', { big: 1 })),
    );

    assert.match(definitionsOf(loads).join(), /alter column "big" type numeric/);
  });

  test('keeps a numeric column that meets a whole number', () => {
    const loads = plan(
      [row('tracks', 'message-2', { score: 2 })],
      after(row('tracks', 'message-1', { score: 1.5 })),
    );

    assert.deepEqual(definitionsOf(loads), []);
    assert.deepEqual(
      recordsOf(loads, 'tracks').map(({ score }) => score),
      [2],
    );
  });

  test('is not changed in the plan of somebody else: what was known before stays as it was', () => {
    const tables = after(row('tracks', 'message-1', { score: 1 }));
    const before = structuredClone(tables);

    plan([row('tracks', 'message-2', { score: 1.5, plan: 'free' }), row('users', 'user-1')], tables);

    assert.deepEqual(tables, before);
  });
});

describe('the rows of a plan', () => {
  test('come behind every table and column, a statement a table', () => {
    const loads = plan(
      [row('tracks', 'message-1'), row('signed_in', 'message-1'), row('tracks', 'message-2', { a: 1 })],
      after(row('tracks', 'message-0')),
    );

    const kinds = loads.statements.map(({ text }) => text.split(' ', 1)[0]);
    assert.deepEqual(kinds, ['alter', 'create', 'insert', 'insert']);
    for (const { text, values } of loads.statements.slice(2)) {
      assert.match(text, /"uuid_ts", "sent_at"\) select sent\.\*, \$(\d+)::timestamptz, \$\1::timestamptz/);
      assert.equal(values.at(-1), loadedAt);
    }
  });

  test('hold each value as it is, and nothing where a row says nothing', () => {
    const loads = plan([
      row('tracks', 'message-1', { count: 3, is_new: false, note: '' }),
      row('tracks', 'message-2', { count: 0 }),
    ]);

    const times = { received_at: receivedAt };
    assert.deepEqual(recordsOf(loads, 'tracks'), [
      { id: 'message-1', ...times, count: 3, is_new: false, note: '' },
      { id: 'message-2', ...times, count: 0 },
    ]);
  });

  test('leave a row that is there already as it is, and bring one of users up to date', () => {
    const loads = plan([row('tracks', 'message-1'), row('users', 'user-1', { email: 'a@example.com' })]);

    const inserts = loads.statements.map(({ text }) => text).filter((text) => text.startsWith('insert'));
    assert.match(inserts[0] ?? '', /on conflict \(id\) do nothing$/);
    assert.match(
      inserts[1] ?? '',
      /on conflict \(id\) do update set .*"email" = coalesce\(excluded\."email", stored\."email"\)/,
    );
  });

  test('never hold a value in the text of a statement', () => {
    const loads = plan([row('tracks', 'secret-id', { note: 'secret-note' })]);

    assert.doesNotMatch(loads.statements.map(({ text }) => text).join(), /secret/);
  });

  test('are none, and no statement, where there is nothing to load', () => {
    assert.deepEqual(plan([]), { statements: [], tables: new Map(), discards: 0 });
  });
});

describe('several rows of one person in a batch', () => {
  test('become one, in which the later value counts and an earlier one stays where nothing later is said', () => {
    const loads = plan([
      row('users', 'user-1', { email: 'first@example.com', plan: 'free' }),
      row('users', 'user-2', { email: 'other@example.com' }),
      row('users', 'user-1', { email: 'second@example.com', seats: 3 }),
    ]);

    const records = recordsOf(loads, 'users').map(({ id, email, plan, seats }) => [id, email, plan, seats]);
    assert.deepEqual(records, [
      ['user-1', 'second@example.com', 'free', 3],
      ['user-2', 'other@example.com', undefined, undefined],
    ]);
  });

  test('keep the last value that fits, as they would one by one', () => {
    const loads = plan(
      [row('users', 'user-1', { age: 41 }), row('users', 'user-1', { age: 'unknown' })],
      after(row('users', 'user-1', { age: 40 })),
    );

    assert.deepEqual(
      recordsOf(loads, 'users').map(({ age }) => age),
      [41],
    );
    assert.deepEqual(
      recordsOf(loads, 'discards').map(({ column_value }) => column_value),
      ['unknown'],
    );
  });

  test('count by the events’ own times, not by their order', () => {
    const loads = plan([
      said(20, row('users', 'user-1', { email: 'new@example.com' })),
      said(10, row('users', 'user-1', { email: 'old@example.com', plan: 'free' })),
    ]);

    assert.partialDeepStrictEqual(recordsOf(loads, 'users'), [{ email: 'new@example.com', plan: 'free' }]);
  });

  test('write nothing that is older than what stands there', () => {
    const userTimes = new Map([['user-1', new Map(['received_at', 'email'].map((column) => [column, 30]))]]);
    const tables = after(row('users', 'user-1', { email: 'newest@example.com' }));

    const older = plan([said(20, row('users', 'user-1', { email: 'old@example.com' }))], tables, {
      userTimes,
    });
    const sameTime = plan([said(30, row('users', 'user-1', { email: 'new@example.com' }))], tables, {
      userTimes,
    });

    assert.deepEqual(older.statements, []);
    assert.partialDeepStrictEqual(recordsOf(sameTime, 'users'), [{ email: 'new@example.com' }]);
  });

  test('clear a column that the newest of them takes back', () => {
    const tables = after(row('users', 'user-1', { email: 'a@example.com', plan: 'free' }));

    const loads = plan([said(10, row('users', 'user-1'), ['plan', 'unknown'])], tables);

    const clearing = loads.statements.filter(({ text }) => text.startsWith('update'));
    assert.deepEqual(clearing, [
      { text: 'update "fusionauth"."users" set "plan" = null where id = any($1)', values: [['user-1']] },
    ]);
  });

  test('each stay a row of their own in every other table', () => {
    const loads = plan([
      row('identifies', 'message-1', { plan: 'free' }),
      row('identifies', 'message-2', { plan: 'paid' }),
    ]);

    assert.deepEqual(
      recordsOf(loads, 'identifies').map(({ id, plan }) => [id, plan]),
      [
        ['message-1', 'free'],
        ['message-2', 'paid'],
      ],
    );
  });
});

describe('a value that fits no column', () => {
  const tables = after(row('tracks', 'message-1', { count: 3 }));

  test('is left out of its row and written to discards, with where it stood and why', () => {
    const loads = plan([row('tracks', 'message-2', { count: 'many', note: 'kept' })], tables);

    assert.equal(loads.discards, 1);
    assert.partialDeepStrictEqual(recordsOf(loads, 'tracks'), [{ id: 'message-2', note: 'kept' }]);
    assert.ok(!('count' in (recordsOf(loads, 'tracks')[0] ?? {})));
    assert.deepEqual(recordsOf(loads, 'discards'), [
      {
        // The value's hash first: another value of the same row and column is another discard.
        id: '1137b15c7797aa84:tracks.count:message-2',
        row_id: 'message-2',
        table_name: 'tracks',
        column_name: 'count',
        column_value: 'many',
        reason: 'a text value does not fit a bigint column',
        received_at: receivedAt,
      },
    ]);
  });

  test('for want of room in a table of 1,500 columns stands in discards, and the row keeps the columns that are there', () => {
    const many = (from: number, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${from + index}`, index]));
    const full = after(row('users', 'first', { email: 'a@example.com', ...many(0, 2_000) }));

    const loads = plan([row('users', 'second', { email: 'b@example.com', ...many(5_000, 3) })], full);

    assert.equal(full.get('users')?.size, 1_501, 'the id, and 1,500 more');
    assert.partialDeepStrictEqual(recordsOf(loads, 'users'), [{ id: 'second', email: 'b@example.com' }]);
    assert.equal(loads.discards, 3);
    assert.match(String(recordsOf(loads, 'discards')[0]?.['reason']), /has 1500 columns already/);
  });

  test('has a table of discards created for it, of text and times', () => {
    const loads = plan([row('tracks', 'message-2', { count: 'many' })], tables);

    assert.deepEqual(
      loads.tables.get('discards'),
      new Map<string, ColumnType>([
        ['row_id', 'text'],
        ['table_name', 'text'],
        ['column_name', 'text'],
        ['column_value', 'text'],
        ['reason', 'text'],
        ['received_at', 'timestamptz'],
        ['uuid_ts', 'timestamptz'],
        ['id', 'text'],
      ]),
    );
  });

  test('is found in the batch that makes the column, too: the first value says the type', () => {
    const loads = plan([row('tracks', 'message-1', { ok: true }), row('tracks', 'message-2', { ok: 'yes' })]);

    assert.match(definitionsOf(loads).join(), /"ok" boolean/);
    assert.deepEqual(
      recordsOf(loads, 'discards').map(({ row_id, column_value }) => [row_id, column_value]),
      [['message-2', 'yes']],
    );
  });

  test('of a text column there is none: every value fits as text', () => {
    const loads = plan(
      [row('tracks', 'message-2', { note: 7 }), row('tracks', 'message-3', { note: true })],
      after(row('tracks', 'message-1', { note: 'text' })),
    );

    assert.deepEqual(
      recordsOf(loads, 'tracks').map(({ note }) => note),
      ['7', 'true'],
    );
    assert.equal(loads.discards, 0);
  });

  test('is the only thing that is counted as discarded', () => {
    const loads = plan(
      [
        row('tracks', 'message-2', { count: 1.5 }),
        row('tracks', 'message-3', { count: true, other: 'x' }),
        row('tracks', 'message-4', { count: '2026-01-31' }),
      ],
      tables,
    );

    assert.equal(loads.discards, 2);
    assert.equal(recordsOf(loads, 'discards').length, 2);
  });
});

test('identifiers are quoted, whatever they hold', () => {
  const loads = plan([row('order', 'message-1', { select: 1, 'a"b': 2 })], nothing, {
    schema: 'my "own" schema',
  });

  const [create = '', insert = ''] = loads.statements.map(({ text }) => text);
  assert.match(create, /^create table if not exists "my ""own"" schema"\."order" \(/);
  assert.match(create, /"a""b" bigint, "select" bigint/);
  assert.match(insert, /^insert into "my ""own"" schema"\."order" .*"select".*"a""b"/);
});

describe('for any rows', () => {
  const anyValue = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constantFrom('2026-01-31', '2026-01-31T12:00:00Z'),
  );
  const anyRow = fc
    .record({
      table: fc.constantFrom('users', 'tracks', 'identifies', 'signed_in'),
      id: fc.constantFrom('1', '2', '3'),
      values: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'select'), anyValue),
    })
    .map(({ table, id, values }) => row(table, id, values));
  const anyRows = fc.array(anyRow, { maxLength: 12 });

  test('the same rows and tables give the same plan', () => {
    fc.assert(
      fc.property(anyRows, anyRows, (earlier, rows) => {
        const tables = plan(earlier).tables;

        assert.deepEqual(plan(rows, tables), plan(structuredClone(rows), structuredClone(tables)));
      }),
    );
  });

  test('a second load of the same rows changes no table', () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const first = plan(rows);

        const second = plan(rows, first.tables);

        assert.deepEqual(definitionsOf(second), []);
        assert.deepEqual(second.tables, first.tables);
      }),
    );
  });

  test('no column ever changes its type, but from whole numbers to numeric', () => {
    fc.assert(
      fc.property(anyRows, anyRows, (earlier, later) => {
        const before = plan(earlier).tables;

        const after = plan(later, before).tables;

        for (const [table, columns] of before) {
          for (const [column, type] of columns) {
            const now = after.get(table)?.get(column);
            assert.ok(
              now === type || (type === 'bigint' && now === 'numeric'),
              `${type} became ${now ?? 'gone'}`,
            );
          }
        }
      }),
    );
  });

  test('every value arrives in its row or in discards', () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const messageRows = rows.filter(({ table }) => table !== 'users');

        const loads = plan(messageRows);

        const given = messageRows.reduce((sum, { cells }) => sum + cells.size, 0);
        const written = ['tracks', 'identifies', 'signed_in']
          .flatMap((table) => recordsOf(loads, table))
          .reduce((sum, record) => sum + Object.keys(record).length - 1, 0);
        assert.equal(written + loads.discards, given);
      }),
    );
  });
});

test('a table that somebody made by hand, with other types of PostgreSQL’s, is filled as far as values fit', () => {
  const loads = plan(
    [row('tracks', 'message-1', { count: 1, note: 'x' })],
    tablesOf({ tracks: { id: 'text', received_at: 'timestamptz', note: 'boolean' } }),
  );

  assert.deepEqual(
    definitionsOf(loads)[0],
    'alter table "fusionauth"."tracks" add column if not exists "uuid_ts" timestamp with time zone, add column if not exists "sent_at" timestamp with time zone, add column if not exists "count" bigint',
  );
  assert.equal(loads.discards, 1);
});
