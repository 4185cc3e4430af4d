// The loop from a real log to a destination that does what the test says.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { Delivery } from '../../src/delivery/delivery.ts';
import type { DeliveryOptions } from '../../src/delivery/delivery.ts';
import { accepted, RetryableError } from '../../src/destinations/destination.ts';
import type { Answer, Destination, EncodedMessage, Rejection } from '../../src/destinations/destination.ts';
import type { ConsumedRecords, ConsumeLimits, EventLog, ReceivedEvent } from '../../src/log/log.ts';
import { LogUnavailableError } from '../../src/log/log.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import { reviveEvent } from '../../src/fusionauth/event.ts';
import type { Mapping } from '../../src/mapping/map.ts';
import type { Message, MessageId } from '../../src/segment/message.ts';
import { appendAll, assertBooks, eventId, makeEvent, OpenedLog } from '../log/contract.ts';
import { until } from '../support/until.ts';

const silent = pino({ level: 'silent' });
/** With `random: () => 1`. */
const firstWaitMs = 250;
/** Longer than any test may take: who waits for it to its end fails. */
const hourMs = 3_600_000;

describe('delivery', { concurrency: 4, timeout: 30_000 }, () => {
  test('messages arrive in the order of the log, in batches that the destination takes', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    const ids = await appendEvents(opened.log, 8);

    await using running = run(opened.log, destination);
    await running.delivery.start();
    await until('all messages have arrived', () => destination.messageIds.length === 8);

    assert.deepEqual(destination.messageIds, ids);
    assert.deepEqual(
      destination.sends.map(({ messageIds }) => messageIds.length),
      [3, 3, 2],
    );
  });

  test('events that come while it runs are delivered', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    await using running = run(opened.log, destination);
    await running.delivery.start();

    for (const id of ['a', 'b', 'c']) {
      await opened.log.append(makeLogin({ id: eventId(id) }));
      await until(`${id} has arrived`, () => destination.messageIds.at(-1) === id);
    }

    assert.deepEqual(destination.messageIds, ['a', 'b', 'c']);
  });

  test('each record gets its outcome: delivered, filtered, dead before it is sent or by the answer', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = (batch) => batch.map((id) => (id === 'rejected' ? rejected : accepted));
    await appendAll(opened.log, [
      makeLogin({ id: eventId('unsendable') }),
      makeLogin({ id: eventId('first') }),
      makeLogin({ id: eventId('rejected') }),
      makeEvent({ id: eventId('stored-only'), body: '{"id":"stored-only","type":"unmapped"}' }),
      makeEvent({ id: eventId('broken'), body: '{"id":"broken","type":"unmappable"}' }),
      makeLogin({ id: eventId('last') }),
    ]);

    await using running = run(opened.log, destination);
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    const latest = await opened.log.latest(10, ['segment']);
    assert.deepEqual(Object.fromEntries(latest.map(({ id, outcomes }) => [id, outcomes['segment']])), {
      unsendable: 'dead',
      first: 'delivered',
      rejected: 'dead',
      'stored-only': 'filtered',
      broken: 'dead',
      last: 'delivered',
    });
    assert.deepEqual(destination.messageIds, ['first', 'rejected', 'last']);
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 2, filtered: 1, dead: 3 } });
  });

  test('a dead record does not hold up those that come after it', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    await using running = run(opened.log, destination);
    await running.delivery.start();
    await opened.log.append(makeLogin({ id: eventId('unsendable') }));
    await until('the record is dead', () => isSettled(opened.log, 'segment'));

    await opened.log.append(makeLogin({ id: eventId('behind') }));
    await until('the record behind it has arrived', () => destination.messageIds.includes('behind'));

    assert.equal(running.delivery.state, 'running');
    assert.equal(running.delivery.fault, undefined);
  });

  test('a batch that fails is sent again with the same messages, until it is taken', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = failing(2);
    const ids = await appendEvents(opened.log, 5);

    await using running = run(opened.log, destination);
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    const [first, second] = [ids.slice(0, 3), ids.slice(3)];
    assert.deepEqual(
      destination.sends.map(({ messageIds }) => messageIds),
      [first, first, first, second],
    );
    assert.ok(destination.waitMs(0) > firstWaitMs - 10, 'it waits before the second attempt');
    assert.ok(destination.waitMs(1) > 2 * firstWaitMs - 10, 'it waits twice as long before the third');
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 5, filtered: 0, dead: 0 } });
  });

  test('what the destination asks for is waited for', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = failing(1, { retryAfterMs: 700 });
    await appendEvents(opened.log, 1);

    await using running = run(opened.log, destination);
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    assert.ok(destination.waitMs(0) > 690, `it waited ${destination.waitMs(0)} ms`);
  });

  test('a failing attempt can be seen while it lasts, and is forgotten when one succeeds', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    await using running = run(opened.log, destination);
    const { delivery } = running;
    const states: string[] = [delivery.state];
    await delivery.start();
    states.push(delivery.state);
    const startedAt = Date.now();

    destination.answer = failing(2);
    await appendEvents(opened.log, 1);
    await until('the first attempt has failed', () => delivery.fault?.attempts === 1);
    const first = delivery.fault;
    states.push(delivery.state);
    await until('the second attempt has failed', () => delivery.fault?.attempts === 2);
    const second = delivery.fault;
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));
    const last = delivery.fault;
    states.push(delivery.state);
    await delivery.stop(0);
    states.push(delivery.state);

    assert.deepEqual(states, ['starting', 'running', 'retrying', 'running', 'stopped']);
    assert.ok(first && first.since >= startedAt && first.since <= Date.now());
    assert.deepEqual(second, {
      message: 'It is down',
      hint: 'Start it',
      attempts: 2,
      since: first.since,
    });
    assert.equal(last, undefined);
  });

  test('a destination that cannot be opened yet is tried again, and the start does not wait for it', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.openFaults = 2;
    const ids = await appendEvents(opened.log, 2);

    await using running = run(opened.log, destination);
    await running.delivery.start();
    const first = { state: running.delivery.state, message: running.delivery.fault?.message };
    await until('all messages have arrived', () => destination.messageIds.length === 2);

    assert.deepEqual(first, { state: 'retrying', message: 'It cannot be opened' });
    assert.deepEqual(destination.messageIds, ids);
    assert.equal(destination.opens, 3);
    assert.deepEqual([running.delivery.state, running.delivery.fault], ['running', undefined]);
  });

  test('a destination that is open is not opened again after a failed attempt', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = failing(1);
    await appendEvents(opened.log, 1);

    await using running = run(opened.log, destination);
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    assert.equal(destination.opens, 1);
  });

  test('a destination that hangs delays no other', async () => {
    await using opened = await openLog();
    const hanging = new ScriptedDestination('segment');
    hanging.answer = hang;
    const other = new ScriptedDestination('warehouse');
    const ids = await appendEvents(opened.log, 7);

    await using runningHanging = run(opened.log, hanging);
    await using runningOther = run(opened.log, other);
    await Promise.all([runningHanging.delivery.start(), runningOther.delivery.start()]);
    await until('the other has everything', () => isSettled(opened.log, 'warehouse'));

    assert.deepEqual(other.messageIds, ids);
    await assertBooks(opened.log, { segment: { pending: 7 }, warehouse: { pending: 0, delivered: 7 } });
  });

  test('every attempt is told, with its messages and whether it succeeded', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = failing(1);
    const attempts: { messages: number; seconds: number; succeeded: boolean }[] = [];
    await appendEvents(opened.log, 4);

    await using running = run(opened.log, destination, { onAttempt: (attempt) => attempts.push(attempt) });
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    assert.deepEqual(
      attempts.map(({ messages, succeeded }) => ({ messages, succeeded })),
      [
        { messages: 3, succeeded: false },
        { messages: 3, succeeded: true },
        { messages: 1, succeeded: true },
      ],
    );
    assert.ok(attempts.every(({ seconds }) => seconds >= 0 && seconds < 10));
  });

  test('a fault is logged when it begins and when it ends, and nobody’s data with it', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = failing(2);
    const lines: { level: number; destination: string; msg: string }[] = [];
    const logger = pino(
      { level: 'trace' },
      { write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]) },
    );
    await appendAll(opened.log, [
      makeLogin({ id: eventId('a') }, 'richard@example.com'),
      makeLogin({ id: eventId('unsendable') }, 'richard@example.com'),
    ]);

    await using running = run(opened.log, destination, { logger });
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));
    await running.delivery.stop(0);

    const debugLevel = 20;
    assert.deepEqual(
      lines
        .filter(({ level }) => level > debugLevel)
        .map(({ level, msg }) => [pino.levels.labels[level], msg]),
      [
        ['warn', 'Delivery failed and will be tried again'],
        ['info', 'Delivery works again'],
        ['warn', 'Records became dead letters'],
      ],
    );
    assert.ok(lines.every((line) => line.destination === 'segment'));
    assert.doesNotMatch(JSON.stringify(lines), /richard/);
  });
});

