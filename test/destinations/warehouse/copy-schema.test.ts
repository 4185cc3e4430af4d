// A schema that is copied from one PostgreSQL server to another.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { copySchema, SchemaTakenError } from '../../../src/destinations/warehouse/copy-schema.ts';
import { startWarehouse } from '../../support/warehouse.ts';
import type { TestWarehouse } from '../../support/warehouse.ts';

let source: TestWarehouse;
let target: TestWarehouse;
before(async () => {
  [source, target] = await Promise.all([startWarehouse(), startWarehouse()]);
});
after(() => Promise.all([source[Symbol.asyncDispose](), target[Symbol.asyncDispose]()]));

async function connect({ url }: TestWarehouse): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

async function copy(schema: string, onTable?: () => void) {
  await using from = await connect(source);
  await using to = await connect(target);
  return await copySchema({ from, to, schema, onTable });
}

/** All that a client sees of a schema, but for where it is. */
async function describeSchema(warehouse: TestWarehouse, schema: string) {
  const query = (sql: string, values: unknown[]) => warehouse.query(sql, values);
  return {
    columns: await query(
      `select table_name, column_name, data_type, character_maximum_length, is_nullable, column_default,
         col_description(format('%I.%I', table_schema, table_name)::regclass, ordinal_position) as comment
       from information_schema.columns where table_schema = $1 order by table_name, ordinal_position`,
      [schema],
    ),
    indexes: await query('select indexname, indexdef from pg_indexes where schemaname = $1 order by 1', [
      schema,
    ]),
    views: await query('select viewname, definition from pg_views where schemaname = $1 order by 1', [
      schema,
    ]),
    comments: await query(
      `select relname, obj_description(oid, 'pg_class') as comment from pg_class where relnamespace = $1::regnamespace order by 1`,
      [`"${schema}"`],
    ),
  };
}

test('the copy has its tables, keys, indexes, views, comments and rows', async () => {
  await source.query(`
    create schema "My Data";
    create table "My Data".tracks (id varchar(1024) not null primary key, received_at timestamptz, "timestamp" timestamptz,
      count bigint, share numeric, is_new boolean default true, note text, dropped text);
    alter table "My Data".tracks drop column dropped;
    create index by_note on "My Data".tracks (note) where note is not null;
    create view "My Data".a_view as select id, note from "My Data".tracks;
    create view "My Data".upon_it as select count(*) from "My Data".a_view;
    create materialized view "My Data".counted as select count(*) as tracks from "My Data".tracks;
    create unique index of_counted on "My Data".counted (tracks);
    comment on table "My Data".tracks is 'It''s all that was tracked';
    comment on column "My Data".tracks."timestamp" is 'The event''s own time';
    comment on view "My Data".a_view is 'Notes';
    insert into "My Data".tracks
      select i::text, now(), now(), i, i / 3.0, i % 2 = 0, case when i % 3 = 0 then E'a\\t"b"\\\\\\n\\\\.\\nç🔑' end
      from generate_series(1, 5000) i;
    create table "My Data"."select" (id varchar(1024) not null primary key)`);

  const { tables, skipped } = await copy('My Data');

  assert.deepEqual(tables, [
    { name: 'tracks', rows: 5_000 },
    { name: 'select', rows: 0 },
  ]);
  assert.equal(skipped.size, 0);
  assert.deepEqual(await describeSchema(target, 'My Data'), await describeSchema(source, 'My Data'));
  const rows = 'select * from "My Data".tracks order by count';
  assert.deepEqual(await target.query(rows), await source.query(rows));
});

test('the copy is of one moment, though rows come while it is made', async () => {
  await source.query(`
    create schema moment;
    create table moment.first (id text primary key); insert into moment.first values ('1');
    create table moment.second (id text primary key); insert into moment.second values ('1')`);
  let more: Promise<unknown> | undefined;

  const { tables } = await copy('moment', () => {
    more ??= source.query(`insert into moment.first values ('2'); insert into moment.second values ('2')`);
  });
  await more;

  assert.deepEqual(
    tables.map(({ rows }) => rows),
    [1, 1],
  );
});

test('a schema that has something in it is left as it is, and named with what is there', async () => {
  await source.query('create schema taken; create table taken.tracks (id text primary key)');
  await target.query('create schema taken; create view taken.theirs as select 1 as one');

  await assert.rejects(
    copy('taken'),
    (error) =>
      error instanceof SchemaTakenError &&
      error.message === 'The schema "taken" is there already, with "theirs" in it' &&
      error.hint.includes('DROP SCHEMA "taken" CASCADE'),
  );
  assert.deepEqual(await target.query('select * from taken.theirs'), [{ one: 1 }]);
});

test('a schema that is there and empty is filled', async () => {
  await source.query('create schema empty; create table empty.tracks (id text primary key)');
  await target.query('create schema empty');

  const { tables } = await copy('empty');

  assert.deepEqual(tables, [{ name: 'tracks', rows: 0 }]);
});

test('a copy whose connection breaks leaves nothing behind, and can be made again', async () => {
  await source.query(`
    create schema broken;
    create table broken.first (id text primary key); insert into broken.first values ('1');
    create table broken.second as select i::text as id, repeat('x', 1000) as text from generate_series(1, 20000) i`);
  await using from = await connect(source);
  await using to = await connect(target);
  const { rows } = await to.query<{ pid: number }>('select pg_backend_pid() as pid');
  let ending: Promise<unknown> | undefined;

  const copying = copySchema({
    from,
    to,
    schema: 'broken',
    onTable: () => {
      ending ??= target.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    },
  });

  await assert.rejects(copying);
  await ending;
  assert.deepEqual(await target.query(`select from pg_namespace where nspname = 'broken'`), []);
  assert.deepEqual(
    (await copy('broken')).tables.map(({ rows: count }) => count),
    [1, 20_000],
  );
});

test('a view that the other server cannot have is left out and named, and all else is copied', async () => {
  await source.query(`
    create schema own; create schema elsewhere; create table elsewhere.orders (id int);
    create table own.tracks (id text primary key);
    create view own.joined as select tracks.id from own.tracks, elsewhere.orders;
    comment on view own.joined is 'With orders';
    create view own.plain as select id from own.tracks`);

  const { skipped } = await copy('own');

  assert.deepEqual([...skipped.keys()], ['joined']);
  assert.match(skipped.get('joined') ?? '', /elsewhere/);
  assert.deepEqual(await target.query('select * from own.plain'), []);
});
