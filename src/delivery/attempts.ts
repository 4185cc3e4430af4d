// The attempts to send one batch, as they are kept with its records: few, however long a destination is down.

import type { RetryableError } from '../destinations/destination.ts';
import type { Attempt } from '../log/log.ts';

/** Of failures that differ. The first and the last tell most. */
const maxKept = 20;

interface Failure extends Pick<Attempt, 'first' | 'last' | 'messages' | 'startedAt'> {
  readonly error: RetryableError;
}

/** Adds a failed attempt; one that failed in the same way as the last is counted there. */
export function noteFailure(attempts: Attempt[], { error, ...failure }: Failure, now = Date.now()): void {
  const answer = describe(error);
  const last = attempts.at(-1);
  if (last !== undefined && !last.succeeded && last.answer === answer) {
    attempts[attempts.length - 1] = { ...last, count: last.count + 1, endedAt: now };
    return;
  }
  attempts.push({ ...failure, count: 1, endedAt: now, succeeded: false, answer });
  if (attempts.length > maxKept) attempts.splice(maxKept / 2, 1);
}

function describe({ message, cause }: RetryableError): string {
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === 'string' && !message.includes(code) ? `${message} (${code})` : message;
}
