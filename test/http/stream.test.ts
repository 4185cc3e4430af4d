// The live stream, on real sockets: order, resume, filter, outcomes, slow readers, too many, shutdown.

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fastify } from 'fastify';
import type { StreamedEvents, StreamedOutcomes, StreamedSkip } from '../../src/http/live-stream.ts';
import { registerStreamApi } from '../../src/http/stream-api.ts';
import type { EventLog } from '../../src/log/log.ts';
import {
  appendAll,
  consumer,
  eventId,
  makeEvent,
  otherConsumer,
  replayedIds,
  settle,
  startConsumer,
} from '../log/opened-log.ts';
import { EventStream } from '../support/event-stream.ts';
import { until } from '../support/until.ts';
import { openApi } from './opened-api.ts';

describe('GET /api/stream', { concurrency: 4, timeout: 120_000 }, () => {
  test('tells what comes from now on, in order, as the list tells it', async () => {
    await using api = await openStreaming();
    await append(api.log, 'before');
    using stream = await api.stream();

    await append(api.log, 'a');
    await append(api.log, 'b', { type: 'user.invented' });
    await until('both are told', () => idsOf(stream).length === 2);

    assert.equal(stream.status, 200);
    assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8');
    assert.equal(stream.headers['cache-control'], 'no-store');
    assert.equal(stream.retryMs, 2_000);
    const listed = (await api.get('/api/events?limit=2')).body as StreamedEvents;
    assert.deepEqual(eventsOf(stream), listed.events.toReversed());
    assert.equal(stream.lastEventId, listed.events[0]?.position);
  });

  test('who was cut off goes on where it was, by the header before the address', async () => {
    await using api = await openStreaming();
    const stream = await api.stream('?after=0');
    await append(api.log, 'a');
    await until('the first is told', () => idsOf(stream).length === 1);
    stream[Symbol.dispose]();

    await append(api.log, 'b');
    await append(api.log, 'c');
    using resumed = await api.stream('?after=0', { 'last-event-id': stream.lastEventId });
    await append(api.log, 'd');
    await until('the rest is told', () => idsOf(resumed).length >= 3);

    assert.deepEqual([idsOf(stream), idsOf(resumed)], [['a'], ['b', 'c', 'd']]);
  });

  test('who was cut off before the first event has a place to go on from', async () => {
    await using api = await openStreaming();
    await append(api.log, 'before');
    const stream = await api.stream();
    await until('the place is told', () => stream.lastEventId !== '');
    stream[Symbol.dispose]();

    await append(api.log, 'missed');
    using resumed = await api.stream('', { 'last-event-id': stream.lastEventId });
    await until('it is told', () => idsOf(resumed).length === 1);

    assert.deepEqual(idsOf(resumed), ['missed']);
  });

  test('tells only what fits, by the same parameters as a search', async () => {
    await using api = await openStreaming();
    using stream = await api.stream('?after=0&type=user.c*&email=ada%40example.com');

    await append(api.log, 'other-type', { body: '{"email":"ada@example.com"}' });
    await append(api.log, 'other-person', { type: 'user.create' });
    await append(api.log, 'fits', { type: 'user.create', body: '{"email":"ada@example.com"}' });
    await until('it is told', () => idsOf(stream).length === 1);

    assert.deepEqual(idsOf(stream), ['fits']);
  });

  test('tells what became of what it has told, by delivery and by replay', async () => {
    await using api = await openStreaming();
    const { log } = api;
    using stream = await api.stream('?type=user.create');
    await append(log, 'told', { type: 'user.create' });
    await append(log, 'not-told');
    await until('it is told', () => idsOf(stream).length === 1);
    assert.equal(eventsOf(stream)[0]?.outcomes[consumer], 'pending');

    await using consuming = startConsumer(log);
    await settle(await consuming.next(), ['dead', 'dead']);
    await until('its death is told', () => outcomesOf(stream).length === 1);
    await replayedIds(log, { outcome: 'dead' });
    await until('its delivery is told', () => outcomesOf(stream).length === 2);

    const { position } = eventsOf(stream)[0] ?? {};
    assert.deepEqual(outcomesOf(stream), [
      { position, id: 'told', outcomes: { [consumer]: 'dead', [otherConsumer]: 'pending' } },
      { position, id: 'told', outcomes: { [consumer]: 'delivered', [otherConsumer]: 'pending' } },
    ]);
  });

  test('who asks for dead ones is told when they die', async () => {
    await using api = await openStreaming();
    using stream = await api.stream(`?outcome=dead&destination=${consumer}`);
    await append(api.log, 'well');
    await append(api.log, 'ill');
    await using consuming = startConsumer(api.log);

    await settle(await consuming.next(), ['delivered', 'dead']);
    await until('the dead one is told', () => idsOf(stream).length > 0);

    assert.deepEqual(idsOf(stream), ['ill']);
  });

  test('1,000 events a second are told without a gap, in at most ten messages a second', async () => {
    await using api = await openStreaming();
    using stream = await api.stream();
    const seconds = 5;
    const perTick = 50;
    const ticks = (seconds * 1_000) / perTick;
    await using consuming = startConsumer(api.log, { lingerMs: 100 });
    const delivering = (async () => {
      for (let delivered = 0; delivered < ticks * perTick;) {
        const handedOut = await consuming.next();
        await settle(handedOut);
        delivered += handedOut.records.length;
      }
    })();

    const startedAt = performance.now();
    for (let tick = 0; tick < ticks; tick++) {
      await appendAll(
        api.log,
        Array.from({ length: perTick }, (_, index) =>
          makeEvent({ id: eventId(String(tick * perTick + index)) }),
        ),
      );
      await sleep(Math.max(0, startedAt + (tick + 1) * 50 - performance.now()));
    }
    await until('all are told', () => idsOf(stream).length >= ticks * perTick);
    await delivering;
    const told = new Map(eventsOf(stream).map(({ id, outcomes }) => [id, outcomes]));
    await until('all are told to be delivered', () => {
      for (const { id, outcomes } of outcomesOf(stream)) told.set(id, outcomes);
      return [...told.values()].every((outcomes) => outcomes[consumer] === 'delivered');
    });

    assert.deepEqual(
      idsOf(stream),
      Array.from({ length: ticks * perTick }, (_, index) => String(index)),
    );
    assert.deepEqual(stream.dataOf('skipped'), []);
    assert.ok(perSecondOf(stream) <= 11, `${perSecondOf(stream)} messages a second`);
  });

  test('a slow reader skips what it cannot take, is told so, and can fetch it', async () => {
    await using api = await openStreaming();
    using stream = await api.stream();
    const large = 2_000;
    const small = 12_000;
    stream.pause();

    // More than the buffers of both sockets hold, in few records.
    const type = 'x'.repeat(16_000);
    await appendAll(
      api.log,
      Array.from({ length: large }, () => makeEvent({ type })),
    );
    await until('it is stalled', () => waitingBytes(api.sockets) > 0);
    await appendAll(
      api.log,
      Array.from({ length: small }, () => makeEvent()),
    );
    stream.resume();
    await until('it is told of what was skipped', () => stream.dataOf('skipped').length > 0);
    const newest = (await api.log.latest(1, []))[0]?.position;
    await until('it has come to the newest', () => stream.lastEventId === newest);

    const skips = stream.dataOf('skipped') as StreamedSkip[];
    const skipped = skips.reduce((total, { records }) => total + records, 0);
    assert.equal(eventsOf(stream).length + skipped, large + small);
    assert.equal(new Set(idsOf(stream)).size, eventsOf(stream).length, 'none is told twice');
    const [skip] = skips;
    assert.ok(skip);
    const left = (await api.get(`/api/events?after=${skip.after}&limit=1`)).body as StreamedEvents;
    assert.equal(idsOf(stream).includes(left.events[0]?.id ?? ''), false, 'it begins where nothing was told');
    const end = (await api.get(`/api/events?after=${skip.through}&limit=1`)).body as StreamedEvents;
    assert.ok(idsOf(stream).includes(end.events[0]?.id ?? ''), 'it ends where the next was told');
  });

  test('a reader that takes nothing costs the bridge no more than a message', async () => {
    await using api = await openStreaming();
    using stream = await api.stream();
    stream.pause();
    const type = 'x'.repeat(16_000);
    await appendAll(
      api.log,
      Array.from({ length: 4_000 }, () => makeEvent({ type })),
    );
    await until('it is stalled', () => waitingBytes(api.sockets) > 0);

    // Several looks, had they not to wait.
    await sleep(500);

    const waiting = waitingBytes(api.sockets);
    assert.ok(waiting < 300 * 17_000, `${waiting} bytes wait`);
  });

  test('says that it is alive, and how far it has looked, where nothing comes', async () => {
    await using api = await openStreaming();
    using stream = await api.stream('?type=none');
    await append(api.log, 'other');

    await until('a heartbeat comes', () => stream.comments.length > 0, 20_000);

    assert.deepEqual(stream.comments, ['heartbeat']);
    assert.equal(stream.lastEventId, (await api.log.latest(1, []))[0]?.position);
    assert.deepEqual(stream.messages, []);
  });

  test('fifty are served, the next is answered 429, and one that goes makes room', async () => {
    await using api = await openStreaming();
    await using streams = new AsyncDisposableStack();
    const open = async () => streams.use(await api.stream());
    const first = await open();
    for (let count = 1; count < 50; count++) await open();

    const refused = await open();
    first[Symbol.dispose]();

    assert.equal(refused.status, 429);
    assert.equal(refused.headers['retry-after'], '10');
    await until('another is served', async () => (await open()).status === 200);
  });

  test('a stop ends all streams and waits for none, not for one that takes nothing either', async () => {
    const api = await openStreaming();
    using stream = await api.stream();
    using stalled = await api.stream();
    stalled.pause();
    const type = 'x'.repeat(16_000);
    await appendAll(
      api.log,
      Array.from({ length: 2_000 }, () => makeEvent({ type })),
    );
    await until('the reading one has all', () => idsOf(stream).length === 2_000);

    const startedAt = performance.now();
    await api[Symbol.asyncDispose]();

    const elapsedMs = performance.now() - startedAt;
    assert.ok(elapsedMs < 1_500, `the stop took ${elapsedMs} ms`);
    await until('the stream has ended', () => stream.hasEnded);
  });

  test('what cannot be asked is answered 400 with words, and HEAD not at all', async () => {
    await using api = await openStreaming();

    for (const [query, headers, fault] of [
      ['?after=x', {}, /^after: expected a position/],
      ['?before=1', {}, /before/],
      ['?outcome=failed', {}, /^outcome: expected pending/],
      ['', { 'last-event-id': 'x' }, /^Last-Event-ID: expected the id of a message/],
    ] as const) {
      const answer = await api.server.inject({ url: `/api/stream${query}`, headers });
      assert.equal(answer.statusCode, 400);
      assert.match(answer.json<{ message: string }>().message, fault);
    }
    assert.equal((await api.server.inject({ method: 'HEAD', url: '/api/stream' })).statusCode, 404);
  });

  test('is for those who may use the API', async () => {
    await using api = await openStreaming({ adminToken: 'token-of-the-admin' });

    using refused = await api.stream();
    using allowed = await api.stream('', { authorization: 'Bearer token-of-the-admin' });

    assert.deepEqual([refused.status, allowed.status], [401, 200]);
  });
});

