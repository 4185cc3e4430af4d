// The books, dead letters that are kept, and the list of the newest records.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  appendAll,
  appendNumbered,
  assertBooks,
  consumer,
  idsOf,
  makeDeadLetter,
  makeEvent,
  OpenedLog,
  otherConsumer,
  settle,
  startConsumer,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

export function describeBooks(open: OpenLog): void {
  test('the newest delivered record is known for each consumer, whatever came of those behind it', async () => {
    await using opened = await OpenedLog.open(open);
    const times = [1_000, 2_000, 3_000, 4_000];
    await appendAll(
      opened.log,
      times.map((receivedAt) => makeEvent({ receivedAt })),
    );
    const before = await opened.log.deliveredThrough(consumer);
    await using consuming = startConsumer(opened.log);

    await settle(await consuming.next(), ['delivered', 'delivered', 'filtered', 'dead']);

    assert.equal(before, undefined);
    assert.equal(await opened.log.deliveredThrough(consumer), 2_000);
    assert.equal(await opened.log.deliveredThrough(otherConsumer), undefined);
  });

  test('the books balance after every step, and are the same after the log was opened again', async () => {
    await using opened = await OpenedLog.open(open);
    const none = { delivered: 0, filtered: 0, dead: 0 };

    await assertBooks(opened.log, { received: 0, duplicates: 0, stored: 0, rejected: 0 });

    await appendNumbered(opened.log, 4);
    await appendNumbered(opened.log, 6);
    const appended = { received: 10, duplicates: 4, stored: 6 };
    await assertBooks(opened.log, { ...appended, segment: { pending: 6, ...none } });

    await using consuming = startConsumer(opened.log, { maxRecords: 4 });
    const handedOut = await consuming.next();
    await assertBooks(opened.log, { ...appended, segment: { pending: 6, ...none } });

    await settle(handedOut, ['delivered', 'dead', 'filtered', 'dead']);
    const segment = { pending: 2, delivered: 1, filtered: 1, dead: 2 };
    await assertBooks(opened.log, { ...appended, segment, warehouse: { pending: 6, ...none } });

    await idsOf(opened.log, 6, {}, otherConsumer);
    const warehouse = { pending: 0, delivered: 6, filtered: 0, dead: 0 };
    await assertBooks(opened.log, { ...appended, segment, warehouse });

    await opened.reopen();
    await assertBooks(opened.log, { ...appended, segment, warehouse });

    await appendNumbered(opened.log, 7);
    await assertBooks(opened.log, {
      received: 17,
      duplicates: 10,
      stored: 7,
      segment: { ...segment, pending: 3 },
      warehouse: { ...warehouse, pending: 1 },
    });
  });

  test('webhooks that were turned away are counted apart, and still counted after the log was opened again', async () => {
    await using opened = await OpenedLog.open(open);
    for (let count = 0; count < 3; count++) opened.log.countRejected();
    await assertBooks(opened.log, { received: 0, rejected: 3 });

    await opened.reopen();
    await assertBooks(opened.log, { received: 0, rejected: 3 });

    opened.log.countRejected();
    await opened.log.append(makeEvent());
    await opened.reopen();
    await assertBooks(opened.log, { received: 1, stored: 1, rejected: 4 });
  });

  test('the oldest pending record tells its age, and none has the age 0', async () => {
    await using opened = await OpenedLog.open(open);
    const ageOf = async () =>
      (await opened.log.books([consumer])).consumers[consumer]?.oldestPendingSeconds ?? NaN;
    const hourAgo = Date.now() - 3_600_000;
    const empty = await ageOf();
    await appendAll(opened.log, [makeEvent({ receivedAt: hourAgo }), makeEvent({ receivedAt: Date.now() })]);

    const whole = await ageOf();
    await idsOf(opened.log, 1, { maxRecords: 1 });
    const half = await ageOf();
    await idsOf(opened.log, 1, { maxRecords: 1 });
    const settled = await ageOf();

    assert.equal(empty, 0);
    assert.ok(whole >= 3_600 && whole < 3_660, `${whole} is about an hour`);
    assert.ok(half >= 0 && half < 60, `${half} is less than a minute`);
    assert.equal(settled, 0);
  });

  test('a record becomes dead with all its dead letters, at each consumer apart', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 1);
    const deadLetters = [
      makeDeadLetter({ messageId: 'm-1', message: '{"type":"track"}' }),
      makeDeadLetter({ messageId: 'm-2', reason: 'too_large', detail: 'ü'.repeat(10_000) }),
      makeDeadLetter({ messageId: '', reason: 'mapping_failed', message: '' }),
    ];

    for (const name of [consumer, otherConsumer]) {
      await using consuming = startConsumer(opened.log, {}, name);
      const handedOut = await consuming.next();
      await handedOut.commit(
        handedOut.records.map(({ position }) => ({ position, outcome: 'dead', deadLetters })),
        [],
      );
    }

    const books = { pending: 0, delivered: 0, filtered: 0, dead: 1 };
    await assertBooks(opened.log, { stored: 1, segment: books, warehouse: books });
  });

  test('two dead letters of one record may have the same message id', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 1);
    await using consuming = startConsumer(opened.log);
    const handedOut = await consuming.next();
    const deadLetters = [makeDeadLetter({ messageId: 'm-1' }), makeDeadLetter({ messageId: 'm-1' })];

    await handedOut.commit(
      handedOut.records.map(({ position }) => ({ position, outcome: 'dead', deadLetters })),
      [],
    );

    await assertBooks(opened.log, { segment: { pending: 0, delivered: 0, filtered: 0, dead: 1 } });
  });

  test('the newest records are listed first, each with its outcome at each consumer', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 4);
    await using consuming = startConsumer(opened.log, { maxRecords: 3 });
    await settle(await consuming.next(), ['delivered', 'filtered', 'dead']);
    await idsOf(opened.log, 1, { maxRecords: 1 }, otherConsumer);

    const listed = async () =>
      (await opened.log.latest(10, [consumer, otherConsumer])).map(({ id, outcomes }) => ({
        id,
        ...outcomes,
      }));
    const before = await listed();
    await opened.reopen();
    const after = await listed();

    assert.deepEqual(before, [
      { id: '4', segment: 'pending', warehouse: 'pending' },
      { id: '3', segment: 'dead', warehouse: 'pending' },
      { id: '2', segment: 'filtered', warehouse: 'pending' },
      { id: '1', segment: 'delivered', warehouse: 'delivered' },
    ]);
    assert.deepEqual(after, before);
  });

  test('the list of the newest records is as long as was asked for, and tells what is known of each', async () => {
    await using opened = await OpenedLog.open(open);
    const none = await opened.log.latest(2, []);
    const withoutTenant = makeEvent({ tenantId: undefined });
    const last = makeEvent({ tenantId: 'tenant', verifiedBy: 'hmac:1', type: 'user.create' });
    await appendAll(opened.log, [makeEvent(), withoutTenant, last]);

    const [first, second, ...others] = await opened.log.latest(2, []);

    const { id, type, tenantId, receivedAt, verifiedBy } = last;
    assert.deepEqual(none, []);
    assert.partialDeepStrictEqual(first, { id, type, tenantId, receivedAt, verifiedBy, outcomes: {} });
    assert.partialDeepStrictEqual(second, { id: withoutTenant.id, tenantId: null });
    assert.deepEqual(others, []);
  });
}
