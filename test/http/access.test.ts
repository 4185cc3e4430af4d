import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fastify } from 'fastify';
import { createAccessGuard, createExportGuard } from '../../src/http/access.ts';
import type { AccessOptions, Right } from '../../src/http/access.ts';
import { sessionCookie, Sessions } from '../../src/http/sessions.ts';

const adminToken = 'to:ken-of-the-admin';
const viewerToken = 'token-of-a-viewer';

describe('with ADMIN_TOKEN', () => {
  const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

  const admitted: [name: string, authorization: string][] = [
    ['the token as bearer token', `Bearer ${adminToken}`],
    ['the token with its scheme in other letters', `bEARER ${adminToken}`],
    ['the token as password of anybody', basic(`anybody:${adminToken}`)],
    ['the token as password of nobody', basic(`:${adminToken}`)],
  ];
  for (const [name, authorization] of admitted) {
    test(`${name} is let in, also from other machines`, async () => {
      for (const isLoopback of [true, false]) {
        const answer = await get({ adminToken, isLoopback }, { authorization, host: 'bridge.example.com' });

        assert.deepEqual([answer.statusCode, answer.body], [200, 'the page']);
      }
    });
  }

  const refused: [name: string, authorization: string | undefined][] = [
    ['nothing', undefined],
    ['an empty header', ''],
    ['a scheme alone', 'Bearer'],
    ['an empty token', 'Bearer '],
    ['another token', 'Bearer another'],
    ['the beginning of the token', `Bearer ${adminToken.slice(0, -1)}`],
    ['more than the token', `Bearer ${adminToken}x`],
    ['the token in capitals', `Bearer ${adminToken.toUpperCase()}`],
    ['the token without a scheme', adminToken],
    ['the token in an unknown scheme', `Digest ${adminToken}`],
    ['the token unencoded as a password', `Basic :${adminToken}`],
    ['the token as user', basic(`${adminToken}:`)],
    ['an empty password', basic('admin:')],
    ['a password that is no base64', 'Basic §§§'],
  ];
  for (const [name, authorization] of refused) {
    test(`${name} is answered 401, which names Basic to a program that waits for it`, async () => {
      const answer = await get(
        { adminToken, isLoopback: true },
        authorization === undefined ? {} : { authorization },
      );

      assert.equal(answer.statusCode, 401);
      assert.match(String(answer.headers['www-authenticate']), /^Basic realm="/);
      assert.equal(answer.json<{ code: string }>().code, 'UNAUTHORIZED');
      assert.ok(!answer.body.includes(adminToken));
    });
  }

  const browser = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)', accept: 'text/html,*/*;q=0.8' };

  test('a browser that asks for a page is shown the one to sign in, and no dialog', async () => {
    const answer = await get({ adminToken, isLoopback: false }, browser, { url: '/events?a=1&b=2' });

    assert.equal(answer.statusCode, 401);
    assert.match(String(answer.headers['content-type']), /^text\/html/);
    assert.doesNotMatch(String(answer.headers['www-authenticate']), /Basic/);
    assert.match(answer.body, /<form method="post" action="\/sign-in">/);
    assert.match(answer.body, /name="next" value="\/events\?a=1&amp;b=2"/);
    assert.doesNotMatch(answer.body, /VIEWER_TOKEN/);
  });

  test('the script of a page gets JSON, and no dialog', async () => {
    const answer = await get({ adminToken, isLoopback: false }, { ...browser, accept: '*/*' });

    assert.equal(answer.statusCode, 401);
    assert.equal(answer.json<{ code: string }>().code, 'UNAUTHORIZED');
    assert.doesNotMatch(String(answer.headers['www-authenticate']), /Basic/);
  });

  test('a session opens the page, also beside a wrong password that the browser remembers', async () => {
    const cookie = cookieOf(adminToken);

    for (const headers of [{ cookie }, { cookie, authorization: basic('admin:old-token') }]) {
      assert.equal((await get({ adminToken, isLoopback: false }, headers)).statusCode, 200);
    }
    const otherToken = { adminToken: 'another', isLoopback: false };
    assert.equal((await get(otherToken, { cookie })).statusCode, 401);
  });

  test('a page elsewhere changes nothing, not even with the right token', async () => {
    for (const headers of [{ origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
      for (const access of [
        { adminToken, isLoopback: false },
        { adminToken: undefined, isLoopback: true },
      ]) {
        const answer = await get(
          access,
          {
            ...headers,
            host: 'localhost',
            cookie: cookieOf(adminToken),
            authorization: `Bearer ${adminToken}`,
          },
          { method: 'POST' },
        );

        assert.equal(answer.statusCode, 403);
        assert.match(answer.json<{ message: string }>().message, /page of another address/);
      }
    }
  });
});

