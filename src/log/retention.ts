// Removes from the log what is settled and old, now and then.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { LogUnavailableError } from './log.ts';
import type { EventLog } from './log.ts';

export interface RetentionOptions {
  readonly log: EventLog;
  readonly logger: Logger;
  readonly retentionMs: number;
  /** Those whose settlements count: a destination that is no longer configured keeps nothing. */
  readonly consumers: readonly string[];
  /** Told of each removal; for metrics. */
  readonly onRemoved?: (records: number) => void;
  readonly everyMs?: number;
}

/** Often enough that a log of a few days is not kept for one more; a start does not begin with it. */
const defaultEveryMs = 10 * 60_000;

/** Runs until the signal aborts, and resolves then. */
export async function runRetention(options: RetentionOptions, signal: AbortSignal): Promise<void> {
  const { log, logger, retentionMs, consumers, onRemoved, everyMs = defaultEveryMs } = options;
  for (;;) {
    const isOver = await sleep(everyMs, false, { signal, ref: false }).catch(() => true);
    if (isOver) return;
    try {
      const records = await log.prune(Date.now() - retentionMs, consumers, signal);
      onRemoved?.(records);
      if (records > 0) logger.info({ records }, 'Old records were removed from the log');
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      logger.warn({ reason: error.message, hint: error.hint }, 'Old records could not be removed');
    }
  }
}
