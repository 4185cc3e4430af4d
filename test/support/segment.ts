// A stand-in for Segment's Tracking API. It behaves as Segment's documents and users say, faults included: 200 for
// nearly everything (a wrong write key, messages without a user, too many messages), 400 for a body that is no JSON or
// too large, for a message over 32 KB and for an empty write key.

import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeServer, listenOnLoopback, urlOf } from './loopback-server.ts';

/** A message as it arrived. */
export interface ReceivedMessage {
  readonly type: string;
  readonly messageId: string;
  readonly [field: string]: unknown;
}

export interface ReceivedBatch {
  readonly writeKey: string;
  readonly sentAt: string | undefined;
  readonly userAgent: string | undefined;
  readonly messages: readonly ReceivedMessage[];
}

/** What to do instead of taking a request. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'reset' }
  | { readonly kind: 'hang' }
  /** Takes the batch, then breaks the connection before it answers. */
  | { readonly kind: 'taken-but-reset' };

const maxBodyBytes = 500 * 1024;
const maxMessageBytes = 32 * 1024;

export class SegmentStandIn implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  /** Batches that were taken, in order. */
  readonly batches: ReceivedBatch[] = [];
  /** Requests that came, whatever was answered. */
  requests = 0;
  /** Asked for each request; undefined takes it. */
  faultFor: (request: number) => Fault | undefined = () => undefined;
  /** How long it takes to answer. */
  latencyMs = 0;
  /** Whether what was taken is kept: not where it would be gigabytes. */
  keepsBatches = true;
  /** Requests that were answered 400 for what they held. */
  refused = 0;

  static async start(): Promise<SegmentStandIn> {
    const segment = new SegmentStandIn();
    await listenOnLoopback(segment.#server);
    return segment;
  }

  /** For SEGMENT_ENDPOINT. */
  get url(): string {
    return urlOf(this.#server);
  }

  /** Every message that was taken, repeats included, in order. */
  get messages(): readonly ReceivedMessage[] {
    return this.batches.flatMap(({ messages }) => messages);
  }

  /** As Segment keeps them: the first of each message id. */
  get deduplicated(): readonly ReceivedMessage[] {
    const first = new Map<string, ReceivedMessage>();
    for (const message of this.messages) {
      if (!first.has(message.messageId)) first.set(message.messageId, message);
    }
    return [...first.values()];
  }

  /** Answers the next `count` requests with the fault. */
  fail(fault: Fault, count = Infinity): void {
    const last = this.requests + count;
    this.faultFor = (request) => (request <= last ? fault : undefined);
  }

  recover(): void {
    this.faultFor = () => undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeServer(this.#server);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The sender went away in the middle of its request.
    }
    const fault = this.faultFor(++this.requests);
    if (this.latencyMs > 0) await sleep(this.latencyMs);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'reset') return void request.socket.resetAndDestroy();
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, fault.headers).end('{"success":false}');
      return;
    }
    const isTaken = this.#take(request, Buffer.concat(chunks));
    if (!isTaken) this.refused++;
    if (fault?.kind === 'taken-but-reset') return void request.socket.resetAndDestroy();
    response.writeHead(isTaken ? 200 : 400, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ success: isTaken }));
  }

  #take(request: IncomingMessage, body: Buffer): boolean {
    const { authorization = '', 'user-agent': userAgent } = request.headers;
    const [writeKey = ''] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':');
    if (request.url !== '/v1/batch' || request.method !== 'POST') return false;
    if (
      request.headers['content-type'] !== 'application/json' ||
      writeKey === '' ||
      body.length > maxBodyBytes
    ) {
      return false;
    }
    let parsed: { batch: ReceivedMessage[]; sentAt?: string };
    try {
      parsed = JSON.parse(body.toString('utf8')) as typeof parsed;
    } catch {
      return false;
    }
    if (parsed.batch.some((message) => Buffer.byteLength(JSON.stringify(message)) > maxMessageBytes))
      return false;
    if (this.keepsBatches)
      this.batches.push({ writeKey, sentAt: parsed.sentAt, userAgent, messages: parsed.batch });
    return true;
  }
}
