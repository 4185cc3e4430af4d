// Connecting to real servers: TLS in every mode, client certificates, sockets, several hosts, and what breaks on the way.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { connect, createServer, Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  connect as connectTls,
  createSecureContext,
  getCACertificates,
  setDefaultCACertificates,
  TLSSocket,
} from 'node:tls';
import pg from 'pg';
import { BlockedError } from '../../../src/destinations/destination.ts';
import { clientOptions } from '../../../src/destinations/warehouse/client-options.ts';
import { unavailable } from '../../../src/destinations/warehouse/postgres-errors.ts';
import { makeAuthority, makeCertificate } from '../../support/certificate.ts';
import type { Certificate } from '../../support/certificate.ts';
import { debianPostgres, startPostgres } from '../../support/postgres.ts';
import type { TestPostgres } from '../../support/postgres.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';
import { failureOf, WarehouseAt } from '../../support/warehouse-at.ts';

const never = new AbortController().signal;
const dayMs = 86_400_000;
const authority = makeAuthority();
const otherAuthority = makeAuthority('Another authority');
const past = { from: new Date(Date.now() - 2 * dayMs), until: new Date(Date.now() - dayMs) };
const now = { from: new Date(Date.now() - dayMs), until: new Date(Date.now() + dayMs) };

const certificates = {
  good: authority.issue({ hosts: ['localhost', '127.0.0.1'] }),
  'wrong host': authority.issue({ hosts: ['db.example.com'] }),
  expired: authority.issue({ hosts: ['localhost', '127.0.0.1'], term: past }),
  'self-signed': makeCertificate(now),
} as const satisfies Record<string, Certificate>;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: TestPostgres;
let caFile: string;

