// The contract of a destination. It knows messages and nothing of FusionAuth; delivery knows this page and never which
// destination it has.

import type { Message } from '../segment/message.ts';

/** A message in the form in which a destination will send it. */
export interface EncodedMessage<Payload> {
  readonly payload: Payload;
  /** What it adds to a batch, in bytes. */
  readonly bytes: number;
}

/** This destination can never take the message as it is. `reason` in Segment's words where it has one. */
export interface Rejection {
  readonly reason: string;
  readonly detail: string;
}

export type Answer = { readonly kind: 'accepted' } | ({ readonly kind: 'rejected' } & Rejection);
export const accepted: Answer = { kind: 'accepted' };

export interface BatchLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

export interface Destination<Payload = unknown> {
  /** As in the words of DESIGN: `segment`, `warehouse`. */
  readonly name: string;
  readonly limits: BatchLimits;
  /**
   * Single values of accepted messages for which there was no place, and which it has kept aside, as far as is known.
   * Undefined for a destination that takes messages whole.
   */
  readonly discardedValues?: number;
  /**
   * When the newest event that it holds was received, milliseconds since 1970, 0 where it holds none. Known once it is
   * open; undefined for a destination that cannot tell.
   */
  readonly loadedThrough?: number | undefined;

  /**
   * Makes ready what can be made ready without a message: a server, a connection. Called until it resolves, and not
   * again after. Throws RetryableError.
   */
  open(signal: AbortSignal): Promise<void>;

  /** Pure. `receivedAt`: when the bridge took the event, milliseconds since 1970. */
  encode(message: Message, receivedAt: number): EncodedMessage<Payload> | Rejection;

  /**
   * Sends one batch and answers for each of its messages, in their order. Throws RetryableError when the batch may be
   * sent again: all of it is then, so what was taken already must collapse by its message id. Called by one loop at a
   * time, never for two batches at once.
   */
  send(batch: readonly Payload[], signal: AbortSignal): Promise<readonly Answer[]>;

  /**
   * Closes what it has open and opens it again, wherever it is by now; between two batches. Throws RetryableError.
   * Undefined for a destination that has nothing open.
   */
  reopen?(signal: AbortSignal): Promise<void>;

  close(): Promise<void>;
}

/** What was tried may work later: the batch stays where it is. `retryAfterMs` where the other side said when. */
export class RetryableError extends Error {
  readonly code: string = 'DESTINATION_UNAVAILABLE';
  readonly hint: string;
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    { hint, retryAfterMs, cause }: { hint: string; retryAfterMs?: number | undefined; cause?: unknown },
  ) {
    super(message, { cause });
    this.name = 'RetryableError';
    this.hint = hint;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A setting is wrong: nothing will be taken until somebody mends it. `hint` says what, in one sentence. */
export class BlockedError extends RetryableError {
  override readonly code = 'DESTINATION_BLOCKED';

  constructor(message: string, options: { hint: string; cause?: unknown }) {
    super(message, options);
    this.name = 'BlockedError';
  }
}

/**
 * The host name is unknown: for a moment that may be DNS being down, and for long it is a wrong setting. The sender
 * (delivery/sender.ts) tells the two apart.
 */
export class UnknownHostError extends RetryableError {
  constructor(message: string, options: { hint: string; cause?: unknown }) {
    super(message, options);
    this.name = 'UnknownHostError';
  }
}

/** A batch was refused for what it holds, and nobody said for which message. See `sendInHalves`. */
export class BatchRefusedError extends Error {
  readonly reason: string;

  constructor(reason: string, detail: string) {
    super(detail);
    this.name = 'BatchRefusedError';
    this.reason = reason;
  }
}

/**
 * Sends a batch; where it is refused for what it holds, sends its halves, and theirs, until each bad message stands
 * alone and is rejected and the good ones have gone. The order is kept.
 */
export async function sendInHalves<Payload>(
  batch: readonly Payload[],
  send: (batch: readonly Payload[]) => Promise<void>,
): Promise<readonly Answer[]> {
  try {
    await send(batch);
    return batch.map(() => accepted);
  } catch (error) {
    if (!(error instanceof BatchRefusedError)) throw error;
    if (batch.length === 1) return [{ kind: 'rejected', reason: error.reason, detail: error.message }];
    const middle = Math.ceil(batch.length / 2);
    const first = await sendInHalves(batch.slice(0, middle), send);
    return [...first, ...(await sendInHalves(batch.slice(middle), send))];
  }
}
