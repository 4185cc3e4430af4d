// What a connection string says, as libpq reads it: a URL, or `keyword=value` pairs, and PG* variables for what it
// leaves out. Nothing here reads a file or connects: tls.ts and client-options.ts do.
//
// Holds always: a text that could be read in two ways is refused with what to write instead, never taken for another
// host; no fault quotes a value, since a password may stand in the wrong place.

import { isIPv6 } from 'node:net';
import { userInfo } from 'node:os';
import { domainToASCII } from 'node:url';

/** How much of TLS is asked for, weakest first. (libpq's documentation, "SSL Support", table of `sslmode`.) */
export const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof sslModes)[number];

/** A name, an address, or the folder of a Unix socket. */
export interface Host {
  readonly host: string;
  readonly port: number;
}

export interface Connection {
  /** In the order in which they are tried; never empty. */
  readonly hosts: readonly Host[];
  readonly user: string;
  /** Undefined: the one in the password file, if any. */
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
  readonly database: string;
  /** Undefined: by the host, see tls.ts. */
  readonly sslMode: SslMode | undefined;
  /** Path of a PEM file, or `system`. */
  readonly rootCertificates: string | undefined;
  /** Paths of PEM files. */
  readonly clientCertificate: { readonly certificate: string; readonly key: string } | undefined;
  readonly keyPassphrase: string | undefined;
  readonly isTlsDirect: boolean;
  readonly minTlsVersion: TlsVersion | undefined;
  readonly bindsChannel: boolean;
  /** What a host must be to be taken. */
  readonly target: Target;
  readonly serverOptions: string | undefined;
  readonly applicationName: string | undefined;
}

const targets = ['any', 'read-write', 'primary'] as const;
export type Target = (typeof targets)[number];
const tlsVersions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
export type TlsVersion = (typeof tlsVersions)[number];

/** What is wrong with a connection string or a file that it names, and what to write; without a value of it. */
export class ConnectionError extends Error {
  readonly code = 'CONNECTION_INVALID';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConnectionError';
  }
}

/** libpq's keywords that count here, with the variable that says the same. */
const variables = {
  host: 'PGHOST',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  dbname: 'PGDATABASE',
  passfile: 'PGPASSFILE',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslpassword: undefined,
  sslnegotiation: 'PGSSLNEGOTIATION',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  channel_binding: 'PGCHANNELBINDING',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  options: 'PGOPTIONS',
  application_name: 'PGAPPNAME',
} as const satisfies Record<string, string | undefined>;

type Keyword = keyof typeof variables;
type Parameters = Partial<Record<Keyword, string>>;
type Environment = Readonly<Record<string, string | undefined>>;

/** Of libpq and of other clients, pasted with the rest: without a meaning here, and without harm. */
const ignored = new Set([
  ...['connect_timeout', 'fallback_application_name', 'client_encoding', 'load_balance_hosts', 'sslsni'],
  ...['keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout'],
  ...['gssencmode', 'gsslib', 'krbsrvname', 'sslcompression', 'sslcertmode', 'uselibpqcompat'],
  // Prisma's and other pools'
  ...['pgbouncer', 'connection_limit', 'pool_timeout', 'statement_cache_size', 'pool_mode', 'supa'],
]);

const instead: Readonly<Record<string, string>> = {
  hostaddr: 'write the address as host, or its name in DNS',
  schema: 'set WAREHOUSE_SCHEMA',
  search_path: 'set WAREHOUSE_SCHEMA',
  currentSchema: 'set WAREHOUSE_SCHEMA',
  service: 'write host, user and database themselves',
  sslcrl: 'leave it out',
  sslcrldir: 'leave it out',
  require_auth: 'leave it out',
  requirepeer: 'leave it out',
};

const encode = 'write % as %25, @ as %40, : as %3A, / as %2F, ? as %3F, # as %23';

/** The connection that a text names. Throws ConnectionError. */
export function parseConnection(text: string): Connection {
  return connectionOf(parametersOf(text));
}

/** The text with what PG* variables say and it does not; the text itself where they add nothing. Throws ConnectionError. */
export function completeConnectionString(text: string, environment: Environment): string {
  const given = parametersOf(text);
  const added: Parameters = {};
  for (const [keyword, variable] of Object.entries(variables) as [Keyword, string | undefined][]) {
    const value = variable === undefined ? undefined : environment[variable];
    if (value && !Object.hasOwn(given, keyword)) added[keyword] = value;
  }
  return Object.keys(added).length === 0 ? text : formatUrl({ ...given, ...added });
}

/** For people: the hosts and the database. */
export function placeOf({ hosts, database }: Connection): string {
  return `${hosts.map(({ host, port }) => `${isIPv6(host) ? `[${host}]` : host}:${port}`).join(',')}/${database}`;
}

