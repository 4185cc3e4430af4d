// Dead letters as they are listed, counted and discarded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SettledOutcome } from '../../../src/log/log.ts';
import {
  appendNumbered,
  appendSettled,
  assertBooks,
  consumer,
  eventId,
  journeyAt,
  makeDeadLetter,
  OpenedLog,
  otherConsumer,
  outcomesAt,
  replayedIds,
  settle,
  startConsumer,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

export function describeDeadLetters(open: OpenLog): void {
  test('dead letters are listed with what is known of them, the newest first, at most as many as asked for', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 3);
    for (const name of [consumer, otherConsumer]) {
      await using consuming = startConsumer(opened.log, { maxRecords: 1 }, name);
      for (const outcome of ['dead', 'delivered', 'dead'] as const)
        await settle(await consuming.next(), [outcome]);
    }

    const all = await opened.log.deadLetters([consumer, otherConsumer], {}, 10);
    const two = await opened.log.deadLetters([consumer, otherConsumer], {}, 2);
    const ofOne = await opened.log.deadLetters([consumer], {}, 10);

    assert.deepEqual(
      ofOne.map(({ eventId }) => eventId),
      ['3', '1'],
    );
    assert.equal(all.length, 4);
    assert.deepEqual(two, all.slice(0, 2));
    assert.ok(all.every(({ settledAt }, index) => settledAt >= (all[index + 1]?.settledAt ?? 0)));
    const { position, settledAt, ...known } = ofOne[0] ?? {};
    assert.deepEqual(known, {
      ...makeDeadLetter({ messageId: 'm-3' }),
      consumer,
      eventId: eventId('3'),
      type: 'user.login.success',
      receivedAt: 1_767_225_600_000,
    });
    assert.ok(position !== undefined && settledAt !== undefined);
  });

  test('dead letters are counted by consumer and reason, several of one record as one record', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 2);
    await using consuming = startConsumer(opened.log);
    const handedOut = await consuming.next();
    const letters = ['invalid', 'invalid', 'too_large'].map((reason) => makeDeadLetter({ reason }));
    await handedOut.commit(
      handedOut.records.map(({ position }) => ({ position, outcome: 'dead', deadLetters: letters })),
      [],
    );

    const counts = await opened.log.countDeadLetters([consumer, otherConsumer], {});

    assert.deepEqual(
      counts.map(({ consumer, reason, deadLetters, records }) => ({
        consumer,
        reason,
        deadLetters,
        records,
      })),
      [
        { consumer, reason: 'invalid', deadLetters: 4, records: 2 },
        { consumer, reason: 'too_large', deadLetters: 2, records: 2 },
      ],
    );
    assert.ok(counts.every(({ oldestAt, newestAt }) => oldestAt > 0 && oldestAt <= newestAt));
    const chosen = await opened.log.countDeadLetters([consumer], {
      reason: 'invalid',
      eventId: handedOut.records[0]?.id,
    });
    assert.deepEqual(
      chosen.map(({ reason, deadLetters, records }) => ({ reason, deadLetters, records })),
      [{ reason: 'invalid', deadLetters: 2, records: 1 }],
    );
  });

  test('what is discarded is filtered from then on, with the reason, and needs nobody any more', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered', 'dead', 'dead', 'filtered'], (index) => ({
      type: index === 1 ? 'user.create' : 'user.update',
    }));

    const discarded = await opened.log.discard(consumer, { types: ['user.create'] }, 'a test user');
    await opened.reopen();

    assert.equal(discarded, 1);
    assert.deepEqual(await outcomesAt(opened.log), ['delivered', 'filtered', 'dead', 'filtered']);
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 1, filtered: 2, dead: 1 } });
    const letters = await opened.log.deadLetters([consumer], {}, 10);
    assert.deepEqual(
      letters.map(({ eventId }) => eventId),
      ['3'],
    );
    assert.equal((await opened.log.countDeadLetters([consumer], {}))[0]?.records, 1);
    const { discardedBecause, deadLetters } = await journeyAt(opened.log, '2');
    assert.equal(discardedBecause, 'a test user');
    assert.deepEqual(deadLetters, [makeDeadLetter({ messageId: 'm-2' })], 'it can still be read');
  });

  test('discarding takes only what is dead, and only at the consumer that is named', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered', 'dead']);
    await using consuming = startConsumer(opened.log, {}, otherConsumer);
    await settle(await consuming.next(), ['dead', 'dead']);

    const none = await opened.log.discard(consumer, { outcome: 'delivered', eventId: eventId('1') }, 'no');
    const all = await opened.log.discard(consumer, {}, 'yes');
    const again = await opened.log.discard(consumer, {}, 'yes');

    assert.deepEqual([none, all, again], [0, 1, 0]);
    await assertBooks(opened.log, {
      segment: { delivered: 1, filtered: 1, dead: 0 },
      warehouse: { delivered: 0, filtered: 0, dead: 2 },
    });
  });

  test('more than one step can hold is discarded, with books that balance', async () => {
    await using opened = await OpenedLog.open(open);
    const outcomes = Array.from({ length: 1_100 }, (_, index): SettledOutcome =>
      index % 2 ? 'dead' : 'delivered',
    );
    await appendSettled(opened.log, outcomes);

    const discarded = await opened.log.discard(consumer, { reason: 'invalid' }, 'all');

    assert.equal(discarded, 550);
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 550, filtered: 550, dead: 0 } });
  });

  test('a record that was discarded can be replayed, and its old dead letters are gone then', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['dead', 'dead']);
    await opened.log.discard(consumer, { eventId: eventId('1') }, 'by mistake');

    const byReason = await opened.log.countMatching(consumer, { reason: 'invalid' });
    const replayed = await replayedIds(opened.log, { outcome: 'filtered' });

    assert.equal(byReason, 1, 'a discarded dead letter is none any more');
    assert.deepEqual(replayed, ['1']);
    assert.partialDeepStrictEqual(await journeyAt(opened.log, '1'), {
      outcome: 'delivered',
      discardedBecause: undefined,
      deadLetters: [],
    });
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 1, filtered: 0, dead: 1 } });
  });
}
