// Search: each kind of filter against records that fit and records that nearly do, page by page, through many others and
// through a clock that is set back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventLog, Position, SearchFilter } from '../../../src/log/log.ts';
import {
  appendAll,
  appendNumbered,
  appendSettled,
  consumer,
  eventId,
  makeEvent,
  OpenedLog,
  otherConsumer,
  settle,
  startConsumer,
} from '../opened-log.ts';
import type { OpenLog } from '../opened-log.ts';

const userId = '4c0a1a31-6a62-4b9c-a0f5-2f1f1d6f6f10';
const email = 'ada@example.com';
const app = '10000000-0000-0000-0000-000000000001';
const consumers = [consumer, otherConsumer];

const events = [
  { id: 'login', type: 'user.login.success', body: `{"user":{"id":"${userId}"}}`, tenantId: 'a' },
  { id: 'deep', type: 'user.create', body: `{"a":[{"b":"${userId}","email":"${email}"}]}`, tenantId: 'b' },
  { id: 'longer', type: 'user.update', body: `{"email":"${email}.org","i":"${userId}1"}` },
  { id: 'app', type: 'user.delete', body: `{"x":{"applicationId":"${app}"}}`, verifiedBy: 'hmac:1' },
  { id: 'quote', type: 'a[b]', body: '{"user":{"email":"ü\\"1"}}', tenantId: 'A' },
  { id: 'pending', type: 'user.login.success', body: '{}' },
  { id: 'new', type: 'axb', body: `{"applicationId":"${app}"}`, verifiedBy: 'hmac:2' },
] as const;
/** At `consumer`; `pending` and `new` are not settled, and at the other one only the first two are. */
const outcomes = ['delivered', 'dead', 'filtered', 'delivered', 'dead'] as const;
const otherOutcomes = ['filtered', 'delivered'] as const;

const newestFirst = events.map(({ id }) => id).toReversed();
const receivedAt = (index: number) => (index + 1) * 1_000;

const cases: readonly (readonly [name: string, filter: SearchFilter, expected: readonly string[]])[] = [
  ['nothing set', {}, newestFirst],
  ['an event id', { eventId: eventId('deep') }, ['deep']],
  ['an event id that is not there', { eventId: eventId('none') }, []],
  ['an event id, and a type that it has not', { eventId: eventId('deep'), types: ['user.update'] }, []],
  ['a user id, wherever it stands', { userId }, ['deep', 'login']],
  ['an e-mail address', { email }, ['deep']],
  ['an e-mail address with a quote', { email: 'ü"1' }, ['quote']],
  ['half an e-mail address', { email: 'ada' }, []],
  ['an application', { applicationId: app }, ['new', 'app']],
  ['a tenant', { tenantId: 'a' }, ['login']],
  ['what verified it', { verifiedBy: 'hmac:1' }, ['app']],
  ['a type', { types: ['user.create'] }, ['deep']],
  ['a pattern', { types: ['user.login.*'] }, ['pending', 'login']],
  ['several types', { types: ['a[b]', 'user.d*', 'none'] }, ['quote', 'app']],
  ['[ as itself', { types: ['a[b]'] }, ['quote']],
  ['no types', { types: [] }, []],
  ['from a time on, that one included', { from: 6_000 }, ['new', 'pending']],
  ['before a time, that one not included', { until: 2_000 }, ['login']],
  ['a time without records', { from: 3_001, until: 3_999 }, []],
  ['dead anywhere', { outcome: { is: 'dead' } }, ['quote', 'deep']],
  ['dead at one', { outcome: { is: 'dead', consumer: otherConsumer } }, []],
  ['filtered anywhere', { outcome: { is: 'filtered' } }, ['longer', 'login']],
  ['filtered at one', { outcome: { is: 'filtered', consumer } }, ['longer']],
  ['delivered at one', { outcome: { is: 'delivered', consumer: otherConsumer } }, ['deep']],
  ['pending anywhere', { outcome: { is: 'pending' } }, ['new', 'pending', 'quote', 'app', 'longer']],
  ['pending at one', { outcome: { is: 'pending', consumer } }, ['new', 'pending']],
  ['pending at one that never began', { outcome: { is: 'pending', consumer: 'none' } }, newestFirst],
  ['dead, of a user', { userId, outcome: { is: 'dead' } }, ['deep']],
  ['dead, of a later time', { from: 3_000, outcome: { is: 'dead' } }, ['quote']],
  ['all but one', { userId, email, tenantId: 'b', from: 2_000, until: 2_001, types: ['x'] }, []],
  ['all together', { userId, email, tenantId: 'b', from: 2_000, until: 2_001, types: ['*'] }, ['deep']],
];

