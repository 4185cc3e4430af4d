// Loads rows into one schema of a PostgreSQL database, a transaction a batch.
//
// Holds always: a batch's tables, columns and rows are there as a whole or not at all; a row that is there already is
// left as it is, so a batch may be loaded again. One connection, used by one batch at a time.

import pg from 'pg';
import { columnTypeOf } from './columns.ts';
import type { ColumnType } from './columns.ts';
import { planLoad } from './load-plan.ts';
import type { Tables } from './load-plan.ts';
import { loadError, unavailable } from './postgres-errors.ts';
import type { Row } from './rows.ts';

const connectTimeoutMs = 10_000;
/** No statement of ours may hold up the tables' readers behind it for longer while it waits for a lock. */
const lockTimeoutMs = 5_000;

export class Loader {
  readonly #schema: string;
  readonly #pool: pg.Pool;
  /** Undefined until read from the database, and again whenever what was read may no longer hold. */
  #tables: Tables | undefined;

  constructor({ connectionString, schema }: { connectionString: string; schema: string }) {
    this.#schema = schema;
    this.#pool = new pg.Pool({
      connectionString,
      max: 1,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      application_name: 'fusionauth-segment',
    });
    // An idle connection that breaks is replaced at the next use; without a listener it would end the process.
    this.#pool.on('error', () => undefined);
  }

  /** Connects and makes the schema. Throws RetryableError. */
  async open(): Promise<void> {
    try {
      await this.#pool.query(`create schema if not exists ${pg.escapeIdentifier(this.#schema)}`);
      this.#tables = await readTables(this.#pool, this.#schema);
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Loads the rows and answers how many of their values were discarded. Throws RetryableError or BatchRefusedError. */
  async load(rows: readonly Row[], signal: AbortSignal): Promise<number> {
    let client: pg.PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      const discards = await this.#loadOn(client, rows, signal);
      client.release();
      return discards;
    } catch (error) {
      // The connection goes with the fault: whatever state it was in, the next batch has a new one.
      client?.release(true);
      this.#tables = undefined;
      throw loadError(error);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #loadOn(client: pg.PoolClient, rows: readonly Row[], signal: AbortSignal): Promise<number> {
    this.#tables ??= await readTables(client, this.#schema);
    const plan = planLoad(rows, {
      schema: this.#schema,
      tables: this.#tables,
      loadedAt: new Date().toISOString(),
    });
    await client.query(`begin; set local lock_timeout = ${lockTimeoutMs}`);
    for (const { text, values } of plan.statements) {
      signal.throwIfAborted();
      await client.query(text, [...values]);
    }
    await client.query('commit');
    this.#tables = plan.tables;
    return plan.discards;
  }
}

/** The tables of the schema with the types of their columns. */
async function readTables(client: pg.Pool | pg.PoolClient, schema: string): Promise<Tables> {
  const { rows } = await client.query<{ table_name: string; column_name: string; data_type: string }>(
    `select table_name, column_name, data_type from information_schema.columns where table_schema = $1`,
    [schema],
  );
  const tables = new Map<string, Map<string, ColumnType>>();
  for (const { table_name, column_name, data_type } of rows) {
    const columns = tables.get(table_name) ?? new Map<string, ColumnType>();
    tables.set(table_name, columns.set(column_name, columnTypeOf(data_type)));
  }
  return tables;
}
