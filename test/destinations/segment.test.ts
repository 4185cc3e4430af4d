// The destination `segment`, against a stand-in for Segment's Tracking API.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BlockedError, RetryableError, UnknownHostError } from '../../src/destinations/destination.ts';
import type { Answer } from '../../src/destinations/destination.ts';
import { SegmentDestination } from '../../src/destinations/segment.ts';
import type { SegmentOptions } from '../../src/destinations/segment.ts';
import type { MessageId, TrackMessage } from '../../src/segment/message.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentStandIn } from '../support/segment.ts';
import type { Fault } from '../support/segment.ts';
import { until } from '../support/until.ts';

const never = new AbortController().signal;
const accepted: Answer = { kind: 'accepted' };

function track(id: string, fields: Partial<TrackMessage> = {}): TrackMessage {
  return {
    type: 'track',
    messageId: id as MessageId,
    userId: 'user-1',
    event: 'Signed In',
    properties: {},
    context: {},
    ...fields,
  };
}

/** A track whose JSON has exactly that many bytes. */
function trackOf(bytes: number, id = 'message-1'): TrackMessage {
  const empty = track(id, { properties: { text: '' } });
  return track(id, { properties: { text: 'x'.repeat(bytes - JSON.stringify(empty).length) } });
}

/** A destination that is closed at the end of the scope. */
function segmentAt(
  endpoint: string,
  options: Partial<SegmentOptions> = {},
): SegmentDestination & AsyncDisposable {
  const destination = new SegmentDestination({
    name: 'segment',
    endpoint,
    writeKey: 'key',
    perSecond: 0,
    userAgent: 'test/1.0',
    ...options,
  });
  return Object.assign(destination, { [Symbol.asyncDispose]: () => destination.close() });
}

function textOf(destination: SegmentDestination, message: TrackMessage): string {
  const encoded = destination.encode(message);
  assert.ok('payload' in encoded, JSON.stringify(encoded));
  return encoded.payload;
}

/** What `send` throws, which must be a RetryableError. */
async function failureOf(sending: Promise<unknown>): Promise<RetryableError> {
  const error: unknown = await sending.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof RetryableError, `not a RetryableError but ${String(error)}`);
  return error;
}

describe('a message on its way to Segment', () => {
  const destination = segmentAt('http://127.0.0.1');

  test('is its JSON, and counts its bytes and a comma', () => {
    const message = track('message-1', { properties: { name: 'Zoë 🔑' } });

    const encoded = destination.encode(message);

    assert.deepEqual(encoded, {
      payload: JSON.stringify(message),
      bytes: Buffer.byteLength(JSON.stringify(message)) + 1,
    });
  });

  test('of 32 KB is taken', () => {
    assert.ok('payload' in destination.encode(trackOf(32 * 1024)));
  });

  const cases: [what: string, message: TrackMessage, reason: string, detail: RegExp][] = [
    ['of one byte more', trackOf(32 * 1024 + 1), 'message_too_large', /32769 bytes.*32768/],
    [
      'that is too large in bytes though not in characters',
      track('message-1', { properties: { text: 'é'.repeat(17 * 1024) } }),
      'message_too_large',
      /bytes/,
    ],
  ];
  for (const [what, message, reason, detail] of cases) {
    test(`${what} is rejected before it is sent: ${reason}`, () => {
      const encoded = destination.encode(message);

      assert.ok('reason' in encoded);
      assert.equal(encoded.reason, reason);
      assert.match(encoded.detail, detail);
    });
  }
});

describe('a batch that Segment takes', () => {
  test('arrives as one call, in order, with write key, time of sending and user agent', async () => {
    await using segment = await SegmentStandIn.start();
    await using destination = segmentAt(segment.url);
    const messages = ['1', '2', '3'].map((id) => track(id));
    const before = Date.now();

    const answers = await destination.send(
      messages.map((message) => textOf(destination, message)),
      never,
    );

    assert.deepEqual(answers, [accepted, accepted, accepted]);
    assert.equal(segment.requests, 1);
    assert.partialDeepStrictEqual(segment.batches, [{ writeKey: 'key', userAgent: 'test/1.0', messages }]);
    const sentAt = Date.parse(segment.batches[0]?.sentAt ?? '');
    assert.ok(sentAt >= before && sentAt <= Date.now());
  });

  for (const suffix of ['', '/', '/v1', '/v1/']) {
    test(`arrives where the endpoint is written ${suffix === '' ? 'bare' : `with ${suffix} behind it`}`, async () => {
      await using segment = await SegmentStandIn.start();
      await using destination = segmentAt(`${segment.url}${suffix}`);

      const answers = await destination.send([JSON.stringify(track('1'))], never);

      assert.deepEqual(answers, [accepted]);
    });
  }

  test('of as many messages and bytes as the limits allow is taken', async () => {
    await using segment = await SegmentStandIn.start();
    await using destination = segmentAt(segment.url);
    const { maxMessages, maxBytes } = destination.limits;
    const bytes = Math.floor(maxBytes / maxMessages) - 1;
    const texts = Array.from({ length: maxMessages }, (_, index) =>
      textOf(destination, trackOf(bytes, `message-${String(index).padStart(3, '0')}`)),
    );

    const answers = await destination.send(texts, never);

    assert.equal(segment.requests, 1);
    assert.equal(segment.messages.length, maxMessages);
    assert.ok(answers.every(({ kind }) => kind === 'accepted'));
  });
});

