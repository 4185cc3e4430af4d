// The salt of the privacy policy's `hash`: a secret, since without it a hash of an e-mail address is guessed at once.
// Where none is set, one is made and kept beside the log: a hash must stay the same for as long as somebody counts by
// it. So the file is never written again.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFileOnce, makeFolder } from '../durable-files.ts';
import { ConfigError } from './config-error.ts';

const fileName = 'privacy-salt';

/** The salt that was made before, or undefined. Throws ConfigError for a file that has none in it. */
export function readSalt(dataDirectory: string): string | undefined {
  const path = join(dataDirectory, fileName);
  let salt: string;
  try {
    salt = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw new ConfigError([`${path} cannot be read: ${(error as Error).message}`]);
  }
  if (salt !== '') return salt;
  throw new ConfigError([
    `${path} is empty: restore it from a backup, or remove it for a new salt, under which all hashes are new`,
  ]);
}

/** The same; made now where there is none. Who calls it at the same time gets the same one. */
export function readOrMakeSalt(dataDirectory: string): string {
  const kept = readSalt(dataDirectory);
  if (kept !== undefined) return kept;
  makeFolder(dataDirectory);
  makeFileOnce(join(dataDirectory, fileName), `${randomBytes(32).toString('hex')}\n`);
  return readSalt(dataDirectory) as string;
}
