// Replays: settled records handed out again, whose new outcomes take the place of the old ones.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReplayedRecords, ReplayId, SettledOutcome } from '../../../src/log/log.ts';
import { until } from '../../support/until.ts';
import {
  appendNumbered,
  appendSettled,
  assertBooks,
  consumer,
  eventId,
  idsIn,
  idsOf,
  journeyAt,
  makeAttempt,
  makeEvent,
  makeReplayRequest,
  OpenedLog,
  otherConsumer,
  outcomesAt,
  replayedIds,
  replayOf,
  runReplay,
  settle,
  startConsumer,
  startReplaying,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

export function describeReplay(open: OpenLog): void {
  test('new outcomes take the place of the old ones, and the books balance after each commit', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['dead', 'delivered', 'filtered', 'dead', 'delivered', 'filtered']);
    const { id } = await opened.log.startReplay(makeReplayRequest());
    await using replaying = startReplaying(opened.log, { maxRecords: 2 });

    await settle(await replaying.next(), ['delivered', 'dead']);
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 2, filtered: 2, dead: 2 } });
    await settle(await replaying.next(), ['delivered', 'filtered']);
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 3, filtered: 2, dead: 1 } });
    await settle(await replaying.next(), ['delivered', 'dead']);
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 3, filtered: 1, dead: 2 } });

    const outcomes = ['delivered', 'dead', 'delivered', 'filtered', 'delivered', 'dead'];
    assert.deepEqual(await outcomesAt(opened.log), outcomes);
    assert.deepEqual((await opened.log.deadLetters([consumer], {}, 9)).map(({ eventId }) => eventId).sort(), [
      '2',
      '6',
    ]);
    assert.partialDeepStrictEqual(await replayOf(opened.log, id), { delivered: 3, filtered: 1, dead: 2 });
    await opened.reopen();
    assert.deepEqual(await outcomesAt(opened.log), outcomes);
    await assertBooks(opened.log, { segment: { pending: 0, delivered: 3, filtered: 1, dead: 2 } });
  });

  test('a record that is dead again has its new dead letters and not the old ones', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['dead']);
    await opened.log.startReplay(makeReplayRequest());
    await using replaying = startReplaying(opened.log);
    const { records, ...handedOut } = await replaying.next();
    const deadLetters = [{ messageId: 'new', reason: 'too_large', detail: 'It is 40 KB', message: '{}' }];

    await handedOut.commit(
      records.map(({ position }) => ({ position, outcome: 'dead', deadLetters })),
      [makeAttempt(records)],
    );

    assert.partialDeepStrictEqual(await journeyAt(opened.log, '1'), { outcome: 'dead', deadLetters });
    await assertBooks(opened.log, { segment: { delivered: 0, dead: 1 } });
  });

  test('a replay tells what it was asked, and when it began and ended', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered']);
    const request = makeReplayRequest({ filter: { types: ['user.*'], from: 1 }, perSecond: 12.5 });
    const before = Date.now();

    const started = await opened.log.startReplay(request);
    await runReplay(opened.log, started.id);
    await opened.reopen();
    const { endedAt, ...ended } = await replayOf(opened.log, started.id);

    const { createdAt } = started;
    assert.partialDeepStrictEqual(started, {
      ...request,
      state: 'running',
      delivered: 0,
      endedAt: undefined,
    });
    assert.ok(createdAt >= before && createdAt <= Date.now());
    assert.partialDeepStrictEqual(ended, {
      ...request,
      state: 'done',
      delivered: 1,
      filtered: 0,
      dead: 0,
      createdAt,
    });
    assert.ok(endedAt !== undefined && endedAt >= createdAt);
  });

  test('messages keep their ids, or get a suffix that no other replay has', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered']);

    const same = await opened.log.startReplay(makeReplayRequest());
    const first = await opened.log.startReplay(makeReplayRequest({ asNew: true }));
    await opened.reopen();
    const second = await opened.log.startReplay(makeReplayRequest({ asNew: true }));

    assert.equal(same.idSuffix, '');
    assert.match(first.idSuffix, /^-\w+$/);
    assert.match(second.idSuffix, /^-\w+$/);
    assert.notEqual(first.idSuffix, second.idSuffix);
    assert.equal((await replayOf(opened.log, first.id)).idSuffix, first.idSuffix);
    await using replaying = startReplaying(opened.log);
    await settle(await replaying.next());
    assert.equal((await replaying.next()).replay.idSuffix, first.idSuffix);
  });

  test('a replay goes on where it was after the log was closed and opened again', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, Array<SettledOutcome>(5).fill('dead'));
    const { id } = await opened.log.startReplay(makeReplayRequest({ filter: { outcome: 'dead' } }));
    const replaying = startReplaying(opened.log, { maxRecords: 2 });
    const first = await replaying.next();
    await settle(first);
    const uncommitted = await replaying.next();
    await replaying.end();

    await opened.reopen();
    const rest = await runReplay(opened.log, id, { maxRecords: 2 });

    assert.deepEqual(idsIn(first), ['1', '2']);
    assert.deepEqual(idsIn(uncommitted), ['3', '4']);
    assert.deepEqual(rest, ['3', '4', '5']);
    assert.partialDeepStrictEqual(await replayOf(opened.log, id), { state: 'done', delivered: 5 });
    await assertBooks(opened.log, { segment: { delivered: 5, dead: 0 } });
  });

  test('a replay that was stopped hands out nothing more, and a commit after the stop changes nothing', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, Array<SettledOutcome>(4).fill('dead'));
    const { id } = await opened.log.startReplay(makeReplayRequest());
    await using replaying = startReplaying(opened.log, { maxRecords: 1 });
    await settle(await replaying.next());
    const late = await replaying.next();

    const stopped = [await opened.log.stopReplay(id), await opened.log.stopReplay(id)];
    await settle(late, undefined, [makeAttempt(late.records)]);

    assert.deepEqual(stopped, [true, false]);
    assert.partialDeepStrictEqual(await replayOf(opened.log, id), { state: 'stopped', delivered: 1 });
    assert.deepEqual(await outcomesAt(opened.log), ['delivered', 'dead', 'dead', 'dead']);
    assert.deepEqual((await journeyAt(opened.log, '2')).attempts, []);
    assert.equal((await opened.log.deadLetters([consumer], {}, 9)).length, 3);
    await assertBooks(opened.log, { segment: { delivered: 1, dead: 3 } });
    assert.deepEqual(await replayedIds(opened.log, { outcome: 'dead' }), ['2', '3', '4']);
  });

  test('an id that no replay has, or one that is done, cannot be stopped', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered']);
    const { id } = await opened.log.startReplay(makeReplayRequest());
    await runReplay(opened.log, id);

    assert.equal(await opened.log.stopReplay(id), false);
    assert.equal(await opened.log.stopReplay(1_000 as ReplayId), false);
    assert.equal(await opened.log.stopReplay(0.5 as ReplayId), false);
  });

  test('two replays of one consumer run one after the other, the older first', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered', 'delivered', 'delivered']);
    const first = await opened.log.startReplay(makeReplayRequest());
    const second = await opened.log.startReplay(makeReplayRequest({ filter: { eventId: eventId('2') } }));
    await using replaying = startReplaying(opened.log, { maxRecords: 2 });

    const handedOut: string[] = [];
    for (let count = 0; count < 3; count++) {
      const { replay, ...records } = await replaying.next();
      handedOut.push(`${replay.id === first.id ? 'first' : 'second'} ${idsIn(records).join(' ')}`);
      await settle(records);
    }

    assert.deepEqual(handedOut, ['first 1 2', 'first 3', 'second 2']);
    assert.deepEqual(
      (await opened.log.replays()).map(({ id }) => id),
      [second.id, first.id],
    );
  });

  test('a replay that is stopped while its search goes on makes way for the next one', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, Array<SettledOutcome>(100).fill('delivered'));
    const nothing = await opened.log.startReplay(makeReplayRequest({ filter: { userId: 'nobody' } }));
    await opened.log.stopReplay(nothing.id);
    await opened.log.startReplay(makeReplayRequest({ filter: { eventId: eventId('7') } }));
    await using replaying = startReplaying(opened.log);

    assert.deepEqual(idsIn(await replaying.next()), ['7']);
  });

  test('replays of different consumers are independent', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['dead', 'dead']);
    await using consuming = startConsumer(opened.log, {}, otherConsumer);
    await settle(await consuming.next(), ['dead', 'dead']);
    await opened.log.startReplay(makeReplayRequest());
    const other = await opened.log.startReplay(makeReplayRequest({ consumer: otherConsumer }));
    await using replaying = startReplaying(opened.log, { maxRecords: 1 });
    await replaying.next();
    await using replayingOther = startReplaying(opened.log, {}, otherConsumer);

    await settle(await replayingOther.next());

    await until('the other replay is done', async () => {
      void replayingOther.next().catch(() => undefined);
      return (await replayOf(opened.log, other.id)).state === 'done';
    });
    await assertBooks(opened.log, {
      segment: { delivered: 0, dead: 2 },
      warehouse: { delivered: 2, dead: 0 },
    });
  });

  test('a replay takes only what was settled before its start', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered', 'delivered']);
    await opened.log.append(makeEvent({ id: eventId('3') }));
    const { id } = await opened.log.startReplay(makeReplayRequest());
    await idsOf(opened.log, 1);
    await opened.log.append(makeEvent({ id: eventId('4') }));

    assert.deepEqual(await runReplay(opened.log, id), ['1', '2']);
    await assertBooks(opened.log, { segment: { pending: 1, delivered: 3 } });
  });

  test('events are appended and consumed beside a replay', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, Array<SettledOutcome>(20).fill('dead'));
    const { id } = await opened.log.startReplay(makeReplayRequest());
    await using replaying = startReplaying(opened.log, { maxRecords: 1 });
    await using consuming = startConsumer(opened.log);

    const live: string[] = [];
    for (let count = 1; count <= 20; count++) {
      const replayed = await replaying.next();
      await opened.log.append(makeEvent({ id: eventId(`live-${count}`) }));
      const handedOut = await consuming.next();
      live.push(...idsIn(handedOut));
      await Promise.all([settle(handedOut), settle(replayed)]);
      await assertBooks(opened.log, { segment: { pending: 0, delivered: 2 * count, dead: 20 - count } });
    }

    assert.equal(live.length, 20);
    assert.equal((await replayOf(opened.log, id)).delivered, 20);
  });

  test('a waiting loop of replays wakes when one is started, and ends when its signal aborts', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered']);
    const stopping = new AbortController();
    const limits = { maxRecords: 10, maxCharacters: 1_000, lingerMs: 0 };
    const handOuts = opened.log.replay(consumer, limits, stopping.signal)[Symbol.asyncIterator]();
    const waiting = handOuts.next();

    await opened.log.startReplay(makeReplayRequest());
    const { value, done } = (await waiting) as IteratorResult<ReplayedRecords, undefined>;
    assert.ok(done !== true);
    await settle(value);
    const ending = handOuts.next();
    stopping.abort();

    assert.deepEqual(idsIn(value), ['1']);
    assert.deepEqual(await ending, { done: true, value: undefined });
  });

  test('a hand-out of a replay holds no more than its limits', async () => {
    await using opened = await OpenedLog.open(open);
    const sizes = [60, 50, 10, 500, 1, 1, 1, 1];
    await appendSettled(opened.log, Array<SettledOutcome>(sizes.length).fill('delivered'), (index) => ({
      body: 'x'.repeat(sizes[index] ?? 0),
    }));
    await opened.log.startReplay(makeReplayRequest());
    await using replaying = startReplaying(opened.log, { maxRecords: 3, maxCharacters: 100 });

    const handOuts: (readonly number[])[] = [];
    for (let count = 0; count < 5; count++) {
      const handedOut = await replaying.next();
      handOuts.push(handedOut.records.map(({ body }) => body.length));
      await settle(handedOut);
    }

    assert.deepEqual(handOuts, [[60], [50, 10], [500], [1, 1, 1], [1]]);
  });

  test('a replay of nothing is done at once', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 1);
    const { id } = await opened.log.startReplay(makeReplayRequest());

    assert.deepEqual(await runReplay(opened.log, id), []);
    assert.partialDeepStrictEqual(await replayOf(opened.log, id), { state: 'done', delivered: 0 });
  });
}
