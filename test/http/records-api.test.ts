// The API that the commands use, through the real server and a real log, without a socket.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseWebhookBody } from '../../src/fusionauth/event.ts';
import type { ReplayId } from '../../src/log/log.ts';
import {
  appendSettled,
  eventId,
  journeyAt,
  makeAttempt,
  makeDeadLetter,
  makeEvent,
  runReplay,
  startConsumer,
} from '../log/opened-log.ts';
import { sample } from '../support/bridge.ts';
import { apiStartMs as startMs, openApi } from './opened-api.ts';
import type { ApiAnswer } from './opened-api.ts';

const adminToken = 'token-of-the-admin';
const minuteMs = 60_000;

describe('GET /api/events', { timeout: 30_000 }, () => {
  test('lists the newest first, with their outcomes and whether the catalogue has their type', async () => {
    await using api = await openApi();
    await appendSettled(api.log, ['delivered', 'filtered', 'dead'], (index) => ({
      type: index === 0 ? 'user.login.success' : 'user.invented',
      tenantId: 'tenant',
    }));

    const answer = await api.get('/api/events');

    assert.equal(answer.status, 200);
    const { events } = answer.body as { events: Record<string, unknown>[] };
    assert.deepEqual(
      events.map(({ id, isKnown, outcomes }) => [id, isKnown, outcomes]),
      [
        ['3', false, { segment: 'dead', warehouse: 'pending' }],
        ['2', false, { segment: 'filtered', warehouse: 'pending' }],
        ['1', true, { segment: 'delivered', warehouse: 'pending' }],
      ],
    );
    assert.deepEqual(Object.keys(events[0] ?? {}).includes('body'), false, 'no personal data');
  });

  test('pages through what is new, in order', async () => {
    await using api = await openApi();
    await appendSettled(
      api.log,
      Array.from({ length: 7 }, () => 'delivered' as const),
    );

    const seen: string[] = [];
    for (let after = '0'; ;) {
      const { events } = (await api.get(`/api/events?after=${after}&limit=3`)).body as {
        events: { id: string; position: string }[];
      };
      if (events.length === 0) break;
      assert.ok(events.length <= 3);
      seen.push(...events.map(({ id }) => id));
      after = events.at(-1)?.position ?? '';
    }

    assert.deepEqual(seen, ['1', '2', '3', '4', '5', '6', '7']);
  });

  test('tells the time by the clock of what it lists', async () => {
    await using api = await openApi();
    const before = Date.now();

    const { now } = (await api.get('/api/events')).body as { now: number };

    assert.ok(now >= before && now <= Date.now());
  });

  const limits: [limit: string, expected: number][] = [
    ['2', 2],
    ['0', 1],
    ['-5', 1],
    ['many', 50],
    ['1.5', 50],
    ['1e9', 60],
    ['', 1],
  ];
  test('bounds its limit', async () => {
    await using api = await openApi();
    await appendSettled(
      api.log,
      Array.from({ length: 60 }, () => 'delivered' as const),
    );

    for (const [limit, expected] of limits) {
      const { events } = (await api.get(`/api/events?limit=${limit}`)).body as { events: unknown[] };
      assert.equal(events.length, expected, `limit=${limit}`);
    }
  });

  test('takes a position that nobody gave out for no fault of the bridge’s', async () => {
    await using api = await openApi();
    await appendSettled(api.log, ['delivered']);

    for (const after of ['nonsense', '', '-1', '1e400', '99999999999999999999', "1' or 1=1", '%00']) {
      const { status } = await api.get(`/api/events?after=${after}`);
      assert.ok(status < 500, `after=${after} was answered ${status}`);
    }
    for (const query of ['after=1&after=2', 'limit=1&limit=2', 'after[]=1']) {
      const { status } = await api.get(`/api/events?${query}`);
      assert.ok(status < 500, `${query} was answered ${status}`);
    }
  });
});