export function describeSearch(open: OpenLog): void {
  test('a search finds what fits its filter, the newest first, whole and in pages', async (t) => {
    await using opened = await OpenedLog.open(open);
    await appendCases(opened.log);

    for (const [name, filter, expected] of cases) {
      await t.test(name, async () => {
        assert.deepEqual((await foundIn(opened.log, filter, 100)).ids, expected);
        assert.deepEqual((await foundIn(opened.log, filter, 1)).ids, expected, 'in pages of one');
      });
    }
  });

  test('where no consumers are asked for, no record has any outcome', async () => {
    await using opened = await OpenedLog.open(open);
    await appendCases(opened.log);

    for (const is of ['pending', 'delivered', 'filtered', 'dead'] as const) {
      const page = await opened.log.search({ outcome: { is } }, { count: 10, consumers: [] });
      assert.deepEqual([page.records, page.next], [[], undefined], is);
    }
  });

  test('an empty log is searched to its end at once', async () => {
    await using opened = await OpenedLog.open(open);

    const page = await opened.log.search({}, { count: 10, consumers });

    assert.deepEqual(page, { records: [], next: undefined, searchedThrough: undefined });
  });

  test('records tell what the list of the newest tells, and where a page ends the next begins', async () => {
    await using opened = await OpenedLog.open(open);
    await appendCases(opened.log);
    const { log } = opened;

    const first = await log.search({}, { count: 3, consumers });
    await appendAll(log, [makeEvent({ receivedAt: 9_000 })]);
    const second = await log.search({}, { count: 4, consumers, before: first.next });

    assert.deepEqual([...first.records, ...second.records], (await log.latest(8, consumers)).slice(1));
    assert.equal(first.searchedThrough, receivedAt(4));
    assert.deepEqual([second.next, second.searchedThrough], [undefined, receivedAt(0)]);
  });

  test('a search without end is ended by its signal, and says how far it came', async () => {
    await using opened = await OpenedLog.open(open);
    const count = 45_000;
    await appendAll(
      opened.log,
      Array.from({ length: count }, (_, index) => makeEvent({ receivedAt: index })),
    );

    const cut = await opened.log.search(
      { email: 'nobody@example.com' },
      { count: 10, consumers, signal: AbortSignal.abort() },
    );
    const rest = await foundIn(opened.log, { email: 'nobody@example.com' }, 10, cut.next);

    assert.deepEqual(cut.records, []);
    assert.ok(cut.next !== undefined && cut.searchedThrough !== undefined, 'there is more to look at');
    assert.ok(cut.searchedThrough > 0 && cut.searchedThrough < count);
    assert.deepEqual([rest.ids, rest.searchedThrough], [[], 0]);
  });

  test('who reads meanwhile waits for one step of a search, and not for its end', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 45_000);
    let isEnded = false;

    const searching = opened.log.search({ userId: 'nobody' }, { count: 10, consumers }).then((page) => {
      isEnded = true;
      return page;
    });
    const others = Array.from({ length: 3 }, () =>
      opened.log.search({ userId: 'nobody' }, { count: 10, consumers }),
    );
    await opened.log.books(consumers);

    assert.equal(isEnded, false);
    for (const { records } of [await searching, ...(await Promise.all(others))])
      assert.deepEqual(records, []);
  });

  test('few dead records among many are found in one look', async () => {
    await using opened = await OpenedLog.open(open);
    const count = 45_000;
    await appendSettled(
      opened.log,
      Array.from({ length: count }, (_, index) => (index % 15_000 === 1 ? 'dead' : 'delivered')),
    );

    const options = { count: 10, consumers, signal: AbortSignal.abort() };
    const page = await opened.log.search({ outcome: { is: 'dead' } }, options);

    assert.deepEqual(idsOf(page), ['30002', '15002', '2']);
    assert.equal(page.next, undefined);
  });

  test('a time is found where the log stands then, though records were removed and the clock set back', async () => {
    await using opened = await OpenedLog.open(open);
    const minuteMs = 60_000;
    const count = 30_000;
    // Set back by half an hour, again and again.
    const times = Array.from(
      { length: count },
      (_, index) => (index - (index % 97 < 40 ? 30 : 0)) * minuteMs,
    );
    await appendSettled(
      opened.log,
      times.map((_, index) => (index % 7 === 0 ? 'dead' : 'delivered')),
      (index) => ({ receivedAt: times[index] ?? 0 }),
    );
    await opened.log.prune(1_000 * minuteMs, [consumer], new AbortController().signal);
    const left = new Set(await everyId(opened.log));

    for (const [from, until] of [
      [0, 50],
      [990, 1_040],
      [20_000, 20_100],
      [count - 60, count + 100],
    ] as const) {
      const filter = { from: from * minuteMs, until: until * minuteMs };
      // One look each: it leads to where the log stands at that time.
      const page = await opened.log.search(filter, { count: 1_000, consumers, signal: AbortSignal.abort() });

      const expected = times
        .map((time, index) => ({ time, id: String(index + 1) }))
        .filter(({ time, id }) => time >= filter.from && time < filter.until && left.has(id))
        .map(({ id }) => id)
        .toReversed();
      assert.ok(expected.length > 0, `something is there from ${from} until ${until}`);
      assert.deepEqual(idsOf(page), expected, `from ${from} until ${until}`);
      assert.equal(page.next, undefined);
    }
  });

  test('a position is taken back as it was given out, and nothing else is one', async () => {
    await using opened = await OpenedLog.open(open);
    await appendNumbered(opened.log, 1);
    const [record] = await opened.log.latest(1, []);
    assert.ok(record);

    assert.equal(opened.log.parsePosition(record.position), record.position);
    for (const text of ['', '-1', '1.5', '1e3', 'x', ' 1', "1' or 1=1", '9'.repeat(30)]) {
      assert.equal(opened.log.parsePosition(text), undefined, text);
    }
  });
}

