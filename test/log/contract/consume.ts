// Consumption: in order, from where it stood, in hand-outs that are not too large and not too many.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumedRecords } from '../../../src/log/log.ts';
import {
  appendAll,
  appendNumbered,
  consumer,
  eventId,
  handOutsOf,
  idsIn,
  idsOf,
  makeEvent,
  OpenedLog,
  otherConsumer,
  settle,
  startConsumer,
  wide,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

export function describeConsume(open: OpenLog): void {
  test('a consumer gets the records from the first one on, in the order of their appends', async () => {
    await using opened = await OpenedLog.open(open);
    const ids = await appendNumbered(opened.log, 25);

    const consumed = await idsOf(opened.log, 25, { maxRecords: 7 });

    assert.deepEqual(consumed, ids);
  });

  test('a consumer with nothing left waits, and wakes when an event is appended', async () => {
    await using opened = await OpenedLog.open(open);
    await using consuming = startConsumer(opened.log);

    for (const id of ['1', '2', '3']) {
      const waiting = consuming.next();
      await opened.log.append(makeEvent({ id: eventId(id) }));
      const handedOut = await waiting;
      await settle(handedOut);

      assert.deepEqual(idsIn(handedOut), [id]);
    }
  });

  test('a consumer that waits ends when its signal aborts', async () => {
    await using opened = await OpenedLog.open(open);
    const stopping = new AbortController();
    const handOuts = opened.log.consume(consumer, wide, stopping.signal)[Symbol.asyncIterator]();
    await opened.log.append(makeEvent());
    await settle((await handOuts.next()).value as ConsumedRecords);
    const waiting = handOuts.next();

    stopping.abort();

    assert.deepEqual(await waiting, { done: true, value: undefined });
  });

  test('a consumer whose signal has aborted already gets nothing', async () => {
    await using opened = await OpenedLog.open(open);
    await opened.log.append(makeEvent());

    const handedOut = await Array.fromAsync(opened.log.consume(consumer, wide, AbortSignal.abort()));

    assert.deepEqual(handedOut, []);
  });

  test('records that were not committed come again in the same loop', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 3);
    await using consuming = startConsumer(opened.log, { maxRecords: 2 });

    const first = await consuming.next();
    const second = await consuming.next();
    await settle(second);
    const third = await consuming.next();

    assert.deepEqual([first, second, third].map(idsIn), [['1', '2'], ['1', '2'], ['3']]);
  });

  test('records that were not committed come again to the next loop, with those that were appended since', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 2);
    await using abandoned = startConsumer(opened.log);
    await abandoned.next();
    await abandoned.end();
    await opened.log.append(makeEvent({ id: eventId('3') }));

    const ids = await idsOf(opened.log, 3);

    assert.deepEqual(ids, ['1', '2', '3']);
  });

  test('records that were not committed come again after the log was opened again', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 3);
    await using abandoned = startConsumer(opened.log, { maxRecords: 1 });
    await settle(await abandoned.next());
    await abandoned.next();
    await abandoned.end();

    await opened.reopen();
    const ids = await idsOf(opened.log, 2);

    assert.deepEqual(ids, ['2', '3']);
  });

  test('committed records never come again, neither to the next loop nor after the log was opened again', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 6);

    const first = await idsOf(opened.log, 2, { maxRecords: 2 });
    const second = await idsOf(opened.log, 2, { maxRecords: 2 });
    await opened.reopen();
    const third = await idsOf(opened.log, 2, { maxRecords: 2 });

    assert.deepEqual([first, second, third].flat(), ['1', '2', '3', '4', '5', '6']);
  });

  test('two consumers each get every record, at their own pace', async () => {
    await using opened = await OpenedLog.open(open);
    const ids = await appendNumbered(opened.log, 5);
    await using slow = startConsumer(opened.log, { maxRecords: 1 }, otherConsumer);
    await settle(await slow.next());

    const fast = await idsOf(opened.log, 5);
    const next = await slow.next();

    assert.deepEqual(fast, ids);
    assert.deepEqual(idsIn(next), ['2']);
  });

  test('a consumer that is new on an old log gets everything from the beginning', async () => {
    await using opened = await OpenedLog.open(open);
    const ids = await appendNumbered(opened.log, 5);
    await idsOf(opened.log, 5);
    await opened.reopen();

    const seen = await idsOf(opened.log, 5, {}, 'new');

    assert.deepEqual(seen, ids);
  });

  test('a hand-out holds no more records than maxRecords', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 10);

    const handOuts = await handOutsOf(opened.log, 10, { maxRecords: 4 });

    assert.deepEqual(handOuts.map(idsIn), [
      ['1', '2', '3', '4'],
      ['5', '6', '7', '8'],
      ['9', '10'],
    ]);
  });

  test('a hand-out holds no more characters than maxCharacters, and a larger record comes alone', async () => {
    await using opened = await OpenedLog.open(open);
    const sizes = [101, 50, 50, 1, 99, 500, 60, 41, 101];
    await appendAll(
      opened.log,
      sizes.map((size, index) => makeEvent({ id: eventId(String(index)), body: 'ü'.repeat(size) })),
    );

    const handOuts = await handOutsOf(opened.log, sizes.length, { maxCharacters: 100 });

    assert.deepEqual(
      handOuts.map(({ records }) => records.map(({ body }) => body.length)),
      [[101], [50, 50], [1, 99], [500], [60], [41], [101]],
    );
  });
}

export function describeLinger(open: OpenLog): void {
  test('a lone record is handed out at once, however long the linger', async () => {
    await using opened = await OpenedLog.open(open);
    await using consuming = startConsumer(opened.log, { lingerMs: 3_600_000 });
    const waiting = consuming.next();

    await opened.log.append(makeEvent({ id: eventId('1') }));

    assert.deepEqual(idsIn(await waiting), ['1']);
  });

  test('records that keep coming are gathered until the linger after the last hand-out is over', async () => {
    await using opened = await OpenedLog.open(open);
    const lingerMs = 400;
    await using consuming = startConsumer(opened.log, { lingerMs });
    await opened.log.append(makeEvent({ id: eventId('1') }));
    await settle(await consuming.next());
    const handedOutAt = performance.now();

    const waiting = consuming.next();
    await opened.log.append(makeEvent({ id: eventId('2') }));
    await opened.log.append(makeEvent({ id: eventId('3') }));
    const gathered = await waiting;

    assert.deepEqual(idsIn(gathered), ['2', '3']);
    assert.ok(performance.now() - handedOutAt > lingerMs / 2, 'the hand-out waited for more records');
  });

  test('a hand-out that is full does not wait for the linger', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 4);

    const handOuts = await handOutsOf(opened.log, 4, { maxRecords: 2, lingerMs: 3_600_000 });

    assert.deepEqual(handOuts.map(idsIn), [
      ['1', '2'],
      ['3', '4'],
    ]);
  });

  test('a consumer that lingers ends when its signal aborts', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 1);
    const stopping = new AbortController();
    const limits = { ...wide, lingerMs: 3_600_000 };
    const handOuts = opened.log.consume(consumer, limits, stopping.signal)[Symbol.asyncIterator]();
    await settle((await handOuts.next()).value as ConsumedRecords);
    const lingering = handOuts.next();
    await opened.log.append(makeEvent());

    stopping.abort();

    assert.deepEqual(await lingering, { done: true, value: undefined });
  });
}
