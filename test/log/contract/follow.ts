// What is new, as it comes: in order, without a gap or a repeat, and what becomes of it afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventLog, FollowOptions, Position, SearchFilter } from '../../../src/log/log.ts';
import {
  appendNumbered,
  appendSettled,
  consumer,
  eventId,
  makeEvent,
  OpenedLog,
  otherConsumer,
  replayedIds,
  settle,
  startConsumer,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

const consumers = [consumer, otherConsumer];
const beginning = '0' as Position;

export function describeFollow(open: OpenLog): void {
  test('what is followed comes in order, once, across looks of any size', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 7);

    const first = await follow(opened.log, {}, { after: beginning, count: 3 });
    const second = await follow(opened.log, {}, { after: first.next, count: 4 });
    const none = await follow(opened.log, {}, { after: second.next, count: 4 });
    await opened.log.append(makeEvent({ id: eventId('new') }));
    const third = await follow(opened.log, {}, { after: none.next, count: 4 });

    assert.deepEqual(
      [first.ids, second.ids, none.ids, third.ids],
      [['1', '2', '3'], ['4', '5', '6', '7'], [], ['new']],
    );
  });

  test('a look for what is rare goes on behind what it has looked at', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 12_000);
    await opened.log.append(makeEvent({ id: eventId('rare'), type: 'user.create' }));

    const seen: string[] = [];
    let after = beginning;
    let looks = 0;
    while (seen.length === 0) {
      const { ids, next } = await follow(opened.log, { types: ['user.create'] }, { after });
      assert.notEqual(next, after, 'each look gets further');
      seen.push(...ids);
      after = next;
      looks++;
    }

    assert.deepEqual(seen, ['rare']);
    assert.ok(looks > 1, 'a look is bounded');
  });

  test('who asks for an outcome gets each record when it is settled, and not before', async () => {
    await using opened = await OpenedLog.open(open);
    const { log } = opened;
    await appendNumbered(log, 4);
    const dead: SearchFilter = { outcome: { is: 'dead', consumer } };
    await using consuming = startConsumer(log, { maxRecords: 2 });

    const before = await follow(log, dead, { after: beginning });
    await settle(await consuming.next(), ['delivered', 'dead']);
    const settled = await follow(log, dead, { after: before.next });
    await settle(await consuming.next(), ['dead', 'dead']);
    const later = await follow(log, dead, { after: settled.next });
    const anywhere = await follow(log, { outcome: { is: 'dead' } }, { after: beginning });

    assert.deepEqual([before.ids, settled.ids, later.ids], [[], ['2'], ['3', '4']]);
    assert.deepEqual(anywhere.ids, [], 'the other consumer has settled none yet');
  });

  test('who asks for what is pending gets what is pending now', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['delivered', 'delivered']);
    await opened.log.append(makeEvent({ id: eventId('new') }));

    const { ids } = await follow(opened.log, { outcome: { is: 'pending', consumer } }, { after: beginning });

    assert.deepEqual(ids, ['new']);
  });

  test('who is too far behind is moved on to the newest, and told of what was skipped', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 100);

    const near = await follow(opened.log, {}, { after: beginning, count: 10, mostBehind: 90 });
    const far = await follow(opened.log, {}, { after: beginning, count: 10, mostBehind: 50 });
    const newest = await follow(opened.log, {}, { after: far.next, count: 10, mostBehind: 50 });

    assert.equal(near.skipped, undefined);
    assert.deepEqual(far.ids, ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10']);
    assert.equal(far.skipped?.records, 80);
    assert.deepEqual(newest.ids, ['91', '92', '93', '94', '95', '96', '97', '98', '99', '100']);
    const left = await follow(opened.log, {}, { after: far.skipped.after, count: 80 });
    assert.deepEqual([left.ids[0], left.ids.at(-1), left.next], ['11', '90', far.next]);
  });

  test('a place behind the newest record counts as the newest', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 2);

    const ahead = await follow(opened.log, {}, { after: '1000' as Position });
    await opened.log.append(makeEvent({ id: eventId('new') }));
    const { ids } = await follow(opened.log, {}, { after: ahead.next });

    assert.deepEqual(ids, ['new']);
  });

  test('who watches outcomes is told when one is written, and reads it then', async () => {
    await using opened = await OpenedLog.open(open);
    const { log } = opened;
    const watching = new AbortController();
    const told: Position[] = [];
    log.watchOutcomes((positions) => told.push(...positions), watching.signal);
    const outcomes = async () =>
      (await log.outcomesOf(told.splice(0), consumers)).map(({ id, outcomes }) => [id, outcomes[consumer]]);

    await appendSettled(log, ['delivered', 'dead', 'dead']);
    assert.deepEqual(await outcomes(), [
      ['1', 'delivered'],
      ['2', 'dead'],
      ['3', 'dead'],
    ]);

    await log.discard(consumer, { eventId: eventId('3') }, 'a test');
    assert.deepEqual(await outcomes(), [['3', 'filtered']]);

    await replayedIds(log, { outcome: 'dead' });
    assert.deepEqual(await outcomes(), [['2', 'delivered']]);

    watching.abort();
    await replayedIds(log, {});
    assert.deepEqual(told, []);
  });

  test('outcomes are told of all consumers, and of what is there alone', async () => {
    await using opened = await OpenedLog.open(open);
    await appendSettled(opened.log, ['filtered']);
    const [record] = await opened.log.latest(1, []);
    assert.ok(record);

    const known = await opened.log.outcomesOf([record.position, '99' as Position], consumers);

    const outcomes = { [consumer]: 'filtered', [otherConsumer]: 'pending' };
    assert.deepEqual(known, [{ position: record.position, id: '1', outcomes }]);
  });
}

async function follow(
  log: EventLog,
  filter: SearchFilter,
  options: Partial<FollowOptions> & { after: Position },
) {
  const { records, next, skipped } = await log.follow(filter, { count: 100, consumers, ...options });
  return { ids: records.map(({ id }) => id as string), next, skipped };
}
