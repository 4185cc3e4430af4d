// Sessions of those who signed in. The cookie is the session: what it may do, until when, and an id, signed by a key that
// comes from the very token that was given. So a restart ends none, another token ends all, and there is nothing to store
// or to guess. Only the ids that signed out are kept, until they would have ended; a restart forgets those.

import { createHmac, hash, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';

/** Who signed in: with ADMIN_TOKEN, or with VIEWER_TOKEN, which may only read. */
export type SessionKind = 'admin' | 'viewer';

/** The tokens that open a session. */
export type Tokens = Readonly<Record<SessionKind, string | undefined>>;

export interface Session {
  readonly kind: SessionKind;
  readonly id: string;
  /** In milliseconds since 1970. */
  readonly endsAt: number;
}

export const sessionCookie = 'fusionauth-segment';
export const sessionSeconds = 12 * 60 * 60;

/** Only who has a token can fill it; beyond that the oldest are forgotten. */
const maxSignedOut = 10_000;

export class Sessions {
  readonly #keys: ReadonlyMap<SessionKind, Buffer>;
  readonly #now: () => number;
  /** Ids, in the order in which they signed out, with when they would have ended. */
  readonly #signedOut = new Map<string, number>();

  /** `now`: milliseconds since 1970, as restarts count by it, too. */
  constructor(tokens: Tokens, now: () => number) {
    this.#keys = new Map(
      (['admin', 'viewer'] as const).flatMap((kind) => {
        const token = tokens[kind];
        return token === undefined ? [] : [[kind, keyOf(token)] as const];
      }),
    );
    this.#now = now;
  }

  /** The cookie's value for a session that begins now. Throws where there is no such token. */
  begin(kind: SessionKind): string {
    const key = this.#keys.get(kind);
    if (key === undefined) throw new Error(`There is no ${kind} token to sign in with`);
    const claims = `${kind}.${this.#now() + sessionSeconds * 1_000}.${randomBytes(18).toString('base64url')}`;
    return `${claims}.${sign(claims, key)}`;
  }

  /** The session that a `Cookie` header has; undefined where it has none, or one that is forged, over or signed out. */
  find(cookies: string | undefined): Session | undefined {
    // Another program at this host may have set one of the same name, and a browser sends both.
    for (const cookie of (cookies ?? '').split(';')) {
      const [name, value] = splitOnce(cookie.trim(), '=');
      const session = name === sessionCookie ? this.#verify(value) : undefined;
      if (session) return session;
    }
    return undefined;
  }

  /** It opens nothing any more, whoever has a copy of it. */
  end({ id, endsAt }: Session): void {
    for (const [other, until] of this.#signedOut) {
      if (until > this.#now() && this.#signedOut.size < maxSignedOut) break;
      this.#signedOut.delete(other);
    }
    this.#signedOut.set(id, endsAt);
  }

  #verify(value: string): Session | undefined {
    const [, claims = '', kind = '', endsAt = '', id = '', signature = ''] =
      /^((admin|viewer)\.(\d{1,15})\.([\w-]{24}))\.([\w-]{43})$/.exec(value) ?? [];
    const key = this.#keys.get(kind as SessionKind);
    if (key === undefined || !isSame(signature, sign(claims, key))) return undefined;
    if (Number(endsAt) <= this.#now() || this.#signedOut.has(id)) return undefined;
    return { kind: kind as SessionKind, id, endsAt: Number(endsAt) };
  }
}

/** What a token is the token of. In constant time; undefined where it is none. */
export function kindOfToken(given: string, { admin, viewer }: Tokens): SessionKind | undefined {
  const isAdmin = admin !== undefined && isSame(given, admin);
  const isViewer = viewer !== undefined && isSame(given, viewer);
  if (isAdmin) return 'admin';
  return isViewer ? 'viewer' : undefined;
}

/** In constant time, whatever their lengths. */
export function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', expected, 'buffer'));
}

function keyOf(token: string): Buffer {
  return Buffer.from(hkdfSync('sha256', token, '', 'fusionauth-segment session', 32));
}

function sign(claims: string, key: Buffer): string {
  return createHmac('sha256', key).update(claims).digest('base64url');
}

function splitOnce(text: string, separator: string): [before: string, after: string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
