// From a connection string to the options of pg's client: which of several hosts, with TLS or without.

import { Socket } from 'node:net';
import pg from 'pg';
import { ConnectionError, parseConnection } from './connection.ts';
import type { Connection, Host } from './connection.ts';
import { readPassword } from './password-file.ts';
import { tlsWays } from './tls.ts';
import type { Tls } from './tls.ts';

/** Per host and way; a host that is silent must not keep the next one from its turn. */
const tryTimeoutMs = 10_000;

/**
 * After so long without a word TCP asks whether the other side is there. Firewalls and balancers forget a connection that is
 * silent for longer: Azure's after 4 minutes, AWS's after 350 seconds. Linux by itself asks after two hours.
 */
const keepAliveMs = 60_000;

/** No host of several takes writes: in the middle of a failover, or the primary is not among them. */
export class NoPrimaryError extends Error {
  readonly code = 'NO_PRIMARY';

  constructor() {
    super('The server is a standby');
    this.name = 'NoPrimaryError';
  }
}

/**
 * Options for `new pg.Client`, which then asks no variable and no file of its own. Where there is a choice (several hosts,
 * `sslmode` allow or prefer) each is tried by a login, and the first that succeeds is taken. Throws ConnectionError, or
 * what the last login was refused with.
 */
export async function clientOptions(connectionString: string, signal: AbortSignal): Promise<pg.ClientConfig> {
  const connection = parseConnection(connectionString);
  const ways = connection.hosts.flatMap((host) =>
    tlsWays(connection, host.host).map((tls) => optionsOf(connection, host, tls)),
  );
  const [only, ...others] = ways;
  if (only !== undefined && others.length === 0) return only;
  let refusal: unknown;
  for (const options of ways) {
    try {
      await tryLogin(options, connection, signal);
      return options;
    } catch (error) {
      signal.throwIfAborted();
      if (isFinal(error)) throw error;
      refusal = tellsMore(refusal, error) ? refusal : error;
    }
  }
  throw refusal;
}

/** What would keep a connection from being tried at all; undefined where nothing would. */
export function findConnectionFault(connectionString: string): string | undefined {
  try {
    const connection = parseConnection(connectionString);
    for (const host of connection.hosts) {
      tlsWays(connection, host.host);
      if (connection.password === undefined) readPassword(connection, host);
    }
    return undefined;
  } catch (error) {
    if (error instanceof ConnectionError) return error.message;
    throw error;
  }
}

function optionsOf(connection: Connection, host: Host, tls: Tls): pg.ClientConfig {
  const { user, database, serverOptions, applicationName } = connection;
  return {
    ...host,
    user,
    database,
    // A function, so that pg looks for no other password where there is none.
    password: () => {
      const password = connection.password ?? readPassword(connection, host);
      if (password !== undefined) return password;
      throw new ConnectionError('The server asks for a password, and the connection string has none');
    },
    ssl: tls,
    sslnegotiation: connection.isTlsDirect && tls !== false ? 'direct' : 'postgres',
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    enableChannelBinding: connection.bindsChannel && tls !== false,
    ...(serverOptions !== undefined && { options: serverOptions }),
    ...(applicationName !== undefined && { application_name: applicationName }),
  };
}

async function tryLogin(
  options: pg.ClientConfig,
  { hosts, target }: Connection,
  signal: AbortSignal,
): Promise<void> {
  const socket = new Socket();
  const onAbort = () => socket.destroy(new Error('The bridge is stopping'));
  signal.throwIfAborted();
  signal.addEventListener('abort', onAbort, { once: true });
  const client = new pg.Client({
    ...options,
    stream: () => socket,
    connectionTimeoutMillis: tryTimeoutMs,
    query_timeout: tryTimeoutMs,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    if (hosts.length > 1 && !(await isTarget(client, target))) throw new NoPrimaryError();
    await client.end();
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

async function isTarget(client: pg.Client, target: Connection['target']): Promise<boolean> {
  if (target === 'any') return true;
  const { rows } = await client.query<{ standby: boolean; read_only: string }>(
    `select pg_is_in_recovery() as standby, current_setting('transaction_read_only') as read_only`,
  );
  const [row] = rows;
  return row?.standby === false && (target === 'primary' || row.read_only === 'off');
}

/** Another host or way would answer the same: the next attempts would only lock the account. */
function isFinal(error: unknown): boolean {
  return error instanceof ConnectionError || (error as { code?: unknown }).code === '28P01';
}

/** A server without TLS that refuses to speak in the open tells more by its refusal, and a standby by being one. */
function tellsMore(earlier: unknown, later: unknown): boolean {
  if (earlier === undefined) return false;
  return earlier instanceof NoPrimaryError || isWithoutTls(later);
}

/** pg gives this error no code. */
export function isWithoutTls(error: unknown): boolean {
  return error instanceof Error && error.message === 'The server does not support SSL connections';
}
