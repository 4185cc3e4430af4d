// The loops that carry records from the log to one destination: what is new, and what is sent again.
//
// Holds always: a record is settled after its batches were answered, and only then does the next hand-out begin, so a
// user's messages arrive in the order of the log; a crash anywhere in between sends the same messages again, under
// the same message ids. What may be tried again is, from the log, for ever.

import type { Logger } from 'pino';
import type { Destination } from '../destinations/destination.ts';
import type { Attempt, ConsumeLimits, EventLog, LogRecord, Settlement } from '../log/log.ts';
import type { Mapping } from '../mapping/map.ts';
import { Outcomes, planBatches } from './plan.ts';
import { reloadWhatIsMissing } from './reload.ts';
import { realPause, Sender } from './sender.ts';
import type { AttemptMeasures, DeliveryFault, DeliveryState, Pause } from './sender.ts';
import type { Turns } from './turns.ts';

export interface DeliveryOptions {
  readonly log: EventLog;
  readonly destination: Destination;
  /** `idSuffix` is added to the id of each message: '' except for a replay whose messages are to count as new. */
  readonly mappingFor: (idSuffix: string) => Mapping;
  /** One for all deliveries of a thread. */
  readonly turns: Turns;
  readonly logger: Logger;
  readonly onAttempt?: (attempt: AttemptMeasures) => void;
  /** Told of the records that have just been settled; for metrics. */
  readonly onSettled?: (settled: Settled) => void;
  readonly random?: () => number;
  readonly pause?: Pause;
}

/** Records that have just been settled, by a replay for another time. */
export interface Settled {
  readonly records: readonly LogRecord[];
  readonly settlements: readonly Settlement[];
  readonly isReplay: boolean;
}

/** Records whose messages have all been answered. */
interface Carried {
  readonly settlements: readonly Settlement[];
  readonly attempts: readonly Attempt[];
}

const limits: ConsumeLimits = { maxRecords: 1_000, maxCharacters: 4 * 1024 * 1024, lingerMs: 20 };

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #logger: Logger;
  readonly #sender: Sender;
  readonly #mapping: Mapping;
  /** Aborts what only waits: for records, for the next attempt. */
  readonly #stopping = new AbortController();
  /** Aborts what is being sent. */
  readonly #abandoning = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(options: DeliveryOptions) {
    const { destination, onAttempt, random, pause, mappingFor } = options;
    this.#options = options;
    this.#logger = options.logger.child({ destination: destination.name });
    this.#mapping = mappingFor('');
    this.#sender = new Sender({
      destination,
      logger: this.#logger,
      stopping: this.#stopping.signal,
      abandoning: this.#abandoning.signal,
      onAttempt,
      random,
      pause,
    });
  }

  get name(): string {
    return this.#options.destination.name;
  }

  get state(): DeliveryState {
    return this.#sender.state;
  }

  get fault(): DeliveryFault | undefined {
    return this.#sender.fault;
  }

  get discardedValues(): number | undefined {
    return this.#options.destination.discardedValues;
  }

  /** Starts the loops. Resolves when the destination is open or its first attempt has failed: `state` tells which. */
  async start(): Promise<void> {
    const { log, destination } = this.#options;
    const stopping = this.#stopping.signal;
    const failed = this.#sender.firstFailure();
    const opened = this.#sender.untilDone(() => destination.open(stopping));
    this.#running ??= opened.then(async () => {
      if (!stopping.aborted) this.#sender.works();
      await this.#sender.untilDone(() => reloadWhatIsMissing(log, destination, this.#logger));
      await Promise.all([this.#loop(() => this.#deliver()), this.#loop(() => this.#replay())]);
    });
    await Promise.race([opened, failed]);
  }

  /** Whether there is something to reopen. */
  get isReopenable(): boolean {
    return this.#options.destination.reopen !== undefined;
  }

  /**
   * Closes the destination and opens it where it is by now, between two batches. Resolves when what it lacks there is on its
   * way; the next batch comes after. Throws RetryableError: then the next batch opens it.
   */
  async reopen(): Promise<void> {
    const { log, destination } = this.#options;
    await this.#sender.inTurn(async () => {
      await destination.reopen?.(this.#stopping.signal);
      await reloadWhatIsMissing(log, destination, this.#logger);
    });
  }

  /** Finishes the batch in hand, for up to `graceMs`, settles it and closes the destination. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const deadline = setTimeout(() => this.#abandoning.abort(), graceMs);
    await this.#running;
    clearTimeout(deadline);
    await this.#options.destination.close();
    this.#sender.stop();
  }

  /** A loop comes back only for a fault of the log itself, which then is read again from the last commit. */
  async #loop(run: () => Promise<void>): Promise<void> {
    while (!this.#stopping.signal.aborted) await this.#sender.untilDone(run);
  }

  async #deliver(): Promise<void> {
    const { log } = this.#options;
    await this.#forgetFaultOfLog();
    for await (const handedOut of log.consume(this.name, limits, this.#stopping.signal)) {
      const carried = await this.#carry(handedOut.records, this.#mapping);
      if (carried === undefined) return;
      await handedOut.commit(carried.settlements, carried.attempts);
      this.#settled({ records: handedOut.records, settlements: carried.settlements, isReplay: false });
    }
  }

  async #replay(): Promise<void> {
    const { log, mappingFor, pause = realPause } = this.#options;
    await this.#forgetFaultOfLog();
    for await (const replayed of log.replay(this.name, limits, this.#stopping.signal)) {
      const { replay, records } = replayed;
      const startedAt = performance.now();
      const mapping = replay.idSuffix === '' ? this.#mapping : mappingFor(replay.idSuffix);
      const carried = await this.#carry(records, mapping);
      if (carried === undefined) return;
      const isWritten = await replayed.commit(carried.settlements, carried.attempts);
      if (isWritten) this.#settled({ records, settlements: carried.settlements, isReplay: true });
      else this.#sender.works();
      const dueMs = (records.length / replay.perSecond) * 1000 - (performance.now() - startedAt);
      await pause(Math.max(dueMs, 0), this.#stopping.signal);
    }
  }

  /** Where the log could not be read and there is nothing to send, no settlement will tell that it can be read again. */
  async #forgetFaultOfLog(): Promise<void> {
    if (this.fault === undefined) return;
    const { log } = this.#options;
    const [{ consumers }, replays] = await Promise.all([log.books([this.name]), log.replays()]);
    const isReplaying = replays.some(({ consumer, state }) => consumer === this.name && state === 'running');
    if (consumers[this.name]?.pending === 0 && !isReplaying) this.#sender.works();
  }

  /** Undefined when the bridge stops first. */
  async #carry(records: readonly LogRecord[], mapping: Mapping): Promise<Carried | undefined> {
    const { destination, turns } = this.#options;
    const outcomes = new Outcomes(records);
    const attempts: Attempt[] = [];
    const batches = planBatches(records, { mapping, destination });
    for await (const batch of turns.take(batches, this.#abandoning.signal)) {
      const sent = await this.#sender.send(batch);
      if (sent === undefined) return undefined;
      outcomes.add(batch, sent.answers);
      attempts.push(...sent.attempts);
    }
    return { settlements: outcomes.settlements(), attempts };
  }

  #settled(settled: Settled): void {
    const { settlements } = settled;
    this.#sender.works();
    this.#options.onSettled?.(settled);
    const dead = settlements.filter(({ outcome }) => outcome === 'dead').length;
    if (dead > 0) this.#logger.warn({ records: dead }, 'Records became dead letters');
    this.#logger.debug({ records: settlements.length }, 'Records settled');
  }
}
