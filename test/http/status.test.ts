import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { Delivery } from '../../src/delivery/delivery.ts';
import { Turns } from '../../src/delivery/turns.ts';
import { accepted, RetryableError } from '../../src/destinations/destination.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { findImbalances, readLatest, readStatus } from '../../src/http/status.ts';
import type { DestinationStatus, Status } from '../../src/http/status.ts';
import type { EventLog } from '../../src/log/log.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import { eventId, makeEvent, OpenedLog } from '../log/opened-log.ts';
import { until } from '../support/until.ts';

describe('the status', () => {
  test('of a bridge that delivers tells its books, and of each destination its state', async () => {
    await using opened = await openLog();
    const event = makeEvent({ receivedAt: Date.now(), body: '{"id":"1","type":"test"}' });
    await opened.log.append(event);
    await opened.log.append(event);
    opened.log.countRejected();
    const idle = makeDelivery(opened.log, 'warehouse');
    await using running = await start(makeDelivery(opened.log, 'segment'));
    const { delivery } = running;
    const read = () => readStatus(opened.log, [delivery, idle]);
    await until(
      'nothing is pending at segment',
      async () => (await read()).destinations['segment']?.pending === 0,
    );

    const status = await read();

    assert.deepEqual(status, {
      received: 2,
      rejected: 1,
      duplicates: 1,
      stored: 1,
      destinations: {
        segment: {
          state: 'running',
          pending: 0,
          delivered: 0,
          filtered: 1,
          dead: 0,
          oldestPendingSeconds: 0,
        },
        warehouse: {
          state: 'starting',
          pending: 1,
          delivered: 0,
          filtered: 0,
          dead: 0,
          oldestPendingSeconds: status.destinations['warehouse']?.oldestPendingSeconds,
        },
      },
    });
    assert.deepEqual(findImbalances(status), []);
  });

  test('of a destination that fails tells its fault', async () => {
    await using opened = await openLog();
    const open = () => Promise.reject(new RetryableError('It is down', { hint: 'Start it' }));
    await using running = await start(makeDelivery(opened.log, 'segment', { open }));

    const { destinations } = await readStatus(opened.log, [running.delivery]);

    assert.partialDeepStrictEqual(destinations['segment'], {
      state: 'retrying',
      fault: { message: 'It is down', hint: 'Start it' },
    });
  });

  test('of a warehouse tells how many values fitted no column', async () => {
    await using opened = await openLog();
    const delivery = makeDelivery(opened.log, 'warehouse', { discardedValues: 3 });

    const { destinations } = await readStatus(opened.log, [delivery]);

    assert.partialDeepStrictEqual(destinations['warehouse'], { discardedValues: 3 });
  });

  test('of a bridge without destinations has none', async () => {
    await using opened = await openLog();

    const status = await readStatus(opened.log, []);

    assert.deepEqual(status, { received: 0, rejected: 0, duplicates: 0, stored: 0, destinations: {} });
  });
});

test('the last events are listed with their outcome at each destination', async () => {
  await using opened = await openLog();
  for (const id of ['1', '2', '3']) await opened.log.append(makeEvent({ id: eventId(id) }));
  const deliveries = [makeDelivery(opened.log, 'segment'), makeDelivery(opened.log, 'warehouse')];

  const latest = await readLatest(opened.log, deliveries, 2);

  const outcomes = { segment: 'pending', warehouse: 'pending' };
  assert.deepEqual(
    latest.map((record) => ({ id: record.id, outcomes: record.outcomes })),
    [
      { id: '3', outcomes },
      { id: '2', outcomes },
    ],
  );
});

describe('the books', () => {
  const balanced = makeStatus(
    { received: 10, duplicates: 3, stored: 7 },
    { pending: 1, delivered: 2, filtered: 3, dead: 1 },
  );

  const cases: [name: string, status: Status, expected: RegExp[]][] = [
    ['balance where all sums come out', balanced, []],
    ['balance where there is nothing', makeStatus({}, {}), []],
    ['balance whatever was rejected', { ...balanced, rejected: 99 }, []],
    [
      'do not where an event was received that is neither stored nor a duplicate',
      { ...balanced, received: 11 },
      [/^received 11 is not duplicates 3 \+ stored 7$/],
    ],
    [
      'do not where a record has no outcome',
      makeStatus({ received: 7, stored: 7 }, { pending: 1, delivered: 2, filtered: 3 }),
      [/^segment: stored 7 is not pending 1 \+ delivered 2 \+ filtered 3 \+ dead 0$/],
    ],
    [
      'do not where a record has two outcomes, though the sum comes out',
      makeStatus({ received: 7, stored: 7 }, { pending: -1, delivered: 8 }),
      [/^segment: .*pending -1/],
    ],
    [
      'do not at one destination though they do at another, and each sum is told',
      {
        ...balanced,
        duplicates: 2,
        destinations: { ...balanced.destinations, warehouse: makeDestinationStatus({ delivered: 6 }) },
      },
      [/^received 10 /, /^warehouse: /],
    ],
  ];
  for (const [name, status, expected] of cases) {
    test(name, () => {
      const imbalances = findImbalances(status);

      assert.equal(imbalances.length, expected.length);
      for (const [index, pattern] of expected.entries()) assert.match(imbalances[index] ?? '', pattern);
    });
  }
});

function makeStatus(books: Partial<Status>, segment: Partial<DestinationStatus>): Status {
  return {
    received: 0,
    rejected: 0,
    duplicates: 0,
    stored: 0,
    destinations: { segment: makeDestinationStatus(segment) },
    ...books,
  };
}

function makeDestinationStatus(fields: Partial<DestinationStatus>): DestinationStatus {
  return {
    state: 'running',
    pending: 0,
    delivered: 0,
    filtered: 0,
    dead: 0,
    oldestPendingSeconds: 0,
    ...fields,
  };
}

function openLog(): Promise<OpenedLog> {
  return OpenedLog.open((directory) => SqliteLog.open(directory));
}

/** A delivery whose mapping makes no message of any event. */
function makeDelivery(log: EventLog, name: string, changes: Partial<Destination> = {}): Delivery {
  const destination: Destination = {
    name,
    limits: { maxMessages: 1, maxBytes: 1 },
    open: () => Promise.resolve(),
    encode: (message) => ({ payload: message, bytes: 1 }),
    send: (batch) => Promise.resolve(batch.map(() => accepted)),
    close: () => Promise.resolve(),
    ...changes,
  };
  return new Delivery({
    log,
    destination,
    mappingFor: () => () => [],
    turns: new Turns(),
    logger: pino({ level: 'silent' }),
  });
}

async function start(delivery: Delivery): Promise<{ delivery: Delivery } & AsyncDisposable> {
  await delivery.start();
  return { delivery, [Symbol.asyncDispose]: () => delivery.stop(0) };
}
