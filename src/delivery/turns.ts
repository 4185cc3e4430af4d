// Webhooks are answered by the thread that plans, so a planning that takes long gives way to them.

import { setImmediate, setTimeout as sleep } from 'node:timers/promises';

/** Far below the two seconds that FusionAuth gives a webhook, and far above what a batch of ordinary messages takes. */
const turnMs = 10;
/** A single step of this length is no planning of ours: a user's own code is on its way to its time limit. */
const longStepMs = 50;
/** After such a step nobody plans for twice as long as it took, so that one thread in three is theirs at most. */
const restPerStep = 2;

/** Shared by all loops that plan in this thread: what one of them takes, the others wait for. */
export class Turns {
  #restUntil = 0;

  /**
   * The values among the steps, undefined being a step without one. Between two steps the event loop gets a turn whenever
   * 10 ms have gone by since its last one, and a rest after a step that took long, in whatever loop. Throws the signal's
   * reason at such a turn, once it is aborted.
   */
  async *take<Value>(
    steps: Iterable<Value | undefined>,
    signal: AbortSignal,
  ): AsyncGenerator<Value, undefined> {
    let turnAt = performance.now();
    let stepAt = turnAt;
    const isTurnDue = () => performance.now() - turnAt >= turnMs;
    for (const step of withPauseBefore(steps)) {
      const stepMs = performance.now() - stepAt;
      if (stepMs >= longStepMs) this.#restUntil = performance.now() + restPerStep * stepMs;
      if (step !== undefined) yield step;
      // What is asked last, right before the next step: another loop may take a long one while this one waits.
      while (isTurnDue() || this.#restMs() > 0) {
        const restMs = this.#restMs();
        if (restMs > 0) await sleep(restMs, undefined, { signal }).catch(() => undefined);
        else await setImmediate();
        signal.throwIfAborted();
        turnAt = performance.now();
      }
      stepAt = performance.now();
    }
  }

  #restMs(): number {
    return Math.ceil(this.#restUntil - performance.now());
  }
}

/** The first step is taken after a look at the others' as well. */
function* withPauseBefore<Value>(
  steps: Iterable<Value | undefined>,
): Generator<Value | undefined, undefined> {
  yield undefined;
  yield* steps;
}