async function appendCases(log: EventLog): Promise<void> {
  await appendAll(
    log,
    events.map((event, index) =>
      makeEvent({ ...event, id: eventId(event.id), receivedAt: receivedAt(index) }),
    ),
  );
  for (const [name, settled] of [
    [consumer, outcomes],
    [otherConsumer, otherOutcomes],
  ] as const) {
    await using consuming = startConsumer(log, { maxRecords: settled.length }, name);
    await settle(await consuming.next(), settled);
  }
}

/** All pages of a search, one after the other. */
async function foundIn(log: EventLog, filter: SearchFilter, count: number, before?: Position) {
  const ids: string[] = [];
  let searchedThrough: number | undefined;
  let next = before;
  do {
    const page = await log.search(filter, { count, consumers, before: next });
    assert.ok(page.records.length <= count);
    ids.push(...idsOf(page));
    searchedThrough = page.searchedThrough ?? searchedThrough;
    next = page.next;
  } while (next !== undefined);
  return { ids, searchedThrough };
}

async function everyId(log: EventLog): Promise<readonly string[]> {
  return (await foundIn(log, {}, 1_000)).ids;
}

function idsOf({ records }: { readonly records: readonly { readonly id: string }[] }): readonly string[] {
  return records.map(({ id }) => id);
}
