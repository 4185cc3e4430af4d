import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { applyAction, privacyActions } from '../../src/mapping/privacy-actions.ts';
import type { PrivacyAction } from '../../src/mapping/privacy-actions.ts';
import type { JsonValue } from '../../src/segment/message.ts';

const salt = 'salt-of-this-test';

function hmac(text: string): string {
  return createHmac('sha256', salt).update(text).digest('hex');
}

function testAction(
  action: PrivacyAction,
  cases: readonly [name: string, value: JsonValue, expected: JsonValue | undefined][],
): void {
  for (const [name, value, expected] of cases) {
    test(`${name}: ${JSON.stringify(value)} ${expected === undefined ? 'is removed' : `becomes ${JSON.stringify(expected)}`}`, () => {
      assert.deepEqual(applyAction(action, value, salt), expected);
    });
  }
}

describe('keep', () => {
  test('returns any value as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue() as fc.Arbitrary<JsonValue>, (value) => {
        assert.equal(applyAction('keep', value, salt), value);
      }),
    );
  });
});

describe('drop', () => {
  test('removes any value', () => {
    fc.assert(
      fc.property(fc.jsonValue() as fc.Arbitrary<JsonValue>, (value) => {
        assert.equal(applyAction('drop', value, salt), undefined);
      }),
    );
  });
});

describe('what tells nothing stays', () => {
  for (const action of privacyActions.filter((name) => name !== 'drop')) {
    for (const value of [null, '', {}, []]) {
      test(`${JSON.stringify(value)} under ${action}`, () => {
        assert.equal(applyAction(action, value, salt), value);
      });
    }
  }
});

describe('hash', () => {
  testAction('hash', [
    ['a text', 'richard@example.com', hmac('richard@example.com')],
    ['a text with a space', ' richard@example.com', hmac(' richard@example.com')],
    ['a number', 1.5, hmac('1.5')],
    ['zero', 0, hmac('0')],
    ['a large number', 1e21, hmac('1e+21')],
    ['a boolean', false, hmac('false')],
  ]);

  test('is HMAC-SHA256 in hex', () => {
    // RFC 4231, test case 2.
    assert.equal(
      applyAction('hash', 'what do ya want for nothing?', 'Jefe'),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });

  test('depends on the salt', () => {
    assert.notEqual(applyAction('hash', '+1 555 0100', 'one'), applyAction('hash', '+1 555 0100', 'two'));
  });
});

describe('truncate', () => {
  testAction('truncate', [
    ['IPv4', '203.0.113.42', '203.0.113.0'],
    ['IPv4 that has no last octet', '203.0.113.0', '203.0.113.0'],
    ['IPv4 with spaces around it', ' 203.0.113.42 ', '203.0.113.0'],
    ['IPv6', '2001:db8:85a3:8d3:1319:8a2e:370:7348', '2001:db8:85a3::'],
    ['IPv6 in capitals, with zeros', '2001:0DB8:0000:0000:0000:0000:0000:0001', '2001:db8::'],
    ['IPv6 whose zeros are in its first groups', '0:0:85a3::1', '0:0:85a3::'],
    ['IPv6 with a short gap at its beginning', '::2:3:4:5:6:7:8', '0:2:3::'],
    ['IPv6 with a short gap inside', '1::3:4:5:6:7:8', '1:0:3::'],
    ['IPv6 with a gap at its end', '1:2:3:4:5:6:7::', '1:2:3::'],
    ['IPv6 of this host', '::1', '::'],
    ['IPv6 of no host', '::', '::'],
    ['IPv6 with a zone', 'fe80::1ff:fe23:4567:890a%eth0', 'fe80::'],
    ['IPv6 with a zone that looks like the end of IPv4', '::3:4:5:6:7:8%eth0.1', '0:0:3::'],
    ['IPv6 that ends as IPv4', '64:ff9b::203.0.113.42', '64:ff9b::'],
    ['IPv4 in IPv6', '::ffff:203.0.113.42', '203.0.113.0'],
    ['IPv4 in IPv6 in capitals', '::FFFF:203.0.113.42', '203.0.113.0'],
    ['IPv4 in IPv6 in hexadecimal', '0:0:0:0:0:ffff:cb00:712a', '203.0.113.0'],
    ['IPv6 that only looks like it', '1::ffff:203.0.113.42', '1::'],
    ['IPv6 made of IPv4 (6to4)', '2002:cb00:712a::1', '2002:cb00:7100::'],
    ['e-mail', 'richard@example.com', '@example.com'],
    ['e-mail with a tag', 'richard+news@mail.example.co.uk', '@mail.example.co.uk'],
    ['e-mail with two @', '"a@b"@example.com', '@example.com'],
    ['e-mail of another script', 'пётр@почта.рф', '@почта.рф'],
    [
      'a list',
      '203.0.113.42,2001:db8:85a3::1, richard@example.com',
      '203.0.113.0, 2001:db8:85a3::, @example.com',
    ],
    ['a list with something else', '203.0.113.42, unknown', undefined],
    ['a list with nothing in one place', '203.0.113.42,', undefined],
    ['IPv4 with a port', '203.0.113.42:443', undefined],
    ['IPv4 that is none', '203.0.113.256', undefined],
    ['IPv6 in brackets', '[2001:db8::1]', undefined],
    ['an address within a text', 'from 203.0.113.42', undefined],
    ['e-mail with a name', 'Richard <richard@example.com>', undefined],
    ['e-mail without a name', '@example.com', undefined],
    ['e-mail at a machine', 'richard@localhost', undefined],
    ['e-mail at an IP address', 'richard@203.0.113.42', undefined],
    ['a telephone number', '+1 555 0100', undefined],
    ['a space', ' ', undefined],
    ['a number', 203, undefined],
    ['a boolean', true, undefined],
  ]);

  const ipv4 = fc.ipV4();
  const ipv6 = fc.oneof(
    fc.ipV6(),
    ipv4.map((address) => `::ffff:${address}`),
  );

  test('of an IPv4 address keeps three octets', () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        const octets = address.split('.').slice(0, 3);

        assert.equal(applyAction('truncate', address, salt), [...octets, '0'].join('.'));
      }),
    );
  });

  test('of an IPv6 address is canonical, depends on the first 48 bits alone, and truncated again is the same', () => {
    fc.assert(
      fc.property(ipv6, (address) => {
        const truncated = applyAction('truncate', address, salt) as string;

        // What a URL makes of an address is its canonical form.
        if (truncated.includes(':'))
          assert.equal(new URL(`http://[${truncated}]`).hostname, `[${truncated}]`);
        assert.match(truncated, /^((([0-9a-f]{1,4}:){1,3}|:):|(\d+\.){3}0)$/);
        assert.equal(applyAction('truncate', truncated, salt), truncated);
      }),
      { numRuns: 2_000 },
    );
  });

  test('of any text leaves nothing but an address', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const truncated = applyAction('truncate', `x ${text}`, salt);

        assert.ok(truncated === undefined);
      }),
    );
  });
});

