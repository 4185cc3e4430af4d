// Segment's Tracking API: one call, `POST /v1/batch`, and what its answers mean (its reference, "HTTP API").

import { Agent, request } from 'undici';
import type { Dispatcher } from 'undici';
import { retryAfterMs } from './retry-after.ts';

export const endpoints = {
  us: 'https://api.segment.io',
  eu: 'https://events.eu1.segmentapis.com',
} as const satisfies Record<string, string>;
export type Region = keyof typeof endpoints;

/** Segment's addresses change (its documents ask for a fresh look-up at least daily, and after errors). */
const connectionLifetimeMs = 5 * 60_000;
const timeoutMs = 10_000;
/** Nobody reads what a longer answer says; Segment's has 20. */
const maxAnswerBytes = 128 * 1024;

/**
 * What came of one request. `accepted` means that Segment's edge took it: Segment validates later, in silence.
 * `refused`: this body will never be taken. `unavailable`: it may be, later. `foreign`: a web page came, so that it was
 * not Segment who answered.
 */
export type TrackingApiAnswer =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'misconfigured'; readonly status: number }
  | { readonly kind: 'foreign'; readonly status: number }
  | { readonly kind: 'unavailable'; readonly status: number; readonly retryAfterMs: number | undefined };

export class TrackingApi {
  readonly #url: string;
  readonly #authorization: string;
  readonly #userAgent: string;
  #agent = newAgent();

  /** `endpoint`: base URL, with or without `/v1`; FusionAuth's guide shows both. */
  constructor({ endpoint, writeKey, userAgent }: { endpoint: string; writeKey: string; userAgent: string }) {
    this.#url = `${endpoint.replace(/\/+$/, '').replace(/\/v1$/, '')}/v1/batch`;
    this.#authorization = `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`;
    this.#userAgent = userAgent;
  }

  get host(): string {
    return new URL(this.#url).host;
  }

  /** Sends messages, given as JSON texts. Rejects with undici's error where no answer came. */
  async sendBatch(messages: readonly string[], signal: AbortSignal): Promise<TrackingApiAnswer> {
    const { statusCode, headers } = await this.#post(messages, signal);
    return meaningOf(statusCode, headers);
  }

  /**
   * Asks without sending anything: a batch of no messages. `date`: Segment's clock, milliseconds since 1970, where the
   * answer has one. Rejects as sendBatch does.
   */
  async probe(signal: AbortSignal): Promise<{ answer: TrackingApiAnswer; date: number | undefined }> {
    const { statusCode, headers } = await this.#post([], signal);
    const date = Date.parse(String(headers['date']));
    return { answer: meaningOf(statusCode, headers), date: Number.isNaN(date) ? undefined : date };
  }

  async #post(
    messages: readonly string[],
    signal: AbortSignal,
  ): Promise<Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>> {
    // sentAt is stamped for each attempt and never stored: Segment computes a message's time from it, so the time of
    // an earlier attempt would move every event by as long as it was retried.
    const body = `{"batch":[${messages.join(',')}],"sentAt":"${new Date().toISOString()}"}`;
    try {
      const {
        statusCode,
        headers,
        body: answer,
      } = await request(this.#url, {
        method: 'POST',
        headers: {
          authorization: this.#authorization,
          'content-type': 'application/json',
          'user-agent': this.#userAgent,
        },
        body,
        dispatcher: this.#agent,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      await readToEnd(answer);
      if (statusCode >= 500) this.#renewConnections();
      return { statusCode, headers };
    } catch (error) {
      this.#renewConnections();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  /** The next request looks the host up again. */
  #renewConnections(): void {
    const former = this.#agent;
    this.#agent = newAgent();
    // Nothing is under way on it: there is one request at a time.
    former.destroy().catch(() => undefined);
  }
}

function newAgent(): Agent {
  return new Agent({
    // Not 1: with a single connection undici takes a bare client, which knows no clientTtl.
    connections: 2,
    clientTtl: connectionLifetimeMs,
    connect: { timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
}

/** Throws where the answer breaks off: it counts as a whole or not at all. (undici's `dump` would let that pass.) */
async function readToEnd(answer: AsyncIterable<Buffer>): Promise<void> {
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) return;
  }
}

function meaningOf(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): TrackingApiAnswer {
  if (status >= 200 && status < 300) {
    // A proxy's or a network's sign-in page. Not everything that speaks Segment's API answers in JSON, but none in HTML.
    const isPage = /^text\/html\b/i.test(String(headers['content-type'] ?? ''));
    return isPage ? { kind: 'foreign', status } : { kind: 'accepted' };
  }
  // Segment documents 400 for an oversized or malformed body; its libraries meet 413 as well.
  if (status === 400 || status === 413) return { kind: 'refused', status };
  // 410 and 460 come from what stands before Segment; its own libraries try again.
  const isRetryable = [408, 410, 429, 460].includes(status) || status >= 500;
  if (!isRetryable) return { kind: 'misconfigured', status };
  return { kind: 'unavailable', status, retryAfterMs: retryAfterMs(headers, Date.now()) };
}
