// Metrics for Prometheus. Labels come from closed sets: destinations, outcomes, answers, reasons.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { discardReasons } from '../segment/discard-reasons.ts';
import type { WebhookAnswer } from './webhook.ts';
import { findImbalances } from './status.ts';
import type { Status } from './status.ts';

export interface Metrics {
  readonly registry: Registry;
  countWebhook(answer: WebhookAnswer, seconds: number): void;
  countAttempt(destination: string, attempt: { messages: number; seconds: number; succeeded: boolean }): void;
  countDeadLetters(destination: string, deadLetters: readonly { readonly reason: string }[]): void;
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

/** A registry of its own for each bridge. `readStatus` is called once a scrape. */
export function createMetrics(readStatus: () => Promise<Status>): Metrics {
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
  const oldestPending = new Gauge({
    name: 'fusionauth_segment_oldest_pending_seconds',
    help: 'Age of the oldest pending record',
    labelNames: ['destination'],
    registers,
  });
  new Gauge({
    name: 'fusionauth_segment_books_imbalances',
    help: 'Sums of the books that do not come out: 0 when they balance',
    registers,
    async collect() {
      const status = await readStatus();
      this.set(findImbalances(status).length);
      setStatus(status);
    },
  });

  function setStatus(status: Status): void {
    for (const kind of ['stored', 'duplicates', 'rejected'] as const) received.set({ kind }, status[kind]);
    for (const [destination, books] of Object.entries(status.destinations)) {
      for (const outcome of ['pending', 'delivered', 'filtered', 'dead'] as const) {
        records.set({ destination, outcome }, books[outcome]);
      }
      oldestPending.set({ destination }, books.oldestPendingSeconds);
    }
  }

  return {
    registry,
    countWebhook(answer, seconds) {
      webhooks.inc({ answer });
      webhookSeconds.observe(seconds);
    },
    countAttempt(destination, attempt) {
      attempts.inc({ destination, result: attempt.succeeded ? 'succeeded' : 'failed' });
      if (attempt.succeeded) messages.inc({ destination }, attempt.messages);
      attemptSeconds.observe({ destination }, attempt.seconds);
    },
    countDeadLetters(destination, letters) {
      for (const { reason } of letters) {
        deadLetters.inc({ destination, reason: deadLetterReasons.has(reason) ? reason : 'other' });
      }
    },
  };
}