describe('a delivery that is stopped', { concurrency: 4, timeout: 30_000 }, () => {
  test('finishes and settles what it has in hand, and begins nothing more', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    const gate = Promise.withResolvers<undefined>();
    destination.answer = async (batch) => {
      await gate.promise;
      return batch.map(() => accepted);
    };
    const ids = await appendEvents(opened.log, 5);
    await using running = run(opened.log, destination);
    await running.delivery.start();
    await until('the first batch is under way', () => destination.sends.length === 1);
    await opened.log.append(makeLogin({ id: eventId('late') }));

    const stopping = running.delivery.stop(hourMs);
    gate.resolve(undefined);
    await stopping;

    assert.deepEqual(destination.messageIds, ids);
    await assertBooks(opened.log, { segment: { pending: 1, delivered: 5 } });
    assert.equal(destination.closes, 1);
  });

  test('does not wait for the next attempt', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = failing(Infinity, { retryAfterMs: hourMs });
    await appendEvents(opened.log, 1);
    await using running = run(opened.log, destination);
    await running.delivery.start();
    await until('the first attempt has failed', () => running.delivery.state === 'retrying');

    await running.delivery.stop(hourMs);

    assert.equal(destination.sends.length, 1);
    await assertBooks(opened.log, { segment: { pending: 1, delivered: 0 } });
  });

  test('does not wait for events', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    await using running = run(opened.log, destination);
    await running.delivery.start();

    await running.delivery.stop(hourMs);

    assert.deepEqual([running.delivery.state, destination.closes], ['stopped', 1]);
  });

  test('does not wait for a destination that cannot be opened', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.openFaults = Infinity;
    await using running = run(opened.log, destination);
    await running.delivery.start();

    await running.delivery.stop(hourMs);

    assert.deepEqual([running.delivery.state, destination.closes], ['stopped', 1]);
    assert.deepEqual(destination.sends, []);
  });

  test('abandons an attempt that hangs when its time is up, and settles nothing', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = hang;
    await appendEvents(opened.log, 1);
    await using running = run(opened.log, destination);
    await running.delivery.start();
    await until('the batch is under way', () => destination.sends.length === 1);
    const startedAt = performance.now();

    await running.delivery.stop(150);

    assert.ok(performance.now() - startedAt > 140, 'it gave the attempt its time');
    await assertBooks(opened.log, { segment: { pending: 1, delivered: 0 } });
    assert.equal(destination.closes, 1);
  });

  test('delivers again what it had not settled, once it runs on the log again', async () => {
    await using opened = await openLog();
    const before = new ScriptedDestination();
    before.answer = (batch, { signal }) =>
      before.sends.length === 1 ? batch.map(() => accepted) : hang(batch, { signal });
    const ids = await appendEvents(opened.log, 5);
    {
      await using running = run(opened.log, before);
      await running.delivery.start();
      await until('the second batch hangs', () => before.sends.length === 2);
    }
    await opened.reopen();
    const after = new ScriptedDestination();

    await using running = run(opened.log, after);
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    assert.deepEqual(before.messageIds, ids, 'all of it was sent before');
    assert.deepEqual(after.messageIds, ids);
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 5, filtered: 0, dead: 0 } });
  });

  test('delivers nothing again that it had settled', async () => {
    await using opened = await openLog();
    await appendEvents(opened.log, 4);
    {
      await using running = run(opened.log, new ScriptedDestination());
      await running.delivery.start();
      await until('nothing is pending', () => isSettled(opened.log, 'segment'));
    }
    await opened.reopen();
    await opened.log.append(makeLogin({ id: eventId('new') }));
    const after = new ScriptedDestination();

    await using running = run(opened.log, after);
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    assert.deepEqual(after.messageIds, ['new']);
  });
});

