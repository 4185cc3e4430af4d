// A real PostgreSQL server for tests: the embedded one, which every machine has from npm.

import pg from 'pg';
import { pino } from 'pino';
import { EmbeddedServer } from '../../src/destinations/warehouse/embedded/server.ts';
import { freePort } from './free-port.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface TestWarehouse extends AsyncDisposable {
  /** Of the role that owns the tables. */
  readonly url: string;
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
}

/** A server of its own, stopped and removed at the end of the scope. Starts in about a second. */
export async function startWarehouse(): Promise<TestWarehouse> {
  const folder = await temporaryFolder();
  const server = new EmbeddedServer({
    dataDirectory: folder.path,
    port: await freePort(),
    schema: 'fusionauth',
    logger: pino({ level: 'silent' }),
  });
  const url = await server.ensureRunning(new AbortController().signal);
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', () => undefined);
  return {
    url,
    query: async (sql, values) => (await pool.query<Record<string, unknown>>(sql, values)).rows,
    async [Symbol.asyncDispose]() {
      await pool.end();
      await server.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}
