// The thread that reads the log, so that no reader holds up the writer. Each query is short: a statement that stays
// open would keep the write-ahead log from being reset.

import type { EventId } from '../../fusionauth/event.ts';
import type {
  ConsumerBooks,
  ConsumerJourney,
  DeadLetterCount,
  KeptDeadLetter,
  Outcome,
  Position,
  RecordFilter,
  RecordOutcomes,
  RecordSummary,
  Replay,
  ReplayId,
} from '../log.ts';
import { maxStretch } from './attempts.ts';
import { deadLetterCondition, recordCondition, settledCondition } from './filter.ts';
import type { Query, QueryResult, RecordRow, StoredReplay } from './operations.ts';
import { openForReading } from './schema.ts';
import { createSearch } from './search.ts';
import { serveRequests, workerOptions } from './worker-rpc.ts';

const database = openForReading(workerOptions<{ file: string }>().file);
const statements = {
  records: database.prepare('select * from records where position > ? order by position limit ?'),
  books: database.prepare('select received, duplicates, stored, rejected from books'),
  consumer: database.prepare('select position, delivered, filtered, dead from consumers where name = ?'),
  oldest: database.prepare('select received_at from records where position > ? order by position limit 1'),
  latest: database.prepare(
    `select position, event_id, type, tenant_id, received_at, verified_by from records order by position desc limit ?`,
  ),
  since: database.prepare(
    `select position, event_id, type, tenant_id, received_at, verified_by from records where position > ? order by position limit ?`,
  ),
  summary: database.prepare(
    'select position, event_id, type, tenant_id, received_at, verified_by from records where position = ?',
  ),
  eventId: database.prepare('select event_id from records where position = ?'),
  deliveredThrough: database.prepare(
    `select received_at from outcomes join records using (position)
     where consumer = ? and outcome = 'delivered' order by position desc limit 1`,
  ),
  outcome: database.prepare('select outcome, settled_at from outcomes where consumer = ? and position = ?'),
  record: database.prepare('select * from records where event_id = ?'),
  deadLetters: database.prepare(
    `select message_id, reason, detail, message, discarded_because from dead_letters
     where consumer = ? and position = ? order by number`,
  ),
  attempts: database.prepare(
    `select * from attempts where consumer = :consumer and last between :position and :position + ${maxStretch}
       and first <= :position and (only is null or :position in (select value from json_each(only)))
     order by started_at, id`,
  ),
  replays: database.prepare('select * from replays order by id desc'),
  nextReplay: database.prepare(
    `select * from replays where consumer = ? and state = 'running' order by id limit 1`,
  ),
  position: database.prepare('select position from consumers where name = ?'),
  searchedDead: database.prepare(
    `select position from outcomes where consumer = ? and outcome = 'dead' and position > ? order by position limit 1 offset ?`,
  ),
  settledBy: database.prepare(
    `select count(*) as registered, coalesce(min(position), 0) as settled from consumers
     where name in (select value from json_each(?))`,
  ),
  prunable: database.prepare(
    `select position, received_at, exists (
       select 1 from outcomes o where o.consumer in (select value from json_each(?)) and o.position = r.position
         and o.outcome = 'dead') as is_dead
     from records r where position > ? and position <= ? order by position limit ?`,
  ),
};

/** A search looks at this many records at a time, so that other readers wait for no longer than that: some 20 ms. */
const searchedAtOnce = 5_000;

const { search, follow } = createSearch({
  database,
  summaryOf: (position, consumers) =>
    summaryOf(statements.summary.get(position) as unknown as SummaryRow, consumers),
  settledBy,
});

serveRequests<Query, QueryResult>(answer, () => database.close());

