// The warehouse's views, on known data in a real PostgreSQL server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { roles } from '../../../src/destinations/warehouse/embedded/connection.ts';
import { dropViews, needsViews, planViews, viewNames } from '../../../src/destinations/warehouse/views.ts';
import { views } from '../../../src/destinations/warehouse/views/all.ts';
import { eventTables } from '../../../src/destinations/warehouse/views/events.ts';
import { eventTypes } from '../../../src/fusionauth/catalogue.ts';
import type { KnownEventType } from '../../../src/fusionauth/catalogue.ts';
import type { FusionAuthEvent } from '../../../src/fusionauth/event.ts';
import { sampleEvent } from '../../../src/fusionauth/samples.ts';
import type { Naming } from '../../../src/mapping/names.ts';
import type { Message, MessageId, TrackMessage } from '../../../src/segment/message.ts';
import { messagesOf, received } from '../../support/mapped.ts';
import type { EventFields } from '../../support/mapped.ts';
import { ViewedSchema } from '../../support/warehouse-views.ts';
import { startWarehouse } from '../../support/warehouse.ts';
import type { TestWarehouse } from '../../support/warehouse.ts';

let warehouse: TestWarehouse;
before(async () => {
  warehouse = await startWarehouse();
});
after(() => warehouse[Symbol.asyncDispose]());

let schemas = 0;
async function newSchema(): Promise<ViewedSchema> {
  const schema = new ViewedSchema(warehouse, `views_${++schemas}`);
  await schema.query('create schema $');
  return schema;
}

const tenant = 'tenant-1';
let events = 0;

/** An event of a type about a user, with what FusionAuth's sample says but for what matters here. */
function event(at: string, type: KnownEventType, user: string, changes: EventFields = {}): FusionAuthEvent {
  const eventId = `event-${++events}`;
  const createInstant = Date.parse(`2026-${at}Z`);
  const { user: profile, ...rest } = changes;
  return received({
    ...sampleEvent(type, { eventId, userId: user, createInstant }),
    tenantId: tenant,
    info: null,
    ipAddress: null,
    ...rest,
    user: {
      id: user,
      email: `${user}@example.com`,
      tenantId: tenant,
      ...(profile as EventFields | undefined),
    },
  });
}

const at = (ip: string, country: string) => ({
  ipAddress: ip,
  deviceType: 'BROWSER',
  deviceName: 'macOS Chrome',
  os: 'macOS',
  location: { country },
});
const password = {
  applicationId: 'shop',
  authenticationType: 'PASSWORD',
  identityProviderId: null,
  identityProviderName: null,
};
const google = {
  applicationId: 'forum',
  authenticationType: 'GOOGLE',
  identityProviderId: 'idp-1',
  identityProviderName: 'Google',
};
const home = { ...password, info: at('203.0.113.1', 'US') };
const attacker = { ...password, info: at('198.51.100.9', 'RU') };
const phone = { method: { id: 'M2', method: 'sms' } };

