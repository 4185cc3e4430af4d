// The embedded PostgreSQL of a bridge, ended from outside.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import {
  connectionUrl,
  embeddedDirectory,
  readConnection,
} from '../../src/destinations/warehouse/embedded/connection.ts';

/** Ends every connection of the loader's. Resolves to whether there was one. */
export async function terminateBackends(dataDirectory: string): Promise<boolean> {
  const connection = readConnection(dataDirectory);
  if (connection === undefined) return false;
  const client = new pg.Client({ connectionString: connectionUrl(connection, 'owner') });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and usename = current_user',
    );
    return (rowCount ?? 0) > 0;
  } catch {
    return false; // It is down already.
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** SIGKILL to the server's first process, which the others then follow. Resolves to whether it ran. */
export function killServer(dataDirectory: string): boolean {
  const cluster = join(embeddedDirectory(dataDirectory), 'postgres');
  try {
    const pid = Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0]);
    // The file outlives the server, and the number may be another program's by now.
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(cluster)) return false;
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
