// From records to batches, and from answers to settlements. Pure: the loop (delivery.ts) does the waiting.
//
// Holds always: a message is made when the loop asks for its batch, and nobody here keeps a batch that was handed out,
// so memory is that of one batch, of one parsed event, and of the dead letters until their records are settled. The same
// records give the same batches.

import assert from 'node:assert/strict';
import type { Answer, BatchLimits, Destination, Rejection } from '../destinations/destination.ts';
import type { DeadLetter, LogRecord, Position, Settlement } from '../log/log.ts';
import { MappingFailure } from '../mapping/map.ts';
import type { Mapping } from '../mapping/map.ts';
import { findDiscard } from '../segment/checks.ts';
import type { Message } from '../segment/message.ts';

/** A message that is to be sent, or one that never can be. */
export type PlannedMessage<Payload> =
  | {
      readonly kind: 'sendable';
      readonly position: Position;
      /** As it was mapped: what is kept where the destination rejects it. */
      readonly message: Message;
      readonly payload: Payload;
      readonly bytes: number;
    }
  | { readonly kind: 'dead'; readonly position: Position; readonly deadLetter: DeadLetter };

/** A stretch of the log's messages, in order, dead ones included; the others go in one request or transaction. */
export type PlannedBatch<Payload> = readonly PlannedMessage<Payload>[];

/**
 * The messages of all records in order, cut into batches: one may hold messages of several records, and a record's
 * messages may need several. Each is made when it is asked for. Undefined is a step on the way to the next one, taken
 * for each message and each record: there the planning may pause (turns.ts).
 */
export function planBatches<Payload>(
  records: readonly LogRecord[],
  { mapping, destination }: { mapping: Mapping; destination: Destination<Payload> },
): Generator<PlannedBatch<Payload> | undefined, undefined> {
  return cutBatches(planMessages(records, mapping, destination), destination.limits);
}

/** What a destination is given of a batch: it answers for each of these. */
export function payloadsOf<Payload>(batch: PlannedBatch<Payload>): readonly Payload[] {
  return batch.flatMap((planned) => (planned.kind === 'sendable' ? [planned.payload] : []));
}

/** What has become of some records, batch by batch: in the end, one outcome for each. */
export class Outcomes {
  readonly #tallies: ReadonlyMap<Position, { accepted: number; readonly deadLetters: DeadLetter[] }>;

  constructor(records: readonly LogRecord[]) {
    this.#tallies = new Map(records.map(({ position }) => [position, { accepted: 0, deadLetters: [] }]));
  }

  /** `answers`: one for each of the batch's payloads, in their order. */
  add(batch: PlannedBatch<unknown>, answers: readonly Answer[]): void {
    let next = 0;
    for (const planned of batch) {
      const tally = this.#tallies.get(planned.position);
      assert(tally, 'The batch is of these records');
      if (planned.kind === 'dead') tally.deadLetters.push(planned.deadLetter);
      else {
        const answer = answers[next++];
        assert(answer, 'The destination answers for each message');
        if (answer.kind === 'accepted') tally.accepted++;
        else tally.deadLetters.push(deadLetterOf(planned.message, answer));
      }
    }
  }

  /** Once all batches were added. Dead if any message is; else delivered if any was accepted; else filtered. */
  settlements(): Settlement[] {
    return Array.from(this.#tallies, ([position, { accepted, deadLetters }]) => {
      if (deadLetters.length > 0) return { position, outcome: 'dead', deadLetters };
      return { position, outcome: accepted > 0 ? 'delivered' : 'filtered' };
    });
  }
}

function* cutBatches<Payload>(
  steps: Iterable<PlannedMessage<Payload> | undefined>,
  { maxMessages, maxBytes }: BatchLimits,
): Generator<PlannedBatch<Payload> | undefined, undefined> {
  let batch: PlannedMessage<Payload>[] = [];
  let batchBytes = 0;
  for (const planned of steps) {
    if (planned !== undefined) {
      const bytes = planned.kind === 'sendable' ? planned.bytes : 0;
      if (batch.length > 0 && batchBytes + bytes > maxBytes) {
        yield batch;
        batch = [];
        batchBytes = 0;
      }
      batch.push(planned);
      batchBytes += bytes;
      // Now, and not when the next message is there: that would be one more in memory than a batch holds.
      if (batch.length === maxMessages) {
        yield batch;
        batch = [];
        batchBytes = 0;
      }
    }
    yield undefined;
  }
  if (batch.length > 0) yield batch;
}

function* planMessages<Payload>(
  records: readonly LogRecord[],
  mapping: Mapping,
  destination: Destination<Payload>,
): Generator<PlannedMessage<Payload> | undefined> {
  for (const record of records) {
    for (const item of mapRecord(record, mapping)) yield planMessage(item, record, destination);
    yield undefined;
  }
}

/** A fault of the mapping's own ends the record's messages, and must not hold up the records behind it. */
function* mapRecord({ body }: LogRecord, mapping: Mapping): Iterable<Message | MappingFailure> {
  try {
    yield* mapping(body);
  } catch (error) {
    yield new MappingFailure('mapping_failed', stackOf(error));
  }
}

function planMessage<Payload>(
  item: Message | MappingFailure,
  { position, receivedAt }: LogRecord,
  destination: Destination<Payload>,
): PlannedMessage<Payload> {
  const dead = (deadLetter: DeadLetter) => ({ kind: 'dead', position, deadLetter }) as const;
  if (item instanceof MappingFailure) {
    return dead({ messageId: '', reason: item.reason, detail: item.detail, message: '' });
  }
  try {
    const encoded = findDiscard(item) ?? destination.encode(item, receivedAt);
    if ('reason' in encoded) return dead(deadLetterOf(item, encoded));
    return { kind: 'sendable', position, message: item, ...encoded };
  } catch (error) {
    // Such as a value that JSON cannot hold. The record's other messages have no part in it.
    return dead(deadLetterOf(item, { reason: 'mapping_failed', detail: stackOf(error) }));
  }
}

function deadLetterOf(message: Message, { reason, detail }: Rejection): DeadLetter {
  const messageId: unknown = message.messageId;
  return {
    messageId: typeof messageId === 'string' ? messageId : '',
    reason,
    detail,
    message: jsonOf(message),
  };
}

/** Empty where it cannot be told in JSON. */
function jsonOf(message: Message): string {
  try {
    const json: unknown = JSON.stringify(message);
    return typeof json === 'string' ? json : '';
  } catch {
    return '';
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