/** Four weeks of five people: ann stays, bob comes by Google, cid comes late, dan and eve are from before. */
const history: readonly FusionAuthEvent[] = [
  event('01-05T10:00:00', 'user.create.complete', 'ann'),
  event('01-05T10:00:01', 'user.registration.create', 'ann', {
    applicationId: 'shop',
    registration: { id: 'R1' },
  }),
  event('01-05T10:00:01', 'user.registration.create.complete', 'ann', {
    applicationId: 'shop',
    registration: { id: 'R1' },
  }),
  event('01-05T11:00:00', 'user.email.verified', 'ann'),
  event('01-05T11:00:00', 'user.identity.verified', 'ann', {
    loginId: 'ann@example.com',
    loginIdType: 'email',
  }),
  event('01-05T12:00:00', 'user.login.success', 'ann', home),
  event('01-06T08:59:59', 'user.create', 'bob'),
  event('01-06T09:00:00', 'user.create.complete', 'bob'),
  event('01-06T09:05:00', 'user.login.success', 'bob', { ...google, info: at('203.0.113.2', 'DE') }),
  event('01-06T09:05:01', 'user.login.new-device', 'bob', { ...google, info: at('203.0.113.2', 'DE') }),
  event('01-14T08:00:00', 'user.login.success', 'ann', home),
  event('01-14T08:00:00', 'user.login.suspicious', 'ann', { ...home, threatsDetected: ['ImpossibleTravel'] }),
  event('01-20T08:00:00', 'jwt.refresh', 'bob', { userId: 'bob' }),
  event('01-20T09:00:00', 'user.two-factor.method.add', 'ann', {
    method: { id: 'M1', method: 'authenticator' },
  }),
  event('01-20T10:00:00', 'user.two-factor.method.add', 'bob', phone),
  event('01-20T11:00:00', 'user.two-factor.method.remove', 'bob', phone),
  event('01-31T23:00:00', 'user.create.complete', 'cid', { user: { verified: true } }),
  event('02-01T00:30:00', 'user.login.success', 'cid', home),
  event('02-02T06:00:00', 'user.login.failed', 'ann', attacker),
  event('02-02T06:00:01', 'user.login.failed', 'ann', attacker),
  event('02-02T06:00:02', 'user.login.failed', 'bob', attacker),
  event('02-02T07:00:00', 'user.login.success', 'ann', home),
  event('02-02T08:00:00', 'user.login.failed', 'ann', { ...home, reason: { code: 'lambdaValidation' } }),
  event('02-02T09:00:00', 'user.update.complete', 'dan', {
    user: { twoFactor: { methods: [{ id: 'M3', method: 'email' }] } },
  }),
  event('02-02T09:00:00', 'user.two-factor.method.add', 'eve', { method: { id: 'M4', method: 'sms' } }),
  event('02-02T09:00:00', 'user.update.complete', 'eve'),
  event('02-02T10:00:00', 'user.delete', 'eve'),
];

const includeAll = [{ include: ['*', 'user.create', 'user.registration.create', 'jwt.refresh'] }];
const mapped = (some: readonly FusionAuthEvent[], naming: Naming): readonly Message[] =>
  some.flatMap((one) => messagesOf(one, { naming, filters: includeAll }));

