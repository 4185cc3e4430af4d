// The way of one event: its outcome, its dead letters and its attempts at each consumer; and what is new since a look before.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Position } from '../../../src/log/log.ts';
import {
  appendAll,
  appendNumbered,
  appendSettled,
  consumer,
  eventId,
  idsOf,
  journeyAt,
  makeAttempt,
  makeDeadLetter,
  makeEvent,
  makeReplayRequest,
  OpenedLog,
  otherConsumer,
  settle,
  startConsumer,
  startReplaying,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

export function describeJourney(open: OpenLog): void {
  test('a journey tells the record and, for each consumer, what became of it', async () => {
    await using opened = await OpenedLog.open(open);
    const event = makeEvent({ id: eventId('1'), tenantId: 'tenant', body: '{"user":"ü"}' });
    await opened.log.append(event);
    await using consuming = startConsumer(opened.log);
    const handedOut = await consuming.next();
    const before = Date.now();
    await settle(handedOut, ['dead'], [makeAttempt(handedOut.records, { succeeded: false, answer: '400' })]);

    const journey = await opened.log.journey(event.id, [consumer, otherConsumer]);

    const { settledAt, ...atSegment } = journey?.consumers[consumer] ?? {};
    assert.deepEqual(journey?.record, { ...event, position: handedOut.records[0]?.position });
    assert.deepEqual(atSegment, {
      outcome: 'dead',
      discardedBecause: undefined,
      deadLetters: [makeDeadLetter({ messageId: 'm-1' })],
      attempts: [makeAttempt(handedOut.records, { succeeded: false, answer: '400' })],
    });
    assert.ok(settledAt !== undefined && settledAt >= before && settledAt <= Date.now());
    assert.deepEqual(journey.consumers[otherConsumer], {
      outcome: 'pending',
      settledAt: undefined,
      discardedBecause: undefined,
      deadLetters: [],
      attempts: [],
    });
  });

  test('an event that the log does not have has no journey', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 1);

    assert.equal(await opened.log.journey(eventId('2'), [consumer]), undefined);
  });

  test('a batch of many records is among the attempts of each of them, and of no other', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 6);
    await using consuming = startConsumer(opened.log);
    const handedOut = await consuming.next();
    const [first, second, last] = [
      makeAttempt(handedOut.records.slice(0, 2), { answer: 'a' }),
      makeAttempt(handedOut.records.slice(1, 5), { answer: 'b', count: 7, succeeded: false }),
      makeAttempt(handedOut.records.slice(1, 5), { answer: 'c' }),
    ];
    await settle(handedOut, undefined, [first, second, last]);

    await opened.reopen();

    assert.deepEqual(await answersOf(opened.log, 6), ['a', 'abc', 'bc', 'bc', 'bc', '']);
    assert.deepEqual((await journeyAt(opened.log, '2')).attempts, [first, second, last]);
  });

  test('a record of many batches has the attempts of each, in order', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 3);
    await using consuming = startConsumer(opened.log);
    const handedOut = await consuming.next();
    const [, large] = handedOut.records;
    assert.ok(large);
    const attempts = Array.from({ length: 20 }, (_, index) =>
      makeAttempt([large], { messages: 100, startedAt: 1_000 + index, answer: String(index) }),
    );
    await settle(handedOut, undefined, attempts);

    assert.deepEqual((await journeyAt(opened.log, '2')).attempts, attempts);
    assert.deepEqual(await answersOf(opened.log, 3), ['', attempts.map(({ answer }) => answer).join(''), '']);
  });

  test('a record that was filtered has no part in the batch that those around it were sent in', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 5);
    await using consuming = startConsumer(opened.log);
    const handedOut = await consuming.next();

    await settle(
      handedOut,
      ['delivered', 'filtered', 'dead', 'filtered', 'delivered'],
      [makeAttempt(handedOut.records)],
    );

    assert.deepEqual(await answersOf(opened.log, 5), ['200', '', '200', '', '200']);
  });

  test('a replay adds its attempts to the records that it sent, and to none between them', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(
      opened.log,
      Array.from({ length: 3_000 }, () => 'delivered' as const),
      (index) => ({
        type: index % 999 === 0 ? 'user.create' : 'user.login.success',
      }),
    );
    await opened.log.startReplay(makeReplayRequest({ filter: { types: ['user.create'] } }));
    await using replaying = startReplaying(opened.log);
    const handedOut = await replaying.next();

    await settle(handedOut, undefined, [makeAttempt(handedOut.records, { answer: 'again' })]);

    const sent = await Promise.all(
      [1, 1_000, 1_999, 2_998].map(
        async (id) => (await journeyAt(opened.log, String(id))).attempts[0]?.answer,
      ),
    );
    const others = await Promise.all(
      [2, 999, 1_001, 2_000, 3_000].map(async (id) => (await journeyAt(opened.log, String(id))).attempts),
    );
    assert.deepEqual(sent, ['again', 'again', 'again', 'again']);
    assert.deepEqual(others, [[], [], [], [], []]);
  });

  test('attempts of one consumer are none of another', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 1);
    await using consuming = startConsumer(opened.log);
    const handedOut = await consuming.next();
    await settle(handedOut, undefined, [makeAttempt(handedOut.records)]);

    assert.deepEqual((await journeyAt(opened.log, '1', otherConsumer)).attempts, []);
  });

  test('what is new since a look before comes in order, at most as many as asked for, with outcomes', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 2);
    const [newest] = await opened.log.latest(1, []);
    assert.ok(newest);
    const nothing = await opened.log.since(newest.position, 10, [consumer]);
    await appendAll(
      opened.log,
      ['3', '4', '5'].map((id) => makeEvent({ id: eventId(id) })),
    );
    await idsOf(opened.log, 3, { maxRecords: 3 });

    const some = await opened.log.since(newest.position, 2, [consumer]);
    const rest = await opened.log.since(some.at(-1)?.position as Position, 10, [consumer]);

    assert.deepEqual(nothing, []);
    assert.deepEqual(
      [...some, ...rest].map(({ id, outcomes }) => [id, outcomes[consumer]]),
      [
        ['3', 'delivered'],
        ['4', 'pending'],
        ['5', 'pending'],
      ],
    );
  });

  /** Of the events 1 to `count`: the answers of their attempts, in order. */
  async function answersOf(log: OpenedLog['log'], count: number): Promise<readonly string[]> {
    const ids = Array.from({ length: count }, (_, index) => String(index + 1));
    const journeys = await Promise.all(ids.map((id) => journeyAt(log, id)));
    return journeys.map(({ attempts }) => attempts.map(({ answer }) => answer).join(''));
  }
}