function answer(query: Query): QueryResult {
  switch (query.kind) {
    case 'records':
      return readRecords(query.after, query.maxRecords, query.maxCharacters);
    case 'books':
      return inOneSnapshot(() => readBooks(query.consumers, query.now));
    case 'latest':
      return inOneSnapshot(() => ({
        kind: 'latest',
        records: summaries(statements.latest.all(query.count), query.consumers),
      }));
    case 'since':
      return inOneSnapshot(() => ({
        kind: 'since',
        records: summaries(statements.since.all(query.after, query.count), query.consumers),
      }));
    case 'search':
      return inOneSnapshot(() => search(query));
    case 'follow':
      return inOneSnapshot(() => follow(query));
    case 'outcomes':
      return inOneSnapshot(() => readOutcomes(query.positions, query.consumers));
    case 'delivered-through':
      return { kind: 'delivered-through', receivedAt: deliveredThrough(query.consumer) };
    case 'journey':
      return inOneSnapshot(() => readJourney(query.eventId, query.consumers));
    case 'dead-letters':
      return {
        kind: 'dead-letters',
        deadLetters: readDeadLetters(query.consumers, query.filter, query.count),
      };
    case 'dead-letter-counts':
      return {
        kind: 'dead-letter-counts',
        counts: query.consumers.flatMap((consumer) => countDeadLetters(consumer, query.filter)),
      };
    case 'replays':
      return {
        kind: 'replays',
        replays: (statements.replays.all() as unknown as ReplayRow[]).map(toReplay),
      };
    case 'next-replay':
      return { kind: 'next-replay', next: readNextReplay(query.consumer) };
    case 'matching':
      return inOneSnapshot(() => readMatching(query));
    case 'prunable':
      return inOneSnapshot(() => readPrunable(query));
    case 'count-matching':
      return inOneSnapshot(() => countMatching(query));
  }
}

function readRecords(after: number, maxRecords: number, maxCharacters: number): QueryResult {
  const found = statements.records.iterate(after, maxRecords) as Iterable<unknown> as Iterable<RecordRow>;
  return { kind: 'records', ...takeRows(found, maxRecords, maxCharacters) };
}

/** As many rows as the limits allow, one at least; `isFull` where there may be more. */
function takeRows(
  found: Iterable<RecordRow>,
  maxRecords: number,
  maxCharacters: number,
): { rows: readonly RecordRow[]; isFull: boolean } {
  const rows: RecordRow[] = [];
  let characters = 0;
  for (const row of found) {
    if (rows.length > 0 && characters + row.body.length > maxCharacters) return { rows, isFull: true };
    rows.push(row);
    characters += row.body.length;
  }
  return { rows, isFull: rows.length === maxRecords };
}

function readBooks(consumers: readonly string[], now: number): QueryResult {
  const books = statements.books.get() as {
    received: number;
    duplicates: number;
    stored: number;
    rejected: number;
  };
  return {
    kind: 'books',
    books: {
      ...books,
      consumers: Object.fromEntries(consumers.map((name) => [name, consumerBooks(name, books.stored, now)])),
    },
  };
}

function consumerBooks(name: string, stored: number, now: number): ConsumerBooks {
  const { position, delivered, filtered, dead } = (statements.consumer.get(name) ?? {
    position: 0,
    delivered: 0,
    filtered: 0,
    dead: 0,
  }) as { position: number; delivered: number; filtered: number; dead: number };
  const oldest = statements.oldest.get(position) as { received_at: number } | undefined;
  return {
    pending: stored - delivered - filtered - dead,
    delivered,
    filtered,
    dead,
    oldestPendingSeconds:
      oldest === undefined ? 0 : Math.max(0, Math.round((now - oldest.received_at) / 1000)),
  };
}

type SummaryRow = Omit<RecordRow, 'body'>;

function summaries(rows: unknown, consumers: readonly string[]): readonly RecordSummary[] {
  return (rows as SummaryRow[]).map((row) => summaryOf(row, consumers));
}

function summaryOf(row: SummaryRow, consumers: readonly string[]): RecordSummary {
  return {
    position: String(row.position) as Position,
    id: row.event_id as EventId,
    type: row.type,
    tenantId: row.tenant_id,
    receivedAt: row.received_at,
    verifiedBy: row.verified_by,
    outcomes: outcomesAt(row.position, consumers),
  };
}

function outcomesAt(position: number, consumers: readonly string[]): Readonly<Record<string, Outcome>> {
  return Object.fromEntries(consumers.map((consumer) => [consumer, outcomeOf(consumer, position).outcome]));
}

function readOutcomes(positions: readonly number[], consumers: readonly string[]): QueryResult {
  const records = positions.flatMap((position): RecordOutcomes[] => {
    const found = statements.eventId.get(position) as { event_id: EventId } | undefined;
    if (found === undefined) return [];
    const outcomes = outcomesAt(position, consumers);
    return [{ position: String(position) as Position, id: found.event_id, outcomes }];
  });
  return { kind: 'outcomes', records };
}