/** A row each, in the order of the view's columns. */
const answers: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  active_users_daily: [
    ['2026-01-05', 1, 1],
    ['2026-01-06', 1, 1],
    ['2026-01-14', 1, 1],
    ['2026-01-20', 1, 0],
    ['2026-02-01', 1, 1],
    ['2026-02-02', 1, 1],
  ],
  active_users_weekly: [
    ['2026-01-05', 2, 2],
    ['2026-01-12', 1, 1],
    ['2026-01-19', 1, 0],
    ['2026-01-26', 1, 1],
    ['2026-02-02', 1, 1],
  ],
  active_users_monthly: [
    ['2026-01-01', 2, 3],
    ['2026-02-01', 2, 2],
  ],
  sign_ups_daily: [
    ['2026-01-05', tenant, 1],
    ['2026-01-06', tenant, 1],
    ['2026-01-31', tenant, 1],
  ],
  registrations_by_application: [['2026-01-05', 'shop', 1]],
  logins_by_application: [
    ['2026-01-05', 'shop', 1, 1],
    ['2026-01-06', 'forum', 1, 1],
    ['2026-01-14', 'shop', 1, 1],
    ['2026-02-01', 'shop', 1, 1],
    ['2026-02-02', 'shop', 1, 1],
  ],
  logins_by_tenant: [
    ['2026-01-05', tenant, 1, 1],
    ['2026-01-06', tenant, 1, 1],
    ['2026-01-14', tenant, 1, 1],
    ['2026-02-01', tenant, 1, 1],
    ['2026-02-02', tenant, 1, 1],
  ],
  logins_by_identity_provider: [
    ['2026-01-05', null, null, 1, 1],
    ['2026-01-06', 'idp-1', 'Google', 1, 1],
    ['2026-01-14', null, null, 1, 1],
    ['2026-02-01', null, null, 1, 1],
    ['2026-02-02', null, null, 1, 1],
  ],
  logins_by_method: [
    ['2026-01-05', 'PASSWORD', 1, 1],
    ['2026-01-06', 'GOOGLE', 1, 1],
    ['2026-01-14', 'PASSWORD', 1, 1],
    ['2026-02-01', 'PASSWORD', 1, 1],
    ['2026-02-02', 'PASSWORD', 1, 1],
  ],
  logins_by_country: [
    ['2026-01-05', 'US', 1, 1],
    ['2026-01-06', 'DE', 1, 1],
    ['2026-01-14', 'US', 1, 1],
    ['2026-02-01', 'US', 1, 1],
    ['2026-02-02', 'US', 1, 1],
  ],
  logins_by_device: [
    ['2026-01-05', 'BROWSER', 'macOS Chrome', 'macOS', 1, 1],
    ['2026-01-06', 'BROWSER', 'macOS Chrome', 'macOS', 1, 1],
    ['2026-01-14', 'BROWSER', 'macOS Chrome', 'macOS', 1, 1],
    ['2026-02-01', 'BROWSER', 'macOS Chrome', 'macOS', 1, 1],
    ['2026-02-02', 'BROWSER', 'macOS Chrome', 'macOS', 1, 1],
  ],
  failed_logins_by_address: [
    ['198.51.100.9', 'RU', 3, 2, '2026-02-02T06:00:00.000Z', '2026-02-02T06:00:02.000Z', 0],
    ['203.0.113.1', 'US', 1, 1, '2026-02-02T08:00:00.000Z', '2026-02-02T08:00:00.000Z', 4],
  ],
  failed_logins_by_user: [
    [
      'ann',
      'ann@example.com',
      3,
      2,
      '2026-02-02T06:00:00.000Z',
      '2026-02-02T08:00:00.000Z',
      '2026-02-02T07:00:00.000Z',
      1,
    ],
    [
      'bob',
      'bob@example.com',
      1,
      1,
      '2026-02-02T06:00:02.000Z',
      '2026-02-02T06:00:02.000Z',
      '2026-01-06T09:05:00.000Z',
      1,
    ],
  ],
  funnel_users: [
    [
      'ann',
      tenant,
      '2026-01-05T10:00:00.000Z',
      '2026-01-05T11:00:00.000Z',
      true,
      '2026-01-05T12:00:00.000Z',
      '2026-01-14T08:00:00.000Z',
    ],
    ['bob', tenant, '2026-01-06T09:00:00.000Z', null, false, '2026-01-06T09:05:00.000Z', null],
    ['cid', tenant, '2026-01-31T23:00:00.000Z', null, true, '2026-02-01T00:30:00.000Z', null],
  ],
  funnel: [['2026-01-01', 3, 2, 3, 1]],
  retention_by_cohort_weekly: [
    ['2026-01-05', '2026-01-05', 0, 2, 2, 1],
    ['2026-01-05', '2026-01-12', 1, 2, 1, 0.5],
    ['2026-01-05', '2026-01-19', 2, 2, 1, 0.5],
    ['2026-01-05', '2026-01-26', 3, 2, 0, 0],
    ['2026-01-05', '2026-02-02', 4, 2, 1, 0.5],
    ['2026-01-26', '2026-01-26', 0, 1, 1, 1],
    ['2026-01-26', '2026-02-02', 1, 1, 0, 0],
  ],
  retention_by_cohort_monthly: [
    ['2026-01-01', '2026-01-01', 0, 3, 2, 0.6667],
    ['2026-01-01', '2026-02-01', 1, 3, 2, 0.6667],
  ],
  mfa_adoption: [[tenant, 4, 2, 0.5]],
  mfa_users: [
    ['ann', tenant, 'authenticator', '2026-01-20T09:00:00.000Z'],
    ['dan', tenant, null, null],
  ],
};

