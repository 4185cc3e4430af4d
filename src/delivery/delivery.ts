// The loop that carries records from the log to one destination.
//
// Holds always: a record is settled after its batches were answered, and only then does the next hand-out begin, so a
// user's messages arrive in the order of the log; a crash anywhere in between sends the same messages again, under
// the same message ids. What may be tried again is, from the log, for ever.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { RetryableError } from '../destinations/destination.ts';
import type { Answer, Destination } from '../destinations/destination.ts';
import { LogUnavailableError } from '../log/log.ts';
import type { ConsumeLimits, DeadLetter, EventLog, Settlement } from '../log/log.ts';
import type { Mapping } from '../mapping/map.ts';
import { backoffMs } from './backoff.ts';
import { Outcomes, payloadsOf, planBatches } from './plan.ts';
import type { Turns } from './turns.ts';

/** `starting`: its destination is not open yet. `retrying`: the last attempt failed. `running`: all else. */
export type DeliveryState = 'starting' | 'running' | 'retrying' | 'stopped';

/** Why the last attempt failed, for status and page. */
export interface DeliveryFault {
  readonly message: string;
  readonly hint: string;
  /** Failed attempts since the last success. */
  readonly attempts: number;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface DeliveryOptions {
  readonly log: EventLog;
  readonly destination: Destination;
  readonly mapping: Mapping;
  /** One for all deliveries of a thread. */
  readonly turns: Turns;
  readonly logger: Logger;
  /** Told of each attempt: its batch's messages and how long it took; for metrics. */
  readonly onAttempt?: (attempt: { messages: number; seconds: number; succeeded: boolean }) => void;
  /** Told of the dead letters of records that have just been settled; for metrics. */
  readonly onDeadLetters?: (deadLetters: readonly DeadLetter[]) => void;
  readonly random?: () => number;
}

const limits: ConsumeLimits = { maxRecords: 250, maxCharacters: 4 * 1024 * 1024, lingerMs: 20 };
/** A fault that goes on is logged again after this many attempts, which then are a minute apart. */
const attemptsPerLine = 60;

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #logger: Logger;
  /** Aborts what only waits: for records, for the next attempt. */
  readonly #stopping = new AbortController();
  /** Aborts what is being sent. */
  readonly #abandoning = new AbortController();
  readonly #opened = Promise.withResolvers<undefined>();
  #running: Promise<void> | undefined;
  #state: DeliveryState = 'starting';
  #fault: DeliveryFault | undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ destination: options.destination.name });
  }

  get name(): string {
    return this.#options.destination.name;
  }

  get state(): DeliveryState {
    return this.#state;
  }

  get fault(): DeliveryFault | undefined {
    return this.#fault;
  }

  /** Starts the loop. Resolves when the destination is open or its first attempt has failed: `state` tells which. */
  start(): Promise<void> {
    this.#running ??= this.#run();
    return this.#opened.promise;
  }

  /** Finishes the batch in hand, for up to `graceMs`, settles it and closes the destination. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const deadline = setTimeout(() => this.#abandoning.abort(), graceMs);
    await this.#running;
    clearTimeout(deadline);
    await this.#options.destination.close();
    this.#state = 'stopped';
  }

  async #run(): Promise<void> {
    const { destination } = this.#options;
    await this.#untilDone(() => destination.open(this.#stopping.signal));
    if (!this.#stopping.signal.aborted) this.#works();
    this.#opened.resolve(undefined);
    while (!this.#stopping.signal.aborted) {
      // Comes back only for a fault of the log itself, which then is read again from the last commit.
      await this.#untilDone(() => this.#deliver());
    }
  }

  async #deliver(): Promise<void> {
    const { log, destination, mapping, turns } = this.#options;
    // Where the log could not be read and nothing is pending, no settlement will tell that it can be read again.
    if (this.#fault) {
      const { consumers } = await log.books([destination.name]);
      if (consumers[destination.name]?.pending === 0) this.#works();
    }
    for await (const handedOut of log.consume(destination.name, limits, this.#stopping.signal)) {
      const { records } = handedOut;
      const outcomes = new Outcomes(records);
      const plan = planBatches(records, { mapping, destination });
      for await (const batch of turns.take(plan, this.#abandoning.signal)) {
        const payloads = payloadsOf(batch);
        const answers = await this.#untilDone(() => this.#attempt(payloads));
        if (answers === undefined) return;
        outcomes.add(batch, answers);
      }
      const settlements = outcomes.settlements();
      await handedOut.commit(settlements, []);
      this.#works();
      this.#tell(settlements);
    }
  }

  /** Sends a batch's payloads. Where all of it is dead letters there is none, and no attempt. */
  async #attempt(batch: readonly unknown[]): Promise<readonly Answer[]> {
    if (batch.length === 0) return [];
    const { destination, onAttempt } = this.#options;
    const startedAt = performance.now();
    let succeeded = false;
    try {
      const answers = await destination.send(batch, this.#abandoning.signal);
      succeeded = true;
      return answers;
    } finally {
      onAttempt?.({ messages: batch.length, seconds: (performance.now() - startedAt) / 1000, succeeded });
    }
  }

  /**
   * Tries until it works; attempts count from the last settlement. Undefined when the bridge stops first: nothing is
   * lost by that, since nothing is settled. An error that is neither RetryableError nor LogUnavailableError is a broken
   * promise of ours and rises.
   */
  async #untilDone<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    const { random = Math.random } = this.#options;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (isReasonOf(error, this.#abandoning.signal)) return undefined;
        if (!(error instanceof RetryableError || error instanceof LogUnavailableError)) throw error;
        if (this.#stopping.signal.aborted) return undefined;
        const attempts = (this.#fault?.attempts ?? 0) + 1;
        const retryAfterMs = error instanceof RetryableError ? error.retryAfterMs : undefined;
        const waitMs = backoffMs(attempts, { retryAfterMs, random: random() });
        this.#failed(error, attempts, waitMs);
        const isStopped = await sleep(waitMs, false, { signal: this.#stopping.signal }).catch(() => true);
        if (isStopped) return undefined;
      }
    }
  }

  #failed(error: RetryableError | LogUnavailableError, attempts: number, waitMs: number): void {
    this.#state = 'retrying';
    this.#fault = {
      message: error.message,
      hint: error.hint,
      attempts,
      since: this.#fault?.since ?? Date.now(),
    };
    this.#opened.resolve(undefined);
    const level = attempts % attemptsPerLine === 1 ? 'warn' : 'debug';
    this.#logger[level](
      {
        attempt: attempts,
        retryInMs: waitMs,
        hint: error.hint,
        reason: error.message,
        cause: causeOf(error),
      },
      'Delivery failed and will be tried again',
    );
  }

  #tell(settlements: readonly Settlement[]): void {
    const dead = settlements.filter((settlement) => settlement.outcome === 'dead');
    if (dead.length > 0) {
      this.#options.onDeadLetters?.(dead.flatMap(({ deadLetters }) => deadLetters));
      this.#logger.warn({ records: dead.length }, 'Records became dead letters');
    }
    this.#logger.debug({ records: settlements.length }, 'Records settled');
  }

  /** Called when the destination is open, and whenever records have come all the way to their settlement. */
  #works(): void {
    if (this.#fault) this.#logger.info({ attempts: this.#fault.attempts }, 'Delivery works again');
    this.#state = 'running';
    this.#fault = undefined;
  }
}

/** Whether this was thrown because the signal is aborted: a planning that the bridge's stop has cut short. */
function isReasonOf(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && error === signal.reason;
}

/** The innermost message: enough for the operator, and never a body. */
function causeOf(error: Error): string | undefined {
  let cause = error.cause;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  return cause instanceof Error ? cause.message : undefined;
}
