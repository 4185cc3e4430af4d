// PgBouncer, where the machine has it (Debian: apt-get install pgbouncer), in front of a server of a test's.

import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { endWithParent, findPrivileges } from '../../src/destinations/warehouse/embedded/privileges.ts';
import { freePort } from './free-port.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

const program = process.env['PGBOUNCER'] ?? 'pgbouncer';

export function hasPgBouncer(): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

export interface PgBouncerOptions {
  /** Of the server behind, which takes these users by these passwords, as PgBouncer does. */
  readonly port: number;
  readonly users: Readonly<Record<string, string>>;
  /** Of pgbouncer.ini. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PgBouncer extends AsyncDisposable {
  readonly port: number;
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** In transaction mode, with one connection to the server for all clients: who keeps anything in a session loses it. */
export async function startPgBouncer({
  port: behind,
  users,
  settings = {},
}: PgBouncerOptions): Promise<PgBouncer> {
  const folder = await temporaryFolder();
  // PgBouncer does not run as root, either.
  const { prefix, owner } = findPrivileges(program);
  const own = join(folder.path, 'pgbouncer');
  mkdirSync(own, { mode: 0o700 });
  const port = await freePort();
  const all = {
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: join(own, 'users'),
    pool_mode: 'transaction',
    default_pool_size: '1',
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  const files = {
    users: Object.entries(users).map(([user, password]) => `"${user}" "${password}"`),
    ini: ['[databases]', `* = host=127.0.0.1 port=${behind}`, '[pgbouncer]', ...lines],
  };
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(own, name), `${text.join('\n')}\n`, { mode: 0o600 });
  if (owner !== undefined)
    for (const path of [own, join(own, 'users'), join(own, 'ini')]) chownSync(path, owner, owner);

  let pooler: ChildProcess | undefined;
  const log = join(folder.path, 'pgbouncer.log');
  const start = async () => {
    const output = openSync(log, 'a', 0o600);
    const [command, ...args] = [...prefix, ...endWithParent(), program, join(own, 'ini')];
    const started = spawn(command, args, { stdio: ['ignore', output, output] });
    closeSync(output);
    pooler = started;
    await until('PgBouncer takes connections', async () => {
      if (started.exitCode !== null) throw new Error(`PgBouncer has ended: ${readFileSync(log, 'utf8')}`);
      return isListening(port);
    });
  };
  const stop = async () => {
    if (pooler?.exitCode !== null || pooler.signalCode !== null) return;
    const ended = once(pooler, 'exit');
    // At once: SIGINT would wait for its clients.
    pooler.kill('SIGTERM');
    await ended;
  };
  await start();
  return {
    port,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
