// What a connection string says: every usual form, and those that could be read in two ways.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  completeConnectionString,
  ConnectionError,
  parseConnection,
  placeOf,
} from '../../../src/destinations/warehouse/connection.ts';
import type { Connection } from '../../../src/destinations/warehouse/connection.ts';
import { libpqVariables } from '../../../src/destinations/warehouse/libpq-variables.ts';
import { findPassword } from '../../../src/destinations/warehouse/password-file.ts';
import { sslModeOf } from '../../../src/destinations/warehouse/tls.ts';

const db = (host: string, port = 5432) => ({ hosts: [{ host, port }] });

describe('a connection string', () => {
  const understood: [what: string, text: string, expected: Partial<Connection>][] = [
    [
      'a URL',
      'postgres://user:secret@db.example.com:6543/auth',
      { ...db('db.example.com', 6543), user: 'user', password: 'secret', database: 'auth' },
    ],
    ['the other name of its protocol', 'postgresql://u@h/d', { ...db('h'), user: 'u', password: undefined }],
    ['a database that is not named', 'postgres://u@h', { ...db('h'), user: 'u', database: 'u' }],
    ['a host that is not named', 'postgres://u@/d', { ...db('localhost'), database: 'd' }],
    [
      'percent-encoding everywhere',
      'postgres://a%40b:p%2Fw%25@h/d%3F',
      { user: 'a@b', password: 'p/w%', database: 'd?' },
    ],
    ['an @ in the password', 'postgres://u:p@ss@h/d', { ...db('h'), user: 'u', password: 'p@ss' }],
    ['a : in the password', 'postgres://u:p:5@h/d', { ...db('h'), password: 'p:5' }],
    ['a # in the password', 'postgres://u:p#w@h/d', { ...db('h'), password: 'p#w', database: 'd' }],
    ['[ and ] in the password', 'postgres://u:p[1]@h/d', { ...db('h'), password: 'p[1]' }],
    ['letters of any language', 'postgres://ü:пароль@h/d', { user: 'ü', password: 'пароль' }],
    ['IPv6', 'postgres://u@[::1]:6543/d', db('::1', 6543)],
    ['IPv6 with a zone', 'postgres://u@[fe80::1%25eth0]/d', db('fe80::1%eth0')],
    ['a host name of any language', 'postgres://u@bücher.example/d', db('xn--bcher-kva.example')],
    [
      'a socket in the query',
      'postgres:///d?host=/var/run/postgresql&user=u',
      { ...db('/var/run/postgresql'), database: 'd', user: 'u' },
    ],
    [
      'a socket in place of the host',
      'postgres://u@%2Fvar%2Frun%2Fpostgresql:6543/d',
      db('/var/run/postgresql', 6543),
    ],
    [
      'Cloud SQL’s socket',
      'postgres://u:p@/d?host=/cloudsql/project:region:name',
      { ...db('/cloudsql/project:region:name'), password: 'p' },
    ],
    [
      'several hosts',
      'postgres://u@a:1,b:2,[::1]/d',
      {
        hosts: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
          { host: '::1', port: 5432 },
        ],
        target: 'read-write',
      },
    ],
    ['several hosts that may be anything', 'postgres://u@a,b/d?target_session_attrs=any', { target: 'any' }],
    [
      'several hosts with one port',
      'host=a,b port=6543',
      {
        hosts: [
          { host: 'a', port: 6543 },
          { host: 'b', port: 6543 },
        ],
      },
    ],
    [
      'keywords',
      'host=h port=6543 dbname=d user=u password=p sslmode=require',
      { ...db('h', 6543), database: 'd', user: 'u', password: 'p', sslMode: 'require' },
    ],
    [
      'keywords with quotes',
      String.raw`host = h password='it\'s @ \\ /' user=u`,
      { ...db('h'), user: 'u', password: String.raw`it's @ \ /` },
    ],
    [
      'keywords with an empty value',
      "host=h user=u password='' dbname=d",
      { password: undefined, database: 'd' },
    ],
    ['node-postgres’s word', 'postgres://u@h/d?sslmode=no-verify', { sslMode: 'require' }],
    ['JDBC’s word', 'postgres://u@h/d?ssl=true', { sslMode: 'require' }],
    [
      'options as URL builders write them',
      'postgres://u@h/d?options=-c+statement_timeout%3D5s',
      { serverOptions: '-c statement_timeout=5s' },
    ],
    [
      'Neon’s',
      'postgresql://u:p@ep-x-1.eu-central-1.aws.neon.tech/d?sslmode=require&channel_binding=require',
      { sslMode: 'require', bindsChannel: true },
    ],
    ['Prisma’s', 'postgresql://u:p@h:6543/d?pgbouncer=true&connection_limit=1', db('h', 6543)],
    [
      'all of TLS',
      'postgres://u@h/d?sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem&sslpassword=x&ssl_min_protocol_version=TLSv1.3',
      {
        rootCertificates: '/ca.pem',
        clientCertificate: { certificate: '/c.pem', key: '/k.pem' },
        keyPassphrase: 'x',
        minTlsVersion: 'TLSv1.3',
      },
    ],
  ];
  for (const [what, text, expected] of understood) {
    test(`may have ${what}`, () => {
      assert.partialDeepStrictEqual(parseConnection(text), expected);
    });
  }

  const refused: [what: string, text: string, fault: RegExp][] = [
    ['a / in the password', 'postgres://u:hunter2/x@h/d', /percent-encoded.*%2F/],
    ['a / behind an @ in the password', 'postgres://u:hunter2@x/y@h/d', /percent-encoded/],
    ['a ? in the password', 'postgres://u:hunter2?x@h/d', /percent-encoded/],
    ['a ? behind an @ in the password', 'postgres://u:hunter2@x?y=1@h/d', /percent-encoded/],
    ['a % in the password', 'postgres://u:hunter2%x@h/d', /%25/],
    ['half a character', 'postgres://u:hunter2%ff@h/d', /%25/],
    ['user and password without a host', 'postgres://u:hunter2', /percent-encod|told apart|%40/],
    ['user and password for each host', 'postgres://u:hunter2@a,u:hunter2@b/d', /percent-encoded/],
    ['a port that is none', 'postgres://u:hunter2@h:99999/d', /port.*65535/],
    ['IPv6 without [ ]', 'postgres://u:hunter2@::1/d', /\[ \]/],
    ['a space in the host', 'postgres://hunter2 h/d', /host is no name/],
    ['ports that fit no hosts', 'host=a,b port=1,2,3 password=hunter2', /another number of ports/],
    ['another database’s protocol', 'mysql://u:hunter2@h/d', /neither postgresql:\/\//],
    ['Java’s', 'jdbc:postgresql://h/d?user=u&password=hunter2', /leave out jdbc:/],
    ['a command', "psql 'postgresql://u:hunter2@h/d'", /leave out psql/],
    ['quotes', '"postgresql://u:hunter2@h/d"', /leave out the quotes/],
    ['Supabase’s placeholder', 'postgresql://postgres:[YOUR-PASSWORD]@h/d', /placeholder/],
    ['a misspelled parameter', 'postgres://u:hunter2@h/d?sslmod=disable', /^sslmod is not known/],
    ['a name that every object has', 'postgres://u:hunter2@h/d?constructor=x', /^constructor is not known/],
    ['a schema', 'postgres://u:hunter2@h/d?schema=x', /set WAREHOUSE_SCHEMA/],
    [
      'an sslmode that is none',
      'postgres://u:hunter2@h/d?sslmode=verify',
      /^sslmode is none of disable, allow/,
    ],
    ['verify-ca under anybody’s authority', 'postgres://u:hunter2@h/d?sslmode=verify-ca', /needs the file/],
    [
      'sslrootcert=system with less than it is for',
      'postgres://u:hunter2@h/d?sslmode=require&sslrootcert=system',
      /verify-full only/,
    ],
    ['half a client certificate', 'postgres://u:hunter2@h/d?sslcert=x', /need each other/],
    ['TLS at once or not at all', 'postgres://u:hunter2@h/d?sslmode=prefer&sslnegotiation=direct', /direct/],
    ['a standby', 'postgres://u:hunter2@h/d?target_session_attrs=standby', /none of any/],
    ['a keyword’s value with a space', 'host=h password=hunter2 x', /stands in ' '/],
    ['an open quote', "host=h password='hunter2", /stands in ' '/],
  ];
  for (const [what, text, fault] of refused) {
    test(`with ${what} is refused, and the fault says what to write and nothing that was secret`, () => {
      assert.throws(
        () => parseConnection(text),
        (error) => {
          assert.ok(error instanceof ConnectionError, String(error));
          assert.match(error.message, fault);
          assert.doesNotMatch(error.message, /hunter2/);
          return true;
        },
      );
    });
  }

  test('with any password, encoded or in keywords, is understood', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        const password = `x${text}`;

        const inUrl = parseConnection(`postgres://u:${encodeURIComponent(password)}@h/d`);
        const quoted = password.replaceAll(/['\\]/g, String.raw`\$&`);
        const inKeywords = parseConnection(`host=h user=u password='${quoted}'`);

        assert.equal(inUrl.password, password);
        assert.equal(inKeywords.password, password);
      }),
    );
  });

  test('with any password as it is, is understood rightly or refused', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('ab1@:/?#%&=,[] ')), maxLength: 12 }),
        (text) => {
          const password = `x${text}`;
          let connection: Connection;
          try {
            connection = parseConnection(`postgres://u:${password}@h:1/d`);
          } catch (error) {
            assert.ok(error instanceof ConnectionError, String(error));
            return;
          }
          assert.deepEqual(connection.hosts, [{ host: 'h', port: 1 }]);
          // What looks percent-encoded is.
          assert.equal(connection.password, decodeURIComponent(password));
          assert.equal(connection.database, 'd');
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('is told to people without user and password', () => {
    assert.equal(placeOf(parseConnection('postgres://u:p@[::1]:1,b/d')), '[::1]:1,b:5432/d');
  });
});

