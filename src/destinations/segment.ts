// The destination `segment`: messages as calls to Segment's Tracking API.

import { findDiscard, maxBatchBytes, maxBatchMessages } from '../segment/limits.ts';
import type { Message } from '../segment/message.ts';
import { TrackingApi } from '../segment/tracking-api.ts';
import type { TrackingApiAnswer } from '../segment/tracking-api.ts';
import { BatchRefusedError, RetryableError, sendInHalves } from './destination.ts';
import type { Answer, BatchLimits, Destination, EncodedMessage, Rejection } from './destination.ts';

export interface SegmentOptions {
  /** Base URL of the Tracking API, or of anything that speaks it. */
  readonly endpoint: string;
  readonly writeKey: string;
  readonly userAgent: string;
}

/** A payload is the message's JSON text. */
export class SegmentDestination implements Destination<string> {
  readonly name = 'segment';
  readonly limits: BatchLimits = { maxMessages: maxBatchMessages, maxBytes: maxBatchBytes };
  readonly #api: TrackingApi;

  constructor(options: SegmentOptions) {
    this.#api = new TrackingApi(options);
  }

  /** Nothing to do: Segment has no call that tells whether a write key is right. */
  open(): Promise<void> {
    return Promise.resolve();
  }

  encode(message: Message): EncodedMessage<string> | Rejection {
    const payload = JSON.stringify(message);
    const bytes = Buffer.byteLength(payload);
    // One more byte for the comma between two messages.
    return findDiscard(message, bytes) ?? { payload, bytes: bytes + 1 };
  }

  send(batch: readonly string[], signal: AbortSignal): Promise<readonly Answer[]> {
    return sendInHalves(batch, async (part) => {
      const answer = await this.#api.sendBatch(part, signal).catch((cause: unknown) => {
        throw new RetryableError(`Segment (${this.#api.host}) could not be reached`, {
          hint: 'Check the network, DNS and any proxy between this machine and Segment; events are kept and sent later',
          cause,
        });
      });
      if (answer.kind !== 'accepted') throw this.#errorFor(answer);
    });
  }

  close(): Promise<void> {
    return this.#api.close();
  }

  #errorFor(answer: Exclude<TrackingApiAnswer, { kind: 'accepted' }>): Error {
    switch (answer.kind) {
      case 'refused':
        return new BatchRefusedError('bad_request', `Segment answered ${answer.status}`);
      case 'misconfigured':
        return new RetryableError(`Segment (${this.#api.host}) answered ${answer.status}`, {
          hint: 'Check SEGMENT_WRITE_KEY and SEGMENT_REGION or SEGMENT_ENDPOINT; events are kept and sent later',
        });
      case 'unavailable':
        return new RetryableError(`Segment (${this.#api.host}) answered ${answer.status}`, {
          hint: 'Segment is overloaded or down; events are kept and sent later',
          retryAfterMs: answer.retryAfterMs,
        });
    }
  }
}
