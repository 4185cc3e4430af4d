// Each fault that `doctor` looks for in settings, bridge and destinations, planted one by one; and none where all is well.
// What FusionAuth may have wrong is in fusionauth.test.ts, the command as its user has it in command.test.ts.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  checkClock,
  checkFolder,
  checkLog,
  checkWebhooks,
  reachBridge,
} from '../../../src/commands/doctor/bridge.ts';
import type { RunningBridge } from '../../../src/commands/doctor/bridge.ts';
import { checkConfiguration } from '../../../src/commands/doctor/configuration.ts';
import { checkDestinations } from '../../../src/commands/doctor/destinations.ts';
import { checkSegment } from '../../../src/commands/doctor/segment.ts';
import { checkWarehouse } from '../../../src/commands/doctor/warehouse.ts';
import { loadConfig } from '../../../src/config/config.ts';
import type { Config, Environment } from '../../../src/config/config.ts';
import type { SegmentConfig, WarehouseConfig } from '../../../src/config/destinations.ts';
import { warehouseOf } from '../../../src/config/destinations.ts';
import type { DestinationStatus, Status } from '../../../src/http/status.ts';
import { version } from '../../../src/version.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { closeServer, listenOnLoopback, urlOf } from '../../support/loopback-server.ts';
import { startPostgres } from '../../support/postgres.ts';
import type { TestPostgres } from '../../support/postgres.ts';
import { SegmentStandIn } from '../../support/segment.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { assertAllWell, assertFinds } from './findings.ts';

const now = Date.UTC(2026, 0, 1);
const delivering: DestinationStatus = {
  state: 'running',
  pending: 0,
  delivered: 3,
  filtered: 0,
  dead: 0,
  oldestPendingSeconds: 0,
};
const healthy: RunningBridge & { status: Status } = {
  diagnosis: {
    version,
    node: process.version,
    now,
    startedAt: now - 60_000,
    verification: '',
    log: { isWritable: true, isReadable: true, bytes: 1e6, freeBytes: 1e11, totalBytes: 2e11 },
    webhooks: {
      lastTaken: { at: now - 1_000, id: 'an-id' as never, type: 'user.create', verifiedBy: 'hmac:1' },
      refusals: [],
      unknownTypes: [],
    },
    places: {},
  },
  status: { received: 3, rejected: 0, duplicates: 0, stored: 3, destinations: { segment: delivering } },
};

function configOf(environment: Environment): Config {
  return loadConfig({ WAREHOUSE_URL: 'off', SEGMENT_WRITE_KEY: 'k', ...environment });
}

describe('the settings', () => {
  const noFile = '/nonexistent/.env';
  const verified = { FUSIONAUTH_WEBHOOK_SECRET: 'a secret' };

  test('are well', () => {
    assertAllWell(checkConfiguration(configOf(verified), noFile));
  });

  test('no destination is on', () => {
    const config = configOf({ ...verified, SEGMENT_WRITE_KEY: '' });

    assertFinds(checkConfiguration(config, noFile), 'configuration', 'fail', { fix: /SEGMENT_WRITE_KEY/ });
  });

  test('a destination of the file is off for want of a write key', () => {
    const destinations = { acme: { type: 'segment' as const, writeKey: undefined } };
    const config = loadConfig(
      { ...verified, SEGMENT_WRITE_KEY: 'k' },
      {
        path: 'c.ts',
        config: { destinations },
      },
    );

    assertFinds(checkConfiguration(config, noFile), 'configuration', 'warn', {
      detail: /acme/,
      fix: /variable/,
    });
  });

  test('webhooks are not verified', () => {
    assertFinds(checkConfiguration(configOf({}), noFile), 'verification', 'warn', {
      fix: /setup.*FUSIONAUTH_WEBHOOK_SECRET/,
    });
  });

  test('unsigned webhooks are taken beside signed ones', () => {
    const config = configOf({ FUSIONAUTH_URL: 'http://127.0.0.1:9011', FUSIONAUTH_ALLOW_UNSIGNED: 'true' });

    assertFinds(checkConfiguration(config, noFile), 'verification', 'warn', {
      fix: /FUSIONAUTH_ALLOW_UNSIGNED/,
    });
  });

  test('the API is closed on a network address', () => {
    const config = configOf({ ...verified, HOST: '0.0.0.0' });

    assertFinds(checkConfiguration(config, noFile), 'verification', 'warn', { fix: /ADMIN_TOKEN/ });
  });

  test('.env can be read by others', { skip: process.platform === 'win32' }, async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, '.env');
    writeFileSync(file, 'A=b\n');
    chmodSync(file, 0o644);

    assertFinds(checkConfiguration(configOf(verified), file), 'secrets', 'warn', { fix: /^chmod 600 / });
    chmodSync(file, 0o600);
    assertAllWell(checkConfiguration(configOf(verified), file));
  });
});