describe('GET /api/events, searched', { timeout: 30_000 }, () => {
  const userId = '4c0a1a31-6a62-4b9c-a0f5-2f1f1d6f6f10';

  const queries: [query: string, expected: string[]][] = [
    ['event=2', ['2']],
    [`user=${userId}`, ['3', '1']],
    ['email=ada%40example.com', ['2']],
    ['application=app', ['4']],
    ['tenant=a', ['4', '1']],
    ['type=user.create', ['2']],
    ['type=user.c*&type=user.invented', ['3', '2']],
    ['verifiedBy=hmac%3A1', ['3']],
    ['outcome=dead', ['2']],
    ['outcome=dead&destination=warehouse', []],
    ['outcome=pending&destination=warehouse', ['4', '3', '2', '1']],
    [`from=${startMs + minuteMs}&until=${startMs + 3 * minuteMs}`, ['3', '2']],
    ['from=2026-01-01T00:02:00Z', ['4', '3']],
    ['until=2026-01-01', []],
    [`user=${userId}&tenant=a&outcome=delivered`, ['1']],
  ];
  test('finds what fits all that is asked for, the newest first', async (t) => {
    await using api = await openSearched();

    for (const [query, expected] of queries) {
      await t.test(query, async () => {
        const { status, body } = await api.get(`/api/events?${query}`);

        assert.equal(status, 200, messageOf({ status, body }));
        assert.deepEqual(idsOf(body), expected);
        assert.equal((body as { next?: string }).next, undefined);
      });
    }
  });

  test('goes on where a page ended, and says through what time it has looked', async () => {
    await using api = await openSearched();

    const first = (await api.get('/api/events?limit=1&tenant=a')).body as Page;
    const second = (await api.get(`/api/events?limit=1&tenant=a&before=${first.next}`)).body as Page;
    const after = (await api.get('/api/events?limit=1&tenant=a&after=0')).body as Page;
    const rest = (await api.get(`/api/events?tenant=a&after=${after.next}`)).body as Page;

    assert.deepEqual([idsOf(first), first.searchedThrough], [['4'], startMs + 3 * minuteMs]);
    assert.deepEqual([idsOf(second), second.next, second.searchedThrough], [['1'], undefined, startMs]);
    assert.deepEqual([idsOf(after), idsOf(rest)], [['1'], ['4']]);
  });

  const faults: [query: string, fault: RegExp][] = [
    ['before=nonsense', /^before: expected a position, as an earlier answer gave it$/],
    ['before=', /^before: expected a position/],
    ['before=1&before=2', /^before: give it once$/],
    ['before=1&after=1', /^before: goes without after/],
    ['after=x', /^after: expected a position/],
    ['user=', /^user: must not be empty$/],
    ['user=a&user=b', /^user: give it once$/],
    [`email=${'x'.repeat(321)}`, /^email: is too long$/],
    ['type=', /^type: expected a type, or a pattern/],
    ['outcome=failed', /^outcome: expected pending, delivered, filtered or dead$/],
    ['outcome=dead&destination=elsewhere', /^destination: expected one of segment, warehouse$/],
    ['destination=segment', /^destination: says where outcome is looked at, and needs one$/],
    ['from=yesterday', /^from: expected 2026-01-31, /],
    ['from=2026-01-02&until=2026-01-01', /^until: must be later than from$/],
    ['usre=a', /usre/],
    ['user=&from=x', /^user: .*; from: /],
  ];
  test('what cannot be asked is answered 400 with words', async () => {
    await using api = await openSearched();

    for (const [query, fault] of faults) {
      const answer = await api.get(`/api/events?${query}`);
      assert.equal(answer.status, 400, query);
      assert.match(messageOf(answer), fault);
    }
  });

  interface Page {
    readonly next?: string;
    readonly searchedThrough?: number;
  }

  function idsOf(body: unknown): readonly string[] {
    return (body as { events: { id: string }[] }).events.map(({ id }) => id);
  }

  async function openSearched() {
    const api = await openApi();
    const fields = [
      { tenantId: 'a', body: `{"user":{"id":"${userId}"}}` },
      { type: 'user.create', body: '{"user":{"email":"ada@example.com"}}' },
      { type: 'user.invented', body: `{"userId":"${userId}"}`, verifiedBy: 'hmac:1' },
      { tenantId: 'a', body: '{"applicationId":"app"}' },
    ];
    await appendSettled(api.log, ['delivered', 'dead', 'delivered', 'filtered'], (index) => ({
      receivedAt: startMs + index * minuteMs,
      ...fields[index],
    }));
    return api;
  }
});

