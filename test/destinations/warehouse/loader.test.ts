// The destination `warehouse` and its loader, against a real PostgreSQL server.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import pg from 'pg';
import { pino } from 'pino';
import { BlockedError, RetryableError } from '../../../src/destinations/destination.ts';
import type { Answer } from '../../../src/destinations/destination.ts';
import { WarehouseDestination } from '../../../src/destinations/warehouse.ts';
import { connectionUrl, readConnection } from '../../../src/destinations/warehouse/embedded/connection.ts';
import { EmbeddedServer } from '../../../src/destinations/warehouse/embedded/server.ts';
import { externalServer } from '../../../src/destinations/warehouse/server.ts';
import type {
  IdentifyMessage,
  JsonMap,
  JsonValue,
  Message,
  MessageId,
  TrackMessage,
} from '../../../src/segment/message.ts';
import { freePort } from '../../support/free-port.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';
import { startWarehouse } from '../../support/warehouse.ts';
import type { TestWarehouse } from '../../support/warehouse.ts';

const receivedAt = Date.parse('2026-01-31T12:00:01Z');
const timestamp = '2026-01-31T12:00:00.000Z';
const never = new AbortController().signal;
const accepted: Answer = { kind: 'accepted' };
/** What is given up must have ended by then: far below any time limit of its own. */
const atOnceMs = 2_000;

let warehouse: TestWarehouse;
before(async () => {
  warehouse = await startWarehouse();
});
after(() => warehouse[Symbol.asyncDispose]());

function identify(id: string, userId: string, traits: JsonMap = {}): IdentifyMessage {
  return { type: 'identify', messageId: id as MessageId, userId, timestamp, traits, context: {} };
}

function track(id: string, properties: JsonMap = {}, event = 'Signed In'): TrackMessage {
  return {
    type: 'track',
    messageId: id as MessageId,
    userId: 'user-1',
    timestamp,
    event,
    properties,
    context: {},
  };
}

/** A warehouse destination, closed at the end of the scope. */
class Loading implements AsyncDisposable {
  readonly schema: string;
  readonly #destination: WarehouseDestination;

