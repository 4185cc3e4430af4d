// Calls of the user's own code, from the configuration file. It shares the process with the webhooks, so it is bounded
// in time, and whatever it throws is the event's fault, not the bridge's.

import { Script } from 'node:vm';

export type UserFunction = 'filter' | 'map';

/** In milliseconds. FusionAuth waits two seconds for the answer to a webhook, which this thread gives as well. */
export const userCodeTimeoutMs = 250;

/** The user's code threw, took too long or answered what nobody can use. `detail` has its stack. */
export class UserCodeError extends Error {
  readonly reason: `${UserFunction}_${'failed' | 'timeout'}`;
  readonly detail: string;

  constructor(reason: UserCodeError['reason'], detail: string, cause?: unknown) {
    super(detail, { cause });
    this.name = 'UserCodeError';
    this.reason = reason;
    this.detail = detail;
  }
}

const slot = Symbol.for('fusionauth-segment.user-code');
/** Node stops a script after a time-out, and with it the functions that it called: an endless loop as well. */
const script = new Script(`globalThis[Symbol.for('fusionauth-segment.user-code')]()`);

/** Throws UserCodeError. A promise is refused: a mapping is the same for the same event, and waits for nothing. */
export function callUserCode<Result>(name: UserFunction, call: () => Result): Result {
  Reflect.set(globalThis, slot, call);
  let result: Result;
  try {
    result = script.runInThisContext({ timeout: userCodeTimeoutMs }) as Result;
  } catch (error) {
    throw userCodeErrorOf(name, error);
  } finally {
    Reflect.deleteProperty(globalThis, slot);
  }
  if (result instanceof Promise) {
    result.catch(() => undefined);
    throw new UserCodeError(`${name}_failed`, `${name} answered a promise; it must not be async`);
  }
  return result;
}

function userCodeErrorOf(name: UserFunction, error: unknown): UserCodeError {
  if ((error as { code?: unknown } | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
    return new UserCodeError(`${name}_timeout`, `${name} took longer than ${userCodeTimeoutMs} ms`, error);
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : `${name} threw ${String(error)}`;
  return new UserCodeError(`${name}_failed`, detail, error);
}