before(async () => {
  folder = await temporaryFolder();
  caFile = join(folder.path, 'ca.pem');
  await writeFile(caFile, authority.cert);
  server = await startPostgres({
    tls: { ...certificates.good, clientAuthority: authority.cert },
    hba: [
      'hostssl all tls_only all scram-sha-256',
      'hostnossl all plain_only all scram-sha-256',
      'hostssl all with_certificate all cert',
      'host all admin,changing all scram-sha-256',
      'local all by_socket scram-sha-256',
    ],
  });
  for (const role of ['tls_only', 'plain_only', 'with_certificate', 'changing', 'by_socket']) {
    await server.query(`create role ${role} login password 'right'`);
    await server.query(`grant create on database postgres to ${role}`);
  }
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function urlOf(
  parameters: Readonly<Record<string, string>> = {},
  { host = '127.0.0.1', user = 'admin', password = passwordOf(user), port = server.port } = {},
): string {
  const query = new URLSearchParams(parameters);
  return `postgresql://${user}:${password}@${host}:${port}/postgres?${query.toString()}`;
}

function passwordOf(user: string): string {
  return user === 'admin' ? 'admin-password' : 'right';
}

/** Opens a warehouse there; whether by TLS, as the server sees it. */
async function isEncrypted(url: string, at = server): Promise<boolean> {
  const name = `test ${Math.random()}`;
  // A schema of its own for each role: what one has made is not another's to write.
  const schema = `of_${new URL(url).username}`;
  await using warehouse = new WarehouseAt(`${url}&application_name=${encodeURIComponent(name)}`, schema);
  await warehouse.open();
  const [row] = await at.query(
    'select ssl from pg_stat_activity join pg_stat_ssl using (pid) where application_name = $1',
    [name],
  );
  return row?.['ssl'] === true;
}

describe('a server with TLS', () => {
  type Outcome = 'encrypted' | 'plain' | RegExp;
  const unknown = /TLS_UNKNOWN_AUTHORITY|SELF_SIGNED|UNABLE_TO/;
  const modes: [
    certificate: keyof typeof certificates,
    mode: string,
    withAuthority: boolean,
    outcome: Outcome,
  ][] = [
    ['good', 'disable', false, 'plain'],
    ['good', 'allow', false, 'plain'],
    ['good', 'prefer', false, 'encrypted'],
    ['good', 'require', false, 'encrypted'],
    ['good', 'verify-ca', true, 'encrypted'],
    ['good', 'verify-full', true, 'encrypted'],
    ['good', 'verify-full', false, unknown],
    ['wrong host', 'require', false, 'encrypted'],
    ['wrong host', 'require', true, 'encrypted'],
    ['wrong host', 'verify-ca', true, 'encrypted'],
    ['wrong host', 'verify-full', true, /ERR_TLS_CERT_ALTNAME_INVALID/],
    ['expired', 'require', false, 'encrypted'],
    ['expired', 'require', true, /CERT_HAS_EXPIRED/],
    ['expired', 'prefer', true, 'plain'],
    ['expired', 'verify-ca', true, /CERT_HAS_EXPIRED/],
    ['expired', 'verify-full', true, /CERT_HAS_EXPIRED/],
    ['self-signed', 'prefer', false, 'encrypted'],
    ['self-signed', 'require', false, 'encrypted'],
    ['self-signed', 'require', true, unknown],
    ['self-signed', 'verify-ca', true, unknown],
    ['self-signed', 'verify-full', true, unknown],
  ];
  for (const [certificate, mode, withAuthority, outcome] of modes) {
    const which = withAuthority ? 'with the private authority' : 'without an authority';
    test(`and a certificate that is ${certificate} under sslmode=${mode} ${which}: ${String(outcome)}`, async () => {
      await present(certificates[certificate]);
      const url = urlOf({ sslmode: mode, ...(withAuthority && { sslrootcert: caFile }) });

      if (typeof outcome === 'string') {
        assert.equal(await isEncrypted(url), outcome === 'encrypted');
        return;
      }
      await using warehouse = new WarehouseAt(url);
      const failure = await failureOf(warehouse.open());
      assert.ok(failure instanceof BlockedError, String(failure.cause));
      assert.match(failure.message, outcome);
      assert.match(failure.hint, /certificate/);
    });
  }

  test('is verified in full by default where it is not on this machine, and asked for by name (SNI)', async () => {
    const asked: string[] = [];
    await using front = await tlsFront(certificates['wrong host'], (name) => asked.push(name));
    const url = `postgresql://admin:admin-password@db.example.com:5432/postgres`;
    await present(certificates['wrong host']);

    const untrusted = await loginThrough(server.port, url);
    const trusted = await loginThrough(server.port, `${url}?sslrootcert=${caFile}`);
    const otherHost = await loginThrough(
      server.port,
      `${url.replace('db.', 'other.')}?sslrootcert=${caFile}`,
    );
    await loginThrough(front.port, `${url}?sslrootcert=${caFile}`);

    assert.match(unavailable(untrusted).hint, /authority that this machine does not know/);
    assert.equal(trusted, undefined);
    assert.match(unavailable(otherHost).hint, /certificate is for another host/);
    assert.deepEqual(asked, ['db.example.com']);
  });

  test('is verified by the authorities of the machine where none is named', async (t) => {
    const before = getCACertificates('default');
    t.after(() => setDefaultCACertificates(before));
    setDefaultCACertificates([...before, authority.cert]);
    await present(certificates.good);

    for (const parameters of [{ sslmode: 'verify-full' }, { sslrootcert: 'system' }]) {
      assert.equal(await isEncrypted(urlOf(parameters)), true);
    }
  });

  test('that takes nobody without TLS says what to append, and is reached by every mode that speaks it', async () => {
    await present(certificates.good);
    await using open = new WarehouseAt(urlOf({}, { user: 'tls_only' }));

    const failure = await failureOf(open.open());

    assert.ok(failure instanceof BlockedError);
    assert.match(failure.hint, /append sslmode=require/);
    for (const sslmode of ['allow', 'prefer', 'require']) {
      assert.equal(await isEncrypted(urlOf({ sslmode }, { user: 'tls_only' })), true);
    }
  });

  test('that takes a user only without TLS is reached under prefer and allow', async () => {
    for (const sslmode of ['allow', 'prefer']) {
      assert.equal(await isEncrypted(urlOf({ sslmode }, { user: 'plain_only' })), false);
    }
  });

  test('takes a client certificate, and says which is missing or not trusted', async () => {
    const files = await certificateFiles('mine', authority.issue({ name: 'with_certificate' }));
    const others = await certificateFiles('others', otherAuthority.issue({ name: 'with_certificate' }));
    const user = { user: 'with_certificate', host: 'localhost' };

    const encrypted = await isEncrypted(urlOf({ sslrootcert: caFile, ...files }, user));
    await using missing = new WarehouseAt(urlOf({ sslrootcert: caFile }, user));
    await using stranger = new WarehouseAt(urlOf({ sslrootcert: caFile, ...others }, user));
    const failures = [await failureOf(missing.open()), await failureOf(stranger.open())];

    assert.equal(encrypted, true);
    for (const failure of failures) {
      assert.ok(failure instanceof BlockedError, String(failure.cause));
      assert.match(failure.hint, /client certificate.*sslcert and sslkey/);
    }
  });

  test('whose expired certificate is renewed is loaded into without a new start', async () => {
    await present(certificates.expired);
    await using warehouse = new WarehouseAt(urlOf({ sslmode: 'verify-full', sslrootcert: caFile }));

    const failure = await failureOf(warehouse.load('renewed-1'));
    await present(certificates.good);
    const answers = await warehouse.load('renewed-1');

    assert.match(failure.hint, /expired: renew it/);
    assert.deepEqual(answers, [{ kind: 'accepted' }]);
  });

  test('no warning of pg’s is printed', async () => {
    const warnings: string[] = [];
    const onWarning = ({ message }: Error) => warnings.push(message);
    process.on('warning', onWarning);

    await isEncrypted(urlOf({ sslmode: 'require' }));

    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
  });
});

describe('a server without TLS', () => {
  let plain: TestPostgres;
  before(async () => {
    plain = await startPostgres();
  });
  after(() => plain[Symbol.asyncDispose]());

  for (const sslmode of ['disable', 'allow', 'prefer']) {
    test(`is loaded into under sslmode=${sslmode}`, async () => {
      assert.equal(await isEncrypted(`${plain.url}?sslmode=${sslmode}`, plain), false);
    });
  }
  for (const parameters of ['sslmode=require', 'sslmode=verify-full', 'sslnegotiation=direct']) {
    test(`is refused under ${parameters}`, async () => {
      await using warehouse = new WarehouseAt(`${plain.url}?${parameters}`);

      const failure = await failureOf(warehouse.open());

      if (parameters.startsWith('sslmode')) {
        assert.ok(failure instanceof BlockedError);
        assert.match(failure.hint, /has no TLS: switch it on/);
      }
    });
  }
});

describe('a server is reached', () => {
  const ways: [way: string, url: () => string][] = [
    ['by IPv6', () => urlOf({}, { host: '[::1]' })],
    ['by name', () => urlOf({}, { host: 'localhost' })],
    [
      'by its socket',
      () => `postgresql:///postgres?host=${server.socketFolder}&port=${server.port}&user=admin`,
    ],
    [
      'by its socket in place of the host',
      () => urlOf({}, { host: encodeURIComponent(server.socketFolder) }),
    ],
    [
      'by keywords',
      () => `host=127.0.0.1 port=${server.port} user=admin password='admin-password' dbname=postgres`,
    ],
    ['by the second of two hosts, the first being down', () => urlOf({}, { host: '127.0.0.1:1,127.0.0.1' })],
  ];
  for (const [way, url] of ways) {
    test(way, async () => {
      await using warehouse = new WarehouseAt(url());

      assert.deepEqual(await warehouse.load(`reached ${way}`), [{ kind: 'accepted' }]);
    });
  }

  test('with any odd password', async () => {
    const password = `p@s/s:w#o?r%d & '"\\=[ü]`;
    await server.query(`alter role changing password ${pg.escapeLiteral(password)}`);
    await using warehouse = new WarehouseAt(
      urlOf({}, { user: 'changing', password: encodeURIComponent(password) }),
      'odd',
    );

    assert.deepEqual(await warehouse.load('odd-1'), [{ kind: 'accepted' }]);
  });

  test('by the password in a password file, which is read anew', async () => {
    await server.query(`alter role changing password 'first'`);
    const passfile = join(folder.path, 'pgpass');
    await writeFile(passfile, `127.0.0.1:${server.port}:*:changing:first\n`, { mode: 0o600 });
    const url = `postgresql://changing@127.0.0.1:${server.port}/postgres?passfile=${passfile}`;
    await using before = new WarehouseAt(url, 'by_file');
    await before.load('file-1');

    await server.query(`alter role changing password 'second'`);
    await writeFile(passfile, `127.0.0.1:${server.port}:*:changing:second\n`);
    await using later = new WarehouseAt(url, 'by_file');
    const answers = await later.load('file-2');
    await chmod(passfile, 0o644);
    await using open = new WarehouseAt(url, 'by_file');
    const failure = await failureOf(open.open());

    assert.deepEqual(answers, [{ kind: 'accepted' }]);
    assert.ok(failure instanceof BlockedError);
    assert.match(failure.hint, /can be read by others: chmod 600/);
  });

  test('and without a password says that one is missing', async () => {
    await using warehouse = new WarehouseAt(
      `postgresql://nobody@127.0.0.1:${server.port}/postgres?passfile=${await emptyFile()}`,
    );
    await server.query('create role nobody login');
    await using asked = new WarehouseAt(
      `postgresql://changing@127.0.0.1:${server.port}/postgres?passfile=${await emptyFile()}`,
    );

    const failures = [await failureOf(warehouse.open()), await failureOf(asked.open())];

    assert.match(failures[1]?.hint ?? '', /asks for a password, and the connection string has none/);
    for (const failure of failures) assert.ok(failure instanceof BlockedError);
  });
});

describe('a warehouse goes on', { timeout: 60_000 }, () => {
  test('when its password is changed and changed back, and says meanwhile what to mend', async () => {
    await server.query(`alter role changing password 'right'`);
    await using warehouse = new WarehouseAt(urlOf({}, { user: 'changing' }), 'changed');
    await warehouse.load('password-1');

    await server.query(`alter role changing password 'other'`);
    await endSessions('changing');
    await until('the password is refused', async () => {
      const failure = await failureOf(warehouse.load('password-2'));
      return failure instanceof BlockedError && failure.hint.startsWith('The password was refused');
    });
    await server.query(`alter role changing password 'right'`);
    await warehouse.loadPatiently('password-2');

    assert.deepEqual(await idsIn('changed'), ['password-1', 'password-2']);
  });

  test('when the server is restarted while it is idle', async () => {
    await using warehouse = new WarehouseAt(urlOf(), 'restarted');
    await warehouse.load('restart-1');

    await server.stop();
    const failure = await failureOf(warehouse.load('restart-2').then(() => warehouse.load('restart-2')));
    await server.start();
    await warehouse.loadPatiently('restart-2');

    assert.ok(!(failure instanceof BlockedError));
    assert.deepEqual(await idsIn('restarted'), ['restart-1', 'restart-2']);
  });

  test('when a firewall has cut its idle connection and answers the next packet with a reset', async () => {
    await using firewall = await startFirewall(server.port);
    await using warehouse = new WarehouseAt(urlOf({}, { port: firewall.port }), 'cut');
    await warehouse.load('cut-1');

    firewall.cut('reset');
    const failures = await warehouse.loadPatiently('cut-2');

    assert.ok(failures.length <= 1);
    assert.deepEqual(await idsIn('cut'), ['cut-1', 'cut-2']);
  });

  test('when a firewall drops what it says: a silent connection is named, and asked after before firewalls forget it', async () => {
    await using firewall = await startFirewall(server.port);
    const options = await clientOptions(urlOf({}, { port: firewall.port }), never);
    const socket = new Socket();
    const client = new pg.Client({ ...options, stream: () => socket, query_timeout: 200 });
    client.on('error', () => undefined);
    await client.connect();

    firewall.cut('drop');
    const error: unknown = await client.query('select 1').catch((thrown: unknown) => thrown);

    socket.destroy();
    assert.match(unavailable(error).hint, /fell silent.*firewall ends idle connections/);
    assert.ok(!(unavailable(error) instanceof BlockedError));
    assert.partialDeepStrictEqual(options, { keepAlive: true, keepAliveInitialDelayMillis: 60_000 });
  });

  test('at the new primary after a failover, and waits while there is none', async () => {
    await using first = await startPostgres();
    await using second = await startPostgres();
    await second.becomeStandby();
    const hosts = `127.0.0.1:${second.port},127.0.0.1:${first.port}`;
    await using warehouse = new WarehouseAt(`postgresql://admin:admin-password@${hosts}/postgres`);
    await warehouse.load('failover-1');

    await first.stop();
    const failures = [
      await failureOf(warehouse.load('failover-2')),
      await failureOf(warehouse.load('failover-2')),
    ];
    await second.query('select pg_promote()');
    await warehouse.loadPatiently('failover-2');

    const last = failures.at(-1);
    assert.ok(!(last instanceof BlockedError));
    assert.match(last?.hint ?? '', /No host of WAREHOUSE_URL takes writes/);
    assert.deepEqual(await idsIn('fusionauth', second), ['failover-2']);
  });
});

test('a file that is not there, or holds no certificate, blocks and is named', async () => {
  const empty = await emptyFile();
  for (const sslrootcert of ['/not/there.pem', empty]) {
    await using warehouse = new WarehouseAt(urlOf({ sslrootcert }));

    const failure = await failureOf(warehouse.open());

    assert.ok(failure instanceof BlockedError);
    assert.ok(failure.hint.includes(sslrootcert), failure.hint);
  }
});

describe('the least rights, as docs/warehouse.md has them', () => {
  const page = readFileSync(new URL('../../../docs/warehouse.md', import.meta.url), 'utf8');
  const sql = /```sql\n(create role[\s\S]*?)```/.exec(page)?.[1] ?? '';
  const servers = [undefined, ...debianPostgres()];
  for (const binDirectory of servers) {
    test(`suffice for every kind of load at PostgreSQL ${binDirectory ?? 'of the npm package'}`, async () => {
      await using own = await startPostgres(binDirectory === undefined ? {} : { binDirectory });
      await own.query('revoke create on schema public from public');
      await own.query(sql);
      const url = `postgresql://fusionauth_segment:choose-one@127.0.0.1:${own.port}/postgres`;
      await using warehouse = new WarehouseAt(url);

      const answers = [
        await warehouse.load('rights-1', { count: 1 }),
        await warehouse.load('rights-2', { count: 1.5, plan: 'pro' }),
        await warehouse.load('rights-3', { count: 'many' }),
      ];

      assert.deepEqual(
        answers.flat(),
        Array.from({ length: 3 }, () => ({ kind: 'accepted' })),
      );
      assert.deepEqual(await idsIn('fusionauth', own), ['rights-1', 'rights-2', 'rights-3']);
      const [rights] = await own.query(
        `select has_database_privilege('fusionauth_segment', 'postgres', 'create') as "create"`,
      );
      assert.equal(rights?.['create'], false);
    });
  }
});

async function present(certificate: Certificate): Promise<void> {
  await server.replaceCertificate(certificate);
  const [own] = certificate.cert.split('\n').slice(1, 2);
  await until('the server shows the new certificate', async () => (await shown()).includes(own ?? '?'));
}

/** The certificate that the server shows now, in PEM's letters. */
async function shown(): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  // SSLRequest (PostgreSQL's documents, "Message Formats").
  socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
  await once(socket, 'data');
  const secure = connectTls({ socket, rejectUnauthorized: false });
  secure.on('error', () => undefined);
  await once(secure, 'secureConnect');
  const { raw } = secure.getPeerCertificate();
  secure.destroy();
  return raw.toString('base64');
}

async function certificateFiles(name: string, { cert, key }: Certificate) {
  const files = { sslcert: join(folder.path, `${name}.crt`), sslkey: join(folder.path, `${name}.key`) };
  await writeFile(files.sslcert, cert);
  await writeFile(files.sslkey, key, { mode: 0o600 });
  return files;
}

async function emptyFile(): Promise<string> {
  const file = join(folder.path, 'empty');
  await writeFile(file, '', { mode: 0o600 });
  return file;
}

async function endSessions(user: string): Promise<void> {
  await server.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [user]);
}

