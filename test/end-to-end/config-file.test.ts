// What a configuration file says, seen at the destinations of a running bridge. Each file lies in a temporary folder of
// its own, outside of the repository, as its users' files do.

import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { KnownEventType } from '../../src/fusionauth/catalogue.ts';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentStandIn } from '../support/segment.ts';
import type { ReceivedMessage } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { startWarehouse } from '../support/warehouse.ts';
import type { TestWarehouse } from '../support/warehouse.ts';

/** FusionAuth waits this long for the answer to a webhook. */
const webhookLimitMs = 2_000;

interface Site extends AsyncDisposable {
  /** Of the configuration file. */
  readonly path: string;
  readonly dataDirectory: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** A folder with a configuration file and what a bridge leaves beside it; without a warehouse unless it names one. */
async function writeConfig(
  text: string,
  settings: Readonly<Record<string, string>> = {},
  fileName = 'bridge.config.ts',
): Promise<Site> {
  const folder = await temporaryFolder();
  const root = await realpath(folder.path);
  const path = join(root, fileName);
  await writeFile(path, text);
  const dataDirectory = join(root, 'data');
  return {
    path,
    dataDirectory,
    settings: {
      CONFIG: path,
      DATA_DIR: dataDirectory,
      PORT: String(await freePort()),
      WAREHOUSE_URL: 'off',
      ...settings,
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

interface DeadLetterRow {
  readonly consumer: string;
  readonly reason: string;
  readonly detail: string;
  readonly message: string;
}

/** As they stand in the log. */
function readDeadLetters({ dataDirectory }: Site): DeadLetterRow[] {
  const log = new DatabaseSync(join(dataDirectory, 'log.sqlite'), { readOnly: true });
  try {
    const rows = log.prepare('select consumer, reason, detail, message from dead_letters').all();
    return rows as unknown as DeadLetterRow[];
  } finally {
    log.close();
  }
}

/** Of these dead letters in the metrics. */
async function countDeadLetters(bridge: BridgeProcess, destination: string, reason: string): Promise<number> {
  const { text } = await bridge.get('/metrics');
  const labels = `destination="${destination}",reason="${reason}"`;
  const line = text
    .split('\n')
    .find((each) => each.startsWith(`fusionauth_segment_dead_letters_total{${labels}}`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

const usersOf = (messages: readonly ReceivedMessage[]) => new Set(messages.map(({ userId }) => userId));
const idsOf = (messages: readonly ReceivedMessage[]) => messages.map(({ messageId }) => messageId);

/** A webhook's body with a sample of a user in a tenant. */
function sampleIn(tenantId: string, type: KnownEventType, userId: string) {
  const { event } = sample(type, { userId });
  return { event: { ...event, tenantId } };
}

describe('two Segment sources, one for a single tenant', () => {
  const [ours, theirs] = [randomUUID(), randomUUID()];
  const config = `import { defineConfig } from 'fusionauth-segment';

export default defineConfig({
  events: { exclude: ['user.login.failed'] },
  destinations: {
    segment: { writeKey: process.env.ALL_KEY, endpoint: process.env.ALL_URL },
    acme: {
      type: 'segment',
      writeKey: process.env.ACME_KEY,
      endpoint: process.env.ACME_URL,
      events: { tenants: ['${ours}'] },
    },
  },
});
`;

  test('all events arrive at the one, only its tenant’s at the other, and each has books that are right', async () => {
    await using all = await SegmentStandIn.start();
    await using acme = await SegmentStandIn.start();
    await using site = await writeConfig(config, {
      ALL_KEY: 'all-key',
      ALL_URL: all.url,
      ACME_KEY: 'acme-key',
      ACME_URL: acme.url,
    });
    await using bridge = await BridgeProcess.start(site.settings);
    const [ourUser, theirUser] = [randomUUID(), randomUUID()];

    for (const [tenantId, userId] of [
      [ours, ourUser],
      [theirs, theirUser],
    ] as const) {
      for (const type of ['user.create.complete', 'user.login.success', 'user.login.failed'] as const) {
        await bridge.post(sampleIn(tenantId, type, userId));
      }
    }
    // Of no tenant.
    const { event } = sample('user.login.success', { userId: theirUser });
    await bridge.post({ event: { ...event, tenantId: undefined } });
    const { stored, destinations } = await bridge.settled();

    assert.equal(stored, 7);
    assert.partialDeepStrictEqual(destinations, {
      segment: { delivered: 5, filtered: 2, dead: 0 },
      acme: { delivered: 2, filtered: 5, dead: 0 },
    });
    assert.deepEqual(Object.keys(destinations), ['segment', 'acme']);
    assert.deepEqual(usersOf(all.messages), new Set([ourUser, theirUser]));
    assert.deepEqual(usersOf(acme.messages), new Set([ourUser]));
    assert.deepEqual(new Set(all.batches.map(({ writeKey }) => writeKey)), new Set(['all-key']));
    assert.deepEqual(new Set(acme.batches.map(({ writeKey }) => writeKey)), new Set(['acme-key']));
    const names = all.messages.map(({ event: name }) => name);
    assert.equal(names.includes('user.login.failed'), false, 'excluded everywhere');
    assert.deepEqual(
      idsOf(acme.messages),
      idsOf(all.messages.filter(({ userId }) => userId === ourUser)).map((id) => `${id}-acme`),
      'Segment may compare ids across sources',
    );
  });

  test('one without a write key is off, and the start says so', async () => {
    await using all = await SegmentStandIn.start();
    await using site = await writeConfig(config, { ALL_KEY: 'k', ALL_URL: all.url, ACME_KEY: '' });
    await using bridge = await BridgeProcess.start(site.settings);

    await bridge.post(sampleIn(ours, 'user.login.success', randomUUID()));
    const { destinations } = await bridge.settled();

    assert.deepEqual(Object.keys(destinations), ['segment']);
    assert.match(bridge.stdout, new RegExp(`settings +${site.path}\n`));
    assert.match(bridge.stdout, new RegExp(`segment +${all.url}\n`));
    assert.deepEqual(
      bridge.lines.filter(({ level }) => level === 40).map(({ destination, msg }) => [destination, msg]),
      [['acme', 'A destination of the configuration file is off']],
    );
  });

  test('each has its own position: one that is down keeps nothing from the other', async () => {
    await using all = await SegmentStandIn.start();
    await using acme = await SegmentStandIn.start();
    await using site = await writeConfig(config, {
      ALL_KEY: 'all-key',
      ALL_URL: all.url,
      ACME_KEY: 'acme-key',
      ACME_URL: acme.url,
    });
    acme.fail({ kind: 'status', status: 503 });
    await using bridge = await BridgeProcess.start(site.settings);
    const userId = randomUUID();

    await bridge.post(sampleIn(ours, 'user.login.success', userId));
    await bridge.post(sampleIn(theirs, 'user.login.success', userId));
    await untilBooks(bridge, 'segment', ({ delivered }) => delivered === 2);
    const whileDown = await bridge.books();
    acme.recover();
    const { destinations } = await bridge.settled();

    assert.partialDeepStrictEqual(whileDown.destinations['acme'], { delivered: 0 });
    assert.partialDeepStrictEqual(destinations['acme'], { delivered: 1, filtered: 1 });
    assert.equal(acme.deduplicated.length, 1);
  });
});

describe('with a warehouse beside Segment', () => {
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
  const messagesOf = (userId: string) => segment.messages.filter((message) => message['userId'] === userId);
  const traitsOf = (userId: string) =>
    messagesOf(userId)[0]?.['traits'] as Record<string, unknown> | undefined;
  const emailOf = (userId: string) => `richard.${userId.slice(0, 8)}@example.com`;
  const hashOf = (text: string, salt: string) => createHmac('sha256', salt).update(text).digest('hex');

  test('what the policy hashes and drops is hashed and dropped at both, and after a restart to the same', async () => {
    await using site = await writeConfig(
      `import { defineConfig } from 'fusionauth-segment';

export default defineConfig({
  privacy: { 'traits.email': 'hash', 'traits.firstName': 'drop', 'traits.name': 'drop', 'context.ip': 'truncate' },
});
`,
      settings('privacy'),
    );
    const [userId, other] = [randomUUID(), randomUUID()];
    const create = async (ofUser: string) => {
      await using bridge = await BridgeProcess.start(site.settings);
      await bridge.post(sample('user.create.complete', { userId: ofUser }));
      await bridge.post(sample('user.update.complete', { userId }));
      assert.partialDeepStrictEqual((await bridge.settled()).destinations, {
        segment: { dead: 0, filtered: 0 },
        warehouse: { dead: 0, filtered: 0 },
      });
      assert.doesNotMatch(bridge.stderr, /@example\.com/);
    };

    await create(userId);
    const salt = (await readFile(join(site.dataDirectory, 'privacy-salt'), 'utf8')).trim();
    await create(other);

    assert.equal(statSync(join(site.dataDirectory, 'privacy-salt')).mode & 0o777, 0o600);
    const hash = hashOf(emailOf(userId), salt);
    const identifies = messagesOf(userId).filter(({ type }) => type === 'identify');
    assert.equal(identifies.length, 3, 'one before the restart and one after it, beside the creation');
    for (const { traits, context } of identifies) {
      const { email, firstName, name, lastName } = traits as Record<string, unknown>;
      assert.deepEqual([email, firstName, name, lastName], [hash, undefined, undefined, 'Hendricks']);
      assert.equal((context as Record<string, unknown>)['ip'], '203.0.113.0');
    }
    assert.equal(traitsOf(other)?.['email'], hashOf(emailOf(other), salt));
    assert.doesNotMatch(JSON.stringify(segment.messages), new RegExp(emailOf(userId)));

    const rows = await warehouse.query('select * from privacy.identifies where user_id = $1', [userId]);
    assert.equal(rows.length, 3);
    for (const row of rows) {
      assert.deepEqual(
        [row['email'], row['last_name'], row['context_ip']],
        [hash, 'Hendricks', '203.0.113.0'],
      );
      assert.equal('first_name' in row || 'name' in row, false, 'not even a column');
    }
    const [user] = await warehouse.query('select * from privacy.users where id = $1', [userId]);
    assert.equal(user?.['email'], hash);
    assert.doesNotMatch(JSON.stringify([rows, user]), /@example\.com/);
  });

  test('PRIVACY_SALT is the salt where it is set, and then none is made', async () => {
    const salt = 'a salt from the vault of secrets';
    await using site = await writeConfig("export default { privacy: { 'traits.email': 'hash' } };\n", {
      ...settings('salted'),
      WAREHOUSE_URL: 'off',
      PRIVACY_SALT: salt,
    });
    await using bridge = await BridgeProcess.start(site.settings);
    const userId = randomUUID();

    await bridge.post(sample('user.create.complete', { userId }));
    await bridge.settled();

    assert.equal(traitsOf(userId)?.['email'], hashOf(emailOf(userId), salt));
    assert.equal(existsSync(join(site.dataDirectory, 'privacy-salt')), false);
  });

  test('a policy of one destination holds there alone', async () => {
    await using site = await writeConfig(
      `import { defineConfig } from 'fusionauth-segment';

export default defineConfig({
  privacy: { 'traits.firstName': 'drop' },
  destinations: { segment: { privacy: { 'traits.email': 'mask' } } },
});
`,
      settings('one_policy'),
    );
    await using bridge = await BridgeProcess.start(site.settings);
    const userId = randomUUID();

    await bridge.post(sample('user.create.complete', { userId }));
    await bridge.settled();

    const [row] = await warehouse.query('select * from one_policy.identifies');
    assert.equal(traitsOf(userId)?.['email'], 'r***@example.com');
    assert.equal(row?.['email'], emailOf(userId));
    assert.equal('firstName' in (traitsOf(userId) ?? {}), false);
    assert.equal('first_name' in row, false);
  });

  test('a property that map adds is at Segment and in a column, and the policy has the last word on it', async () => {
    await using site = await writeConfig(
      `import { defineConfig } from 'fusionauth-segment';
import { planOf } from './plans.ts';

export default defineConfig({
  privacy: { 'properties.secretPlan': 'drop' },
  map: (event, messages) =>
    messages.map((message) =>
      message.type === 'track'
        ? { ...message, properties: { ...message.properties, plan: planOf(event), secretPlan: 'x' } }
        : message,
    ),
});
`,
      settings('mapped'),
    );
    await writeFile(
      join(site.path, '..', 'plans.ts'),
      `import type { KnownEvent } from 'fusionauth-segment';
export const planOf = (event: KnownEvent): string => (event.type === 'user.login.success' ? 'pro' : 'free');
`,
    );
    await using bridge = await BridgeProcess.start(site.settings);
    const userId = randomUUID();

    await bridge.post(sample('user.login.success', { userId }));
    await bridge.settled();

    const [message] = messagesOf(userId);
    const properties = message?.['properties'] as Record<string, unknown>;
    assert.equal(properties['plan'], 'pro');
    assert.equal(properties['authenticationType'], 'PASSWORD', 'what was there is there still');
    assert.equal('secretPlan' in properties, false);
    const rows = await warehouse.query('select * from mapped.user_login_success');
    assert.deepEqual(
      rows.map(({ id, plan, secret_plan }) => ({ id, plan, secret_plan })),
      [{ id: message?.messageId, plan: 'pro', secret_plan: undefined }],
    );
  });

  test('an import of 1,200 users goes through map in portions, and all arrive', async () => {
    await using site = await writeConfig(
      `export default {
  map: (event, messages) => {
    const portion = messages[0].messageId;
    return messages.map((message) => ({ ...message, traits: { ...message.traits, portion } }));
  },
};
`,
      settings('imported'),
      'bridge.config.mjs',
    );
    await using bridge = await BridgeProcess.start(site.settings);
    const event = importOf(1_200);

    await bridge.post({ event });
    const { destinations } = await bridge.settled();

    assert.partialDeepStrictEqual(destinations, {
      segment: { delivered: 1, dead: 0 },
      warehouse: { delivered: 1, dead: 0 },
    });
    const expected = event.users.map(({ id }) => id);
    const arrived = segment.messages.filter(({ messageId }) => messageId.includes(event.id));
    assert.deepEqual(
      arrived.map(({ userId }) => userId),
      expected,
      'in the order of the import',
    );
    assert.equal(new Set(idsOf(arrived)).size, 1_200);
    const portions = Map.groupBy(arrived, ({ traits }) => (traits as { portion: string }).portion);
    assert.deepEqual(
      Array.from(portions.values(), (messages) => messages.length),
      [500, 500, 200],
    );
    const [count] = await warehouse.query(
      'select count(distinct user_id)::int as users, count(distinct portion)::int as portions from imported.identifies',
    );
    assert.deepEqual(count, { users: 1_200, portions: 3 });
  });

  test('an import of which map fails for one portion is dead, and the other portions arrive', async () => {
    const event = importOf(1_200);
    await using site = await writeConfig(
      `export default {
  map: (event, messages) => {
    if (messages.some(({ userId }) => userId === '${event.users[700]?.id ?? ''}')) throw new Error('no such user');
    return messages;
  },
};
`,
      { ...settings('imported_in_part'), WAREHOUSE_URL: 'off' },
      'bridge.config.mjs',
    );
    await using bridge = await BridgeProcess.start(site.settings);

    await bridge.post({ event });
    const { destinations } = await bridge.settled();

    assert.partialDeepStrictEqual(destinations, { segment: { delivered: 0, dead: 1 } });
    const arrived = segment.messages.filter(({ messageId }) => messageId.includes(event.id));
    assert.deepEqual(
      arrived.map(({ userId }) => userId),
      [...event.users.slice(0, 500), ...event.users.slice(1_000)].map(({ id }) => id),
    );
    const [dead, ...others] = readDeadLetters(site);
    assert.deepEqual(others, []);
    assert.match(dead?.detail ?? '', /^Error: no such user\n/);
  });

  function importOf(count: number) {
    const { event }: { event: { readonly [field: string]: unknown; readonly id: string } } =
      sample('user.bulk.create');
    const [user] = event['users'] as Record<string, unknown>[];
    const users = Array.from({ length: count }, (_, index) => ({
      ...user,
      id: randomUUID(),
      email: `user-${index}@example.com`,
    }));
    return { ...event, users };
  }
});

describe('code in the file', () => {
  let segment: SegmentStandIn;
  let second: SegmentStandIn;
  before(async () => {
    segment = await SegmentStandIn.start();
    second = await SegmentStandIn.start();
  });
  after(async () => {
    await segment[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
  });

  /** At two destinations, so that each function is called twice for each event. */
  const twoDestinations = () =>
    `destinations: { segment: { writeKey: 'k', endpoint: '${segment.url}' }, ` +
    `second: { type: 'segment', writeKey: 'k', endpoint: '${second.url}' } },`;

  test('that throws for one user makes dead letters with its stack, and the bridge goes on', async () => {
    const [bad, good, later] = [randomUUID(), randomUUID(), randomUUID()];
    await using site = await writeConfig(`import { defineConfig } from 'fusionauth-segment';

interface Plan { readonly name: string }

export default defineConfig({
  ${twoDestinations()}
  map: (event, messages) => {
    const plans: Record<string, Plan | undefined> = {};
    if (messages[0]?.userId === '${bad}') plans.none!.name;
    return messages;
  },
});
`);
    await using bridge = await BridgeProcess.start(site.settings);

    for (const userId of [bad, good, bad]) await bridge.post(sample('user.login.success', { userId }));
    await bridge.settled();
    await bridge.post(sample('user.create.complete', { userId: later }));
    const { destinations } = await bridge.settled();

    assert.partialDeepStrictEqual(destinations, {
      segment: { state: 'running', delivered: 2, filtered: 0, dead: 2 },
      second: { state: 'running', delivered: 2, filtered: 0, dead: 2 },
    });
    assert.deepEqual(usersOf(segment.messages), new Set([good, later]));
    assert.deepEqual(usersOf(second.messages), new Set([good, later]));
    const letters = readDeadLetters(site);
    assert.equal(letters.length, 4);
    for (const { reason, detail } of letters) {
      assert.equal(reason, 'map_failed');
      assert.match(detail, /^TypeError: Cannot read properties of undefined \(reading 'name'\)\n/);
      assert.ok(detail.includes(`${site.path}:9:`), `the line of the file is in it: ${detail}`);
    }
    assert.equal(await countDeadLetters(bridge, 'segment', 'map_failed'), 2);
    assert.equal(await countDeadLetters(bridge, 'second', 'map_failed'), 2);
    assert.doesNotMatch(bridge.stderr, /Cannot read properties/, 'what an event holds may be in it');
  });

  test('that never ends for one user is stopped, and webhooks are answered in time meanwhile', async () => {
    const [bad, good] = [randomUUID(), randomUUID()];
    await using site = await writeConfig(`import { defineConfig } from 'fusionauth-segment';

export default defineConfig({
  ${twoDestinations()}
  map: (event, messages) => {
    while (messages[0]?.userId === '${bad}');
    return messages;
  },
});
`);
    await using bridge = await BridgeProcess.start(site.settings);

    const badMs = await timesToPost(bridge, bad, 6);
    const goodMs = await timesToPost(bridge, good, 6);
    const { destinations } = await bridge.settled();

    assertInTime([...badMs, ...goodMs]);
    assert.partialDeepStrictEqual(destinations, {
      segment: { state: 'running', delivered: 6, filtered: 0, dead: 6 },
      second: { state: 'running', delivered: 6, filtered: 0, dead: 6 },
    });
    assert.equal(segment.messages.filter(({ userId }) => userId === good).length, 6);
    assert.deepEqual(
      new Set(readDeadLetters(site).map(({ reason, detail }) => `${reason}: ${detail.split('\n')[0] ?? ''}`)),
      new Set(['map_timeout: map took longer than 250 ms']),
    );
    assert.equal(await countDeadLetters(bridge, 'segment', 'map_timeout'), 6);
  });

  test('that never ends keeps no webhook waiting, however many destinations and events', async () => {
    const names = ['one', 'two', 'three'];
    await using site = await writeConfig(`export default {
  destinations: {
    ${names.map((name) => `${name}: { type: 'segment', writeKey: 'k', endpoint: '${segment.url}' },`).join(' ')}
  },
  map: () => { for (;;); },
};
`);
    await using bridge = await BridgeProcess.start(site.settings);

    const times = await Promise.all(Array.from({ length: 4 }, () => timesToPost(bridge, randomUUID(), 1)));
    await bridge.settled();

    assertInTime(times.flat());
  });

  test('that starts what fails later does not end the bridge', async () => {
    await using site = await writeConfig(`export default {
  ${twoDestinations()}
  map: (event, messages) => {
    void Promise.reject(new Error('nobody waits for this'));
    return messages;
  },
};
`);
    await using bridge = await BridgeProcess.start(site.settings);

    await bridge.post(sample('user.login.success'));
    const { destinations } = await bridge.settled();

    assert.partialDeepStrictEqual(destinations, { segment: { pending: 0 }, second: { pending: 0 } });
    assert.equal(bridge.hasExited, false);
  });

  /** Posts one login after the other. */
  async function timesToPost(bridge: BridgeProcess, userId: string, count: number): Promise<number[]> {
    const milliseconds: number[] = [];
    for (let posted = 0; posted < count; posted++) {
      const startedAt = performance.now();
      const { status } = await bridge.post(sample('user.login.success', { userId }));
      milliseconds.push(performance.now() - startedAt);
      assert.equal(status, 200);
    }
    return milliseconds;
  }

  function assertInTime(milliseconds: readonly number[]): void {
    const shown = milliseconds.map(Math.round).join(', ');
    assert.ok(Math.max(...milliseconds) < webhookLimitMs, `webhooks were answered after ${shown} ms`);
  }

  test('lets events pass or not', async () => {
    const [bad, good, other] = [randomUUID(), randomUUID(), randomUUID()];
    await using site = await writeConfig(`import { defineConfig } from 'fusionauth-segment';

export default defineConfig({
  events: {
    filter: (event) => {
      if (!('user' in event)) return false;
      if (event.user?.id === '${bad}') throw new Error('who is that?');
      return event.user?.id === '${good}';
    },
  },
  ${twoDestinations()}
});
`);
    await using bridge = await BridgeProcess.start(site.settings);

    for (const userId of [good, bad, other, good])
      await bridge.post(sample('user.login.success', { userId }));
    await bridge.post(sample('group.create.complete'));
    const { destinations } = await bridge.settled();

    for (const name of ['segment', 'second']) {
      assert.partialDeepStrictEqual(destinations[name], { delivered: 2, filtered: 2, dead: 1 });
      assert.equal(await countDeadLetters(bridge, name, 'filter_failed'), 1);
    }
    assert.equal(segment.messages.filter(({ userId }) => userId === good).length, 2);
    assert.equal(usersOf(segment.messages).has(other), false);
    for (const { reason, detail } of readDeadLetters(site)) {
      assert.equal(reason, 'filter_failed');
      assert.ok(detail.includes(`${site.path}:7:`), detail);
    }
  });

  test('may return what is no message: dead letters say so', async () => {
    await using site = await writeConfig(`export default {
  ${twoDestinations()}
  map: (event) =>
    ({
      'user.create.complete': undefined,
      'user.update.complete': [{ type: 'track', event: 'Nobody did it', properties: {} }],
      'user.login.success': [],
      'user.deactivate': Promise.resolve([]),
      'user.reactivate': [{ type: 'track', userId: event.user?.id, event: 'Came Back', properties: { at: new Date(0) } }],
    })[event.type],
};
`);
    await using bridge = await BridgeProcess.start(site.settings);
    const userId = randomUUID();

    for (const type of [
      'user.create.complete',
      'user.update.complete',
      'user.login.success',
      'user.deactivate',
      'user.reactivate',
    ] as const) {
      await bridge.post(sample(type, { userId }));
    }
    const { destinations } = await bridge.settled();

    assert.partialDeepStrictEqual(destinations, { segment: { delivered: 1, filtered: 1, dead: 3 } });
    assert.deepEqual(
      segment.messages
        .filter((message) => message['userId'] === userId)
        .map(({ event, properties }) => ({ event, properties })),
      [{ event: 'Came Back', properties: { at: '1970-01-01T00:00:00.000Z' } }],
    );
    assert.deepEqual(
      readDeadLetters(site)
        .filter(({ consumer }) => consumer === 'segment')
        .map(({ reason }) => reason),
      ['map_failed', 'no_user_anon_id', 'map_failed'],
    );
  });
});

test('a file with faults ends the start before anything is made: all faults are told, with their lines', async () => {
  await using site = await writeConfig(
    `import { defineConfig } from 'fusionauth-segment';

export default defineConfig({
  naming: 'mine',
  destinations: { acme: { writeKey: 'k' } },
});
`,
    { LOG_LEVEL: 'loud' },
  );

  await using bridge = await BridgeProcess.startInVain(site.settings);

  assert.equal(bridge.exitCode, 1);
  assert.equal(bridge.stdout, '');
  assert.equal(
    bridge.stderr,
    `${site.path}:4: naming must be fusionauth or segment\n` +
      `${site.path}:5: destinations.acme needs type: 'segment' or type: 'postgres'\n` +
      'LOG_LEVEL="loud" is not allowed: it must be fatal, error, warn, info, debug, trace, silent\n',
  );
  assert.equal(existsSync(site.dataDirectory), false);
});

async function untilBooks(
  bridge: BridgeProcess,
  name: string,
  isSo: (books: { delivered: number }) => boolean,
): Promise<void> {
  await until(`the books of ${name} are so`, async () => {
    const books = (await bridge.books()).destinations[name];
    return books !== undefined && isSo(books);
  });
}
