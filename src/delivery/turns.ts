// Webhooks are answered by the thread that plans, so a planning that takes long gives way to them.

import { setImmediate } from 'node:timers/promises';

/** Far below the two seconds that FusionAuth gives a webhook, and far above what a batch of ordinary messages takes. */
const turnMs = 10;

/**
 * The values among the steps, undefined being a step without one. Between two steps the event loop gets a turn whenever
 * 10 ms have gone by since its last one. Throws the signal's reason at such a turn, once it is aborted.
 */
export async function* withTurns<Value>(
  steps: Iterable<Value | undefined>,
  signal: AbortSignal,
): AsyncGenerator<Value, undefined> {
  let turnAt = performance.now();
  for (const step of steps) {
    if (step !== undefined) yield step;
    if (performance.now() - turnAt < turnMs) continue;
    await setImmediate();
    signal.throwIfAborted();
    turnAt = performance.now();
  }
}
