// The API for single records and their lot: journeys, dead letters, replays. What the CLI uses; docs/api.md has it.

import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { parseExactly } from '../exact-json.ts';
import { entryOf } from '../fusionauth/catalogue.ts';
import type { EventId } from '../fusionauth/event.ts';
import { personalNames } from '../fusionauth/personal.ts';
import type {
  ConsumerJourney,
  DeadLetterCount,
  EventLog,
  KeptDeadLetter,
  LogRecord,
  Position,
  RecordFilter,
  Replay,
  ReplayId,
} from '../log/log.ts';
import type { Explanation } from '../mapping/explain.ts';
import type { DeliveryFault } from '../delivery/sender.ts';
import { RetryableError } from '../destinations/destination.ts';
import { checkTogether, positionField, searchFields, toSearchFilter } from './event-search.ts';
import { toEventSummary } from './event-summary.ts';
import type { EventSummary } from './event-summary.ts';
import { instant } from './instant.ts';
import { parseBody, parseQuery, refuse } from './json-body.ts';

/** What the API needs to know of a delivery. */
export interface DeliveryView {
  readonly name: string;
  readonly fault: DeliveryFault | undefined;
  readonly isReopenable: boolean;
  reopen(): Promise<void>;
}

export interface RecordsApiOptions {
  readonly log: EventLog;
  readonly deliveries: readonly DeliveryView[];
  /** What a record becomes at a destination, as `map --explain` tells it. */
  readonly explain: (record: LogRecord, destination: string) => Explanation;
  readonly guard: object;
}

/** `GET /api/events`. */
export interface EventsDocument {
  readonly events: readonly EventSummary[];
  /** What to give as `before` (or `after`) to go on; absent where nothing is left that way. */
  readonly next?: Position | undefined;
  /** When the last event that a search has looked at was received. */
  readonly searchedThrough?: number | undefined;
  /** By the clock of the events' `receivedAt`. */
  readonly now: number;
}

/** `GET /api/events/<id>`. */
export interface JourneyDocument {
  readonly event: Omit<LogRecord, 'body'> & { readonly body: unknown };
  readonly destinations: Readonly<
    Record<string, ConsumerJourney & Explanation & { readonly fault?: DeliveryFault }>
  >;
  /** Whether the catalogue has its type. */
  readonly isKnown: boolean;
  /** Names of the fields of `body` that tell of a person, for who shows it. */
  readonly personal: readonly string[];
}

/** `GET /api/dead-letters`. */
export interface DeadLettersDocument {
  readonly counts: readonly DeadLetterCount[];
  readonly deadLetters: readonly KeptDeadLetter[];
}

/** `POST /api/replays`: a dry run only counts. */
export type ReplayAnswer = { readonly records: number } | { readonly replay: Replay };

const maxListed = 1_000;
/** Records a second of a replay that says nothing else: beside live events, and far below what Segment allows. */
const defaultPerSecond = 100;
/** Slower than this a pause between two records would outlast a timer. */
const minPerSecond = 0.01;

const filterSchema = z.strictObject({
  eventId: z.string().optional(),
  userId: z.string().min(1).max(200).optional(),
  types: z.array(z.string().min(1).max(200)).min(1).max(100).optional(),
  from: instant.optional(),
  until: instant.optional(),
  outcome: z.enum(['delivered', 'filtered', 'dead']).optional(),
  reason: z.string().optional(),
});
const replaySchema = z.strictObject({
  destination: z.string(),
  filter: filterSchema.default({}),
  asNew: z.boolean().default(false),
  perSecond: z.number().min(minPerSecond).max(100_000).default(defaultPerSecond),
  dryRun: z.boolean().default(false),
});
const discardSchema = z.strictObject({
  destination: z.string(),
  filter: filterSchema.default({}),
  because: z.string().trim().min(1).max(500),
});
const reopenSchema = z.strictObject({ destination: z.string() });
const stopSchema = z.strictObject({ id: z.int().positive() });

