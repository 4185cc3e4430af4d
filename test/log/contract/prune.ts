// The removal of old records: only what nobody needs any more, with books that go on balancing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SettledOutcome } from '../../../src/log/log.ts';
import {
  appendAll,
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
  replayOf,
  runReplay,
  settle,
  startConsumer,
  startReplaying,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

const never = new AbortController().signal;
/** Later than every event of these tests, but for those that say otherwise. */
const later = 1_800_000_000_000;

export function describePrune(open: OpenLog): void {
  test('what is old and settled goes, with all that was kept of it; the books stay as they were', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 3);
    await using consuming = startConsumer(opened.log);
    const handedOut = await consuming.next();
    await settle(handedOut, ['delivered', 'filtered', 'delivered'], [makeAttempt(handedOut.records)]);
    const books = await opened.log.books([consumer]);

    const pruned = await opened.log.prune(later, [consumer], never);

    assert.equal(pruned, 3);
    assert.deepEqual(await opened.log.latest(9, [consumer]), []);
    assert.equal(await opened.log.journey(eventId('1'), [consumer]), undefined);
    assert.equal(await opened.log.countMatching(consumer, {}), 0);
    assert.deepEqual(await opened.log.books([consumer]), books);
    await opened.reopen();
    assert.deepEqual(await opened.log.books([consumer]), books);
  });

  test('what is young stays', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, Array<SettledOutcome>(5).fill('delivered'), (index) => ({
      receivedAt: index,
    }));

    const pruned = await opened.log.prune(3, [consumer], never);

    assert.equal(pruned, 3);
    assert.deepEqual(await idsLeft(opened), ['4', '5']);
    assert.equal(await opened.log.prune(3, [consumer], never), 0);
  });

  test('what is pending at one of the consumers stays', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, Array<SettledOutcome>(5).fill('delivered'));

    const unknown = await opened.log.prune(later, [consumer, otherConsumer], never);
    await idsOf(opened.log, 2, { maxRecords: 2 }, otherConsumer);
    const pruned = await opened.log.prune(later, [consumer, otherConsumer], never);

    assert.deepEqual([unknown, pruned], [0, 2]);
    assert.deepEqual(await idsOf(opened.log, 3, {}, otherConsumer), ['3', '4', '5']);
    await assertBooks(opened.log, {
      segment: { pending: 0, delivered: 5 },
      warehouse: { pending: 0, delivered: 5 },
    });
  });

  test('without consumers nothing goes', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered']);

    assert.equal(await opened.log.prune(later, [], never), 0);
  });

  test('what is dead stays with its attempts, until it is delivered or discarded', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 4);
    await using consuming = startConsumer(opened.log);
    const handedOut = await consuming.next();
    const attempt = makeAttempt(handedOut.records);
    await settle(handedOut, ['delivered', 'dead', 'dead', 'delivered'], [attempt]);

    const first = await opened.log.prune(later, [consumer], never);
    assert.equal(first, 2);
    assert.deepEqual(await idsLeft(opened), ['2', '3']);
    assert.deepEqual((await journeyAt(opened.log, '2')).attempts, [attempt]);

    await opened.log.discard(consumer, { eventId: eventId('2') }, 'never mind');
    const second = await opened.log.prune(later, [consumer], never);
    const { id } = await opened.log.startReplay(makeReplayRequest());
    await runReplay(opened.log, id);
    const third = await opened.log.prune(later, [consumer], never);

    assert.deepEqual([second, third], [1, 1]);
    assert.deepEqual(await opened.log.latest(9, []), []);
    await assertBooks(opened.log, { stored: 4, segment: { pending: 0, delivered: 3, filtered: 1, dead: 0 } });
  });

  test('many dead records in front hold up nothing behind them', async () => {
    await using opened = await OpenedLog.open(open);
    const outcomes = Array.from({ length: 1_000 }, (_, index) => (index < 900 ? 'dead' : 'delivered'));
    await appendSettled(opened.log, outcomes);

    assert.equal(await opened.log.prune(later, [consumer], never), 100);
    await assertBooks(opened.log, { stored: 1_000, segment: { pending: 0, delivered: 100, dead: 900 } });
  });

  test('what is appended after all was removed and the log opened again is consumed', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, Array<SettledOutcome>(5).fill('delivered'));
    await opened.log.prune(later, [consumer], never);
    await opened.reopen();

    await opened.log.append(makeEvent({ id: eventId('new') }));

    assert.deepEqual(await idsOf(opened.log, 1), ['new']);
    await assertBooks(opened.log, { stored: 6, segment: { pending: 0, delivered: 6 } });
  });

  test('a consumer that is new after a removal gets what is left, and has books that balance', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered', 'dead', 'delivered', 'delivered'], (index) => ({
      receivedAt: index,
    }));
    await opened.log.prune(3, [consumer], never);
    await assertBooks(opened.log, { stored: 4 });

    assert.deepEqual(await idsOf(opened.log, 2, {}, otherConsumer), ['2', '4']);

    const warehouse = { pending: 0, delivered: 2, filtered: 2, dead: 0 };
    await assertBooks(opened.log, { stored: 4, segment: { delivered: 3, dead: 1 }, warehouse });
  });

  test('a consumer that is new after all was removed begins with what comes then', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered', 'delivered']);
    await opened.log.prune(later, [consumer], never);

    await opened.log.append(makeEvent({ id: eventId('new') }));
    await opened.reopen();

    assert.deepEqual(await idsOf(opened.log, 1, {}, otherConsumer), ['new']);
    await assertBooks(opened.log, { stored: 3, warehouse: { pending: 0, delivered: 1, filtered: 2 } });
  });

  test('a consumer that was off while records were removed goes on behind them, with books that balance', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 5);
    await idsOf(opened.log, 2, { maxRecords: 2 }, otherConsumer);
    await idsOf(opened.log, 4, { maxRecords: 4 });

    const pruned = await opened.log.prune(later, [consumer], never);

    assert.equal(pruned, 4);
    await assertBooks(opened.log, { warehouse: { pending: 1, delivered: 2, filtered: 2 } });
    assert.deepEqual(await idsOf(opened.log, 1, {}, otherConsumer), ['5']);
    await assertBooks(opened.log, { warehouse: { pending: 0, delivered: 3, filtered: 2 } });
  });

  test('what is removed during a replay is not handed out any more, and its late commit counts nothing twice', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered', 'delivered', 'dead', 'delivered']);
    const { id } = await opened.log.startReplay(makeReplayRequest());
    await using replaying = startReplaying(opened.log, { maxRecords: 1 });
    const handedOut = await replaying.next();

    const pruned = await opened.log.prune(later, [consumer], never);
    await settle(handedOut, ['dead'], [makeAttempt(handedOut.records)]);
    const next = await replaying.next();
    await settle(next);

    assert.equal(pruned, 3);
    assert.deepEqual([idsIn(handedOut), idsIn(next)], [['1'], ['3']]);
    await runReplay(opened.log, id);
    assert.equal((await replayOf(opened.log, id)).state, 'done');
    assert.deepEqual(await opened.log.deadLetters([consumer], {}, 9), []);
    await assertBooks(opened.log, { stored: 4, segment: { pending: 0, delivered: 4, dead: 0 } });
  });

  test('two removals at the same time remove each record once', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, Array<SettledOutcome>(450).fill('delivered'));

    const pruned = await Promise.all([
      opened.log.prune(later, [consumer], never),
      opened.log.prune(later, [consumer], never),
    ]);

    assert.equal(pruned[0] + pruned[1], 450);
    await idsOfNew(opened);
    await assertBooks(opened.log, { stored: 451, segment: { pending: 0, delivered: 451 } });
  });

  test('a removal ends when its signal aborts, and the next one goes on', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, Array<SettledOutcome>(1_000).fill('delivered'));
    const stopping = new AbortController();

    const pruning = opened.log.prune(later, [consumer], stopping.signal);
    stopping.abort();
    const first = await pruning;
    const rest = await opened.log.prune(later, [consumer], never);

    assert.ok(first < 1_000, `${first} were removed before the end`);
    assert.equal(first + rest, 1_000);
  });

  test('an event that was removed is stored again when it comes again', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered']);
    await opened.log.prune(later, [consumer], never);

    assert.deepEqual(await appendAll(opened.log, [makeEvent({ id: eventId('1') })]), ['stored']);
  });

  async function idsLeft({ log }: OpenedLog): Promise<readonly string[]> {
    return (await log.latest(2_000, [])).map(({ id }) => id).reverse();
  }

  async function idsOfNew({ log }: OpenedLog): Promise<void> {
    await log.append(makeEvent({ id: eventId('new') }));
    await idsOf(log, 1);
  }
}