  constructor({ url, schema, id = 'this-bridge' }: { url: string; schema: string; id?: string }) {
    this.schema = schema;
    this.#destination = new WarehouseDestination({
      name: 'warehouse',
      server: externalServer(url),
      schema,
      bridge: { id, host: `the host of ${id}` },
      logger: pino({ level: 'silent' }),
    });
  }

  open(signal = never): Promise<void> {
    return this.#destination.open(signal);
  }

  /** One attempt to send a batch. */
  load(messages: readonly Message[], signal = never): Promise<readonly Answer[]> {
    return this.#destination.send(
      messages.map((message) => this.#destination.encode(message, receivedAt).payload),
      signal,
    );
  }

  /** Attempts until one succeeds, as delivery does. */
  async loadPatiently(messages: readonly Message[]): Promise<readonly Answer[]> {
    let answers: readonly Answer[] = [];
    await until(
      'the batch is loaded',
      async () => {
        try {
          answers = await this.load(messages);
          return true;
        } catch (error) {
          if (error instanceof RetryableError) return false;
          throw error;
        }
      },
      3_000,
    );
    return answers;
  }

  get discardedValues(): number {
    return this.#destination.discardedValues;
  }

  close(): Promise<void> {
    return this.#destination.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

let schemas = 0;

/** A destination with a schema of its own; of this bridge, unless another's id is given. */
function openWarehouse({
  url = warehouse.url,
  schema = `test_${++schemas}`,
  id = 'this-bridge',
} = {}): Loading {
  return new Loading({ url, schema, id });
}

/** Rows of a table, by their ids. */
function rowsOf(schema: string, table: string, columns = '*'): Promise<Record<string, unknown>[]> {
  return warehouse.query(
    `select ${columns} from ${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)} order by id`,
  );
}

/** The columns of a table with their types, in order. */
async function typesIn(schema: string, table: string): Promise<Record<string, unknown>> {
  const columns = await warehouse.query(
    `select column_name, data_type from information_schema.columns
     where table_schema = $1 and table_name = $2 order by ordinal_position`,
    [schema, table],
  );
  return Object.fromEntries(columns.map(({ column_name, data_type }) => [column_name as string, data_type]));
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

/** A session of somebody else's, ended at the end of the scope. */
async function openSession(url = warehouse.url): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** Waits until a session of the bridge's waits for a lock; resolves to its process id at the server. */
async function waitingSession(schema: string): Promise<number> {
  let pid = 0;
  await until('the bridge waits for the lock', async () => {
    const [session] = await warehouse.query(
      `select pid from pg_stat_activity
       where application_name = 'fusionauth-segment' and wait_event_type = 'Lock' and query like $1`,
      [`%${schema}%`],
    );
    pid = Number(session?.['pid'] ?? 0);
    return session !== undefined;
  });
  return pid;
}

/** A way to the server that can break or fall silent. */
class Line implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #server;
  #isSilent = false;
  /** Whether something was said since the line fell silent. */
  hasSwallowed = false;

  private constructor(target: URL) {
    this.#server = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ port: Number(target.port), host: target.hostname, allowHalfOpen: true });
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          near.destroy();
          far.destroy();
        });
      }
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on('data', (chunk) => {
          if (this.#isSilent) this.hasSwallowed = true;
          else to.write(chunk);
        });
        from.on('end', () => this.#isSilent || to.end());
      }
    });
  }

  static async to(url: string): Promise<Line> {
    const line = new Line(new URL(url));
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    return line;
  }

  /** The server's connection string by way of this line. */
  urlOf(url: string): string {
    const through = new URL(url);
    through.port = String((this.#server.address() as AddressInfo).port);
    return through.href;
  }

  fallSilent(): void {
    this.#isSilent = true;
  }

  break(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#sockets.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.break();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Fails where the work goes on, and breaks the line it goes on by, so that the test can end. */
async function endsAtOnce(work: Promise<unknown>, line?: Line): Promise<void> {
  const unfinished = Symbol();
  const deadline = Promise.withResolvers<typeof unfinished>();
  const timer = setTimeout(() => deadline.resolve(unfinished), atOnceMs);
  const result = await Promise.race([work, deadline.promise]);
  clearTimeout(timer);
  if (result === unfinished) line?.break();
  assert.notEqual(result, unfinished, `It went on for more than ${atOnceMs} ms`);
}

describe('a batch that is loaded', () => {
  test('is rows in Segment’s tables, with the types that their values ask for', async () => {
    await using bridge = openWarehouse();
    const contents = {
      email: 'ann@example.com',
      age: 41,
      score: 0.5,
      isActive: true,
      birthDate: '1990-02-28',
      createdAt: '2026-01-31T12:00:00.123Z',
      roles: ['admin', 'user'],
      address: { city: 'York' },
      nickname: null,
    };

    const answers = await bridge.load([
      { ...identify('message-1', 'user-1', contents), context: { ip: '192.0.2.1' } },
      track('message-2', contents),
    ]);

    assert.deepEqual(answers, [accepted, accepted]);
    const time = 'timestamp with time zone';
    const contentTypes = {
      address_city: 'text',
      age: 'bigint',
      birth_date: time,
      created_at: time,
      email: 'text',
      is_active: 'boolean',
      roles: 'text',
      score: 'numeric',
    };
    assert.deepEqual(await typesIn(bridge.schema, 'identifies'), {
      id: 'character varying',
      received_at: time,
      uuid_ts: time,
      ...contentTypes,
      context_ip: 'text',
      original_timestamp: time,
      sent_at: time,
      timestamp: time,
      user_id: 'text',
    });
    assert.deepEqual(await typesIn(bridge.schema, 'users'), {
      id: 'character varying',
      received_at: time,
      uuid_ts: time,
      ...contentTypes,
      context_ip: 'text',
    });
    assert.deepEqual(await typesIn(bridge.schema, 'tracks'), {
      id: 'character varying',
      received_at: time,
      uuid_ts: time,
      event: 'text',
      event_text: 'text',
      original_timestamp: time,
      sent_at: time,
      timestamp: time,
      user_id: 'text',
    });
    const stored = {
      email: 'ann@example.com',
      age: '41',
      score: '0.5',
      is_active: true,
      birth_date: new Date('1990-02-28T00:00:00Z'),
      created_at: new Date('2026-01-31T12:00:00.123Z'),
      roles: '["admin","user"]',
      address_city: 'York',
      received_at: new Date(receivedAt),
    };
    assert.partialDeepStrictEqual(await rowsOf(bridge.schema, 'users'), [{ id: 'user-1', ...stored }]);
    assert.partialDeepStrictEqual(await rowsOf(bridge.schema, 'signed_in'), [
      { id: 'message-2', ...stored, event: 'signed_in', event_text: 'Signed In', user_id: 'user-1' },
    ]);
    assert.partialDeepStrictEqual(await rowsOf(bridge.schema, 'identifies'), [
      { id: 'message-1', ...stored, context_ip: '192.0.2.1', timestamp: new Date(timestamp) },
    ]);
  });

  test('has its columns in Segment’s order: id, received_at, uuid_ts, the rest by name, later ones behind', async () => {
    await using bridge = openWarehouse();

    await bridge.load([track('message-1', { zip: 'YO1', city: 'York' })]);
    await bridge.load([track('message-2', { street: 'High' })]);

    assert.deepEqual(Object.keys(await typesIn(bridge.schema, 'signed_in')), [
      'id',
      'received_at',
      'uuid_ts',
      'city',
      'event',
      'event_text',
      'original_timestamp',
      'sent_at',
      'timestamp',
      'user_id',
      'zip',
      'street',
    ]);
  });

  test('has the message id as primary key, of up to 1,024 characters', async () => {
    await using bridge = openWarehouse();

    await bridge.load([track('message-1')]);

    const [key] = await warehouse.query(
      `select a.attname, a.atttypmod - 4 as length from pg_constraint c
       join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
       where c.contype = 'p' and c.conname = 'tracks_pkey' and c.connamespace = $1::regnamespace`,
      [bridge.schema],
    );
    assert.deepEqual(key, { attname: 'id', length: 1024 });
  });

  test('has each row once when the same batch comes again', async () => {
    await using bridge = openWarehouse();
    const batch = [identify('message-1', 'user-1', { plan: 'free' }), track('message-2', { method: 'x' })];

    const first = await bridge.load(batch);
    const before = await rowsOf(bridge.schema, 'signed_in');
    const second = await bridge.load(batch);

    assert.deepEqual([first, second], [batch.map(() => accepted), batch.map(() => accepted)]);
    for (const table of ['identifies', 'users', 'tracks', 'signed_in']) {
      assert.equal((await rowsOf(bridge.schema, table)).length, 1, table);
    }
    assert.deepEqual(await rowsOf(bridge.schema, 'signed_in'), before);
  });

  test('has each row once when a message stands in it twice', async () => {
    await using bridge = openWarehouse();
    const message = identify('message-1', 'user-1', { plan: 'free' });

    const answers = await bridge.load([message, message, track('message-2'), track('message-2')]);

    assert.deepEqual(answers, [accepted, accepted, accepted, accepted]);
    for (const table of ['identifies', 'users', 'tracks', 'signed_in']) {
      assert.equal((await rowsOf(bridge.schema, table)).length, 1, table);
    }
  });

  test('of a thousand messages arrives whole', async () => {
    await using bridge = openWarehouse();
    const batch = Array.from({ length: 1_000 }, (_, index) =>
      identify(`message-${index}`, `user-${index % 100}`, { index, email: `${index}@example.com` }),
    );

    const answers = await bridge.load(batch);

    assert.ok(answers.length === 1_000 && answers.every(({ kind }) => kind === 'accepted'));
    assert.equal((await rowsOf(bridge.schema, 'identifies', 'id')).length, 1_000);
    const users = await rowsOf(bridge.schema, 'users', 'id, index');
    assert.equal(users.length, 100);
    assert.deepEqual(users[0], { id: 'user-0', index: '900' });
  });

  test('goes on in a warehouse that an earlier bridge has filled', async () => {
    await using earlier = openWarehouse();
    await earlier.load([track('message-1', { count: 1 })]);
    await using bridge = openWarehouse({ schema: earlier.schema });

    await bridge.load([track('message-1', { count: 1 }), track('message-2', { count: 2, note: 'new' })]);

    assert.deepEqual(await rowsOf(bridge.schema, 'signed_in', 'id, count, note'), [
      { id: 'message-1', count: '1', note: null },
      { id: 'message-2', count: '2', note: 'new' },
    ]);
  });

  test('is in a schema of any name', async () => {
    await using bridge = openWarehouse({ schema: 'My "own" Schéma; --' });

    await bridge.load([track('message-1')]);

    assert.equal((await rowsOf(bridge.schema, 'tracks')).length, 1);
  });
});

describe('a person in users', () => {
  test('is brought up to date, and what a later identify does not say stays', async () => {
    await using bridge = openWarehouse();

    await bridge.load([identify('message-1', 'user-1', { email: 'old@example.com', plan: 'free' })]);
    await bridge.load([identify('message-2', 'user-1', { email: 'new@example.com', seats: 3 })]);
    await bridge.load([identify('message-3', 'user-1', { seats: null, colour: null })]);

    assert.deepEqual(await rowsOf(bridge.schema, 'users', 'id, email, plan, seats'), [
      { id: 'user-1', email: 'new@example.com', plan: 'free', seats: null },
    ]);
    assert.deepEqual(await rowsOf(bridge.schema, 'identifies', 'id, email, plan, seats'), [
      { id: 'message-1', email: 'old@example.com', plan: 'free', seats: null },
      { id: 'message-2', email: 'new@example.com', plan: null, seats: '3' },
      { id: 'message-3', email: null, plan: null, seats: null },
    ]);
  });

  for (const how of ['one batch', 'batches of their own'] as const) {
    test(`keeps of each column what was said last, though an older event comes later, in ${how}`, async () => {
      await using bridge = openWarehouse();
      const at = (seconds: number, id: string, traits: JsonMap) => ({
        ...identify(id, 'user-1', traits),
        timestamp: `2026-01-31T12:00:${seconds}.000Z`,
      });
      const messages = [
        at(20, 'first', { email: 'new@example.com', plan: 'paid' }),
        at(40, 'second', { plan: 'gold', seats: null }),
        at(30, 'late', { email: 'newer@example.com', plan: 'old', seats: 3, note: 'late' }),
        at(10, 'very late', { email: 'oldest@example.com', note: null, colour: 'red' }),
      ];

      if (how === 'one batch') await bridge.load(messages);
      else for (const message of messages) await bridge.load([message]);

      assert.deepEqual(await rowsOf(bridge.schema, 'users', 'id, email, plan, seats, note, colour'), [
        {
          id: 'user-1',
          email: 'newer@example.com',
          plan: 'gold',
          seats: null,
          note: 'late',
          colour: 'red',
        },
      ]);
    });
  }

  test('has the last value of a batch', async () => {
    await using bridge = openWarehouse();

    await bridge.load([
      identify('message-1', 'user-1', { email: 'first@example.com', plan: 'free' }),
      identify('message-2', 'user-1', { email: 'second@example.com' }),
    ]);

    assert.deepEqual(await rowsOf(bridge.schema, 'users', 'id, email, plan'), [
      { id: 'user-1', email: 'second@example.com', plan: 'free' },
    ]);
  });

  test('may have false, zero and an empty string in place of what stood there', async () => {
    await using bridge = openWarehouse();

    await bridge.load([identify('message-1', 'user-1', { isActive: true, seats: 3, note: 'text' })]);
    await bridge.load([identify('message-2', 'user-1', { isActive: false, seats: 0, note: '' })]);

    assert.deepEqual(await rowsOf(bridge.schema, 'users', 'is_active, seats, note'), [
      { is_active: false, seats: '0', note: '' },
    ]);
  });
});

describe('a table that changes', () => {
  test('gets new columns while another session reads it', async () => {
    await using bridge = openWarehouse();
    await bridge.load([track('message-0')]);
    const writing = new AbortController();
    const reading = (async () => {
      let reads = 0;
      for (; !writing.signal.aborted; reads++) await rowsOf(bridge.schema, 'signed_in');
      return reads;
    })();

    for (let index = 1; index <= 20; index++) {
      await bridge.load([track(`message-${index}`, { [`column${index}`]: index })]);
    }
    writing.abort();

    assert.ok((await reading) > 0);
    const rows = await rowsOf(bridge.schema, 'signed_in');
    assert.equal(rows.length, 21);
    assert.partialDeepStrictEqual(
      rows.find(({ id }) => id === 'message-20'),
      { column20: '20', column19: null },
    );
  });

  test('has a column of whole numbers widened when it meets a fraction, and keeps what stood there', async () => {
    await using bridge = openWarehouse();

    await bridge.load([track('message-1', { score: 9_007_199_254_740_991 })]);
    await bridge.load([track('message-2', { score: 1.5 }), track('message-3', { score: 2 })]);

    assert.equal((await typesIn(bridge.schema, 'signed_in'))['score'], 'numeric');
    assert.deepEqual(await rowsOf(bridge.schema, 'signed_in', 'id, score'), [
      { id: 'message-1', score: '9007199254740991' },
      { id: 'message-2', score: '1.5' },
      { id: 'message-3', score: '2' },
    ]);
  });

  test('with a view of somebody’s on a column of whole numbers still takes a row with a fraction', async () => {
    await using bridge = openWarehouse();
    await bridge.load([track('message-1', { score: 1 })]);
    await warehouse.query(
      `create view ${bridge.schema}.scores as select id, score from ${bridge.schema}.signed_in`,
    );

    const answers = await bridge.loadPatiently([track('message-2', { score: 1.5 }), track('message-3')]);

    assert.deepEqual(answers, [accepted, accepted]);
    assert.deepEqual(
      (await rowsOf(bridge.schema, 'signed_in', 'id')).map(({ id }) => id),
      ['message-1', 'message-2', 'message-3'],
    );
  });

  const intrusions: [what: string, sql: (schema: string) => string][] = [
    ['whose table is dropped', (schema) => `drop table ${schema}.signed_in cascade`],
    ['whose column is dropped', (schema) => `alter table ${schema}.signed_in drop column method`],
    ['whose column is renamed', (schema) => `alter table ${schema}.signed_in rename method to former`],
    [
      'whose column gets another type',
      (schema) => `alter table ${schema}.signed_in alter method type bigint using 0`,
    ],
    ...['jsonb', 'date', 'uuid', 'inet', 'text[]'].map((type): [string, (schema: string) => string] => [
      `that gets a column of type ${type} from somebody else first`,
      (schema) => `alter table ${schema}.signed_in add column note ${type}`,
    ]),
    ['whose schema is dropped', (schema) => `drop schema ${schema} cascade`],
    [
      'that gets a column of whole numbers from somebody else first',
      (schema) => `alter table ${schema}.signed_in add column note bigint`,
    ],
  ];
  for (const [what, sql] of intrusions) {
    test(`underneath, ${what}, is loaded into at the second attempt at the latest`, async () => {
      await using bridge = openWarehouse();
      await bridge.load([track('message-1', { method: 'password' })]);
      await warehouse.query(sql(bridge.schema));
      const batch = [track('message-2', { method: 'password', note: 'x' })];

      const answers = await bridge.load(batch).catch(async (error: unknown) => {
        assert.ok(error instanceof RetryableError, String(error));
        return bridge.load(batch);
      });

      assert.deepEqual(answers, [accepted]);
      const ids = (await rowsOf(bridge.schema, 'signed_in', 'id')).map(({ id }) => id);
      assert.ok(ids.includes('message-2'));
    });
  }

  test('in a load that fails is as it was before: no row, no column, no table is left behind', async () => {
    await using bridge = openWarehouse();
    await bridge.load([track('message-1', { method: 'password' })]);
    await warehouse.query(`alter table ${bridge.schema}.signed_in drop column method`);

    await failureOf(
      bridge.load([identify('message-2', 'user-1'), track('message-3', { method: 'x', newOne: 1 })]),
    );

    assert.equal((await rowsOf(bridge.schema, 'tracks')).length, 1);
    assert.deepEqual(await typesIn(bridge.schema, 'identifies'), {});
    assert.ok(!('new_one' in (await typesIn(bridge.schema, 'signed_in'))));
  });
});

describe('a value that fits no column', () => {
  test('goes to discards with its row, and the rest of the row arrives', async () => {
    await using bridge = openWarehouse();
    await bridge.load([track('message-1', { count: 3, isNew: true })]);

    const answers = await bridge.load([
      track('message-2', { count: 'many', isNew: 'perhaps', note: 'kept' }),
      track('message-3', { count: 4 }),
    ]);

    assert.deepEqual(answers, [accepted, accepted]);
    assert.deepEqual(await rowsOf(bridge.schema, 'signed_in', 'id, count, is_new, note'), [
      { id: 'message-1', count: '3', is_new: true, note: null },
      { id: 'message-2', count: null, is_new: null, note: 'kept' },
      { id: 'message-3', count: '4', is_new: null, note: null },
    ]);
    assert.deepEqual(
      await rowsOf(
        bridge.schema,
        'discards',
        'row_id, table_name, column_name, column_value, reason, received_at',
      ),
      [
        {
          row_id: 'message-2',
          table_name: 'signed_in',
          column_name: 'count',
          column_value: 'many',
          reason: 'a text value does not fit a bigint column',
          received_at: new Date(receivedAt),
        },
        {
          row_id: 'message-2',
          table_name: 'signed_in',
          column_name: 'is_new',
          column_value: 'perhaps',
          reason: 'a text value does not fit a boolean column',
          received_at: new Date(receivedAt),
        },
      ],
    );
  });

  test('stands in discards once, however often its batch is loaded', async () => {
    await using bridge = openWarehouse();
    await bridge.load([track('message-1', { count: 3 })]);
    const batch = [track('message-2', { count: 'many' })];

    await bridge.load(batch);
    await bridge.load(batch);

    assert.equal((await rowsOf(bridge.schema, 'discards')).length, 1);
    assert.equal(bridge.discardedValues, 1);
    await using again = openWarehouse({ schema: bridge.schema });
    await again.open();
    assert.equal(again.discardedValues, 1);
  });
});

describe('contents that are hostile to PostgreSQL arrive', () => {
  const text = (value: string) => value;
  const number = (value: string) => Number(value);
  const time = (value: string) => new Date(value).toISOString();
  const cases: [what: string, value: JsonValue, expected: unknown, read: (value: string) => unknown][] = [
    ['a NUL', 'a\u0000b', 'a\ufffdb', text],
    ['a NUL in an array', ['a\u0000b'], '["a\\u0000b"]', text],
    ['the escape of a NUL', 'a\\u0000b', 'a\\u0000b', text],
    ['half a surrogate pair', 'a\ud83d', 'a\ufffd', text],
    ['half a surrogate pair in an array', ['\ud83d'], '["\\ud83d"]', text],
    ['the escape of half a surrogate pair', '\\ud83d', '\\ud83d', text],
    ['an emoji', 'key 🔑', 'key 🔑', text],
    ['quotes and backslashes', `'"\\'';--\\`, `'"\\'';--\\`, text],
    ['a parameter’s name', '$1 %s ?', '$1 %s ?', text],
    ['control characters', '\u0001\u001f\u007f\t\r\n', '\u0001\u001f\u007f\t\r\n', text],
    ['a text of a million characters', 'é'.repeat(1_000_000), 'é'.repeat(1_000_000), text],
    ['the word NaN', 'NaN', 'NaN', text],
    ['the word null', 'null', 'null', text],
    ['a number near the end of the range', 1e308, 1e308, number],
    ['the largest number', Number.MAX_VALUE, Number.MAX_VALUE, number],
    ['the smallest number', Number.MIN_VALUE, Number.MIN_VALUE, number],
    ['a whole number of 20 digits', 2 ** 64, 2 ** 64, number],
    ['the largest exact whole number', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, number],
    ['a fraction that is none in binary', 0.1, 0.1, number],
    ['the last second that four digits can name', '9999-12-31T23:59:59Z', '9999-12-31T23:59:59.000Z', time],
    ['the last moment of a day', '2026-01-31T24:00:00Z', '2026-02-01T00:00:00.000Z', time],
    ['the widest offset', '2026-01-31T12:00:00+15:59', '2026-01-30T20:01:00.000Z', time],
    ['nanoseconds', '2026-01-31T12:00:00.123456789Z', '2026-01-31T12:00:00.123Z', time],
    ['the first day of our era', '0001-01-01', '0001-01-01', (value) => value.slice(0, 10)],
    ['a year zero', '0000-01-01', '0000-01-01', text],
    ['a 13th month', '2026-13-01', '2026-13-01', text],
    ['a 30th of February', '2026-02-30', '2026-02-30', text],
    ['a leap second', '2016-12-31T23:59:60Z', '2016-12-31T23:59:60Z', text],
    ['an offset too wide', '2026-01-31T12:00:00+16:00', '2026-01-31T12:00:00+16:00', text],
  ];
  for (const [what, value, expected, read] of cases) {
    test(`${what}, as a value`, async () => {
      await using bridge = openWarehouse();

      const answers = await bridge.load([track('message-1', { value, other: 'kept' }), track('message-2')]);

      assert.deepEqual(answers, [accepted, accepted]);
      const [row] = await rowsOf(bridge.schema, 'signed_in', 'value::text, other');
      assert.deepEqual(
        { value: read(String(row?.['value'])), other: row?.['other'] },
        { value: expected, other: 'kept' },
      );
    });
  }

  test('column names that are SQL words, in tables that are SQL words', async () => {
    await using bridge = openWarehouse();
    const words = [
      'select',
      'from',
      'order',
      'user',
      'table',
      'null',
      'default',
      'primary',
      'check',
      'all',
      'stored',
      'sent',
      'excluded',
    ];
    const properties = Object.fromEntries(words.map((word, index) => [word, index]));

    const answers = await bridge.load(words.map((word) => track(`message-${word}`, properties, word)));

    assert.ok(answers.every(({ kind }) => kind === 'accepted'));
    for (const word of words) {
      assert.partialDeepStrictEqual(await rowsOf(bridge.schema, word), [{ select: '0', excluded: '12' }]);
    }
  });

  test('names of PostgreSQL’s own columns and of every object in JavaScript', async () => {
    await using bridge = openWarehouse();
    const properties = JSON.parse(
      '{"constructor":"a","__proto__":"b","toString":"c","hasOwnProperty":"d"}',
    ) as JsonMap;

    const answers = await bridge.load([track('message-1', properties, 'constructor')]);

    assert.deepEqual(answers, [accepted]);
    assert.partialDeepStrictEqual(await rowsOf(bridge.schema, 'constructor'), [
      { constructor: 'a', proto: 'b', to_string: 'c', has_own_property: 'd' },
    ]);
  });

  test('names far longer than PostgreSQL keeps, alike but for their ends', async () => {
    await using bridge = openWarehouse();
    const long = 'registration'.repeat(10);
    const properties = { [`${long}One`]: 1, [`${long}Two`]: 2 };

    const answers = await bridge.load([
      track('message-1', properties, `${long} One`),
      track('message-2', properties, `${long} Two`),
    ]);

    assert.deepEqual(answers, [accepted, accepted]);
    const tables = await warehouse.query(
      `select table_name from information_schema.tables where table_schema = $1 and table_name like 'registrationregistration%'`,
      [bridge.schema],
    );
    assert.equal(tables.length, 2);
  });

  test('event names that are alike for as long as PostgreSQL keeps, less the end of a key’s name', async () => {
    await using bridge = openWarehouse();
    const alike = 'e'.repeat(58);

    const answers = await bridge.loadPatiently([
      track('message-1', {}, `${alike}_one`),
      track('message-2', {}, `${alike}_two`),
    ]);

    assert.deepEqual(answers, [accepted, accepted]);
    assert.equal((await rowsOf(bridge.schema, `${alike}_one`)).length, 1);
    assert.equal((await rowsOf(bridge.schema, `${alike}_two`)).length, 1);
  });

  test('an event that is named like the key of a table', async () => {
    await using bridge = openWarehouse();

    const answers = await bridge.loadPatiently([track('message-1', {}, 'Tracks Pkey')]);

    assert.deepEqual(answers, [accepted]);
    assert.equal((await rowsOf(bridge.schema, '_tracks_pkey')).length, 1);
  });
});

describe('a message that PostgreSQL refuses is rejected alone', () => {
  const tooMany = Object.fromEntries(Array.from({ length: 1_700 }, (_, index) => [`p${index}`, index]));
  const refusedTrack = track('i'.repeat(1_025));
  const refusedIdentify = identify('message-x', 'u'.repeat(1_025));
  const cases: [what: string, where: string, index: number, message: Message][] = [
    ['a message id longer than 1,024 characters', 'first', 0, refusedTrack],
    ['a message id longer than 1,024 characters', 'in the middle', 3, refusedTrack],
    ['a message id longer than 1,024 characters', 'last', 6, refusedTrack],
    ['a user id longer than 1,024 characters', 'in the middle', 3, refusedIdentify],
    ['more properties than a table may have columns', 'in the middle', 3, track('message-x', tooMany)],
  ];
  for (const [what, where, index, refused] of cases) {
    test(`for ${what}, ${where} of its batch, and its neighbours arrive`, async () => {
      await using bridge = openWarehouse();
      const good = Array.from({ length: 6 }, (_, id) => track(`message-${id}`, { id }));
      const batch: Message[] = [...good];
      batch.splice(index, 0, refused);

      const answers = await bridge.load(batch);

      assert.deepEqual(
        answers.map(({ kind }) => kind),
        batch.map((message) => (message === refused ? 'rejected' : 'accepted')),
      );
      assert.partialDeepStrictEqual(answers[index], { reason: 'warehouse_refused' });
      assert.deepEqual(
        (await rowsOf(bridge.schema, 'signed_in', 'id')).map(({ id }) => id),
        good.map(({ messageId }) => messageId),
      );
    });
  }

  test('for a unique index of somebody’s own, and its neighbours arrive', async () => {
    await using bridge = openWarehouse();
    await bridge.load([identify('message-1', 'user-1', { email: 'ann@example.com' })]);
    await warehouse.query(`create unique index on ${bridge.schema}.users (email)`);

    const answers = await bridge.load([
      identify('message-2', 'user-2', { email: 'bob@example.com' }),
      identify('message-3', 'user-3', { email: 'ann@example.com' }),
      identify('message-4', 'user-4', { email: 'eve@example.com' }),
    ]);

    assert.deepEqual(
      answers.map(({ kind }) => kind),
      ['accepted', 'rejected', 'accepted'],
    );
    assert.deepEqual(
      (await rowsOf(bridge.schema, 'users', 'id')).map(({ id }) => id),
      ['user-1', 'user-2', 'user-4'],
    );
  });

  test('and says why without a word of what it held', async () => {
    await using bridge = openWarehouse();

    const [answer] = await bridge.load([identify('message-1', 'secret'.repeat(200))]);

    assert.deepEqual(answer, {
      kind: 'rejected',
      reason: 'warehouse_refused',
      detail: 'PostgreSQL refused a row (SQLSTATE 22001)',
    });
  });
});

describe('another session', () => {
  test('that holds a lock is named in a RetryableError, and once it ends the batch loads', async () => {
    await using bridge = openWarehouse();
    await bridge.load([track('message-1')]);
    await using other = await openSession();
    await other.query(`begin; lock table ${bridge.schema}.signed_in in access exclusive mode`);
    const batch = [track('message-2')];

    const failure = await failureOf(bridge.load(batch));
    await other.query('rollback');
    const answers = await bridge.load(batch);

    assert.match(failure.hint, /Another session holds a lock on a table of the warehouse/);
    assert.deepEqual(answers, [accepted]);
    assert.equal((await rowsOf(bridge.schema, 'signed_in')).length, 2);
  });

  test('that ends the bridge’s own is a RetryableError, and the next attempt loads', async () => {
    await using bridge = openWarehouse();
    await bridge.load([track('message-1')]);
    await using other = await openSession();
    await other.query(`begin; lock table ${bridge.schema}.signed_in in access exclusive mode`);
    const batch = [track('message-2')];
    const loading = failureOf(bridge.load(batch));

    await warehouse.query('select pg_terminate_backend($1)', [await waitingSession(bridge.schema)]);
    await loading;
    await other.query('rollback');
    const answers = await bridge.load(batch);

    assert.deepEqual(answers, [accepted]);
    assert.equal((await rowsOf(bridge.schema, 'signed_in')).length, 2);
  });

  test('that ends the bridge’s idle one costs no more than one attempt', async () => {
    await using bridge = openWarehouse();
    await bridge.load([track('message-1')]);
    await warehouse.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fusionauth-segment'`,
    );

    const batch = [track('message-2')];

    const answers = await bridge.load(batch).catch(() => bridge.load(batch));

    assert.deepEqual(answers, [accepted]);
  });

  test('of another bridge on the same schema is refused, by the name of the first one’s host', async () => {
    await using first = openWarehouse();
    await first.load([track('message-1')]);
    await using second = openWarehouse({ schema: first.schema, id: 'other-bridge' });

    const failures = [await failureOf(second.open()), await failureOf(second.load([track('message-2')]))];

    for (const failure of failures) {
      assert.ok(failure instanceof BlockedError);
      assert.match(
        failure.message,
        /^Another bridge, on the host the host of this-bridge, loads into the schema/,
      );
      assert.match(failure.hint, /^Stop that bridge, or give this one a WAREHOUSE_SCHEMA of its own/);
    }
    assert.deepEqual(await first.load([track('message-3')]), [accepted]);
    assert.equal((await rowsOf(first.schema, 'tracks')).length, 2);
  });

  test('of another bridge is let in when the first one has stopped', async () => {
    await using first = openWarehouse();
    await first.load([track('message-1')]);
    await using second = openWarehouse({ schema: first.schema, id: 'other-bridge' });

    await first.close();

    assert.deepEqual(await second.load([track('message-2')]), [accepted]);
  });

  test('of another bridge takes the place of one that has been silent for long, which then is refused', async () => {
    await using first = openWarehouse();
    await first.load([track('message-1')]);
    await using second = openWarehouse({ schema: first.schema, id: 'other-bridge' });
    const { schema } = first;
    await warehouse.query(
      `update ${schema}.fusionauth_segment_state set seen_at = now() - interval '61 seconds'`,
    );

    const answers = await second.load([track('message-2')]);
    const failure = await failureOf(first.load([track('message-3')]));

    assert.deepEqual(answers, [accepted]);
    assert.ok(failure instanceof BlockedError);
    assert.deepEqual(
      (await rowsOf(schema, 'tracks', 'id')).map(({ id }) => id),
      ['message-1', 'message-2'],
    );
  });

  test('of this bridge’s own that it has not closed does not keep it out: it was killed', async () => {
    await using first = openWarehouse();
    await first.load([track('message-1')]);
    await using again = openWarehouse({ schema: first.schema });

    assert.deepEqual(await again.load([track('message-2')]), [accepted]);
  });
});

describe('a connection to the server', () => {
  test('that breaks in the middle of a load is a RetryableError, and the next attempt loads', async () => {
    await using line = await Line.to(warehouse.url);
    await using bridge = openWarehouse({ url: line.urlOf(warehouse.url) });
    await bridge.load([track('message-1')]);
    await using other = await openSession();
    await other.query(`begin; lock table ${bridge.schema}.signed_in in access exclusive mode`);
    const batch = [track('message-2')];
    const loading = failureOf(bridge.load(batch));

    await waitingSession(bridge.schema);
    line.break();
    await loading;
    await other.query('rollback');
    const answers = await bridge.loadPatiently(batch);

    assert.deepEqual(answers, [accepted]);
    assert.equal((await rowsOf(bridge.schema, 'signed_in')).length, 2);
  });

  test('that breaks between two loads costs no more than one attempt', async () => {
    await using line = await Line.to(warehouse.url);
    await using bridge = openWarehouse({ url: line.urlOf(warehouse.url) });
    await bridge.load([track('message-1')]);
    line.break();
    const batch = [track('message-2')];

    const answers = await bridge.load(batch).catch(() => bridge.load(batch));

    assert.deepEqual(answers, [accepted]);
  });

  test('on which a load waits for a lock is given up at once when the bridge stops', async () => {
    await using bridge = openWarehouse();
    await bridge.load([track('message-1')]);
    await using other = await openSession();
    await other.query(`begin; lock table ${bridge.schema}.signed_in in access exclusive mode`);
    const stopping = new AbortController();
    const loading = bridge.load([track('message-2')], stopping.signal);
    const givenUp = failureOf(loading);
    await waitingSession(bridge.schema);

    stopping.abort();

    await endsAtOnce(givenUp);
  });

  test('that falls silent in the middle of a load is given up at once when the bridge stops', async () => {
    await using line = await Line.to(warehouse.url);
    await using bridge = openWarehouse({ url: line.urlOf(warehouse.url) });
    await bridge.load([track('message-1')]);
    const stopping = new AbortController();
    line.fallSilent();
    const givenUp = failureOf(bridge.load([track('message-2')], stopping.signal));
    await until('the load is under way', () => line.hasSwallowed);

    stopping.abort();

    await endsAtOnce(givenUp, line);
  });

  test('that falls silent while it is idle does not hold up the bridge’s stop', async () => {
    await using line = await Line.to(warehouse.url);
    const bridge = openWarehouse({ url: line.urlOf(warehouse.url) });
    await bridge.load([track('message-1')]);

    line.fallSilent();

    await endsAtOnce(bridge[Symbol.asyncDispose](), line);
  });

  test('that is never answered is given up at once when the bridge stops', async () => {
    await using line = await Line.to(warehouse.url);
    await using bridge = openWarehouse({ url: line.urlOf(warehouse.url) });
    const stopping = new AbortController();
    line.fallSilent();
    const givenUp = failureOf(bridge.open(stopping.signal));
    await until('the bridge asks to be let in', () => line.hasSwallowed);

    stopping.abort();

    await endsAtOnce(givenUp, line);
  });
});

describe('whatever messages come', () => {
  /** Of what a message holds, only an id can be such that PostgreSQL has no row for it. */
  const isStorableId = (id: string) => id.length <= 1_024 && id.isWellFormed() && !id.includes('\0');
  const { value: anyValue } = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 2 },
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.constantFrom('2026-01-31', '2026-01-31T12:00:00Z', '2024-02-29T23:59:59.999+14:00'),
        // Days that a month has, and some that it has not.
        fc
          .tuple(fc.integer({ min: 10, max: 12 }), fc.integer({ min: 10, max: 32 }))
          .map(([month, day]) => `2026-${month}-${day}`),
      ),
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom('a', 'bC', 'id', 'select'), tie('value'), { maxKeys: 2 }),
    ),
  }));
  const anyMap = fc.dictionary(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.constantFrom('a', 'b', 'id', 'uuid', 'userId', 'order', 'event', 'constructor'),
      },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
    ),
    anyValue,
    { maxKeys: 5 },
  );
  const anyId = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom('user-1', 'user-2', 'user-3') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1 }) },
    { weight: 1, arbitrary: fc.constant('u'.repeat(1_025)) },
  );
  const anyEvent = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('Signed In', 'Users', 'tracks', 'user.create.complete') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  );
  const anyMessage = fc.oneof(
    fc.record({ type: fc.constant('identify' as const), userId: anyId, traits: anyMap, context: anyMap }),
    fc.record({
      type: fc.constant('track' as const),
      userId: anyId,
      event: anyEvent,
      properties: anyMap,
      context: anyMap,
    }),
  );

  test('each is loaded once or rejected for its id, and holds up no other', async () => {
    await using bridge = openWarehouse();
    // So that both tables are there to be counted in.
    await bridge.load([identify('identify', 'user-1'), track('track')]);
    let count = 0;

    await fc.assert(
      fc.asyncProperty(fc.array(anyMessage, { minLength: 1, maxLength: 8 }), async (contents) => {
        const messages = contents.map((fields): Message => ({
          messageId: `message-${++count}` as MessageId,
          timestamp,
          ...fields,
        }));

        const answers = await bridge.load(messages);
        const again = await bridge.load(messages);

        const stored = await warehouse.query(
          `select id from ${bridge.schema}.tracks union all select id from ${bridge.schema}.identifies`,
        );
        assert.deepEqual(again, answers);
        for (const [index, { messageId, userId = '' }] of messages.entries()) {
          const isAccepted = answers[index]?.kind === 'accepted';
          const rows = stored.filter(({ id }) => id === messageId).length;
          assert.equal(rows, isAccepted ? 1 : 0, messageId);
          assert.ok(isAccepted || !isStorableId(userId), `${messageId} was rejected`);
        }
      }),
      // Each run finds what the runs before it left in the tables, so a smaller example would not be the same one.
      { numRuns: 40, endOnFailure: true },
    );
  });
});

