// The salt of the privacy policy's `hash`: a secret, since without it a hash of an e-mail address is guessed at once.
// Where none is set, one is made and kept beside the log: a hash must stay the same for as long as somebody counts by it.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const fileName = 'privacy-salt';

/** The salt that was made before, or undefined. */
export function readSalt(dataDirectory: string): string | undefined {
  try {
    return readFileSync(join(dataDirectory, fileName), 'utf8').trim() || undefined;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The same; made now where there is none. */
export function readOrMakeSalt(dataDirectory: string): string {
  const kept = readSalt(dataDirectory);
  if (kept !== undefined) return kept;
  const salt = randomBytes(32).toString('hex');
  mkdirSync(dataDirectory, { recursive: true });
  writeFileSync(join(dataDirectory, fileName), `${salt}\n`, { mode: 0o600, flag: 'wx' });
  return salt;
}