describe('VIEWER_TOKEN', () => {
  const access = { adminToken, viewerToken, isLoopback: false };
  const ways: [name: string, headers: Readonly<Record<string, string>>][] = [
    ['as bearer token', { authorization: `Bearer ${viewerToken}` }],
    ['as password', { authorization: `Basic ${Buffer.from(`x:${viewerToken}`).toString('base64')}` }],
    ['as a session', { cookie: cookieOf(adminToken, 'viewer') }],
  ];
  for (const [name, headers] of ways) {
    test(`${name} opens what is read, and nothing that is changed`, async () => {
      const statuses: number[] = [];
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const) {
        statuses.push((await get(access, headers, { method })).statusCode);
      }
      const refused = await get(access, headers, { method: 'POST' });

      assert.deepEqual(statuses, [200, 200, 403, 403, 403, 403]);
      assert.partialDeepStrictEqual(refused.json(), {
        code: 'FORBIDDEN',
        message: 'VIEWER_TOKEN may only read: this needs ADMIN_TOKEN',
      });
    });

    test(`${name} is judged by what a route needs, where that is not as its method has it`, async () => {
      assert.equal((await get(access, headers, { method: 'POST', right: 'read' })).statusCode, 200);
      assert.equal((await get(access, headers, { method: 'GET', right: 'change' })).statusCode, 403);
    });
  }

  test('changes nothing of what ADMIN_TOKEN opens', async () => {
    for (const headers of [{ authorization: `Bearer ${adminToken}` }, { cookie: cookieOf(adminToken) }]) {
      assert.equal((await get(access, headers, { method: 'POST' })).statusCode, 200);
    }
  });

  test('is named where one signs in', async () => {
    assert.match((await get(access, { accept: 'text/html' })).body, /VIEWER_TOKEN/);
  });
});

describe('without ADMIN_TOKEN', () => {
  for (const host of [
    'localhost',
    'localhost:3000',
    'LOCALHOST',
    '127.0.0.1:3000',
    '127.8.9.10',
    '[::1]',
    '[::1]:3000',
  ]) {
    test(`this machine is let in by the name ${host}`, async () => {
      const answer = await get({ adminToken: undefined, isLoopback: true }, { host });

      assert.equal(answer.statusCode, 200);
    });
  }

  for (const host of [
    'rebound.example.com',
    'rebound.example.com:3000',
    'localhost.example.com',
    '127.0.0.1.example.com',
    'x-localhost',
    '10.0.0.1:3000',
    '[::2]:3000',
  ]) {
    test(`a web page that calls this machine ${host} is refused`, async () => {
      const answer = await get({ adminToken: undefined, isLoopback: true }, { host });

      assert.equal(answer.statusCode, 403);
      assert.match(answer.json<{ message: string }>().message, /by a loopback address/);
    });
  }

  test('what a proxy says of the name does not count', async () => {
    const headers = { host: 'rebound.example.com', 'x-forwarded-host': 'localhost' };

    const answer = await get({ adminToken: undefined, isLoopback: true }, headers);

    assert.equal(answer.statusCode, 403);
  });

  test('nobody is let in on a network address, and the answer says what to set', async () => {
    for (const headers of [
      {},
      { host: 'localhost' },
      { authorization: 'Bearer undefined' },
      { authorization: 'Bearer ' },
    ]) {
      const answer = await get({ adminToken: undefined, isLoopback: false }, headers);

      assert.equal(answer.statusCode, 403);
      assert.match(answer.json<{ message: string }>().message, /Set ADMIN_TOKEN/);
      assert.equal(answer.headers['www-authenticate'], undefined);
    }
  });
});

interface Asked {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url?: string;
  readonly right?: Right;
}

/** Asks a server that answers everything, behind the guard. */
async function get(
  options: AccessOptions,
  headers: Readonly<Record<string, string>>,
  { method = 'GET', url = '/', right }: Asked = {},
) {
  const sessions = sessionsOf(options);
  const guard = createAccessGuard({ ...options, sessions, ...(right && { right }) });
  const server = fastify();
  server.all('/*', { onRequest: guard }, () => 'the page');
  const answer = await server.inject({ method, url, headers });
  await server.close();
  return answer;
}