describe('a log that fails', { concurrency: 4, timeout: 30_000 }, () => {
  test('makes delivery send again what it could not settle, and count it once', async () => {
    await using opened = await openLog();
    const log = new FaultyLog(opened.log, (commit) => commit === 1);
    const destination = new ScriptedDestination();
    const ids = await appendEvents(opened.log, 2);

    await using running = run(log, destination);
    await running.delivery.start();
    await until('the settlement has failed', () => running.delivery.fault !== undefined);
    const fault = running.delivery.fault;
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    assert.partialDeepStrictEqual(fault, { message: 'The log could not be written', attempts: 1 });
    assert.deepEqual(destination.messageIds, [...ids, ...ids]);
    assert.deepEqual([running.delivery.state, running.delivery.fault], ['running', undefined]);
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 2, filtered: 0, dead: 0 } });
  });

  test('counts its attempts anew after each success', async () => {
    await using opened = await openLog();
    const log = new FaultyLog(opened.log, (commit) => commit % 2 === 1);
    const destination = new ScriptedDestination();
    await using running = run(log, destination);
    await running.delivery.start();

    const attempts: (number | undefined)[] = [];
    for (const id of ['a', 'b', 'c']) {
      await opened.log.append(makeLogin({ id: eventId(id) }));
      await until('the settlement has failed', () => running.delivery.fault !== undefined);
      attempts.push(running.delivery.fault?.attempts);
      await until('nothing is pending', () => isSettled(opened.log, 'segment'));
    }

    assert.deepEqual(attempts, [1, 1, 1]);
  });

  test('is known as the fault until a settlement has reached it, however often messages were taken', async () => {
    await using opened = await openLog();
    const log = new FaultyLog(opened.log, (commit) => commit <= 2);
    const destination = new ScriptedDestination();
    await appendEvents(opened.log, 1);

    await using running = run(log, destination);
    await running.delivery.start();
    await until('the first settlement has failed', () => running.delivery.fault?.attempts === 1);
    const first = running.delivery.fault;
    await until('the second settlement has failed', () => running.delivery.fault?.attempts === 2);
    const second = running.delivery.fault;

    assert.equal(second?.since, first?.since);
  });
});

