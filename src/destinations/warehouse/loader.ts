// Loads rows into one schema of a PostgreSQL database, a transaction a batch.
//
// Holds always: a batch's tables, columns and rows are there as a whole or not at all; a row that is there already is
// left as it is, so a batch may be loaded again. One connection, used by one batch at a time; a loader whose load has
// failed is closed and another one opened. Nothing is kept in the session, so a pooler may hand out another one for each
// transaction.

import { Socket } from 'node:net';
import pg from 'pg';
import type { BridgeIdentity } from '../../bridge-id.ts';
import { clientOptions } from './client-options.ts';
import { columnTypeOf } from './columns.ts';
import type { ColumnType } from './columns.ts';
import { planLoad } from './load-plan.ts';
import type { Tables } from './load-plan.ts';
import { isFixedColumn, loadError, unavailable } from './postgres-errors.ts';
import { stateTable, usersTable, userTimesTable } from './rows.ts';
import type { Row } from './rows.ts';
import { claimSchema, createStateStatement, noteDiscards, noteLoad, releaseSchema } from './state.ts';
import type { WarehouseState } from './state.ts';
import { Upkeep } from './upkeep.ts';
import { createUserTimesStatement, readUserTimes } from './user-times.ts';

const connectTimeoutMs = 10_000;
const closeTimeoutMs = 1_000;
/** For a server that freezes in the middle of a load; a statement of ours takes a fraction of a second. */
const queryTimeoutMs = 120_000;
/** For a sign of life, of which a whole load need not be waited for. */
const beatTimeoutMs = 10_000;
/** No statement of ours may hold up the tables' readers behind it for longer while it waits for a lock. */
const lockTimeoutMs = 5_000;

export interface LoaderOptions {
  readonly connectionString: string;
  readonly schema: string;
  readonly bridge: BridgeIdentity;
}

export interface LoadOutcome {
  /** Values that fitted no column, and stand in `discards` since this load. */
  readonly discards: number;
}

export class Loader {
  /** What the schema said of itself when it was opened. */
  readonly state: WarehouseState;
  readonly #options: LoaderOptions;
  readonly #client: pg.Client;
  readonly #socket: Socket;
  readonly #upkeep: Upkeep;
  #tables: Tables;
  #isBroken = false;