/** A destination whose endpoint has accepted something, so that a refusal is the message's own fault. */
async function provenSegmentAt(segment: SegmentStandIn) {
  const destination = segmentAt(segment.url);
  await destination.send([JSON.stringify(track('proof'))], never);
  segment.batches.length = 0;
  return destination;
}

test('an endpoint that has accepted nothing yet and refuses all is waited for, and rejects no message', async () => {
  await using segment = await SegmentStandIn.start();
  await using destination = segmentAt(segment.url);
  segment.fail({ kind: 'status', status: 400 });
  const texts = ['1', '2', '3', '4'].map((id) => JSON.stringify(track(id)));

  await assert.rejects(destination.send(texts, never), (error: unknown) => {
    assert.ok(error instanceof RetryableError);
    assert.match(error.hint, /SEGMENT_ENDPOINT/);
    return true;
  });
  const requests = segment.requests;
  segment.recover();
  const answers = await destination.send(texts, never);

  assert.equal(requests, 3);
  assert.deepEqual(answers, [accepted, accepted, accepted, accepted]);
});

describe('a batch that Segment refuses for what it holds', () => {
  for (const [where, index] of [
    ['first', 0],
    ['in the middle', 4],
    ['last', 9],
  ] as const) {
    test(`is taken but for its one bad message, which is ${where}`, async () => {
      await using segment = await SegmentStandIn.start();
      await using destination = await provenSegmentAt(segment);
      const texts = Array.from({ length: 10 }, (_, id) => JSON.stringify(track(String(id))));
      texts[index] = JSON.stringify(trackOf(33 * 1024, String(index)));

      const answers = await destination.send(texts, never);

      const good = Array.from({ length: 10 }, (_, id) => String(id)).filter((id) => id !== String(index));
      assert.deepEqual(
        answers.map(({ kind }) => kind),
        texts.map((_, id) => (id === index ? 'rejected' : 'accepted')),
      );
      assert.deepEqual(answers[index], {
        kind: 'rejected',
        reason: 'bad_request',
        detail: 'Segment answered 400',
      });
      assert.deepEqual(
        segment.messages.map(({ messageId }) => messageId),
        good,
      );
    });
  }

  test('of bad messages alone is rejected message by message', async () => {
    await using segment = await SegmentStandIn.start();
    await using destination = await provenSegmentAt(segment);
    const texts = ['1', '2', '3'].map((id) => JSON.stringify(trackOf(33 * 1024, id)));

    const answers = await destination.send(texts, never);

    assert.deepEqual(
      answers.map(({ kind }) => kind),
      ['rejected', 'rejected', 'rejected'],
    );
    assert.deepEqual(segment.messages, []);
  });

  for (const status of [400, 413]) {
    test(`with ${status} is sent in halves, so that what was refused as too much arrives`, async () => {
      await using segment = await SegmentStandIn.start();
      await using destination = await provenSegmentAt(segment);
      segment.fail({ kind: 'status', status }, 1);

      const answers = await destination.send(
        ['1', '2', '3'].map((id) => JSON.stringify(track(id))),
        never,
      );

      assert.deepEqual(answers, [accepted, accepted, accepted]);
      assert.deepEqual(
        segment.batches.map(({ messages }) => messages.map(({ messageId }) => messageId)),
        [['1', '2'], ['3']],
      );
    });
  }

  test('and then becomes unreachable half-way is to be sent again as a whole', async () => {
    await using segment = await SegmentStandIn.start();
    await using destination = segmentAt(segment.url);
    const faults: (Fault | undefined)[] = [
      { kind: 'status', status: 400 },
      undefined,
      { kind: 'status', status: 503 },
    ];
    segment.faultFor = (request) => faults[request - 1];
    const texts = ['1', '2', '3', '4'].map((id) => JSON.stringify(track(id)));

    await failureOf(destination.send(texts, never));
    const answers = await destination.send(texts, never);

    assert.deepEqual(answers, [accepted, accepted, accepted, accepted]);
    assert.deepEqual(
      segment.deduplicated.map(({ messageId }) => messageId),
      ['1', '2', '3', '4'],
    );
  });
});

