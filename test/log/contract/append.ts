// Appends: stored once, in order, as they came.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventId } from '../../../src/fusionauth/event.ts';
import {
  appendAll,
  assertBooks,
  bodiesOf,
  eventId,
  idsOf,
  makeEvent,
  OpenedLog,
  startConsumer,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

export function describeAppend(open: OpenLog): void {
  test('an event is stored once, and its id is a duplicate from then on', async () => {
    await using opened = await OpenedLog.open(open);
    const event = makeEvent({ id: eventId('1') });

    const first = await opened.log.append(event);
    const second = await opened.log.append({ ...event, type: 'user.update', body: '{"changed":true}' });

    assert.deepEqual([first, second], ['stored', 'duplicate']);
    assert.deepEqual(await bodiesOf(opened.log, 1), [event.body]);
  });

  test('an id that comes twice at the same moment is stored once', async () => {
    await using opened = await OpenedLog.open(open);
    const event = makeEvent();

    const answers = await appendAll(opened.log, [event, makeEvent(), event, event]);

    assert.deepEqual(answers, ['stored', 'stored', 'duplicate', 'duplicate']);
    assert.equal((await opened.log.latest(10, [])).length, 2);
  });

  test('an id is a duplicate after the log was closed and opened again', async () => {
    await using opened = await OpenedLog.open(open);
    const event = makeEvent();
    await opened.log.append(event);

    await opened.reopen();
    const answers = await appendAll(opened.log, [event, makeEvent()]);

    assert.deepEqual(answers, ['duplicate', 'stored']);
  });

  test('a record comes out as its event went in', async () => {
    await using opened = await OpenedLog.open(open);
    const events = [
      makeEvent({ tenantId: undefined, verifiedBy: 'unsigned', receivedAt: 0 }),
      makeEvent({ id: eventId('!'.repeat(64)), tenantId: 'Zürich "east"', verifiedBy: 'kid:ü-1' }),
      makeEvent({ type: "x'; drop table records; --", body: '{"name":"Ōe 健三郎 🦉 \\u0000","n":1e300}' }),
      makeEvent({ type: 'type\u0000with zero', body: '' }),
    ];

    await appendAll(opened.log, events);
    await using consuming = startConsumer(opened.log);
    const { records } = await consuming.next();

    assert.deepEqual(
      records,
      events.map((event, index) => ({ ...event, position: records[index]?.position })),
    );
  });

  test('2,000 events that come at once are all stored in order, and each repeated one is a duplicate', async () => {
    await using opened = await OpenedLog.open(open);
    // Every fifth event repeats the one that stands ten before it.
    const indexes = Array.from({ length: 2_000 }, (_, index) =>
      index % 5 === 4 && index > 10 ? index - 10 : index,
    );
    const events = indexes.map((index) => makeEvent({ id: eventId(String(index)) }));
    const firstSeen = [...new Set(events.map(({ id }) => id))];

    const answers = await appendAll(opened.log, events);

    const seen = new Set<EventId>();
    assert.deepEqual(
      answers,
      events.map(({ id }) => (seen.has(id) ? 'duplicate' : (seen.add(id), 'stored'))),
    );
    assert.deepEqual(await idsOf(opened.log, firstSeen.length), firstSeen);
    await assertBooks(opened.log, {
      received: 2_000,
      duplicates: 2_000 - firstSeen.length,
      stored: firstSeen.length,
    });
  });

  test('a log that has just been opened takes writes', async () => {
    await using opened = await OpenedLog.open(open);

    assert.equal(opened.log.isWritable(), true);
  });

  test('closing waits for what was appended, and what was answered is there afterwards', async () => {
    await using opened = await OpenedLog.open(open);
    const events = Array.from({ length: 50 }, () => makeEvent());

    const appended = appendAll(opened.log, events);
    await opened.reopen();

    assert.deepEqual(new Set(await appended), new Set(['stored']));
    assert.deepEqual(
      await idsOf(opened.log, 50),
      events.map(({ id }) => id),
    );
  });
}