/** Up to where this consumer has settled all. */
function settledBy(consumer: string): number {
  const row = statements.position.get(consumer) as { position: number } | undefined;
  return row?.position ?? 0;
}

function outcomeOf(consumer: string, position: number): { outcome: Outcome; settledAt: number | undefined } {
  const row = statements.outcome.get(consumer, position) as
    { outcome: Outcome; settled_at: number } | undefined;
  return { outcome: row?.outcome ?? 'pending', settledAt: row?.settled_at };
}

function deliveredThrough(consumer: string): number | undefined {
  const found = statements.deliveredThrough.get(consumer) as { received_at: number } | undefined;
  return found?.received_at;
}

function readJourney(eventId: string, consumers: readonly string[]): QueryResult {
  const record = statements.record.get(eventId) as unknown as RecordRow | undefined;
  if (record === undefined) return { kind: 'journey', record, consumers: {} };
  const entries = consumers.map((name): [string, ConsumerJourney] => [
    name,
    consumerJourney(name, record.position),
  ]);
  return { kind: 'journey', record, consumers: Object.fromEntries(entries) };
}

interface DeadLetterRow {
  readonly message_id: string;
  readonly reason: string;
  readonly detail: string;
  readonly message: string;
  readonly discarded_because: string | null;
}

interface AttemptRow {
  readonly first: number;
  readonly last: number;
  readonly messages: number;
  readonly count: number;
  readonly started_at: number;
  readonly ended_at: number;
  readonly succeeded: number;
  readonly answer: string;
}

function consumerJourney(consumer: string, position: number): ConsumerJourney {
  const deadLetters = statements.deadLetters.all(consumer, position) as unknown as DeadLetterRow[];
  const attempts = statements.attempts.all({ consumer, position }) as unknown as AttemptRow[];
  return {
    ...outcomeOf(consumer, position),
    discardedBecause: deadLetters[0]?.discarded_because ?? undefined,
    deadLetters: deadLetters.map(toDeadLetter),
    attempts: attempts.map((row) => ({
      first: String(row.first) as Position,
      last: String(row.last) as Position,
      messages: row.messages,
      count: row.count,
      startedAt: row.started_at,
      endedAt: row.ended_at,
      succeeded: row.succeeded === 1,
      answer: row.answer,
    })),
  };
}

function toDeadLetter({ message_id, reason, detail, message }: DeadLetterRow) {
  return { messageId: message_id, reason, detail, message };
}

function readDeadLetters(
  consumers: readonly string[],
  filter: RecordFilter,
  count: number,
): readonly KeptDeadLetter[] {
  const found = consumers.flatMap((consumer) => {
    const { sql, values } = deadLetterCondition(filter);
    const rows = database
      .prepare(
        `select d.message_id, d.reason, d.detail, d.message, d.settled_at, r.position, r.event_id, r.type, r.received_at
         from dead_letters d join records r on r.position = d.position
         where d.consumer = ? and d.discarded_because is null ${sql}
         order by d.settled_at desc, d.position desc, d.number desc limit ?`,
      )
      .all(consumer, ...values, count);
    return (rows as unknown as (DeadLetterRow & RecordRow & { settled_at: number })[]).map((row) => ({
      ...toDeadLetter(row),
      consumer,
      position: String(row.position) as Position,
      eventId: row.event_id as EventId,
      type: row.type,
      receivedAt: row.received_at,
      settledAt: row.settled_at,
    }));
  });
  return found.sort((a, b) => b.settledAt - a.settledAt).slice(0, count);
}

function countDeadLetters(consumer: string, filter: RecordFilter): DeadLetterCount[] {
  const { sql, values } = deadLetterCondition(filter);
  // Else the index of reasons has all that is counted.
  const join = recordCondition(filter).sql === '' ? '' : 'join records r on r.position = d.position';
  const rows = database
    .prepare(
      `select d.reason, count(*) as dead_letters, count(distinct d.position) as records,
              min(d.settled_at) as oldest_at, max(d.settled_at) as newest_at
       from dead_letters d ${join}
       where d.consumer = ? and d.discarded_because is null ${sql} group by d.reason order by d.reason`,
    )
    .all(consumer, ...values) as unknown as {
    reason: string;
    dead_letters: number;
    records: number;
    oldest_at: number;
    newest_at: number;
  }[];
  return rows.map(({ reason, dead_letters, records, oldest_at, newest_at }) => ({
    consumer,
    reason,
    deadLetters: dead_letters,
    records,
    oldestAt: oldest_at,
    newestAt: newest_at,
  }));
}