/** Views with many columns, by those that tell their rows apart. */
const chosenAnswers: Readonly<Record<string, { columns: string; rows: readonly (readonly unknown[])[] }>> = {
  sign_ups: {
    columns: 'user_id, signed_up_at, tenant_id',
    rows: [
      ['ann', '2026-01-05T10:00:00.000Z', tenant],
      ['bob', '2026-01-06T09:00:00.000Z', tenant],
      ['cid', '2026-01-31T23:00:00.000Z', tenant],
    ],
  },
  logins: {
    columns:
      'timestamp, user_id, application_id, method, identity_provider_name, ip, country, device_name, os',
    rows: [
      [
        '2026-01-05T12:00:00.000Z',
        'ann',
        'shop',
        'PASSWORD',
        null,
        '203.0.113.1',
        'US',
        'macOS Chrome',
        'macOS',
      ],
      [
        '2026-01-06T09:05:00.000Z',
        'bob',
        'forum',
        'GOOGLE',
        'Google',
        '203.0.113.2',
        'DE',
        'macOS Chrome',
        'macOS',
      ],
      [
        '2026-01-14T08:00:00.000Z',
        'ann',
        'shop',
        'PASSWORD',
        null,
        '203.0.113.1',
        'US',
        'macOS Chrome',
        'macOS',
      ],
      [
        '2026-02-01T00:30:00.000Z',
        'cid',
        'shop',
        'PASSWORD',
        null,
        '203.0.113.1',
        'US',
        'macOS Chrome',
        'macOS',
      ],
      [
        '2026-02-02T07:00:00.000Z',
        'ann',
        'shop',
        'PASSWORD',
        null,
        '203.0.113.1',
        'US',
        'macOS Chrome',
        'macOS',
      ],
    ],
  },
  failed_logins: {
    columns: 'timestamp, user_id, ip, reason',
    rows: [
      ['2026-02-02T06:00:00.000Z', 'ann', '198.51.100.9', 'credentials'],
      ['2026-02-02T06:00:01.000Z', 'ann', '198.51.100.9', 'credentials'],
      ['2026-02-02T06:00:02.000Z', 'bob', '198.51.100.9', 'credentials'],
      ['2026-02-02T08:00:00.000Z', 'ann', '203.0.113.1', 'lambdaValidation'],
    ],
  },
  new_device_logins: {
    columns: 'timestamp, user_id, country',
    rows: [['2026-01-06T09:05:01.000Z', 'bob', 'DE']],
  },
  suspicious_logins: {
    columns: 'timestamp, user_id, threats',
    rows: [['2026-01-14T08:00:00.000Z', 'ann', '["ImpossibleTravel"]']],
  },
};

async function assertAnswers(schema: ViewedSchema): Promise<void> {
  for (const [view, rows] of Object.entries(answers)) {
    assert.deepEqual(await schema.answer(view), rows, view);
  }
  for (const [view, { columns, rows }] of Object.entries(chosenAnswers)) {
    assert.deepEqual(await schema.answer(view, columns), rows, view);
  }
}

