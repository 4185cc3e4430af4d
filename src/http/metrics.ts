// Metrics for Prometheus. Labels come from closed sets: destinations, outcomes, answers, reasons. docs/metrics.md is made
// from what stands here.
//
// What happens is counted when it happens; what is so (books, states, sizes) is read once a scrape, before any metric is
// written, so that one scrape holds one moment.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Settled } from '../delivery/delivery.ts';
import type { AttemptMeasures, DeliveryState } from '../delivery/sender.ts';
import { LogUnavailableError } from '../log/log.ts';
import type { LogStorage, Replay, WrittenGroup } from '../log/log.ts';
import { discardReasons } from '../segment/discard-reasons.ts';
import { version } from '../version.ts';
import type { WebhookAnswer } from './webhook.ts';
import { findImbalances } from './status.ts';
import type { Status } from './status.ts';

export interface Metrics {
  readonly registry: Registry;
  /** What a scrape is answered. Where the log cannot be read, what would come from it is left out. */
  scrape(): Promise<string>;
  countWebhook(answer: WebhookAnswer, seconds: number): void;
  countGroup(group: WrittenGroup): void;
  countAttempt(destination: string, attempt: AttemptMeasures): void;
  countSettled(destination: string, settled: Settled): void;
  countRemoved(records: number): void;
}

/** What is read once a scrape. */
export interface MetricsSources {
  readonly readStatus: () => Promise<Status>;
  readonly readReplays: () => Promise<readonly Replay[]>;
  readonly readStorage: () => Promise<LogStorage>;
  readonly isWritable: () => boolean;
}

/** What a dead letter may be counted under: Segment's reasons, the mapping's and the warehouse's. All else is `other`. */
const deadLetterReasons: ReadonlySet<string> = new Set([
  ...Object.keys(discardReasons),
  'filter_failed',
  'map_failed',
  'map_timeout',
  'mapping_failed',
  'warehouse_refused',
]);

const states = {
  starting: true,
  running: true,
  retrying: true,
  blocked: true,
  stopped: true,
} as const satisfies Record<DeliveryState, true>;
const answers = {
  stored: true,
  duplicate: true,
  invalid: true,
  unauthorized: true,
  unsupported_media_type: true,
  too_large: true,
  unavailable: true,
  failed: true,
} as const satisfies Record<WebhookAnswer, true>;

