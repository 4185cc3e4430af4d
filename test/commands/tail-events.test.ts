// What `tail` is told, by a bridge whose events, outcomes and clock are the test's.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, test } from 'node:test';
import { followEvents } from '../../src/commands/tail-events.ts';
import type { FollowOptions } from '../../src/commands/tail-events.ts';
import type { Outcome } from '../../src/log/log.ts';
import { closeServer, listenOnLoopback, urlOf } from '../support/loopback-server.ts';
import { until } from '../support/until.ts';

describe('followed events', { concurrency: 4, timeout: 30_000 }, () => {
  test('come once their outcomes are known, in the order of the log', async () => {
    await using bridge = await FakeBridge.start();
    await using following = await follow(bridge);

    const [first] = bridge.add('1', { segment: 'pending', warehouse: 'delivered' });
    bridge.add('2', { segment: 'delivered', warehouse: 'delivered' });
    await bridge.looks(3);
    const before = following.ids.length;
    first.segment = 'delivered';
    await until('both are told', () => following.ids.length === 2);

    assert.equal(before, 0);
    assert.deepEqual(following.ids, ['1', '2']);
  });

  test('that stay pending come after a while by the clock of the bridge, wherever that stands', async () => {
    await using bridge = await FakeBridge.start();
    bridge.now = Date.parse('2001-01-01');
    await using following = await follow(bridge);

    bridge.add('1', { segment: 'pending' });
    await bridge.looks(3);
    const early = [...following.ids];
    bridge.now += 1_400;
    await bridge.looks(3);
    const stillEarly = [...following.ids];
    bridge.now += 100;
    await until('it is told', () => following.ids.length === 1);

    assert.deepEqual([early, stillEarly], [[], []]);
  });

  test('that stay pending are not held up by a clock that was set back', async () => {
    await using bridge = await FakeBridge.start();
    await using following = await follow(bridge);

    bridge.add('1', { segment: 'pending' });
    bridge.now -= 3_600_000;

    await until('it is told', () => following.ids.length === 1);
  });

  test('of one outcome come when a destination has settled them so, however late, and once', async () => {
    await using bridge = await FakeBridge.start();
    await using following = await follow(bridge, { outcome: 'delivered' });

    const [first] = bridge.add('1', { segment: 'delivered', warehouse: 'pending' });
    const [second] = bridge.add('2', { segment: 'dead', warehouse: 'pending' });
    const [third] = bridge.add('3', { segment: 'pending', warehouse: 'pending' });
    bridge.now += 3_600_000;
    await until('the first is told', () => following.ids.length === 1);
    await bridge.looks(3);
    const before = [...following.ids];
    first.warehouse = 'delivered';
    second.warehouse = 'delivered';
    third.warehouse = 'delivered';
    await until('those of the warehouse are told', () => following.ids.length >= 3);
    third.segment = 'delivered';
    await bridge.looks(6);

    assert.deepEqual(before, ['1']);
    assert.deepEqual(following.ids, ['1', '2', '3']);
  });

  test('of one outcome are not held up by another destination that is down', async () => {
    await using bridge = await FakeBridge.start();
    await using following = await follow(bridge, { outcome: 'dead' });

    bridge.add('1', { segment: 'delivered', warehouse: 'pending' });
    bridge.add('2', { segment: 'dead', warehouse: 'pending' });
    bridge.now += 3_600_000;

    await until('it is told', () => following.ids.length === 1);
    assert.deepEqual(following.ids, ['2']);
  });

  test('begin with the last ones, of which those that are pending come when they are settled', async () => {
    await using bridge = await FakeBridge.start();
    bridge.add('1', { segment: 'delivered' });
    const [second] = bridge.add('2', { segment: 'pending' });
    bridge.add('3', { segment: 'pending' });
    bridge.now += 3_600_000;
    await using following = await follow(bridge, { last: 2, outcome: 'delivered' });

    await bridge.looks(3);
    const before = [...following.ids];
    second.segment = 'delivered';
    await until('it is told', () => following.ids.length === 1);

    assert.deepEqual(before, []);
    assert.deepEqual(following.ids, ['2']);
  });

  test('go on where they were once a bridge that was away is back, and each is told once', async () => {
    await using bridge = await FakeBridge.start();
    await using following = await follow(bridge);
    bridge.add('1', { segment: 'delivered' });
    await until('the first is told', () => following.ids.length === 1);

    bridge.isAway = true;
    await until('it is told to be away', () => following.said.length === 1);
    await bridge.looks(2);
    bridge.add('2', { segment: 'delivered' });
    bridge.isAway = false;
    await until('the second is told', () => following.ids.length === 2);

    assert.deepEqual(following.said, ['away', 'back']);
    assert.deepEqual(following.ids, ['1', '2']);
  });

  test('are not looked for while nobody takes them', async () => {
    await using bridge = await FakeBridge.start();
    for (let id = 1; id <= 1_000; id++) bridge.add(String(id), { segment: 'delivered' });
    bridge.now += 3_600_000;
    const events = followEvents(bridge.address, { ...quiet, last: 999 }, new AbortController().signal);

    await events.next();
    const looks = bridge.looked;

    assert.equal(looks, 2, 'one for where to begin, one for the next 200');
    await events.return(undefined);
  });
});

