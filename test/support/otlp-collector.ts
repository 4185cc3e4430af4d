// A collector of traces: takes OTLP over HTTP, as protobuf, and keeps the spans.

import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { closeServer, listenOnLoopback, urlOf } from './loopback-server.ts';

export interface CollectedSpan {
  readonly service: unknown;
  readonly name: string;
  readonly id: string;
  /** 2 is a server's, 3 a client's, 1 neither. */
  readonly kind: number;
  readonly seconds: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Ids of the spans that it is linked to. */
  readonly links: readonly string[];
  readonly hasFailed: boolean;
}

export class OtlpCollector implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.#take(request, response));
  readonly spans: CollectedSpan[] = [];
  /** All bytes that came, to look for what must not be there. */
  received = Buffer.alloc(0);

  static async start(): Promise<OtlpCollector> {
    const collector = new OtlpCollector();
    await listenOnLoopback(collector.#server);
    return collector;
  }

  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  get url(): string {
    return urlOf(this.#server);
  }

  named(name: string): readonly CollectedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeServer(this.#server);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const isTraces =
      request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf';
    if (isTraces) {
      this.received = Buffer.concat([this.received, body]);
      this.spans.push(...spansOf(body));
    }
    response.writeHead(isTraces ? 200 : 404, { 'content-type': 'application/x-protobuf' }).end();
  }
}

// Numbers of fields: opentelemetry-proto, trace/v1/trace.proto, resource/v1/resource.proto and common/v1/common.proto.

function spansOf(request: Buffer): CollectedSpan[] {
  return read(request)
    .all(1)
    .flatMap((resourceSpans) => {
      const { 'service.name': service } = attributesOf(resourceSpans.one(1).all(1));
      return resourceSpans
        .all(2)
        .flatMap((scopeSpans) => scopeSpans.all(2).map((span) => spanOf(span, service)));
    });
}

function spanOf(span: Fields, service: unknown): CollectedSpan {
  return {
    service,
    name: span.text(5),
    id: span.bytes(2).toString('hex'),
    kind: span.number(6),
    seconds: (span.number(8) - span.number(7)) / 1e9,
    attributes: attributesOf(span.all(9)),
    links: span.all(13).map((link) => link.bytes(2).toString('hex')),
    hasFailed: span.one(15).number(3) === 2,
  };
}

function attributesOf(pairs: readonly Fields[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const value = pair.one(2);
      return [pair.text(1), value.has(1) ? value.text(1) : value.number(3)];
    }),
  );
}

/** The fields of one protobuf message, by their numbers; what is not there is empty or 0. */
interface Fields {
  readonly has: (field: number) => boolean;
  readonly bytes: (field: number) => Buffer;
  readonly text: (field: number) => string;
  readonly number: (field: number) => number;
  /** A message in the message. */
  readonly one: (field: number) => Fields;
  readonly all: (field: number) => Fields[];
}

function read(message: Buffer): Fields {
  const fields: { field: number; value: Buffer | number }[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message.readUInt8(at++);
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 0) fields.push({ field, value: varint() });
    else if (wire === 1) fields.push({ field, value: Number(message.readBigUInt64LE((at += 8) - 8)) });
    else if (wire === 5) fields.push({ field, value: message.readUInt32LE((at += 4) - 4) });
    else {
      const length = varint();
      fields.push({ field, value: message.subarray(at, (at += length)) });
    }
  }
  const valuesOf = (field: number) => fields.filter((each) => each.field === field).map(({ value }) => value);
  const bytes = (field: number) => valuesOf(field).find((value) => Buffer.isBuffer(value)) ?? Buffer.alloc(0);
  return {
    has: (field: number) => valuesOf(field).length > 0,
    bytes,
    text: (field: number) => bytes(field).toString(),
    number: (field: number) => valuesOf(field).find((value) => typeof value === 'number') ?? 0,
    one: (field) => read(bytes(field)),
    all: (field) => valuesOf(field).flatMap((value) => (Buffer.isBuffer(value) ? [read(value)] : [])),
  };
}
