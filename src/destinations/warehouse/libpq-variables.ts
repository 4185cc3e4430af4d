// A connection as the environment of psql and other programs upon libpq.

import { existsSync } from 'node:fs';
import { parseConnection } from './connection.ts';
import { sslModeOf } from './tls.ts';

/** Where systems keep the certificates that they trust, as one file: `sslrootcert=system` is known to libpq since 16. */
const systemFiles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
];

/**
 * Every variable that says where and how to connect: undefined where it must not be set, so that another server's does not
 * count. With it they verify as the bridge does. Throws ConnectionError.
 */
export function libpqVariables(
  connectionString: string,
  hasFile: (file: string) => boolean = existsSync,
): Readonly<Record<string, string | undefined>> {
  const connection = parseConnection(connectionString);
  const { hosts, clientCertificate, rootCertificates } = connection;
  const modes = hosts.map(({ host }) => sslModeOf(connection, host));
  // Libpq has one for all hosts: a socket needs none, and any other must not get less than it asks for.
  const sslMode = modes.find((mode) => mode !== 'disable') ?? 'disable';
  const needsRoot = sslMode === 'verify-full' && (rootCertificates ?? 'system') === 'system';
  return {
    PGHOST: hosts.map(({ host }) => host).join(','),
    PGHOSTADDR: undefined,
    PGPORT: hosts.map(({ port }) => port).join(','),
    PGUSER: connection.user,
    PGPASSWORD: connection.password,
    PGPASSFILE: connection.passwordFile,
    PGDATABASE: connection.database,
    PGSERVICE: undefined,
    PGSSLMODE: sslMode,
    PGSSLROOTCERT: needsRoot ? (systemFiles.find(hasFile) ?? 'system') : rootCertificates,
    PGSSLCERT: clientCertificate?.certificate,
    PGSSLKEY: clientCertificate?.key,
    PGSSLNEGOTIATION: connection.isTlsDirect ? 'direct' : undefined,
    PGSSLMINPROTOCOLVERSION: connection.minTlsVersion,
    PGCHANNELBINDING: connection.bindsChannel ? 'require' : undefined,
    PGTARGETSESSIONATTRS: connection.target === 'any' ? undefined : connection.target,
    PGOPTIONS: connection.serverOptions,
  };
}