/** Whether nobody on the network sees what is said to this host: loopback, or a Unix socket. */
export function isOnThisMachine(host: string): boolean {
  return isSocket(host) || host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

export function isSocket(host: string): boolean {
  return host.startsWith('/');
}

function parametersOf(text: string): Parameters {
  const url = /^postgres(?:ql)?:\/\/(.*)$/s.exec(text);
  if (url) return urlParameters(url[1] ?? '');
  if (/^\s*[a-z_]+\s*=/.test(text)) return knownParameters(keywordPairs(text));
  if (/^\s*psql\s/.test(text)) throw new ConnectionError('leave out psql and the quotes around the URL');
  if (/^\s*["']/.test(text)) throw new ConnectionError('leave out the quotes around it');
  if (/^jdbc:/.test(text))
    throw new ConnectionError('leave out jdbc:, and write user and password before the host');
  throw new ConnectionError('it begins with neither postgresql:// nor a keyword such as host=');
}

function urlParameters(rest: string): Parameters {
  // Not URL.parse: it knows one host only, takes # for the end, and encodes what it should refuse.
  const [, authority = '', path = '', query = ''] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? [];
  const signs = authority.split('@').length - 1;
  if (/@/.test(`${path}${query}`) || (signs > 1 && authority.includes(','))) {
    throw new ConnectionError(`a character of user or password is not percent-encoded: ${encode}`);
  }
  // No host holds an @, so the last one ends the password.
  const end = authority.lastIndexOf('@');
  const [, user = '', password = ''] =
    /^([^:]*)(?::(.*))?$/s.exec(authority.slice(0, Math.max(end, 0))) ?? [];
  const hosts = authority.slice(end + 1);
  const inQuery = query === '' ? [] : query.split('&').map((pair) => queryPair(pair));
  const inUrl = [
    ['user', decode(user)],
    ['password', decode(password)],
    ['dbname', decode(path)],
    ...hostPairs(hosts),
  ] as const;
  return knownParameters([...inUrl.filter(([, value]) => value !== ''), ...inQuery]);
}

function hostPairs(hosts: string): (readonly [string, string])[] {
  const parts = hosts.split(',').map((part) => /^(\[[^\]]*\]|[^:[\]]*)(?::(\d*))?$/.exec(part));
  if (parts.includes(null)) {
    throw new ConnectionError(
      `host and port cannot be told apart: an IPv6 address stands in [ ], and in user and password ${encode}`,
    );
  }
  const ports = parts.map((part) => part?.[2] ?? '');
  return [
    ['host', parts.map((part) => decode(part?.[1]?.replace(/^\[(.*)\]$/, '$1') ?? '')).join(',')],
    ['port', ports.every((port) => port === '') ? '' : ports.join(',')],
  ];
}

function queryPair(pair: string): readonly [string, string] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
  if (name === undefined || value === undefined) {
    throw new ConnectionError(
      `behind the ? stand pairs such as sslmode=require; in user and password ${encode}`,
    );
  }
  // Libpq leaves a + as it is; URL builders write it for the space between two options.
  return [decode(name), decode(name === 'options' ? value.replaceAll('+', ' ') : value)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new ConnectionError(
      `a % stands before something else than the two digits of a character: ${encode}`,
      {
        cause,
      },
    );
  }
}

/** libpq's `conninfo`: `key = value`, with '…' around a value that is empty or has spaces, and \ before ' and \. */
function keywordPairs(text: string): (readonly [string, string])[] {
  const pair = /\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/suy;
  const pairs: (readonly [string, string])[] = [];
  const end = text.trimEnd().length;
  while (pair.lastIndex < end) {
    const [, name = '', quoted, plain = ''] = pair.exec(text) ?? [];
    if (name === '') {
      throw new ConnectionError(
        "a value with a space, ' or \\ stands in ' ', with \\ before each ' and \\ in it",
      );
    }
    pairs.push([name, (quoted ?? plain).replaceAll(/\\(.)/gs, '$1')]);
  }
  return pairs;
}

function knownParameters(pairs: readonly (readonly [string, string])[]): Parameters {
  const known: Parameters = {};
  for (const [given, value] of pairs) {
    const name = given === 'database' ? 'dbname' : given;
    if (Object.hasOwn(variables, name)) known[name as Keyword] = value;
    // libpq takes JDBC's `ssl=true` for this.
    else if (name === 'ssl') known.sslmode ??= value === 'true' || value === '1' ? 'require' : 'disable';
    else if (!ignored.has(name)) {
      const shown = /^[a-zA-Z_]{1,40}$/.test(name) ? name : 'a parameter';
      throw new ConnectionError(
        `${shown} is not known here: ${instead[name] ?? 'leave it out, or mend its name'}`,
      );
    }
  }
  return known;
}

function connectionOf(given: Parameters): Connection {
  const hosts = hostsOf(given);
  const user = given.user || systemUser();
  if (!user) throw new ConnectionError('it names no user');
  if (/^\[.*\]$/.test(given.password ?? '')) {
    throw new ConnectionError('the password is a placeholder in [ ]: write the password there, without [ ]');
  }
  if ((given.sslcert === undefined) !== (given.sslkey === undefined)) {
    throw new ConnectionError('sslcert and sslkey need each other');
  }
  const connection: Connection = {
    hosts,
    user,
    password: given.password || undefined,
    passwordFile: given.passfile || undefined,
    database: given.dbname || user,
    // node-postgres calls libpq's `require` so.
    sslMode: oneOf('sslmode', given.sslmode === 'no-verify' ? 'require' : given.sslmode, sslModes),
    rootCertificates: given.sslrootcert || undefined,
    clientCertificate:
      given.sslcert && given.sslkey ? { certificate: given.sslcert, key: given.sslkey } : undefined,
    keyPassphrase: given.sslpassword,
    isTlsDirect: oneOf('sslnegotiation', given.sslnegotiation, ['postgres', 'direct']) === 'direct',
    minTlsVersion: oneOf('ssl_min_protocol_version', given.ssl_min_protocol_version, tlsVersions),
    bindsChannel:
      oneOf('channel_binding', given.channel_binding, ['disable', 'prefer', 'require']) === 'require',
    // Only one of several is the primary, and nothing else will do.
    target:
      oneOf('target_session_attrs', given.target_session_attrs, targets) ??
      (hosts.length > 1 ? 'read-write' : 'any'),
    serverOptions: given.options || undefined,
    applicationName: given.application_name || undefined,
  };
  refuseWeakVerification(connection);
  return connection;
}

/** As libpq does: what could not be verified must not look as if it were. */
function refuseWeakVerification({ sslMode, rootCertificates, isTlsDirect }: Connection): void {
  if (sslMode === 'verify-ca' && (rootCertificates ?? 'system') === 'system') {
    throw new ConnectionError(
      'sslmode=verify-ca needs the file of your own authority in sslrootcert: under the system’s anybody gets a certificate; or write sslmode=verify-full',
    );
  }
  if (rootCertificates === 'system' && sslMode !== undefined && sslMode !== 'verify-full') {
    throw new ConnectionError('sslrootcert=system goes with sslmode=verify-full only');
  }
  if (isTlsDirect && sslMode !== undefined && ['disable', 'allow', 'prefer'].includes(sslMode)) {
    throw new ConnectionError('sslnegotiation=direct goes with sslmode=require or stronger only');
  }
}

function hostsOf({ host = '', port = '' }: Parameters): readonly Host[] {
  const hosts = host.split(',').map((name) => asHost(name || 'localhost'));
  const ports = port.split(',').map((number) => asPort(number || '5432'));
  if (ports.length > 1 && ports.length !== hosts.length) {
    throw new ConnectionError('it has another number of ports than of hosts');
  }
  return hosts.map((name, index) => ({ host: name, port: ports[index] ?? ports[0] ?? 5432 }));
}

function asHost(name: string): string {
  if (isSocket(name) || isIPv6(name) || /^[a-z0-9_.-]+$/i.test(name)) return name;
  const ascii = /^[\p{L}\p{N}.-]+$/u.test(name) ? domainToASCII(name) : '';
  if (ascii !== '') return ascii;
  throw new ConnectionError(
    `the host is no name, address or folder of a socket; where it is part of the password, ${encode}`,
  );
}

function asPort(port: string): number {
  if (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535) return Number(port);
  throw new ConnectionError(
    `the port is no number from 1 to 65535; where it is part of the password, ${encode}`,
  );
}

function oneOf<Value extends string>(
  keyword: Keyword,
  value: string | undefined,
  allowed: readonly Value[],
): Value | undefined {
  if (value === undefined || value === '') return undefined;
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw new ConnectionError(`${keyword} is none of ${allowed.join(', ')}`);
}

/** libpq's default, too. Undefined in a container whose user has no entry in /etc/passwd. */
function systemUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

function formatUrl({
  user = '',
  password = '',
  host = '',
  port = '',
  dbname = '',
  ...others
}: Parameters): string {
  const login = [user, password].map(encodeURIComponent).join(':').replace(/:$/, '');
  const ports = port.split(',');
  const hosts = host.split(',').map((name, index) => {
    const number = ports[index] ?? ports[0] ?? '';
    const shown = isIPv6(name) ? `[${name.replace('%', '%25')}]` : encodeURIComponent(name);
    return number === '' ? shown : `${shown}:${number}`;
  });
  const query = Object.entries(others).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return [
    'postgresql://',
    login === '' ? '' : `${login}@`,
    hosts.join(','),
    `/${encodeURIComponent(dbname)}`,
    query.length === 0 ? '' : `?${query.join('&')}`,
  ].join('');
}