describe('a batch that Segment cannot take now', () => {
  const httpDate = (ms: number) => new Date(Date.now() + ms).toUTCString();
  const cases: [
    what: string,
    fault: () => Fault,
    expected: { message: RegExp; retryAfterMs: [from: number, to: number] | undefined },
  ][] = [
    [
      '503 with Retry-After in seconds',
      () => ({ kind: 'status', status: 503, headers: { 'retry-after': '7' } }),
      { message: /answered 503/, retryAfterMs: [7_000, 7_000] },
    ],
    [
      '429 with Retry-After in seconds',
      () => ({ kind: 'status', status: 429, headers: { 'retry-after': '120' } }),
      { message: /answered 429/, retryAfterMs: [120_000, 120_000] },
    ],
    [
      '503 with Retry-After as an HTTP date',
      () => ({ kind: 'status', status: 503, headers: { 'retry-after': httpDate(30_000) } }),
      // An HTTP date has whole seconds, and some time goes by on the way.
      { message: /answered 503/, retryAfterMs: [25_000, 30_000] },
    ],
    [
      '429 with Retry-After as an HTTP date that is over',
      () => ({ kind: 'status', status: 429, headers: { 'retry-after': httpDate(-60_000) } }),
      { message: /answered 429/, retryAfterMs: [0, 0] },
    ],
    [
      '429 with X-RateLimit-Reset',
      () => ({ kind: 'status', status: 429, headers: { 'x-ratelimit-reset': '3' } }),
      { message: /answered 429/, retryAfterMs: [3_000, 3_000] },
    ],
    [
      '503 with a Retry-After that says nothing',
      () => ({ kind: 'status', status: 503, headers: { 'retry-after': 'soon' } }),
      { message: /answered 503/, retryAfterMs: undefined },
    ],
    [
      '500 without Retry-After',
      () => ({ kind: 'status', status: 500 }),
      { message: /answered 500/, retryAfterMs: undefined },
    ],
    ['408', () => ({ kind: 'status', status: 408 }), { message: /answered 408/, retryAfterMs: undefined }],
    [
      'a broken connection',
      () => ({ kind: 'reset' }),
      { message: /could not be reached: the connection broke off before/, retryAfterMs: undefined },
    ],
    [
      'a connection that breaks once the batch is taken',
      () => ({ kind: 'taken-but-reset' }),
      { message: /could not be reached: the connection broke off before/, retryAfterMs: undefined },
    ],
    [
      'an answer that breaks off',
      () => ({ kind: 'taken-but-half-answered' }),
      { message: /could not be reached: the connection broke off before/, retryAfterMs: undefined },
    ],
  ];
  for (const [what, fault, { message, retryAfterMs }] of cases) {
    test(`because of ${what} is to be sent again, and then arrives`, async () => {
      await using segment = await SegmentStandIn.start();
      await using destination = segmentAt(segment.url);
      segment.fail(fault(), 1);
      const texts = ['1', '2'].map((id) => JSON.stringify(track(id)));

      const failure = await failureOf(destination.send(texts, never));
      const answers = await destination.send(texts, never);

      assert.match(failure.message, message);
      assert.match(failure.hint, /events are kept and sent later/);
      if (retryAfterMs === undefined) assert.equal(failure.retryAfterMs, undefined);
      else {
        const [from, to] = retryAfterMs;
        assert.ok(failure.retryAfterMs !== undefined);
        assert.ok(failure.retryAfterMs >= from && failure.retryAfterMs <= to, String(failure.retryAfterMs));
      }
      assert.deepEqual(answers, [accepted, accepted]);
      assert.deepEqual(
        segment.deduplicated.map(({ messageId }) => messageId),
        ['1', '2'],
      );
    });
  }

  test('because it never answers is given up at once when the bridge stops', async () => {
    await using segment = await SegmentStandIn.start();
    await using destination = segmentAt(segment.url);
    segment.fail({ kind: 'hang' });
    const stopping = new AbortController();
    const sending = failureOf(destination.send([JSON.stringify(track('1'))], stopping.signal));
    await until('Segment has the request', () => segment.requests === 1);
    const abortedAt = performance.now();

    stopping.abort();
    const failure = await sending;

    assert.ok(performance.now() - abortedAt < 1_000);
    assert.match(failure.message, /could not be reached/);
    assert.equal(failure.retryAfterMs, undefined);
  });

  const atFault: readonly (readonly [statuses: readonly number[], message: string, hint: RegExp])[] = [
    [[401, 403, 404], '', /^Check SEGMENT_WRITE_KEY.*SEGMENT_REGION.*SEGMENT_ENDPOINT/],
    [[301, 302, 307, 308], ', a redirect, which is not followed', /^Check SEGMENT_ENDPOINT.*sign-in page/],
  ];
  for (const [status, message, hint] of atFault.flatMap(([statuses, ...words]) =>
    statuses.map((status) => [status, ...words] as const),
  )) {
    test(`because of ${status} is held until a setting is mended, and the settings to check are named`, async () => {
      await using segment = await SegmentStandIn.start();
      await using destination = segmentAt(segment.url);
      segment.fail({ kind: 'status', status, headers: { location: `${segment.url}/elsewhere` } });

      const failure = await failureOf(destination.send([JSON.stringify(track('1'))], never));

      assert.ok(failure instanceof BlockedError);
      assert.equal(failure.code, 'DESTINATION_BLOCKED');
      assert.match(failure.message, new RegExp(`answered ${status}${message}$`));
      assert.match(failure.hint, hint);
      assert.deepEqual([segment.requests, segment.messages.length], [1, 0], 'a redirect is not followed');
    });
  }

  for (const status of [408, 410, 429, 460, 500, 502, 503, 504, 529]) {
    test(`because of ${status} needs nobody`, async () => {
      await using segment = await SegmentStandIn.start();
      await using destination = segmentAt(segment.url);
      segment.fail({ kind: 'status', status });

      const failure = await failureOf(destination.send([JSON.stringify(track('1'))], never));

      assert.ok(!(failure instanceof BlockedError));
    });
  }

  test('because its host name is unknown names the setting', async () => {
    // No name server is asked for a label of more than 63 characters.
    await using destination = segmentAt(`http://${'x'.repeat(64)}.invalid`);

    const failure = await failureOf(destination.send([JSON.stringify(track('1'))], never));

    assert.ok(failure instanceof UnknownHostError);
    assert.match(failure.message, /the host name is unknown$/);
    assert.match(failure.hint, /^Mend SEGMENT_ENDPOINT, or DNS on this machine/);
  });

  test('because nobody listens there names the host, and what to check', async () => {
    const port = await freePort();
    await using destination = segmentAt(`http://127.0.0.1:${port}`);

    const failure = await failureOf(destination.send([JSON.stringify(track('1'))], never));

    assert.match(
      failure.message,
      new RegExp(`127\\.0\\.0\\.1:${port}.* could not be reached: nobody listens`),
    );
    assert.match(failure.hint, /network, DNS and any proxy/);
    assert.ok(failure.cause instanceof Error);
  });

  test('says nothing of write key or message in its error', async () => {
    await using segment = await SegmentStandIn.start();
    const destination = new SegmentDestination({
      name: 'segment',
      endpoint: segment.url,
      writeKey: 'secret-write-key',
      perSecond: 0,
      userAgent: 'test/1.0',
    });
    segment.fail({ kind: 'status', status: 401 });

    const failure = await failureOf(
      destination.send([JSON.stringify(track('1', { userId: 'secret-user' }))], never),
    );
    await destination.close();

    assert.doesNotMatch(`${failure.message} ${failure.hint} ${failure.stack ?? ''}`, /secret/);
  });
});

