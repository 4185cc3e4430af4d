// The salt of the privacy policy's `hash`: a secret, since without it a hash of an e-mail address is guessed at once.
// Where none is set, one is made and kept beside the log: a hash must stay the same for as long as somebody counts by
// it. So the file is there with all of the salt or not at all, whatever a crash or another process does meanwhile, and
// is never written again.

import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, syncFolder } from '../durable-files.ts';
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
  const salt = randomBytes(32).toString('hex');
  makeFolder(dataDirectory);
  const draft = join(dataDirectory, `${fileName}.${process.pid}-${randomBytes(4).toString('hex')}`);
  writeFileSync(draft, `${salt}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    // Not a rename, which would put it in the place of another's.
    linkSync(draft, join(dataDirectory, fileName));
    syncFolder(dataDirectory);
    return salt;
  } catch (error) {
    const theirs = readSalt(dataDirectory);
    if (theirs !== undefined) return theirs;
    // A file system without hard links: only there one of two that start at once may lose its salt to the other.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    writeFileSync(join(dataDirectory, fileName), `${salt}\n`, { mode: 0o600, flag: 'wx', flush: true });
    syncFolder(dataDirectory);
    return salt;
  } finally {
    rmSync(draft);
  }
}