type Script = (
  batch: readonly string[],
  options: { readonly signal: AbortSignal },
) => readonly Answer[] | Promise<readonly Answer[]>;

const rejected: Answer = { kind: 'rejected', reason: 'bad_value', detail: 'Its table says no' };

/** Fails this often, then takes everything. */
function failing(times: number, { retryAfterMs }: { retryAfterMs?: number } = {}): Script {
  let left = times;
  return (batch) => {
    if (left-- > 0) throw new RetryableError('It is down', { hint: 'Start it', retryAfterMs });
    return batch.map(() => accepted);
  };
}

/** Never answers; gives up when it is told to, as a destination must. */
async function hang(_batch: readonly string[], { signal }: { readonly signal: AbortSignal }): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new RetryableError('It was abandoned', { hint: 'Wait', cause: signal.reason });
}

/** Takes everything, unless its script says otherwise. A message stands for its id. */
class ScriptedDestination implements Destination<string> {
  readonly name: string;
  readonly limits = { maxMessages: 3, maxBytes: 1_000 };
  /** Every attempt, in order. */
  readonly sends: { readonly at: number; readonly messageIds: readonly string[] }[] = [];
  answer: Script = (batch) => batch.map(() => accepted);
  /** How often opening fails. */
  openFaults = 0;
  opens = 0;
  closes = 0;

  constructor(name = 'segment') {
    this.name = name;
  }

