// No secret survives: every field that FusionAuth's events are known to hold one in, wherever it can stand.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { rowsOf } from '../../src/destinations/warehouse/rows.ts';
import { entryOf, eventTypes } from '../../src/fusionauth/catalogue.ts';
import { describeFields } from '../../src/fusionauth/describe-fields.ts';
import { parseWebhookBody } from '../../src/fusionauth/event.ts';
import { identity, messagesOf } from '../support/mapped.ts';
import { markedEvent } from '../support/marked-event.ts';

type Fields = Readonly<Record<string, unknown>>;

const secret = 'SECRET-THAT-NOBODY-MAY-SEE';
const neighbour = 'neighbour-that-everybody-needs';

/** What is left of an event when it has been parsed, as text. */
function storedText(event: Fields): string {
  return JSON.stringify(parseWebhookBody(Buffer.from(JSON.stringify({ event: { id: '1', ...event } }))));
}

function assertStripped(event: Fields): void {
  const text = storedText(event);

  assert.ok(!text.includes(secret), text);
  assert.ok(text.includes(neighbour), text);
}

describe('of the secrets that the catalogue marks', () => {
  for (const type of eventTypes) {
    const { event, markers } = markedEvent(type, identity);
    const body = Buffer.from(JSON.stringify({ event }));

    test(`none of the ${markers.length} in ${type} reaches the log, a message or a row`, () => {
      const parsed = parseWebhookBody(body);
      const messages = messagesOf(parsed, { filters: [{ include: [type] }] });
      const rows = messages.flatMap((message) => rowsOf(message, identity.createInstant));
      const stored = JSON.stringify(parsed);
      const sent = JSON.stringify(messages);
      const written = JSON.stringify(rows.map(({ cells, ...row }) => ({ ...row, cells: [...cells] })));

      for (const marker of markers) {
        assert.ok(body.includes(marker));
        for (const text of [stored, sent, written]) assert.ok(!text.includes(marker), `${marker}: ${text}`);
      }
    });

    test(`none in ${type} is forgotten by the walk that marks them`, () => {
      const secrets = describeFields(entryOf(type)?.fields ?? {}).filter(({ isSecret }) => isSecret);

      assert.equal(markers.length, secrets.length);
    });
  }

  test('none of a user who is given to an event that has none by itself is left', () => {
    const { event, markers } = markedEvent('user.update', identity);
    for (const type of eventTypes) {
      const body = Buffer.from(JSON.stringify({ event: { ...event, type } }));

      const text = JSON.stringify(parseWebhookBody(body));

      for (const marker of markers) assert.ok(!text.includes(marker), `${type}: ${marker}`);
    }
  });
});

