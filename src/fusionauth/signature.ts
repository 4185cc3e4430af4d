// Verifies `X-FusionAuth-Signature-JWT`: a compact JWS whose payload names the SHA-256 of the request's body, in
// standard Base64 (FusionAuth docs, "Signing webhooks"; since 1.48).
//
// The algorithm family is pinned to the kind of key: HS* is checked against the configured secrets only, all else
// against FusionAuth's published keys only, `none` never. A key inside the token (jwk, jku, x5c) is never used.
// The token carries no time, so it proves origin, not freshness: repeats are caught by the event id.

import { createHmac, createSecretKey, hash, timingSafeEqual } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { compactVerify, decodeProtectedHeader } from 'jose';
import { KeysUnavailableError } from './public-keys.ts';
import type { PublicKeys } from './public-keys.ts';

export const signatureHeader = 'x-fusionauth-signature-jwt';

const hmacHashes = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' } as const;
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
type HmacAlgorithm = keyof typeof hmacHashes;

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
export function createSignatureVerifier({
  secrets,
  publicKeys,
}: {
  secrets: readonly string[];
  publicKeys?: PublicKeys | undefined;
}): SignatureVerifier {
  const hmacKeys = secrets.map((secret) => createSecretKey(secret, 'utf8'));
  const readHeader = createHeaderReader();
  return {
    async verifyToken(token) {
      if (token === undefined || token === '') throw new SignatureError('missing');
      const { alg, kid } = readHeader(token);
      if (isHmac(alg)) return verifyHmac(token, alg, hmacKeys);
      if (!publicKeyAlgorithms.some((allowed) => allowed === alg)) {
        throw new SignatureError('algorithm-not-allowed');
      }
      if (publicKeys === undefined) throw new SignatureError('no-public-keys-configured');
      return verifyWithPublicKey(token, kid, publicKeys);
    },
  };
}

/**
 * HMAC by node:crypto, and not by jose as for public keys: WebCrypto hands each job to another thread, and that costs
 * more than the hash (docs/performance.md).
 */
function verifyHmac(token: string, algorithm: HmacAlgorithm, keys: readonly KeyObject[]): VerifiedToken {
  const [header, payload, signature, ...rest] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) {
    throw new SignatureError('malformed');
  }
  // As texts: decoding would pass over what is not Base64 in a forged one.
  const given = Buffer.from(signature);
  for (const [index, key] of keys.entries()) {
    const expected = Buffer.from(
      createHmac(hmacHashes[algorithm], key).update(`${header}.${payload}`).digest('base64url'),
    );
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) continue;
    return { key: `hmac:${index + 1}`, bodySha256: readBodyHash(Buffer.from(payload, 'base64url')) };
  }
  throw new SignatureError(keys.length === 0 ? 'no-secret-configured' : 'forged');
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

interface TokenHeader {
  readonly alg: string;
  readonly kid: string | undefined;
}

/** A key's tokens all begin by the same header, so the last one is worth remembering. */
function createHeaderReader(): (token: string) => TokenHeader {
  let last: { encoded: string; header: TokenHeader } | undefined;
  return (token) => {
    const encoded = token.slice(0, token.indexOf('.') + 1);
    if (encoded !== last?.encoded) last = { encoded, header: parseHeader(token) };
    return last.header;
  };
}

function parseHeader(token: string): TokenHeader {
  try {
    const { alg, kid, crit } = decodeProtectedHeader(token);
    // `crit` names extensions that must be understood (RFC 7515, 4.1.11); FusionAuth uses none, and neither do we.
    if (typeof alg === 'string' && crit === undefined)
      return { alg, kid: typeof kid === 'string' ? kid : undefined };
  } catch {
    // Falls through: a header that cannot be read is as bad as one without an algorithm.
  }
  throw new SignatureError('malformed');
}

function isHmac(algorithm: string): algorithm is HmacAlgorithm {
  return Object.hasOwn(hmacHashes, algorithm);
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