describe('PG* variables', () => {
  const environment = {
    PGHOST: 'pg.example.com',
    PGPORT: '6543',
    PGUSER: 'env-user',
    PGPASSWORD: 'p@ss/word',
    PGDATABASE: 'env-database',
    PGSSLMODE: 'verify-ca',
    PGSSLROOTCERT: '/ca.pem',
    PGSSLCERT: '/c.pem',
    PGSSLKEY: '/k.pem',
    PGPASSFILE: '/pass',
    PGTARGETSESSIONATTRS: 'primary',
    PGOPTIONS: '-c a=b',
  };

  test('say what the connection string does not', () => {
    const { hosts, user, password, ...others } = parseConnection(
      completeConnectionString('postgresql://', environment),
    );

    assert.deepEqual(hosts, [{ host: 'pg.example.com', port: 6543 }]);
    assert.deepEqual([user, password], ['env-user', 'p@ss/word']);
    assert.partialDeepStrictEqual(others, {
      database: 'env-database',
      sslMode: 'verify-ca',
      rootCertificates: '/ca.pem',
      clientCertificate: { certificate: '/c.pem', key: '/k.pem' },
      passwordFile: '/pass',
      target: 'primary',
      serverOptions: '-c a=b',
    });
  });

  test('change nothing that it says', () => {
    const text = 'postgres://u:p@[::1]:1,%2Frun:2/d?sslmode=require';

    const connection = parseConnection(completeConnectionString(text, environment));

    assert.partialDeepStrictEqual(connection, {
      hosts: [
        { host: '::1', port: 1 },
        { host: '/run', port: 2 },
      ],
      user: 'u',
      password: 'p',
      database: 'd',
      sslMode: 'require',
      passwordFile: '/pass',
    });
  });

  test('leave the text as it is where they have nothing to add', () => {
    const text = 'host=h   user=u';

    assert.equal(completeConnectionString(text, { PGUSER: 'other', PGHOST: '', PATH: '/bin' }), text);
  });
});