async function idsIn(schema: string, at = server): Promise<unknown[]> {
  const rows = await at.query(`select id from ${schema}.tracks order by id`);
  return rows.map(({ id }) => id);
}

/** The error of a login as the bridge makes it, on a network where every name leads to this port of loopback. */
async function loginThrough(port: number, connectionString: string): Promise<unknown> {
  const socket = new Socket();
  const connectTo = socket.connect.bind(socket);
  socket.connect = () => connectTo(port, '127.0.0.1');
  const client = new pg.Client({
    ...(await clientOptions(connectionString, never)),
    stream: () => socket,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    socket.destroy();
  }
}

/** Speaks PostgreSQL up to TLS, tells the name that was asked for, and then ends. */
async function tlsFront(certificate: Certificate, onName: (name: string) => void) {
  const listener = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, {
        isServer: true,
        ...certificate,
        SNICallback: (name, done) => {
          onName(name);
          done(null, createSecureContext(certificate));
        },
      });
      secure.on('error', () => undefined);
      secure.on('data', () => secure.destroy());
    });
  }).listen(0);
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => closed(listener) };
}

/** Between the bridge and the server: passes everything on until it is told to cut what is there. New connections pass. */
async function startFirewall(to: number) {
  const pairs = new Set<{ cut?: 'drop' | 'reset'; client: Socket; server: Socket }>();
  const listener = createServer((client) => {
    const pair: { cut?: 'drop' | 'reset'; client: Socket; server: Socket } = {
      client,
      server: connect(to, '127.0.0.1'),
    };
    pairs.add(pair);
    const pass = (from: Socket, other: Socket) => {
      from.on('error', () => undefined);
      from.on('data', (chunk) => {
        if (pair.cut === 'reset') client.resetAndDestroy();
        else if (pair.cut === undefined) other.write(chunk);
      });
      from.on('close', () => {
        if (pair.cut === undefined) other.destroy();
      });
    };
    pass(client, pair.server);
    pass(pair.server, client);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    cut(how: 'drop' | 'reset') {
      for (const pair of pairs) pair.cut = how;
    },
    async [Symbol.asyncDispose]() {
      for (const { client, server: behind } of pairs) {
        client.destroy();
        behind.destroy();
      }
      await closed(listener);
    },
  };
}

async function closed(listener: ReturnType<typeof createServer>): Promise<void> {
  listener.close();
  await once(listener, 'close');
}