describe('the bridge', () => {
  test('runs', async () => {
    await using bridge = await startDocuments({
      '/api/diagnosis': healthy.diagnosis,
      '/api/status': healthy.status,
    });

    const { check, running } = await reachBridge(bridge.address);

    assertAllWell([check]);
    assert.deepEqual(running, healthy);
  });

  test('answers, and cannot read its log', async () => {
    // It reads what it remembers, and no more.
    const log = { ...healthy.diagnosis.log, isWritable: false, isReadable: true };
    await using bridge = await startDocuments({ '/api/diagnosis': { ...healthy.diagnosis, log } }, 503);

    const { check, running } = await reachBridge(bridge.address);

    assert.ok(running);
    assertAllWell([check]);
    const config = configOf({ DATA_DIR: '/nonexistent' });
    const [storage, , , books] = await checkLog(config, running);
    assert.deepEqual([storage?.name, storage?.status], ['log', 'fail']);
    assert.match(storage?.detail ?? '', /cannot be written or read: .* nothing is delivered/);
    assert.deepEqual([books?.name, books?.status], ['books', 'skip']);
    const [destinations] = await checkDestinations(config, bridge.address, running);
    assert.equal(destinations?.status, 'skip');
  });

  test('does not run', async () => {
    const { check, answers } = await reachBridge({ url: 'http://127.0.0.1:1', adminToken: undefined });

    assertFinds([check], 'bridge', 'fail', { detail: /ECONNREFUSED/, fix: /npm start/ });
    assert.equal(answers, false);
  });

  test('is something else', async () => {
    await using other = await startDocuments({});

    assertFinds([(await reachBridge(other.address)).check], 'bridge', 'fail', { detail: /404/, fix: /./ });
  });

  test('asks for another ADMIN_TOKEN', async () => {
    await using bridge = await startDocuments({}, 401);

    const { check, answers } = await reachBridge(bridge.address);

    assertFinds([check], 'bridge', 'fail', { fix: /ADMIN_TOKEN/ });
    assert.equal(answers, true);
  });

  test('is of another version', async () => {
    const diagnosis = { ...healthy.diagnosis, version: '0.0.1' };
    await using bridge = await startDocuments({ '/api/diagnosis': diagnosis, '/api/status': healthy.status });

    assertFinds([(await reachBridge(bridge.address)).check], 'bridge', 'warn', {
      detail: /0\.0\.1/,
      fix: /Restart/,
    });
  });
});

