// What PostgreSQL's and the network's error codes mean for a batch: not for this batch, ever; or later, and what to mend.

import { BatchRefusedError, BlockedError, RetryableError, UnknownHostError } from '../destination.ts';
import { isWithoutTls } from './client-options.ts';
import { ConnectionError } from './connection.ts';

/** SQLSTATE, errno or Node's code of a certificate → what an operator can do. (PostgreSQL's documents, appendix "Error Codes".) */
const hints: Readonly<Record<string, string>> = {
  '08P01':
    'A pooler between the bridge and the server refused what PostgreSQL allows: see the cause; for PgBouncer name the parameter in ignore_startup_parameters, or give WAREHOUSE_URL the server’s own address',
  '26000':
    'A pooler in transaction mode lost a prepared statement: raise max_prepared_statements there (PgBouncer 1.21 or newer), or give WAREHOUSE_URL the server’s own address',
  '28P01': 'The password was refused: mend it in WAREHOUSE_URL',
  '28000': 'The server refused the user or the connection: mend WAREHOUSE_URL, or the server’s pg_hba.conf',
  '3D000': 'The database does not exist: create it, or name another in WAREHOUSE_URL',
  '3F000': 'The schema does not exist any more: it is made again, or mend WAREHOUSE_SCHEMA',
  '42501':
    'The user lacks a right: GRANT CREATE ON DATABASE and rights on the schema’s tables, or name another user',
  '25006': 'The server is read-only: name the primary in WAREHOUSE_URL',
  '53100': 'The server’s disk is full: make room there',
  '57014':
    'A time limit of the server’s, or an administrator, cancelled the load: raise statement_timeout for this user',
  '58030': 'The server cannot read or write its disk: see its log, and check that disk',
  XX001: 'The server found a damaged file of its own: see its log, and restore the database',
  XX002: 'The server found a damaged index: see its log, and run reindex there',
  '53200': 'The server is out of memory: give it more, or lower its work_mem',
  '53300': 'The server has no connection to spare: raise max_connections, or end idle sessions',
  '55P03': 'Another session holds a lock on a table of the warehouse: end it',
  '57P01': 'The server, or an administrator, ended the connection: a new one is made',
  '57P02':
    'Another process of the server crashed: a new connection is made once it has recovered; see its log',
  '57P03': 'The server is starting or stopping',
  '57P05': 'The server ends idle sessions (idle_session_timeout): a new connection is made',
  ECONNREFUSED: 'No server answers there: start it, or mend host and port in WAREHOUSE_URL',
  ECONNRESET:
    'The connection was cut: a new one is made; where it goes on, see the server’s log and the firewall',
  EHOSTUNREACH: 'No way leads to the server: check the network and its firewall',
  ENETUNREACH:
    'No way leads to the server: where it has an IPv6 address only and this machine has none, name a host with IPv4 (Supabase: the pooler’s)',
  ENOENT: 'There is no socket in that folder: start the server, or mend host in WAREHOUSE_URL',
  EACCES: 'This user may not use the socket: give it the right, or name the server by host and port',
  ENOTFOUND: 'The host name is unknown: mend WAREHOUSE_URL, or DNS',
  EAI_AGAIN: 'DNS does not answer: mend it on this machine; a container may have lost its network',
  ETIMEDOUT: 'The server does not answer: check the network and its firewall',

  NO_PRIMARY: 'No host of WAREHOUSE_URL takes writes: end the failover, or name the primary as well',
  TLS_NOT_OFFERED:
    'The server has no TLS: switch it on there (ssl = on), or, on a network that you trust, append sslmode=disable to WAREHOUSE_URL',
  TLS_DEMANDED: 'The server takes nobody without TLS: append sslmode=require, or stronger, to WAREHOUSE_URL',
  TLS_CLIENT_CERTIFICATE:
    'The server asks for a client certificate that it trusts: name its files in sslcert and sslkey of WAREHOUSE_URL',
  TLS_UNKNOWN_AUTHORITY:
    'The server’s certificate is by an authority that this machine does not know: name the authority’s file in sslrootcert of WAREHOUSE_URL',
  CERT_HAS_EXPIRED: 'The server’s certificate has expired: renew it there',
  CERT_NOT_YET_VALID:
    'The server’s certificate is not valid yet: mend the clock of this machine or of the server',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'The server’s certificate is for another host: write the host in WAREHOUSE_URL as the certificate names it, or sslmode=verify-ca with sslrootcert',
  TLS_FAILED: 'TLS with the server failed: see the cause, and compare the TLS versions that both sides allow',
  POOLER_WITHOUT_SERVER:
    'The pooler cannot reach the server behind it, or has no connection free: see the pooler’s log',
  POOLER_UNKNOWN_TENANT:
    'The pooler knows no such project: the user is written postgres.<project> there; copy the connection string from the provider’s page',
  POOLER_UNKNOWN_ENDPOINT:
    'The provider finds the database by the host name: write its own host name in WAREHOUSE_URL, without a proxy or an address in its place',
  SILENT: 'The server fell silent: check the network, and whether a firewall ends idle connections',
};

