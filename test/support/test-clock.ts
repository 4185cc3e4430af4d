// A clock that the test owns: whoever sleeps by it wakes when the test lets the time pass.

import type { setTimeout } from 'node:timers/promises';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export class TestClock {
  #now = 0;
  #sleepers: Sleeper[] = [];

  /** As `setTimeout` of node:timers/promises. */
  readonly sleep: typeof setTimeout = <Value>(
    delayMs = 0,
    value?: Value,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Value> => {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (delayMs <= 0) return Promise.resolve(value as Value);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        signal?.removeEventListener('abort', onAbort);
      };
      const onAbort = () => {
        leave();
        reject(signal?.reason as Error);
      };
      const wake = () => {
        leave();
        resolve(value as Value);
      };
      const sleeper: Sleeper = { at: this.#now + delayMs, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  };

  /** Wakes everybody who is due by then, the earliest first. */
  advance(ms: number): void {
    this.#now += ms;
    const due = this.#sleepers.filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at);
    for (const { wake } of due) wake();
  }

  /** Nobody who sleeps now will ever wake. */
  forget(): void {
    this.#sleepers = [];
  }
}