describe('the log', () => {
  let folder: { path: string } & AsyncDisposable;
  let config: Config;
  before(async () => {
    folder = await temporaryFolder();
    config = configOf({ DATA_DIR: folder.path });
  });
  after(() => folder[Symbol.asyncDispose]());

  function withLog(changes: Partial<RunningBridge['diagnosis']['log']>): RunningBridge {
    return { ...healthy, diagnosis: { ...healthy.diagnosis, log: { ...healthy.diagnosis.log, ...changes } } };
  }

  test('is well', async () => {
    assertAllWell(await checkLog(config, healthy));
  });

  test('cannot be written', async () => {
    assertFinds(await checkLog(config, withLog({ isWritable: false })), 'log', 'fail', { fix: /room/ });
  });

  test('cannot be read', async () => {
    assertFinds(await checkLog(config, withLog({ isReadable: false })), 'log', 'fail', { fix: /disk/ });
  });

  test('has little room', async () => {
    assertFinds(await checkLog(config, withLog({ freeBytes: 4e8 })), 'disk', 'warn', {
      detail: /^382 MB are free of 186 GB/,
      fix: /LOG_RETENTION/,
    });
    assertAllWell(await checkLog(config, withLog({ freeBytes: 4e8, totalBytes: 1e9 })));
  });

  test('was damaged at this start', async () => {
    const damage = { found: 'a page is torn', setAside: 'log.sqlite.damaged-1', lostRecords: 3 };

    assertFinds(await checkLog(config, withLog({ damage })), 'damage', 'fail', {
      detail: /3 records were lost; log\.sqlite\.damaged-1 is kept/,
      fix: /disk/,
    });
  });

  test('was damaged once', async () => {
    await using directory = await temporaryFolder();
    const name = `log.sqlite.damaged-${new Date(now).toISOString().replaceAll(/[:.]/g, '')}`;
    for (const end of ['', '-wal']) writeFileSync(join(directory.path, `${name}${end}`), '');

    assertFinds(await checkLog(configOf({ DATA_DIR: directory.path }), healthy), 'damage', 'warn', {
      detail: new RegExp(`once: ${name} in`),
      fix: /delete/,
    });
  });

  test('has books that do not balance', async () => {
    const running = { ...healthy, status: { ...healthy.status, stored: 2 } };

    assertFinds(await checkLog(config, running), 'books', 'fail', { detail: /received 3/, fix: /Report/ });
  });

  test('was damaged, and nobody knows what was lost', async () => {
    const damage = { found: 'a page is torn', setAside: 'log.sqlite.damaged-1', lostRecords: undefined };

    assertFinds(await checkLog(config, withLog({ damage })), 'damage', 'fail', {
      detail: /whether records were lost is not known; log\.sqlite\.damaged-1 is kept/,
      fix: /disk/,
    });
  });

  test('is of a bridge that was killed', async () => {
    await using directory = await temporaryFolder();
    writeFileSync(join(directory.path, 'bridge.pid'), '12345\n');

    assertFinds(checkFolder(directory.path), 'log', 'warn', {
      detail: /did not end in order/,
      fix: /^Start it again/,
    });
  });

  const isRoot = process.getuid?.() === 0;
  test('is of a bridge that has ended in order, or of none yet', () => {
    assertAllWell(checkFolder(folder.path));
    assert.deepEqual(checkFolder(join(folder.path, 'none')), []);
  });

  test('stands where nobody may write', { skip: isRoot && 'root may write everywhere' }, async () => {
    await using directory = await temporaryFolder();
    const kept = join(directory.path, 'data');
    mkdirSync(kept, { mode: 0o500 });

    assertFinds(checkFolder(kept), 'log', 'fail', {
      detail: /cannot be written by this user \(EACCES\)/,
      fix: /DATA_DIR/,
    });
  });

  test('of a bridge that does not run is judged by its volume', async () => {
    assert.deepEqual(
      (await checkLog(config, undefined)).map(({ name, status }) => [name, status]),
      [
        ['disk', 'ok'],
        ['damage', 'ok'],
      ],
    );
    const [disk] = await checkLog(configOf({ DATA_DIR: join(folder.path, 'none') }), undefined);
    assert.equal(disk?.status, 'skip');
  });
});

