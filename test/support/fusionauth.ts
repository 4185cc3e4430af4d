// FusionAuth's side: signs bodies as it does, and publishes its public keys.

import { generateKeyPairSync, hash, sign, createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import { closeServer, listenOnLoopback, urlOf } from './loopback-server.ts';

/** Algorithms that FusionAuth signs webhooks with. */
export const hmacAlgorithms = ['HS256', 'HS384', 'HS512'] as const;
export const publicKeyAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;
export type PublicKeyAlgorithm = (typeof publicKeyAlgorithms)[number];

export interface SigningKey {
  readonly kid: string;
  readonly algorithm: PublicKeyAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const;

/** A key pair as FusionAuth's Key Master makes one. */
export function makeKey(algorithm: PublicKeyAlgorithm, kid = `${algorithm}-key`): SigningKey {
  if (algorithm.startsWith('RS'))
    return { kid, algorithm, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) };
  if (algorithm in curves) {
    const namedCurve = curves[algorithm as keyof typeof curves];
    return { kid, algorithm, ...generateKeyPairSync('ec', { namedCurve }) };
  }
  return { kid, algorithm, ...generateKeyPairSync('ed25519') };
}

/** The token for a body; header and payload can be changed, for forgeries. */
export function signWithKey(body: string | Buffer, key: SigningKey, changes: TokenChanges = {}): string {
  const input = signingInput(body, { alg: key.algorithm, kid: key.kid }, changes);
  const digest = /^(?:RS|ES)(\d+)$/.exec(key.algorithm)?.[1];
  const signature = sign(digest === undefined ? null : `sha${digest}`, Buffer.from(input), {
    key: key.privateKey,
    // JOSE writes ECDSA signatures as r and s side by side (RFC 7518, 3.4).
    dsaEncoding: 'ieee-p1363',
  });
  return `${input}.${signature.toString('base64url')}`;
}

export function signWithSecret(
  body: string | Buffer,
  secret: string | Buffer,
  algorithm: (typeof hmacAlgorithms)[number] = 'HS256',
  changes: TokenChanges = {},
): string {
  const input = signingInput(body, { alg: algorithm }, changes);
  return `${input}.${createHmac(`sha${algorithm.slice(2)}`, secret)
    .update(input)
    .digest('base64url')}`;
}

export interface TokenChanges {
  readonly header?: object;
  readonly payload?: unknown;
}

function signingInput(body: string | Buffer, header: object, changes: TokenChanges): string {
  const payload = changes.payload ?? { request_body_sha256: hash('sha256', body, 'base64') };
  return [{ typ: 'JWT', ...header, ...changes.header }, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
}

/** FusionAuth's `/.well-known/jwks.json`. */
export class JwksStandIn implements AsyncDisposable {
  readonly #server = createServer((_request, response) => {
    this.requests++;
    if (this.isDown) {
      response.writeHead(503).end();
      return;
    }
    const keys = this.keys.map(({ kid, algorithm, publicKey }) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
      alg: algorithm,
      use: 'sig',
    }));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }));
  });
  keys: SigningKey[] = [];
  requests = 0;
  isDown = false;

  static async start(keys: SigningKey[] = []): Promise<JwksStandIn> {
    const jwks = new JwksStandIn();
    jwks.keys = keys;
    await listenOnLoopback(jwks.#server);
    return jwks;
  }

  /** For FUSIONAUTH_URL. */
  get url(): string {
    return urlOf(this.#server);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeServer(this.#server);
  }
}
