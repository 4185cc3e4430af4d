// A stand-in for Segment's Tracking API. It behaves as Segment's documents and users say, faults included: 200 for
// nearly everything (a wrong write key, messages without a user, too many messages), 400 for a body that is no JSON or
// too large, for a message over 32 KB and for an empty write key.

import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server as TlsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Certificate } from './certificate.ts';
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
  | { readonly kind: 'taken-but-reset' }
  /** Takes the batch, then breaks the connection in the midst of its answer. */
  | { readonly kind: 'taken-but-half-answered' }
  /** Something on the way answers 200 by a page of its own. */
  | { readonly kind: 'web-page' };

const maxBodyBytes = 500 * 1024;
const maxMessageBytes = 32 * 1024;

export class SegmentStandIn implements AsyncDisposable {
  readonly #server: Server | TlsServer;
  /** Batches that were taken, in order. */
  readonly batches: ReceivedBatch[] = [];
  /** Requests that came, whatever was answered. */
  requests = 0;
  /** When each of them had come, milliseconds since 1970. */
  readonly requestedAt: number[] = [];
  /** Messages for which a whole batch is answered 400. */
  isBad: (message: ReceivedMessage) => boolean = () => false;
  /** Asked for each request; undefined takes it. */
  faultFor: (request: number) => Fault | undefined = () => undefined;
  /** How long it takes to answer. */
  latencyMs = 0;
  /** Whether what was taken is kept: not where it would be gigabytes. */
  keepsBatches = true;
  /** Requests that were answered 400 for what they held. */
  refused = 0;

  private constructor(certificate: Certificate | undefined) {
    const answer = (request: IncomingMessage, response: ServerResponse) =>
      void this.#answer(request, response);
    this.#server = certificate ? createTlsServer(certificate, answer) : createServer(answer);
  }

  /** With a certificate it speaks TLS. */
  static async start(certificate?: Certificate): Promise<SegmentStandIn> {
    const segment = new SegmentStandIn(certificate);
    await listenOnLoopback(segment.#server);
    return segment;
  }

  /** For SEGMENT_ENDPOINT. */
  get url(): string {
    const url = urlOf(this.#server);
    return 'setSecureContext' in this.#server ? url.replace('http:', 'https:') : url;
  }

  renewCertificate(certificate: Certificate): void {
    (this.#server as TlsServer).setSecureContext(certificate);
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
    this.requestedAt.push(Date.now());
    if (this.latencyMs > 0) await sleep(this.latencyMs);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'reset') return void request.socket.resetAndDestroy();
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, fault.headers).end('{"success":false}');
      return;
    }
    if (fault?.kind === 'web-page') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      response.end('<!doctype html><title>Sign in to the network</title>');
      return;
    }
    const isTaken = this.#take(request, Buffer.concat(chunks));
    if (!isTaken) this.refused++;
    if (fault?.kind === 'taken-but-reset') return void request.socket.resetAndDestroy();
    if (fault?.kind === 'taken-but-half-answered') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '16' });
      response.write('{"succe', () => request.socket.destroy());
      return;
    }
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
    if (parsed.batch.some(this.isBad)) return false;
    if (this.keepsBatches)
      this.batches.push({ writeKey, sentAt: parsed.sentAt, userAgent, messages: parsed.batch });
    return true;
  }
}