describe('on known data', () => {
  for (const naming of ['fusionauth', 'segment'] as const) {
    test(`every view answers as worked out by hand, under the naming ${naming}`, async () => {
      const schema = await newSchema();
      await schema.load(mapped(history, naming));

      await schema.makeViews();

      await assertAnswers(schema);
    });
  }

  test('who changes the naming and replays all under the new one, counts everything once', async () => {
    const schema = await newSchema();
    await schema.load(mapped(history.slice(0, 15), 'fusionauth'));
    await schema.load(mapped(history, 'segment'));

    await schema.makeViews();

    await assertAnswers(schema);
  });

  test('the views say the same in a session with another time zone', async () => {
    const schema = await newSchema();
    await schema.load(mapped(history, 'fusionauth'));
    await schema.makeViews();
    const client = new pg.Client({ connectionString: warehouse.url });
    await client.connect();

    await client.query("set time zone 'Pacific/Auckland'");
    const { rows } = await client.query(
      `select day::text, logins::int from ${schema.name}.logins_by_tenant order by 1`,
    );
    await client.end();

    assert.deepEqual(
      rows,
      answers['logins_by_tenant']?.map(([day, , logins]) => ({ day, logins })),
    );
  });

  test('the timeline has all of a user’s messages in order', async () => {
    const schema = await newSchema();
    await schema.load(mapped(history, 'fusionauth'));
    await schema.makeViews();

    const bob = await schema.query(
      `select kind, what from $.user_timeline where user_id = 'bob' order by timestamp, id`,
    );

    assert.deepEqual(
      bob.map(({ kind, what }) => `${String(kind)} ${String(what)}`),
      [
        'identify null',
        'track user.create',
        'identify null',
        'track user.create.complete',
        'track user.login.success',
        'track user.login.new-device',
        'track jwt.refresh',
        'track user.two-factor.method.add',
        'track user.two-factor.method.remove',
        'track user.login.failed',
      ],
    );
  });

  test('before FusionAuth 1.30 there is only the event before the commit, and it counts', async () => {
    const schema = await newSchema();
    await schema.load(mapped([event('01-05T10:00:00', 'user.create', 'ann')], 'fusionauth'));

    await schema.makeViews();

    assert.deepEqual(await schema.answer('sign_ups_daily'), [['2026-01-05', tenant, 1]]);
  });
});

/** All relations of the views' names, with their columns' types. */
async function shapesOf(schema: ViewedSchema): Promise<unknown[]> {
  return warehouse.query(
    `select table_name, column_name, data_type from information_schema.columns
     where table_schema = $1 and table_name = any ($2) order by table_name, ordinal_position`,
    [schema.name, [...viewNames]],
  );
}

describe('whatever the schema holds', () => {
  test('in an empty schema every view is there, as it is described, and answers nothing', async () => {
    const schema = await newSchema();

    await schema.makeViews();

    for (const { name, columns } of views) {
      assert.deepEqual(await schema.answer(name, '*', '1'), [], name);
      const described = await schema.query(
        `select column_name from information_schema.columns
         where table_schema = '${schema.name}' and table_name = '${name}' order by ordinal_position`,
      );
      assert.deepEqual(
        described.map(({ column_name }) => column_name),
        Object.keys(columns),
        name,
      );
    }
  });

  test('tables and columns that come later change what views answer, and never their shape', async () => {
    const schema = await newSchema();
    await schema.makeViews();
    const shapes = await shapesOf(schema);
    await schema.query('create view $.mine as select * from $.logins');
    const bare = event('01-05T12:00:00', 'user.login.success', 'ann', {
      applicationId: null,
      authenticationType: null,
      connectorId: null,
      identityProviderId: null,
      identityProviderName: null,
    });
    const empty = await schema.tables();

    await schema.load(mapped([bare], 'fusionauth'));
    const withTable = await schema.tables();
    await schema.makeViews();
    const first = await schema.answer('mine', 'user_id, method', '1');
    await schema.load(mapped([event('01-06T12:00:00', 'user.login.success', 'bob', password)], 'fusionauth'));
    const withColumns = await schema.tables();
    await schema.makeViews();

    assert.deepEqual(first, [['ann', null]]);
    assert.deepEqual(await schema.answer('mine', 'user_id, method', '1'), [
      ['ann', null],
      ['bob', 'PASSWORD'],
    ]);
    assert.deepEqual(await shapesOf(schema), shapes);
    assert.ok(needsViews(empty, withTable));
    assert.ok(needsViews(withTable, withColumns));
  });

  test('tables and columns that no view reads need no new views', async () => {
    const schema = await newSchema();
    await schema.load(mapped(history, 'fusionauth'));
    const before = await schema.tables();

    await schema.load([
      track('m-1', 'Cart Filled', { items: 3 }),
      track('m-2', 'user.login.success', { favourite: 'green' }),
    ]);

    assert.ok(!needsViews(before, await schema.tables()));
  });

  test('a column of a type that a view does not expect reads as text, or as null', async () => {
    const schema = await newSchema();
    await schema.query(
      `create table $.user_login_success (id text primary key, "timestamp" text, user_id uuid, application_id int)`,
    );
    await schema.query(
      `insert into $.user_login_success values ('m-1', 'yesterday', '00000000-0000-4000-8000-000000000001', 7)`,
    );

    await schema.makeViews();

    assert.deepEqual(await schema.answer('logins', 'id, timestamp, user_id, application_id'), [
      ['m-1', null, '00000000-0000-4000-8000-000000000001', '7'],
    ]);
  });
});

