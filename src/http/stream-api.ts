// `GET /api/stream`: who may have a live stream, and their end. docs/api.md has it.

import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { EventLog, Position } from '../log/log.ts';
import { checkTogether, positionField, searchFields, toSearchFilter } from './event-search.ts';
import { parseQuery, refuse } from './json-body.ts';
import { streamEvents } from './live-stream.ts';

export interface StreamApiOptions {
  readonly log: EventLog;
  /** Names of destinations, whose outcomes are told. */
  readonly consumers: readonly string[];
  readonly guard: object;
  /** How long one may last, milliseconds. */
  readonly lifeMs?: number;
}

/** Who was let in is asked again after this time: a client comes again by itself, and goes on where it was. */
const usualLifeMs = 5 * 60_000;
/** At a time: each looks into the log several times a second. */
const mostStreams = 50;
const retryAfterSeconds = 10;
/** Before the first record of any log. */
const beginning = '0' as Position;

export function registerStreamApi(
  server: FastifyInstance,
  { log, consumers, guard, lifeMs = usualLifeMs }: StreamApiOptions,
): void {
  const closing = new AbortController();
  const streams = new Set<Promise<void>>();
  // Before the server waits for the answers that are under way: these have no end of their own.
  server.addHook('preClose', async () => {
    closing.abort();
    await Promise.all(streams);
  });

  const schema = z
    .strictObject({ ...searchFields(consumers), after: positionField(log).optional() })
    .superRefine(checkTogether);
  // Without HEAD, whose answer would never end.
  server.get('/api/stream', { ...guard, exposeHeadRoute: false }, async (request, reply) => {
    const query = parseQuery(schema, request, reply);
    if (query === undefined) return reply;
    // A browser that comes again asks by the same address as at first, and says in this header how far it came since.
    const resumed = positionOf(request.headers['last-event-id'], log);
    if (resumed === 'invalid') {
      return refuse(reply, 400, 'Last-Event-ID: expected the id of a message of this stream');
    }
    const after = resumed ?? query.after ?? (await log.latest(1, []))[0]?.position ?? beginning;
    if (streams.size >= mostStreams) return refuseForNow(reply);
    reply.hijack();
    const response = reply.raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // The connection ends with the stream, so that a stop has no idle one to wait for.
      connection: 'close',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    const options = { log, consumers, filter: toSearchFilter(query), after, response };
    // A log that cannot be read is told by what needs it more; the client comes again.
    const ending = AbortSignal.any([closing.signal, AbortSignal.timeout(lifeMs)]);
    const stream = streamEvents(options, ending).catch(() => undefined);
    streams.add(stream);
    await stream;
    streams.delete(stream);
    return reply;
  });
}

function positionOf(header: string | string[] | undefined, log: EventLog): Position | undefined | 'invalid' {
  if (header === undefined || header === '') return undefined;
  return log.parsePosition(String(header)) ?? 'invalid';
}

function refuseForNow(reply: FastifyReply): FastifyReply {
  return reply
    .code(429)
    .header('retry-after', String(retryAfterSeconds))
    .send({
      code: 'STREAMS_BUSY',
      message: `${mostStreams} live streams are open already: close one, or ask GET /api/events now and then`,
    });
}
