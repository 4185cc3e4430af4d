// The embedded warehouse: a real PostgreSQL server of our own in DATA_DIR, from npm.
//
// Holds always: a data folder named `postgres` is a whole cluster (it is made under another name and renamed); the
// server listens on loopback only, with a password; it stops with this process, and one that was left behind by a
// crash is stopped before ours starts. Only the process that holds DATA_DIR's lock comes here, so a server that runs
// in the folder is never another bridge's.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { makeFolder, syncFolder } from '../../../durable-files.ts';
import { RetryableError } from '../../destination.ts';
import type { WarehouseServer } from '../server.ts';
import { findPostgresBinaries, otherWarehouse } from './binaries.ts';
import type { PostgresBinaries } from './binaries.ts';
import {
  connectionUrl,
  database,
  embeddedDirectory,
  newPasswords,
  readConnection,
  roles,
  writeConnection,
} from './connection.ts';
import type { EmbeddedConnection } from './connection.ts';
import { choosePort, defaultPort, host } from './port.ts';
import { endWithParent, findPrivileges } from './privileges.ts';
import { run, stopServer } from './programs.ts';
import type { Privileges } from './privileges.ts';

/** After a crash the server first replays its write-ahead log. */
const startTimeoutMs = 60_000;

/** Sized for a small machine: about 17 MB, and 5 to 8 MB for each connection. */
const settings = {
  listen_addresses: host,
  unix_socket_directories: '',
  max_connections: '40',
  shared_buffers: '32MB',
  // Statements of ours name no value, but an error of PostgreSQL's can: not into its log.
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  log_timezone: 'UTC',
} as const;

export interface EmbeddedServerOptions {
  readonly dataDirectory: string;
  /** Undefined: 5433, or the next free port. A port that was asked for is never replaced by another. */
  readonly port: number | undefined;
  readonly logger: Logger;
  /** Put first on the search path of the role for people, so that they need not write it. */
  readonly schema: string;
}

interface Running {
  readonly process: ChildProcess;
  readonly connection: EmbeddedConnection;
  readonly binaries: PostgresBinaries;
  readonly privileges: Privileges;
}

export class EmbeddedServer implements WarehouseServer {
  readonly #options: EmbeddedServerOptions;
  readonly #directory: string;
  #running: Running | undefined;

  constructor(options: EmbeddedServerOptions) {
    this.#options = options;
    this.#directory = embeddedDirectory(options.dataDirectory);
  }

