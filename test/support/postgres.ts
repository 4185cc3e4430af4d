// A PostgreSQL server of any version, set up as a test asks: with TLS, rules of pg_hba.conf, a socket. What the embedded
// server of startWarehouse is not: stopped, started again and set otherwise while the test runs.

import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { findPostgresBinaries } from '../../src/destinations/warehouse/embedded/binaries.ts';
import { endWithParent, findPrivileges } from '../../src/destinations/warehouse/embedded/privileges.ts';
import { freePort } from './free-port.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

export interface PostgresOptions {
  /** Folder of initdb and postgres; `otherPostgres`, or else the npm package's, where nothing is said. */
  readonly binDirectory?: string;
  /** Lines of pg_hba.conf; passwords from everywhere where nothing is said. */
  readonly hba?: readonly string[];
  /** PEM texts: the server's certificate, and the authority that client certificates must be by. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientAuthority?: string };
  /** Lines of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface TestPostgres extends AsyncDisposable {
  readonly port: number;
  /** Of the superuser `admin`, on 127.0.0.1. */
  readonly url: string;
  readonly socketFolder: string;
  /** `18.1`, as the server says. */
  readonly version: string;
  /** As superuser, through the socket, whatever pg_hba.conf says. */
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Fast, as an administrator stops it: sessions are ended. */
  stop(): Promise<void>;
  /** SIGKILL to all of its processes, in the midst of whatever they do. On Linux. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Starts again as a standby, as which it takes no writes until `select pg_promote()`. It follows nobody. */
  becomeStandby(): Promise<void>;
  /** Takes a new certificate without a restart. */
  replaceCertificate(tls: { cert: string; key: string }): Promise<void>;
}

const admin = 'admin';
const password = 'admin-password';
const listening = '127.0.0.1,::1';

/** The programs of another PostgreSQL that the suites are to run on in place of the npm package's. */
export const otherPostgres = process.env['TEST_POSTGRES_BIN'] || undefined;

/** The programs of every PostgreSQL that Debian has installed here. */
export function debianPostgres(): readonly string[] {
  const root = '/usr/lib/postgresql';
  const folders = existsSync(root) ? readdirSync(root) : [];
  return folders
    .map((version) => join(root, version, 'bin'))
    .filter((folder) => existsSync(join(folder, 'initdb')));
}

/** A server of its own, stopped and removed at the end of the scope. */
export async function startPostgres({
  binDirectory = otherPostgres,
  hba = ['host all all all scram-sha-256'],
  tls,
  settings = {},
}: PostgresOptions = {}): Promise<TestPostgres> {
  const folder = await temporaryFolder();
  const program = (name: 'initdb' | 'postgres') =>
    binDirectory === undefined ? findPostgresBinaries()[name] : join(binDirectory, name);
  const { prefix, owner } = findPrivileges(program('postgres'));
  const cluster = join(folder.path, 'cluster');
  const socketFolder = join(folder.path, 'socket');
  const write = (name: string, text: string) => {
    writeFileSync(join(cluster, name), text, { mode: 0o600 });
    if (owner !== undefined) chownSync(join(cluster, name), owner, owner);
  };
  const passwordFile = join(folder.path, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  for (const path of [cluster, socketFolder]) {
    mkdirSync(path, { mode: 0o700 });
    if (owner !== undefined) chownSync(path, owner, owner);
  }
  const [initdb, ...initdbArgs] = [...prefix, program('initdb')];
  const given = ['-D', cluster, '-U', admin, `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C', '-N'];
  await promisify(execFile)(initdb, [...initdbArgs, ...given, '--auth=scram-sha-256']);

  const port = await freePort();
  const all = {
    port: String(port),
    listen_addresses: listening,
    unix_socket_directories: socketFolder,
    shared_buffers: '16MB',
    fsync: 'off',
    ...(tls && { ssl: 'on' }),
    ...(tls?.clientAuthority !== undefined && { ssl_ca_file: 'root.crt' }),
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'`);
  write('postgresql.auto.conf', `${lines.join('\n')}\n`);
  write('pg_hba.conf', `${['local all admin trust', ...hba].join('\n')}\n`);
  const writeCertificate = ({ cert, key }: { cert: string; key: string }) => {
    write('server.crt', cert);
    write('server.key', key);
  };
  if (tls) writeCertificate(tls);
  if (tls?.clientAuthority !== undefined) write('root.crt', tls.clientAuthority);

  let server: ChildProcess | undefined;
  const log = join(folder.path, 'postgres.log');
  const query: TestPostgres['query'] = async (sql, values) => {
    const client = new pg.Client({ host: socketFolder, port, user: admin, database: 'postgres', ssl: false });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql, values)).rows;
    } finally {
      await client.end();
    }
  };
  const start = async () => {
    const [command, ...args] = [...prefix, ...endWithParent(), program('postgres'), '-D', cluster];
    const output = openSync(log, 'a', 0o600);
    const started = spawn(command, args, { stdio: ['ignore', output, output] });
    closeSync(output);
    server = started;
    await until('PostgreSQL takes connections', async () => {
      if (started.exitCode !== null) throw new Error(`PostgreSQL has ended: ${readFileSync(log, 'utf8')}`);
      return query('select 1').then(
        () => true,
        () => false,
      );
    });
  };
  const end = async (signal: 'SIGINT' | 'SIGKILL') => {
    if (server?.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    const children = signal === 'SIGKILL' ? childrenOf(server.pid ?? 0) : [];
    server.kill(signal);
    for (const pid of children) process.kill(pid, signal);
    await ended;
  };
  const stop = () => end('SIGINT');
  await start();
  const [row] = await query('show server_version');
  return {
    port,
    url: `postgresql://${admin}:${password}@127.0.0.1:${port}/postgres`,
    socketFolder,
    version: String(row?.['server_version']),
    query,
    start,
    stop,
    kill: () => end('SIGKILL'),
    async becomeStandby() {
      await stop();
      write('standby.signal', '');
      await start();
    },
    async replaceCertificate(replacement) {
      writeCertificate(replacement);
      await query('select pg_reload_conf()');
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}