describe('GET /api/events/<id>', { timeout: 30_000 }, () => {
  test('tells the journey: the event, rules, attempts, dead letters, and what fails now', async () => {
    await using api = await openApi();
    await api.log.append(makeEvent({ id: eventId('1'), body: '{"id":"1","type":"t","deep":{"er":true}}' }));
    await using consuming = startConsumer(api.log);
    const handedOut = await consuming.next();
    const { records } = handedOut;
    await handedOut.commit(
      [
        {
          position: records[0]?.position as never,
          outcome: 'dead',
          deadLetters: [makeDeadLetter({ reason: 'why' })],
        },
      ],
      [makeAttempt(records, { answer: 'accepted 0, rejected 1' })],
    );

    const answer = await api.get('/api/events/1');

    assert.equal(answer.status, 200);
    assert.partialDeepStrictEqual(answer.body, {
      event: { id: '1', verifiedBy: 'unsigned', body: { deep: { er: true } } },
      destinations: {
        segment: {
          outcome: 'dead',
          rules: ['1 at segment'],
          messages: [],
          attempts: [{ answer: 'accepted 0, rejected 1' }],
          deadLetters: [{ reason: 'why' }],
        },
        warehouse: {
          outcome: 'pending',
          rules: ['1 at warehouse'],
          messages: [],
          attempts: [],
          fault: { message: 'It is down', hint: 'Start it' },
        },
      },
    });
    const { destinations } = answer.body as { destinations: Record<string, object> };
    assert.ok(!('fault' in (destinations['segment'] ?? {})), 'what is settled does not fail now');
  });

  test('has each number with the digits that the log has of it', async () => {
    await using api = await openApi();
    const body = '{"id":"1","type":"t","expiry":9223372036854775807,"share":0.1,"all":[1E2]}';
    await api.log.append(makeEvent({ id: eventId('1'), body }));

    const answer = await api.server.inject({ url: '/api/events/1' });

    assert.ok(answer.payload.includes(`"body":${body}`), answer.payload);
  });

  test('has no secret in it, since none is in the log', async () => {
    await using api = await openApi();
    const { event } = sample('user.create.complete', { id: 'with-secrets' });
    const secret = 'a-secret-that-must-not-be-seen';
    const body = {
      event: { ...event, user: { ...(event as { user?: object }).user, password: secret, salt: secret } },
    };
    await api.server.inject({ method: 'POST', url: '/webhook', payload: body });

    const answer = await api.get('/api/events/with-secrets');

    assert.equal(answer.status, 200);
    assert.doesNotMatch(JSON.stringify(answer.body), new RegExp(secret));
  });

  for (const id of ['a/b', 'a%2Fb', '%', '?x=1', '#', '"\\', '/'.repeat(64), 'x'.repeat(64)]) {
    test(`finds an event whose id is ${id}`, async () => {
      await using api = await openApi();
      const body = Buffer.from(JSON.stringify({ event: { id, type: 'user.login.success' } }));
      const event = parseWebhookBody(body);
      await api.log.append(makeEvent({ id: event.id }));

      const answer = await api.get(`/api/events/${encodeURIComponent(id)}`);

      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.partialDeepStrictEqual(answer.body, { event: { id } });
    });
  }

  test('of an event that there is not is answered 404, and why that may be', async () => {
    await using api = await openApi();

    const answer = await api.get('/api/events/none');

    assert.equal(answer.status, 404);
    assert.partialDeepStrictEqual(answer.body, { code: 'NOT_FOUND' });
    assert.match(messageOf(answer), /no event of this id: it never came, or it was old/);
  });
});

describe('GET /api/dead-letters', { timeout: 30_000 }, () => {
  test('counts them by destination and reason, and lists the newest', async () => {
    await using api = await openApi();
    await appendSettled(api.log, ['dead', 'delivered', 'dead', 'dead']);

    const answer = await api.get('/api/dead-letters?limit=2');

    assert.partialDeepStrictEqual(answer.body, {
      counts: [{ consumer: 'segment', reason: 'invalid', deadLetters: 3, records: 3 }],
    });
    const { deadLetters } = answer.body as { deadLetters: { eventId: string }[] };
    assert.deepEqual(
      deadLetters.map((deadLetter) => deadLetter.eventId),
      ['4', '3'],
    );
  });

  test('chooses by destination, reason and event', async () => {
    await using api = await openApi();
    await appendSettled(api.log, ['dead', 'dead']);
    const idsOf = async (query: string) => {
      const { counts, deadLetters } = (await api.get(`/api/dead-letters?${query}`)).body as {
        counts: { deadLetters: number }[];
        deadLetters: { eventId: string }[];
      };
      const counted = counts.reduce((sum, count) => sum + count.deadLetters, 0);
      assert.equal(counted, deadLetters.length, `the counts of ${query}`);
      return deadLetters.map((deadLetter) => deadLetter.eventId).sort();
    };

    assert.deepEqual(await idsOf('destination=segment'), ['1', '2']);
    assert.deepEqual(await idsOf('destination=warehouse'), []);
    assert.deepEqual(await idsOf('reason=invalid'), ['1', '2']);
    assert.deepEqual(await idsOf('reason=other'), []);
    assert.deepEqual(await idsOf('eventId=2'), ['2']);
    assert.deepEqual(await idsOf('eventId=2&reason=other'), []);
  });

  test('of a destination that there is not is answered 404, with those that there are', async () => {
    await using api = await openApi();

    const answer = await api.get('/api/dead-letters?destination=acme');

    assert.equal(answer.status, 404);
    assert.equal(messageOf(answer), 'There is no destination "acme"; there are segment, warehouse');
  });
});

