// Comments on the warehouse's tables and columns, in a real PostgreSQL server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { planComments } from '../../../src/destinations/warehouse/comments.ts';
import { columnTexts, tableText } from '../../../src/destinations/warehouse/comments/texts.ts';
import { rowsOf } from '../../../src/destinations/warehouse/rows.ts';
import { eventTypes } from '../../../src/fusionauth/catalogue.ts';
import { namings } from '../../../src/mapping/names.ts';
import { messagesOf, receivedSample } from '../../support/mapped.ts';
import { ViewedSchema } from '../../support/warehouse-views.ts';
import { startWarehouse } from '../../support/warehouse.ts';
import type { TestWarehouse } from '../../support/warehouse.ts';

/** Of the customer's own: nobody knows what it is. */
const isFreeForm = (column: string) =>
  /(^|_)data_(?!device_)/.test(column) && !column.startsWith('refresh_token_');

for (const naming of namings) {
  test(`every table and column of every event’s sample is explained, under the naming ${naming}`, () => {
    const unexplained = new Set<string>();

    for (const type of eventTypes) {
      const messages = messagesOf(receivedSample(type), {
        naming,
        groupId: 'tenant',
        filters: [{ include: ['*', type] }],
      });
      for (const { table, cells } of messages.flatMap((message) => rowsOf(message, 0))) {
        if (tableText(table) === undefined) unexplained.add(table);
        for (const column of ['id', 'uuid_ts', 'sent_at', ...cells.keys()]) {
          if (!isFreeForm(column) && !columnTexts(table).has(column)) unexplained.add(`${table}.${column}`);
        }
      }
    }

    assert.deepEqual([...unexplained], []);
  });
}

describe('in a database', () => {
  let warehouse: TestWarehouse;
  before(async () => {
    warehouse = await startWarehouse();
  });
  after(() => warehouse[Symbol.asyncDispose]());

  let schemas = 0;
  const newSchema = () => new ViewedSchema(warehouse, `comments_${++schemas}`);
  const login = messagesOf(receivedSample('user.login.success'));
  const nothing = new Map();

  async function commentsOf(schema: ViewedSchema, table: string): Promise<Record<string, unknown>> {
    const rows = await schema.query(
      `select coalesce(attname, '') as column, description from pg_description
       left join pg_attribute on attrelid = objoid and attnum = objsubid and objsubid > 0
       where objoid = '$.${table}'::regclass`,
    );
    return Object.fromEntries(rows.map(({ column, description }) => [String(column), description]));
  }

  test('new tables and columns are explained, and what is there is said once', async () => {
    const schema = newSchema();
    await schema.load(login);
    const tables = await schema.tables();

    const statements = planComments({ schema: schema.name, before: nothing, after: tables });
    await schema.run(statements);

    assert.equal(statements.length, 1);
    const comments = await commentsOf(schema, 'user_login_success');
    assert.equal(
      comments[''],
      'FusionAuth’s user.login.success: a user logged in, by single sign-on too. A row for each; the same ids stand in tracks.',
    );
    assert.equal(comments['application_id'], 'FusionAuth’s id of the application');
    assert.equal(comments['context_ip'], 'Address of whoever called FusionAuth (personal)');
    assert.deepEqual(planComments({ schema: schema.name, before: tables, after: tables }), []);
  });

  test('a comment that is there stays', async () => {
    const schema = newSchema();
    await schema.load(login);
    await schema.query(`comment on table $.user_login_success is 'Ours: ask Jane'`);
    await schema.query(`comment on column $.user_login_success.context_ip is 'Is the proxy’s'`);

    await schema.run(planComments({ schema: schema.name, before: nothing, after: await schema.tables() }));

    const comments = await commentsOf(schema, 'user_login_success');
    assert.equal(comments[''], 'Ours: ask Jane');
    assert.equal(comments['context_ip'], 'Is the proxy’s');
    assert.equal(comments['application_id'], 'FusionAuth’s id of the application');
  });

  test('what is no longer there, or is a view, or is of somebody’s own, is left alone', async () => {
    const schema = newSchema();
    await schema.load(login);
    const tables = new Map(await schema.tables());
    tables.set('users', new Map([['id', 'text']]));
    tables.set('mine', new Map([['id', 'text']]));
    await schema.query('drop table $.user_login_success cascade');
    await schema.query('create view $.user_login_success as select 1 as id');
    await schema.query('create table $.mine (id text)');

    await schema.run(planComments({ schema: schema.name, before: nothing, after: tables }));

    assert.deepEqual(await commentsOf(schema, 'user_login_success'), {});
    assert.deepEqual(await commentsOf(schema, 'mine'), {});
    assert.ok('' in (await commentsOf(schema, 'tracks')));
  });
});
