// A warehouse: whether it can be reached, by which rights, and what it has set aside.

import pg from 'pg';
import type { Config } from '../../config/config.ts';
import { readMovedWarehouse } from '../../config/moved-warehouse.ts';
import type { WarehouseConfig } from '../../config/destinations.ts';
import { isOnThisMachine, parseConnection, placeOf } from '../../destinations/warehouse/connection.ts';
import { connectionUrl, readConnection } from '../../destinations/warehouse/embedded/connection.ts';
import { unavailable } from '../../destinations/warehouse/postgres-errors.ts';
import { connectForReading } from '../../destinations/warehouse/reading-connection.ts';
import { discardsTable } from '../../destinations/warehouse/rows.ts';
import { fail, failed, listed, ok, skip, warn } from './check.ts';
import type { Check } from './check.ts';

/** PostgreSQL 13. */
const oldestVersion = 130_000;

export async function checkWarehouse(settings: WarehouseConfig, config: Config): Promise<readonly Check[]> {
  const name = `${settings.name}.connection`;
  const url = urlOf(settings, config);
  if (url === undefined) {
    return [skip(name, 'The embedded PostgreSQL is not there yet: the bridge makes it at its first start')];
  }
  let client: pg.Client;
  try {
    client = await connectForReading(url);
  } catch (error) {
    return [failed(name, inWords(error))];
  }
  try {
    return await look(client, settings, url);
  } catch (error) {
    return [failed(name, inWords(error))];
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** As the loader has it, less the load. */
function inWords(error: unknown) {
  const { hint, message, cause } = unavailable(error);
  return { message: message.replace('written', 'reached'), hint, cause };
}

function urlOf(settings: WarehouseConfig, { dataDirectory }: Config): string | undefined {
  if (settings.kind === 'external') return settings.connectionString;
  const moved = readMovedWarehouse(dataDirectory);
  if (moved !== undefined) return moved;
  const connection = readConnection(dataDirectory);
  return connection && connectionUrl(connection, 'owner');
}

interface Server {
  readonly version: string;
  readonly version_number: number;
  readonly is_standby: boolean;
  readonly is_read_only: boolean;
  readonly has_tls: boolean;
  readonly encoding: string;
  readonly schema_exists: boolean;
  readonly may_create_schema: boolean;
  readonly may_create_table: boolean;
  readonly foreign_tables: readonly string[];
  readonly user: string;
  readonly size: string;
}

async function look(
  client: pg.Client,
  { name, schema }: WarehouseConfig,
  url: string,
): Promise<readonly Check[]> {
  const { rows } = await client.query<Server>(
    `select current_setting('server_version') as version,
       current_setting('server_version_num')::int as version_number,
       pg_is_in_recovery() as is_standby,
       current_setting('transaction_read_only') = 'on' as is_read_only,
       coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as has_tls,
       current_setting('server_encoding') as encoding,
       n.oid is not null as schema_exists,
       has_database_privilege(current_database(), 'create') as may_create_schema,
       coalesce(has_schema_privilege(n.oid, 'create') and has_schema_privilege(n.oid, 'usage'), false) as may_create_table,
       array(select c.relname::text from pg_class c
         where c.relnamespace = n.oid and c.relkind in ('r', 'p') and not pg_has_role(c.relowner, 'usage')
         order by 1) as foreign_tables,
       current_user::text as user,
       pg_size_pretty(pg_database_size(current_database())) as size
     from (values ($1::text)) as given (schema) left join pg_namespace n on n.nspname = given.schema`,
    [schema],
  );
  const [server] = rows;
  if (server === undefined) throw new Error('PostgreSQL answered without a row');
  return [
    connection(name, server, url),
    ...tls(name, server, url),
    rights(name, server, schema),
    await discards(client, name, schema, server),
  ];
}

function connection(warehouse: string, server: Server, url: string): Check {
  const name = `${warehouse}.connection`;
  const place = placeOf(parseConnection(url));
  if (server.version_number < oldestVersion) {
    return fail(name, `${place} is PostgreSQL ${server.version}`, 'Use PostgreSQL 13 or newer');
  }
  if (server.is_standby || server.is_read_only) {
    return fail(
      name,
      `${place} takes no writes: ${server.is_standby ? 'it is a standby' : 'it is set to be read-only'}`,
      'Name the primary in WAREHOUSE_URL, or end its default_transaction_read_only',
    );
  }
  if (server.encoding !== 'UTF8') {
    return fail(
      name,
      `The database at ${place} has the encoding ${server.encoding}, which has no place for every name`,
      'Make a database with the encoding UTF8 and name it in WAREHOUSE_URL',
    );
  }
  return ok(name, `PostgreSQL ${server.version} at ${place}, ${server.size} in all`);
}

/** None where the connection stays on this machine. */
function tls(warehouse: string, { has_tls: hasTls }: Server, url: string): readonly Check[] {
  const { hosts } = parseConnection(url);
  if (hosts.every(({ host }) => isOnThisMachine(host))) return [];
  const name = `${warehouse}.tls`;
  return [
    hasTls
      ? ok(name, 'The connection is encrypted')
      : warn(
          name,
          'The connection is not encrypted: rows and password cross the network in the open',
          'Append sslmode=verify-full to WAREHOUSE_URL (docs/warehouse.md has the forms)',
        ),
  ];
}

function rights(warehouse: string, server: Server, schema: string): Check {
  const name = `${warehouse}.rights`;
  const { user, foreign_tables: foreignTables } = server;
  if (!server.schema_exists) {
    return server.may_create_schema
      ? ok(name, `${user} may make the schema ${schema}`)
      : fail(
          name,
          `${user} may not make the schema ${schema}`,
          `As an administrator: create schema ${schema} authorization "${user}"`,
        );
  }
  if (!server.may_create_table) {
    return fail(
      name,
      `${user} may not make tables in the schema ${schema}`,
      `As its owner: grant usage, create on schema ${schema} to "${user}"`,
    );
  }
  return foreignTables.length === 0
    ? ok(name, `${user} may make tables in the schema ${schema}, and owns those that are there`)
    : fail(
        name,
        `${foreignTables.length} tables of the schema ${schema} belong to another, so that columns cannot be added: ${listed(foreignTables)}`,
        `As their owner: alter table ${schema}.… owner to "${user}", or set WAREHOUSE_SCHEMA to another schema`,
      );
}

async function discards(
  client: pg.Client,
  warehouse: string,
  schema: string,
  { may_create_table: mayLook }: Server,
): Promise<Check> {
  const name = `${warehouse}.discards`;
  const table = `${pg.escapeIdentifier(schema)}.${discardsTable}`;
  if (!mayLook) return ok(name, 'No value was set aside');
  const { rows: found } = await client.query<{ there: boolean }>(
    'select to_regclass($1) is not null as there',
    [table],
  );
  if (found[0]?.there !== true) return ok(name, 'No value was set aside');
  const { rows } = await client.query<{ place: string; count: string }>(
    `select table_name || '.' || column_name as place, count(*)::text as count from ${table}
     where received_at > now() - interval '7 days' group by 1 order by count(*) desc, 1 limit 20`,
  );
  return rows.length === 0
    ? ok(name, 'No value was set aside in the last 7 days')
    : warn(
        name,
        `Values of the last 7 days fitted no column and stand in ${table}: ${listed(rows.map(({ place, count }) => `${count} of ${place}`))}`,
        'See the reason there; a column of another type, or a privacy rule that drops the value, ends it',
      );
}
