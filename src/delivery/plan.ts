// From records to batches, and from answers to settlements. Pure: the loop (delivery.ts) does the waiting.

import type { DeadLetter, LogRecord, Settlement } from '../log/log.ts';
import type { Mapping } from '../mapping/map.ts';
import type {
  Answer,
  BatchLimits,
  Destination,
  EncodedMessage,
  Rejection,
} from '../destinations/destination.ts';
import type { Message } from '../segment/message.ts';

/** One message of a record, on its way. */
interface PlannedMessage<Payload> {
  readonly message: Message;
  readonly encoded: EncodedMessage<Payload>;
}

/** One record: what it became, and what of that can never be delivered. */
interface PlannedRecord<Payload> {
  readonly record: LogRecord;
  readonly messages: readonly PlannedMessage<Payload>[];
  readonly deadLetters: readonly DeadLetter[];
}

export interface DeliveryPlan<Payload> {
  readonly records: readonly PlannedRecord<Payload>[];
  /** The messages of all records in order, cut into what one request or transaction takes. */
  readonly batches: readonly (readonly Payload[])[];
}

export function planDelivery<Payload>(
  records: readonly LogRecord[],
  { mapping, destination }: { mapping: Mapping; destination: Destination<Payload> },
): DeliveryPlan<Payload> {
  const planned = records.map((record) => planRecord(record, mapping, destination));
  const encoded = planned.flatMap(({ messages }) => messages.map((message) => message.encoded));
  return { records: planned, batches: cutBatches(encoded, destination.limits) };
}

/** The one outcome of each record. `answers`: one for each message of the plan's batches, in their order. */
export function settlementsOf<Payload>(
  plan: DeliveryPlan<Payload>,
  answers: readonly Answer[],
): Settlement[] {
  let next = 0;
  return plan.records.map(({ record: { position }, messages, deadLetters }) => {
    const refused = messages.flatMap(({ message }) => {
      const answer = answers[next++];
      return answer?.kind === 'rejected' ? [deadLetterOf(message, answer)] : [];
    });
    const dead = [...deadLetters, ...refused];
    if (dead.length > 0) return { position, outcome: 'dead', deadLetters: dead };
    return { position, outcome: messages.length > 0 ? 'delivered' : 'filtered' };
  });
}

function planRecord<Payload>(
  record: LogRecord,
  mapping: Mapping,
  destination: Destination<Payload>,
): PlannedRecord<Payload> {
  const messages: PlannedMessage<Payload>[] = [];
  const deadLetters: DeadLetter[] = [];
  try {
    for (const message of mapping(record.body)) {
      const encoded = destination.encode(message, record.receivedAt);
      if ('payload' in encoded) messages.push({ message, encoded });
      else deadLetters.push(deadLetterOf(message, encoded));
    }
  } catch (error) {
    // A fault of the mapping's own must not hold up the records behind it.
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      record,
      messages: [],
      deadLetters: [{ messageId: '', reason: 'mapping_failed', detail, message: '' }],
    };
  }
  return { record, messages, deadLetters };
}

function deadLetterOf(message: Message, { reason, detail }: Rejection): DeadLetter {
  return { messageId: message.messageId, reason, detail, message: JSON.stringify(message) };
}

function cutBatches<Payload>(
  encoded: readonly EncodedMessage<Payload>[],
  { maxMessages, maxBytes }: BatchLimits,
): Payload[][] {
  const batches: Payload[][] = [];
  let batch: Payload[] = [];
  let batchBytes = 0;
  for (const { payload, bytes } of encoded) {
    if (batch.length === maxMessages || (batch.length > 0 && batchBytes + bytes > maxBytes)) {
      batches.push(batch);
      batch = [];
      batchBytes = 0;
    }
    batch.push(payload);
    batchBytes += bytes;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
