// What the warehouse's schema knows of its loader: which bridge it is, and up to when events are there. One row, in the
// same database as what it tells of, and changed in the same transactions.
//
// Holds always: of two bridges on one schema only one loads. A bridge that has said nothing for a minute is taken to be
// gone, and another may take its place; should it come back, it finds the row changed in its next transaction.

import pg from 'pg';
import type { BridgeIdentity } from '../../bridge-id.ts';
import { BlockedError } from '../destination.ts';
import { stateTable } from './rows.ts';

export interface WarehouseState {
  /** When the newest loaded event was received, milliseconds since 1970; 0 before the first. */
  readonly loadedThrough: number;
  /** Values that fitted no column, since the schema was made. */
  readonly discarded: number;
}

/** A bridge is taken to be gone after this time of silence; it says something every `heartbeatMs`. */
const silenceSeconds = 60;
export const heartbeatMs = 20_000;

export function createStateStatement(schema: string): string {
  return `create table if not exists ${tableIn(schema)} (
    one boolean primary key default true check (one),
    bridge_id text not null,
    host text not null,
    seen_at timestamp with time zone,
    loaded_through timestamp with time zone,
    discarded bigint not null default 0
  )`;
}

/** Makes the schema this bridge's. Within a transaction. Throws BlockedError where another bridge loads into it. */
export async function claimSchema(
  client: pg.Client,
  schema: string,
  bridge: BridgeIdentity,
): Promise<WarehouseState> {
  const { rows } = await client.query<{ loaded_through: Date | null; discarded: string }>(
    `insert into ${tableIn(schema)} as mine (bridge_id, host, seen_at) values ($1, $2, clock_timestamp())
     on conflict (one) do update set bridge_id = $1, host = $2, seen_at = clock_timestamp()
     where mine.bridge_id = $1 or mine.seen_at is null
        or mine.seen_at < clock_timestamp() - make_interval(secs => ${silenceSeconds})
     returning loaded_through, discarded`,
    [bridge.id, bridge.host],
  );
  const [mine] = rows;
  if (mine === undefined) throw await anotherBridge(client, schema);
  return { loadedThrough: mine.loaded_through?.getTime() ?? 0, discarded: Number(mine.discarded) };
}

/**
 * Says that this bridge is there, and up to when events are (`through`, milliseconds since 1970); other bridges wait for the end of the transaction. Throws
 * BlockedError where another one has taken its place.
 */
export async function noteLoad(
  client: pg.Client,
  schema: string,
  bridge: BridgeIdentity,
  through?: number,
): Promise<void> {
  const { rowCount } = await client.query(
    `update ${tableIn(schema)} set seen_at = clock_timestamp(), loaded_through = greatest(loaded_through, $2)
     where bridge_id = $1`,
    [bridge.id, through === undefined ? null : new Date(through)],
  );
  if (rowCount === 0) throw await anotherBridge(client, schema);
}

export async function noteDiscards(client: pg.Client, schema: string, values: number): Promise<void> {
  await client.query(`update ${tableIn(schema)} set discarded = discarded + $1`, [values]);
}

/** So that another bridge need not wait. */
export async function releaseSchema(
  client: pg.Client,
  schema: string,
  bridge: BridgeIdentity,
): Promise<void> {
  await client.query(`update ${tableIn(schema)} set seen_at = null where bridge_id = $1`, [bridge.id]);
}

async function anotherBridge(client: pg.Client, schema: string): Promise<BlockedError> {
  const { rows } = await client.query<{ host: string; seen_at: Date | null }>(
    `select host, seen_at from ${tableIn(schema)}`,
  );
  const { host = '', seen_at: seenAt } = rows[0] ?? {};
  return new BlockedError(
    `Another bridge, on the host ${host}, loads into the schema "${schema}" (last seen ${seenAt?.toISOString() ?? 'just now'})`,
    { hint: 'Stop that bridge, or give this one a WAREHOUSE_SCHEMA of its own: two cannot share one' },
  );
}

function tableIn(schema: string): string {
  return `${pg.escapeIdentifier(schema)}.${stateTable}`;
}