  async ensureRunning(signal: AbortSignal): Promise<string> {
    if (this.#running === undefined || hasExited(this.#running.process)) {
      this.#running = undefined;
      await this.#start(signal).catch((cause: unknown) => {
        if (cause instanceof RetryableError) throw cause;
        throw new RetryableError(
          `The embedded PostgreSQL could not be started: ${(cause as Error).message}`,
          {
            hint: `See ${join(this.#directory, 'postgres.log')}, and check the room on the volume of DATA_DIR`,
            cause,
          },
        );
      });
    }
    const { connection } = this.#running as unknown as Running;
    return connectionUrl(connection, 'owner');
  }

  async stop(): Promise<void> {
    const running = this.#running;
    // From here on its end is asked for.
    this.#running = undefined;
    if (running) await stopServer(running.binaries, running.privileges, this.#cluster);
  }

  get place(): string {
    const port = this.#running?.connection.port;
    return port === undefined ? 'embedded PostgreSQL' : `embedded PostgreSQL at ${host}:${port}`;
  }

  get #cluster(): string {
    return join(this.#directory, 'postgres');
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { dataDirectory } = this.#options;
    const binaries = findPostgresBinaries();
    const privileges = findPrivileges(binaries.postgres);
    makeFolder(this.#directory);

    let connection = readConnection(dataDirectory);
    if (existsSync(this.#cluster)) {
      if (connection === undefined) throw missingConnection(this.#directory);
      checkMajor(this.#cluster, binaries.major);
      await stopServer(binaries, privileges, this.#cluster);
    } else {
      connection = { port: defaultPort, passwords: newPasswords() };
      writeConnection(dataDirectory, connection);
      await this.#makeCluster(binaries, privileges, connection.passwords.admin);
    }
    signal.throwIfAborted();

    connection = { ...connection, port: await choosePort(this.#options.port, connection.port) };
    const server = await this.#spawnServer(binaries, privileges, connection.port);
    try {
      await this.#makeRolesAndDatabase(connection, server, signal);
    } catch (error) {
      server.kill('SIGINT');
      throw error;
    }
    writeConnection(dataDirectory, connection);
    this.#running = { process: server, connection, binaries, privileges };
    server.once('exit', (status, killedBy) => {
      if (this.#running?.process !== server) return;
      const facts = { status, killedBy, lastWords: this.#lastWords() };
      this.#options.logger.warn(
        facts,
        'The embedded PostgreSQL has ended by itself; the next batch starts it again',
      );
    });
  }

  async #makeCluster(binaries: PostgresBinaries, privileges: Privileges, password: string): Promise<void> {
    // What a start left behind that did not get to its end.
    const unfinished = join(this.#directory, 'postgres.unfinished');
    const passwordFile = join(this.#directory, 'password.unfinished');
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { mode: 0o700 });
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (privileges.owner !== undefined) chownSync(unfinished, privileges.owner, privileges.owner);
    try {
      await run([
        ...privileges.prefix,
        binaries.initdb,
        `--pgdata=${unfinished}`,
        `--username=${roles.admin}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--data-checksums',
      ]);
    } finally {
      rmSync(passwordFile, { force: true });
    }
    renameSync(unfinished, this.#cluster);
    // Under the other name it would be taken for unfinished, and removed with its rows.
    syncFolder(this.#directory);
  }

  async #spawnServer(
    binaries: PostgresBinaries,
    privileges: Privileges,
    port: number,
  ): Promise<ChildProcess> {
    const [program = '', ...args] = [
      ...privileges.prefix,
      // Innermost: a change of user clears it.
      ...endWithParent(),
      binaries.postgres,
      '-D',
      this.#cluster,
      ...Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => [
        '-c',
        `${name}=${value}`,
      ]),
    ];
    const logFile = join(this.#directory, 'postgres.log');
    // What a server that has died wrote last is kept for who asks why.
    if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`);
    const output = openSync(logFile, 'w', 0o600);
    // A process group of its own: Ctrl-C in the terminal is for the bridge, which then stops the server last.
    const server = spawn(program, args, { stdio: ['ignore', output, output], detached: true });
    closeSync(output);
    await new Promise<void>((resolve, reject) => {
      server.once('spawn', resolve);
      server.once('error', reject);
    });
    // The bridge's own end does not wait for it.
    server.unref();
    return server;
  }

  async #makeRolesAndDatabase(
    connection: EmbeddedConnection,
    server: ChildProcess,
    signal: AbortSignal,
  ): Promise<void> {
    const { owner, reader } = connection.passwords;
    const schema = pg.escapeLiteral(this.#options.schema);
    await using admin = await this.#connectWhenReady(connection, server, signal);
    for (const [role, password] of [
      [roles.owner, owner],
      [roles.reader, reader],
    ] as const) {
      const { rowCount } = await admin.client.query('select from pg_roles where rolname = $1', [role]);
      const verb = rowCount === 0 ? 'create' : 'alter';
      await admin.client.query(`${verb} role ${role} login password ${pg.escapeLiteral(password)}`);
    }
    // People may read all there is, and to come, and change nothing.
    await admin.client.query(`grant pg_read_all_data to ${roles.reader}`);
    await admin.client.query(`alter role ${roles.reader} set default_transaction_read_only = on`);
    for (const role of [roles.owner, roles.reader]) {
      await admin.client.query(`alter role ${role} set search_path = ${schema}, public`);
    }
    const { rowCount } = await admin.client.query('select from pg_database where datname = $1', [database]);
    if (rowCount === 0) await admin.client.query(`create database ${database} owner ${roles.owner}`);
  }

  async #connectWhenReady(
    connection: EmbeddedConnection,
    server: ChildProcess,
    signal: AbortSignal,
  ): Promise<{ client: pg.Client } & AsyncDisposable> {
    const deadline = performance.now() + startTimeoutMs;
    for (;;) {
      const client = new pg.Client({
        connectionString: connectionUrl(connection, 'admin', 'postgres'),
        connectionTimeoutMillis: 5_000,
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        return { client, [Symbol.asyncDispose]: () => client.end() };
      } catch (cause) {
        await client.end().catch(() => undefined);
        signal.throwIfAborted();
        if (hasExited(server) || performance.now() > deadline) {
          throw new Error(`PostgreSQL did not come up. ${this.#lastWords()}`, { cause });
        }
        await sleep(20);
      }
    }
  }

  /** The last line that the server wrote. */
  #lastWords(): string {
    const lines = readFileSync(join(this.#directory, 'postgres.log'), 'utf8').trim().split('\n');
    // Of the server itself: an ERROR is a statement's, and can quote its values.
    return lines.findLast((line) => /FATAL|PANIC/.test(line)) ?? '';
  }
}

function checkMajor(cluster: string, major: string): void {
  const found = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
  if (found === major) return;
  throw new RetryableError(
    `The embedded warehouse was made by PostgreSQL ${found}; the one installed is ${major}`,
    {
      hint: `Install the version of the bridge that made it, or move ${cluster} away to begin a new one. ${otherWarehouse}`,
    },
  );
}

function missingConnection(directory: string): RetryableError {
  return new RetryableError(
    `The embedded warehouse's passwords, ${join(directory, 'connection.json')}, are missing`,
    {
      hint: `Restore the file from a backup, or move ${join(directory, 'postgres')} away to begin a new one`,
    },
  );
}

function hasExited(process: ChildProcess): boolean {
  return process.exitCode !== null || process.signalCode !== null;
}
