// Connections of those who only read the warehouse.

import pg from 'pg';
import { clientOptions } from './client-options.ts';

const connectTimeoutMs = 10_000;
/** For a server that freezes; a query of ours has a time limit at the server, and this is beyond it. */
const queryTimeoutMs = 60_000;

/** A connection of its own, to be ended by who asked for it. Throws ConnectionError, or what `pg` throws. */
export async function connectForReading(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({
    application_name: 'fusionauth-segment export',
    ...(await clientOptions(connectionString, AbortSignal.timeout(connectTimeoutMs))),
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
  });
  // A connection that breaks is met at its next query; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return client;
}
