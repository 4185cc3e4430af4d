// One process at a time has the log's folder: a lock of the operating system's, on a file of its own, which goes with the
// process however it ends. (A process id in a file would outlive a crash and mean another program.)

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from '../../durable-files.ts';
import { LogOpenError } from '../log.ts';
import { errcodeOf } from './worker-rpc.ts';

/** In the folder while a process has it; what is left of one that did not end in order. */
export const pidFileName = 'bridge.pid';

export interface FolderLock {
  readonly connection: DatabaseSync;
  readonly pidFile: string;
  /** Whether the process that had the folder before did not give it back. */
  readonly isAfterCrash: boolean;
}

/** Kept from the garbage collector, which would close the connection and so drop the lock of a log still in use. */
const heldLocks = new Set<DatabaseSync>();

/** Takes the folder for this process. The operating system drops the lock with the process, however it ends. */
export function lockDirectory(directory: string): FolderLock {
  const pidFile = join(directory, pidFileName);
  let lock: DatabaseSync | undefined;
  try {
    makeFolder(directory);
    lock = new DatabaseSync(join(directory, 'bridge.lock'));
    lock.exec('pragma journal_mode = memory; begin exclusive');
    const isAfterCrash = existsSync(pidFile);
    writeFileSync(pidFile, `${process.pid}\n`);
    heldLocks.add(lock);
    return { connection: lock, pidFile, isAfterCrash };
  } catch (cause) {
    lock?.close();
    const sqliteBusy = 5;
    if ((errcodeOf(cause) & 0xff) === sqliteBusy) {
      throw new LogOpenError(`DATA_DIR ${directory} is in use by another bridge${readPid(pidFile)}`, {
        hint: 'Stop that one, or give this one a DATA_DIR of its own',
        cause,
      });
    }
    throw new LogOpenError(`DATA_DIR ${directory} cannot be used: ${(cause as Error).message}`, {
      hint: 'Make it writable for this user, or set DATA_DIR to another folder',
      cause,
    });
  }
}

/** Gives the folder back. */
export function releaseDirectory({ connection, pidFile }: FolderLock): void {
  rmSync(pidFile, { force: true });
  heldLocks.delete(connection);
  connection.close();
}

function readPid(pidFile: string): string {
  try {
    return ` (process ${readFileSync(pidFile, 'utf8').trim()})`;
  } catch {
    return '';
  }
}
