// `warehouse move`: brings the embedded warehouse to another PostgreSQL, and the running bridge goes on there.
//
// Holds always: until the copy is there as a whole, nothing has changed; from the moment on at which DATA_DIR names the
// new place, the bridge loads there and sends again, from its log, what came while the copy was made.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Config } from '../config/config.ts';
import { warehouseOf } from '../config/destinations.ts';
import type { EmbeddedWarehouseConfig } from '../config/destinations.ts';
import { movedWarehouseFile, writeMovedWarehouse } from '../config/moved-warehouse.ts';
import { clientOptions, findConnectionFault } from '../destinations/warehouse/client-options.ts';
import { completeConnectionString, parseConnection, placeOf } from '../destinations/warehouse/connection.ts';
import { copySchema, SchemaTakenError } from '../destinations/warehouse/copy-schema.ts';
import type { Copy } from '../destinations/warehouse/copy-schema.ts';
import {
  connectionUrl,
  embeddedDirectory,
  readConnection,
} from '../destinations/warehouse/embedded/connection.ts';
import { unavailable } from '../destinations/warehouse/postgres-errors.ts';
import type { Replay } from '../log/log.ts';
import { bridgeAddress, postToBridge, readFromBridge } from './bridge-api.ts';
import type { BridgeAddress } from './bridge-api.ts';
import { CommandError, print, UsageError } from './report.ts';

export interface MoveOptions {
  readonly target: string;
  readonly url?: string;
}

const pollMs = 200;
const never = new AbortController().signal;

/** Throws CommandError or UsageError; where nothing is said to the contrary, all is as it was before. */
export async function moveWarehouse({ url, ...options }: MoveOptions, config: Config): Promise<void> {
  const { schema } = findEmbedded(config);
  const target = completed(options.target);
  const bridge = bridgeAddress(url, config);
  await readFromBridge(bridge, '/api/status');

  print(`Copying the schema "${schema}" to ${placeOf(parseConnection(target))}, while events come in`);
  const copied = await copy(config.dataDirectory, target, schema);
  for (const [name, reason] of copied.skipped) print(`Left out: ${name} (${reason})`);

  writeMovedWarehouse(config.dataDirectory, target);
  await goOnThere(bridge, config);
  print(
    `The warehouse is there, and the bridge loads into it; ${movedWarehouseFile(config.dataDirectory)} says so.\n` +
      `What was copied is still in ${embeddedDirectory(config.dataDirectory)}: remove that folder when you miss nothing.`,
  );
}

/** With what PG* variables add, so that a password need not stand on the command line. Throws UsageError. */
function completed(target: string): string {
  const fault = findConnectionFault(target);
  if (fault === undefined) return completeConnectionString(target, process.env);
  throw new UsageError(`That is no connection string: ${fault}`, {
    hint: 'docs/warehouse.md has its forms, by provider',
  });
}

function findEmbedded({ destinations, dataDirectory }: Config): EmbeddedWarehouseConfig {
  const warehouse = warehouseOf(destinations);
  if (warehouse?.kind === 'embedded') return warehouse;
  throw new CommandError('The warehouse is not the embedded one', {
    hint:
      warehouse === undefined
        ? 'It is off: there is nothing to move'
        : `It is where WAREHOUSE_URL, or ${movedWarehouseFile(dataDirectory)}, says. Copy it with pg_dump and name the new place in WAREHOUSE_URL; what came meanwhile is loaded from the log`,
  });
}

async function copy(dataDirectory: string, target: string, schema: string): Promise<Copy> {
  const connection = readConnection(dataDirectory);
  if (connection === undefined) {
    throw new CommandError(`There is no warehouse in ${dataDirectory} yet`, {
      hint: 'Set DATA_DIR as the bridge was started with',
    });
  }
  await using from = await connect(connectionUrl(connection, 'owner'));
  await using to = await connect(target);
  try {
    return await copySchema({
      from,
      to,
      schema,
      onTable: ({ name, rows }) => print(`  ${name}: ${rows} rows`),
    });
  } catch (cause) {
    if (cause instanceof SchemaTakenError) throw new CommandError(cause.message, { hint: cause.hint, cause });
    throw failed(cause);
  }
}

async function connect(connectionString: string): Promise<pg.Client & AsyncDisposable> {
  try {
    const client = new pg.Client({
      ...(await clientOptions(connectionString, never)),
      application_name: 'fusionauth-segment move',
    });
    // A connection that breaks fails the query that is under way; without a listener it would end the process.
    client.on('error', () => undefined);
    await client.connect();
    return Object.assign(client, { [Symbol.asyncDispose]: () => client.end().catch(() => undefined) });
  } catch (cause) {
    throw failed(cause);
  }
}

function failed(cause: unknown): CommandError {
  const { hint } = unavailable(cause);
  return new CommandError(`The warehouse could not be copied: ${(cause as Error).message}`, {
    hint: hint.replaceAll('WAREHOUSE_URL', 'the connection string'),
    cause,
  });
}

/** Resolves when what came while the copy was made is there as well. */
async function goOnThere(bridge: BridgeAddress, { dataDirectory }: Config): Promise<void> {
  try {
    await postToBridge(bridge, '/api/destinations/reopen', { destination: 'warehouse' }, { isSearch: true });
    await until(async () => {
      const { replays } = (await readFromBridge(bridge, '/api/replays')) as { replays: readonly Replay[] };
      return !replays.some(({ consumer, state }) => consumer === 'warehouse' && state === 'running');
    });
  } catch (cause) {
    throw new CommandError(
      `The copy is complete, but the bridge has not gone on there: ${(cause as Error).message}`,
      {
        hint: `Start the bridge again: it then goes on there and loads what came meanwhile. To stay with the embedded warehouse, remove ${movedWarehouseFile(dataDirectory)} first`,
        cause,
      },
    );
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(pollMs);
}
