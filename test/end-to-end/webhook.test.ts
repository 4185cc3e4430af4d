// Every row of the table of answers, against the running process.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { sample, startBridge } from '../support/bridge.ts';
import type { BridgeProcess } from '../support/bridge.ts';
import { signWithKey, signWithSecret, JwksStandIn, makeKey } from '../support/fusionauth.ts';
import { until } from '../support/until.ts';

const secret = 'a webhook secret of at least 32 bytes';
const maxBodyBytes = 200_000;

describe('a signed bridge', () => {
  let bridge: BridgeProcess;
  before(async () => {
    bridge = await startBridge({ FUSIONAUTH_WEBHOOK_SECRET: secret, MAX_BODY_BYTES: String(maxBodyBytes) });
  });
  after(() => bridge[Symbol.asyncDispose]());

  const post = (body: unknown, { path = '/webhook', ...headers }: Record<string, string> = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return bridge.post(
      text,
      { 'x-fusionauth-signature-jwt': signWithSecret(text, secret), ...headers },
      path,
    );
  };

  for (const path of ['/webhook', '/']) {
    test(`an event posted to ${path} is answered 200 with its id, the second time as a duplicate`, async () => {
      const id = randomUUID();
      const body = sample('user.login.success', { id });

      const first = await post(body, { path });
      const second = await post(body, { path });

      assert.deepEqual([first.status, first.body], [200, { status: 'stored', id }]);
      assert.deepEqual([second.status, second.body], [200, { status: 'duplicate', id }]);
    });
  }

  test('a bare event is taken as one in its envelope', async () => {
    const { event } = sample('user.login.success');

    const answer = await post(event);

    assert.deepEqual(answer.body, { status: 'stored', id: event.id });
  });

  test('a type that nobody knows yet is stored', async () => {
    const answer = await post({ event: { id: 'unknown-1', type: 'user.teleport.complete' } });

    assert.deepEqual([answer.status, answer.body], [200, { status: 'stored', id: 'unknown-1' }]);
  });

  const invalid: [string, string, RegExp, string | undefined][] = [
    ['no JSON', '{"event":', /not JSON/, undefined],
    ['nothing', '', /empty/, undefined],
    ['an array', '[]', /not an array/, undefined],
    ['null', 'null', /not null/, undefined],
    ['an envelope of null', '{"event":null}', /event must be an object, not null/, 'event'],
    ['no id', '{"event":{"type":"test"}}', /event\.id is missing/, 'event.id'],
    ['no type', '{"event":{"id":"1"}}', /event\.type is missing/, 'event.type'],
    ['a bare event without id', '{"type":"test"}', /^id is missing/, 'id'],
    ['an id that is a number', '{"event":{"id":1,"type":"test"}}', /event\.id must be a string/, 'event.id'],
    [
      'a user that is text',
      '{"event":{"id":"1","type":"test","user":"x"}}',
      /event\.user must be/,
      'event.user',
    ],
  ];
  for (const [name, body, message, path] of invalid) {
    test(`a body of ${name} is answered 400 with what is wrong and where`, async () => {
      const answer = await post(body);

      assert.equal(answer.status, 400);
      assert.match(answer.body['message'] as string, message);
      assert.equal(answer.body['path'], path);
    });
  }

  test('missing, wrong and forged signatures get the same 401, and the log says why', async () => {
    const body = JSON.stringify(sample('user.login.success'));
    const header = 'x-fusionauth-signature-jwt';
    const answers = await Promise.all([
      bridge.post(body),
      bridge.post(body, { [header]: '' }),
      bridge.post(body, { [header]: 'not.a.token' }),
      bridge.post(body, { [header]: signWithSecret(body, 'another secret') }),
      bridge.post(body, { [header]: signWithSecret(`${body} `, secret) }),
      bridge.post(body, { [header]: signWithSecret(body, secret, 'HS256', { header: { alg: 'none' } }) }),
      bridge.post(body, { [header]: signWithKey(body, makeKey('ES256')) }),
      bridge.post(body, { [header]: signWithSecret(body, secret, 'HS256', { payload: {} }) }),
    ]);

    assert.deepEqual(
      new Set(answers.map(({ status, body: text }) => `${status} ${JSON.stringify(text)}`)).size,
      1,
    );
    assert.equal(answers[0].status, 401);
    const reasons = new Set(bridge.lines.map(({ reason }) => reason));
    for (const reason of [
      'missing',
      'malformed',
      'forged',
      'body-differs',
      'algorithm-not-allowed',
      'no-body-hash',
    ]) {
      assert.ok(reasons.has(reason), `${reason} is among ${[...reasons].join(', ')}`);
    }
  });

  for (const [name, headers] of [
    ['text/plain', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a JSON of another kind', { 'content-type': 'application/json-patch+json' }],
    ['a compressed body', { 'content-encoding': 'gzip' }],
  ] as const) {
    test(`${name} is answered 415`, async () => {
      const answer = await post(sample('user.login.success'), headers);

      assert.equal(answer.status, 415);
    });
  }

  test('a body larger than MAX_BODY_BYTES is answered 413', async () => {
    const body = JSON.stringify({ event: { id: '1', type: 'test', message: 'x'.repeat(maxBodyBytes) } });

    const answer = await post(body);

    assert.equal(answer.status, 413);
    assert.match(answer.body['message'] as string, /MAX_BODY_BYTES/);
  });

  test('a declared length over the limit is answered 413 before a byte of the body has come', async () => {
    const answer = await exchange(bridge, `Content-Length: ${maxBodyBytes + 1}\r\n`);

    assert.match(answer, /^HTTP\/1\.1 413 /);
  });

  test('a body without signature header is answered 401 before a byte of it has come', async () => {
    const answer = await exchange(bridge, 'Transfer-Encoding: chunked\r\n');

    assert.match(answer, /^HTTP\/1\.1 401 /);
  });

  test('a chunked body that grows over the limit is answered 413', async () => {
    const body = JSON.stringify({ event: { id: '1', type: 'test', message: 'x'.repeat(2 * maxBodyBytes) } });
    const head = `X-FusionAuth-Signature-JWT: ${signWithSecret(body, secret)}\r\nTransfer-Encoding: chunked\r\n`;

    const answer = await exchange(bridge, head, `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);

    assert.match(answer, /^HTTP\/1\.1 413 /);
  });

  test('a slow sender of many small chunks is served', async () => {
    const { event } = sample('user.login.success');
    const body = JSON.stringify({ event });
    const chunks = body.match(/.{1,40}/gs) ?? [];
    const head = `X-FusionAuth-Signature-JWT: ${signWithSecret(body, secret)}\r\nTransfer-Encoding: chunked\r\n`;

    const answer = await exchange(
      bridge,
      head,
      ...chunks.map((chunk) => `${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`),
      '0\r\n\r\n',
    );

    assert.match(answer, new RegExp(`200 OK[^]*"stored","id":"${event.id}"`));
  });

  const hostile: [string, (id: string) => string][] = [
    [
      '50,000 levels of arrays',
      (id) => `{"event":{"id":"${id}","type":"test","data":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`,
    ],
    [
      '__proto__ keys',
      (id) =>
        `{"event":{"id":"${id}","type":"test","__proto__":{"polluted":true},"user":{"__proto__":{"polluted":true}}}}`,
    ],
    ['lone surrogates', (id) => `{"event":{"id":"${id}","type":"test","message":"\\ud800 and \\udfff"}}`],
    [
      'NUL characters',
      (id) =>
        `{"event":{"id":"${id}","type":"user.login.success","user":{"id":"\\u0000","email":"\\u0000"}}}`,
    ],
    [
      'Long.MAX instants',
      (id) =>
        `{"event":{"id":"${id}","type":"user.update.complete","createInstant":9223372036854775807,"user":{"id":"u","insertInstant":9223372036854775807}}}`,
    ],
    ['no info', (id) => `{"event":{"id":"${id}","type":"user.login.success","user":{"id":"u"}}}`],
    ['user: null', (id) => `{"event":{"id":"${id}","type":"user.login.success","user":null}}`],
  ];
  for (const [name, bodyFor] of hostile) {
    test(`an event with ${name} is stored, and the bridge goes on`, async () => {
      const id = randomUUID();

      const answer = await post(bodyFor(id));

      assert.deepEqual([answer.status, answer.body], [200, { status: 'stored', id }]);
      assert.equal((await bridge.get('/healthz')).status, 200);
    });
  }

  test('a refused webhook is counted as rejected and not as received', async () => {
    const before = await bridge.books();

    await bridge.post(sample('user.login.success'));

    const now = await bridge.books();
    assert.equal(now.rejected, before.rejected + 1);
    assert.equal(now.received, before.received);
  });
});

test('a bridge with FUSIONAUTH_URL verifies by FusionAuth’s keys, through their rotation and an outage', async () => {
  const [first, second] = [makeKey('RS256', 'first'), makeKey('Ed25519', 'second')];
  await using jwks = await JwksStandIn.start([first]);
  await using bridge = await startBridge({ FUSIONAUTH_URL: jwks.url });
  const post = (key: typeof first) => {
    const body = JSON.stringify(sample('user.login.success'));
    return bridge.post(body, { 'x-fusionauth-signature-jwt': signWithKey(body, key) });
  };

  assert.equal((await post(first)).status, 200);
  assert.equal((await post(second)).status, 401);
  jwks.keys = [second];
  assert.equal((await post(second)).status, 200);
  jwks.isDown = true;
  assert.equal((await post(second)).status, 200);
});

test('a bridge that never reached FusionAuth’s keys answers 503, and takes webhooks once it does', async () => {
  const key = makeKey('ES256');
  await using jwks = await JwksStandIn.start([key]);
  jwks.isDown = true;
  await using bridge = await startBridge({ FUSIONAUTH_URL: jwks.url });
  const body = JSON.stringify(sample('user.login.success'));
  const headers = { 'x-fusionauth-signature-jwt': signWithKey(body, key) };

  const refused = await bridge.post(body, headers);
  jwks.isDown = false;
  const taken = await bridge.post(body, headers);

  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '5']);
  assert.equal(taken.status, 200);
});

test('large bodies whose senders went away, or that were refused, leave no room taken', async () => {
  await using bridge = await startBridge({ MAX_BODY_BYTES: '100000000' });
  const port = Number(new URL(bridge.url).port);

  for (let round = 0; round < 6; round++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(
      'POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90000000\r\n\r\n{',
    );
    // Two of these fit at once; each makes room for the next when it goes.
    await until('the bridge has read the head', async () => (await bridge.get('/healthz')).status === 200);
    socket.destroy();
    await once(socket, 'close');
  }

  await until('a large webhook is taken', async () => {
    const body = { event: { id: randomUUID(), type: 'test', message: 'x'.repeat(90_000_000) } };
    return (await bridge.post(body)).status === 200;
  });
});

test('more large bodies than memory should hold at once are answered 503', async () => {
  await using bridge = await startBridge({ MAX_BODY_BYTES: '100000000' });
  const port = Number(new URL(bridge.url).port);
  const head =
    'POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n{';
  let answered = '';
  const sockets = Array.from({ length: 3 }, () => connect(port, '127.0.0.1'));
  for (const socket of sockets) {
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (text: unknown) => (answered += text as string));
    socket.write(head);
  }

  await until('one of three was refused', () => answered.includes('HTTP/1.1 503'));

  for (const socket of sockets) socket.destroy();
  assert.equal(answered.match(/HTTP\/1\.1 /g)?.length, 1);
  assert.equal((await bridge.post(sample('user.login.success'))).status, 200);
});

test('two secrets are both good while one is being replaced', async () => {
  await using bridge = await startBridge({ FUSIONAUTH_WEBHOOK_SECRET: 'the old secret,the new secret' });

  for (const known of ['the old secret', 'the new secret']) {
    const body = JSON.stringify(sample('user.login.success'));
    const answer = await bridge.post(body, {
      'x-fusionauth-signature-jwt': signWithSecret(body, known, 'HS512'),
    });
    assert.equal(answer.status, 200);
  }
});

/** Sends a head and then what is given, piece by piece, over a bare socket; resolves to the start of the answer. */
async function exchange(bridge: BridgeProcess, head: string, ...pieces: string[]): Promise<string> {
  const socket = connect(Number(new URL(bridge.url).port), '127.0.0.1');
  await once(socket, 'connect');
  // The bridge may close while the body is still on its way.
  socket.on('error', () => undefined);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
  socket.write(`POST /webhook HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\n${head}\r\n`);
  for (const piece of pieces) {
    if (answer !== '') break;
    await new Promise((resolve) => socket.write(piece, resolve));
  }
  await until('an answer came', () => answer.includes('\r\n\r\n'));
  socket.destroy();
  return answer;
}
