// What `sslmode` asks of TLS, in the terms of node:tls.

import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { ConnectionError, isOnThisMachine, isSocket } from './connection.ts';
import type { Connection, SslMode } from './connection.ts';

/** TLS with these options, or none. */
export type Tls = ConnectionOptions | false;

/**
 * How to speak to this host: the second way where the first is refused, as libpq does it. Where the connection string
 * says nothing, in the open on this machine and verified on the network. Reads the files anew each time, since
 * certificates are renewed. Throws ConnectionError that names the file.
 */
export function tlsWays(connection: Connection, host: string): readonly [Tls, ...Tls[]] {
  // PostgreSQL has no TLS there.
  if (isSocket(host)) return [false];
  const mode = sslModeOf(connection, host);
  switch (mode) {
    case 'disable':
      return [false];
    case 'allow':
      return [false, tlsOptions(connection, mode)];
    case 'prefer':
      return [tlsOptions(connection, mode), false];
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return [tlsOptions(connection, mode)];
  }
}

/** The mode that holds for this host. */
export function sslModeOf(connection: Connection, host: string): SslMode {
  const { sslMode, rootCertificates, clientCertificate, isTlsDirect } = connection;
  const asksForTls = Boolean(rootCertificates ?? clientCertificate) || isTlsDirect;
  return sslMode ?? (isOnThisMachine(host) && !asksForTls ? 'disable' : 'verify-full');
}

function tlsOptions(connection: Connection, mode: SslMode): ConnectionOptions {
  const { clientCertificate, keyPassphrase, minTlsVersion } = connection;
  return {
    ...verification(connection, mode),
    ...(clientCertificate && {
      cert: read('sslcert', clientCertificate.certificate),
      key: read('sslkey', clientCertificate.key),
    }),
    ...(keyPassphrase !== undefined && { passphrase: keyPassphrase }),
    ...(minTlsVersion !== undefined && { minVersion: minTlsVersion }),
  };
}

function verification({ rootCertificates }: Connection, mode: SslMode): ConnectionOptions {
  if (mode === 'verify-full') {
    return {
      ca:
        rootCertificates === undefined || rootCertificates === 'system'
          ? systemCertificates()
          : read('sslrootcert', rootCertificates),
    };
  }
  if (rootCertificates === undefined) return { rejectUnauthorized: false };
  // libpq verifies the chain in every mode once it has an authority.
  return { ca: read('sslrootcert', rootCertificates), checkServerIdentity: () => undefined };
}

/** Node's own beside the system's: a slim container image has none. Includes NODE_EXTRA_CA_CERTS. */
function systemCertificates(): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

function read(keyword: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConnectionError(
      `The file of ${keyword}, ${file}, cannot be read: ${(cause as Error).message}`,
      { cause },
    );
  }
  // Node takes a file without a certificate for one with none, and then trusts nobody.
  if (text.includes('-----BEGIN ')) return text;
  throw new ConnectionError(
    `The file of ${keyword}, ${file}, is not PEM: it must hold a line -----BEGIN …-----`,
  );
}