describe('POST /api/dead-letters/discard', { timeout: 30_000 }, () => {
  test('makes dead records filtered ones and keeps the reason', async () => {
    await using api = await openApi();
    await appendSettled(api.log, ['dead', 'delivered', 'dead']);

    const answer = await api.post('/api/dead-letters/discard', {
      destination: 'segment',
      filter: { eventId: '1' },
      because: '  nobody needs it ',
    });

    assert.deepEqual([answer.status, answer.body], [200, { discarded: 1 }]);
    assert.partialDeepStrictEqual(await journeyAt(api.log, '1'), {
      outcome: 'filtered',
      discardedBecause: 'nobody needs it',
    });
    assert.equal((await journeyAt(api.log, '3')).outcome, 'dead');
  });

  const faults: [name: string, body: unknown, fault: RegExp][] = [
    ['no destination', { because: 'x' }, /^destination: /],
    ['no reason', { destination: 'segment' }, /^because: /],
    ['an empty reason', { destination: 'segment', because: '  ' }, /^because: /],
    ['a reason like a novel', { destination: 'segment', because: 'x'.repeat(501) }, /^because: /],
    ['a field that there is not', { destination: 'segment', because: 'x', force: true }, /force/],
  ];
  for (const [name, body, fault] of faults) {
    test(`refuses ${name}`, async () => {
      await assertRefused('/api/dead-letters/discard', body, fault);
    });
  }
});

