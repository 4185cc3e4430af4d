// How many messages a second go to Segment: it asks for at most 1,000 (its documents, "Rate limits").

import { setTimeout as sleep } from 'node:timers/promises';

export class RateLimit {
  readonly #perSecond: number;
  /** When the messages that were let through so far have had their time, as `performance.now` has it. */
  #freeAt = 0;

  /** `perSecond`: 0 for no limit. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Resolves when this many may go. A batch is never cut: it waits for the time of those before it, not for its own. */
  async take(messages: number, signal: AbortSignal): Promise<void> {
    if (this.#perSecond === 0) return;
    const now = performance.now();
    const waitMs = this.#freeAt - now;
    this.#freeAt = Math.max(now, this.#freeAt) + (messages / this.#perSecond) * 1000;
    if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
  }
}