describe('in FusionAuth’s own objects', () => {
  const inUser: [string, Fields][] = [
    ['password', { password: secret, email: neighbour }],
    ['salt', { salt: secret, email: neighbour }],
    ['factor', { factor: secret, email: neighbour }],
    ['encryptionScheme', { encryptionScheme: secret, email: neighbour }],
    ['twoFactor.recoveryCodes', { twoFactor: { recoveryCodes: [secret], methods: [{ id: neighbour }] } }],
    ['twoFactor.methods[].secret', { twoFactor: { methods: [{ secret, id: neighbour }] } }],
    [
      'registrations[].authenticationToken',
      { registrations: [{ authenticationToken: secret, id: neighbour }] },
    ],
    ['registrations[].tokens', { registrations: [{ tokens: { google: secret }, id: neighbour }] }],
  ];
  const users: [string, string, (user: Fields) => Fields][] = [
    ['user.create', 'user', (user) => ({ user })],
    ['user.create.complete', 'user', (user) => ({ user })],
    ['user.update', 'user', (user) => ({ user })],
    ['user.update', 'original', (user) => ({ original: user })],
    ['user.update.complete', 'user', (user) => ({ user })],
    ['user.update.complete', 'original', (user) => ({ original: user })],
    ['user.email.update', 'user', (user) => ({ user })],
    ['user.login.success', 'user', (user) => ({ user })],
    ['user.delete.complete', 'user', (user) => ({ user })],
    ['user.loginId.duplicate.create', 'user', (user) => ({ user })],
    ['user.loginId.duplicate.create', 'existing', (user) => ({ existing: user })],
    ['user.loginId.duplicate.update', 'existing', (user) => ({ existing: user })],
    ['user.bulk.create', 'users[]', (user) => ({ users: [{ id: '1' }, user] })],
    ['jwt.refresh-token.revoke', 'user', (user) => ({ user })],
    ['audit-log.create', 'auditLog.newValue', (user) => ({ auditLog: { newValue: user } })],
    ['audit-log.create', 'auditLog.oldValue.user', (user) => ({ auditLog: { oldValue: { user } } })],
    ['audit-log.create', 'auditLog.data.users[]', (user) => ({ auditLog: { data: { users: [user] } } })],
    ['user.teleport.complete', 'user', (user) => ({ user })],
  ];
  for (const [type, place, put] of users) {
    for (const [field, user] of inUser) {
      test(`${type}: ${place}.${field} is stripped`, () => {
        assertStripped({ type, ...put(user) });
      });
    }
  }

  const inRegistration: [string, Fields][] = [
    ['authenticationToken', { authenticationToken: secret, id: neighbour }],
    ['tokens', { tokens: { google: secret }, id: neighbour }],
  ];
  const registrations: [string, string][] = [
    ['user.registration.create', 'registration'],
    ['user.registration.create.complete', 'registration'],
    ['user.registration.update', 'registration'],
    ['user.registration.update', 'original'],
    ['user.registration.update.complete', 'registration'],
    ['user.registration.update.complete', 'original'],
    ['user.registration.delete', 'registration'],
    ['user.registration.delete.complete', 'registration'],
    ['user.registration.verified', 'registration'],
  ];
  for (const [type, place] of registrations) {
    for (const [field, registration] of inRegistration) {
      test(`${type}: ${place}.${field} is stripped`, () => {
        assertStripped({ type, [place]: registration });
      });
    }
  }

  const link = { displayName: neighbour, token: secret };
  const entity = { name: neighbour, clientId: 'client', clientSecret: secret };
  const method = { id: neighbour, method: 'authenticator', secret };
  const elsewhere: [string, string, Fields][] = [
    ['user.two-factor.method.add', 'method.secret', { method }],
    ['user.two-factor.method.remove', 'method.secret', { method }],
    ['user.identity-provider.link', 'identityProviderLink.token', { identityProviderLink: link }],
    ['user.identity-provider.unlink', 'identityProviderLink.token', { identityProviderLink: link }],
    ['jwt.refresh', 'original', { original: secret, userId: neighbour }],
    ['jwt.refresh', 'token', { token: secret, userId: neighbour }],
    ['jwt.refresh', 'refreshToken', { refreshToken: secret, userId: neighbour }],
    ['jwt.refresh', 'refreshToken as an object', { refreshToken: { id: secret }, userId: neighbour }],
    ['jwt.refresh-token.revoke', 'refreshToken.token', { refreshToken: { token: secret, id: neighbour } }],
    ['entity.create', 'entity.clientSecret', { entity }],
    ['entity.create.complete', 'entity.clientSecret', { entity }],
    ['entity.delete', 'entity.clientSecret', { entity }],
    ['entity.delete.complete', 'entity.clientSecret', { entity }],
    ['entity.update', 'entity.clientSecret', { entity }],
    ['entity.update', 'original.clientSecret', { original: entity }],
    ['entity.update.complete', 'entity.clientSecret', { entity }],
    ['entity.update.complete', 'original.clientSecret', { original: entity }],
    [
      'user.action',
      'email',
      { email: { html: `<a href="${secret}">`, text: secret, subject: secret }, comment: neighbour },
    ],
  ];
  for (const [type, place, fields] of elsewhere) {
    test(`${type}: ${place} is stripped`, () => {
      assertStripped({ type, ...fields });
    });
  }

  const neighbours = {
    passwordChangeRequired: false,
    passwordChangeReason: 'Expired',
    passwordLastUpdateInstant: 1_767_225_600_000,
    breachedPasswordStatus: 'None',
    twoFactor: { methods: [{ id: '7GK2', method: 'sms', mobilePhone: '+1 555 0100' }] },
  };
  test('fields that only speak of passwords and methods stay', () => {
    const text = storedText({ type: 'user.update.complete', user: neighbours });

    assert.deepEqual(JSON.parse(text), { id: '1', type: 'user.update.complete', user: neighbours });
  });

  test('the former user of an update stays: only jwt.refresh has a token in its place', () => {
    const text = storedText({ type: 'user.update.complete', original: { email: neighbour } });

    assert.ok(text.includes(neighbour));
  });
});