describe('POST /api/replays', { timeout: 30_000 }, () => {
  test('starts a replay and answers at once, without counting', async () => {
    await using api = await openApi();
    await appendSettled(api.log, ['delivered', 'dead', 'filtered']);

    const answer = await api.post('/api/replays', { destination: 'segment' });

    assert.equal(answer.status, 200);
    assert.partialDeepStrictEqual(answer.body, {
      replay: { id: 1, consumer: 'segment', state: 'running', perSecond: 100, asNew: false, idSuffix: '' },
    });
    assert.ok(!('records' in (answer.body as object)));
    assert.deepEqual((await api.get('/api/replays')).body, {
      replays: [(answer.body as { replay: unknown }).replay],
    });
  });

  test('starts none in a dry run', async () => {
    await using api = await openApi();
    await appendSettled(api.log, ['delivered', 'dead', 'filtered']);

    const answer = await api.post('/api/replays', {
      destination: 'segment',
      filter: { outcome: 'dead' },
      dryRun: true,
    });

    assert.deepEqual(answer.body, { records: 1 });
    assert.deepEqual((await api.get('/api/replays')).body, { replays: [] });
  });

  const filters: [name: string, filter: object, expected: string[]][] = [
    ['nothing', {}, ['1', '2', '3', '4']],
    ['an event', { eventId: '2' }, ['2']],
    ['a user', { userId: 'user-3' }, ['3']],
    ['a type', { types: ['user.even'] }, ['2', '4']],
    ['a pattern of types', { types: ['*.odd', 'nothing'] }, ['1', '3']],
    ['an outcome', { outcome: 'filtered' }, ['3']],
    ['a reason', { reason: 'invalid' }, ['2']],
    ['milliseconds', { from: startMs + minuteMs, until: startMs + 3 * minuteMs }, ['2', '3']],
    ['ISO 8601', { from: '2026-01-01T00:02:00Z' }, ['3', '4']],
    ['ISO 8601 elsewhere', { until: '2026-01-01T02:01:00+02:00' }, ['1']],
    ['a day', { from: '2026-01-01', until: '2026-01-02' }, ['1', '2', '3', '4']],
    ['all of it', { types: ['user.*'], outcome: 'delivered', from: startMs + 1 }, ['4']],
  ];
  for (const [name, filter, expected] of filters) {
    test(`chooses by ${name}`, async () => {
      await using api = await openApi();
      await appendSettled(api.log, ['delivered', 'dead', 'filtered', 'delivered'], (index) => ({
        type: index % 2 === 0 ? 'user.odd' : 'user.even',
        receivedAt: startMs + index * minuteMs,
        body: JSON.stringify({ user: { id: `user-${index + 1}` } }),
      }));

      const dryRun = await api.post('/api/replays', { destination: 'segment', filter, dryRun: true });
      const answer = await api.post('/api/replays', { destination: 'segment', filter });

      assert.deepEqual(dryRun.body, { records: expected.length });
      const { replay } = answer.body as { replay: { id: ReplayId } };
      assert.deepEqual(await runReplay(api.log, replay.id), expected);
    });
  }

  const to = { destination: 'segment' };
  const faults: [name: string, body: unknown, fault: RegExp][] = [
    ['no destination', {}, /^destination: /],
    ['a destination that is no text', { destination: 7 }, /^destination: /],
    ['a field that there is not', { ...to, rate: 5 }, /rate/],
    ['a rate of nothing', { ...to, perSecond: 0 }, /^perSecond: /],
    ['a rate below what a timer can wait', { ...to, perSecond: 1e-9 }, /^perSecond: /],
    ['a rate beyond all bounds', { ...to, perSecond: 1e9 }, /^perSecond: /],
    ['a rate that is no number', { ...to, perSecond: '100' }, /^perSecond: /],
    ['a choice that there is not', { ...to, filter: { usr: 'u' } }, /usr/],
    ['an empty user', { ...to, filter: { userId: '' } }, /^filter\.userId: /],
    ['no type', { ...to, filter: { types: [] } }, /^filter\.types: /],
    ['very many types', { ...to, filter: { types: Array(101).fill('a') } }, /^filter\.types: /],
    ['an outcome that is none', { ...to, filter: { outcome: 'pending' } }, /^filter\.outcome: /],
    [
      'a time that is none',
      { ...to, filter: { from: 'yesterday' } },
      /^filter\.from: expected 2026-01-31, .*milliseconds since 1970$/,
    ],
    ['a day that is none', { ...to, filter: { until: '2026-02-30' } }, /^filter\.until: /],
    ['a time of no place', { ...to, filter: { from: '2026-01-01T00:00:00' } }, /^filter\.from: /],
    [
      'several faults',
      { filter: { outcome: 'x' }, asNew: 'yes' },
      /destination: .*; filter\.outcome: .*; asNew: /,
    ],
    ['a list', [], /^body: /],
    ['a text', '"segment"', /^body: /],
    ['null', 'null', /^body: /],
    ['what is no JSON', '{"destination":', /^The body must be JSON$/],
    ['nothing', '', /^The body must be JSON$/],
  ];
  for (const [name, body, fault] of faults) {
    test(`refuses ${name}, and says so`, async () => {
      await assertRefused('/api/replays', body, fault);
    });
  }

  for (const destination of ['acme', '', '__proto__', 'constructor']) {
    test(`knows no destination "${destination}"`, async () => {
      await using api = await openApi();

      const answers = await Promise.all([
        api.post('/api/replays', { destination }),
        api.post('/api/dead-letters/discard', { destination, because: 'x' }),
      ]);

      for (const answer of answers) {
        assert.equal(answer.status, 404);
        assert.equal(
          messageOf(answer),
          `There is no destination "${destination}"; there are segment, warehouse`,
        );
      }
    });
  }
});

test('POST /api/destinations/reopen tells why a destination cannot be, and whether there is one', async () => {
  await using api = await openApi();

  const [down, whole, unknown] = await Promise.all(
    ['warehouse', 'segment', 'attic'].map((destination) =>
      api.post('/api/destinations/reopen', { destination }),
    ),
  );

  assert.deepEqual(
    [down?.status, down?.body],
    [503, { code: 'DESTINATION_UNAVAILABLE', message: 'It is down. Start it' }],
  );
  assert.deepEqual([whole?.status, unknown?.status], [400, 404]);
});