describe('where the connection string says nothing of TLS', () => {
  const cases: [host: string, mode: string][] = [
    ['postgres://u@127.0.0.1/d', 'disable'],
    ['postgres://u@[::1]/d', 'disable'],
    ['postgres://u@localhost/d', 'disable'],
    ['postgres://u@%2Frun/d', 'disable'],
    ['postgres://u@db.example.com/d', 'verify-full'],
    ['postgres://u@10.0.0.1/d', 'verify-full'],
    ['postgres://u@localhost/d?sslrootcert=/ca.pem', 'verify-full'],
    ['postgres://u@localhost.example.com/d', 'verify-full'],
  ];
  for (const [text, mode] of cases) {
    test(`${text} is ${mode}`, () => {
      const connection = parseConnection(text);

      assert.equal(sslModeOf(connection, connection.hosts[0]?.host ?? ''), mode);
    });
  }
});

describe('psql’s environment', () => {
  test('has the password and verifies as the bridge does', () => {
    const variables = libpqVariables('postgres://u:p%40@db.example.com/d', () => true);

    assert.partialDeepStrictEqual(variables, {
      PGHOST: 'db.example.com',
      PGPORT: '5432',
      PGUSER: 'u',
      PGPASSWORD: 'p@',
      PGDATABASE: 'd',
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: '/etc/ssl/certs/ca-certificates.crt',
    });
  });

  test('lets no variable of another server’s count', () => {
    const variables = libpqVariables('postgres://u@127.0.0.1/d');

    for (const name of ['PGSSLROOTCERT', 'PGSERVICE', 'PGHOSTADDR', 'PGOPTIONS', 'PGPASSWORD']) {
      assert.ok(name in variables && variables[name] === undefined, name);
    }
    assert.equal(variables['PGSSLMODE'], 'disable');
  });
});

describe('a password file', () => {
  const file = [
    '# a comment',
    'h:5432:d:other:no',
    String.raw`h:5432:d:u:pass\:word\\`,
    'localhost:*:*:u:by socket',
    '*:*:*:*:for any',
  ].join('\n');
  const cases: [host: string, user: string, expected: string][] = [
    ['h', 'u', 'pass:word\\'],
    ['/run', 'u', 'by socket'],
    ['elsewhere', 'x', 'for any'],
  ];
  for (const [host, user, expected] of cases) {
    test(`has for ${user} at ${host} the first line that fits`, () => {
      assert.equal(findPassword(file, { host, port: 5432, database: 'd', user }), expected);
    });
  }
});
