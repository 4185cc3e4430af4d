// Sends to one destination, and goes on until it works. What it knows of the destination's health is what people are
// shown of it.
//
// Holds always: one thing is tried at a time, whoever asks, in the order of asking: a replay and what is new share a
// destination batch by batch. What fails is tried again, for ever, until the bridge stops.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { BlockedError, RetryableError, UnknownHostError } from '../destinations/destination.ts';
import type { Answer, Destination } from '../destinations/destination.ts';
import { LogUnavailableError } from '../log/log.ts';
import type { Attempt } from '../log/log.ts';
import { noteFailure } from './attempts.ts';
import { backoffMs } from './backoff.ts';
import { payloadsOf } from './plan.ts';
import type { PlannedBatch } from './plan.ts';

/**
 * `starting`: its destination is not open yet. `retrying`: the last attempt failed, and may work by itself. `blocked`: it
 * failed for a setting, which somebody must mend. `running`: all else.
 */
export type DeliveryState = 'starting' | 'running' | 'retrying' | 'blocked' | 'stopped';

/** Why the last attempt failed, for status and page. */
export interface DeliveryFault {
  readonly message: string;
  readonly hint: string;
  /** Failed attempts since the last success. */
  readonly attempts: number;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface SenderOptions {
  readonly destination: Destination;
  readonly logger: Logger;
  /** Aborts what only waits. */
  readonly stopping: AbortSignal;
  /** Aborts what is being sent. */
  readonly abandoning: AbortSignal;
  /** Told of each attempt: its batch's messages and how long it took; for metrics. */
  readonly onAttempt?: ((attempt: AttemptMeasures) => void) | undefined;
  readonly random?: (() => number) | undefined;
  readonly pause?: Pause | undefined;
  /** Milliseconds from any moment on. */
  readonly now?: (() => number) | undefined;
}

/** Resolves after this time, or when the signal aborts. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

export interface AttemptMeasures {
  readonly messages: number;
  readonly seconds: number;
  readonly succeeded: boolean;
}

/** A batch that has been answered. */
export interface SentBatch {
  readonly answers: readonly Answer[];
  readonly attempts: readonly Attempt[];
}

/** A fault that goes on is logged again after this many attempts, which then are a minute apart. */
const attemptsPerLine = 60;
/** A blocked destination is tried now and then: what blocks it may be mended elsewhere, such as a right in a database. */
const blockedRetryMs = 30_000;
/** A host name that is unknown for this long is a wrong one; DNS servers are restarted in less. */
const unknownHostMs = 5 * 60_000;

export class Sender {
  readonly #options: SenderOptions;
  /** Resolves when the last one that asked is done. */
  #turn: Promise<unknown> = Promise.resolve();
  #state: DeliveryState = 'starting';
  #fault: DeliveryFault | undefined;
  readonly #failed = Promise.withResolvers<undefined>();
  /** Whether the batch whose turn it is has failed and not been taken yet. */
  #isHeldUp = false;
  /** As `now` counts; undefined where the last attempt failed otherwise, or not at all. */
  #unknownHostSince: number | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  get state(): DeliveryState {
    return this.#state;
  }

  get fault(): DeliveryFault | undefined {
    return this.#fault;
  }

  /** Resolves when an attempt fails for the first time ever. */
  firstFailure(): Promise<undefined> {
    return this.#failed.promise;
  }

  /** Undefined when the bridge stops first: nothing is lost by that, since nothing is settled. */
  async send(batch: PlannedBatch<unknown>): Promise<SentBatch | undefined> {
    const payloads = payloadsOf(batch);
    // Where all of it is dead letters there is nothing to send, and no attempt.
    if (payloads.length === 0) return { answers: [], attempts: [] };
    const attempts: Attempt[] = [];
    const about = stretchOf(batch);
    const answers = await this.inTurn(() =>
      this.untilDone(async () => {
        const startedAt = Date.now();
        try {
          const answered = await this.#attempt(payloads);
          const accepted = answered.filter(({ kind }) => kind === 'accepted').length;
          const answer = `accepted ${accepted}, rejected ${answered.length - accepted}`;
          attempts.push({ ...about, count: 1, startedAt, endedAt: Date.now(), succeeded: true, answer });
          this.#isHeldUp = false;
          this.#unknownHostSince = undefined;
          return answered;
        } catch (error) {
          if (error instanceof RetryableError) {
            this.#isHeldUp = true;
            noteFailure(attempts, { ...about, startedAt, error });
          }
          throw error;
        }
      }),
    );
    return answers && { answers, attempts };
  }

