// Verifies `X-FusionAuth-Signature-JWT`: a compact JWS whose payload names the SHA-256 of the request's body, in
// standard Base64 (FusionAuth docs, "Signing webhooks"; since 1.48).
//
// The algorithm family is pinned to the kind of key: HS* is checked against the configured secrets only, all else
// against FusionAuth's published keys only, `none` never. A key inside the token (jwk, jku, x5c) is never used.
// The token carries no time, so it proves origin, not freshness: repeats are caught by the event id.

import { hash, timingSafeEqual, webcrypto } from 'node:crypto';
import { compactVerify, decodeProtectedHeader } from 'jose';
import { KeysUnavailableError } from './public-keys.ts';
import type { PublicKeys } from './public-keys.ts';

export const signatureHeader = 'x-fusionauth-signature-jwt';

const hmacAlgorithms = { HS256: 'SHA-256', HS384: 'SHA-384', HS512: 'SHA-512' } as const;
/** FusionAuth writes Ed25519 keys (since 1.62) as EdDSA or as Ed25519. */
const publicKeyAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;
type HmacAlgorithm = keyof typeof hmacAlgorithms;

/** Why a signature was refused: for the bridge's own log line, never for the answer. */
export type SignatureFault =
  | 'missing'
  | 'malformed'
  | 'algorithm-not-allowed'
  | 'no-secret-configured'
  | 'no-public-keys-configured'
  | 'unknown-key'
  | 'forged'
  | 'no-body-hash'
  | 'body-differs';

export class SignatureError extends Error {
  readonly code = 'SIGNATURE_REFUSED';
  readonly fault: SignatureFault;

  constructor(fault: SignatureFault, cause?: unknown) {
    super(`The webhook's signature was refused: ${fault}`, { cause });
    this.name = 'SignatureError';
    this.fault = fault;
  }
}

/** A token that one of our keys has signed. It stands for a body only after `verifyBody`. */
export interface VerifiedToken {
  /** The key that fitted, for the record: `hmac:1` (the first secret) or `kid:…`. */
  readonly key: string;
  readonly bodySha256: Buffer;
}

export interface SignatureVerifier {
  /**
   * Checks the token alone, so that a forger is turned away before his body is read. Throws SignatureError, or
   * KeysUnavailableError where FusionAuth's keys are needed and cannot be had.
   */
  verifyToken(token: string | undefined): Promise<VerifiedToken>;
}

/** Checks that the body is the one that the token was made for. Throws SignatureError. */
export function verifyBody(token: VerifiedToken, body: Buffer): void {
  const actual = hash('sha256', body, 'buffer');
  if (token.bodySha256.length !== actual.length || !timingSafeEqual(token.bodySha256, actual)) {
    throw new SignatureError('body-differs');
  }
}

/** Makes the verifier for the configured keys: HMAC secrets (several while one is being rotated), a JWKS, or both. */
export async function createSignatureVerifier({
  secrets,
  publicKeys,
}: {
  secrets: readonly string[];
  publicKeys?: PublicKeys | undefined;
}): Promise<SignatureVerifier> {
  const hmacKeys = await importSecrets(secrets);
  return {
    async verifyToken(token) {
      if (token === undefined || token === '') throw new SignatureError('missing');
      const { alg, kid } = readHeader(token);
      if (isHmac(alg)) return verifyHmac(token, alg, hmacKeys[alg]);
      if (!publicKeyAlgorithms.some((allowed) => allowed === alg)) {
        throw new SignatureError('algorithm-not-allowed');
      }
      if (publicKeys === undefined) throw new SignatureError('no-public-keys-configured');
      return verifyWithPublicKey(token, kid, publicKeys);
    },
  };
}

async function importSecrets(
  secrets: readonly string[],
): Promise<Record<HmacAlgorithm, readonly webcrypto.CryptoKey[]>> {
  const importFor = (algorithm: HmacAlgorithm) =>
    Promise.all(
      secrets.map((secret) =>
        webcrypto.subtle.importKey(
          'raw',
          Buffer.from(secret, 'utf8'),
          { name: 'HMAC', hash: hmacAlgorithms[algorithm] },
          false,
          ['verify'],
        ),
      ),
    );
  const [HS256, HS384, HS512] = await Promise.all([
    importFor('HS256'),
    importFor('HS384'),
    importFor('HS512'),
  ]);
  return { HS256, HS384, HS512 };
}

async function verifyHmac(
  token: string,
  algorithm: HmacAlgorithm,
  keys: readonly webcrypto.CryptoKey[],
): Promise<VerifiedToken> {
  if (keys.length === 0) throw new SignatureError('no-secret-configured');
  for (const [index, key] of keys.entries()) {
    const payload = await compactVerify(token, key, { algorithms: [algorithm] }).then(
      (verified) => verified.payload,
      () => undefined,
    );
    if (payload !== undefined) return { key: `hmac:${index + 1}`, bodySha256: readBodyHash(payload) };
  }
  throw new SignatureError('forged');
}

async function verifyWithPublicKey(
  token: string,
  kid: string | undefined,
  publicKeys: PublicKeys,
): Promise<VerifiedToken> {
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(token, publicKeys.find, { algorithms: [...publicKeyAlgorithms] }));
  } catch (error) {
    if (error instanceof KeysUnavailableError) throw error;
    const code = (error as { code?: unknown }).code;
    throw new SignatureError(code === 'ERR_JWKS_NO_MATCHING_KEY' ? 'unknown-key' : 'forged', error);
  }
  return { key: `kid:${kid ?? ''}`, bodySha256: readBodyHash(payload) };
}

function readHeader(token: string): { alg: string; kid: string | undefined } {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    if (typeof alg === 'string') return { alg, kid: typeof kid === 'string' ? kid : undefined };
  } catch {
    // Falls through: a header that cannot be read is as bad as one without an algorithm.
  }
  throw new SignatureError('malformed');
}

function isHmac(algorithm: string): algorithm is HmacAlgorithm {
  return Object.hasOwn(hmacAlgorithms, algorithm);
}

function readBodyHash(payload: Uint8Array): Buffer {
  let claims: unknown;
  try {
    claims = JSON.parse(Buffer.from(payload).toString('utf8'));
  } catch {
    throw new SignatureError('no-body-hash');
  }
  const value = (claims as { request_body_sha256?: unknown } | null)?.request_body_sha256;
  if (typeof value !== 'string') throw new SignatureError('no-body-hash');
  return Buffer.from(value, 'base64');
}
