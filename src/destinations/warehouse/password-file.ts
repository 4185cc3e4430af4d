// libpq's password file (~/.pgpass): a line for each server, `host:port:database:user:password`, * for any.

import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ConnectionError, isSocket } from './connection.ts';
import type { Connection, Host } from './connection.ts';

/** Read anew for each connection, so that a changed password needs no restart. Throws ConnectionError. */
export function readPassword(connection: Connection, host: Host): string | undefined {
  const file = connection.passwordFile ?? join(homedir(), '.pgpass');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (connection.passwordFile === undefined) return undefined;
    throw new ConnectionError(`The password file ${file} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    // As libpq, which takes no password that others can read.
    if (connection.passwordFile === undefined) return undefined;
    throw new ConnectionError(`The password file ${file} can be read by others: chmod 600 ${file}`);
  }
  return findPassword(text, { ...host, database: connection.database, user: connection.user });
}

/** The password of the first line that fits. */
export function findPassword(
  text: string,
  { host, port, database, user }: Host & { database: string; user: string },
): string | undefined {
  const wanted = [isSocket(host) ? 'localhost' : host, String(port), database, user];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const fields = [...line.matchAll(/((?:[^:\\]|\\.)*)(?::|$)/g)].map(([, field = '']) =>
      field.replaceAll(/\\(.)/g, '$1'),
    );
    const password = fields[4];
    if (password && wanted.every((value, index) => fields[index] === '*' || fields[index] === value)) {
      return password;
    }
  }
  return undefined;
}