describe('webhooks', () => {
  function withWebhooks(changes: Partial<RunningBridge['diagnosis']['webhooks']>): RunningBridge {
    const webhooks = { ...healthy.diagnosis.webhooks, ...changes };
    return { ...healthy, diagnosis: { ...healthy.diagnosis, webhooks } };
  }
  const refused = { at: now - 500, status: 401 };
  const neverTaken = { refusals: [], unknownTypes: [] };

  test('come', () => {
    assertAllWell(checkWebhooks(healthy));
    assertAllWell(
      checkWebhooks(withWebhooks({ lastRefused: { ...refused, reason: 'forged', at: now - 9_000 } })),
    );
  });

  test('have never come', () => {
    const running = { ...healthy, diagnosis: { ...healthy.diagnosis, webhooks: neverTaken } };

    assertFinds(checkWebhooks(running), 'webhooks', 'warn', { fix: /Log in at FusionAuth/ });
  });

  const reasons: Readonly<Record<string, RegExp>> = {
    missing: /does not sign/,
    'no-public-keys-configured': /set FUSIONAUTH_URL/,
    'no-secret-configured': /set FUSIONAUTH_WEBHOOK_SECRET/,
    'unknown-key': /the right FusionAuth/,
    forged: /FUSIONAUTH_WEBHOOK_SECRET/,
    'body-differs': /proxy/,
  };
  for (const [reason, fix] of Object.entries(reasons)) {
    test(`are refused: ${reason}`, () => {
      const webhooks = { ...neverTaken, lastRefused: { ...refused, reason } };
      const checks = checkWebhooks({ ...healthy, diagnosis: { ...healthy.diagnosis, webhooks } });

      assertFinds(checks.slice(1), 'refusals', 'fail', { detail: new RegExp(`401, ${reason}$`), fix });
      assertFinds(checkWebhooks(withWebhooks({ lastRefused: { ...refused, reason } })), 'refusals', 'warn', {
        fix,
      });
    });
  }

  for (const [status, reason, fix] of [
    [400, 'event.id is missing', /unless FusionAuth sent it/],
    [401, 'malformed', /unless FusionAuth sent it/],
    [415, 'not application/json', /who else posts here/],
    [500, 'a fault', /report it/],
  ] as const) {
    test(`are refused with ${status}: ${reason}`, () => {
      const webhooks = { ...neverTaken, lastRefused: { at: now - 500, status, reason } };
      const checks = checkWebhooks({ ...healthy, diagnosis: { ...healthy.diagnosis, webhooks } });

      assertFinds(checks.slice(1), 'refusals', 'fail', { fix });
    });
  }

  test('have types that are unknown', () => {
    assertFinds(checkWebhooks(withWebhooks({ unknownTypes: ['user.abducted'] })), 'event-types', 'warn', {
      detail: /user\.abducted/,
      fix: /Update/,
    });
  });
});

describe('the clock', () => {
  const clock = (milliseconds: number) => ({ of: 'api.segment.io', there: now + milliseconds, here: now });

  test('agrees', () => {
    assertAllWell([checkClock([clock(2_000), clock(-2_000)])]);
  });

  test('is a little off', () => {
    assertFinds([checkClock([clock(0), clock(-60_000)])], 'clock', 'warn', {
      detail: /api\.segment\.io is 1 minute behind this machine/,
      fix: /NTP/,
    });
  });

  test('is far off', () => {
    assertFinds([checkClock([clock(3_600_000)])], 'clock', 'fail', { detail: /1 hour ahead/, fix: /NTP/ });
  });
});

