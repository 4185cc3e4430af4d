// `warehouse url` and `warehouse psql`: how people get at the warehouse.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Config } from '../config/config.ts';
import { warehouseOf } from '../config/destinations.ts';
import { connectionUrl, readConnection } from '../destinations/warehouse/embedded/connection.ts';
import { libpqVariables } from '../destinations/warehouse/libpq-variables.ts';
import { CommandError, print } from './report.ts';

interface RoleOption {
  readonly owner?: boolean;
}

/** Throws CommandError where there is no warehouse yet. */
export function printWarehouseUrl(options: RoleOption, config: Config): void {
  print(warehouseUrl(options, config));
}

/** Ends with psql's exit code. Throws CommandError where psql is not on this machine. */
export async function openPsql(
  { args, ...options }: RoleOption & { args: readonly string[] },
  config: Config,
): Promise<void> {
  const psql = spawn('psql', args, { stdio: 'inherit', env: psqlEnvironment(warehouseUrl(options, config)) });
  try {
    const [status] = (await once(psql, 'exit')) as [number | null];
    process.exitCode = status ?? 1;
  } catch (cause) {
    throw new CommandError('psql cannot be started', {
      hint: 'Install it (Debian: apt-get install postgresql-client), or give `warehouse url` to another client, such as DBeaver',
      cause,
    });
  }
}

/** Not the URL among the arguments, where every user of the machine reads the password. */
function psqlEnvironment(connectionString: string): NodeJS.ProcessEnv {
  return { ...process.env, ...libpqVariables(connectionString) };
}

/** Of a server of your own, the connection string as it was set: its roles are yours. */
function warehouseUrl({ owner }: RoleOption, { destinations, dataDirectory }: Config): string {
  const warehouse = warehouseOf(destinations);
  switch (warehouse?.kind) {
    case undefined:
      throw new CommandError('The warehouse is off', { hint: 'Unset WAREHOUSE_URL to have one in DATA_DIR' });
    case 'external':
      return warehouse.connectionString;
    case 'embedded': {
      const connection = readConnection(dataDirectory);
      if (connection) return connectionUrl(connection, owner === true ? 'owner' : 'reader');
      throw new CommandError(`There is no warehouse in ${dataDirectory} yet`, {
        hint: 'Start the bridge once (npm start), or set DATA_DIR as it was started with',
      });
    }
  }
}