interface ReplayRow {
  readonly id: number;
  readonly consumer: string;
  readonly filter: string;
  readonly as_new: number;
  readonly per_second: number;
  readonly state: Replay['state'];
  readonly position: number;
  readonly until: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly dead: number;
  readonly created_at: number;
  readonly ended_at: number | null;
}

function readNextReplay(consumer: string): StoredReplay | undefined {
  const row = statements.nextReplay.get(consumer) as unknown as ReplayRow | undefined;
  return row && { replay: toReplay(row), position: row.position, until: row.until };
}

function toReplay(row: ReplayRow): Replay {
  return {
    id: row.id as ReplayId,
    consumer: row.consumer,
    filter: JSON.parse(row.filter) as RecordFilter,
    asNew: row.as_new === 1,
    perSecond: row.per_second,
    state: row.state,
    idSuffix: row.as_new === 1 ? `-r${row.id}` : '',
    delivered: row.delivered,
    filtered: row.filtered,
    dead: row.dead,
    createdAt: row.created_at,
    endedAt: row.ended_at ?? undefined,
  };
}

/** One piece of a search: records behind `after` that fit, in order, at most up to `until`. */
function readMatching(query: Query & { kind: 'matching' }): QueryResult {
  const { consumer, after, maxRecords, maxCharacters } = query;
  const { to, until } = pieceOf(query);
  const { sql, values } = fitting(query);
  const found = database
    .prepare(`select r.* ${sql} order by o.position limit ?`)
    .iterate(consumer, after, to, ...values, maxRecords) as Iterable<unknown> as Iterable<RecordRow>;
  const { rows, isFull } = takeRows(found, maxRecords, maxCharacters);
  return { kind: 'matching', rows, searchedTo: isFull ? (rows.at(-1)?.position ?? to) : to, until };
}

function countMatching(query: Query & { kind: 'count-matching' }): QueryResult {
  const { consumer, after } = query;
  const { to, until } = pieceOf(query);
  const { sql, values } = fitting(query);
  const { count } = database
    .prepare(`select count(*) as count ${sql}`)
    .get(consumer, after, to, ...values) as { count: number };
  return { kind: 'count-matching', count, searchedTo: to, until };
}

type Search = Query & { kind: 'matching' | 'count-matching' };

function fitting({ filter }: Search) {
  const { sql, values } = settledCondition(filter);
  return {
    sql: `from outcomes o join records r on r.position = o.position
          where o.consumer = ? and o.position > ? and o.position <= ? ${sql}`,
    values,
  };
}

/** How far this piece of a search goes, and how far the whole of it. */
function pieceOf({ consumer, filter, after, until }: Search): { to: number; until: number } {
  const end = until ?? settledBy(consumer);
  if (filter.eventId !== undefined) return { to: end, until: end };
  // Dead ones may lie far apart, and an index leads from each to the next.
  if (filter.outcome === 'dead' || filter.reason !== undefined) {
    const last = statements.searchedDead.get(consumer, after, searchedAtOnce - 1) as
      { position: number } | undefined;
    return { to: Math.min(end, last?.position ?? end), until: end };
  }
  return { to: Math.min(end, after + searchedAtOnce), until: end };
}

function readPrunable({ before, consumers, after, maxRecords }: Query & { kind: 'prunable' }): QueryResult {
  const names = JSON.stringify(consumers);
  const { registered, settled } = statements.settledBy.get(names) as { registered: number; settled: number };
  // One that has not begun has settled nothing.
  const until = registered === new Set(consumers).size ? settled : 0;
  const rows = statements.prunable.all(names, after, until, maxRecords) as {
    position: number;
    received_at: number;
    is_dead: number;
  }[];
  const old = rows.filter(({ received_at }) => received_at < before);
  return {
    kind: 'prunable',
    positions: old.filter(({ is_dead }) => is_dead === 0).map(({ position }) => position),
    searchedTo: rows.at(-1)?.position ?? after,
    // They stand in the order of their times, but for a clock that was set: whatever is behind as many young ones is young.
    isDone: old.length === 0,
  };
}

/** Several statements that must see the same state of the log. */
function inOneSnapshot(read: () => QueryResult): QueryResult {
  database.exec('begin');
  try {
    return read();
  } finally {
    database.exec('commit');
  }
}