function track(id: string, name: string, properties: TrackMessage['properties'] = {}): TrackMessage {
  return {
    type: 'track',
    messageId: id as MessageId,
    userId: 'ann',
    timestamp: '2026-01-05T12:00:00.000Z',
    event: name,
    properties,
    context: {},
  };
}

describe('beside the loader', () => {
  test('a whole number’s column that meets a fraction widens while views read it', async () => {
    const schema = await newSchema();
    await schema.load([track('m-1', 'user.login.success', { applicationId: 7 })]);
    await schema.makeViews();
    await schema.query('create view $.mine as select * from $.logins');

    await schema.load([track('m-2', 'user.login.success', { applicationId: 7.5 })]);
    const between = await schema.answer('mine', 'id, application_id');
    await schema.makeViews();

    assert.deepEqual(between, [
      ['m-1', '7'],
      ['m-2', '7.5'],
    ]);
    assert.deepEqual(await schema.answer('mine', 'id, application_id'), between);
    assert.equal((await schema.tables()).get('user_login_success')?.get('application_id'), 'numeric');
    assert.equal((await schema.tables()).has('discards'), false);
  });

  test('views that are dropped and made again in the transaction of a widening are as before', async () => {
    const schema = await newSchema();
    await schema.load([track('m-1', 'user.login.success', { applicationId: 7 })]);
    await schema.makeViews();
    const shapes = await shapesOf(schema);
    const tables = new Map(await schema.tables());
    tables.set(
      'user_login_success',
      new Map(tables.get('user_login_success')).set('application_id', 'numeric'),
    );

    await schema.run(
      [
        { text: 'begin', values: [] },
        ...dropViews(schema.name),
        {
          text: `alter table ${schema.name}.user_login_success alter column application_id type numeric`,
          values: [],
        },
        ...planViews({ schema: schema.name, tables }),
        { text: 'commit', values: [] },
      ].map(({ text, values }) => ({ text, values })),
    );

    assert.deepEqual(await schema.answer('logins', 'application_id', '1'), [['7']]);
    assert.deepEqual(await shapesOf(schema), shapes);
  });

  test('an event that is called like a view gets its table, and the view gives way', async () => {
    const schema = await newSchema();
    await schema.makeViews();

    await schema.run(dropViews(schema.name, ['user_timeline']));
    await schema.load([track('m-1', 'User Timeline')]);
    await schema.makeViews();

    assert.deepEqual(await schema.answer('user_timeline', 'id', '1'), [['m-1']]);
    assert.deepEqual(await schema.answer('logins', 'id', '1'), []);
  });

  test('views that are up to date are not locked, so that a long query over one holds up nothing', async () => {
    const schema = await newSchema();
    await schema.load(mapped(history, 'fusionauth'));
    await schema.makeViews();
    const reader = new pg.Client({ connectionString: warehouse.url });
    const loader = new pg.Client({ connectionString: warehouse.url });
    await reader.connect();
    await loader.connect();
    await reader.query(`begin; select * from ${schema.name}.logins; select * from ${schema.name}.funnel`);

    await loader.query("set lock_timeout = '1s'");
    for (const { text } of planViews({ schema: schema.name, tables: await schema.tables() }))
      await loader.query(text);

    await reader.end();
    await loader.end();
  });

  test('no view is called like the table of an event, under either naming', () => {
    const tables = new Set(eventTypes.flatMap(eventTables));

    assert.ok(tables.has('user_login_success') && tables.has('signed_in'));
    assert.deepEqual(
      [...viewNames].filter((name) => tables.has(name)),
      [],
    );
  });
});

