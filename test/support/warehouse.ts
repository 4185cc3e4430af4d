// A real PostgreSQL server for tests: the embedded one, which every machine has from npm.

import pg from 'pg';
import { pino } from 'pino';
import { database, roles } from '../../src/destinations/warehouse/embedded/connection.ts';
import { EmbeddedServer } from '../../src/destinations/warehouse/embedded/server.ts';
import { freePort } from './free-port.ts';
import { otherPostgres, startPostgres } from './postgres.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface TestWarehouse extends AsyncDisposable {
  /** Of the role that owns the tables. */
  readonly url: string;
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
}

/**
 * A server of its own, stopped and removed at the end of the scope. Starts in about a second. Where TEST_POSTGRES_BIN names
 * the programs of another PostgreSQL, it is of that version: so the same suites run on an older one.
 */
export async function startWarehouse(): Promise<TestWarehouse> {
  if (otherPostgres !== undefined) return startOtherWarehouse();
  const folder = await temporaryFolder();
  const server = new EmbeddedServer({
    dataDirectory: folder.path,
    port: await freePort(),
    schema: 'fusionauth',
    logger: pino({ level: 'silent' }),
  });
  const url = await server.ensureRunning(new AbortController().signal);
  return warehouseOf(url, async () => {
    await server.stop();
    await folder[Symbol.asyncDispose]();
  });
}

/** Roles, database and rights are as the embedded server's. */
async function startOtherWarehouse(): Promise<TestWarehouse> {
  const server = await startPostgres();
  const password = 'secret-password';
  for (const sql of [
    `create role ${roles.owner} login password '${password}'`,
    `create role ${roles.reader} login password '${password}'`,
    `grant pg_read_all_data to ${roles.reader}`,
    `create database ${database} owner ${roles.owner}`,
  ]) {
    await server.query(sql);
  }
  const url = `postgresql://${roles.owner}:${password}@127.0.0.1:${server.port}/${database}`;
  return warehouseOf(url, () => server[Symbol.asyncDispose]());
}

function warehouseOf(url: string, stop: () => PromiseLike<void>): TestWarehouse {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', () => undefined);
  return {
    url,
    query: async (sql, values) => (await pool.query<Record<string, unknown>>(sql, values)).rows,
    async [Symbol.asyncDispose]() {
      await pool.end();
      await stop();
    },
  };
}
