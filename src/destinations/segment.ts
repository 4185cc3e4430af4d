// The destination `segment`: messages as calls to Segment's Tracking API.

import { findOversize, maxBatchBytes, maxBatchMessages } from '../segment/limits.ts';
import type { Message } from '../segment/message.ts';
import { RateLimit } from '../segment/rate-limit.ts';
import { TrackingApi } from '../segment/tracking-api.ts';
import type { TrackingApiAnswer } from '../segment/tracking-api.ts';
import {
  BatchRefusedError,
  BlockedError,
  RetryableError,
  sendInHalves,
  UnknownHostError,
} from './destination.ts';
import type { Answer, BatchLimits, Destination, EncodedMessage, Rejection } from './destination.ts';

export interface SegmentOptions {
  /** `segment`, or as the configuration file calls it. */
  readonly name: string;
  /** Base URL of the Tracking API, or of anything that speaks it. */
  readonly endpoint: string;
  readonly writeKey: string;
  readonly userAgent: string;
  /** Messages at most; no limit where it is 0. */
  readonly perSecond: number;
}

/** A payload is the message's JSON text. */
export class SegmentDestination implements Destination<string> {
  readonly name: string;
  readonly limits: BatchLimits = { maxMessages: maxBatchMessages, maxBytes: maxBatchBytes };
  readonly #api: TrackingApi;
  /** Since the bridge was started. */
  #hasAccepted = false;
  readonly #rate: RateLimit;

  constructor(options: SegmentOptions) {
    this.name = options.name;
    this.#rate = new RateLimit(options.perSecond);
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
    return findOversize(bytes) ?? { payload, bytes: bytes + 1 };
  }

  async send(batch: readonly string[], signal: AbortSignal): Promise<readonly Answer[]> {
    return sendInHalves(batch, async (part) => {
      const answer = await this.#sendOnce(part, signal);
      if (answer.kind === 'accepted') return;
      if (answer.kind === 'refused' && !this.#hasAccepted)
        await this.#demandOneAccepted(batch, answer, signal);
      throw errorFor(this.#api.host, answer);
    });
  }

  close(): Promise<void> {
    return this.#api.close();
  }

  async #sendOnce(part: readonly string[], signal: AbortSignal): Promise<TrackingApiAnswer> {
    await this.#rate.take(part.length, signal);
    const answer = await this.#api.sendBatch(part, signal).catch((cause: unknown) => {
      throw unreachable(this.#api.host, cause);
    });
    if (answer.kind === 'accepted') this.#hasAccepted = true;
    return answer;
  }

  /**
   * An endpoint that has accepted nothing yet and answers 400 is more likely no Segment at all (a wrong port, a proxy)
   * than the batch is bad: before messages are rejected for it, the first or the last must get through alone.
   */
  async #demandOneAccepted(
    batch: readonly string[],
    refusal: TrackingApiAnswer & { kind: 'refused' },
    signal: AbortSignal,
  ): Promise<void> {
    for (const message of new Set([batch[0] ?? '', batch.at(-1) ?? ''])) {
      if ((await this.#sendOnce([message], signal)).kind === 'accepted') return;
    }
    throw errorFor(this.#api.host, { kind: 'misconfigured', status: refusal.status });
  }
}

const kept = 'events are kept and sent later';
/** Node's and OpenSSL's names for what may be wrong with a certificate. */
const certificateFaults = /^(CERT_|ERR_TLS_CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/;
/** Node's and undici's codes, as an operator would say it. */
const connectionFaults: Readonly<Record<string, string>> = {
  EAI_AGAIN: 'DNS does not answer',
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection broke off before an answer had come',
  EPIPE: 'the connection broke off before an answer had come',
  UND_ERR_SOCKET: 'the connection broke off before the answer was whole',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no way leads there',
};

/** What to throw where no answer came. */
export function unreachable(host: string, cause: unknown): RetryableError {
  const message = `Segment (${host}) could not be reached`;
  const { name, code } = cause as { name?: unknown; code?: unknown };
  if (code === 'ENOTFOUND') {
    return new UnknownHostError(`${message}: the host name is unknown`, {
      hint: `Mend SEGMENT_ENDPOINT, or DNS on this machine; ${kept}`,
      cause,
    });
  }
  if (typeof code === 'string' && certificateFaults.test(code)) {
    return new RetryableError(`${message}: this machine does not trust its certificate (${code})`, {
      hint: `Check this machine’s clock and certificates, and for a proxy that opens TLS (NODE_EXTRA_CA_CERTS names its authority); ${kept}`,
      cause,
    });
  }
  const fault = name === 'TimeoutError' ? 'it does not answer' : connectionFaults[String(code)];
  return new RetryableError(fault === undefined ? message : `${message}: ${fault}`, {
    hint: `Check the network, DNS and any proxy between this machine and Segment; ${kept}`,
    cause,
  });
}

/** What to throw for an answer that is not `accepted`. */
export function errorFor(
  host: string,
  answer: Exclude<TrackingApiAnswer, { kind: 'accepted' }>,
): RetryableError | BatchRefusedError {
  switch (answer.kind) {
    case 'refused':
      return new BatchRefusedError('bad_request', `Segment answered ${answer.status}`);
    case 'misconfigured':
      return misconfigured(host, answer.status);
    case 'foreign':
      return new RetryableError(`${host} answered ${answer.status} with a web page, as Segment never does`, {
        hint: `Check SEGMENT_ENDPOINT, and for a proxy or a sign-in page between this machine and Segment; ${kept}`,
      });
    case 'unavailable':
      return new RetryableError(`Segment (${host}) answered ${answer.status}`, {
        hint:
          answer.status === 429
            ? `Segment asks to be sent less at a time: where that goes on, lower SEGMENT_EVENTS_PER_SECOND; ${kept}`
            : `Segment is overloaded or down; ${kept}`,
        retryAfterMs: answer.retryAfterMs,
      });
  }
}

function misconfigured(host: string, status: number): BlockedError {
  const message = `Segment (${host}) answered ${status}`;
  if (status >= 300 && status < 400) {
    return new BlockedError(`${message}, a redirect, which is not followed`, {
      hint: `Check SEGMENT_ENDPOINT, and for a proxy or a sign-in page between this machine and Segment; ${kept}`,
    });
  }
  if (status === 400 || status === 413) {
    return new BlockedError(`${message} to a single message, and has taken none yet`, {
      hint: `It may be no Segment that answers: check SEGMENT_ENDPOINT and SEGMENT_WRITE_KEY, and for a proxy that limits requests; ${kept}`,
    });
  }
  return new BlockedError(message, {
    hint: `Check SEGMENT_WRITE_KEY and SEGMENT_REGION or SEGMENT_ENDPOINT; ${kept}`,
  });
}