describe('a server', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: EmbeddedServer;
  let url: string;
  let adminUrl: string;
  before(async () => {
    folder = await temporaryFolder();
    server = new EmbeddedServer({
      dataDirectory: folder.path,
      port: await freePort(),
      schema: 'fusionauth',
      logger: pino({ level: 'silent' }),
    });
    url = await server.ensureRunning(never);
    const connection = readConnection(folder.path);
    assert.ok(connection);
    adminUrl = connectionUrl(connection, 'admin', 'warehouse');
    await using admin = await openSession(adminUrl);
    await admin.query(`create role guest login password 'guest'`);
    await admin.query(`create schema closed; grant usage on schema closed to guest`);
    await admin.query(`create schema granted authorization guest`);
  });
  after(async () => {
    await server.stop();
    await folder[Symbol.asyncDispose]();
  });

  /** The server's connection string with parts of it replaced. */
  function urlWith(parts: Partial<Pick<URL, 'username' | 'password' | 'pathname' | 'port'>>): string {
    return Object.assign(new URL(url), parts).href;
  }

  test('that is stopped is a RetryableError, and when it runs again the batch loads', async () => {
    await using bridge = openWarehouse({ url });
    await bridge.load([track('message-1')]);
    const batch = [track('message-2')];

    await server.stop();
    const failures = [await failureOf(bridge.load(batch)), await failureOf(bridge.load(batch))];
    await server.ensureRunning(never);
    const answers = await bridge.load(batch);

    assert.match(failures[1]?.message ?? '', /ECONNREFUSED/);
    assert.match(failures[1]?.hint ?? '', /No server answers there: start it/);
    assert.deepEqual(answers, [accepted]);
    await using session = await openSession(url);
    const { rows } = await session.query(`select id from ${bridge.schema}.signed_in order by id`);
    assert.deepEqual(rows, [{ id: 'message-1' }, { id: 'message-2' }]);
  });

  const refusals: [
    what: string,
    target: () => { url: string; schema?: string } | Promise<{ url: string }>,
    hint: RegExp,
  ][] = [
    [
      'that refuses the password',
      () => ({ url: urlWith({ password: 'wrong' }) }),
      /password was refused: mend it in WAREHOUSE_URL/,
    ],
    ['that does not know the user', () => ({ url: urlWith({ username: 'stranger' }) }), /WAREHOUSE_URL/],
    [
      'that has no such database',
      () => ({ url: urlWith({ pathname: '/elsewhere' }) }),
      /database does not exist: create it, or name another in WAREHOUSE_URL/,
    ],
    [
      'at which the user may not create a schema',
      () => ({ url: urlWith({ username: 'guest', password: 'guest' }) }),
      /GRANT CREATE ON DATABASE/,
    ],
    [
      'at which the user may not create tables in the schema',
      () => ({ url: urlWith({ username: 'guest', password: 'guest' }), schema: 'closed' }),
      /lacks a right: GRANT/,
    ],
    [
      'that is not there',
      async () => ({ url: urlWith({ port: String(await freePort()) }) }),
      /No server answers there: start it, or mend host and port in WAREHOUSE_URL/,
    ],
  ];
  for (const [what, target, hint] of refusals) {
    test(`${what} is a RetryableError that says what to do`, async () => {
      await using bridge = openWarehouse(await target());

      const opening = await failureOf(bridge.open().then(() => bridge.load([track('message-1')])));
      const loading = await failureOf(bridge.load([track('message-1')]));

      for (const failure of [opening, loading]) {
        assert.match(failure.hint, hint);
        assert.doesNotMatch(`${failure.message} ${failure.hint}`, /postgresql:|wrong|guest/);
      }
    });
  }

  test('at which the user may create no schema, but owns one, is loaded into', async () => {
    await using bridge = openWarehouse({
      url: urlWith({ username: 'guest', password: 'guest' }),
      schema: 'granted',
    });

    const answers = await bridge.load([track('message-1')]);

    assert.deepEqual(answers, [accepted]);
  });

  test('that is read-only is a RetryableError that says to name the primary', async () => {
    const connection = readConnection(folder.path);
    assert.ok(connection);
    await using bridge = openWarehouse({ url: connectionUrl(connection, 'reader') });

    const failure = await failureOf(bridge.open());

    assert.match(failure.hint, /read-only: name the primary in WAREHOUSE_URL/);
  });

  test('with no connection to spare is a RetryableError that says so, and with one the batch loads', async () => {
    await using admin = await openSession(adminUrl);
    await admin.query(`create role crowded login password 'crowded' connection limit 0`);
    await admin.query('grant create on database warehouse to crowded');
    await using bridge = openWarehouse({ url: urlWith({ username: 'crowded', password: 'crowded' }) });

    const failure = await failureOf(bridge.open());
    await admin.query('alter role crowded connection limit -1');
    const answers = await bridge.load([track('message-1')]);

    assert.match(failure.hint, /no connection to spare/);
    assert.deepEqual(answers, [accepted]);
  });
});