const oldMark = '[fusionauth-segment view 00000000]';

describe('what is not ours', () => {
  test('a view or table of somebody’s that has a view’s name stays as it is', async () => {
    const schema = await newSchema();
    await schema.query('create view $.logins as select 1 as mine');
    await schema.query(`comment on view $.logins is 'Mine'`);
    await schema.query('create table $.funnel (mine integer)');
    await schema.query('create materialized view $.sign_ups as select 2 as mine');

    await schema.makeViews();
    await schema.run(dropViews(schema.name));

    assert.deepEqual(await schema.answer('logins', '*', '1'), [[1]]);
    assert.deepEqual(await schema.answer('sign_ups', '*', '1'), [[2]]);
    assert.deepEqual(await schema.answer('funnel', '*', '1'), []);
    assert.deepEqual(
      await schema.query(`select count(*)::int as views from pg_views where schemaname = '${schema.name}'`),
      [{ views: 1 }],
    );
  });

  test('a view of ours is somebody’s once they take the mark out of its comment', async () => {
    const schema = await newSchema();
    await schema.makeViews();
    await schema.query(
      'create or replace view $.funnel as select null::date as month, 1::bigint as signed_up, 2::bigint as verified, 3::bigint as logged_in, 4::bigint as returned',
    );
    await schema.query(`comment on view $.funnel is 'Ours, changed'`);

    await schema.load(mapped(history, 'fusionauth'));
    await schema.makeViews();

    assert.deepEqual(await schema.answer('funnel'), [[null, 1, 2, 3, 4]]);
  });

  test('a view of an earlier release with other columns is replaced', async () => {
    const schema = await newSchema();
    await schema.query('create view $.funnel as select 1 as earlier');
    await schema.query(`comment on view $.funnel is 'What it was ${oldMark}'`);

    await schema.makeViews();

    assert.deepEqual(await schema.answer('funnel', 'signed_up', '1'), []);
  });

  test('a view of an earlier release stays where somebody’s own view depends on it', async () => {
    const schema = await newSchema();
    await schema.query('create view $.funnel as select 1 as earlier');
    await schema.query(`comment on view $.funnel is 'What it was ${oldMark}'`);
    await schema.query('create view $.mine as select * from $.funnel');

    await schema.makeViews();

    assert.deepEqual(await schema.answer('mine', '*', '1'), [[1]]);
    assert.deepEqual(await schema.answer('logins', 'id', '1'), []);
  });

  test('where the user may not make views, nothing is made and nothing fails', async () => {
    const schema = await newSchema();
    await schema.query('revoke create on schema $ from current_user');

    await schema.makeViews();

    assert.deepEqual(await shapesOf(schema), []);
  });
});

test('every view and each of its columns says in its comment what it is', async () => {
  const schema = await newSchema();

  await schema.makeViews();

  for (const { name, comment, columns } of views) {
    const [stored] = await schema.query(
      `select obj_description('$.${name}'::regclass, 'pg_class') as comment`,
    );
    assert.ok(String(stored?.['comment']).startsWith(comment), name);
    const ofColumns = await schema.query(
      `select col_description(attrelid, attnum) as comment from pg_attribute
       where attrelid = '$.${name}'::regclass and attnum > 0 order by attnum`,
    );
    assert.deepEqual(
      ofColumns.map((column) => column['comment']),
      Object.values(columns).map((column) => column.comment),
    );
  }
});

test('the embedded warehouse’s read-only role may read the views', async () => {
  const schema = await newSchema();

  await schema.makeViews();

  for (const name of viewNames) {
    const [right] = await schema.query(
      `select has_table_privilege('${roles.reader}', '$.${name}', 'select') as may`,
    );
    assert.equal(right?.['may'], true, name);
  }
});
