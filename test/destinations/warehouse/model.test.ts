// Any messages, in any order, with repeats and with sessions that end in the middle, give the tables that a simple model
// of them gives.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { pino } from 'pino';
import { RetryableError } from '../../../src/destinations/destination.ts';
import { WarehouseDestination } from '../../../src/destinations/warehouse.ts';
import { externalServer } from '../../../src/destinations/warehouse/server.ts';
import type { JsonMap, Message, MessageId } from '../../../src/segment/message.ts';
import { until } from '../../support/until.ts';
import { startWarehouse } from '../../support/warehouse.ts';
import type { TestWarehouse } from '../../support/warehouse.ts';

const runs = Number(process.env['WAREHOUSE_MODEL_RUNS'] ?? 25);
const receivedAt = Date.parse('2026-01-31T12:00:01Z');
const never = new AbortController().signal;

type Value = string | number | boolean;
type Kind = 'text' | 'whole' | 'fraction' | 'boolean' | 'time';

/** The tables, as plain objects: what PostgreSQL should hold, but for the times of the load. */
class Model {
  readonly kinds = new Map<string, Kind>();
  readonly rows = new Map<string, Record<string, Value>>();
  /** Of each person's columns: when what stands there was said. */
  readonly saidAt = new Map<string, number>();
  readonly discards = new Set<string>();

  take(message: Message): void {
    const { messageId, userId = '' } = message;
    if (message.type === 'identify') {
      this.#write('identifies', messageId, message.traits);
      this.#bringUpToDate(userId, message.traits, Date.parse(message.timestamp ?? ''));
    } else if (message.type === 'track') {
      this.#write('tracks', messageId, {});
      this.#write(message.event, messageId, message.properties);
    }
  }

  #write(table: string, id: string, values: JsonMap): void {
    const isNew = !this.rows.has(`${table} ${id}`);
    const row = this.rows.get(`${table} ${id}`) ?? {};
    this.rows.set(`${table} ${id}`, row);
    for (const [column, value] of Object.entries(values)) {
      const fitting = this.#fit(table, id, column, value as Value | null);
      if (isNew && fitting !== undefined) row[column] = fitting;
    }
  }

  #bringUpToDate(id: string, values: JsonMap, at: number): void {
    const row = this.rows.get(`users ${id}`) ?? {};
    this.rows.set(`users ${id}`, row);
    for (const [column, value] of Object.entries(values)) {
      const fitting = this.#fit('users', id, column, value as Value | null);
      const isNewest = at >= (this.saidAt.get(`${id}.${column}`) ?? -Infinity);
      if (!isNewest || (value !== null && fitting === undefined)) continue;
      this.saidAt.set(`${id}.${column}`, at);
      if (fitting === undefined) Reflect.deleteProperty(row, column);
      else row[column] = fitting;
    }
  }

  #fit(table: string, id: string, column: string, value: Value | null): Value | undefined {
    if (value === null) return undefined;
    const key = `${table}.${column}`;
    const kind = kindOf(value);
    const before = this.kinds.get(key) ?? kind;
    const now = before === 'whole' && kind === 'fraction' ? 'fraction' : before;
    this.kinds.set(key, now);
    if (now === 'text') return String(value);
    if (kind === now || (now === 'fraction' && kind === 'whole'))
      return now === 'time' ? Date.parse(value as string) : value;
    this.discards.add([table, id, column, String(value)].join(' '));
    return undefined;
  }
}

function kindOf(value: Value): Kind {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isInteger(value) ? 'whole' : 'fraction';
  return /^2026-/.test(value) ? 'time' : 'text';
}

