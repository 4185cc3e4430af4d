// The embedded PostgreSQL server: its beginning, its ends, and what each leaves behind.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import pg from 'pg';
import { pino } from 'pino';
import { RetryableError } from '../../../src/destinations/destination.ts';
import { connectionUrl, readConnection } from '../../../src/destinations/warehouse/embedded/connection.ts';
import { EmbeddedServer } from '../../../src/destinations/warehouse/embedded/server.ts';
import { freePort } from '../../support/free-port.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';

const never = new AbortController().signal;
const serverModule = new URL('../../../src/destinations/warehouse/embedded/server.ts', import.meta.url).href;
const setpriv = spawnSync('sh', ['-c', 'command -v setpriv'], { encoding: 'utf8' }).stdout.trim();

const fill = 'create table public.kept as select 42 as answer';
const change = 'update public.kept set answer = 43';
const read = 'select answer from public.kept';
const filled = [{ answer: 42 }];
const changed = [{ answer: 43 }];

/** A DATA_DIR of its own, in which servers are stopped before it is removed. */
class DataDirectory implements AsyncDisposable {
  readonly path: string;
  readonly #folder: AsyncDisposable;
  readonly #servers: EmbeddedServer[] = [];
  /** Process ids of servers that other processes have started here, and may leave behind. */
  readonly orphans: number[] = [];

  private constructor(folder: { path: string } & AsyncDisposable) {
    this.path = folder.path;
    this.#folder = folder;
  }

  static async create(): Promise<DataDirectory> {
    return new DataDirectory(await temporaryFolder());
  }

  /** A copy of it, to be made while no server runs in it: far quicker than a new cluster. */
  async copy(): Promise<DataDirectory> {
    const copy = await DataDirectory.create();
    // Not fs.cp: the files keep their owner, who need not be who runs the tests.
    const { status } = spawnSync('cp', ['-a', this.file(), copy.path], { stdio: 'inherit' });
    assert.equal(status, 0);
    return copy;
  }

  /** A server of a new process of the bridge, as it were. */
  server(port?: number): EmbeddedServer {
    const server = new EmbeddedServer({
      dataDirectory: this.path,
      port,
      schema: 'fusionauth',
      logger: pino({ level: 'silent' }),
    });
    this.#servers.push(server);
    return server;
  }

  /** A path in the folder of the embedded warehouse. */
  file(...names: string[]): string {
    return join(this.path, 'warehouse', ...names);
  }

  has(...names: string[]): boolean {
    return existsSync(this.file(...names));
  }

  /** The process id of the server that runs, or ran last, in the folder. */
  get postmaster(): number {
    return Number(readFileSync(this.file('postgres', 'postmaster.pid'), 'utf8').split('\n', 1)[0]);
  }

  urlOf(role: 'admin' | 'owner' | 'reader', database?: string): string {
    const connection = readConnection(this.path);
    assert.ok(connection);
    return connectionUrl(connection, role, database);
  }

  /** Stops every server of the folder. */
  async stop(): Promise<void> {
    for (const server of this.#servers) await server.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    // SIGQUIT: at once, and the server ends its own processes.
    for (const orphan of this.orphans) if (isAlive(orphan)) process.kill(orphan, 'SIGQUIT');
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** What an earlier run of the bridge has left: a stopped warehouse with one table. */
let earlier: DataDirectory;
before(async () => {
  earlier = await DataDirectory.create();
  const server = earlier.server(await freePort());
  await query(await server.ensureRunning(never), fill);
  await server.stop();
});
after(() => earlier[Symbol.asyncDispose]());

/** A connection that may break, ended at the end of the scope. */
async function openSession(url: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** The rows of the last of the statements, on a connection of their own. */
async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  await using session = await openSession(url);
  // Of several statements there is a result each.
  const results: unknown = await session.query(sql);
  return ([results].flat() as pg.QueryResult<Record<string, unknown>>[]).at(-1)?.rows ?? [];
}

/** PostgreSQL's or the operating system's code of the error that a statement ends with. */
function codeOf(url: string, sql: string): Promise<unknown> {
  return query(url, sql).then(
    () => `no error: ${sql}`,
    (error: unknown) => (error as { code?: unknown }).code,
  );
}

/** What the work throws, which must be a RetryableError. */
async function failureOf(work: Promise<unknown>): Promise<RetryableError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof RetryableError, `not a RetryableError but ${String(error)}`);
  return error;
}

/** Attempts until the server runs and answers, as delivery does; resolves to its connection string. */
async function runningPatiently(server: EmbeddedServer): Promise<string> {
  let url = '';
  let fault: unknown;
  await until('the embedded server answers', async () => {
    try {
      url = await server.ensureRunning(never);
      await query(url, 'select 1');
      return true;
    } catch (error) {
      fault = error;
      return false;
    }
  }).catch((error: unknown) => assert.fail(`${String(error)}, because of ${String(fault)}`));
  return url;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

/** Listens on the port, or on any free one, until the end of the scope. */
async function occupy(port = 0): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

/** A program of somebody else's, killed at the end of the scope. */
class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  said = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, 'exit');
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.said += text));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async kill(): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGKILL');
    await this.#exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** A process that has started the server of a DATA_DIR, as a bridge does, and lives until it is killed. */