  /**
   * Tries until it works; attempts count from the last success. An error that is neither RetryableError nor
   * LogUnavailableError is a broken promise of ours and rises.
   */
  async untilDone<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    const { stopping, abandoning, random = Math.random, pause = realPause } = this.#options;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        // A planning that the bridge's stop has cut short.
        if (abandoning.aborted && error === abandoning.reason) return undefined;
        if (!(error instanceof RetryableError || error instanceof LogUnavailableError)) throw error;
        if (stopping.aborted) return undefined;
        const attempts = (this.#fault?.attempts ?? 0) + 1;
        const retryAfterMs = error instanceof RetryableError ? error.retryAfterMs : undefined;
        const isBlocked = this.#isBlocking(error);
        const waitMs = isBlocked ? blockedRetryMs : backoffMs(attempts, { retryAfterMs, random: random() });
        this.#fails(error, { attempts, waitMs, isBlocked });
        await pause(waitMs, stopping);
        if (isAborted(stopping)) return undefined;
      }
    }
  }

  /**
   * Called when the destination is open, and whenever records have come all the way to their settlement. Those that had
   * nothing to send say nothing of a destination that holds up another loop's batch.
   */
  works(): void {
    if (this.#isHeldUp) return;
    if (this.#fault) {
      this.#options.logger.info({ attempts: this.#fault.attempts }, 'Delivery works again');
    }
    this.#state = 'running';
    this.#fault = undefined;
    this.#unknownHostSince = undefined;
  }

  stop(): void {
    this.#state = 'stopped';
  }

  /** Whether somebody must mend a setting. */
  #isBlocking(error: RetryableError | LogUnavailableError): boolean {
    if (!(error instanceof UnknownHostError)) {
      // What the log says tells nothing of the destination.
      if (error instanceof RetryableError) this.#unknownHostSince = undefined;
      return error instanceof BlockedError;
    }
    const { now = () => performance.now() } = this.#options;
    this.#unknownHostSince ??= now();
    return now() - this.#unknownHostSince >= unknownHostMs;
  }

  #fails(
    error: RetryableError | LogUnavailableError,
    { attempts, waitMs, isBlocked }: { attempts: number; waitMs: number; isBlocked: boolean },
  ): void {
    const isNew = isBlocked !== (this.#state === 'blocked');
    this.#state = isBlocked ? 'blocked' : 'retrying';
    this.#fault = {
      message: error.message,
      hint: error.hint,
      attempts,
      since: this.#fault?.since ?? Date.now(),
    };
    this.#failed.resolve(undefined);
    const level = isNew || attempts % attemptsPerLine === 1 ? 'warn' : 'debug';
    this.#options.logger[level](
      {
        attempt: attempts,
        retryInMs: waitMs,
        hint: error.hint,
        reason: error.message,
        cause: causeOf(error),
      },
      isBlocked ? 'Delivery is blocked until a setting is mended' : 'Delivery failed and will be tried again',
    );
  }

  async #attempt(payloads: readonly unknown[]): Promise<readonly Answer[]> {
    const { destination, abandoning, onAttempt } = this.#options;
    const startedAt = performance.now();
    let succeeded = false;
    try {
      const answers = await destination.send(payloads, abandoning);
      succeeded = true;
      return answers;
    } finally {
      const seconds = (performance.now() - startedAt) / 1000;
      onAttempt?.({ messages: payloads.length, seconds, succeeded });
    }
  }

  /** When what was asked for before is done. */
  async inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#turn = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve(undefined);
    }
  }
}

export const realPause: Pause = async (milliseconds, signal) => {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
};

/** A function, so that the compiler does not remember an earlier answer. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** The records whose messages are in a batch, and how many of those are sent. */
function stretchOf(batch: PlannedBatch<unknown>): Pick<Attempt, 'first' | 'last' | 'messages'> {
  const sendable = batch.filter(({ kind }) => kind === 'sendable');
  const [first] = sendable;
  const last = sendable.at(-1);
  if (first === undefined || last === undefined) throw new Error('A batch that is sent has a message');
  return { first: first.position, last: last.position, messages: sendable.length };
}

/** The innermost message: enough for the operator, and never a body. */
function causeOf(error: Error): string | undefined {
  let cause = error.cause;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  return cause instanceof Error ? cause.message : undefined;
}