describe('Segment', () => {
  const settingsFor = (endpoint: string, writeKey = 'k'): SegmentConfig => {
    const [settings] = configOf({ SEGMENT_ENDPOINT: endpoint, SEGMENT_WRITE_KEY: writeKey }).destinations;
    assert.equal(settings?.kind, 'segment');
    return settings;
  };
  const find = async (endpoint: string) => (await checkSegment(settingsFor(endpoint))).checks;

  test('answers, is sent nothing, and tells its clock', async () => {
    await using segment = await SegmentStandIn.start();

    const { checks, clock } = await checkSegment(settingsFor(segment.url));

    assertAllWell(checks);
    assert.deepEqual(segment.messages, []);
    assert.ok(Math.abs((clock?.there ?? 0) - Date.now()) < 10_000);
  });

  test('has a host that DNS does not know', async () => {
    assertFinds(await find('https://segment.invalid'), 'segment.api', 'fail', {
      detail: /unknown/,
      fix: /SEGMENT_ENDPOINT/,
    });
  });

  test('cannot be reached', async () => {
    assertFinds(await find('http://127.0.0.1:1'), 'segment.api', 'fail', {
      detail: /ECONNREFUSED/,
      fix: /network/,
    });
  });

  test('shows a certificate that nobody trusts', async () => {
    const term = { from: new Date(Date.now() - 2e8), until: new Date(Date.now() - 1e8) };
    await using segment = await SegmentStandIn.start(makeCertificate(term));

    assertFinds(await find(segment.url), 'segment.api', 'fail', { detail: /certificate/, fix: /clock/ });
  });

  for (const [status, fix] of [
    [401, /SEGMENT_WRITE_KEY/],
    [404, /SEGMENT_ENDPOINT/],
    [302, /sign-in page/],
    [429, /SEGMENT_EVENTS_PER_SECOND/],
    [503, /overloaded/],
  ] as const) {
    test(`answers ${status}`, async () => {
      await using segment = await SegmentStandIn.start();
      segment.fail({ kind: 'status', status });

      assertFinds(await find(segment.url), 'segment.api', 'fail', {
        detail: new RegExp(`answered ${status}`),
        fix,
      });
    });
  }

  test('is a sign-in page', async () => {
    await using segment = await SegmentStandIn.start();
    segment.fail({ kind: 'web-page' });

    assertFinds(await find(segment.url), 'segment.api', 'fail', { detail: /web page/, fix: /proxy/ });
  });
});

describe('the warehouse', () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
    await server.query(`create role loader login password 'its-password'`);
    await server.query('create database own owner loader');
    await server.query(`create database latin encoding 'LATIN1' locale 'C' template template0`);
  });
  after(() => server[Symbol.asyncDispose]());

  const urlFor = (database: string, user = 'loader:its-password') => {
    const url = new URL(server.url);
    [url.username = '', url.password = ''] = user.split(':');
    url.pathname = `/${database}`;
    return url.href;
  };
  const find = async (url: string, schema = 'fusionauth') => {
    const config = loadConfig({ WAREHOUSE_URL: url, WAREHOUSE_SCHEMA: schema });
    return checkWarehouse(warehouseOf(config.destinations) as WarehouseConfig, config);
  };

  test('is well, before there is a schema and after', async () => {
    assertAllWell(await find(urlFor('own')));
    await inDatabase('own', 'create schema fusionauth; create table fusionauth.tracks (id text)');
    assertAllWell(await find(urlFor('own')));
  });

  test('is not there', async () => {
    assertFinds(await find('postgresql://u:p@127.0.0.1:1/w'), 'warehouse.connection', 'fail', {
      detail: /reached \(ECONNREFUSED\)/,
      fix: /start it/,
    });
  });

  test('refuses the password', async () => {
    assertFinds(await find(urlFor('own', 'loader:wrong')), 'warehouse.connection', 'fail', {
      fix: /password/,
    });
  });

  test('has no such database', async () => {
    assertFinds(await find(urlFor('none')), 'warehouse.connection', 'fail', { fix: /create it/ });
  });

  test('is read-only', async () => {
    await server.query('alter role loader set default_transaction_read_only = on');
    try {
      assertFinds(await find(urlFor('own')), 'warehouse.connection', 'fail', { fix: /primary/ });
    } finally {
      await server.query('alter role loader reset default_transaction_read_only');
    }
  });

  test('has another encoding', async () => {
    await server.query('grant create on database latin to loader');

    assertFinds(await find(urlFor('latin')), 'warehouse.connection', 'fail', {
      detail: /LATIN1/,
      fix: /UTF8/,
    });
  });

  test('lets its user make no schema', async () => {
    assertFinds(await find(urlFor('postgres')), 'warehouse.rights', 'fail', {
      fix: /create schema fusionauth authorization "loader"/,
    });
  });

  test('lets its user make no table', async () => {
    await inDatabase('own', 'create schema closed', server.url);

    assertFinds(await find(urlFor('own'), 'closed'), 'warehouse.rights', 'fail', {
      fix: /grant usage, create on schema closed to "loader"/,
    });
  });

  test('has tables of another', async () => {
    await inDatabase(
      'own',
      'create schema shared; grant all on schema shared to loader; create table shared.users (id text)',
      server.url,
    );

    assertFinds(await find(urlFor('own'), 'shared'), 'warehouse.rights', 'fail', {
      detail: /1 tables .* users$/,
      fix: /owner to "loader"/,
    });
  });

  test('has set values aside', async () => {
    await inDatabase(
      'own',
      `create schema discarding;
       create table discarding.discards (id text, table_name text, column_name text, received_at timestamptz);
       insert into discarding.discards values ('1', 'users', 'age', now()), ('2', 'users', 'age', now()), ('3', 'users', 'old', now() - interval '1 year')`,
    );

    assertFinds(await find(urlFor('own'), 'discarding'), 'warehouse.discards', 'warn', {
      detail: /: 2 of users\.age$/,
      fix: /reason/,
    });
  });

  test('is embedded, and not there yet', async () => {
    await using folder = await temporaryFolder();
    const config = loadConfig({ DATA_DIR: folder.path });

    const [only] = await checkWarehouse(warehouseOf(config.destinations) as WarehouseConfig, config);

    assert.deepEqual([only?.name, only?.status], ['warehouse.connection', 'skip']);
  });

  async function inDatabase(database: string, sql: string, as = urlFor(database)): Promise<void> {
    const { default: pg } = await import('pg');
    const url = new URL(as);
    url.pathname = `/${database}`;
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    await client.query(sql);
    await client.end();
  }
});

