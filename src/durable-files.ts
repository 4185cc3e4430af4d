// Files that must survive a power loss: a name is only sure to last once its folder has been synced, and so is the
// content of a file once the file has.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Makes the folder, for its owner only, and those above it that are missing. */
export function makeFolder(folder: string): void {
  const path = resolve(folder);
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) syncFolder(dirname(made));
}

/** Puts a file with this text, for its owner only, in the place of the one that is there, in one step. */
export function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  syncFolder(dirname(file));
}

/**
 * Makes a file with this text, for its owner only, unless it is there. It is there with all of its text or not at all,
 * whatever a crash or another process does meanwhile; of two that make it at once, one does.
 */
export function makeFileOnce(file: string, text: string): void {
  const draft = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx', flush: true });
  try {
    // Not a rename, which would put it in the place of another's.
    linkSync(draft, file);
    syncFolder(dirname(file));
  } catch (error) {
    if (existsSync(file)) return;
    // A file system without hard links: only there one of two that start at once may lose its text to the other.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    writeFileSync(file, text, { mode: 0o600, flag: 'wx', flush: true });
    syncFolder(dirname(file));
  } finally {
    rmSync(draft);
  }
}

/** The names in it last from now on, as far as the system lets us see to it. */
export function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    // A folder in which we may write and not read; a file system, or Windows, that syncs no folders. SQLite goes on, too.
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EISDIR'].includes(code)) throw error;
  }
}
