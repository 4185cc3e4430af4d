// The loop from a real log to a destination that does what the test says.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { Delivery } from '../../src/delivery/delivery.ts';
import { Turns } from '../../src/delivery/turns.ts';
import type { DeliveryOptions } from '../../src/delivery/delivery.ts';
import { accepted, RetryableError } from '../../src/destinations/destination.ts';
import type { ConsumedRecords, ConsumeLimits, DeadLetter, EventLog } from '../../src/log/log.ts';
import { LogUnavailableError } from '../../src/log/log.ts';
import { reviveEvent } from '../../src/fusionauth/event.ts';
import type { Mapping } from '../../src/mapping/map.ts';
import type { Message } from '../../src/segment/message.ts';
import { appendAll, assertBooks, eventId, makeEvent } from '../log/opened-log.ts';
import { until } from '../support/until.ts';
import {
  ScriptedDestination,
  appendLogins,
  deadLettersIn,
  failing,
  hang,
  makeLogin,
  makeMessage,
  openLog,
  rejected,
} from './scripted.ts';

const silent = pino({ level: 'silent' });
/** With `random: () => 1`. */
const firstWaitMs = 250;
/** Longer than any test may take: who waits for it to its end fails. */
const hourMs = 3_600_000;

describe('delivery', { concurrency: 4, timeout: 30_000 }, () => {
  test('messages arrive in the order of the log, in batches that the destination takes', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    const ids = await appendLogins(opened.log, 8);

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
      await opened.log.append(makeLogin(id));
      await until(`${id} has arrived`, () => destination.messageIds.at(-1) === id);
    }

    assert.deepEqual(destination.messageIds, ['a', 'b', 'c']);
  });

  test('each record gets its outcome: delivered, filtered, dead before it is sent or by the answer', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = (batch) => batch.map((id) => (id === 'rejected' ? rejected : accepted));
    await appendAll(opened.log, [
      makeLogin('unsendable'),
      makeLogin('first'),
      makeLogin('rejected'),
      makeEvent({ id: eventId('stored-only'), body: '{"id":"stored-only","type":"unmapped"}' }),
      makeEvent({ id: eventId('broken'), body: '{"id":"broken","type":"unmappable"}' }),
      makeLogin('last'),
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
    await opened.log.append(makeLogin('unsendable'));
    await until('the record is dead', () => isSettled(opened.log, 'segment'));

    await opened.log.append(makeLogin('behind'));
    await until('the record behind it has arrived', () => destination.messageIds.includes('behind'));

    assert.equal(running.delivery.state, 'running');
    assert.equal(running.delivery.fault, undefined);
  });

  test('a batch that fails is sent again with the same messages, until it is taken', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = failing(2);
    const ids = await appendLogins(opened.log, 5);

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
    await appendLogins(opened.log, 1);

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
    await appendLogins(opened.log, 1);
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
    const ids = await appendLogins(opened.log, 2);

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
    await appendLogins(opened.log, 1);

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
    const ids = await appendLogins(opened.log, 7);

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
    await appendLogins(opened.log, 4);

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

  test('dead letters are told once they are settled, and once only', async () => {
    await using opened = await openLog();
    const log = withFaultyCommits(opened.log, (commit) => commit === 1);
    const destination = new ScriptedDestination();
    destination.answer = (batch) => batch.map((id) => (id === 'rejected' ? rejected : accepted));
    const told: (readonly DeadLetter[])[] = [];
    await appendAll(opened.log, [makeLogin('unsendable'), makeLogin('good'), makeLogin('rejected')]);

    await using running = run(log, destination, {
      onSettled: (settled) => told.push(deadLettersIn(settled)),
    });
    await running.delivery.start();
    await until('the settlement has failed', () => running.delivery.fault !== undefined);
    const toldBefore = told.length;
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));
    await appendAll(opened.log, [makeLogin('also good')]);
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    assert.equal(toldBefore, 0);
    assert.deepEqual(
      told.map((deadLetters) => deadLetters.map(({ messageId, reason }) => [messageId, reason])),
      [
        [
          ['unsendable', 'too_large'],
          ['rejected', 'bad_value'],
        ],
        [],
      ],
    );
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
      makeLogin('a', 'richard@example.com'),
      makeLogin('unsendable', 'richard@example.com'),
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

describe('a record that becomes very many messages', { timeout: 60_000 }, () => {
  test('has no more of them in memory than one batch, and has one outcome', async () => {
    await using opened = await openLog();
    const count = 100_000;
    let [made, answered, mostAlive] = [0, 0, 0];
    const destination = new ScriptedDestination('segment', { maxMessages: 500, maxBytes: 1_000 });
    destination.answer = async (batch) => {
      await nextTurn();
      answered += batch.length;
      return batch.map((id) => (id === '70000' ? rejected : accepted));
    };
    const deadLetters: DeadLetter[] = [];
    await appendLogins(opened.log, 1);

    await using running = run(opened.log, destination, {
      mapping: function* () {
        while (made < count) {
          made++;
          mostAlive = Math.max(mostAlive, made - answered);
          yield makeMessage(String(made));
        }
      },
      onSettled: (settled) => deadLetters.push(...deadLettersIn(settled)),
    });
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'), 50_000);

    assert.deepEqual([made, answered, mostAlive], [count, count, 500]);
    assert.deepEqual(
      deadLetters.map(({ messageId, message }) => [messageId, message]),
      [['70000', JSON.stringify(makeMessage('70000'))]],
    );
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 0, filtered: 0, dead: 1 } });
  });

  test('lets go of them once they are answered', async () => {
    await using opened = await openLog();
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const made: WeakRef<Message>[] = [];
    const destination = new ScriptedDestination();
    const aliveAtSend: string[][] = [];
    destination.answer = async (batch) => {
      await nextTurn();
      collectGarbage();
      aliveAtSend.push(made.flatMap((message) => message.deref()?.messageId ?? []));
      return batch.map(() => accepted);
    };
    await appendLogins(opened.log, 1);

    await using running = run(opened.log, destination, {
      mapping: function* () {
        for (let index = 1; index <= 9; index++) yield remembered(makeMessage(String(index)));
      },
    });
    const remembered = (message: Message): Message => {
      made.push(new WeakRef(message));
      return message;
    };
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    assert.deepEqual(aliveAtSend, [
      ['1', '2', '3'],
      ['4', '5', '6'],
      ['7', '8', '9'],
    ]);
  });

  test('sends a batch that failed again as it was, and makes none of its messages again', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination();
    destination.answer = (batch) => {
      if (destination.sends.length === 2) throw new RetryableError('It is down', { hint: 'Start it' });
      return batch.map(() => accepted);
    };
    const made: string[] = [];
    await appendLogins(opened.log, 1);

    await using running = run(opened.log, destination, { mapping: five(made) });
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    assert.deepEqual(
      destination.sends.map(({ messageIds }) => messageIds),
      [
        ['1', '2', '3'],
        ['4', '5'],
        ['4', '5'],
      ],
    );
    assert.deepEqual(made, ['1', '2', '3', '4', '5']);
  });

  test('is mapped again from its start where the log could not settle it, and has one outcome', async () => {
    await using opened = await openLog();
    const log = withFaultyCommits(opened.log, (commit) => commit === 1);
    const destination = new ScriptedDestination();
    await appendLogins(opened.log, 1);

    await using running = run(log, destination, { mapping: five([]) });
    await running.delivery.start();
    await until('nothing is pending', () => isSettled(opened.log, 'segment'));

    const [first, second] = [
      ['1', '2', '3'],
      ['4', '5'],
    ];
    assert.deepEqual(
      destination.sends.map(({ messageIds }) => messageIds),
      [first, second, first, second],
    );
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 1, filtered: 0, dead: 0 } });
  });

  /** Five messages, told as they are made. */
  function five(made: string[]): Mapping {
    return function* () {
      for (const id of ['1', '2', '3', '4', '5']) {
        made.push(id);
        yield makeMessage(id);
      }
    };
  }
});

