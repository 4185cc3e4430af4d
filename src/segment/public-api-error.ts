// What Segment's Public API would not do, in words that say what to mend.

/** One for each thing that a caller can act on. */
export type PublicApiFault =
  | 'PUBLIC_API_TOKEN'
  | 'PUBLIC_API_DENIED'
  | 'PUBLIC_API_NOT_FOUND'
  | 'PUBLIC_API_REFUSED'
  | 'PUBLIC_API_BUSY'
  | 'PUBLIC_API_UNAVAILABLE';

/** A call of the Public API failed. Neither token nor password stands in its words. */
export class PublicApiError extends Error {
  readonly code: PublicApiFault;
  readonly hint: string;

  constructor(
    message: string,
    { code, hint, cause }: { code: PublicApiFault; hint: string; cause?: unknown },
  ) {
    super(message, { cause });
    this.name = 'PublicApiError';
    this.code = code;
    this.hint = hint;
  }
}

/** What was asked for, and of whom. */
export interface Asked {
  readonly host: string;
  /** Completes "could not …". */
  readonly what: string;
  /** The role that a token needs for it, as Segment's console calls it. */
  readonly role: string;
}

const tokenPlace = 'Settings → Workspace settings → Access Management → Tokens';
const unavailableHint = 'Try again later; https://status.segment.com tells of outages';
const wrongPlaceHint =
  'Check SEGMENT_PUBLIC_API_URL, and for a proxy or a sign-in page between this machine and Segment';

/** For an answer that is neither a success nor 429. `words`: what Segment says itself, empty where it says nothing. */
export function refusal({ host, what, role }: Asked, status: number, words: string): PublicApiError {
  const message = `Segment’s Public API (${host}) could not ${what}: it answered ${status}${words === '' ? '' : `, “${words}”`}`;
  switch (status) {
    case 401:
      return new PublicApiError(message, {
        code: 'PUBLIC_API_TOKEN',
        hint: `Check SEGMENT_PUBLIC_API_TOKEN and SEGMENT_REGION: a token holds in the region of its workspace only. A Workspace Owner makes one at ${tokenPlace}, on a Team or Business plan`,
      });
    case 402:
    case 403:
      return new PublicApiError(message, {
        code: 'PUBLIC_API_DENIED',
        hint: `The token needs the role ${role}, or Workspace Owner (${tokenPlace}), and the workspace a Team or Business plan: others have no Public API`,
      });
    case 404:
      return new PublicApiError(message, {
        code: 'PUBLIC_API_NOT_FOUND',
        hint: 'It may have been deleted in the meantime, or belong to another workspace than the token; else check SEGMENT_PUBLIC_API_URL',
      });
    default:
  }
  if (status >= 400 && status < 500) {
    return new PublicApiError(message, {
      code: 'PUBLIC_API_REFUSED',
      hint: 'Mend what Segment names, and try again',
    });
  }
  return new PublicApiError(message, {
    code: 'PUBLIC_API_UNAVAILABLE',
    hint: status >= 500 ? unavailableHint : wrongPlaceHint,
  });
}

/** It asked to wait for longer than anybody would. */
export function tooBusy({ host, what }: Asked, waitMs: number): PublicApiError {
  return new PublicApiError(
    `Segment’s Public API (${host}) could not ${what}: it has had too many calls (429)`,
    {
      code: 'PUBLIC_API_BUSY',
      hint: `Try again in ${Math.max(1, Math.ceil(waitMs / 1000))} seconds; all who use this workspace’s tokens share one limit`,
    },
  );
}

/** No answer came, or it broke off. */
export function unreachable({ host, what }: Asked, cause: unknown): PublicApiError {
  const isLate = cause instanceof DOMException && cause.name === 'TimeoutError';
  const message = isLate
    ? `Segment’s Public API (${host}) was asked to ${what} and has not answered in time`
    : `Segment’s Public API (${host}) could not be reached to ${what}`;
  const code = 'PUBLIC_API_UNAVAILABLE';
  if ((cause as { code?: unknown }).code === 'ENOTFOUND') {
    const hint = 'Mend SEGMENT_PUBLIC_API_URL, or DNS on this machine';
    return new PublicApiError(`${message}: the host name is unknown`, { code, hint, cause });
  }
  const hint = 'Check the network, DNS and any proxy between this machine and Segment';
  return new PublicApiError(message, { code, hint, cause });
}

/** Something answered that is not what Segment answers. */
export function notUnderstood({ host, what }: Asked, why: string, cause?: unknown): PublicApiError {
  return new PublicApiError(`${host} could not ${what}: ${why}, as Segment’s Public API never does`, {
    code: 'PUBLIC_API_UNAVAILABLE',
    hint: wrongPlaceHint,
    cause,
  });
}
