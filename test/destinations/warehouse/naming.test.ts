// Names of tables and columns, against the test vectors of Segment's own snake case.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { identifierFor, snakeCase } from '../../../src/destinations/warehouse/naming.ts';

/** Any string at all, lone surrogates and NUL included. */
const anyText = fc.string({ unit: 'binary', maxLength: 100 });
/** Strings of the characters that the rules tell apart. */
const nameLikeText = fc.string({
  unit: fc.constantFrom('a', 'b', 'z', 'A', 'B', 'Z', '0', '9', '_', ' ', '.', '-', 'ü', '日'),
  maxLength: 30,
});
const anyName = fc.oneof(anyText, nameLikeText);

describe('a name in snake case', () => {
  const cases: [what: string, name: string, expected: string][] = [
    ['two words', 'Signed In', 'signed_in'],
    ['an event type with dots', 'user.login.success', 'user_login_success'],
    ['an event type with dots and a hyphen', 'user.two-factor.method.add', 'user_two_factor_method_add'],
    ['a hyphen in its middle word', 'jwt.refresh-token.revoke', 'jwt_refresh_token_revoke'],
    ['an acronym of its own', 'MFA Enabled', 'mfa_enabled'],
    ['an acronym that begins with a digit', '2FA Enabled', '2fa_enabled'],
    ['camel case', 'userId', 'user_id'],
    ['camel case that ends in an acronym', 'userID', 'user_id'],
    ['camel case of several words', 'passwordLastUpdateInstant', 'password_last_update_instant'],
    ['an acronym fused with the word behind it', 'IPAddress', 'ipaddress'],
    ['a small-letter word before a capital', 'ipAddress', 'ip_address'],
    ['an acronym before a word', 'OSVersion', 'osversion'],
    ['a single small letter before an acronym', 'iOSVersion', 'i_osversion'],
    ['a capital fused with the word behind it', 'CStringRef', 'cstring_ref'],
    ['an acronym before a longer word', 'HTTPServer', 'httpserver'],
    ['a digit inside a word', 'OAuth2Token', 'oauth2_token'],
    ['digits behind small letters', 'language1Iso639Code', 'language1_iso639_code'],
    ['capitals behind small letters', 'samPLE text', 'sam_ple_text'],
    ['several underscores in a row', 'sample___text', 'sample_text'],
    ['an underscore before it', '_id', 'id'],
    ['two underscores before it', '__v', 'v'],
    ['an underscore behind it', 'x_', 'x'],
    ['a digit before capitals', '5TEst', '5test'],
    ['a random mixture', 'lk0B@bFmjrLQ_Z6YL', 'lk0_b_b_fmjr_lq_z6yl'],
    ['a random mixture beyond ASCII', '@49L0S145_¬fwHƒ0TSLNVp', '49l0s145_fw_h_0tslnvp'],
    ['letters beyond ASCII among others', 'Ünïcode', 'n_code'],
    ['letters beyond ASCII alone', '日本', ''],
    ['nothing', '', ''],
    ['separators alone', ' _.-_ ', ''],
    ['snake case already', 'user_id_2', 'user_id_2'],
    ['a NUL in the middle', 'user\u0000id', 'user_id'],
    ['an emoji in the middle', 'sign🔑in', 'sign_in'],
    ['a quote and a semicolon', 'a"; drop table users; --', 'a_drop_table_users'],
  ];
  for (const [what, name, expected] of cases) {
    test(`${what}: ${JSON.stringify(name)} becomes ${JSON.stringify(expected)}`, () => {
      const snake = snakeCase(name);

      assert.equal(snake, expected);
    });
  }

  test('holds small letters, digits and single underscores between them, and nothing else', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        assert.match(snakeCase(name), /^(?:[a-z0-9]+(?:_[a-z0-9]+)*)?$/);
      }),
      { numRuns: 1_000 },
    );
  });

  test('stays as it is when it is made again', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const once = snakeCase(name);

        assert.equal(snakeCase(once), once);
      }),
      { numRuns: 1_000 },
    );
  });

  test('keeps every ASCII letter and digit of the name, in order', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const letters = name.replaceAll(/[^a-zA-Z0-9]/g, '').toLowerCase();

        assert.equal(snakeCase(name).replaceAll('_', ''), letters);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the PostgreSQL identifier for a name', () => {
  /** Names whose snake case is longer than an identifier may be. */
  const longName = fc.string({ unit: fc.constantFrom('a', 'b', '7', '_'), minLength: 64, maxLength: 90 }).map(
    // A letter at each end, so that no underscore is stripped.
    (middle) => `x${middle.replaceAll(/_+/g, '_')}y`.padEnd(64, 'z'),
  );

  test('of up to 63 characters is its snake case', () => {
    const longest = 'a'.repeat(63);

    assert.equal(identifierFor(longest), longest);
    assert.equal(identifierFor('Signed In'), 'signed_in');
  });

  test('of 64 characters is its beginning and a hash', () => {
    const identifier = identifierFor('a'.repeat(64));

    assert.match(identifier, /^a{54}_[0-9a-f]{8}$/);
  });

  test('is empty where nothing of the name is left', () => {
    assert.equal(identifierFor('日本'), '');
  });

  test('is never longer than PostgreSQL keeps, and holds only small letters, digits and underscores', () => {
    fc.assert(
      fc.property(fc.oneof(anyName, longName), (name) => {
        const identifier = identifierFor(name);

        assert.ok(Buffer.byteLength(identifier) <= 63, identifier);
        assert.match(identifier, /^[a-z0-9_]*$/);
      }),
      { numRuns: 1_000 },
    );
  });

  test('differs for long names that differ, if only at their ends', () => {
    fc.assert(
      fc.property(longName, longName, fc.constantFrom('a', 'b'), (name, other, end) => {
        fc.pre(name !== other);

        assert.notEqual(identifierFor(name), identifierFor(other));
        assert.notEqual(identifierFor(name), identifierFor(`${name}${end}`));
      }),
      { numRuns: 1_000 },
    );
  });

  test('is the same for two spellings of one long name', () => {
    const spelled = `user${'RegistrationAddress'.repeat(5)}`;
    const snake = `user${'_registration_address'.repeat(5)}`;

    assert.equal(identifierFor(spelled), identifierFor(snake));
  });
});