describe('mask', () => {
  testAction('mask', [
    ['e-mail', 'richard@example.com', 'r***@example.com'],
    ['e-mail of one letter', 'r@example.com', 'r***@example.com'],
    ['e-mail that begins with an emoji', '🙂richard@example.com', '🙂***@example.com'],
    ['e-mail within a text', 'mail richard@example.com', '***om'],
    ['a telephone number', '+1 555 0100', '***00'],
    ['five characters', 'abcde', '***de'],
    ['four characters', 'abcd', '***'],
    ['one character', 'a', '***'],
    ['four characters of two units each', '🙂🙂🙂🙂', '***'],
    ['five characters of two units each', '🙂🙂🙂🙂🙂', '***🙂🙂'],
    ['a number', 123_456, '***'],
    ['a boolean', true, '***'],
  ]);

  test('of a text shows two characters at most, and of its length only whether there are more than four', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(text !== '' && !text.includes('@'));
        const characters = Array.from(text);

        assert.equal(
          applyAction('mask', text, salt),
          characters.length > 4 ? `***${characters.slice(-2).join('')}` : '***',
        );
      }),
    );
  });

  test('of an e-mail address shows its first character and its domain', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (address) => {
        const domain = address.slice(address.lastIndexOf('@'));

        assert.equal(applyAction('mask', address, salt), `${address.slice(0, 1)}***${domain}`);
        assert.equal(applyAction('truncate', address, salt), domain);
      }),
    );
  });
});

test('a long hostile text is done with at once', () => {
  const texts = [
    '@a.'.repeat(300_000),
    `a@${'a.'.repeat(300_000)}`,
    `a@${'a'.repeat(900_000)}`,
    ','.repeat(900_000),
  ];

  for (const text of texts) {
    const start = performance.now();
    applyAction('truncate', text, salt);
    applyAction('mask', text, salt);

    assert.ok(performance.now() - start < 1_000);
  }
});