  private constructor(
    options: LoaderOptions,
    {
      client,
      socket,
      state,
      tables,
    }: { client: pg.Client; socket: Socket; state: WarehouseState; tables: Tables },
  ) {
    this.state = state;
    this.#options = options;
    this.#client = client;
    this.#socket = socket;
    this.#upkeep = new Upkeep(options.schema);
    this.#tables = tables;
    client.once('end', () => (this.#isBroken = true));
  }

  /** Connects, makes the schema where it is missing and claims it for this bridge. Throws RetryableError. */
  static async open(options: LoaderOptions, signal: AbortSignal): Promise<Loader> {
    const { connectionString, schema, bridge } = options;
    const socket = new Socket();
    try {
      const client = new pg.Client({
        stream: () => socket,
        connectionTimeoutMillis: connectTimeoutMs,
        query_timeout: queryTimeoutMs,
        keepAlive: true,
        application_name: 'fusionauth-segment',
        ...(await clientOptions(connectionString, signal)),
      });
      // A connection that breaks while it is idle is met at the next load; without a listener it would end the process.
      client.on('error', () => undefined);
      return await abortable(socket, signal, async () => {
        await client.connect();
        const state = await inTransaction(client, async () => {
          await makeSchema(client, schema);
          return claimSchema(client, schema, bridge);
        });
        return new Loader(options, { client, socket, state, tables: await readTables(client, schema) });
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

  /**
   * Loads the rows; `through` is when the newest of their events was received. Throws RetryableError or
   * BatchRefusedError.
   */
  async load(rows: readonly Row[], through: number, signal: AbortSignal): Promise<LoadOutcome> {
    try {
      return await abortable(this.#socket, signal, () => this.#loadOrDiscard(rows, through));
    } catch (error) {
      throw loadError(error);
    }
  }

  /**
   * Brings views and comments up to what has been loaded; between loads, on their connection. Quick where nothing has
   * come. Never rejects; resolves to the first error where something is to be tried again.
   */
  async keepUp(signal: AbortSignal): Promise<unknown> {
    if (signal.aborted) return undefined;
    return abortable(this.#socket, signal, () => this.#upkeep.run(this.#client, this.#tables, Date.now()));
  }

  /** Tells others that this bridge is there, and finds out whether its connection is. Throws RetryableError. */
  async beat(): Promise<void> {
    const { schema, bridge } = this.#options;
    try {
      await abortable(this.#socket, AbortSignal.timeout(beatTimeoutMs), () =>
        noteLoad(this.#client, schema, bridge),
      );
    } catch (error) {
      throw unavailable(error);
    }
  }

  async close(): Promise<void> {
    const { schema, bridge } = this.#options;
    // A server that has fallen silent never closes its side of the connection.
    const deadline = setTimeout(() => this.#socket.destroy(), closeTimeoutMs);
    if (!this.#isBroken) {
      await releaseSchema(this.#client, schema, bridge).catch(() => undefined);
      await this.#client.end().catch(() => undefined);
    }
    clearTimeout(deadline);
    this.#socket.destroy();
  }

  async #loadOrDiscard(rows: readonly Row[], through: number): Promise<LoadOutcome> {
    try {
      return await this.#loadInTransaction(rows, { through, mayWiden: true });
    } catch (error) {
      if (!isFixedColumn(error)) throw error;
      // The column stays as it is, and what does not fit it is discarded like any other value.
      return this.#loadInTransaction(rows, { through, mayWiden: false });
    }
  }

  async #loadInTransaction(
    rows: readonly Row[],
    { through, mayWiden }: { through: number; mayWiden: boolean },
  ): Promise<LoadOutcome> {
    const { schema, bridge } = this.#options;
    const client = this.#client;
    const people = new Set(rows.filter(({ table }) => table === usersTable).map(({ id }) => id));
    const loadedAt = new Date().toISOString();
    const { tables, discards } = await inTransaction(client, async () => {
      await noteLoad(client, schema, bridge, through);
      const userTimes = await readUserTimes(client, schema, [...people]);
      const plan = planLoad(rows, { schema, tables: this.#tables, userTimes, loadedAt, mayWiden });
      const counts: number[] = [];
      for (const { text, values } of plan.statements)
        counts.push((await client.query(text, [...values])).rowCount ?? 0);
      // The last statement's, and only of those that a batch that is loaded again has not discarded before.
      const discards = plan.discards === 0 ? 0 : (counts.at(-1) ?? 0);
      if (discards > 0) await noteDiscards(client, schema, discards);
      return { tables: plan.tables, discards };
    });
    this.#tables = tables;
    return { discards };
  }
}

async function inTransaction<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  try {
    await client.query(`begin; set local lock_timeout = ${lockTimeoutMs}`);
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
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
  const { rows } = await client.query<{ relname: string }>(
    'select relname from pg_class where relnamespace = $1::regnamespace and relname = any($2)',
    [pg.escapeIdentifier(schema), [stateTable, userTimesTable]],
  );
  if (rows.length < 2)
    await client.query(`${createStateStatement(schema)}; ${createUserTimesStatement(schema)}`);
}

/** The tables of the schema with the types of their columns; no views, of which nobody loads anything into. */
async function readTables(client: pg.Client, schema: string): Promise<Tables> {
  const { rows } = await client.query<{ table_name: string; column_name: string; data_type: string }>(
    `select table_name, column_name, data_type
     from information_schema.columns join information_schema.tables using (table_schema, table_name)
     where table_schema = $1 and table_type <> 'VIEW'`,
    [schema],
  );
  const tables = new Map<string, Map<string, ColumnType>>();
  for (const { table_name, column_name, data_type } of rows) {
    const columns = tables.get(table_name) ?? new Map<string, ColumnType>();
    tables.set(table_name, columns.set(column_name, columnTypeOf(data_type)));
  }
  return tables;
}
