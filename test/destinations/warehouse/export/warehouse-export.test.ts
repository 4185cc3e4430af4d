// Exports from a real PostgreSQL server, while it is used, blocked and ended by others.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ExportError } from '../../../../src/destinations/warehouse/export/export-error.ts';
import type { ExportFault } from '../../../../src/destinations/warehouse/export/export-error.ts';
import { WarehouseExport } from '../../../../src/destinations/warehouse/export/warehouse-export.ts';
import type { CsvExportOptions } from '../../../../src/destinations/warehouse/export/warehouse-export.ts';
import { connectForReading } from '../../../../src/destinations/warehouse/reading-connection.ts';
import { until } from '../../../support/until.ts';
import { startWarehouse } from '../../../support/warehouse.ts';
import type { TestWarehouse } from '../../../support/warehouse.ts';

const never = new AbortController().signal;

describe('an export', { timeout: 120_000 }, () => {
  let warehouse: TestWarehouse;
  before(async () => {
    warehouse = await startWarehouse();
  });
  after(() => warehouse[Symbol.asyncDispose]());

  /** Of a schema of its own, which the statements fill. */
  async function exporter(
    schema: string,
    statements: string,
    timeLimitMs?: number,
  ): Promise<WarehouseExport> {
    await warehouse.query(
      `create schema ${schema}; set search_path = ${schema}; ${statements}; reset search_path`,
    );
    return new WarehouseExport({
      schema,
      connect: () => connectForReading(warehouse.url),
      ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
    });
  }

  /** The export's sessions at the server that hold on to something or do something. */
  async function busySessions(): Promise<number> {
    const [row] = await warehouse.query(
      `select count(*)::int as busy from pg_stat_activity where application_name = 'fusionauth-segment export' and state <> 'idle'`,
    );
    return row?.['busy'] as number;
  }

  test('holds every kind of value in a form that spreadsheets read', async () => {
    const exports = await exporter(
      'kinds',
      `create table everything (id text primary key, received_at timestamptz, words text, nothing text, empty text,
         whole bigint, fraction numeric, yes boolean, day date, "Odd, ""name""" text);
       insert into everything values ('1', '2026-01-31 12:00:00.123+02', E'a, "b"\\nc', null, '', -5, -0.50, true,
         '2026-02-01', '=1+1')`,
    );

    assert.equal(
      await all(exports.csv('everything', {}, never)),
      'id,received_at,words,nothing,empty,whole,fraction,yes,day,"Odd, ""name"""\r\n' +
        `1,2026-01-31 10:00:00.123,"a, ""b""\nc",,"",-5,-0.50,true,2026-02-01,'=1+1\r\n`,
    );
    assert.equal(
      await all(
        exports.csv('everything', { columns: ['whole', 'id'], isRaw: true, withByteOrderMark: true }, never),
      ),
      '\ufeffwhole,id\r\n-5,1\r\n',
    );
  });

  test('lists the tables and views there are, also materialized ones, and reads each', async () => {
    const exports = await exporter(
      'listed',
      `create table users (id text primary key); insert into users values ('1');
       create view daily as select count(*) as users from users;
       create materialized view kept as select id from users;
       create table keyless (name text); create table nothing_in_it (id text primary key); create index by_id on users (id)`,
    );

    assert.deepEqual(await exports.list(), [
      { name: 'daily', kind: 'view' },
      { name: 'kept', kind: 'view' },
      { name: 'keyless', kind: 'table' },
      { name: 'nothing_in_it', kind: 'table' },
      { name: 'users', kind: 'table' },
    ]);
    const texts = await Promise.all(
      ['daily', 'kept', 'keyless', 'nothing_in_it'].map((name) => all(exports.csv(name, {}, never))),
    );
    assert.deepEqual(texts, ['users\r\n1\r\n', 'id\r\n1\r\n', 'name\r\n', 'id\r\n']);
  });

  test('is chosen by time, to the row, page after page; the newest rows come first where they are limited', async () => {
    const exports = await exporter(
      'timed',
      `create table t (id text primary key, received_at timestamptz);
       insert into t select n::text, timestamptz '2026-01-01 00:00Z' + n * interval '1 minute' from generate_series(0, 4999) n`,
    );
    const minute = (n: number) => Date.UTC(2026, 0, 1, 0, n);
    const ids = async (options: CsvExportOptions) =>
      (await all(exports.csv('t', { columns: ['id'], ...options }, never))).trim().split('\r\n').slice(1);

    const between = await ids({ since: minute(1_000), until: minute(1_003) });
    const newest = await ids({ limit: 3 });
    const newestBefore = await ids({ until: minute(100), limit: 2 });

    assert.deepEqual(between, ['1000', '1001', '1002']);
    assert.deepEqual(newest, ['4999', '4998', '4997']);
    assert.deepEqual(newestBefore, ['99', '98']);
    assert.equal(new Set(await ids({})).size, 5_000);
  });

  test('pages by a key of several columns, of any types', async () => {
    const exports = await exporter(
      'composite',
      `create table t (a int, at timestamptz, b text, primary key (b, at, a));
       insert into t select n % 7, timestamptz '2026-01-01Z' + n % 11 * interval '1 microsecond', 'Ž' || n % 13 from generate_series(1, 1001) n`,
    );

    const lines = (await all(exports.csv('t', {}, never))).trim().split('\r\n');

    assert.equal(lines.length, 1_002);
    assert.equal(new Set(lines).size, 1_002);
  });

  test('keeps the order of a view', async () => {
    const exports = await exporter(
      'ordered',
      `create view v as select n, timestamptz '2026-01-01Z' as received_at from generate_series(1, 1000) n order by n desc`,
    );

    const lines = (await all(exports.csv('v', { columns: ['n'] }, never))).trim().split('\r\n');

    assert.deepEqual([lines[1], lines[2], lines[1_000]], ['1000', '999', '1']);
  });

  for (const name of [
    'unknown',
    'Users',
    'users; drop table secret.users',
    'users" --',
    "users' or true --",
    'secret.users',
    'secret"."users',
    '../users',
    '',
    'pg_class',
  ]) {
    test(`refuses the name ${JSON.stringify(name)} and says which there are`, async () => {
      await warehouse.query(
        'create schema if not exists secret; create table if not exists secret.users (id text); ' +
          'create schema if not exists named; create table if not exists named.users (id text)',
      );
      const exports = new WarehouseExport({
        schema: 'named',
        connect: () => connectForReading(warehouse.url),
      });

      await assert.rejects(all(exports.csv(name, {}, never)), faultOf('EXPORT_UNKNOWN', /^There are users$/));
      assert.deepEqual(await warehouse.query('select * from secret.users'), []);
    });
  }

  test('refuses a column that there is not, and a time where there is none', async () => {
    const exports = await exporter('columns', 'create table t (id text primary key, n int)');

    await assert.rejects(
      all(exports.csv('t', { columns: ['id', 'n" from t --'] }, never)),
      faultOf('EXPORT_INVALID', /^It has id, n$/),
    );
    await assert.rejects(
      all(exports.csv('t', { since: 0 }, never)),
      faultOf('EXPORT_INVALID', /timestamp with time zone/),
    );
  });

  test('lets the loader add a column and rows while it lasts, however slowly it is read', async () => {
    const exports = await exporter(
      'loading',
      `create table t (id text primary key); insert into t select n::text from generate_series(1, 50000) n;
       create view v as select * from t`,
    );
    const [byKey, atOnce] = [exports.csv('t', {}, never), exports.csv('v', {}, never)];
    const begun = [await byKey.next(), await atOnce.next()].map(({ value }) => String(value));

    await warehouse.query(
      `set lock_timeout = 1000; alter table loading.t add column more text default 'x'; insert into loading.t values ('~', 'y'); reset lock_timeout`,
    );

    const table = `${begun[0]}${await all(byKey)}`;
    const view = `${begun[1]}${await all(atOnce)}`;
    assert.equal(table.split('\r\n').length, 50_001 + 1 + 1, 'the header, what was there, what came');
    assert.equal(view.split('\r\n').length, 50_001 + 1, 'of one moment');
    assert.equal(table.split('\r\n', 1)[0], 'id');
  });

  test('ends a query that takes too long, says so before the first piece, and leaves nothing running', async () => {
    const exports = await exporter(
      'slow',
      `create view v as select n, pg_sleep(0.05)::text from generate_series(1, 1000) n`,
      500,
    );

    await assert.rejects(all(exports.csv('v', {}, never)), faultOf('EXPORT_TOO_LONG', /materialized view/));

    await until('the server has ended it', async () => (await busySessions()) === 0);
  });

  test('is ended at the server when its reader goes away, in the query and between pages', async () => {
    const exports = await exporter(
      'leaving',
      `create view v as select pg_sleep(60)::text as slept;
       create table t (id text primary key); insert into t select n::text from generate_series(1, 5000) n`,
    );
    const leaving = new AbortController();
    const waiting = all(exports.csv('v', {}, leaving.signal));
    await until('the query runs', async () => (await busySessions()) === 1);
    const reading = exports.csv('t', {}, leaving.signal);
    await reading.next();

    leaving.abort();

    await assert.rejects(waiting, ExportError);
    await assert.rejects(reading.next(), ExportError);
    await until('nothing runs', async () => (await busySessions()) === 0);
    const [row] = await warehouse.query(
      `select count(*)::int as open from pg_stat_activity where application_name = 'fusionauth-segment export'`,
    );
    assert.equal(row?.['open'], 0);
  });

  test('breaks off with an error when the server ends its connection', async () => {
    const exports = await exporter(
      'ended',
      'create table t (id text primary key); insert into t select n::text from generate_series(1, 5000) n',
    );
    const csv = exports.csv('t', {}, never);
    await csv.next();

    await warehouse.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fusionauth-segment export'`,
    );

    await assert.rejects(all(csv), faultOf('WAREHOUSE_UNAVAILABLE', /./));
  });

  test('is one of four at most; a fifth is refused until one has ended', async () => {
    const exports = await exporter(
      'several',
      'create table t (id text primary key); insert into t select n::text from generate_series(1, 5000) n',
    );
    const running = Array.from({ length: 4 }, () => exports.csv('t', {}, never));
    await Promise.all(running.map((csv) => csv.next()));

    await assert.rejects(all(exports.csv('t', {}, never)), faultOf('EXPORTS_BUSY', /again/));
    await running[0]?.return(undefined);
    assert.equal((await all(exports.csv('t', {}, never))).split('\r\n').length, 5_002);
    await Promise.all(running.map((csv) => csv.return(undefined)));
  });

  test('cannot write, whatever a view does', async () => {
    const exports = await exporter(
      'writing',
      `create table t (id text); create function write() returns text language sql volatile as 'insert into writing.t values (1) returning id';
       create view v as select write()`,
    );

    await assert.rejects(all(exports.csv('v', {}, never)), faultOf('EXPORT_FAILED', /psql/));
    assert.deepEqual(await warehouse.query('select * from writing.t'), []);
  });

  test('of a view that fails says that it is the view, and none of its values', async () => {
    const exports = await exporter('failing', `create view v as select 'secret-word'::text::int as n`);

    await assert.rejects(all(exports.csv('v', {}, never)), (error: unknown) => {
      faultOf('EXPORT_FAILED', /warehouse psql/)(error);
      return !String(error).includes('secret-word');
    });
  });

  test('of a warehouse that cannot be reached says what to do', async () => {
    const exports = new WarehouseExport({
      schema: 's',
      connect: () => connectForReading('postgresql://u:secret-word@127.0.0.1:1/d'),
    });

    for (const ask of [() => exports.list(), () => all(exports.csv('t', {}, never))]) {
      await assert.rejects(ask, (error: unknown) => {
        faultOf('WAREHOUSE_UNAVAILABLE', /start it/)(error);
        return !String(error).includes('secret-word');
      });
    }
  });

  test('reads what its role may read, and lists no more', async () => {
    const exports = await exporter(
      'rights',
      'create table open (id text); create table closed (id text); revoke all on closed from current_user',
    );

    assert.deepEqual(await exports.list(), [{ name: 'open', kind: 'table' }]);
    await assert.rejects(all(exports.csv('closed', {}, never)), faultOf('EXPORT_UNKNOWN', /open/));
  });
});

async function all(csv: AsyncGenerator<string>): Promise<string> {
  let text = '';
  for await (const piece of csv) text += piece;
  return text;
}

function faultOf(code: ExportFault, hint: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ExportError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.hint, hint);
    return true;
  };
}
