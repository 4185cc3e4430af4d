// Views and comments are kept up to date beside the loads, and never hold one up.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { Upkeep } from '../../../src/destinations/warehouse/upkeep.ts';
import type { Connection } from '../../../src/destinations/warehouse/upkeep.ts';
import type { SourceTables } from '../../../src/destinations/warehouse/views.ts';
import { messagesOf, receivedSample } from '../../support/mapped.ts';
import { ViewedSchema } from '../../support/warehouse-views.ts';
import { startWarehouse } from '../../support/warehouse.ts';
import type { TestWarehouse } from '../../support/warehouse.ts';

const minute = 60_000;

let warehouse: TestWarehouse;
before(async () => {
  warehouse = await startWarehouse();
});
after(() => warehouse[Symbol.asyncDispose]());

let schemas = 0;
async function newSchema(): Promise<ViewedSchema> {
  const schema = new ViewedSchema(warehouse, `upkeep_${++schemas}`);
  await schema.query('create schema $');
  return schema;
}

/** A session, ended at the end of the scope. */
class Session implements Connection, AsyncDisposable {
  readonly #client = new pg.Client({ connectionString: warehouse.url });
  /** How many queries it was asked. */
  asked = 0;

  static async open(): Promise<Session> {
    const session = new Session();
    await session.#client.connect();
    return session;
  }

  query(sql: string): Promise<unknown> {
    this.asked++;
    return this.#client.query(sql);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.end();
  }
}

const login = messagesOf(receivedSample('user.login.success'));

test('views and comments follow what is loaded, and nothing is asked while nothing comes', async () => {
  const schema = await newSchema();
  await using session = await Session.open();
  const upkeep = new Upkeep(schema.name);
  await upkeep.run(session, new Map(), 0);
  const atFirst = await schema.answer('logins', 'user_id', '1');

  await schema.load(login);
  const tables = await schema.tables();
  const error = await upkeep.run(session, tables, 1);
  const { asked } = session;
  await upkeep.run(session, tables, 10 * minute);

  assert.deepEqual(atFirst, []);
  assert.equal(error, undefined);
  assert.deepEqual(await schema.answer('logins', 'user_id', '1'), [[login[0]?.userId]]);
  assert.deepEqual(
    await schema.query(`select col_description('$.tracks'::regclass, attnum) as comment from pg_attribute
      where attrelid = '$.tracks'::regclass and attname = 'event_text'`),
    [{ comment: 'The event’s name' }],
  );
  assert.equal(session.asked, asked);
});

test('when a table comes, only the views that read it are made anew', async () => {
  const schema = await newSchema();
  await using session = await Session.open();
  const upkeep = new Upkeep(schema.name);
  await upkeep.run(session, new Map(), 0);
  const { asked } = session;

  await schema.query('create table $.user_login_suspicious (id text primary key)');
  await upkeep.run(session, await schema.tables(), 0);

  // And one statement for the comments.
  assert.equal(session.asked - asked, 2);
});

test('a view that somebody holds is left for later, and all others are made', async () => {
  const schema = await newSchema();
  await using session = await Session.open();
  await using client = await Session.open();
  const upkeep = new Upkeep(schema.name);
  await upkeep.run(session, new Map(), 0);
  await client.query(`begin; select * from ${schema.name}.logins`);
  await schema.load(login);
  const tables = await schema.tables();

  const error = await upkeep.run(session, tables, 0);
  const others = await schema.answer('logins_by_method', 'method', '1');
  await client.query('commit');
  await upkeep.run(session, tables, minute - 1);
  const tooEarly = await schema.answer('logins', 'method', '1');
  const later = await upkeep.run(session, tables, minute);

  assert.equal((error as { code?: string }).code, '55P03');
  assert.deepEqual(others, [['PASSWORD']]);
  assert.deepEqual(tooEarly, []);
  assert.equal(later, undefined);
  assert.deepEqual(await schema.answer('logins', 'method', '1'), [['PASSWORD']]);
});

test('a table that somebody holds gets its comments later', async () => {
  const schema = await newSchema();
  await using session = await Session.open();
  await using client = await Session.open();
  await schema.query('create table $.tracks (id text primary key, event_text text)');
  await client.query(`begin; lock table ${schema.name}.tracks in share mode`);
  const tables = await schema.tables();
  const upkeep = new Upkeep(schema.name);

  const error = await upkeep.run(session, tables, 0);
  await client.query('commit');
  const later = await upkeep.run(session, tables, minute);

  assert.equal((error as { code?: string }).code, '55P03');
  assert.equal(later, undefined);
  const [comment] = await schema.query(`select obj_description('$.tracks'::regclass) as comment`);
  assert.match(String(comment?.['comment']), /^All that happened to users/);
});

test('where the connection ends, the error is told and nothing is thrown', async () => {
  const schema = await newSchema();
  const session = await Session.open();
  await session[Symbol.asyncDispose]();
  const nothing: SourceTables = new Map();

  const error = await new Upkeep(schema.name).run(session, nothing, 0);

  assert.ok(error instanceof Error);
  assert.ok(session.asked < 3, 'it does not go on asking');
});
