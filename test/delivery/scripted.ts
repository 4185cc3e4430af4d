// What the tests of delivery share: a destination that does what the test says, and events that become one message each.

import { once } from 'node:events';
import type { Settled } from '../../src/delivery/delivery.ts';
import type { Pause } from '../../src/delivery/sender.ts';
import { accepted, BlockedError, RetryableError } from '../../src/destinations/destination.ts';
import type {
  Answer,
  BatchLimits,
  Destination,
  EncodedMessage,
  Rejection,
} from '../../src/destinations/destination.ts';
import type { DeadLetter, EventLog, ReceivedEvent } from '../../src/log/log.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import type { Message, MessageId } from '../../src/segment/message.ts';
import { appendAll, eventId, makeEvent, OpenedLog } from '../log/opened-log.ts';

export type Script = (
  batch: readonly string[],
  signal: AbortSignal,
) => readonly Answer[] | Promise<readonly Answer[]>;

export const rejected: Answer = { kind: 'rejected', reason: 'bad_value', detail: 'Its table says no' };

export function down(message = 'It is down'): RetryableError {
  return new RetryableError(message, { hint: 'Start it' });
}

export function blocked(message: string): BlockedError {
  return new BlockedError(message, { hint: 'Mend it' });
}

/** Fails this often, then takes everything. */
export function failing(times: number, { retryAfterMs }: { retryAfterMs?: number } = {}): Script {
  let left = times;
  return (batch) => {
    if (left-- > 0) throw new RetryableError('It is down', { hint: 'Start it', retryAfterMs });
    return batch.map(() => accepted);
  };
}

/** Never answers; gives up when it is told to, as a destination must. */
export const hang: Script = async (_batch, signal) => {
  if (!signal.aborted) await once(signal, 'abort');
  throw new RetryableError('It was abandoned', { hint: 'Wait', cause: signal.reason });
};

/** A pause that only a stop ends. */
export const hangPause: Pause = async (_milliseconds, signal) => {
  if (!signal.aborted) await once(signal, 'abort');
};

/** Takes everything, unless its script says otherwise. A message stands for its id. */
export class ScriptedDestination implements Destination<string> {
  readonly name: string;
  readonly limits: BatchLimits;
  /** Every attempt, in order. */
  readonly sends: { readonly at: number; readonly messageIds: readonly string[] }[] = [];
  answer: Script = (batch) => batch.map(() => accepted);
  /** How often opening fails. */
  openFaults = 0;
  opens = 0;
  closes = 0;

  constructor(name = 'segment', limits: BatchLimits = { maxMessages: 3, maxBytes: 1_000 }) {
    this.name = name;
    this.limits = limits;
  }

  /** Of all attempts, in order. */
  get messageIds(): readonly string[] {
    return this.sends.flatMap(({ messageIds }) => messageIds);
  }

  /** Between an attempt and the next. */
  waitMs(attempt: number): number {
    return (this.sends[attempt + 1]?.at ?? NaN) - (this.sends[attempt]?.at ?? NaN);
  }

  async open(): Promise<void> {
    if (++this.opens <= this.openFaults) {
      await Promise.reject(new RetryableError('It cannot be opened', { hint: 'Start it' }));
    }
  }

  encode({ messageId }: Message): EncodedMessage<string> | Rejection {
    if (messageId === 'unsendable') return { reason: 'too_large', detail: 'It is larger than 32 KB' };
    return { payload: messageId, bytes: 1 };
  }

  async send(batch: readonly string[], signal: AbortSignal): Promise<readonly Answer[]> {
    this.sends.push({ at: performance.now(), messageIds: batch });
    return this.answer(batch, signal);
  }

  close(): Promise<void> {
    this.closes++;
    return Promise.resolve();
  }
}

export function makeMessage(id: string, email = ''): Message {
  return {
    type: 'track',
    messageId: id as MessageId,
    userId: 'u',
    event: 'login',
    context: {},
    properties: { email },
  };
}

/** An event of the type `login`, which becomes one message of its own id. */
export function makeLogin(id: string, email = 'user@example.com'): ReceivedEvent {
  return makeEvent({ id: eventId(id), type: 'login', body: JSON.stringify({ id, type: 'login', email }) });
}

/** Appends logins of the ids 1 to `count`. */
export async function appendLogins(log: EventLog, count: number): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, index) => String(index + 1));
  await appendAll(
    log,
    ids.map((id) => makeLogin(id)),
  );
  return ids;
}

export function openLog(): Promise<OpenedLog> {
  return OpenedLog.open((directory) => SqliteLog.open(directory));
}

export function deadLettersIn({ settlements }: Settled): readonly DeadLetter[] {
  return settlements.flatMap((settlement) => (settlement.outcome === 'dead' ? settlement.deadLetters : []));
}
