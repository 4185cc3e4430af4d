// FusionAuth's public keys, from its JWKS, kept in memory.
//
// Holds always: keys once fetched are used until a newer set replaces them, so an outage of FusionAuth turns nobody
// away; and FusionAuth is asked at most once in `minIntervalMs`, whatever tokens arrive. (jose's createRemoteJWKSet
// does neither: it drops its set at `cacheMaxAge`, and a fetch that fails starts no cool-down.)

import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalJWKSet, errors } from 'jose';
import type {
  CompactVerifyGetKey,
  CryptoKey,
  CompactJWSHeaderParameters,
  FlattenedJWSInput,
  JSONWebKeySet,
} from 'jose';
import { request } from 'undici';

/** FusionAuth could not be asked, and no key of an earlier answer fits: the signature can be neither accepted nor refused. */
export class KeysUnavailableError extends Error {
  readonly code = 'KEYS_UNAVAILABLE';
  readonly hint = 'Check FUSIONAUTH_URL, and that this machine reaches FusionAuth by it';

  constructor(url: string, cause: unknown) {
    super(`FusionAuth's public keys could not be read from ${url}: ${(cause as Error).message}`, { cause });
    this.name = 'KeysUnavailableError';
  }
}

export interface PublicKeysOptions {
  /** FusionAuth's base URL; the keys are at `/.well-known/jwks.json` below it. */
  fusionAuthUrl: string;
  /** A set older than this is fetched anew in the background, so that a key withdrawn there is withdrawn here. */
  maxAgeMs?: number;
  minIntervalMs?: number;
  timeoutMs?: number;
}

type LocalKeySet = ReturnType<typeof createLocalJWKSet>;

/** Finds the key for a token's `kid`; safe to call concurrently, callers share one fetch. */
export class PublicKeys {
  readonly #url: string;
  readonly #maxAgeMs: number;
  readonly #minIntervalMs: number;
  readonly #timeoutMs: number;
  #keys: LocalKeySet | undefined;
  #fetchedAt = 0;
  #attemptedAt = -Infinity;
  #pending: Promise<void> | undefined;

  constructor({
    fusionAuthUrl,
    maxAgeMs = 600_000,
    minIntervalMs = 1_000,
    timeoutMs = 1_500,
  }: PublicKeysOptions) {
    this.#url = new URL('.well-known/jwks.json', fusionAuthUrl.replace(/\/*$/, '/')).href;
    this.#maxAgeMs = maxAgeMs;
    this.#minIntervalMs = minIntervalMs;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The key that a token's header names. Throws jose's JWKSNoMatchingKey where FusionAuth has no such key, and
   * KeysUnavailableError where it could not be asked.
   */
  readonly find: CompactVerifyGetKey = async (header, token): Promise<CryptoKey> => {
    const known = await this.#lookUp(header, token);
    if (known !== undefined) {
      if (performance.now() - this.#fetchedAt > this.#maxAgeMs) this.load().catch(() => undefined);
      return known;
    }
    // A fetch that is under way already may have been answered before this key was published.
    const joins = this.#pending !== undefined;
    await this.#fetch();
    let fetched = await this.#lookUp(header, token);
    if (fetched === undefined && joins) {
      await this.#fetch();
      fetched = await this.#lookUp(header, token);
    }
    if (fetched === undefined) throw new errors.JWKSNoMatchingKey();
    return fetched;
  };

  /** Fetches the keys. Throws KeysUnavailableError, and keeps those that are there. */
  load(): Promise<void> {
    return this.#fetch();
  }

  async #lookUp(
    header: CompactJWSHeaderParameters,
    token: FlattenedJWSInput,
  ): Promise<CryptoKey | undefined> {
    try {
      return await this.#keys?.(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      throw error;
    }
  }

  #fetch(): Promise<void> {
    this.#pending ??= this.#fetchOnce().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #fetchOnce(): Promise<void> {
    // A token with a new kid waits for the next turn rather than being refused: FusionAuth may have rotated its key
    // a moment after the last fetch. It allows about two seconds for an answer.
    const waitMs = this.#attemptedAt + this.#minIntervalMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    this.#attemptedAt = performance.now();
    try {
      const answer = await request(this.#url, {
        headers: { accept: 'application/json' },
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      if (answer.statusCode !== 200) {
        await answer.body.dump();
        throw new Error(`The answer was ${answer.statusCode}`);
      }
      this.#keys = createLocalJWKSet(acceptBothEdDsaNames(await answer.body.json()));
      this.#fetchedAt = performance.now();
    } catch (cause) {
      throw new KeysUnavailableError(this.#url, cause);
    }
  }
}

/** FusionAuth may write an Ed25519 key's algorithm as EdDSA or as Ed25519, in the key set and in the token alike. */
function acceptBothEdDsaNames(keySet: unknown): JSONWebKeySet {
  const { keys } = keySet as JSONWebKeySet;
  return {
    keys: keys.map(({ alg, ...key }) => (key.kty === 'OKP' || alg === undefined ? key : { ...key, alg })),
  };
}