async function append(
  log: EventLog,
  id: string,
  fields: Parameters<typeof makeEvent>[0] = {},
): Promise<void> {
  await log.append(makeEvent({ id: eventId(id), ...fields }));
}

function eventsOf(stream: EventStream) {
  return (stream.dataOf('events') as StreamedEvents[]).flatMap(({ events }) => events);
}

function idsOf(stream: EventStream): readonly string[] {
  return eventsOf(stream).map(({ id }) => id);
}

function outcomesOf(stream: EventStream) {
  return (stream.dataOf('settled') as StreamedOutcomes[]).flatMap(({ events }) => events);
}

function perSecondOf({ messages }: EventStream): number {
  const [first, last] = [messages[0], messages.at(-1)];
  assert.ok(first && last);
  return (messages.length - 1) / ((last.at - first.at) / 1_000);
}

/** What the server has for its clients and they have not taken. */
function waitingBytes(sockets: Iterable<Socket>): number {
  return [...sockets].reduce((total, { writableLength }) => total + writableLength, 0);
}

/** The server, on a port of loopback. */
async function openStreaming(options: Parameters<typeof openApi>[0] = {}) {
  const api = await openApi(options);
  const url = await api.server.listen({ host: '127.0.0.1', port: 0 });
  const sockets = new Set<Socket>();
  api.server.server.on('connection', (socket: Socket) => sockets.add(socket));
  return {
    ...api,
    sockets,
    stream: (query = '', headers: Readonly<Record<string, string>> = {}) =>
      EventStream.open(`${url}/api/stream${query}`, headers),
  };
}

test('a stream ends after a while, so that who has signed out since sees no more', async () => {
  await using api = await openApi();
  const server = fastify();
  registerStreamApi(server, { log: api.log, consumers: [], guard: {}, lifeMs: 300 });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  try {
    const answer = await fetch(`${url}/api/stream`);
    assert.equal(answer.status, 200);
    assert.match(await answer.text(), /^retry: /);
  } finally {
    await server.close();
  }
});