describe('the rate limit', { concurrency: true }, () => {
  const batch = (from: number) =>
    Array.from({ length: 20 }, (_, index) => JSON.stringify(track(String(from + index))));

  test('is kept at Segment: so many messages a second', async () => {
    await using segment = await SegmentStandIn.start();
    await using destination = segmentAt(segment.url, { perSecond: 100 });
    const startedAt = performance.now();

    for (const from of [0, 20, 40, 60]) await destination.send(batch(from), never);

    const ms = performance.now() - startedAt;
    assert.equal(segment.messages.length, 80);
    assert.ok(ms > 590, `60 messages had their time before the last 20 went, in ${ms} ms`);
  });

  test('is kept through halving and repeats: what was refused counts as well', async () => {
    await using segment = await SegmentStandIn.start();
    await using destination = segmentAt(segment.url, { perSecond: 100 });
    await destination.send([JSON.stringify(track('proof'))], never);
    segment.fail({ kind: 'status', status: 413 }, 1);
    const startedAt = performance.now();

    await destination.send(batch(0), never);

    const ms = performance.now() - startedAt;
    assert.equal(segment.messages.length, 21);
    assert.ok(ms > 300, `1 message, 20 that were refused and 10 went before the last, in ${ms} ms`);
  });

  test('of 0 is off', async () => {
    await using segment = await SegmentStandIn.start();
    await using destination = segmentAt(segment.url, { perSecond: 0 });
    const startedAt = performance.now();

    for (let from = 0; from < 2_000; from += 20) await destination.send(batch(from), never);

    assert.equal(segment.messages.length, 2_000);
    assert.ok(performance.now() - startedAt < 10_000);
  });
});
