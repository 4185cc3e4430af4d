// Signing in and out, and what a session may do, through the real server.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sessionSeconds } from '../../src/http/sessions.ts';
import { openServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const adminToken = 'token+of%the&admin';
const viewerToken = 'token=of;a viewer'.replaceAll(' ', '+');
const access = { adminToken, viewerToken, isLoopback: false };

describe('signing in', { timeout: 60_000 }, () => {
  for (const [kind, token, canChange] of [
    ['admin', adminToken, true],
    ['viewer', viewerToken, false],
  ] as const) {
    test(`by the ${kind}’s token opens page and API for twelve hours`, async () => {
      await using server = await openServer(access);

      const answer = await signIn(server, { token, next: '/events?type=user.*' });

      assert.equal(answer.statusCode, 303);
      assert.equal(answer.headers.location, '/events?type=user.*');
      assert.match(
        String(answer.headers['set-cookie']),
        /^fusionauth-segment=[\w.-]+; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
      );
      const cookie = cookieOf(answer);
      const page = await server.ask({ url: '/', headers: { cookie, accept: 'text/html' } });
      assert.equal(page.statusCode, 200);
      assert.doesNotMatch(page.body, /action="\/sign-in"/);
      const session = await server.ask({ url: '/api/session', headers: { cookie } });
      assert.deepEqual(session.json(), { access: kind, canChange });
      server.advance(sessionSeconds * 1_000);
      assert.equal((await server.ask({ url: '/api/session', headers: { cookie } })).statusCode, 401);
    });
  }

  test('takes a token with the blanks that came along when it was copied', async () => {
    await using server = await openServer(access);

    assert.equal((await signIn(server, { token: ` ${adminToken}\r\n` })).statusCode, 303);
  });

  const overTls: [name: string, headers: Record<string, string>, isSecure: boolean][] = [
    ['by the browser’s own word', { origin: 'https://localhost' }, true],
    ['by the word of the proxy', { 'x-forwarded-proto': 'https' }, true],
    ['by the word of the first of several proxies', { 'x-forwarded-proto': 'https, http' }, true],
    ['not where there is none', { 'x-forwarded-proto': 'http', origin: 'http://localhost' }, false],
  ];
  for (const [name, headers, isSecure] of overTls) {
    test(`sets a cookie for TLS alone where there is TLS: ${name}`, async () => {
      await using server = await openServer(access);

      const answer = await signIn(server, { token: adminToken }, { host: 'localhost', ...headers });

      assert.equal(String(answer.headers['set-cookie']).endsWith('; Secure'), isSecure);
    });
  }

  const places: [next: string | undefined, shown: string][] = [
    [undefined, '/'],
    ['', '/'],
    ['/', '/'],
    ['/events/1?a=b&c=%22#d', '/events/1?a=b&c=%22'],
    ['/sign-in', '/'],
    ['https://evil.example.com/', '/'],
    ['//evil.example.com/', '/'],
    ['/\\evil.example.com', '/'],
    ['\\\\evil.example.com', '/'],
    ['/\t/evil.example.com', '/'],
    ['/.//evil.example.com', '/'],
    ['/x/..//evil.example.com', '/'],
    ['javascript:alert(1)', '/'],
    ['/\r\nSet-Cookie: a=b', '/Set-Cookie:%20a=b'],
    ['http://', '/'],
  ];
  for (const [next, shown] of places) {
    test(`goes on at a page of the bridge, never elsewhere: ${JSON.stringify(next)}`, async () => {
      await using server = await openServer(access);

      const answer = await signIn(server, { token: adminToken, ...(next === undefined ? {} : { next }) });

      assert.equal(answer.headers.location, shown);
    });
  }

  test('with a wrong token says so, sets nothing, and keeps the page that was asked for', async () => {
    await using server = await openServer(access);

    for (const token of ['', 'wrong', adminToken.slice(1), `${adminToken}x`, 'undefined']) {
      const answer = await signIn(server, { token, next: '/events?"><script>' });

      assert.equal(answer.statusCode, 401);
      assert.equal(answer.headers['set-cookie'], undefined);
      assert.match(answer.body, /role="alert">This is not the token\./);
      assert.match(answer.body, /name="next" value="\/events\?%22%3E%3Cscript%3E"/);
      assert.doesNotMatch(answer.body, /<script/);
      server.advance(60_000);
    }
  });

  test('from a page elsewhere is refused, however right the token', async () => {
    await using server = await openServer(access);

    for (const headers of [
      { origin: 'https://evil.example.com' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    ]) {
      const answer = await signIn(server, { token: adminToken }, headers);

      assert.equal(answer.statusCode, 403);
      assert.equal(answer.headers['set-cookie'], undefined);
    }
  });

  test('takes a form, of a bounded size, and nothing else', async () => {
    await using server = await openServer(access);
    const post = (type: string, payload: string) =>
      server.ask({ method: 'POST', url: '/sign-in', headers: { 'content-type': type }, payload });

    assert.equal((await post('application/json', '{}')).statusCode, 415);
    assert.equal((await post('text/plain', 'token=x')).statusCode, 415);
    assert.equal(
      (await post('application/x-www-form-urlencoded', `token=${'x'.repeat(100_000)}`)).statusCode,
      413,
    );
  });

  test('has a page of its own, which leads on who is signed in', async () => {
    await using server = await openServer(access);
    const cookie = cookieOf(await signIn(server, { token: viewerToken }));

    const stranger = await server.ask({ url: '/sign-in' });
    const known = await server.ask({ url: '/sign-in', headers: { cookie } });

    assert.equal(stranger.statusCode, 200);
    assert.match(stranger.body, /<label for="token">/);
    assert.deepEqual([known.statusCode, known.headers.location], [303, '/']);
  });

  test('is not asked of who comes by a link from elsewhere and is signed in: the page asks again, with the cookie', async () => {
    await using server = await openServer(access);
    const cookie = cookieOf(await signIn(server, { token: adminToken }));
    const accept = 'text/html';
    const refresh = /<meta http-equiv="refresh" content="0; url=([^"]+)">/;

    const link = {
      accept,
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    const address = refresh.exec((await server.ask({ url: '/?a=1&b=2', headers: link })).body)?.[1] ?? '';
    const again = await server.ask({ url: address, headers: { cookie } });
    const stranger = await server.ask({ url: address });

    assert.deepEqual([again.statusCode, again.headers.location], [303, '/?a=1&b=2']);
    assert.match(stranger.body, /name="next" value="\/\?a=1&amp;b=2"/);
    assert.doesNotMatch(stranger.body, refresh, 'it asks again no more than once');
    const typed = await server.ask({ url: '/', headers: { accept, 'sec-fetch-site': 'none' } });
    assert.doesNotMatch(typed.body, refresh);
    const withoutTls = await server.ask({ url: '/?a=1&b=2', headers: { accept } });
    assert.ok(withoutTls.body.includes(`<a href="${address}">I am signed in already.</a>`));
  });

  test('leads nowhere else from its own address', async () => {
    await using server = await openServer(access);
    const cookie = cookieOf(await signIn(server, { token: adminToken }));

    for (const query of ['next=//evil.example.com', 'next=https://evil.example.com', 'next=/a&next=/b', '']) {
      const answer = await server.ask({ url: `/sign-in?${query}`, headers: { cookie } });
      assert.equal(answer.headers.location, '/', query);
    }
  });

  test('is not there where nobody is asked for a token', async () => {
    await using server = await openServer({ adminToken: undefined, isLoopback: true });

    for (const url of ['/sign-in', '/sign-out']) {
      const form = { 'content-type': 'application/x-www-form-urlencoded' };
      const answer = await server.ask({ method: 'POST', url, headers: form, payload: 'token=undefined' });
      assert.ok([404, 415].includes(answer.statusCode), `${url} ${answer.statusCode}`);
      assert.equal(answer.headers['set-cookie'], undefined);
    }
  });
});

describe('the page to sign in', { timeout: 60_000 }, () => {
  test('runs no script, loads nothing, and its policy allows neither', async () => {
    await using server = await openServer(access);

    const { body, headers } = await server.ask({ url: '/sign-in' });

    assert.doesNotMatch(body, /<script|javascript:|<[^>]+\son\w+=|src=|href=|url\(|@import/i);
    const policy = String(headers['content-security-policy']);
    assert.match(policy, /default-src 'none'.*form-action 'self'/);
    assert.doesNotMatch(policy, /script|\*|https?:/);
    // Without it a browser would send no origin with the form.
    assert.equal(headers['referrer-policy'], 'same-origin');
  });

  test('says what the token is and where it stands, and each thing on it has a name', async () => {
    await using server = await openServer(access);

    const { body } = await server.ask({ url: '/', headers: { accept: 'text/html' } });

    for (const text of ['ADMIN_TOKEN', 'VIEWER_TOKEN', '.env', 'ADMIN_TOKEN_FILE', 'cat /data/admin-token']) {
      assert.ok(body.includes(text), text);
    }
    assert.match(body, /<html lang="en">/);
    assert.match(body, /<label for="token">Token<\/label>\s*<input\s+id="token"/);
    assert.match(body, /color-scheme: light dark/);
  });
});

describe('after five wrong tokens', { timeout: 60_000 }, () => {
  test('even the right one must wait, and then opens', async () => {
    await using server = await openServer(access);
    for (let count = 0; count < 7; count++) {
      assert.equal((await signIn(server, { token: 'wrong' })).statusCode, 401);
      server.advance(count < 4 ? 0 : 4_000);
    }
    await signIn(server, { token: 'wrong' });

    const early = await signIn(server, { token: adminToken });
    assert.equal(early.statusCode, 429);
    assert.equal(early.headers['retry-after'], '8');
    assert.equal(early.headers['set-cookie'], undefined);
    assert.match(early.body, /role="alert">Too many tokens were wrong\. Try again in 8 seconds\./);

    server.advance(8_000);
    assert.equal((await signIn(server, { token: adminToken })).statusCode, 303);
    assert.equal((await signIn(server, { token: 'wrong' })).statusCode, 401, 'and starts anew');
  });

  test('others, programs, and who is signed in go on', async () => {
    await using server = await openServer(access);
    const cookie = cookieOf(await signIn(server, { token: adminToken }));
    for (let count = 0; count < 6; count++) await signIn(server, { token: 'wrong' });

    assert.equal((await signIn(server, { token: adminToken })).statusCode, 429);
    assert.equal((await signIn(server, { token: adminToken }, {}, '192.0.2.1')).statusCode, 303);
    for (const headers of [{ cookie }, { authorization: `Bearer ${adminToken}` }]) {
      assert.equal((await server.ask({ url: '/api/session', headers })).statusCode, 200);
    }
  });

  test('what a sender says of its own address does not count', async () => {
    await using server = await openServer(access);
    const try_ = (index: number) =>
      signIn(server, { token: 'wrong' }, { 'x-forwarded-for': `192.0.2.${index}` });
    for (let count = 0; count < 5; count++) await try_(count);

    assert.equal((await try_(6)).statusCode, 429);
  });
});

describe('signing out', { timeout: 60_000 }, () => {
  test('ends the session, also for who has a copy of the cookie', async () => {
    await using server = await openServer(access);
    const cookie = cookieOf(await signIn(server, { token: adminToken }));
    const ask = async () => (await server.ask({ url: '/api/session', headers: { cookie } })).statusCode;
    assert.equal(await ask(), 200);

    const answer = await signOut(server, { cookie });

    assert.deepEqual([answer.statusCode, answer.headers.location], [303, '/']);
    assert.match(String(answer.headers['set-cookie']), /^fusionauth-segment=; Path=\/; Max-Age=0; HttpOnly/);
    assert.equal(await ask(), 401);
    assert.equal((await signOut(server, { cookie })).statusCode, 303, 'and once more does no harm');
  });

  test('cannot be done by a page elsewhere', async () => {
    await using server = await openServer(access);
    const cookie = cookieOf(await signIn(server, { token: adminToken }));

    const answer = await signOut(server, { cookie, origin: 'https://evil.example.com' });

    assert.equal(answer.statusCode, 403);
    assert.equal((await server.ask({ url: '/api/session', headers: { cookie } })).statusCode, 200);
  });
});

describe('who may only read', { timeout: 60_000 }, () => {
  const changes: [url: string, body: unknown][] = [
    ['/api/replays', { destination: 'segment' }],
    ['/api/replays/stop', { id: 1 }],
    ['/api/dead-letters/discard', { destination: 'segment', because: 'x' }],
    ['/api/destinations/reopen', { destination: 'segment' }],
    ['/api/export-token', undefined],
  ];
  for (const [url, body] of changes) {
    test(`is refused by words: POST ${url}`, async () => {
      await using server = await openServer(access);
      const cookie = cookieOf(await signIn(server, { token: viewerToken }));

      const answer = await postJson(server, url, body, { cookie });

      assert.equal(answer.statusCode, 403);
      assert.match(answer.json<{ message: string }>().message, /may only read/);
    });
  }

  test('reads all that there is to read, but not the token of the exports, which outlives his own', async () => {
    await using server = await openServer(access);
    const cookie = cookieOf(await signIn(server, { token: viewerToken }));
    const statusOf = async (url: string) => (await server.ask({ url, headers: { cookie } })).statusCode;

    const paths = ['/', '/api/status', '/api/events', '/api/dead-letters', '/export', '/export/users.csv'];

    for (const path of [...paths, '/api/replays', '/api/diagnosis']) {
      assert.equal(await statusOf(path), 200, path);
    }
    assert.equal(await statusOf('/api/export-token'), 403);
  });
});

describe('personal data that was shown', { timeout: 60_000 }, () => {
  const eventId = 'e5f2a0f1-0000-4000-8000-000000000000';

  test('is recorded in one line that says who and what, also of who may only read', async () => {
    await using server = await openServer(access);
    const cookie = cookieOf(await signIn(server, { token: viewerToken }));
    server.lines.length = 0;

    const answer = await postJson(
      server,
      '/api/disclosures',
      { eventId, what: 'event.user.email' },
      { cookie },
    );

    assert.deepEqual([answer.statusCode, answer.body], [204, '']);
    assert.equal(server.lines.length, 1);
    assert.partialDeepStrictEqual(JSON.parse(server.lines[0] ?? ''), {
      level: 30,
      access: 'viewer',
      address: '127.0.0.1',
      eventId,
      what: 'event.user.email',
      msg: 'Personal data was shown to somebody',
    });
  });

  test('is recorded on loopback without a token, too, where no event need be named', async () => {
    await using server = await openServer({ adminToken: undefined, isLoopback: true });

    const answer = await postJson(server, '/api/disclosures', { what: 'user' });

    assert.equal(answer.statusCode, 204);
    assert.partialDeepStrictEqual(JSON.parse(server.lines[0] ?? ''), { access: 'open', what: 'user' });
  });

  for (const body of [
    {},
    { what: '' },
    { what: 'richard@example.com' },
    { what: 'Richard Hendricks' },
    { what: '+49 123' },
    { what: 'user', email: 'richard@example.com' },
    { what: 'x'.repeat(101) },
    'what',
  ]) {
    test(`is named and never repeated: ${JSON.stringify(body).slice(0, 60)} is refused`, async () => {
      await using server = await openServer({ adminToken: undefined, isLoopback: true });

      const answer = await postJson(server, '/api/disclosures', body);

      assert.equal(answer.statusCode, 400);
      assert.deepEqual(server.lines, []);
    });
  }

  test('cannot be recorded by a stranger, nor by a page elsewhere', async () => {
    await using server = await openServer(access);
    const cookie = cookieOf(await signIn(server, { token: viewerToken }));
    server.lines.length = 0;

    const stranger = await postJson(server, '/api/disclosures', { what: 'user' });
    const elsewhere = await postJson(
      server,
      '/api/disclosures',
      { what: 'user' },
      { cookie, origin: 'null' },
    );

    assert.deepEqual([stranger.statusCode, elsewhere.statusCode], [401, 403]);
    assert.deepEqual(server.lines, []);
  });
});

describe('on loopback without a token', { timeout: 60_000 }, () => {
  const open = { adminToken: undefined, isLoopback: true };

  test('everybody on this machine may do everything', async () => {
    await using server = await openServer(open);

    const session = await server.ask({ url: '/api/session' });
    const change = await postJson(server, '/api/replays/stop', { id: 1 });

    assert.deepEqual(session.json(), { access: 'open', canChange: true });
    assert.equal(change.statusCode, 404);
    assert.doesNotMatch((await server.ask({ url: '/' })).body, /sign-out/);
  });

  test('a page elsewhere changes nothing through the browser of who is', async () => {
    await using server = await openServer(open);

    for (const headers of [
      { origin: 'https://evil.example.com' },
      { origin: 'null' },
      { origin: 'http://localhost:8080' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: 'http://localhost:80' },
    ] as Record<string, string>[]) {
      const answer = await postJson(server, '/api/export-token', undefined, headers);

      assert.equal(answer.statusCode, 403, JSON.stringify(headers));
      assert.equal(answer.json<{ code: string }>().code, 'FORBIDDEN');
    }
  });

  test('a name elsewhere that resolves to this machine changes nothing, though it is its own origin', async () => {
    await using server = await openServer(open);
    const rebound = { host: 'evil.example.com', 'sec-fetch-site': 'same-origin' };

    const answer = await postJson(server, '/api/replays/stop', { id: 1 }, rebound);

    assert.equal(answer.statusCode, 403);
  });

  test('a change must still be JSON', async () => {
    await using server = await openServer(open);

    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const headers = { 'content-type': type };
      const answer = await server.ask({
        method: 'POST',
        url: '/api/replays/stop',
        headers,
        payload: '{"id":1}',
      });
      assert.equal(answer.statusCode, 415, type);
    }
  });
});

test('every page and every answer of the API tells the browser what it may not do', async () => {
  await using server = await openServer(access);
  const cookie = cookieOf(await signIn(server, { token: adminToken }));
  const answers = [
    await server.ask({ url: '/', headers: { cookie } }),
    await server.ask({ url: '/', headers: { accept: 'text/html' } }),
    await server.ask({ url: '/sign-in' }),
    await signIn(server, { token: 'wrong' }),
    await signIn(server, { token: adminToken }),
    await signIn(server, { token: adminToken }, { origin: 'null' }),
    await server.ask({ url: '/api/status' }),
    await server.ask({ url: '/api/status', headers: { cookie } }),
    await server.ask({ url: '/api/events/none', headers: { cookie } }),
    await server.ask({ url: '/api/none', headers: { cookie } }),
    await postJson(server, '/api/replays', 'no object', { cookie }),
    await postJson(server, '/api/replays', {}, { cookie, 'content-type': 'text/plain' }),
    await postJson(server, '/api/disclosures', { what: 'user' }, { cookie }),
    await server.ask({ url: '/export', headers: { cookie } }),
    await server.ask({ url: '/export' }),
  ];

  for (const { headers, raw } of answers) {
    const what = `${raw.req.method} ${raw.req.url} ${raw.res.statusCode}`;
    assert.match(String(headers['content-security-policy']), /^default-src 'none'/, what);
    assert.equal(headers['x-content-type-options'], 'nosniff', what);
    assert.match(String(headers['referrer-policy']), /^(same-origin|no-referrer)$/, what);
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin', what);
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin', what);
    assert.equal(headers['cache-control'], 'no-store', what);
  }
});

test('no log line has a token or a cookie in it, and each says who and what', async () => {
  await using server = await openServer(access);
  const cookies = [
    cookieOf(await signIn(server, { token: adminToken })),
    cookieOf(await signIn(server, { token: viewerToken })),
  ];
  await signIn(server, { token: 'a-wrong-one' });
  for (const cookie of cookies) await signOut(server, { cookie });

  const text = server.lines.join('');
  for (const secret of [
    adminToken,
    viewerToken,
    'a-wrong-one',
    ...cookies.flatMap((one) => one.split(/[=.]/)),
  ]) {
    if (secret.length > 'fusionauth-segment'.length) assert.ok(!text.includes(secret), secret);
  }
  assert.ok(!text.includes('a-wrong-one'));
  assert.deepEqual(
    server.lines.map((line) => {
      const { level, access: kind, address, msg } = JSON.parse(line) as Record<string, unknown>;
      return [level, kind, address, msg];
    }),
    [
      [30, 'admin', '127.0.0.1', 'Somebody signed in'],
      [30, 'viewer', '127.0.0.1', 'Somebody signed in'],
      [40, undefined, '127.0.0.1', 'Somebody tried to sign in with a wrong token'],
      [30, 'admin', '127.0.0.1', 'Somebody signed out'],
      [30, 'viewer', '127.0.0.1', 'Somebody signed out'],
    ],
  );
});

type Answer = Awaited<ReturnType<TestServer['ask']>>;
type Headers = Readonly<Record<string, string>>;

function signIn(
  server: TestServer,
  form: Readonly<Record<string, string>>,
  headers: Headers = {},
  remoteAddress = '127.0.0.1',
): Promise<Answer> {
  return postForm(server, '/sign-in', new URLSearchParams(form).toString(), headers, remoteAddress);
}

function signOut(server: TestServer, headers: Headers): Promise<Answer> {
  return postForm(server, '/sign-out', '', headers);
}

function postForm(
  server: TestServer,
  url: string,
  payload: string,
  headers: Headers,
  remoteAddress = '127.0.0.1',
): Promise<Answer> {
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  return server.ask({ method: 'POST', url, remoteAddress, headers: { ...type, ...headers }, payload });
}

function postJson(server: TestServer, url: string, body: unknown, headers: Headers = {}): Promise<Answer> {
  if (body === undefined) return server.ask({ method: 'POST', url, headers });
  const type = { 'content-type': 'application/json' };
  return server.ask({ method: 'POST', url, headers: { ...type, ...headers }, payload: JSON.stringify(body) });
}

/** As a browser would send it back. */
function cookieOf({ headers }: Answer): string {
  return String(headers['set-cookie']).split(';')[0] ?? '';
}