describe('in an audit log’s values', () => {
  const values: [string, Fields][] = [
    ['encryptionScheme', { encryptionScheme: secret, email: neighbour }],
    ['user.password', { user: { password: secret, email: neighbour } }],
    ['application.oauthConfiguration.clientSecret', app({ clientSecret: secret, clientId: neighbour })],
    ['identityProvider.client_secret', { identityProvider: { client_secret: secret, client_id: neighbour } }],
    ['key.privateKey', { keys: [{ privateKey: secret, kid: neighbour }] }],
    ['key.secret', { keys: [{ secret, kid: neighbour }] }],
    ['apiKey.key', { apiKey: { key: secret, description: neighbour } }],
    ['apiKey', { integration: { apiKey: secret, url: neighbour } }],
    [
      'emailConfiguration.password',
      { tenant: { emailConfiguration: { password: secret, host: neighbour } } },
    ],
    [
      'webhook.httpAuthenticationPassword',
      { webhook: { httpAuthenticationPassword: secret, url: neighbour } },
    ],
    ['connector.systemAccountPassword', { connector: { systemAccountPassword: secret, name: neighbour } }],
    ['messenger.authToken', { messenger: { authToken: secret, url: neighbour } }],
    ['refreshToken', { refreshToken: secret, device: neighbour }],
    ['data.token, which is ordinary elsewhere', { user: { data: { token: secret }, email: neighbour } }],
  ];
  for (const side of ['newValue', 'oldValue']) {
    for (const [field, value] of values) {
      test(`${side}: ${field} is stripped, at any depth`, () => {
        const deep = { a: [{ b: { c: [[value]] } }] };

        assertStripped({ type: 'audit-log.create', auditLog: { [side]: value } });
        assertStripped({ type: 'audit-log.create', auditLog: { [side]: deep } });
      });
    }
  }

  function app(oauthConfiguration: Fields): Fields {
    return { application: { oauthConfiguration } };
  }

  test('everything else stays', () => {
    const auditLog = {
      id: 1,
      insertUser: 'admin@example.com',
      message: 'Updated the tenant',
      newValue: { passwordValidationRules: { minLength: 12 }, keyId: 'k', name: 'Default' },
    };

    const text = storedText({ type: 'audit-log.create', auditLog });

    assert.deepEqual(JSON.parse(text), { id: '1', type: 'audit-log.create', auditLog });
  });
});

describe('in a customer’s free-form data', () => {
  const holders: [string, (data: unknown) => Fields][] = [
    ['user.data', (data) => ({ type: 'user.update', user: { data } })],
    ['user.data.deeper', (data) => ({ type: 'user.update', user: { data: { deeper: [[data]] } } })],
    ['registration.data', (data) => ({ type: 'user.registration.create', registration: { data } })],
    ['registrations[].data', (data) => ({ type: 'user.update', user: { registrations: [{ data }] } })],
    ['group.data', (data) => ({ type: 'group.create', group: { data } })],
    ['members[].data', (data) => ({ type: 'group.member.add', members: [{ data }] })],
    ['entity.data', (data) => ({ type: 'entity.create', entity: { data } })],
    ['info.data', (data) => ({ type: 'user.create', info: { data } })],
  ];
  for (const [place, put] of holders) {
    for (const word of ['token', 'tokens', 'factor', 'salt', 'secret']) {
      test(`${place}: the ordinary word ${word} stays`, () => {
        const text = storedText(put({ [word]: neighbour }));

        assert.ok(text.includes(neighbour), text);
      });
    }

    for (const word of [
      'password',
      'encryptionScheme',
      'authenticationToken',
      'clientSecret',
      'client_secret',
      'recoveryCodes',
      'refreshToken',
    ]) {
      test(`${place}: ${word} is stripped`, () => {
        assertStripped(put({ [word]: secret, colour: neighbour }));
        assertStripped(put({ list: [{ [word]: secret }, neighbour] }));
      });
    }
  }

  test('a secret beside the data is stripped', () => {
    assertStripped({ type: 'user.update', user: { data: { token: neighbour }, token: secret } });
  });
});

