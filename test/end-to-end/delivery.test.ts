// From the webhook to Segment and to the row in PostgreSQL, through the running process.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { sample, startBridge } from '../support/bridge.ts';
import { SegmentStandIn } from '../support/segment.ts';
import type { ReceivedMessage } from '../support/segment.ts';
import { startWarehouse } from '../support/warehouse.ts';
import type { TestWarehouse } from '../support/warehouse.ts';
import { until } from '../support/until.ts';

const guideTypes = [
  'user.create.complete',
  'user.email.update',
  'user.update.complete',
  'user.login.success',
] as const;

describe('a bridge with Segment and a warehouse', () => {
  let warehouse: TestWarehouse;
  let segment: SegmentStandIn;
  before(async () => {
    warehouse = await startWarehouse();
    segment = await SegmentStandIn.start();
  });
  after(async () => {
    await segment[Symbol.asyncDispose]();
    await warehouse[Symbol.asyncDispose]();
  });

  const settings = (schema: string) => ({
    SEGMENT_WRITE_KEY: 'write-key',
    SEGMENT_ENDPOINT: segment.url,
    WAREHOUSE_URL: warehouse.url,
    WAREHOUSE_SCHEMA: schema,
  });
  const isOf = (userId: string) => (message: ReceivedMessage) => message['userId'] === userId;

  test('the guide’s four events arrive at Segment, right in every field', async () => {
    await using bridge = await startBridge(settings('four_events'));
    const userId = randomUUID();
    const ids = new Map<string, string>(guideTypes.map((type) => [type, randomUUID()]));

    for (const type of guideTypes) await bridge.post(sample(type, { id: ids.get(type) ?? '', userId }));
    await bridge.settled();

    const messages = segment.messages.filter(isOf(userId));
    const idOf = (type: string) => `fusionauth-${ids.get(type) ?? ''}`;
    assert.deepEqual(
      messages.map(({ messageId, event, timestamp }) => [messageId, event, timestamp]),
      [
        [`${idOf('user.create.complete')}-identify`, undefined],
        [`${idOf('user.create.complete')}-track`, 'user.create.complete'],
        [`${idOf('user.email.update')}-identify`, undefined],
        [`${idOf('user.email.update')}-track`, 'user.email.update'],
        [`${idOf('user.update.complete')}-identify`, undefined],
        [`${idOf('user.login.success')}-track`, 'user.login.success'],
      ].map((message) => [...message, '2026-01-01T00:00:00.000Z']),
    );
    assert.partialDeepStrictEqual(messages[0]?.['traits'], {
      data: { favouriteColour: 'green', seats: 3 },
      email: `richard.${userId.slice(0, 8)}@example.com`,
      firstName: 'Richard',
      lastName: 'Hendricks',
      active: true,
      birthDate: '1985-11-23',
      connectorId: 'e3306678-a53a-4964-9040-1c96f36dda72',
      insertInstant: '2026-01-01T00:00:00.000Z',
      lastLoginInstant: '2026-01-01T00:00:00.000Z',
      lastUpdateInstant: '2026-01-01T00:00:00.000Z',
      memberships: [{ groupId: '3c2fa6b1-9d6b-4f0c-8a3e-52f0a4d6c801' }],
      passwordChangeRequired: false,
      passwordLastUpdateInstant: '2026-01-01T00:00:00.000Z',
      preferredLanguages: ['en_US'],
      registrations: [
        {
          id: '5cb9e8b8-3b1e-4d1e-9c1d-3c2c8f6b1c11',
          applicationId: 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e',
          roles: ['user'],
          insertInstant: '2025-12-31T00:00:00.000Z',
          lastLoginInstant: '2025-12-31T00:00:00.000Z',
          verified: true,
        },
      ],
      tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
      twoFactor: { methods: [{ id: '7GK2', method: 'authenticator' }] },
      usernameStatus: 'ACTIVE',
      verified: true,
      verifiedInstant: '2025-12-31T00:00:00.000Z',
      name: 'Richard Hendricks',
      phone: '+1 555 0100',
      username: 'richard',
      birthday: '1985-11-23',
      createdAt: '2026-01-01T00:00:00.000Z',
      avatar: 'https://www.example.com/richard.png',
    });
    assert.partialDeepStrictEqual(messages.at(-1)?.['context'], {
      ip: '203.0.113.42',
      device: { name: 'macOS Chrome', type: 'BROWSER' },
      deviceName: 'macOS Chrome',
      deviceType: 'BROWSER',
      locale: 'en-US',
      timezone: 'America/Los_Angeles',
      applicationId: 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e',
      tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
      library: { name: 'fusionauth-segment' },
    });
    assert.deepEqual(new Set(segment.batches.map(({ writeKey }) => writeKey)), new Set(['write-key']));
  });

  test('the guide’s four events arrive in PostgreSQL, in Segment’s tables', async () => {
    await using bridge = await startBridge(settings('four_rows'));
    const userId = randomUUID();
    const id = randomUUID();

    for (const type of guideTypes)
      await bridge.post(sample(type, { userId, ...(type === 'user.login.success' ? { id } : {}) }));
    await bridge.settled();

    const count = async (table: string) =>
      (await warehouse.query(`select count(*)::int as n from four_rows.${table}`))[0]?.['n'];
    assert.deepEqual(
      await Promise.all(['identifies', 'users', 'tracks', 'user_login_success'].map(count)),
      [3, 1, 3, 1],
    );
    const [user] = await warehouse.query('select * from four_rows.users');
    assert.partialDeepStrictEqual(user, {
      id: userId,
      email: `richard.${userId.slice(0, 8)}@example.com`,
      name: 'Richard Hendricks',
      verified: true,
      data_seats: '3',
      birthday: new Date('1985-11-23T00:00:00Z'),
      context_device_name: 'macOS Chrome',
    });
    const [login] = await warehouse.query('select * from four_rows.user_login_success');
    assert.partialDeepStrictEqual(login, {
      id: `fusionauth-${id}-track`,
      user_id: userId,
      event: 'user_login_success',
      event_text: 'user.login.success',
      authentication_type: 'PASSWORD',
      original_timestamp: new Date('2026-01-01T00:00:00Z'),
      timestamp: new Date('2026-01-01T00:00:00Z'),
      context_ip: '203.0.113.42',
    });
  });

  test('a webhook becomes a row within a second', async () => {
    await using bridge = await startBridge(settings('seconds'));
    await bridge.post(sample('user.login.success'));
    await bridge.settled();
    const startedAt = performance.now();

    await bridge.post(sample('user.login.success'));
    await until('the row is there', async () => {
      const [row] = await warehouse.query('select count(*)::int as n from seconds.user_login_success');
      return row?.['n'] === 2;
    });

    assert.ok(performance.now() - startedAt < 1_000, `it took ${performance.now() - startedAt} ms`);
  });

  test('types that become nothing or are unknown, and events that name no user, are stored and filtered', async () => {
    await using bridge = await startBridge(settings('filtered'));

    await bridge.post(sample('user.create'));
    await bridge.post(sample('kickstart.success'));
    await bridge.post({ event: { id: randomUUID(), type: 'user.passkey.add', user: { id: 'u' } } });
    await bridge.post({ event: { id: randomUUID(), type: 'user.login.success', user: null } });

    const books = await bridge.settled();
    const filtered = { pending: 0, delivered: 0, filtered: 4, dead: 0 };
    assert.partialDeepStrictEqual(books, {
      received: 4,
      stored: 4,
      destinations: { segment: filtered, warehouse: filtered },
    });
  });

  test('a message that Segment would refuse becomes dead there, and holds nobody else up', async () => {
    await using bridge = await startBridge(settings('dead'));
    const large = sample('user.update.complete');
    const body = { event: { ...large.event, user: { id: 'large', data: { text: 'x'.repeat(40_000) } } } };

    await bridge.post(body);
    await bridge.post(sample('user.login.success'));

    const { destinations } = await bridge.settled();
    assert.partialDeepStrictEqual(destinations, {
      segment: { delivered: 1, dead: 1 },
      warehouse: { delivered: 2, dead: 0 },
    });
  });

  for (const [name, fault] of [
    ['503', { kind: 'status', status: 503 }],
    ['429 with Retry-After', { kind: 'status', status: 429, headers: { 'retry-after': '1' } }],
    ['a reset', { kind: 'reset' }],
    ['a reset after the batch was taken', { kind: 'taken-but-reset' }],
  ] as const) {
    test(`a batch that met ${name} is sent again, with the same message ids and a new sentAt`, async () => {
      await using own = await SegmentStandIn.start();
      await using bridge = await startBridge({ SEGMENT_WRITE_KEY: 'k', SEGMENT_ENDPOINT: own.url });
      own.fail(fault, 2);
      const body = sample('user.login.success');

      await bridge.post(body);
      await bridge.settled();

      assert.deepEqual(
        own.deduplicated.map(({ messageId }) => messageId),
        [`fusionauth-${body.event.id}-track`],
      );
      const times = own.batches.map(({ sentAt }) => sentAt);
      assert.equal(new Set(times).size, times.length);
      assert.ok(own.requests >= 3);
    });
  }

  test('a destination that is down delays no other', async () => {
    await using own = await SegmentStandIn.start();
    own.fail({ kind: 'status', status: 503 });
    await using bridge = await startBridge({ ...settings('down'), SEGMENT_ENDPOINT: own.url });

    await bridge.post(sample('user.login.success'));
    await until(
      'the warehouse has it',
      async () => (await bridge.books()).destinations['warehouse']?.delivered === 1,
    );

    const { segment: down } = (await bridge.books()).destinations;
    assert.partialDeepStrictEqual(down, { state: 'retrying', pending: 1 });
    assert.match(down?.fault?.hint ?? '', /kept and sent later/);
    assert.match(down?.fault?.message ?? '', /answered 503/);
  });

  test('a batch that is under way at SIGTERM is finished, and exit code is 0', async () => {
    await using own = await SegmentStandIn.start();
    own.latencyMs = 500;
    await using bridge = await startBridge({ SEGMENT_WRITE_KEY: 'k', SEGMENT_ENDPOINT: own.url });
    await bridge.post(sample('user.login.success'));
    await until('the batch is under way', () => own.requests === 1);

    await bridge.end('SIGTERM');

    assert.equal(bridge.exitCode, 0);
    assert.equal(own.messages.length, 1);
  });
});