describe('a mapping that takes long', { timeout: 30_000 }, () => {
  /** Longer than a turn may take. */
  const busy = () => {
    const endAt = performance.now() + 12;
    while (performance.now() < endAt);
  };

  for (const [name, mapping] of [
    ['of many messages', () => [makeMessage('a'), makeMessage('b')]],
    ['of messages that nobody would take', () => [makeMessage(''), makeMessage('')]],
    ['of no message', () => []],
  ] satisfies [string, () => Message[]][]) {
    test(`lets webhooks have their turn: ${name}`, async () => {
      await using opened = await openLog();
      const destination = new ScriptedDestination('segment', { maxMessages: 500, maxBytes: 1_000 });
      let mapped = 0;
      const mappedAtTurns = new Set<number>();
      await appendLogins(opened.log, 20);
      await using running = run(opened.log, destination, {
        mapping: function* () {
          const messages = mapping();
          for (const message of messages) {
            busy();
            mapped++;
            yield message;
          }
          if (messages.length > 0) return;
          busy();
          mapped++;
        },
      });

      await running.delivery.start();
      while (!(await isSettled(opened.log, 'segment'))) {
        mappedAtTurns.add(mapped);
        await nextTurn();
      }

      assert.ok(mappedAtTurns.size > mapped / 4, `${mappedAtTurns.size} turns in ${mapped} steps`);
    });
  }

  test('is given up when a stop’s time is over, and nothing is settled', async () => {
    await using opened = await openLog();
    let mapped = 0;
    await appendLogins(opened.log, 1);
    await using running = run(opened.log, new ScriptedDestination(), {
      mapping: function* () {
        for (;;) {
          busy();
          mapped++;
          yield makeMessage('unsendable');
        }
      },
    });
    await running.delivery.start();
    await until('the mapping is under way', () => mapped > 0);

    await running.delivery.stop(50);

    assert.equal(running.delivery.state, 'stopped');
    await assertBooks(opened.log, { segment: { pending: 1, delivered: 0, filtered: 0, dead: 0 } });
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
    const ids = await appendLogins(opened.log, 5);
    await using running = run(opened.log, destination);
    await running.delivery.start();
    await until('the first batch is under way', () => destination.sends.length === 1);
    await opened.log.append(makeLogin('late'));

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
    await appendLogins(opened.log, 1);
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
    await appendLogins(opened.log, 1);
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
    before.answer = (batch, signal) =>
      before.sends.length === 1 ? batch.map(() => accepted) : hang(batch, signal);
    const ids = await appendLogins(opened.log, 5);
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
    await appendLogins(opened.log, 4);
    {
      await using running = run(opened.log, new ScriptedDestination());
      await running.delivery.start();
      await until('nothing is pending', () => isSettled(opened.log, 'segment'));
    }
    await opened.reopen();
    await opened.log.append(makeLogin('new'));
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
    const log = withFaultyCommits(opened.log, (commit) => commit === 1);
    const destination = new ScriptedDestination();
    const ids = await appendLogins(opened.log, 2);

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
    const log = withFaultyCommits(opened.log, (commit) => commit % 2 === 1);
    const destination = new ScriptedDestination();
    await using running = run(log, destination);
    await running.delivery.start();

    const attempts: (number | undefined)[] = [];
    for (const id of ['a', 'b', 'c']) {
      await opened.log.append(makeLogin(id));
      await until('the settlement has failed', () => running.delivery.fault !== undefined);
      attempts.push(running.delivery.fault?.attempts);
      await until('nothing is pending', () => isSettled(opened.log, 'segment'));
    }

    assert.deepEqual(attempts, [1, 1, 1]);
  });

  test('is known as the fault until a settlement has reached it, however often messages were taken', async () => {
    await using opened = await openLog();
    const log = withFaultyCommits(opened.log, (commit) => commit <= 2);
    const destination = new ScriptedDestination();
    await appendLogins(opened.log, 1);

    await using running = run(log, destination);
    await running.delivery.start();
    await until('the first settlement has failed', () => running.delivery.fault?.attempts === 1);
    const first = running.delivery.fault;
    await until('the second settlement has failed', () => running.delivery.fault?.attempts === 2);
    const second = running.delivery.fault;

    assert.equal(second?.since, first?.since);
  });
});

