// Runs PostgreSQL's programs that come to an end, and stops the one that does not.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PostgresBinaries } from './binaries.ts';
import type { Privileges } from './privileges.ts';

const stopTimeoutSeconds = 2;

/** Runs a program to its end and resolves to its output. Rejects with what it wrote where it fails. */
export async function run([program = '', ...args]: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args);
  return stdout;
}

/** Stops the server of this cluster where one runs, also one that an earlier process of ours left behind. */
export async function stopServer(
  binaries: PostgresBinaries,
  privileges: Privileges,
  cluster: string,
): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').split('\n')[0]) : 0;
  if (pid === 0 || !isAlive(pid)) return;
  if (!(await isServerOf(cluster, pid))) {
    // After a power loss the id may be another program's, which neither we nor pg_ctl may touch; PostgreSQL would
    // take it for a server of this cluster and refuse to start.
    rmSync(pidFile, { force: true });
    return;
  }
  const pgCtl = [...privileges.prefix, binaries.pgCtl, '-D', cluster];
  const stop = [...pgCtl, 'stop', '-w', '-t', String(stopTimeoutSeconds), '-m'];
  // "immediate" leaves a recovery to the next start; nothing that was committed is lost by it.
  await run([...stop, 'fast'])
    .catch(() => run([...stop, 'immediate']))
    .catch(() => kill(pid));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It may have ended by itself meanwhile.
    if ((error as { code?: unknown }).code !== 'ESRCH') throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

/**
 * PostgreSQL works in the cluster's folder, however that was spelled when it was started; where the system does not tell
 * that, its command line names the folder. True where the system tells nothing.
 */
async function isServerOf(cluster: string, pid: number): Promise<boolean> {
  const folder = await realpath(cluster);
  const workingFolder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  if (workingFolder !== undefined) return workingFolder === folder;
  const commandLine = await run(['ps', '-o', 'args=', '-p', String(pid)]).catch(() => undefined);
  return commandLine === undefined || commandLine.includes(cluster) || commandLine.includes(folder);
}