/** A registry of its own for each bridge. */
export function createMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const webhooks = new Counter({
    name: 'fusionauth_segment_webhooks_total',
    help: 'Webhooks by what they were answered',
    labelNames: ['answer'],
    registers,
  });
  const webhookSeconds = new Histogram({
    name: 'fusionauth_segment_webhook_duration_seconds',
    help: 'Time from a webhook’s headers to its answer',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2],
    registers,
  });
  const groupSeconds = new Histogram({
    name: 'fusionauth_segment_log_group_duration_seconds',
    help: 'Time to write one group to the log, with its fsync; all that wait at one moment are a group',
    labelNames: ['result'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2],
    registers,
  });
  const attempts = new Counter({
    name: 'fusionauth_segment_delivery_attempts_total',
    help: 'Attempts to send a batch',
    labelNames: ['destination', 'result'],
    registers,
  });
  const messages = new Counter({
    name: 'fusionauth_segment_delivery_messages_total',
    help: 'Messages in the attempts that succeeded',
    labelNames: ['destination'],
    registers,
  });
  const attemptSeconds = new Histogram({
    name: 'fusionauth_segment_delivery_attempt_duration_seconds',
    help: 'Time of an attempt to send a batch',
    labelNames: ['destination'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const settlementSeconds = new Histogram({
    name: 'fusionauth_segment_settlement_duration_seconds',
    help: 'Time from a record’s reception to its settlement at a destination; without what a replay settles again',
    labelNames: ['destination'],
    buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400],
    registers,
  });
  const deadLetters = new Counter({
    name: 'fusionauth_segment_dead_letters_total',
    help: 'Messages, or parts of events that became none, that can never be delivered, since the bridge was started',
    labelNames: ['destination', 'reason'],
    registers,
  });
  const records = new Gauge({
    name: 'fusionauth_segment_records',
    help: 'Records by their outcome at a destination, since the log began',
    labelNames: ['destination', 'outcome'],
    registers,
  });
  const received = new Gauge({
    name: 'fusionauth_segment_received',
    help: 'Webhooks since the log began: stored, duplicates, and those that were turned away',
    labelNames: ['kind'],
    registers,
  });
  const discardedValues = new Gauge({
    name: 'fusionauth_segment_warehouse_discarded_values',
    help: 'Values that fitted no column of the warehouse and stand in its table discards, since its schema was made',
    labelNames: ['destination'],
    registers,
  });
  const oldestPending = new Gauge({
    name: 'fusionauth_segment_oldest_pending_seconds',
    help: 'Age of the oldest pending record',
    labelNames: ['destination'],
    registers,
  });
  const imbalances = new Gauge({
    name: 'fusionauth_segment_books_imbalances',
    help: 'Sums of the books that do not come out: 0 when they balance',
    registers,
  });
  const state = new Gauge({
    name: 'fusionauth_segment_destination_state',
    help: 'State of a destination: 1 for the one that it is in, 0 for the others',
    labelNames: ['destination', 'state'],
    registers,
  });
  const replaysRunning = new Gauge({
    name: 'fusionauth_segment_replays_running',
    help: 'Replays that have records left to send again',
    labelNames: ['destination'],
    registers,
  });
  const replayedRecords = new Counter({
    name: 'fusionauth_segment_replayed_records_total',
    help: 'Records that replays have settled again, by their new outcome, since the bridge was started',
    labelNames: ['destination', 'outcome'],
    registers,
  });
  const removedRecords = new Counter({
    name: 'fusionauth_segment_log_removed_records_total',
    help: 'Records that LOG_RETENTION has removed from the log, since the bridge was started',
    registers,
  });
  const writable = new Gauge({
    name: 'fusionauth_segment_log_writable',
    help: '1 where the log takes webhooks, 0 where they are answered 503',
    registers,
  });
  const readable = new Gauge({
    name: 'fusionauth_segment_log_readable',
    help: '1 where the log could be read for this scrape; where it is 0, what comes from its books is left out',
    registers,
  });
  const fileBytes = new Gauge({
    name: 'fusionauth_segment_log_file_bytes',
    help: 'Size of the log’s files: the log itself, and its write-ahead log',
    labelNames: ['file'],
    registers,
  });
  const freeBytes = new Gauge({
    name: 'fusionauth_segment_log_volume_free_bytes',
    help: 'Free space of the volume that the log is on',
    registers,
  });
  const volumeBytes = new Gauge({
    name: 'fusionauth_segment_log_volume_size_bytes',
    help: 'Size of the volume that the log is on',
    registers,
  });
  new Gauge({
    name: 'fusionauth_segment_build_info',
    help: '1, with the version that runs',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1);

  // A series that is there from the start is one whose first step a rate() sees.
  for (const answer of keysOf(answers)) webhooks.inc({ answer }, 0);

  function setStatus(status: Status, replays: readonly Replay[]): void {
    imbalances.set(findImbalances(status).length);
    for (const kind of ['stored', 'duplicates', 'rejected'] as const) received.set({ kind }, status[kind]);
    for (const [destination, books] of Object.entries(status.destinations)) {
      for (const outcome of ['pending', 'delivered', 'filtered', 'dead'] as const) {
        records.set({ destination, outcome }, books[outcome]);
      }
      oldestPending.set({ destination }, books.oldestPendingSeconds);
      if (books.discardedValues !== undefined) discardedValues.set({ destination }, books.discardedValues);
      for (const each of keysOf(states))
        state.set({ destination, state: each }, Number(each === books.state));
      const running = replays.filter(
        (replay) => replay.consumer === destination && replay.state === 'running',
      );
      replaysRunning.set({ destination }, running.length);
      for (const result of ['succeeded', 'failed']) attempts.inc({ destination, result }, 0);
    }
  }

  /** What came from the log would be an old truth where the log cannot be read: better none. */
  function forgetStatus(): void {
    for (const gauge of [received, records, discardedValues, oldestPending, state, replaysRunning])
      gauge.reset();
    imbalances.remove();
  }

  function setStorage(storage: LogStorage): void {
    for (const [file, bytes] of Object.entries(storage.fileBytes)) fileBytes.set({ file }, bytes);
    freeBytes.set(storage.freeBytes);
    volumeBytes.set(storage.totalBytes);
  }

  async function refresh(): Promise<void> {
    writable.set(Number(sources.isWritable()));
    setStorage(await sources.readStorage());
    try {
      setStatus(...(await Promise.all([sources.readStatus(), sources.readReplays()])));
      readable.set(1);
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      readable.set(0);
      forgetStatus();
    }
  }

  return {
    registry,
    async scrape() {
      await refresh();
      return registry.metrics();
    },
    countWebhook(answer, seconds) {
      webhooks.inc({ answer });
      webhookSeconds.observe(seconds);
    },
    countGroup({ seconds, succeeded }) {
      groupSeconds.observe({ result: succeeded ? 'succeeded' : 'failed' }, seconds);
    },
    countAttempt(destination, attempt) {
      attempts.inc({ destination, result: attempt.succeeded ? 'succeeded' : 'failed' });
      if (attempt.succeeded) messages.inc({ destination }, attempt.messages);
      attemptSeconds.observe({ destination }, attempt.seconds);
    },
    countSettled(destination, { records: settled, settlements, isReplay }) {
      for (const settlement of settlements) {
        if (settlement.outcome !== 'dead') continue;
        for (const { reason } of settlement.deadLetters) {
          deadLetters.inc({ destination, reason: deadLetterReasons.has(reason) ? reason : 'other' });
        }
      }
      if (isReplay) {
        for (const { outcome } of settlements) replayedRecords.inc({ destination, outcome });
        return;
      }
      const now = Date.now();
      const histogram = settlementSeconds.labels({ destination });
      for (const { receivedAt } of settled) histogram.observe(Math.max(now - receivedAt, 0) / 1000);
    },
    countRemoved(count) {
      removedRecords.inc(count);
    },
  };
}

function keysOf<Key extends string>(table: Readonly<Record<Key, true>>): readonly Key[] {
  return Object.keys(table) as Key[];
}
