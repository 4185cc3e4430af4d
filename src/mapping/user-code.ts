// Calls of the user's own code, from the configuration file. It shares the process with the webhooks, so it is bounded
// in time, and whatever it throws is the event's fault, not the bridge's.

import { Script } from 'node:vm';

export type UserFunction = 'filter' | 'map';

/** In milliseconds. FusionAuth waits two seconds for the answer to a webhook, which this thread gives as well. */
export const userCodeTimeoutMs = 250;
/** In characters. An error's message may hold anything, and all of the detail is kept. */
const maxDetailLength = 8_000;

/** The user's code threw, took too long or answered what nobody can use. `detail` has its stack. */
export class UserCodeError extends Error {
  readonly reason: `${UserFunction}_${'failed' | 'timeout'}`;
  readonly detail: string;

  constructor(reason: UserCodeError['reason'], detail: string, cause?: unknown) {
    super(detail, { cause });
    this.name = 'UserCodeError';
    this.reason = reason;
    this.detail = detail.slice(0, maxDetailLength);
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
    // Without displayErrors, which would put a line of code before the error's own text.
    result = script.runInThisContext({ timeout: userCodeTimeoutMs, displayErrors: false }) as Result;
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
  const detail = error instanceof Error ? stackOf(error) : `${name} threw ${describeThrown(error)}`;
  return new UserCodeError(`${name}_failed`, detail, error);
}

function stackOf({ stack, message }: { stack?: unknown; message?: unknown }): string {
  return typeof stack === 'string' ? stack : String(message);
}

/** An object's text is code of the user's again, and nobody bounds it here. */
function describeThrown(error: unknown): string {
  return (typeof error === 'object' && error !== null) || typeof error === 'function'
    ? 'something that is no Error'
    : String(error);
}
