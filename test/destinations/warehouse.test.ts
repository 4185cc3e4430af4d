// The destination `warehouse` against a real PostgreSQL that somebody has set up wrongly.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { BlockedError, RetryableError } from '../../src/destinations/destination.ts';
import { WarehouseDestination } from '../../src/destinations/warehouse.ts';
import { externalServer } from '../../src/destinations/warehouse/server.ts';
import type { MessageId } from '../../src/segment/message.ts';
import { freePort } from '../support/free-port.ts';
import { startWarehouse } from '../support/warehouse.ts';
import type { TestWarehouse } from '../support/warehouse.ts';

const never = new AbortController().signal;

describe('a warehouse', { timeout: 60_000 }, () => {
  let warehouse: TestWarehouse;
  before(async () => {
    warehouse = await startWarehouse();
  });
  after(() => warehouse[Symbol.asyncDispose]());

  const changed = (change: (url: URL) => void): string => {
    const url = new URL(warehouse.url);
    change(url);
    return url.href;
  };

  const blocking: [name: string, url: () => string | Promise<string>, code: string, hint: RegExp][] = [
    [
      'whose password is wrong',
      () => changed((url) => (url.password = 'wrong')),
      '28P01',
      /^The password was refused: mend it in WAREHOUSE_URL$/,
    ],
    [
      'whose user there is not',
      () => changed((url) => (url.username = 'nobody')),
      '28P01',
      /^The password was refused: mend it in WAREHOUSE_URL$/,
    ],
    [
      'whose database there is not',
      () => changed((url) => (url.pathname = '/elsewhere')),
      '3D000',
      /^The database does not exist: create it, or name another in WAREHOUSE_URL$/,
    ],
    [
      'that takes nothing that is written',
      () => changed((url) => url.searchParams.set('options', '-c default_transaction_read_only=on')),
      '25006',
      /^The server is read-only: name the primary/,
    ],
  ];
  for (const [name, url, code, hint] of blocking) {
    test(`${name} is blocked, and one sentence says what to mend`, async () => {
      await using destination = warehouseAt(await url(), 'wrongly_set');

      const failure = await failureOf(destination.open(never));

      assert.ok(failure instanceof BlockedError, `${failure.message}: ${String(failure.cause)}`);
      assert.equal(failure.code, 'DESTINATION_BLOCKED');
      assert.match(failure.message, new RegExp(`\\(${code}\\)$`));
      assert.match(failure.hint, hint);
      assert.doesNotMatch(`${failure.message} ${failure.hint}`, /secret-password|wrong/);
    });
  }

  test('in which the user may not make the schema is blocked, and opened once that is mended, without a new start', async () => {
    const [user, database] = await namesAt(warehouse);
    await warehouse.query(`revoke create on database ${database} from ${user}`);
    await using destination = warehouseAt(warehouse.url, 'forbidden');

    const failure = await failureOf(destination.open(never));
    await warehouse.query(`grant create on database ${database} to ${user}`);
    await destination.open(never);
    const answers = await destination.send([rowsOf(destination, 'late')], never);

    assert.ok(failure instanceof BlockedError, failure.message);
    assert.match(failure.message, /\(42501\)$/);
    assert.match(failure.hint, /^The user lacks a right: GRANT CREATE ON DATABASE/);
    assert.deepEqual(answers, [{ kind: 'accepted' }]);
  });

  test('in which the user may not write the tables is blocked with the batch, and takes it once that is mended', async () => {
    const [user] = await namesAt(warehouse);
    await using destination = warehouseAt(warehouse.url, 'lacking');
    await destination.send([rowsOf(destination, 'first')], never);
    await warehouse.query(`revoke insert on lacking.tracks from ${user}`);
    const batch = [rowsOf(destination, 'second')];

    const failure = await failureOf(destination.send(batch, never));
    await warehouse.query(`grant insert on lacking.tracks to ${user}`);
    const answers = await destination.send(batch, never);

    assert.ok(failure instanceof BlockedError, failure.message);
    assert.match(failure.hint, /^The user lacks a right: .* rights on the schema’s tables/);
    assert.deepEqual(answers, [{ kind: 'accepted' }]);
    const [row] = await warehouse.query('select count(*)::int as count from lacking.tracks');
    assert.equal(row?.['count'], 2);
  });

  const passing: [name: string, url: () => string | Promise<string>, hint: RegExp][] = [
    [
      'that is not there',
      async () => {
        const port = await freePort();
        return changed((url) => (url.port = String(port)));
      },
      /^No server answers there: start it/,
    ],
    [
      'whose host name is unknown',
      () => changed((url) => (url.hostname = `${'x'.repeat(64)}.invalid`)),
      /^The host name is unknown: mend WAREHOUSE_URL, or DNS/,
    ],
  ];
  for (const [name, url, hint] of passing) {
    test(`${name} is waited for`, async () => {
      await using destination = warehouseAt(await url(), 'waited_for');

      const failure = await failureOf(destination.open(never));

      assert.ok(!(failure instanceof BlockedError));
      assert.match(failure.hint, hint);
    });
  }
});

/** Of its role and its database, quoted. */
async function namesAt(warehouse: TestWarehouse): Promise<[user: string, database: string]> {
  const [row] = await warehouse.query(
    'select quote_ident(current_user) as role, quote_ident(current_database()) as name',
  );
  return [String(row?.['role']), String(row?.['name'])];
}

function warehouseAt(url: string, schema: string): WarehouseDestination & AsyncDisposable {
  const destination = new WarehouseDestination({
    name: 'warehouse',
    server: externalServer(url),
    schema,
    bridge: { id: 'this-bridge', host: 'here' },
    logger: pino({ level: 'silent' }),
  });
  return Object.assign(destination, { [Symbol.asyncDispose]: () => destination.close() });
}

function rowsOf(destination: WarehouseDestination, id: string) {
  const message = {
    type: 'track',
    messageId: id as MessageId,
    userId: 'u',
    event: 'Signed In',
    context: {},
    properties: {},
  } as const;
  return destination.encode(message, 1_767_225_600_000).payload;
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
