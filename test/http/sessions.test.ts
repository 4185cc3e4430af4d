import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { kindOfToken, sessionCookie, Sessions, sessionSeconds } from '../../src/http/sessions.ts';

const tokens = { admin: 'token-of-the-admin', viewer: 'token-of-a-viewer' };
const startMs = 1_767_225_600_000;

describe('a session', () => {
  for (const kind of ['admin', 'viewer'] as const) {
    test(`of the ${kind} is found by its cookie, until its twelve hours are over`, () => {
      let now = startMs;
      const sessions = new Sessions(tokens, () => now);
      const cookie = cookieOf(sessions.begin(kind));

      now += sessionSeconds * 1_000 - 1;
      assert.equal(sessions.find(cookie)?.kind, kind);
      now += 1;
      assert.equal(sessions.find(cookie), undefined);
      assert.equal(sessionSeconds, 12 * 60 * 60);
    });
  }

  test('outlives a restart', () => {
    const cookie = cookieOf(new Sessions(tokens, () => startMs).begin('admin'));

    assert.equal(new Sessions(tokens, () => startMs).find(cookie)?.kind, 'admin');
  });

  test('ends with the token that opened it, and with no other', () => {
    const before = new Sessions(tokens, () => startMs);
    const admin = cookieOf(before.begin('admin'));
    const viewer = cookieOf(before.begin('viewer'));

    const otherAdmin = new Sessions({ ...tokens, admin: 'another' }, () => startMs);
    const otherViewer = new Sessions({ ...tokens, viewer: 'another' }, () => startMs);
    const noViewer = new Sessions({ ...tokens, viewer: undefined }, () => startMs);

    assert.deepEqual(
      [otherAdmin, otherViewer, noViewer].map((sessions) => [
        sessions.find(admin)?.kind,
        sessions.find(viewer)?.kind,
      ]),
      [
        [undefined, 'viewer'],
        ['admin', undefined],
        ['admin', undefined],
      ],
    );
  });

  test('that signed out is over, also for who has a copy of its cookie, and the others are not', () => {
    const sessions = new Sessions(tokens, () => startMs);
    const [cookie, other] = [cookieOf(sessions.begin('admin')), cookieOf(sessions.begin('admin'))];

    sessions.end(found(sessions, cookie));

    assert.equal(sessions.find(cookie), undefined);
    assert.equal(sessions.find(other)?.kind, 'admin');
  });

  test('is found beside cookies of others, also of its own name', () => {
    const sessions = new Sessions(tokens, () => startMs);
    const value = sessions.begin('admin');

    for (const cookies of [
      `a=b; ${sessionCookie}=${value}`,
      `${sessionCookie}=${value};a=b`,
      `${sessionCookie}=of another program; a; =; ${sessionCookie}=${value}`,
    ]) {
      assert.equal(sessions.find(cookies)?.kind, 'admin', cookies);
    }
    assert.equal(sessions.find(`x${sessionCookie}=${value}`), undefined);
    assert.equal(sessions.find(`other=${sessionCookie}=${value}`), undefined);
  });
});

describe('a forged cookie opens nothing', () => {
  const sessions = new Sessions(tokens, () => startMs);
  const admin = sessions.begin('admin').split('.');
  const viewer = sessions.begin('viewer').split('.');
  const [kind = '', endsAt = '', id = '', signature = ''] = viewer;

  const forged: [name: string, value: string][] = [
    ['nothing', ''],
    ['the token itself', tokens.admin],
    ['a viewer’s as the admin’s', ['admin', endsAt, id, signature].join('.')],
    ['one that ends later', [kind, `${Number(endsAt) + 1}`, id, signature].join('.')],
    ['one of another id', [kind, endsAt, 'A'.repeat(24), signature].join('.')],
    ['the signature of another', [...viewer.slice(0, 3), admin[3]].join('.')],
    ['no signature', [kind, endsAt, id].join('.')],
    ['an empty signature', [kind, endsAt, id, ''].join('.')],
    ['a signature of nothing', [kind, endsAt, id, 'A'.repeat(43)].join('.')],
    ['a kind that there is not', ['owner', endsAt, id, signature].join('.')],
    ['a kind of JavaScript’s', ['__proto__', endsAt, id, signature].join('.')],
    ['one with something behind it', `${viewer.join('.')}x`],
    ['megabytes', 'admin.'.repeat(500_000)],
  ];
  for (const [name, value] of forged) {
    test(name, () => {
      assert.equal(sessions.find(cookieOf(value)), undefined);
    });
  }

  test('and there is no session of a token that is not set', () => {
    const none = new Sessions({ admin: undefined, viewer: undefined }, () => startMs);

    assert.throws(() => none.begin('admin'), /no admin token/);
    for (const value of [admin, viewer]) assert.equal(none.find(cookieOf(value.join('.'))), undefined);
  });
});

test('the cookie shows nothing of the token, and no two are the same', () => {
  const sessions = new Sessions(tokens, () => startMs);

  const values = Array.from({ length: 100 }, () => sessions.begin('admin'));

  assert.equal(new Set(values).size, 100);
  assert.ok(values.every((value) => /^[\w.-]+$/.test(value) && !value.includes(tokens.admin)));
});

test('those that signed out are forgotten when they would have ended, and never are more than ten thousand', () => {
  let now = startMs;
  const sessions = new Sessions(tokens, () => now);
  const first = cookieOf(sessions.begin('admin'));
  sessions.end(found(sessions, first));
  for (let count = 1; count < 10_000; count++) {
    sessions.end({ kind: 'admin', id: `id ${count}`, endsAt: now + 1_000 });
  }
  assert.equal(sessions.find(first), undefined);

  // One more than there is room for: the oldest is forgotten, which is the first.
  sessions.end({ kind: 'admin', id: 'one more', endsAt: now + 1_000 });
  assert.equal(sessions.find(first)?.kind, 'admin');

  now += 1_000;
  const later = cookieOf(sessions.begin('admin'));
  sessions.end(found(sessions, later));
  for (let count = 1; count < 10_000; count++) {
    sessions.end({ kind: 'admin', id: `later ${count}`, endsAt: now + sessionSeconds * 1_000 });
  }
  assert.equal(sessions.find(later), undefined);
});

test('a token is told from others by all of it', () => {
  assert.equal(kindOfToken(tokens.admin, tokens), 'admin');
  assert.equal(kindOfToken(tokens.viewer, tokens), 'viewer');
  for (const given of [
    '',
    'undefined',
    tokens.admin.slice(1),
    `${tokens.admin}x`,
    tokens.admin.toUpperCase(),
  ]) {
    assert.equal(kindOfToken(given, tokens), undefined);
    assert.equal(kindOfToken(given, { admin: undefined, viewer: undefined }), undefined);
  }
});

function cookieOf(value: string): string {
  return `${sessionCookie}=${value}`;
}

function found(sessions: Sessions, cookie: string) {
  const session = sessions.find(cookie);
  assert.ok(session);
  return session;
}
