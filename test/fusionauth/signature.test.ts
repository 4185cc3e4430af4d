import assert from 'node:assert/strict';
import { createHmac, hash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { KeysUnavailableError, PublicKeys } from '../../src/fusionauth/public-keys.ts';
import { signBody } from '../../src/fusionauth/sign.ts';
import { createSignatureVerifier, SignatureError, verifyBody } from '../../src/fusionauth/signature.ts';
import type { SignatureFault, SignatureVerifier } from '../../src/fusionauth/signature.ts';
import {
  hmacAlgorithms,
  JwksStandIn,
  makeKey,
  publicKeyAlgorithms,
  signWithKey,
  signWithSecret,
} from '../support/fusionauth.ts';

const body = '{"event":{"id":"1","type":"user.login.success"}}';
const secret = 'a webhook secret of at least 32 bytes';
const formerSecret = 'the secret before it, of 32 bytes too';

/** Both steps, as the webhook takes them. Resolves to the key that fitted. */
async function verify(
  verifier: SignatureVerifier,
  token: string | undefined,
  received: string | Buffer = body,
): Promise<string> {
  const verified = await verifier.verifyToken(token);
  verifyBody(verified, Buffer.from(received));
  return verified.key;
}

async function faultOf(verification: Promise<unknown>): Promise<SignatureFault> {
  try {
    await verification;
  } catch (error) {
    assert.ok(error instanceof SignatureError, String(error));
    assert.equal(error.code, 'SIGNATURE_REFUSED');
    return error.fault;
  }
  assert.fail('The signature was accepted');
}

const encode = (part: object | string) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

/** A token signed with the secret whose payload is this text, be it JSON or not. */
function signPayload(payload: string): string {
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(payload)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

describe('a bridge with secrets', () => {
  const verifier = createSignatureVerifier({ secrets: [secret, formerSecret] });

  for (const algorithm of hmacAlgorithms) {
    test(`${algorithm} is accepted with each secret, and the record says with which`, async () => {
      const first = await verify(verifier, signWithSecret(body, secret, algorithm));
      const second = await verify(verifier, signWithSecret(body, formerSecret, algorithm));

      assert.deepEqual([first, second], ['hmac:1', 'hmac:2']);
    });

    test(`${algorithm} with another secret is refused`, async () => {
      const fault = await faultOf(verify(verifier, signWithSecret(body, `${secret}!`, algorithm)));

      assert.equal(fault, 'forged');
    });
  }

  test('the signature that `send` makes is accepted', async () => {
    const key = await verify(verifier, signBody(body, secret));

    assert.equal(key, 'hmac:1');
  });

  test('a secret is used as its UTF-8 bytes', async () => {
    const umlauts = createSignatureVerifier({
      secrets: ['Ein Schlüssel für das Tor: 🔑, 32 Byte lang'],
    });

    const token = signWithSecret(body, Buffer.from('Ein Schlüssel für das Tor: 🔑, 32 Byte lang', 'utf8'));

    assert.equal(await verify(umlauts, token), 'hmac:1');
  });

  test('a body of no bytes is accepted with its signature', async () => {
    assert.equal(await verify(verifier, signWithSecret('', secret), ''), 'hmac:1');
  });

  test('a body that is no UTF-8 is compared by its bytes', async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0xc3]);
    const others = Buffer.from([0xff, 0xff, 0x00, 0xc3]);

    assert.equal(await verify(verifier, signWithSecret(bytes, secret), bytes), 'hmac:1');
    assert.equal(await faultOf(verify(verifier, signWithSecret(bytes, secret), others)), 'body-differs');
  });

  const [header = '', payload = '', signature = ''] = signWithSecret(body, secret).split('.');
  const digest = (algorithm: string, encoding: 'base64' | 'hex') => hash(algorithm, body, encoding);
  const withHash = (value: unknown) => signPayload(JSON.stringify({ request_body_sha256: value }));
  const rsaKey = makeKey('RS256');
  const refusals: [string, string | undefined, SignatureFault][] = [
    ['no token', undefined, 'missing'],
    ['an empty token', '', 'missing'],
    ['a token that is none', 'Bearer of good news', 'malformed'],
    ['a token of two parts', `${header}.${payload}`, 'malformed'],
    ['a token of four parts', `${header}.${payload}.${signature}.${signature}`, 'malformed'],
    ['a token whose header is no Base64', `!!!.${payload}.${signature}`, 'malformed'],
    ['a token whose header is no JSON', `${encode('alg=HS256')}.${payload}.${signature}`, 'malformed'],
    ['a token whose header is an array', `${encode(['HS256'])}.${payload}.${signature}`, 'malformed'],
    ['a token whose header is null', `${encode('null')}.${payload}.${signature}`, 'malformed'],
    ['a token without an algorithm', `${encode({ typ: 'JWT' })}.${payload}.${signature}`, 'malformed'],
    [
      'a token whose algorithm is a list',
      `${encode({ alg: ['HS256'] })}.${payload}.${signature}`,
      'malformed',
    ],
    ['the algorithm none', `${encode({ alg: 'none' })}.${payload}.`, 'algorithm-not-allowed'],
    ['the algorithm nOnE', `${encode({ alg: 'nOnE' })}.${payload}.`, 'algorithm-not-allowed'],
    [
      'the algorithm none with a good signature',
      signWithSecret(body, secret, 'HS256', { header: { alg: 'none' } }),
      'algorithm-not-allowed',
    ],
    [
      'an algorithm named by a prototype',
      `${encode({ alg: 'constructor' })}.${payload}.`,
      'algorithm-not-allowed',
    ],
    [
      'an algorithm that FusionAuth has not',
      `${encode({ alg: 'PS256' })}.${payload}.`,
      'algorithm-not-allowed',
    ],
    ['a public-key algorithm', signWithKey(body, rsaKey), 'no-public-keys-configured'],
    ['a token without its signature', `${header}.${payload}.`, 'forged'],
    [
      'a signature of another algorithm',
      signWithSecret(body, secret, 'HS512', { header: { alg: 'HS256' } }),
      'forged',
    ],
    ['a signature with something behind it', `${header}.${payload}.${signature}!`, 'forged'],
    ['a signature cut short', `${header}.${payload}.${signature.slice(0, -4)}`, 'forged'],
    [
      'a signature with a header that was changed',
      `${encode({ alg: 'HS256', kid: '1' })}.${payload}.${signature}`,
      'forged',
    ],
    [
      'a signature with a payload that was changed',
      `${header}.${encode({ request_body_sha256: hash('sha256', 'other', 'base64') })}.${signature}`,
      'forged',
    ],
    [
      'a header that demands what nobody understands',
      signWithSecret(body, secret, 'HS256', { header: { crit: ['b64'], b64: false } }),
      'malformed',
    ],
    ['a payload that is no JSON', signPayload('request_body_sha256'), 'no-body-hash'],
    ['a payload that is null', signPayload('null'), 'no-body-hash'],
    ['a payload that is a list', signPayload('[]'), 'no-body-hash'],
    ['a payload without a hash', signPayload('{"sub":"1","exp":1767225600}'), 'no-body-hash'],
    ['a hash that is a number', withHash(1), 'no-body-hash'],
    ['a hash that is null', withHash(null), 'no-body-hash'],
    ['a hash that is an object', withHash({ sha256: digest('sha256', 'base64') }), 'no-body-hash'],
    ['an empty hash', withHash(''), 'body-differs'],
    ['a hash of another body', withHash(hash('sha256', `${body} `, 'base64')), 'body-differs'],
    ['a hash in hexadecimal', withHash(digest('sha256', 'hex')), 'body-differs'],
    ['a hash that is no Base64', withHash('ä'.repeat(44)), 'body-differs'],
    ['a hash cut short', withHash(digest('sha256', 'base64').slice(0, 40)), 'body-differs'],
    ['a hash with more behind it', withHash(digest('sha256', 'base64').replace('=', 'AAAA')), 'body-differs'],
    ['a SHA-512', withHash(digest('sha512', 'base64')), 'body-differs'],
    ['a SHA-1', withHash(digest('sha1', 'base64')), 'body-differs'],
    ['a SHA3-256', withHash(digest('sha3-256', 'base64')), 'body-differs'],
  ];
  for (const [name, token, fault] of refusals) {
    test(`${name} is refused: ${fault}`, async () => {
      assert.equal(await faultOf(verify(verifier, token)), fault);
    });
  }

  test('a token is refused before its body is known, where no key of ours has signed it', async () => {
    assert.equal(await faultOf(verifier.verifyToken(signWithSecret(body, 'another'))), 'forged');
  });

  test('the refusal names the fault and nothing of the token', async () => {
    const token = signWithSecret(body, 'another');

    await assert.rejects(verifier.verifyToken(token), {
      message: "The webhook's signature was refused: forged",
    });
  });

  test('any one byte of the body changed is refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (bytes, place, change) => {
          const sent = Buffer.from(bytes);
          const token = await verifier.verifyToken(signWithSecret(sent, secret));
          const received = Buffer.from(sent);
          const index = place % sent.length;
          received[index] = (received[index] ?? 0) ^ change;

          assert.throws(() => verifyBody(token, received), { fault: 'body-differs' });
          assert.doesNotThrow(() => verifyBody(token, sent));
        },
      ),
    );
  });

  test('a body with a byte more or less is refused', async () => {
    const token = await verifier.verifyToken(signWithSecret(body, secret));

    for (const received of ['', body.slice(1), body.slice(0, -1), `${body}\n`, ` ${body}`, `\uFEFF${body}`]) {
      assert.throws(() => verifyBody(token, Buffer.from(received)), { fault: 'body-differs' });
    }
  });

  test('any one byte of the token changed is refused', async () => {
    await assertEveryFlipIsRefused(verifier, signWithSecret(body, secret));
  });

  test('anything as a token is refused', async () => {
    const parts = fc.array(fc.oneof(fc.base64String(), fc.string(), fc.json().map(encode)), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(parts, async (pieces) => {
        await faultOf(verify(verifier, pieces.join('.')));
      }),
      { numRuns: 500 },
    );
  });
});

