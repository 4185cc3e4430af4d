// Filters: each kind against records that fit and records that nearly do. A replay hands out exactly those, and the count
// says how many before.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeadLetter, EventLog, RecordFilter, Settlement } from '../../../src/log/log.ts';
import {
  appendAll,
  appendSettled,
  consumer,
  eventId,
  makeDeadLetter,
  makeEvent,
  OpenedLog,
  otherConsumer,
  replayedIds,
  startConsumer,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

const userId = '4c0a1a31-6a62-4b9c-a0f5-2f1f1d6f6f10';

const events = [
  { id: 'login', type: 'user.login.success', receivedAt: 1_000, body: `{"user":{"id":"${userId}"}}` },
  { id: 'other-user', type: 'user.login.success', receivedAt: 2_000, body: `{"user":{"id":"${userId}1"}}` },
  { id: 'deep', type: 'user.create', receivedAt: 3_000, body: `{"a":[{"b":{"userId":"${userId}"}}]}` },
  { id: 'in-text', type: 'user.update', receivedAt: 4_000, body: `{"note":"of ${userId}"}` },
  { id: 'question', type: 'a?b', receivedAt: 5_000, body: '{}' },
  { id: 'bracket', type: 'a[b]', receivedAt: 6_000, body: '{"user":{"id":"ü\\"1"}}' },
  { id: 'letter', type: 'axb', receivedAt: 7_000, body: '{}' },
  { id: 'User', type: 'User.Create', receivedAt: 8_000, body: '{}' },
] as const;

const invalid = makeDeadLetter({ reason: 'invalid' });
const tooLarge = makeDeadLetter({ reason: 'too_large' });
/** Of the events above; all others were delivered. */
const deadLetters: Readonly<Record<string, readonly DeadLetter[]>> = {
  deep: [invalid, tooLarge],
  question: [tooLarge],
  bracket: [invalid],
};
const filtered = 'letter';

const cases: readonly (readonly [name: string, filter: RecordFilter, expected: readonly string[]])[] = [
  ['nothing set', {}, events.map(({ id }) => id)],
  ['an event id', { eventId: eventId('deep') }, ['deep']],
  ['an event id that is not there', { eventId: eventId('none') }, []],
  ['an event id in other letters', { eventId: eventId('DEEP') }, []],
  ['a user id, wherever it stands', { userId }, ['login', 'deep']],
  ['a user id with a quote', { userId: 'ü"1' }, ['bracket']],
  ['half a user id', { userId: userId.slice(0, 8) }, []],
  ['a type', { types: ['user.create'] }, ['deep']],
  ['several types', { types: ['user.create', 'axb', 'none'] }, ['deep', 'letter']],
  ['no types', { types: [] }, []],
  ['a pattern', { types: ['user.*'] }, ['login', 'other-user', 'deep', 'in-text']],
  ['a pattern with two stars', { types: ['*.login.*'] }, ['login', 'other-user']],
  ['a star alone', { types: ['*'] }, events.map(({ id }) => id)],
  ['? as itself', { types: ['a?b'] }, ['question']],
  ['[ as itself', { types: ['a[b]'] }, ['bracket']],
  ['[ and * in one', { types: ['a[*'] }, ['bracket']],
  [
    '5,000 types',
    { types: Array.from({ length: 5_000 }, (_, index) => `t${index}`).concat('axb') },
    ['letter'],
  ],
  ['from a time on, that one included', { from: 7_000 }, ['letter', 'User']],
  ['before a time, that one not included', { until: 2_000 }, ['login']],
  ['between two times', { from: 2_000, until: 4_000 }, ['other-user', 'deep']],
  ['the outcome dead', { outcome: 'dead' }, ['deep', 'question', 'bracket']],
  ['the outcome filtered', { outcome: 'filtered' }, ['letter']],
  ['the outcome delivered', { outcome: 'delivered' }, ['login', 'other-user', 'in-text', 'User']],
  ['a reason', { reason: 'too_large' }, ['deep', 'question']],
  ['a reason and the outcome dead', { reason: 'invalid', outcome: 'dead' }, ['deep', 'bracket']],
  ['a reason and another outcome', { reason: 'invalid', outcome: 'delivered' }, []],
  ['a reason that none has', { reason: 'none' }, []],
  ['all together', { userId, types: ['user.*'], from: 3_000, until: 3_001, reason: 'invalid' }, ['deep']],
  ['all but one', { userId, types: ['user.*'], from: 3_001, reason: 'invalid' }, []],
];

export function describeFilter(open: OpenLog): void {
  test('a replay hands out what fits its filter, and the count says so before', async (t) => {
    for (const [name, filter, expected] of cases) {
      await t.test(name, async () => {
        await using one = await OpenedLog.open(open);
        await appendCases(one.log);

        const count = await one.log.countMatching(consumer, filter);
        const ids = await replayedIds(one.log, filter, { maxRecords: 2 });

        assert.deepEqual(ids, expected);
        assert.equal(count, expected.length);
      });
    }
  });

  test('a consumer that has settled nothing has nothing to replay', async () => {
    await using opened = await OpenedLog.open(open);
    await appendCases(opened.log);

    assert.equal(await opened.log.countMatching(otherConsumer, {}), 0);
  });

  test('dead letters are listed by the same filters', async () => {
    await using opened = await OpenedLog.open(open);
    await appendCases(opened.log);
    const listed = async (filter: RecordFilter) =>
      (await opened.log.deadLetters([consumer], filter, 100)).map(
        ({ eventId, reason }) => `${eventId} ${reason}`,
      );

    for (const [name, filter, expected] of cases) {
      const dead = expected.filter((id) => deadLetters[id] !== undefined);
      const letters = dead.flatMap((id) =>
        (deadLetters[id] ?? [])
          .filter(({ reason }) => filter.reason === undefined || reason === filter.reason)
          .map(({ reason }) => `${id} ${reason}`),
      );
      if (filter.outcome === undefined)
        assert.deepEqual((await listed(filter)).toSorted(), letters.toSorted(), name);
    }
  });

  test('more records than one look takes are counted and found, far apart or close together', async () => {
    await using opened = await OpenedLog.open(open);
    const count = 12_000;
    await appendSettled(
      opened.log,
      Array.from({ length: count }, (_, index) => (index % 4_000 === 3_999 ? 'dead' : 'delivered')),
      (index) => ({ type: index === count - 2 ? 'user.create' : 'user.login.success' }),
    );

    assert.equal(await opened.log.countMatching(consumer, {}), count);
    assert.equal(await opened.log.countMatching(consumer, { outcome: 'dead' }), 3);
    assert.deepEqual(await replayedIds(opened.log, { types: ['user.create'] }), [String(count - 1)]);
    assert.deepEqual(await replayedIds(opened.log, { reason: 'invalid' }), ['4000', '8000', '12000']);
  });

  async function appendCases(log: EventLog): Promise<void> {
    await appendAll(
      log,
      events.map((event) => makeEvent({ ...event, id: eventId(event.id) })),
    );
    await using consuming = startConsumer(log);
    const handedOut = await consuming.next();
    await handedOut.commit(
      handedOut.records.map(({ position, id }): Settlement => {
        const letters = deadLetters[id];
        if (letters) return { position, outcome: 'dead', deadLetters: letters };
        return { position, outcome: id === filtered ? 'filtered' : 'delivered' };
      }),
      [],
    );
  }
}
