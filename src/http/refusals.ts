// The log lines about webhooks that were turned away: the first of each reason at once, then one a minute with the
// number since, so that a flood of forgeries does not become a flood of lines.

import type { Logger } from 'pino';

export interface Refusal {
  readonly answer:
    'invalid' | 'unauthorized' | 'unsupported_media_type' | 'too_large' | 'unavailable' | 'failed';
  readonly status: number;
  /** For our log: from a closed set or a parser's words, never from the body. */
  readonly reason: string;
  readonly hint?: string;
  /** For the sender. */
  readonly body: {
    readonly status: 'rejected';
    readonly code: string;
    readonly message: string;
    readonly path?: string;
  };
}

const quietMs = 60_000;
/** Reasons that name a place in a body are many; beyond this number they share one line. */
const maxReasons = 100;

export function createRefusalLogger(
  logger: Logger,
  now = () => performance.now(),
): (refusal: Refusal) => void {
  const seen = new Map<string, { loggedAt: number; unlogged: number }>();
  return ({ answer, status, reason, hint }) => {
    const key = seen.size < maxReasons || seen.has(`${answer} ${reason}`) ? `${answer} ${reason}` : answer;
    const last = seen.get(key);
    if (last && now() - last.loggedAt < quietMs) {
      last.unlogged++;
      return;
    }
    const level = status >= 500 ? 'error' : 'warn';
    logger[level]({ answer, status, reason, hint, since: last?.unlogged ?? 0 }, 'A webhook was refused');
    seen.set(key, { loggedAt: now(), unlogged: 0 });
  };
}
