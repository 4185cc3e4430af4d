// A clock that the test owns, for code that waits by `node:timers/promises` and reads the time by `Date.now`: a wait is
// over at once, and the clock has moved on by it. To be imported before what is to be simulated.

import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import type { TimerOptions } from 'node:timers';

export interface SimulatedTime extends Disposable {
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Until the end of the scope. `onWait` is called with the length of each wait, and the time at which it ends, before it
 * does.
 */
export function simulateTime(onWait: (waitMs: number, endsAt: number) => Promise<void>): SimulatedTime {
  const { setTimeout: realSleep } = timers;
  const { now: realNow } = Date;
  let now = realNow();
  Date.now = () => now;
  timers.setTimeout = async <Value>(
    waitMs = 0,
    value?: Value,
    { signal }: TimerOptions = {},
  ): Promise<Value> => {
    await realSleep(0);
    signal?.throwIfAborted();
    now += waitMs;
    await onWait(waitMs, now);
    return value as Value;
  };
  syncBuiltinESMExports();
  return {
    get now() {
      return now;
    },
    [Symbol.dispose]() {
      Date.now = realNow;
      timers.setTimeout = realSleep;
      syncBuiltinESMExports();
    },
  };
}
