import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { describe, test } from 'node:test';
import { endpoints, TrackingApi } from '../../src/segment/tracking-api.ts';
import type { TrackingApiAnswer } from '../../src/segment/tracking-api.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { until } from '../support/until.ts';
import { closeServer, listenOnLoopback, urlOf } from '../support/loopback-server.ts';

const writeKey = 'wk_0123456789';
const text = JSON.stringify({ type: 'track', event: 'Ünïcode 🔑', messageId: 'm-1', userId: 'user-1' });
const { signal } = new AbortController();

/** The client, closed at the end of the scope. */
function openApi(endpoint: string): TrackingApi & AsyncDisposable {
  const api = new TrackingApi({ endpoint, writeKey, userAgent: 'fusionauth-segment/1.2.3' });
  return Object.assign(api, { [Symbol.asyncDispose]: () => api.close() });
}

/** What the stand-in does not tell: headers, paths, connections. Answers 200 unless told otherwise. */
class RecordingServer implements AsyncDisposable {
  readonly requests: { url: string | undefined; headers: IncomingHttpHeaders; body: string }[] = [];
  connections = 0;
  answer: RequestListener = (_request, response) => void response.writeHead(200).end('{"success":true}');
  readonly #server = createServer((request, response) => {
    let body = '';
    request
      .setEncoding('utf8')
      .on('data', (chunk: string) => (body += chunk))
      .on('error', () => undefined)
      .on('end', () => {
        this.requests.push({ url: request.url, headers: request.headers, body });
        this.answer(request, response);
      });
  }).on('connection', () => this.connections++);

  static async start(): Promise<RecordingServer> {
    const server = new RecordingServer();
    await listenOnLoopback(server.#server);
    return server;
  }

  get url(): string {
    return urlOf(this.#server);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeServer(this.#server);
  }
}

describe('a request', () => {
  for (const path of ['', '/', '//', '/v1', '/v1/', '/v1//']) {
    test(`to an endpoint that ends in "${path}" reaches /v1/batch`, async () => {
      await using segment = await SegmentStandIn.start();
      await using api = openApi(`${segment.url}${path}`);

      const answer = await api.sendBatch([text], signal);

      assert.deepEqual(answer, { kind: 'accepted' });
      assert.equal(segment.messages.length, 1);
    });
  }

  for (const [path, expected] of [
    ['/segment', '/segment/v1/batch'],
    ['/segment/v1/', '/segment/v1/batch'],
    ['/v10', '/v10/v1/batch'],
  ]) {
    test(`to an endpoint with the path ${path} reaches ${expected}`, async () => {
      await using server = await RecordingServer.start();
      await using api = openApi(`${server.url}${path}`);

      await api.sendBatch([text], signal);

      assert.equal(server.requests[0]?.url, expected);
    });
  }

  test('to each region of Segment goes to the host of its documents', () => {
    const hosts = Object.values(endpoints).map((endpoint) => openApi(endpoint).host);

    assert.deepEqual(hosts, ['api.segment.io', 'events.eu1.segmentapis.com']);
  });

  test('carries the write key as the user of Basic authentication, JSON and our name', async () => {
    await using server = await RecordingServer.start();
    await using api = openApi(server.url);

    await api.sendBatch([text], signal);

    assert.partialDeepStrictEqual(server.requests[0]?.headers, {
      authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`,
      'content-type': 'application/json',
      'user-agent': 'fusionauth-segment/1.2.3',
    });
  });

  test('carries the messages as they were given, in order, and nothing else but sentAt', async () => {
    await using server = await RecordingServer.start();
    await using api = openApi(server.url);
    const texts = Array.from({ length: 500 }, (_, index) => text.replace('m-1', `m-${index}`));

    await api.sendBatch(texts, signal);

    const { batch, sentAt, ...rest } = JSON.parse(server.requests[0]?.body ?? '') as Record<string, unknown>;
    assert.deepEqual(
      batch,
      texts.map((message) => JSON.parse(message) as unknown),
    );
    assert.match(String(sentAt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(rest, {});
  });

  test('is stamped anew at each attempt, so that no event is moved by its retries', async (t) => {
    await using segment = await SegmentStandIn.start();
    await using api = openApi(segment.url);
    const day = 86_400_000;
    t.mock.timers.enable({ apis: ['Date'], now: 0 });
    segment.fail({ kind: 'taken-but-reset' }, 1);
    await assert.rejects(api.sendBatch([text], signal));
    t.mock.timers.setTime(day);

    await api.sendBatch([text], signal);

    assert.deepEqual(
      segment.batches.map(({ sentAt }) => sentAt),
      ['1970-01-01T00:00:00.000Z', '1970-01-02T00:00:00.000Z'],
    );
    assert.deepEqual(segment.batches[0]?.messages, segment.batches[1]?.messages);
  });
});

describe('an answer', () => {
  const kinds: [TrackingApiAnswer['kind'], number[]][] = [
    ['accepted', [200, 201, 202, 204]],
    ['refused', [400, 413]],
    ['misconfigured', [301, 302, 307, 401, 403, 404, 405, 415, 422]],
    ['unavailable', [408, 429, 500, 501, 502, 503, 504, 505, 529, 599]],
  ];
  for (const [kind, statuses] of kinds) {
    for (const status of statuses) {
      test(`of ${status} means ${kind}`, async () => {
        await using segment = await SegmentStandIn.start();
        await using api = openApi(segment.url);
        segment.fail({ kind: 'status', status, headers: { location: '/elsewhere' } });

        const answer = await api.sendBatch([text], signal);

        assert.equal(answer.kind, kind);
        if (answer.kind !== 'accepted') assert.equal(answer.status, status);
        assert.equal(segment.requests, 1);
      });
    }
  }

  for (const status of [410, 460]) {
    test(`of ${status}, after which Segment’s own libraries try again, refuses nothing for good`, async () => {
      await using segment = await SegmentStandIn.start();
      await using api = openApi(segment.url);
      segment.fail({ kind: 'status', status });

      const answer = await api.sendBatch([text], signal);

      assert.ok(answer.kind === 'misconfigured' || answer.kind === 'unavailable', answer.kind);
    });
  }

  const waits: [string, number, Record<string, string>, number | undefined][] = [
    ['429 with Retry-After', 429, { 'retry-after': '7' }, 7_000],
    ['429 with X-RateLimit-Reset', 429, { 'x-ratelimit-reset': '3' }, 3_000],
    ['429 with neither', 429, {}, undefined],
    ['503 with Retry-After', 503, { 'retry-after': '60' }, 60_000],
    ['503 with a date that is over', 503, { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 0],
  ];
  for (const [name, status, headers, expected] of waits) {
    test(`of ${name} says to wait ${expected ?? 'as long as we like'}`, async () => {
      await using segment = await SegmentStandIn.start();
      await using api = openApi(segment.url);
      segment.fail({ kind: 'status', status, headers });

      const answer = await api.sendBatch([text], signal);

      assert.deepEqual(answer, { kind: 'unavailable', status, retryAfterMs: expected });
    });
  }

  test('of 400 comes for a batch that Segment finds too large, and for a text that is no JSON', async () => {
    await using segment = await SegmentStandIn.start();
    await using api = openApi(segment.url);
    const large = text.replace('user-1', 'u'.repeat(33_000));

    const answers = [await api.sendBatch([large], signal), await api.sendBatch(['{'], signal)];

    assert.deepEqual(answers, [
      { kind: 'refused', status: 400 },
      { kind: 'refused', status: 400 },
    ]);
  });
});

describe('where no answer comes', () => {
  for (const kind of ['reset', 'taken-but-reset'] as const) {
    test(`a connection that is ${kind} rejects, and the next attempt works`, async () => {
      await using segment = await SegmentStandIn.start();
      await using api = openApi(segment.url);
      segment.fail({ kind }, 1);

      await assert.rejects(api.sendBatch([text], signal));
      const answer = await api.sendBatch([text], signal);

      assert.deepEqual(answer, { kind: 'accepted' });
    });
  }

  test('because nobody listens, it rejects, and works once somebody does', async () => {
    await using api = openApi(`http://127.0.0.1:${await freePort()}`);

    await assert.rejects(api.sendBatch([text], signal), { code: 'ECONNREFUSED' });
  });

  test('an attempt that is called off rejects at once, and the next one works', async () => {
    await using segment = await SegmentStandIn.start();
    await using api = openApi(segment.url);
    segment.fail({ kind: 'hang' }, 1);
    const abandoning = new AbortController();

    const attempt = api.sendBatch([text], abandoning.signal);
    await until('the request is at Segment', () => segment.requests === 1);
    abandoning.abort();

    await assert.rejects(attempt, { name: 'AbortError' });
    assert.deepEqual(await api.sendBatch([text], signal), { kind: 'accepted' });
  });

  test('an attempt that was called off before it began asks nobody', async () => {
    await using segment = await SegmentStandIn.start();
    await using api = openApi(segment.url);

    await assert.rejects(api.sendBatch([text], AbortSignal.abort()), { name: 'AbortError' });

    assert.equal(segment.requests, 0);
  });
});

// undici may open a second connection before it has put the first one back, so two count as kept.
describe('the connection', () => {
  for (const status of [200, 400, 401, 429]) {
    test(`is kept through answers of ${status}`, async () => {
      await using server = await RecordingServer.start();
      await using api = openApi(server.url);
      server.answer = (_request, response) => void response.writeHead(status).end('{}');

      for (let batch = 0; batch < 6; batch++) await api.sendBatch([text], signal);

      assert.equal(server.requests.length, 6);
      assert.ok(server.connections <= 2, String(server.connections));
    });
  }

  for (const status of [500, 503]) {
    test(`is made anew after each answer of ${status}, and with it the look-up of the host`, async () => {
      await using server = await RecordingServer.start();
      await using api = openApi(server.url);
      server.answer = (_request, response) => void response.writeHead(status).end('{}');

      for (let batch = 0; batch < 6; batch++) await api.sendBatch([text], signal);

      assert.equal(server.connections, 6);
    });
  }

  test('is made anew after a fault', async () => {
    await using server = await RecordingServer.start();
    await using api = openApi(server.url);
    for (let batch = 0; batch < 3; batch++) await api.sendBatch([text], signal);
    const { answer } = server;
    server.answer = (request) => void request.socket.resetAndDestroy();
    await assert.rejects(api.sendBatch([text], signal));
    server.answer = answer;
    const { connections } = server;

    await api.sendBatch([text], signal);

    assert.equal(server.connections, connections + 1);
  });

  test('is closed with the client', async () => {
    await using server = await RecordingServer.start();
    const api = openApi(server.url);
    await api.sendBatch([text], signal);

    await api.close();

    await assert.rejects(api.sendBatch([text], signal));
    assert.equal(server.requests.length, 1);
  });
});
