// The warehouse behind PgBouncer in transaction mode, where each transaction may meet another session of the server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BlockedError } from '../../../src/destinations/destination.ts';
import { hasPgBouncer, startPgBouncer } from '../../support/pgbouncer.ts';
import type { PgBouncer } from '../../support/pgbouncer.ts';
import { startPostgres } from '../../support/postgres.ts';
import type { TestPostgres } from '../../support/postgres.ts';
import { failureOf, WarehouseAt } from '../../support/warehouse-at.ts';

const skip = hasPgBouncer() ? false : 'PgBouncer is not on this machine';

describe('behind PgBouncer in transaction mode', { skip, timeout: 60_000 }, () => {
  let server: TestPostgres;
  let pooler: PgBouncer;
  before(async () => {
    server = await startPostgres();
    await server.query(`create role loader login password 'right'`);
    await server.query('grant create on database postgres to loader');
    pooler = await startPgBouncer({ port: server.port, users: { loader: 'right' } });
  });
  after(async () => {
    await pooler[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  const urlOf = (parameters = '', database = 'postgres') =>
    `postgresql://loader:right@127.0.0.1:${pooler.port}/${database}?${parameters}`;
  const idsIn = async (schema: string) =>
    (await server.query(`select id from ${schema}.tracks order by id`)).map(({ id }) => id);

  test('two bridges that share one session of the server load all they have', async () => {
    await using one = new WarehouseAt(urlOf(), 'shared');
    await using other = new WarehouseAt(urlOf(), 'shared');
    await one.load('a-0', { count: 1 });

    for (let round = 1; round <= 5; round++) {
      await Promise.all([
        one.load(`a-${round}`, { count: 1, [`one_${round}`]: 'x' }),
        other.load(`b-${round}`, { count: 2, [`other_${round}`]: 'x' }),
      ]);
    }

    const expected = [
      'a-0',
      ...['a', 'b'].flatMap((name) => [1, 2, 3, 4, 5].map((round) => `${name}-${round}`)),
    ];
    assert.deepEqual(await idsIn('shared'), expected);
  });

  test('a restart of the pooler, and one of the server behind it, cost attempts and no event', async () => {
    await using warehouse = new WarehouseAt(urlOf(), 'restarted');
    await warehouse.load('1');

    await pooler.stop();
    const failure = await failureOf(warehouse.load('2').then(() => warehouse.load('2')));
    await pooler.start();
    await warehouse.loadPatiently('2');
    await server.stop();
    await server.start();
    await warehouse.loadPatiently('3');

    assert.ok(!(failure instanceof BlockedError));
    assert.deepEqual(await idsIn('restarted'), ['1', '2', '3']);
  });

  test('a parameter that it does not know blocks, and is told with what to set there', async () => {
    await using warehouse = new WarehouseAt(urlOf('options=-c%20statement_timeout%3D5s'));

    const failure = await failureOf(warehouse.open());

    assert.ok(failure instanceof BlockedError, failure.message);
    assert.match(failure.hint, /pooler.*ignore_startup_parameters/);
    assert.match(String(failure.cause), /unsupported startup parameter/);
  });

  test('its ways to refuse a user and a database block as the server’s do', async () => {
    await using user = new WarehouseAt(urlOf().replace('right', 'wrong'));
    await using database = new WarehouseAt(urlOf('', 'elsewhere'));

    const failures = [await failureOf(user.open()), await failureOf(database.open())];

    for (const failure of failures)
      assert.ok(failure instanceof BlockedError, `${failure.message}: ${String(failure.cause)}`);
    assert.match(failures[0]?.hint ?? '', /password was refused/);
    assert.match(failures[1]?.hint ?? '', /database does not exist/);
  });
});