/** What somebody must mend: nothing will be loaded before. */
const blocking = new Set([
  ...['08P01', '28P01', '28000', '3D000', '42501', '25006'],
  ...['TLS_NOT_OFFERED', 'TLS_DEMANDED', 'TLS_CLIENT_CERTIFICATE', 'TLS_UNKNOWN_AUTHORITY'],
  ...['CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ...['POOLER_UNKNOWN_TENANT', 'POOLER_UNKNOWN_ENDPOINT'],
]);

/** OpenSSL's names for a chain that ends with nobody whom we trust. */
const unknownAuthority = new Set([
  ...['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_SIGNATURE_FAILURE'],
]);

/** What no code tells, or one code for several things: by the words of pg, PostgreSQL and the providers' poolers. */
const sayings: readonly (readonly [words: RegExp, kind: string])[] = [
  [/Endpoint ID is not specified/, 'POOLER_UNKNOWN_ENDPOINT'],
  [/Tenant or user not found/, 'POOLER_UNKNOWN_TENANT'],
  [/valid client certificate|certificate authentication failed/, 'TLS_CLIENT_CERTIFICATE'],
  [
    /pg_hba\.conf.*(no encryption|SSL off)|SSL (connection )?is required|SSL required|connection is insecure/i,
    'TLS_DEMANDED',
  ],
  // PgBouncer has one code for all that it refuses.
  [/(SASL|password) authentication failed|no such user/i, '28P01'],
  [/database .* does not exist/, '3D000'],
  [
    /server login has been failing|server_login_retry|pgbouncer cannot connect|query_wait_timeout/,
    'POOLER_WITHOUT_SERVER',
  ],
  [/prepared statement .* (does not exist|already exists)/, '26000'],
  [/^(timeout expired|Query read timeout|Connection terminated due to connection timeout)/, 'SILENT'],
  [/^Connection terminated/, 'ECONNRESET'],
];

/** A column's type cannot be changed, since a view of somebody's depends on it. */
export function isFixedColumn(error: unknown): boolean {
  return codeOf(error) === '0A000';
}

/** The error to throw for a failed load. */
export function loadError(error: unknown): BatchRefusedError | RetryableError {
  const code = codeOf(error);
  // Data exceptions, violated constraints, program limits: the same batch fails for ever.
  if (/^(22|23|54)/.test(code) && !isCatalogConflict(error)) {
    return new BatchRefusedError('warehouse_refused', `PostgreSQL refused a row (SQLSTATE ${code})`);
  }
  return unavailable(error);
}

/** The error to throw where the warehouse could not be reached or made ready. */
export function unavailable(error: unknown): RetryableError {
  if (error instanceof RetryableError) return error;
  if (error instanceof ConnectionError) {
    return new BlockedError(`The warehouse could not be written (${error.code})`, {
      hint: `${error.message} (WAREHOUSE_URL)`,
      cause: error,
    });
  }
  const code = codeOf(error);
  const kind = kindOf(error);
  const Kind = classOf(kind);
  return new Kind(`The warehouse could not be written${code || kind ? ` (${code || kind})` : ''}`, {
    hint: hints[kind] ?? 'See the cause in the log lines; events are kept and loaded later',
    cause: error,
  });
}

function classOf(kind: string): typeof RetryableError {
  if (blocking.has(kind)) return BlockedError;
  return kind === 'ENOTFOUND' ? UnknownHostError : RetryableError;
}

/** A key of the hints, or the code itself. */
function kindOf(error: unknown): string {
  const code = codeOf(error);
  if (isWithoutTls(error)) return 'TLS_NOT_OFFERED';
  if (unknownAuthority.has(code)) return 'TLS_UNKNOWN_AUTHORITY';
  // An alert of the server's: it looked at our certificate, or missed it.
  if (/^ERR_SSL_.*ALERT_(UNKNOWN_CA|CERTIFICATE|BAD_CERTIFICATE)/.test(code)) return 'TLS_CLIENT_CERTIFICATE';
  const message = error instanceof Error ? error.message : '';
  const saying = sayings.find(([words]) => words.test(message));
  if (saying && !(code in hints && saying[1] === 'ECONNRESET')) return saying[1];
  if (/^(ERR_SSL_|ERR_TLS_|EPROTO)/.test(code) && !(code in hints)) return 'TLS_FAILED';
  return code === 'EPIPE' ? 'ECONNRESET' : code;
}

/** Another session was making the same table or schema at the same moment: it is there at the next attempt. */
function isCatalogConflict(error: unknown): boolean {
  const { constraint } = error as { constraint?: unknown };
  return codeOf(error) === '23505' && typeof constraint === 'string' && constraint.startsWith('pg_');
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