describe('whatever messages come, in whatever order, with repeats and ended sessions', () => {
  let warehouse: TestWarehouse;
  before(async () => {
    warehouse = await startWarehouse();
  });
  after(() => warehouse[Symbol.asyncDispose]());
  let schemas = 0;

  const anyValue = fc.oneof(
    fc.constantFrom('', 'text', 'more text', '2026-01-31T12:00:00.000Z', '2026-02-01T00:00:00.000Z'),
    fc.integer({ min: -5, max: 5 }),
    fc.constantFrom(0.5, -1.25),
    fc.boolean(),
    fc.constant(null),
  );
  const anyMap = fc.dictionary(fc.constantFrom('one', 'two', 'three'), anyValue, { maxKeys: 3 });
  const anyContent = fc.oneof(
    fc.record({
      type: fc.constant('identify' as const),
      userId: fc.constantFrom('ann', 'bob'),
      traits: anyMap,
    }),
    fc.record({
      type: fc.constant('track' as const),
      userId: fc.constantFrom('ann', 'bob'),
      event: fc.constantFrom('signed_in', 'signed_out'),
      properties: anyMap,
    }),
  );
  /** Batches, of which each may hold messages that were sent before; and when a session ends, if it does. */
  const anyHistory = fc.uniqueArray(fc.nat({ max: 10_000 }), { minLength: 1, maxLength: 30 }).chain((times) =>
    fc.record({
      contents: fc.tuple(...times.map(() => anyContent)),
      times: fc.constant(times),
      batches: fc.array(
        fc.record({
          numbers: fc.array(fc.nat({ max: times.length - 1 }), { minLength: 1, maxLength: 12 }),
          endsAfterMs: fc.option(fc.nat({ max: 20 }), { freq: 3 }),
        }),
        { minLength: 1, maxLength: 8 },
      ),
    }),
  );

  test('PostgreSQL holds what the model holds', async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory, async ({ contents, times, batches }) => {
        const schema = `model_${++schemas}`;
        const model = new Model();
        const messages = contents.map((content, index): Message => ({
          ...content,
          messageId: `message-${index}` as MessageId,
          timestamp: new Date(receivedAt + (times[index] ?? 0)).toISOString(),
          context: {},
        }));
        await using destination = openDestination(schema);

        for (const { numbers, endsAfterMs } of batches) {
          const batch = numbers.flatMap((number) => messages[number] ?? []);
          const ending = endsAfterMs === null ? undefined : endSession(endsAfterMs);
          await loadPatiently(destination, batch);
          await ending;
          for (const message of batch) model.take(message);
        }

        assert.deepEqual(await readRows(schema, model), model.rows);
        assert.deepEqual(await readDiscards(schema), model.discards);
      }),
      { numRuns: runs },
    );
  });

  function openDestination(schema: string): WarehouseDestination & AsyncDisposable {
    const destination = new WarehouseDestination({
      name: 'warehouse',
      server: externalServer(warehouse.url),
      schema,
      bridge: { id: 'this-bridge', host: 'here' },
      logger: pino({ level: 'silent' }),
    });
    return Object.assign(destination, { [Symbol.asyncDispose]: () => destination.close() });
  }

  async function loadPatiently(destination: WarehouseDestination, batch: readonly Message[]): Promise<void> {
    await until('the batch is loaded', async () => {
      try {
        const payloads = batch.map((message) => destination.encode(message, receivedAt).payload);
        const answers = await destination.send(payloads, never);
        return answers.every(({ kind }) => kind === 'accepted');
      } catch (error) {
        if (error instanceof RetryableError) return false;
        throw error;
      }
    });
  }

  async function endSession(afterMs: number): Promise<void> {
    await sleep(afterMs);
    await warehouse.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fusionauth-segment'`,
    );
  }

  /** All rows but those of the loader's own tables, with the columns that the model knows. */
  async function readRows(schema: string, { kinds }: Model): Promise<Map<string, Record<string, Value>>> {
    const rows = new Map<string, Record<string, Value>>();
    for (const table of ['identifies', 'users', 'tracks', 'signed_in', 'signed_out']) {
      const [there] = await warehouse.query('select to_regclass($1) as name', [`${schema}.${table}`]);
      if (there?.['name'] === null) continue;
      for (const { row } of await warehouse.query(`select to_jsonb(t) as row from ${schema}.${table} t`)) {
        const { id, ...values } = row as Record<string, Value | null>;
        const kept = Object.entries(values).flatMap(([column, value]): [string, Value][] => {
          if (!['one', 'two', 'three'].includes(column) || value === null) return [];
          return [[column, kinds.get(`${table}.${column}`) === 'time' ? Date.parse(String(value)) : value]];
        });
        rows.set(`${table} ${String(id)}`, Object.fromEntries(kept));
      }
    }
    return rows;
  }

  async function readDiscards(schema: string): Promise<Set<string>> {
    const [there] = await warehouse.query('select to_regclass($1) as name', [`${schema}.discards`]);
    if (there?.['name'] === null) return new Set();
    const discards = await warehouse.query(
      `select table_name, row_id, column_name, column_value from ${schema}.discards`,
    );
    return new Set(
      discards.map(({ table_name, row_id, column_name, column_value }) =>
        [table_name, row_id, column_name, column_value].join(' '),
      ),
    );
  }
});
