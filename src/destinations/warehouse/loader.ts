// Loads rows into one schema of a PostgreSQL database, a transaction a batch.
//
// Holds always: a batch's tables, columns and rows are there as a whole or not at all; a row that is there already is
// left as it is, so a batch may be loaded again. One connection, used by one batch at a time; a loader whose load has
// failed is closed and another one opened.

import { Socket } from 'node:net';
import pg from 'pg';
import { columnTypeOf } from './columns.ts';
import type { ColumnType } from './columns.ts';
import { planLoad } from './load-plan.ts';
import type { LoadPlan, Tables } from './load-plan.ts';
import { isFixedColumn, loadError, unavailable } from './postgres-errors.ts';
import type { Row } from './rows.ts';

const connectTimeoutMs = 10_000;
const closeTimeoutMs = 1_000;
/** For a server that freezes in the middle of a load; a statement of ours takes a fraction of a second. */
const queryTimeoutMs = 120_000;
/** No statement of ours may hold up the tables' readers behind it for longer while it waits for a lock. */
const lockTimeoutMs = 5_000;

export interface LoaderOptions {
  readonly connectionString: string;
  readonly schema: string;
}

export class Loader {
  readonly #schema: string;
  readonly #client: pg.Client;
  readonly #socket: Socket;
  #tables: Tables;
  #isBroken = false;

  private constructor(schema: string, client: pg.Client, socket: Socket, tables: Tables) {
    this.#schema = schema;
    this.#client = client;
    this.#socket = socket;
    this.#tables = tables;
    client.once('end', () => (this.#isBroken = true));
  }

  /** Connects and makes the schema where it is missing. Throws RetryableError. */
  static async open({ connectionString, schema }: LoaderOptions, signal: AbortSignal): Promise<Loader> {
    const socket = new Socket();
    try {
      const client = new pg.Client({
        connectionString,
        stream: () => socket,
        connectionTimeoutMillis: connectTimeoutMs,
        query_timeout: queryTimeoutMs,
        keepAlive: true,
        application_name: 'fusionauth-segment',
      });
      // A connection that breaks while it is idle is met at the next load; without a listener it would end the process.
      client.on('error', () => undefined);
      return await abortable(socket, signal, async () => {
        await client.connect();
        await makeSchema(client, schema);
        return new Loader(schema, client, socket, await readTables(client, schema));
      });
    } catch (error) {
      socket.destroy();
      throw unavailable(error);
    }
  }

  /** Whether the connection is known to have ended. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Loads the rows and answers how many of their values were discarded. Throws RetryableError or BatchRefusedError. */
  async load(rows: readonly Row[], signal: AbortSignal): Promise<number> {
    try {
      return await abortable(this.#socket, signal, () => this.#loadOrDiscard(rows));
    } catch (error) {
      throw loadError(error);
    }
  }

  async close(): Promise<void> {
    // A server that has fallen silent never closes its side of the connection.
    const deadline = setTimeout(() => this.#socket.destroy(), closeTimeoutMs);
    if (!this.#isBroken) await this.#client.end().catch(() => undefined);
    clearTimeout(deadline);
    this.#socket.destroy();
  }

  async #loadOrDiscard(rows: readonly Row[]): Promise<number> {
    const options = { schema: this.#schema, tables: this.#tables, loadedAt: new Date().toISOString() };
    try {
      return await this.#run(planLoad(rows, options));
    } catch (error) {
      if (!isFixedColumn(error)) throw error;
      // The column stays as it is, and what does not fit it is discarded like any other value.
      return this.#run(planLoad(rows, { ...options, mayWiden: false }));
    }
  }

  async #run({ statements, tables, discards }: LoadPlan): Promise<number> {
    try {
      await this.#client.query(`begin; set local lock_timeout = ${lockTimeoutMs}`);
      for (const { text, values } of statements) await this.#client.query(text, [...values]);
      await this.#client.query('commit');
    } catch (error) {
      await this.#client.query('rollback').catch(() => undefined);
      throw error;
    }
    this.#tables = tables;
    return discards;
  }
}

/** Does the work; the signal breaks the connection, and with it the work, whatever the server does or does not do. */
async function abortable<Result>(
  socket: Socket,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const onAbort = () => socket.destroy(new Error('The bridge is stopping'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await work();
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function makeSchema(client: pg.Client, schema: string): Promise<void> {
  // Not `if not exists` alone: it asks for the right to create schemas even where this one is there.
  const { rowCount } = await client.query('select from pg_namespace where nspname = $1', [schema]);
  if (rowCount === 0) await client.query(`create schema if not exists ${pg.escapeIdentifier(schema)}`);
}

/** The tables of the schema with the types of their columns. */
async function readTables(client: pg.Client, schema: string): Promise<Tables> {
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