async function startOtherBridge(
  directory: DataDirectory,
  {
    port,
    path = process.env['PATH'],
    dataDirectory = directory.path,
  }: { port: number; path?: string | undefined; dataDirectory?: string },
): Promise<Program> {
  const options = JSON.stringify({ dataDirectory, port, schema: 'fusionauth' });
  const script = `
    import { EmbeddedServer } from ${JSON.stringify(serverModule)};
    await new EmbeddedServer(${options}).ensureRunning(new AbortController().signal);
    process.stdout.write('running');
    setInterval(() => undefined, 60_000);`;
  const bridge = new Program(
    spawn(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  await until('the other bridge has started its server', () => bridge.said !== '' || !bridge.isRunning);
  assert.equal(bridge.said, 'running');
  directory.orphans.push(directory.postmaster);
  return bridge;
}

/** A program that has nothing to do with PostgreSQL, of the user and group given. */
async function startStranger({ uid, gid }: { uid: number; gid: number }): Promise<Program> {
  const child = spawn('sleep', ['60'], { uid, gid, cwd: '/', stdio: 'ignore' });
  await once(child, 'spawn');
  return new Program(child);
}

/** A PATH on which no program can be made to end with its parent. */
function pathWithoutParentDeath(directory: DataDirectory): string {
  const programs = join(directory.path, 'programs');
  mkdirSync(programs);
  const refusal = 'case "$*" in *--pdeathsig*) exit 1;; esac';
  const others = setpriv === '' ? 'exit 1' : `exec ${setpriv} "$@"`;
  writeFileSync(join(programs, 'setpriv'), `#!/bin/sh\n${refusal}\n${others}\n`, { mode: 0o755 });
  return `${programs}:${process.env['PATH'] ?? ''}`;
}

describe('the embedded server in a new DATA_DIR', { concurrency: 2 }, () => {
  test('makes a cluster and a database that its owner can write to', async () => {
    await using directory = await DataDirectory.create();
    const port = await freePort();

    const url = await directory.server(port).ensureRunning(never);

    assert.equal(url, directory.urlOf('owner'));
    const { hostname, port: urlPort, pathname } = new URL(url);
    assert.deepEqual([hostname, urlPort, pathname], ['127.0.0.1', String(port), '/warehouse']);
    assert.deepEqual(await query(url, `create schema fusionauth; ${fill}; ${read}`), filled);
    const settings = await query(
      url,
      `select current_setting('server_encoding') as encoding, current_setting('data_checksums') as checksums,
         current_setting('fsync') as fsync, current_setting('search_path') as search_path`,
    );
    assert.deepEqual(settings, [
      { encoding: 'UTF8', checksums: 'on', fsync: 'on', search_path: 'fusionauth, public' },
    ]);
  });

  test('keeps what it writes readable by its user alone, and its passwords in one file', async () => {
    await using directory = await DataDirectory.create();

    await directory.server(await freePort()).ensureRunning(never);

    const modeOf = (...names: string[]) => (statSync(directory.file(...names)).mode & 0o777).toString(8);
    assert.equal(modeOf('connection.json'), '600');
    assert.equal(modeOf('postgres.log'), '600');
    assert.equal(modeOf(), '700');
    assert.equal(modeOf('postgres'), '700');
    assert.ok(!directory.has('password.unfinished'));
    const passwords = Object.values(readConnection(directory.path)?.passwords ?? {});
    assert.equal(new Set(passwords).size, 3);
    for (const password of passwords) {
      assert.ok(password.length >= 24);
      assert.ok(!readFileSync(directory.file('postgres.log'), 'utf8').includes(password));
    }
  });

  test('mends a cluster that an earlier start did not finish', async () => {
    await using directory = await DataDirectory.create();
    mkdirSync(directory.file('postgres.unfinished', 'base'), { recursive: true });
    writeFileSync(directory.file('postgres.unfinished', 'PG_VERSION'), '18\n');
    writeFileSync(directory.file('password.unfinished'), 'left behind');
    writeFileSync(
      directory.file('connection.json'),
      JSON.stringify({ port: await freePort(), passwords: { admin: 'a', owner: 'b', reader: 'c' } }),
    );

    const url = await directory.server(await freePort()).ensureRunning(never);

    assert.deepEqual(await query(url, `${fill}; ${read}`), filled);
    assert.ok(!directory.has('postgres.unfinished'));
    assert.ok(!directory.has('password.unfinished'));
  });

  test('mends a cluster that was made, but got neither its roles nor its database', async () => {
    await using directory = await earlier.copy();
    const first = directory.server(await freePort());
    await first.ensureRunning(never);
    const admin = directory.urlOf('admin', 'postgres');
    await query(admin, 'drop database warehouse');
    await query(admin, 'drop role fusionauth_segment; drop role reader');
    await first.stop();

    const url = await directory.server(await freePort()).ensureRunning(never);

    assert.deepEqual(await query(url, `${fill}; ${read}`), filled);
    assert.deepEqual(await query(directory.urlOf('reader'), read), filled);
  });

  test('leaves no server behind where its start is given up because the bridge stops', async () => {
    await using directory = await earlier.copy();
    const port = await freePort();

    const failure = await failureOf(directory.server(port).ensureRunning(AbortSignal.abort()));

    assert.match(failure.message, /could not be started/);
    await until('no server is left', () => !directory.has('postgres', 'postmaster.pid'));
    assert.equal(await codeOf(`postgresql://nobody@127.0.0.1:${port}/`, read), 'ECONNREFUSED');
  });
});

describe('the embedded server that runs', () => {
  let directory: DataDirectory;
  before(async () => {
    directory = await earlier.copy();
  });
  afterEach(() => directory.stop());
  after(() => directory[Symbol.asyncDispose]());

  test('is the same when it is asked for again, in no time', async () => {
    const server = directory.server(await freePort());
    const first = await server.ensureRunning(never);
    const { postmaster } = directory;
    const askedAt = performance.now();

    const second = await server.ensureRunning(never);

    assert.ok(performance.now() - askedAt < 50);
    assert.equal(second, first);
    assert.equal(directory.postmaster, postmaster);
  });

  test('stops though a client is connected, and stopping it again does nothing', async () => {
    const server = directory.server(await freePort());
    await using client = await openSession(await server.ensureRunning(never));
    await client.query(`begin; ${change}`);

    await server.stop();
    await server.stop();

    assert.ok(!directory.has('postgres', 'postmaster.pid'));
  });

  test('listens no more once it is stopped; started again it has its data, port and passwords', async () => {
    const first = directory.server();
    const url = await first.ensureRunning(never);
    await query(url, change);

    await first.stop();
    const code = await codeOf(url, read);
    const again = await directory.server().ensureRunning(never);

    assert.equal(code, 'ECONNREFUSED');
    assert.equal(again, url);
    assert.deepEqual(await query(again, read), changed);
  });

  test('was there to be stopped: before its first start that does nothing', async () => {
    await using empty = await DataDirectory.create();

    await empty.server().stop();

    assert.ok(!empty.has());
  });
});

describe('the embedded server’s port', () => {
  let directory: DataDirectory;
  before(async () => {
    directory = await earlier.copy();
  });
  afterEach(() => directory.stop());
  after(() => directory[Symbol.asyncDispose]());

  test('that was asked for and is in use is a RetryableError that names it; once it is free, it is used', async () => {
    await using occupied = await occupy();
    const server = directory.server(occupied.port);

    const failure = await failureOf(server.ensureRunning(never));
    await occupied[Symbol.asyncDispose]();
    const url = await server.ensureRunning(never);

    assert.match(failure.message, new RegExp(`Port ${occupied.port} on 127\\.0\\.0\\.1 is in use`));
    assert.match(failure.hint, /WAREHOUSE_PORT/);
    assert.equal(new URL(url).port, String(occupied.port));
  });

  test('that was not asked for and is in use is replaced by another, which connection.json then names', async () => {
    await using occupied = await occupy(readConnection(directory.path)?.port);

    const url = await directory.server().ensureRunning(never);

    const port = readConnection(directory.path)?.port;
    assert.notEqual(port, occupied.port);
    assert.equal(new URL(url).port, String(port));
    assert.deepEqual(await query(directory.urlOf('reader'), read), filled);
  });

  test('is another when another is asked for', async () => {
    const port = await freePort();

    const url = await directory.server(port).ensureRunning(never);

    assert.equal(new URL(url).port, String(port));
    assert.equal(readConnection(directory.path)?.port, port);
  });
});

describe('a role of the embedded server', () => {
  let directory: DataDirectory;
  before(async () => {
    directory = await earlier.copy();
    await directory.server(await freePort()).ensureRunning(never);
  });
  after(() => directory[Symbol.asyncDispose]());

  test('for people reads what the bridge writes, without the schema’s name, and can change nothing', async () => {
    const owner = directory.urlOf('owner');
    const reader = directory.urlOf('reader');
    await query(owner, 'create schema fusionauth; create table fusionauth.users as select 1 as id');
    const changes = [
      'insert into users values (2)',
      'update users set id = 2',
      'delete from users',
      'drop table users',
      'alter table users add column x int',
      'create table fusionauth.mine (id int)',
      'create table public.mine (id int)',
      'create schema mine',
      'create role mine',
    ];

    const rows = await query(reader, 'select id from users');
    const codes = [];
    for (const sql of changes) {
      codes.push([
        await codeOf(reader, sql),
        await codeOf(reader, `begin; set transaction read write; ${sql}; commit`),
      ]);
    }

    assert.deepEqual(rows, [{ id: 1 }]);
    // A read-only transaction; and where that is switched off, no right to it.
    assert.deepEqual(
      codes,
      changes.map(() => ['25006', '42501']),
    );
    assert.deepEqual(await query(owner, 'select id from users'), [{ id: 1 }]);
  });

  test('for the bridge is no superuser', async () => {
    const [role] = await query(
      directory.urlOf('owner'),
      'select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user',
    );

    assert.deepEqual(role, { rolsuper: false, rolcreaterole: false, rolcreatedb: false });
  });

  for (const role of ['admin', 'owner', 'reader'] as const) {
    test(`named ${role} is not let in with a wrong password, nor with another’s`, async () => {
      const url = directory.urlOf(role);
      const { password: another } = new URL(directory.urlOf(role === 'owner' ? 'reader' : 'owner'));

      const codes = [];
      for (const password of ['wrong', another]) {
        codes.push(await codeOf(Object.assign(new URL(url), { password }).href, 'select 1'));
      }

      assert.deepEqual(codes, ['28P01', '28P01']);
    });
  }
});

describe('an embedded warehouse that cannot be opened', () => {
  let directory: DataDirectory;
  before(async () => {
    directory = await earlier.copy();
  });
  afterEach(() => directory.stop());
  after(() => directory[Symbol.asyncDispose]());

  test('because another major version made it is a RetryableError that names both, and stays as it is', async () => {
    const versionFile = directory.file('postgres', 'PG_VERSION');
    const version = readFileSync(versionFile, 'utf8');
    writeFileSync(versionFile, '17\n');
    const server = directory.server(await freePort());

    const failure = await failureOf(server.ensureRunning(never));
    writeFileSync(versionFile, version);
    const url = await server.ensureRunning(never);

    assert.match(
      failure.message,
      new RegExp(`made by PostgreSQL 17; the one installed is ${version.trim()}$`),
    );
    assert.match(failure.hint, /Install the version.*WAREHOUSE_URL/);
    assert.deepEqual(await query(url, read), filled);
  });

  test('because connection.json is missing is a RetryableError that names it; with the file back it opens', async () => {
    const connectionFile = directory.file('connection.json');
    const connection = readFileSync(connectionFile);
    rmSync(connectionFile);
    const server = directory.server(await freePort());

    const failure = await failureOf(server.ensureRunning(never));
    writeFileSync(connectionFile, connection);
    const url = await server.ensureRunning(never);

    assert.ok(failure.message.includes(connectionFile), failure.message);
    assert.match(failure.hint, /Restore (it|the file) from a backup/);
    assert.deepEqual(await query(url, read), filled);
  });

  test('because connection.json is cut off is a RetryableError that names it; with the whole file it opens', async () => {
    const connectionFile = directory.file('connection.json');
    const connection = readFileSync(connectionFile, 'utf8');
    writeFileSync(connectionFile, connection.slice(0, 40));
    const server = directory.server(await freePort());

    const failure = await failureOf(server.ensureRunning(never));
    writeFileSync(connectionFile, connection);
    const url = await server.ensureRunning(never);

    assert.ok(failure.message.includes(connectionFile), failure.message);
    assert.match(failure.hint, /Restore (it|the file) from a backup/);
    assert.deepEqual(await query(url, read), filled);
  });
});

describe('the embedded server after a crash', { concurrency: 2 }, () => {
  test('of its own is started again, and what was committed is there', async () => {
    await using directory = await earlier.copy();
    const server = directory.server(await freePort());
    const url = await server.ensureRunning(never);
    await using client = await openSession(url);
    await client.query(change);
    await client.query('begin; update public.kept set answer = 0');
    const { postmaster } = directory;

    process.kill(postmaster, 'SIGKILL');
    const again = await runningPatiently(server);

    assert.equal(again, url);
    assert.notEqual(directory.postmaster, postmaster);
    assert.deepEqual(await query(again, read), changed);
  });

  test('of the bridge is replaced by the next start, which finds what was committed', async () => {
    await using directory = await earlier.copy();
    const port = await freePort();
    await using bridge = await startOtherBridge(directory, { port });
    await query(directory.urlOf('owner'), change);
    const { postmaster } = directory;

    await bridge.kill();
    const url = await runningPatiently(directory.server(port));

    assert.notEqual(directory.postmaster, postmaster);
    assert.equal(url, directory.urlOf('owner'));
    assert.deepEqual(await query(url, read), changed);
    await until('the orphan has ended', () => !isAlive(postmaster));
  });

  test('of the bridge goes on where the system cannot end it, until the next start replaces it', async () => {
    await using directory = await earlier.copy();
    const port = await freePort();
    const path = pathWithoutParentDeath(directory);
    await using bridge = await startOtherBridge(directory, { port, path });
    const owner = directory.urlOf('owner');
    await query(owner, change);
    const orphan = directory.postmaster;

    await bridge.kill();
    const goneOn = await query(owner, read);
    const url = await directory.server(port).ensureRunning(never);

    assert.deepEqual(goneOn, changed);
    assert.notEqual(directory.postmaster, orphan);
    assert.equal(url, owner);
    assert.deepEqual(await query(url, read), changed);
    await until('the orphan has ended', () => !isAlive(orphan));
  });

  test('of the bridge is replaced, too, where DATA_DIR is spelled another way since', async () => {
    await using directory = await earlier.copy();
    const port = await freePort();
    const dataDirectory = join(directory.path, 'link');
    symlinkSync(directory.path, dataDirectory);
    const path = pathWithoutParentDeath(directory);
    await using bridge = await startOtherBridge(directory, { port, path, dataDirectory });
    await query(directory.urlOf('owner'), change);
    const orphan = directory.postmaster;

    await bridge.kill();
    const url = await directory.server(port).ensureRunning(never);

    assert.notEqual(directory.postmaster, orphan);
    assert.deepEqual(await query(url, read), changed);
    await until('the orphan has ended', () => !isAlive(orphan));
  });

  test('of the bridge ends by itself where the system can end it', async (context) => {
    if (process.platform !== 'linux' || setpriv === '') {
      context.skip('There is no setpriv here');
      return;
    }
    await using directory = await earlier.copy();
    await using bridge = await startOtherBridge(directory, { port: await freePort() });
    await using client = await openSession(directory.urlOf('owner'));
    await client.query(`begin; ${change}`);
    const { postmaster } = directory;

    await bridge.kill();

    await until('the orphan has ended', () => !isAlive(postmaster), 10_000);
    assert.ok(!directory.has('postgres', 'postmaster.pid'));
  });

  test('leaves alone a program that has got its process id since', async () => {
    await using directory = await earlier.copy();
    const server = directory.server(await freePort());
    const url = await server.ensureRunning(never);
    const { postmaster } = directory;
    process.kill(postmaster, 'SIGKILL');
    await until('the server has ended', () => !isAlive(postmaster));
    // Of the same user, as all programs of a container often are.
    await using stranger = await startStranger(statSync(directory.file('postgres')));
    const pidFile = directory.file('postgres', 'postmaster.pid');
    writeFileSync(pidFile, readFileSync(pidFile, 'utf8').replace(/^\d+/, String(stranger.pid)));

    const again = await runningPatiently(server);

    assert.ok(stranger.isRunning, 'the stranger was ended');
    assert.equal(again, url);
    assert.deepEqual(await query(again, read), filled);
  });
});