describe('a bridge with FusionAuth’s public keys', () => {
  const keys = publicKeyAlgorithms.map((algorithm) => makeKey(algorithm));
  const keyOf = (algorithm: (typeof publicKeyAlgorithms)[number]) =>
    keys.find((key) => key.algorithm === algorithm) ?? assert.fail(algorithm);
  let jwks: JwksStandIn;
  let verifier: SignatureVerifier;
  let verifierWithSecrets: SignatureVerifier;
  before(async () => {
    jwks = await JwksStandIn.start(keys);
    const publicKeys = new PublicKeys({ fusionAuthUrl: jwks.url, minIntervalMs: 0 });
    verifier = createSignatureVerifier({ secrets: [], publicKeys });
    verifierWithSecrets = createSignatureVerifier({ secrets: [secret], publicKeys });
  });
  after(() => jwks[Symbol.asyncDispose]());

  for (const key of keys) {
    test(`${key.algorithm} is accepted, and the record says by which key`, async () => {
      assert.equal(await verify(verifier, signWithKey(body, key)), `kid:${key.algorithm}-key`);
    });

    test(`${key.algorithm} for another body is refused`, async () => {
      assert.equal(await faultOf(verify(verifier, signWithKey(body, key), `${body} `)), 'body-differs');
    });

    test(`${key.algorithm} by another’s key under the same kid is refused`, async () => {
      const forger = makeKey(key.algorithm);

      assert.equal(await faultOf(verify(verifier, signWithKey(body, forger))), 'forged');
    });
  }

  for (const [published, written] of [
    ['EdDSA', 'Ed25519'],
    ['Ed25519', 'EdDSA'],
  ] as const) {
    test(`a key published as ${published} may sign a token that says ${written}`, async () => {
      const token = signWithKey(body, keyOf(published), { header: { alg: written } });

      assert.equal(await verify(verifier, token), `kid:${published}-key`);
    });
  }

  const publicBytes: [string, (key: (typeof keys)[number]) => string | Buffer][] = [
    ['PEM', ({ publicKey }) => publicKey.export({ type: 'spki', format: 'pem' })],
    [
      'PEM without its last line end',
      ({ publicKey }) => publicKey.export({ type: 'spki', format: 'pem' }).toString().trim(),
    ],
    ['DER', ({ publicKey }) => publicKey.export({ type: 'spki', format: 'der' })],
    ['JWK', ({ publicKey }) => JSON.stringify(publicKey.export({ format: 'jwk' }))],
    [
      'modulus or point',
      ({ publicKey }) => {
        const { n, x } = publicKey.export({ format: 'jwk' });
        return Buffer.from(n ?? x ?? '', 'base64url');
      },
    ],
  ];
  for (const [form, bytesOf] of publicBytes) {
    for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
      test(`HS256 with the ${form} of the public ${algorithm} key as its secret is refused`, async () => {
        const token = signWithSecret(body, bytesOf(keyOf(algorithm)), 'HS256', {
          header: { kid: `${algorithm}-key` },
        });

        assert.equal(await faultOf(verify(verifier, token)), 'no-secret-configured');
        assert.equal(await faultOf(verify(verifierWithSecrets, token)), 'forged');
      });
    }
  }

  const forger = makeKey('RS256', 'forger-key');
  const forgerJwk = { ...forger.publicKey.export({ format: 'jwk' }), kid: forger.kid, alg: 'RS256' };
  const forgeries: [string, () => string, SignatureFault][] = [
    ['a kid that FusionAuth has not published', () => signWithKey(body, forger), 'unknown-key'],
    [
      'its own key in the header',
      () => signWithKey(body, forger, { header: { jwk: forgerJwk } }),
      'unknown-key',
    ],
    [
      'its own key in the header and FusionAuth’s kid',
      () =>
        signWithKey(body, forger, { header: { jwk: { ...forgerJwk, kid: 'RS256-key' }, kid: 'RS256-key' } }),
      'forged',
    ],
    [
      'no kid, and its own key in the header',
      () => signWithKey(body, forger, { header: { jwk: forgerJwk, kid: undefined } }),
      'forged',
    ],
    [
      'a certificate in the header',
      () => signWithKey(body, forger, { header: { x5c: ['MIIB'], kid: 'RS256-key' } }),
      'forged',
    ],
    [
      'RS512 under the kid of an RS256 key',
      () => signWithKey(body, keyOf('RS512'), { header: { kid: 'RS256-key' } }),
      'unknown-key',
    ],
    [
      'ES256 under the kid of an RS256 key',
      () => signWithKey(body, keyOf('ES256'), { header: { kid: 'RS256-key' } }),
      'unknown-key',
    ],
    [
      'RS256 under the kid of an ES256 key',
      () => signWithKey(body, keyOf('RS256'), { header: { kid: 'ES256-key' } }),
      'unknown-key',
    ],
    [
      'ES384 under the kid of an ES256 key',
      () => signWithKey(body, keyOf('ES384'), { header: { kid: 'ES256-key' } }),
      'unknown-key',
    ],
    [
      'EdDSA under the kid of an ES256 key',
      () => signWithKey(body, keyOf('EdDSA'), { header: { kid: 'ES256-key' } }),
      'unknown-key',
    ],
    [
      'RS256 that says it is RS512',
      () => signWithKey(body, keyOf('RS256'), { header: { alg: 'RS512' } }),
      'unknown-key',
    ],
    [
      'RS256 that says it is PS256',
      () => signWithKey(body, keyOf('RS256'), { header: { alg: 'PS256' } }),
      'algorithm-not-allowed',
    ],
    [
      'RS256 that says it is none',
      () => signWithKey(body, keyOf('RS256'), { header: { alg: 'none' } }),
      'algorithm-not-allowed',
    ],
    [
      'a kid that is a number',
      () => signWithKey(body, keyOf('RS256'), { header: { kid: 1 } }),
      'unknown-key',
    ],
    [
      'an access token that FusionAuth issued to a user',
      () => signWithKey(body, keyOf('RS256'), { payload: { sub: '1', aud: 'app', exp: 4_102_444_800 } }),
      'no-body-hash',
    ],
    [
      'a header that demands what nobody understands',
      () => signWithKey(body, keyOf('RS256'), { header: { crit: ['exp'], exp: 4_102_444_800 } }),
      'malformed',
    ],
  ];
  for (const [name, makeToken, fault] of forgeries) {
    test(`${name} is refused: ${fault}`, async () => {
      assert.equal(await faultOf(verify(verifier, makeToken())), fault);
    });
  }

  test('a key set that the token names is never asked', async () => {
    await using forgersJwks = await JwksStandIn.start([forger]);
    const url = `${forgersJwks.url}/.well-known/jwks.json`;

    const fault = await faultOf(
      verify(verifier, signWithKey(body, forger, { header: { jku: url, x5u: url } })),
    );

    assert.equal(fault, 'unknown-key');
    assert.equal(forgersJwks.requests, 0);
  });

  test('each token is read by its own header, whatever came before it', async () => {
    const tokens = [...keys, ...keys.toReversed()].map((key) => signWithKey(body, key));

    const fitted: string[] = [];
    for (const token of tokens) fitted.push(await verify(verifier, token));

    const kids = keys.map(({ kid }) => `kid:${kid}`);
    assert.deepEqual(fitted, [...kids, ...kids.toReversed()]);
  });

  test('a forged token is refused right after a good one with the same header', async () => {
    const good = signWithKey(body, keyOf('ES256'));
    const [header = '', payload = ''] = good.split('.');

    await verify(verifier, good);

    for (const forged of [
      `${header}.${payload}.`,
      `${header}.${payload}`,
      header,
      `${header}.`,
      `${header}...`,
    ]) {
      const fault = await faultOf(verify(verifier, forged));
      assert.ok(fault === 'forged' || fault === 'malformed', fault);
    }
  });

  test('secrets and public keys can be used side by side', async () => {
    const bySecret = await verify(verifierWithSecrets, signWithSecret(body, secret));
    const byKey = await verify(verifierWithSecrets, signWithKey(body, keyOf('ES256')));

    assert.deepEqual([bySecret, byKey], ['hmac:1', 'kid:ES256-key']);
  });

  test('a signature that cannot be checked while FusionAuth is down is neither accepted nor refused', async () => {
    await using down = await JwksStandIn.start(keys);
    down.isDown = true;
    const publicKeys = new PublicKeys({ fusionAuthUrl: down.url });
    const withoutKeys = createSignatureVerifier({ secrets: [secret], publicKeys });

    await assert.rejects(withoutKeys.verifyToken(signWithKey(body, keyOf('RS256'))), KeysUnavailableError);
    assert.equal(await verify(withoutKeys, signWithSecret(body, secret)), 'hmac:1');
  });

  for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
    test(`any one byte of an ${algorithm} token changed is refused`, async () => {
      await assertEveryFlipIsRefused(verifier, signWithKey(body, keyOf(algorithm)));
    });
  }
});

/** Puts another byte in one place of the token, a random one in any place. */
async function assertEveryFlipIsRefused(verifier: SignatureVerifier, token: string): Promise<void> {
  const signatureOf = (text: string) => Buffer.from(text.slice(text.lastIndexOf('.') + 1), 'base64url');
  const startOfSignature = token.lastIndexOf('.') + 1;
  await fc.assert(
    fc.asyncProperty(fc.nat(token.length - 1), fc.nat(255), async (index, byte) => {
      const changed = token.slice(0, index) + String.fromCharCode(byte) + token.slice(index + 1);
      // The last character has bits that stand for nothing: with those changed it is the same signature.
      const isSame = index >= startOfSignature && signatureOf(changed).equals(signatureOf(token));
      fc.pre(changed !== token && !isSame);

      await faultOf(verifier.verifyToken(changed));
    }),
    { numRuns: 300 },
  );
}