describe('at any depth', () => {
  const alwaysSecret = [
    'authenticationToken',
    'clientSecret',
    'client_secret',
    'encryptionScheme',
    'password',
    'recoveryCodes',
  ];
  const secretOutsideData = ['factor', 'salt', 'secret', 'token', 'tokens'];
  const isOrdinary = (key: string) => ![...alwaysSecret, ...secretOutsideData, 'id', 'type'].includes(key);

  /** A way down: a key of an object, or a place in an array behind as many others. */
  const step = (keys: fc.Arbitrary<string>) => fc.oneof(keys.filter(isOrdinary), fc.nat(3));
  /** Any UTF-16 unit: half a character too, as JSON may hold one. */
  const unit = fc.nat(0xffff).map((code) => String.fromCharCode(code));
  const anyKey = fc.oneof(
    fc.string({ unit }),
    fc.constantFrom('user', 'users', 'registrations', '__proto__', 'constructor', 'toJSON', 'length'),
  );
  const secretValue = fc.constantFrom<unknown>(secret, [secret], { value: [secret] }, { [secret]: 1 });

  function bury(value: unknown, steps: readonly (string | number)[]): unknown {
    return steps.reduceRight<unknown>(
      (held, next) =>
        typeof next === 'string'
          ? Object.fromEntries([[next, held]])
          : [...Array<null>(next).fill(null), held],
      value,
    );
  }

  function assertBuriedSecretIsStripped(
    field: string,
    value: unknown,
    steps: readonly (string | number)[],
    type = 'user.update',
  ): void {
    assertStripped({ type, root: bury({ [field]: value, beside: neighbour }, steps) });
  }

  test('what is never anything but a secret is stripped, in data too', () => {
    const steps = fc.array(step(fc.oneof(anyKey, fc.constant('data'))), { maxLength: 30 });
    fc.assert(
      fc.property(fc.constantFrom(...alwaysSecret), secretValue, steps, (field, value, path) => {
        assertBuriedSecretIsStripped(field, value, path);
      }),
      { numRuns: 500 },
    );
  });

  test('what is secret in FusionAuth’s objects is stripped outside of data', () => {
    const steps = fc.array(step(anyKey.filter((key) => key !== 'data')), { maxLength: 30 });
    fc.assert(
      fc.property(fc.constantFrom(...secretOutsideData), secretValue, steps, (field, value, path) => {
        assertBuriedSecretIsStripped(field, value, path);
      }),
      { numRuns: 500 },
    );
  });

  test('in an audit log both are stripped, in data too', () => {
    const steps = fc.array(step(fc.oneof(anyKey, fc.constant('data'))), { maxLength: 30 });
    const fields = fc.constantFrom(...alwaysSecret, ...secretOutsideData);
    fc.assert(
      fc.property(fields, secretValue, steps, (field, value, path) => {
        assertBuriedSecretIsStripped(field, value, path, 'audit-log.create');
      }),
      { numRuns: 500 },
    );
  });

  test('a secret below 20,000 levels is stripped, though so deep is kept as text', () => {
    const body = Buffer.from(
      `{"id":"1","type":"t","a":${'[{"a":'.repeat(10_000)}{"password":"${secret}","email":"${neighbour}"}${'}]'.repeat(10_000)}}`,
    );

    const text = JSON.stringify(parseWebhookBody(body));

    assert.ok(!text.includes(secret));
    assert.ok(text.includes(neighbour));
  });
});