/** A log whose commits fail where the test says so, counted from 1; in all else the log that it is given. */
function withFaultyCommits(log: EventLog, failsAt: (commit: number) => boolean): EventLog {
  let commits = 0;
  async function* consume(consumer: string, limits: ConsumeLimits, signal: AbortSignal) {
    for await (const handedOut of log.consume(consumer, limits, signal)) {
      const commit: ConsumedRecords['commit'] = async (settlements, attempts) => {
        if (failsAt(++commits)) {
          throw new LogUnavailableError('The log could not be written', { hint: 'Make room' });
        }
        await handedOut.commit(settlements, attempts);
      };
      yield { records: handedOut.records, commit };
    }
  }
  return new Proxy(log, {
    get(target, key) {
      if (key === 'consume') return consume;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const loginMapping: Mapping = (body) => {
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

/** A delivery that is stopped at the end of its scope. */
function run(
  log: EventLog,
  destination: ScriptedDestination,
  {
    mapping = loginMapping,
    ...options
  }: Partial<Pick<DeliveryOptions, 'logger' | 'onAttempt' | 'onSettled'>> & { mapping?: Mapping } = {},
): { readonly delivery: Delivery } & AsyncDisposable {
  const delivery = new Delivery({
    log,
    destination,
    mappingFor: () => mapping,
    turns: new Turns(),
    logger: silent,
    random: () => 1,
    ...options,
  });
  return { delivery, [Symbol.asyncDispose]: () => delivery.stop(0) };
}

async function isSettled(log: EventLog, name: string): Promise<boolean> {
  return (await log.books([name])).consumers[name]?.pending === 0;
}