export function registerRecordsApi(server: FastifyInstance, options: RecordsApiOptions): void {
  const { log, deliveries, explain, guard } = options;
  const names = deliveries.map(({ name }) => name);
  const knows = (destination: string, reply: FastifyReply): boolean => {
    if (names.includes(destination)) return true;
    void refuse(reply, 404, `There is no destination "${destination}"; there are ${names.join(', ')}`);
    return false;
  };

  const eventsSchema = z
    .strictObject({
      ...searchFields(names),
      before: positionField(log).optional(),
      after: positionField(log).optional(),
      limit: z.unknown().optional(),
    })
    .superRefine((query, context) => {
      checkTogether(query, context);
      if (query.before === undefined || query.after === undefined) return;
      context.addIssue({
        code: 'custom',
        path: ['before'],
        message: 'goes without after: one way or the other',
      });
    });
  server.get('/api/events', guard, async (request, reply) => {
    const query = parseQuery(eventsSchema, request, reply);
    if (query === undefined) return reply;
    const { before, after } = query;
    const options = { count: limitOf(query.limit, 50), consumers: names };
    const filter = toSearchFilter(query);
    if (after !== undefined) {
      const { records, next } = await log.follow(filter, { ...options, after });
      return { events: records.map(toEventSummary), next, now: Date.now() } satisfies EventsDocument;
    }
    // Who has gone away needs no answer, and the log's other readers need the time.
    const signal = whenClosed(reply);
    const { records, next, searchedThrough } = await log.search(filter, { ...options, before, signal });
    const events = records.map(toEventSummary);
    return { events, next, searchedThrough, now: Date.now() } satisfies EventsDocument;
  });

  server.get<{ Params: { id: string } }>('/api/events/:id', guard, async ({ params }, reply) => {
    const journey = await log.journey(params.id as EventId, names);
    if (journey === undefined) {
      return refuse(reply, 404, 'The log has no event of this id: it never came, or it was old and removed');
    }
    const { record, consumers } = journey;
    const destinations = deliveries.map(({ name, fault }) => {
      const consumer = consumers[name] as ConsumerJourney;
      const current = consumer.outcome === 'pending' && fault !== undefined ? { fault } : {};
      return [name, { ...consumer, ...current, ...explain(record, name) }] as const;
    });
    return {
      event: { ...record, body: parseExactly(record.body) },
      destinations: Object.fromEntries(destinations),
      isKnown: entryOf(record.type) !== undefined,
      personal: personalNames,
    } satisfies JourneyDocument;
  });

  server.get<{ Querystring: Record<string, string | undefined> }>(
    '/api/dead-letters',
    guard,
    async ({ query }, reply) => {
      const { destination, reason, limit } = query;
      const eventId = query['eventId'] as EventId | undefined;
      if (destination !== undefined && !knows(destination, reply)) return reply;
      const chosen = destination === undefined ? names : [destination];
      const filter = { eventId, reason };
      return {
        counts: await log.countDeadLetters(chosen, filter),
        deadLetters: await log.deadLetters(chosen, filter, limitOf(limit, 50)),
      } satisfies DeadLettersDocument;
    },
  );

  server.post('/api/dead-letters/discard', guard, async (request, reply) => {
    const body = parseBody(discardSchema, request, reply);
    if (body === undefined || !knows(body.destination, reply)) return reply;
    return { discarded: await log.discard(body.destination, body.filter as RecordFilter, body.because) };
  });

  server.post('/api/destinations/reopen', guard, async (request, reply) => {
    const body = parseBody(reopenSchema, request, reply);
    if (body === undefined || !knows(body.destination, reply)) return reply;
    const delivery = deliveries.find(({ name }) => name === body.destination);
    if (delivery?.isReopenable !== true) {
      return refuse(
        reply,
        400,
        `The destination "${body.destination}" has nothing open: only a warehouse has`,
      );
    }
    try {
      await delivery.reopen();
      return { reopened: true };
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      return refuse(reply, 503, `${error.message}. ${error.hint}`);
    }
  });

  server.get('/api/replays', guard, async (): Promise<{ replays: readonly Replay[] }> => {
    return { replays: await log.replays() };
  });

  server.post('/api/replays', guard, async (request, reply): Promise<ReplayAnswer | FastifyReply> => {
    const body = parseBody(replaySchema, request, reply);
    if (body === undefined || !knows(body.destination, reply)) return reply;
    const { destination: consumer, asNew, perSecond, dryRun } = body;
    const filter = body.filter as RecordFilter;
    // Counting takes its time in a large log, so it is done only for who asks for nothing else.
    if (dryRun) return { records: await log.countMatching(consumer, filter) };
    return { replay: await log.startReplay({ consumer, filter, asNew, perSecond }) };
  });

  server.post('/api/replays/stop', guard, async (request, reply) => {
    const body = parseBody(stopSchema, request, reply);
    if (body === undefined) return reply;
    if (await log.stopReplay(body.id as ReplayId)) return { stopped: true };
    return refuse(reply, 404, `No replay ${body.id} is running`);
  });
}

/** Aborts where the connection ends before the answer does. */
function whenClosed({ raw }: FastifyReply): AbortSignal {
  const closed = new AbortController();
  raw.once('close', () => closed.abort());
  return closed.signal;
}

function limitOf(text: unknown, otherwise: number): number {
  const limit = Number(text ?? otherwise);
  return Number.isInteger(limit) ? Math.min(Math.max(limit, 1), maxListed) : otherwise;
}