function sessionsOf({ adminToken: admin, viewerToken: viewer }: AccessOptions): Sessions {
  return new Sessions({ admin, viewer }, Date.now);
}

/** Of a session that was opened by one of the tokens. */
function cookieOf(admin: string, kind: 'admin' | 'viewer' = 'admin'): string {
  return `${sessionCookie}=${sessionsOf({ adminToken: admin, viewerToken, isLoopback: false }).begin(kind)}`;
}

describe('the exports', () => {
  const exportToken = 'token-of-the-exports';
  const network = { adminToken: undefined, isLoopback: false };
  const local = { adminToken: undefined, isLoopback: true };
  const guarded = { adminToken, isLoopback: false };
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const remote = { host: 'bridge.example.com' };

  type Case = [
    name: string,
    access: AccessOptions,
    query: string,
    headers: Readonly<Record<string, string>>,
    status: number,
  ];
  const cases: Case[] = [
    ['their token in the address', network, `?token=${exportToken}`, remote, 200],
    ['their token as bearer token', network, '', { ...remote, ...bearer(exportToken) }, 200],
    [
      'their token as password',
      network,
      '',
      { ...remote, authorization: `Basic ${Buffer.from(`x:${exportToken}`).toString('base64')}` },
      200,
    ],
    ['their token where ADMIN_TOKEN is set', guarded, `?token=${exportToken}`, remote, 200],
    ['ADMIN_TOKEN as bearer token', guarded, '', { ...remote, ...bearer(adminToken) }, 200],
    ['a session', guarded, '', { ...remote, cookie: cookieOf(adminToken) }, 200],
    ['VIEWER_TOKEN as bearer token', { ...guarded, viewerToken }, '', bearer(viewerToken), 200],
    ['a token that is nobody’s any more', guarded, '', bearer(viewerToken), 401],
    ['nothing, by a page elsewhere', local, '', { host: 'localhost', 'sec-fetch-site': 'cross-site' }, 401],
    ['ADMIN_TOKEN in the address', guarded, `?token=${adminToken}`, remote, 401],
    ['ADMIN_TOKEN as bearer token beside a wrong one', guarded, '?token=x', bearer(adminToken), 401],
    ['nothing, from this machine', local, '', { host: '127.0.0.1' }, 200],
    ['nothing, from this machine, where ADMIN_TOKEN is set', { ...guarded, isLoopback: true }, '', {}, 401],
    ['nothing, by a foreign name for this machine', local, '', remote, 401],
    ['nothing', network, '', remote, 401],
    ['nothing, where ADMIN_TOKEN is set', guarded, '', remote, 401],
    ['an empty token', network, '?token=', remote, 401],
    ['a wrong token, even from this machine', local, '?token=wrong', { host: '127.0.0.1' }, 401],
    ['a wrong bearer token, even from this machine', local, '', bearer('wrong'), 401],
    ['the token twice', network, `?token=${exportToken}&token=${exportToken}`, remote, 401],
    ['the beginning of the token', network, `?token=${exportToken.slice(0, -1)}`, remote, 401],
    ['the word undefined', network, '?token=undefined', remote, 401],
  ];
  for (const [name, access, query, headers, status] of cases) {
    test(`${name} is answered ${status}`, async () => {
      const answer = await getExport(access, () => exportToken, query, headers);

      assert.equal(answer.statusCode, status);
      if (status === 401) assert.equal(answer.headers['cache-control'], 'no-store');
      assert.ok(!answer.body.includes(exportToken));
    });
  }

  test('no token is right before one has been made', async () => {
    for (const query of ['?token=', '?token=undefined', '']) {
      const answer = await getExport(network, () => undefined, query, bearer(''));

      assert.equal(answer.statusCode, 401);
    }
  });

  test('their token opens nothing else', async () => {
    const answer = await get(guarded, bearer(exportToken));

    assert.equal(answer.statusCode, 401);
  });
});

async function getExport(
  access: AccessOptions,
  token: () => string | undefined,
  query: string,
  headers: Readonly<Record<string, string>>,
) {
  const server = fastify();
  server.get(
    '/export',
    { onRequest: createExportGuard({ ...access, sessions: sessionsOf(access) }, token) },
    () => 'the export',
  );
  const answer = await server.inject({ url: `/export${query}`, headers });
  await server.close();
  return answer;
}