const quiet: FollowOptions = {
  last: 0,
  outcome: undefined,
  isPaused: () => false,
  onAway: () => undefined,
  onBack: () => undefined,
};

/** Ids as they are told, from its first look on, until the end of its scope. */
async function follow(bridge: FakeBridge, options: Partial<FollowOptions> = {}) {
  const ending = new AbortController();
  const following = {
    ids: [] as string[],
    said: [] as string[],
    async [Symbol.asyncDispose]() {
      ending.abort();
      await told;
    },
  };
  const events = followEvents(
    bridge.address,
    {
      ...quiet,
      onAway: () => following.said.push('away'),
      onBack: () => following.said.push('back'),
      ...options,
    },
    ending.signal,
  );
  const told = (async () => {
    for await (const event of events) if (event) following.ids.push(event.id);
  })();
  await bridge.looks(1);
  return following;
}

type Outcomes = Record<string, Outcome>;

class FakeBridge implements AsyncDisposable {
  readonly #events: { id: string; position: string; receivedAt: number; outcomes: Outcomes }[] = [];
  readonly #server = createServer((incoming, response) => {
    const url = new URL(incoming.url ?? '', 'http://bridge');
    if (this.isAway) response.statusCode = 503;
    response.end(JSON.stringify(this.isAway ? { message: 'The log could not be read' } : this.#answer(url)));
    this.looked++;
  });
  now = Date.now();
  isAway = false;
  looked = 0;

  static async start(): Promise<FakeBridge> {
    const bridge = new FakeBridge();
    await listenOnLoopback(bridge.#server);
    return bridge;
  }

  get address() {
    return { url: urlOf(this.#server), adminToken: undefined };
  }

  /** Received at this moment; its outcomes may be changed later. */
  add<Given extends Outcomes>(id: string, outcomes: Given): [Record<keyof Given, Outcome>] {
    this.#events.push({ id, position: String(this.#events.length + 1), receivedAt: this.now, outcomes });
    return [outcomes];
  }

  /** Resolves when it was looked at so many times more. */
  async looks(count: number): Promise<void> {
    const before = this.looked;
    await until(`${count} looks`, () => this.looked >= before + count);
  }

  #answer({ pathname, searchParams }: URL): unknown {
    if (pathname === '/api/status') {
      return { destinations: { segment: {}, warehouse: {} } };
    }
    const limit = Number(searchParams.get('limit'));
    const after = searchParams.get('after');
    const events =
      after === null
        ? this.#events.toReversed()
        : this.#events.filter(({ position }) => Number(position) > Number(after));
    return { events: events.slice(0, limit), now: this.now };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeServer(this.#server);
  }
}
