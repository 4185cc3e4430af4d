// What is sent again, beside what is new: a real log, and a destination that does what the test says.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { Delivery } from '../../src/delivery/delivery.ts';
import type { DeliveryOptions, Settled } from '../../src/delivery/delivery.ts';
import { Turns } from '../../src/delivery/turns.ts';
import { accepted, BlockedError, RetryableError, sendInHalves } from '../../src/destinations/destination.ts';
import { BatchRefusedError } from '../../src/destinations/destination.ts';
import { reviveEvent } from '../../src/fusionauth/event.ts';
import type { EventLog, Replay } from '../../src/log/log.ts';
import {
  assertBooks,
  eventId,
  journeyAt,
  makeEvent,
  makeReplayRequest,
  replayOf,
} from '../log/opened-log.ts';
import { until } from '../support/until.ts';
import {
  ScriptedDestination,
  appendLogins,
  down,
  hang,
  hangPause,
  makeLogin,
  makeMessage,
  openLog,
  rejected,
} from './scripted.ts';

/** Of batches: a second's worth goes at once. */
const roomy = { maxMessages: 1_000, maxBytes: 1_000 };

describe('a replay', { concurrency: 4, timeout: 30_000 }, () => {
  test('sends what was settled again, in the order of the log, under the same ids', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    const ids = await appendLogins(opened.log, 5);
    await using running = run(opened.log, destination);
    await running.settled();
    destination.sends.length = 0;

    const { id } = await opened.log.startReplay(makeReplayRequest());
    const replay = await running.ended(id);

    assert.deepEqual(destination.messageIds, ids);
    assert.partialDeepStrictEqual(replay, { state: 'done', delivered: 5, filtered: 0, dead: 0 });
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 5 } });
  });

  test('adds its suffix to every id where the messages are to count as new, and only then', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    await appendLogins(opened.log, 2);
    await using running = run(opened.log, destination);
    await running.settled();

    const first = await opened.log.startReplay(makeReplayRequest({ asNew: true }));
    await running.ended(first.id);
    const second = await opened.log.startReplay(makeReplayRequest({ asNew: true }));
    await running.ended(second.id);
    const same = await opened.log.startReplay(makeReplayRequest());
    await running.ended(same.id);

    assert.notEqual(first.idSuffix, second.idSuffix);
    assert.deepEqual(destination.messageIds, [
      ...['1', '2'],
      ...['1', '2'].map((id) => `${id}${first.idSuffix}`),
      ...['1', '2'].map((id) => `${id}${second.idSuffix}`),
      ...['1', '2'],
    ]);
  });

  test('maps afresh: a dead record is delivered once its mapping was mended', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    await appendLogins(opened.log, 3);
    let isMended = false;
    const settled: Settled[] = [];
    await using running = run(opened.log, destination, {
      onSettled: (told) => settled.push(told),
      mappingFor: () => (body) => {
        const event = reviveEvent(body);
        if (event.id === '2' && !isMended) throw new Error('This event cannot be mapped');
        return [makeMessage(event.id)];
      },
    });
    await running.settled();
    await assertBooks(opened.log, { segment: { delivered: 2, dead: 1 } });

    isMended = true;
    const { id } = await opened.log.startReplay(makeReplayRequest({ filter: { outcome: 'dead' } }));
    const replay = await running.ended(id);

    assert.partialDeepStrictEqual(replay, { delivered: 1, dead: 0 });
    assert.deepEqual(destination.messageIds, ['1', '3', '2']);
    assert.deepEqual(
      settled.map(({ isReplay, records }) => [isReplay, records.length]),
      [
        [false, 3],
        [true, 1],
      ],
    );
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 3, filtered: 0, dead: 0 } });
  });

  test('keeps to its rate, a second’s worth at a time', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    const paused: { ms: number; sent: number }[] = [];
    await appendLogins(opened.log, 25);
    await using running = run(opened.log, destination, {
      pause: (ms) => {
        paused.push({ ms, sent: destination.messageIds.length });
        return Promise.resolve();
      },
    });
    await running.settled();
    destination.sends.length = 0;
    paused.length = 0;

    const { id } = await opened.log.startReplay(makeReplayRequest({ perSecond: 10 }));
    await running.ended(id);

    assert.deepEqual(
      paused.map(({ sent }) => sent),
      [10, 20, 25],
    );
    for (const [index, dueMs] of [1_000, 1_000, 500].entries()) {
      const ms = paused[index]?.ms ?? NaN;
      assert.ok(ms <= dueMs && ms > dueMs - 400, `a pause of ${ms} ms in place of ${dueMs} ms`);
    }
  });

  test('of less than one record a second waits after each', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    const paused: number[] = [];
    await appendLogins(opened.log, 2);
    await using running = run(opened.log, destination, {
      pause: (ms) => {
        paused.push(Math.round(ms / 1_000));
        return Promise.resolve();
      },
    });
    await running.settled();

    const { id } = await opened.log.startReplay(makeReplayRequest({ perSecond: 0.1 }));
    await running.ended(id);

    assert.deepEqual(paused, [10, 10]);
  });

  test('does not hold up what is new while it waits for its rate', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    await appendLogins(opened.log, 3);
    await using running = run(opened.log, destination, { pause: hangPause });
    await running.settled();
    const { id } = await opened.log.startReplay(makeReplayRequest({ perSecond: 1 }));
    await until('the replay has begun', () => destination.sends.length === 2);

    await opened.log.append(makeLogin('new'));
    await until('what is new has arrived', () => destination.messageIds.includes('new'));

    assert.deepEqual(destination.messageIds, ['1', '2', '3', '1', 'new']);
    assert.partialDeepStrictEqual(await replayOf(opened.log, id), { state: 'running', delivered: 1 });
  });

  test('shares the destination with what is new, batch by batch', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', { ...roomy, maxMessages: 1 });
    await appendLogins(opened.log, 20);
    await using running = run(opened.log, destination);
    await running.settled();
    destination.sends.length = 0;
    const gate = Promise.withResolvers<undefined>();
    destination.answer = async (batch) => {
      await gate.promise;
      return batch.map(() => accepted);
    };
    const { id } = await opened.log.startReplay(makeReplayRequest());
    await until('the replay has begun', () => destination.sends.length === 1);

    await opened.log.append(makeLogin('new'));
    // The loop of what is new has asked for its turn by then, or does soon.
    await until('what is new was handed out', () => running.mapped.includes('new'));
    gate.resolve(undefined);
    await running.ended(id);
    await running.settled();

    const place = destination.messageIds.indexOf('new');
    assert.ok(place > 0 && place < 5, `what is new came as number ${place}`);
  });

  test('that a destination which is down holds up is shown as its fault, and goes on by itself', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    const ids = await appendLogins(opened.log, 3);
    await using running = run(opened.log, destination, { pause: () => Promise.resolve() });
    await running.settled();
    const gate = Promise.withResolvers<undefined>();
    let failures = 0;
    destination.answer = async (batch) => {
      if (failures >= 3) return batch.map(() => accepted);
      if (++failures === 3) await gate.promise;
      throw new BlockedError('Segment answered 401', { hint: 'Mend it' });
    };

    const { id } = await opened.log.startReplay(makeReplayRequest());
    await until('it has failed', () => failures === 3);
    const during = [running.delivery.state, running.delivery.fault?.hint, await replayOf(opened.log, id)];
    gate.resolve(undefined);
    await running.ended(id);

    assert.partialDeepStrictEqual(during, ['blocked', 'Mend it', { state: 'running', delivered: 0 }]);
    assert.deepEqual([running.delivery.state, running.delivery.fault], ['running', undefined]);
    assert.deepEqual(destination.sends.at(-1)?.messageIds, ids);
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 3 } });
  });

  test('that is held up is not hidden by new records of which nothing is sent', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    await appendLogins(opened.log, 1);
    await using running = run(opened.log, destination, { pause: hangPause });
    await running.settled();
    destination.answer = () => {
      throw new RetryableError('It is down', { hint: 'Start it' });
    };
    await opened.log.startReplay(makeReplayRequest());
    await until('it has failed', () => running.delivery.state === 'retrying');

    await opened.log.append(makeEvent({ id: eventId('quiet'), body: '{"id":"quiet","type":"unmapped"}' }));
    await running.settled();

    assert.equal(running.delivery.state, 'retrying');
    assert.equal(running.delivery.fault?.message, 'It is down');
  });

  test('goes on where it was when the delivery begins again, to its end and no further', async () => {
    await using opened = await openLog();
    const before = new ScriptedDestination('segment', roomy);
    const ids = await appendLogins(opened.log, 6);
    let replay: Replay;
    {
      await using running = run(opened.log, before, { pause: hangPause });
      await running.settled();
      replay = await opened.log.startReplay(makeReplayRequest({ asNew: true, perSecond: 2 }));
      await until(
        'a part of it is settled',
        async () => (await replayOf(opened.log, replay.id)).delivered === 2,
      );
    }
    await opened.reopen();
    await opened.log.append(makeLogin('new'));
    const after = new ScriptedDestination('segment', roomy);

    await using running = run(opened.log, after, { pause: () => Promise.resolve() });
    const ended = await running.ended(replay.id);
    await running.settled();

    assert.partialDeepStrictEqual(ended, { state: 'done', delivered: 6 });
    assert.deepEqual(
      after.messageIds.filter((id) => id !== 'new'),
      ids.slice(2).map((id) => `${id}${replay.idSuffix}`),
    );
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 7, filtered: 0, dead: 0 } });
  });

  test('under way when the bridge is killed is sent again from its last settlement', async () => {
    await using opened = await openLog();
    const before = new ScriptedDestination('segment', roomy);
    const ids = await appendLogins(opened.log, 4);
    await using runningBefore = run(opened.log, before);
    await runningBefore.settled();
    before.answer = hang;
    const { id } = await opened.log.startReplay(makeReplayRequest());
    await until('its batch is under way', () => before.sends.length === 2);
    await runningBefore.delivery.stop(0);
    await opened.crash();
    const after = new ScriptedDestination('segment', roomy);

    await using running = run(opened.log, after);
    await running.ended(id);

    assert.deepEqual(
      after.sends.map(({ messageIds }) => messageIds),
      [ids],
    );
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 4, filtered: 0, dead: 0 } });
  });

  test('is one of two that run one after the other, each at its own rate', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    await appendLogins(opened.log, 4);
    await using running = run(opened.log, destination, { pause: () => Promise.resolve() });
    await running.settled();
    destination.sends.length = 0;

    const [first, second] = await Promise.all([
      opened.log.startReplay(makeReplayRequest({ asNew: true, perSecond: 1 })),
      opened.log.startReplay(makeReplayRequest({ asNew: true, perSecond: 3 })),
    ]);
    await Promise.all([running.ended(first.id), running.ended(second.id)]);

    const sentBy = ({ idSuffix }: Replay) =>
      destination.sends
        .filter(({ messageIds }) => messageIds.every((id) => id.endsWith(idSuffix)))
        .map(({ messageIds }) => messageIds.length);
    assert.deepEqual(
      [sentBy(first), sentBy(second)],
      [
        [1, 1, 1, 1],
        [3, 1],
      ],
    );
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 4 } });
  });

  test('that is stopped settles nothing more, and the next one begins', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    await appendLogins(opened.log, 3);
    const gates = [Promise.withResolvers<undefined>()];
    await using running = run(opened.log, destination, {
      pause: () => gates[0]?.promise ?? Promise.resolve(),
    });
    await running.settled();
    const stopped = await opened.log.startReplay(makeReplayRequest({ perSecond: 1 }));
    await until(
      'it waits for its rate',
      async () => (await replayOf(opened.log, stopped.id)).delivered === 1,
    );

    await opened.log.stopReplay(stopped.id);
    gates.pop()?.resolve(undefined);
    const next = await opened.log.startReplay(makeReplayRequest({ filter: { eventId: eventId('3') } }));
    await running.ended(next.id);

    assert.partialDeepStrictEqual(await replayOf(opened.log, stopped.id), { state: 'stopped', delivered: 1 });
    assert.deepEqual(destination.messageIds, ['1', '2', '3', '1', '3']);
  });

  test('that is stopped while its batch is under way tells of no settlement, since there is none', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    await appendLogins(opened.log, 2);
    const settled: Settled[] = [];
    await using running = run(opened.log, destination, { onSettled: (told) => settled.push(told) });
    await running.settled();
    const { promise: answered, resolve: answer } = Promise.withResolvers<undefined>();
    destination.answer = async (batch) => {
      await answered;
      return batch.map(() => rejected);
    };

    const stopped = await opened.log.startReplay(makeReplayRequest());
    await until('its batch is under way', () => destination.sends.length === 2);
    await opened.log.stopReplay(stopped.id);
    answer(undefined);
    const next = await opened.log.startReplay(makeReplayRequest({ filter: { eventId: eventId('2') } }));
    await running.ended(next.id);

    assert.deepEqual(
      settled.map(({ isReplay, records }) => [isReplay, records.map(({ id }) => id)]),
      [
        [false, ['1', '2']],
        [true, ['2']],
      ],
    );
  });
});