describe('POST /api/replays/stop', { timeout: 30_000 }, () => {
  test('stops one that runs, once', async () => {
    await using api = await openApi();
    await appendSettled(api.log, ['delivered']);
    await api.post('/api/replays', { destination: 'segment' });

    const first = await api.post('/api/replays/stop', { id: 1 });
    const again = await api.post('/api/replays/stop', { id: 1 });
    const none = await api.post('/api/replays/stop', { id: 7 });

    assert.deepEqual([first.status, first.body], [200, { stopped: true }]);
    assert.deepEqual([again.status, messageOf(again)], [404, 'No replay 1 is running']);
    assert.equal(none.status, 404);
    assert.partialDeepStrictEqual((await api.get('/api/replays')).body, {
      replays: [{ id: 1, state: 'stopped' }],
    });
  });

  for (const body of [{}, { id: '1' }, { id: 0 }, { id: 1.5 }, { id: 1, all: true }]) {
    test(`refuses ${JSON.stringify(body)}`, async () => {
      await assertRefused('/api/replays/stop', body, /id|all/);
    });
  }
});

describe('who may not', { timeout: 30_000 }, () => {
  const routes: [method: 'GET' | 'POST', path: string][] = [
    ['GET', '/api/events'],
    ['GET', '/api/events/1'],
    ['GET', '/api/dead-letters'],
    ['POST', '/api/dead-letters/discard'],
    ['GET', '/api/replays'],
    ['POST', '/api/replays'],
    ['POST', '/api/replays/stop'],
  ];
  for (const [method, url] of routes) {
    test(`is turned away from ${method} ${url} without the token, and let in with it`, async () => {
      await using api = await openApi({ adminToken });
      const request = { method, url, ...(method === 'POST' ? { payload: {} } : {}) };

      const without = await api.server.inject(request);
      const wrong = await api.server.inject({ ...request, headers: { authorization: 'Bearer wrong' } });
      const right = await api.server.inject({
        ...request,
        headers: { authorization: `Bearer ${adminToken}` },
      });

      assert.deepEqual([without.statusCode, wrong.statusCode], [401, 401]);
      assert.ok([200, 400, 404].includes(right.statusCode), String(right.statusCode));
    });

    test(`is turned away from ${method} ${url} by a foreign name of this machine`, async () => {
      await using api = await openApi();

      const answer = await api.server.inject({ method, url, headers: { host: 'rebound.example.com' } });

      assert.equal(answer.statusCode, 403);
    });
  }

  /** What a page elsewhere can make its visitor's browser post here without asking first (the Fetch standard). */
  const simple = [
    'text/plain',
    'text/plain;charset=UTF-8',
    'text/plain; application/json',
    'text/plain;a=application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=application/json',
    undefined,
  ];
  for (const contentType of simple) {
    test(`makes a browser post what it may post anywhere (${contentType ?? 'no type'}): nothing happens`, async () => {
      await using api = await openApi();
      await appendSettled(api.log, ['dead']);
      const post = (url: string, body: unknown, headers: Readonly<Record<string, string>>) =>
        api.server.inject({
          method: 'POST',
          url,
          headers: { ...headers, ...(contentType && { 'content-type': contentType }) },
          payload: Buffer.from(JSON.stringify(body)),
        });

      for (const [url, body] of [
        ['/api/replays', { destination: 'segment' }],
        ['/api/dead-letters/discard', { destination: 'segment', because: 'x' }],
      ] as const) {
        const answer = await post(url, body, { origin: 'https://evil.example.com' });
        assert.equal(answer.statusCode, 403);
        // A browser that were to say nothing of where it comes from has no leave for the right type.
        const { statusCode } = await post(url, body, {});
        assert.ok(statusCode === 415 || statusCode === 400, `${statusCode}`);
      }
      assert.deepEqual(await api.log.replays(), []);
      assert.equal((await journeyAt(api.log, '1')).outcome, 'dead');
    });
  }

  test('gets no leave for more when its browser asks first', async () => {
    await using api = await openApi();

    const answer = await api.server.inject({
      method: 'OPTIONS',
      url: '/api/replays',
      headers: { origin: 'https://evil.example.com', 'access-control-request-method': 'POST' },
    });

    assert.equal(answer.statusCode, 404);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  });
});

function messageOf({ body }: ApiAnswer): string {
  return (body as { message: string }).message;
}

/** That the body is answered 400 with this fault, and that nothing has come of it. */
async function assertRefused(path: string, body: unknown, fault: RegExp): Promise<void> {
  await using api = await openApi();
  await appendSettled(api.log, ['dead']);

  const answer = await api.post(path, body);

  assert.equal(answer.status, 400);
  assert.partialDeepStrictEqual(answer.body, { code: 'REQUEST_INVALID' });
  assert.match(messageOf(answer), fault);
  assert.deepEqual(await api.log.replays(), []);
  assert.equal((await journeyAt(api.log, '1')).outcome, 'dead');
}