  /** Of all attempts, in order. */
  get messageIds(): readonly string[] {
    return this.sends.flatMap(({ messageIds }) => messageIds);
  }

  /** Between an attempt and the next. */
  waitMs(attempt: number): number {
    return (this.sends[attempt + 1]?.at ?? NaN) - (this.sends[attempt]?.at ?? NaN);
  }

  async open(): Promise<void> {
    if (++this.opens <= this.openFaults) {
      await Promise.reject(new RetryableError('It cannot be opened', { hint: 'Start it' }));
    }
  }

  encode({ messageId }: Message): EncodedMessage<string> | Rejection {
    if (messageId === 'unsendable') return { reason: 'too_large', detail: 'It is larger than 32 KB' };
    return { payload: messageId, bytes: 1 };
  }

  async send(batch: readonly string[], signal: AbortSignal): Promise<readonly Answer[]> {
    this.sends.push({ at: performance.now(), messageIds: batch });
    return this.answer(batch, { signal });
  }

  close(): Promise<void> {
    this.closes++;
    return Promise.resolve();
  }
}

/** A log whose commits fail where the test says so, counted from 1. */
class FaultyLog implements EventLog {
  readonly #log: EventLog;
  readonly #failsAt: (commit: number) => boolean;
  #commits = 0;

  constructor(log: EventLog, failsAt: (commit: number) => boolean) {
    this.#log = log;
    this.#failsAt = failsAt;
  }

  async *consume(
    consumer: string,
    limits: ConsumeLimits,
    signal: AbortSignal,
  ): AsyncGenerator<ConsumedRecords> {
    for await (const handedOut of this.#log.consume(consumer, limits, signal)) {
      yield {
        records: handedOut.records,
        commit: async (settlements) => {
          if (this.#failsAt(++this.#commits)) {
            throw new LogUnavailableError('The log could not be written', { hint: 'Make room' });
          }
          await handedOut.commit(settlements);
        },
      };
    }
  }

  append(event: ReceivedEvent) {
    return this.#log.append(event);
  }

  countRejected(): void {
    this.#log.countRejected();
  }

  books(consumers: readonly string[]) {
    return this.#log.books(consumers);
  }

  latest(count: number, consumers: readonly string[]) {
    return this.#log.latest(count, consumers);
  }

  isWritable(): boolean {
    return this.#log.isWritable();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

const mapping: Mapping = (body) => {
  const event = reviveEvent(body);
  switch (event.type) {
    case 'login':
      return [makeMessage(event.id, String(event['email']))];
    case 'unmappable':
      throw new Error('This event cannot be mapped');
    default:
      return [];
  }
};

function makeMessage(id: string, email: string): Message {
  return {
    type: 'track',
    messageId: id as MessageId,
    userId: 'u',
    event: 'login',
    context: {},
    properties: { email },
  };
}

/** An event that becomes one message of its own id. */
function makeLogin(fields: Pick<ReceivedEvent, 'id'>, email = 'user@example.com'): ReceivedEvent {
  return makeEvent({
    ...fields,
    type: 'login',
    body: JSON.stringify({ id: fields.id, type: 'login', email }),
  });
}

/** Appends logins of the ids 1 to `count`. */
async function appendEvents(log: EventLog, count: number): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, index) => eventId(String(index + 1)));
  await appendAll(
    log,
    ids.map((id) => makeLogin({ id })),
  );
  return ids;
}

function openLog(): Promise<OpenedLog> {
  return OpenedLog.open((directory) => SqliteLog.open(directory));
}

/** A delivery that is stopped at the end of its scope. */
function run(
  log: EventLog,
  destination: ScriptedDestination,
  { logger = silent, ...options }: { logger?: Logger } & Pick<DeliveryOptions, 'onAttempt'> = {},
): { readonly delivery: Delivery } & AsyncDisposable {
  const delivery = new Delivery({ log, destination, mapping, logger, random: () => 1, ...options });
  return { delivery, [Symbol.asyncDispose]: () => delivery.stop(0) };
}

async function isSettled(log: EventLog, name: string): Promise<boolean> {
  return (await log.books([name])).consumers[name]?.pending === 0;
}