describe('the attempts of a record', { concurrency: 4, timeout: 30_000 }, () => {
  test('reach its journey: the failures alike as one, then the success', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    const faults = [down('503'), down('503'), new BlockedError('401', { hint: 'Mend it' })];
    destination.answer = (batch) => {
      const fault = faults.shift();
      if (fault) throw fault;
      return batch.map(() => accepted);
    };
    await appendLogins(opened.log, 2);

    await using running = run(opened.log, destination, { pause: () => Promise.resolve() });
    await running.settled();

    for (const id of ['1', '2']) {
      const { outcome, attempts } = await journeyAt(opened.log, id);
      assert.equal(outcome, 'delivered');
      assert.deepEqual(
        attempts.map(({ answer, count, messages, succeeded }) => [answer, count, messages, succeeded]),
        [
          ['503', 2, 2, false],
          ['401', 1, 2, false],
          ['accepted 2, rejected 0', 1, 2, true],
        ],
      );
      assert.ok(attempts.every(({ startedAt, endedAt }) => startedAt <= endedAt && endedAt <= Date.now()));
    }
  });

  test('of a batch that was halved tell what came of it, and the bad one has its dead letter', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    let requests = 0;
    destination.answer = (batch) =>
      sendInHalves(batch, (part) => {
        if (++requests === 2) return Promise.reject(down('503'));
        if (part.includes('2')) return Promise.reject(new BatchRefusedError('bad_request', 'Answered 400'));
        return Promise.resolve();
      });
    await appendLogins(opened.log, 3);

    await using running = run(opened.log, destination, { pause: () => Promise.resolve() });
    await running.settled();

    const [good, bad] = await Promise.all([journeyAt(opened.log, '1'), journeyAt(opened.log, '2')]);
    const expected = [
      ['503', false],
      ['accepted 2, rejected 1', true],
    ];
    assert.deepEqual(
      good.attempts.map(({ answer, succeeded }) => [answer, succeeded]),
      expected,
    );
    assert.deepEqual(
      bad.attempts.map(({ answer, succeeded }) => [answer, succeeded]),
      expected,
    );
    assert.deepEqual([good.outcome, bad.outcome], ['delivered', 'dead']);
    assert.deepEqual(
      bad.deadLetters.map(({ reason, detail }) => [reason, detail]),
      [['bad_request', 'Answered 400']],
    );
  });

  test('of a replay stand behind those before', async () => {
    await using opened = await openLog();
    const destination = new ScriptedDestination('segment', roomy);
    await appendLogins(opened.log, 2);
    await using running = run(opened.log, destination);
    await running.settled();

    const { id } = await opened.log.startReplay(makeReplayRequest({ filter: { eventId: eventId('2') } }));
    await running.ended(id);

    const [other, replayed] = await Promise.all([journeyAt(opened.log, '1'), journeyAt(opened.log, '2')]);
    assert.deepEqual(
      [other, replayed].map(({ attempts }) => attempts.map(({ messages }) => messages)),
      [[2], [2, 1]],
    );
  });
});

/** A delivery that has been started, and is stopped at the end of its scope. */
function run(
  log: EventLog,
  destination: ScriptedDestination,
  options: Partial<Pick<DeliveryOptions, 'pause' | 'mappingFor' | 'onSettled'>> = {},
) {
  const mapped: string[] = [];
  const delivery = new Delivery({
    log,
    destination,
    mappingFor: (idSuffix) => (body) => {
      const { id, type } = reviveEvent(body);
      mapped.push(id);
      return type === 'login' ? [makeMessage(`${id}${idSuffix}`)] : [];
    },
    turns: new Turns(),
    logger: pino({ level: 'silent' }),
    random: () => 1,
    ...options,
  });
  const started = delivery.start();
  return {
    delivery,
    /** Ids of the events that were mapped, in order. */
    mapped,
    async settled(): Promise<void> {
      await started;
      await until('nothing is pending', async () => {
        return (await log.books(['segment'])).consumers['segment']?.pending === 0;
      });
    },
    async ended(id: Replay['id']): Promise<Replay> {
      await until('the replay has ended', async () => (await replayOf(log, id)).state !== 'running');
      return replayOf(log, id);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await started;
      await delivery.stop(0);
    },
  };
}