describe('a destination', () => {
  async function find(changes: Partial<DestinationStatus>, counts: readonly object[] = []) {
    await using bridge = await startDocuments({ '/api/dead-letters': { counts, deadLetters: [] } });
    const destinations = { segment: { ...delivering, ...changes } };
    const running = { ...healthy, status: { ...healthy.status, destinations } };
    return await checkDestinations(configOf({}), bridge.address, running);
  }
  const fault = { message: 'Segment answered 401', hint: 'Check SEGMENT_WRITE_KEY', attempts: 4, since: now };

  test('delivers', async () => {
    assertAllWell(await find({}));
    assertAllWell(await find({ pending: 5, oldestPendingSeconds: 3 }));
  });

  test('is blocked', async () => {
    assertFinds(await find({ state: 'blocked', fault }), 'segment.state', 'fail', {
      detail: /blocked: Segment answered 401, 4 attempts/,
      fix: /SEGMENT_WRITE_KEY/,
    });
  });

  test('retries', async () => {
    assertFinds(await find({ state: 'retrying', fault }), 'segment.state', 'warn', {
      fix: /SEGMENT_WRITE_KEY/,
    });
  });

  test('lags behind', async () => {
    assertFinds(await find({ pending: 5, oldestPendingSeconds: 7_300 }), 'segment.lag', 'warn', {
      detail: /^5 records pending, the oldest since 2 hours$/,
      fix: /catching up/,
    });
  });

  test('has dead letters', async () => {
    const count = { consumer: 'segment', reason: 'message_too_large', records: 2, deadLetters: 3 };

    assertFinds(await find({ dead: 2 }, [count]), 'segment.dead-letters', 'warn', {
      detail: /2 message_too_large/,
      fix: /dead-letters retry --of segment/,
    });
  });

  test('is not one of the running bridge', async () => {
    await using bridge = await startDocuments({ '/api/dead-letters': { counts: [], deadLetters: [] } });
    const running = { ...healthy, status: { ...healthy.status, destinations: {} } };

    assertFinds(await checkDestinations(configOf({}), bridge.address, running), 'segment.state', 'fail', {
      fix: /Restart/,
    });
  });
});

/** A server that answers by these documents, and by `otherwise` to all else. */
async function startDocuments(documents: Readonly<Record<string, unknown>>, otherwise = 404) {
  const server = createServer((request, response) => {
    const document = documents[new URL(request.url ?? '', 'http://localhost').pathname];
    response.writeHead(document === undefined ? otherwise : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  });
  await listenOnLoopback(server);
  return {
    address: { url: urlOf(server), adminToken: undefined },
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}
