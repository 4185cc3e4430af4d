// The thread that reads the log, so that no reader holds up the writer. Each query is short: a statement that stays
// open would keep the write-ahead log from being reset.

import type { EventId } from '../../fusionauth/event.ts';
import type { ConsumerBooks, Outcome, Position, RecordSummary } from '../log.ts';
import type { Query, QueryResult, RecordRow } from './operations.ts';
import { openForReading } from './schema.ts';
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
  outcome: database.prepare('select outcome from outcomes where consumer = ? and position = ?'),
};

serveRequests<Query, QueryResult>(answer, () => database.close());

function answer(query: Query): QueryResult {
  switch (query.kind) {
    case 'records':
      return readRecords(query.after, query.maxRecords, query.maxCharacters);
    case 'books':
      return inOneSnapshot(() => readBooks(query.consumers, query.now));
    case 'latest':
      return inOneSnapshot(() => readLatest(query.count, query.consumers));
  }
}

function readRecords(after: number, maxRecords: number, maxCharacters: number): QueryResult {
  const rows: RecordRow[] = [];
  let characters = 0;
  for (const row of statements.records.iterate(
    after,
    maxRecords,
  ) as Iterable<unknown> as Iterable<RecordRow>) {
    if (rows.length > 0 && characters + row.body.length > maxCharacters)
      return { kind: 'records', rows, isFull: true };
    rows.push(row);
    characters += row.body.length;
  }
  return { kind: 'records', rows, isFull: rows.length === maxRecords };
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

function readLatest(count: number, consumers: readonly string[]): QueryResult {
  const rows = statements.latest.all(count) as unknown as Omit<RecordRow, 'body'>[];
  const records = rows.map((row): RecordSummary => {
    const outcomeAt = (consumer: string) =>
      (statements.outcome.get(consumer, row.position) as { outcome: Outcome } | undefined)?.outcome ??
      'pending';
    return {
      position: String(row.position) as Position,
      id: row.event_id as EventId,
      type: row.type,
      tenantId: row.tenant_id,
      receivedAt: row.received_at,
      verifiedBy: row.verified_by,
      outcomes: Object.fromEntries(consumers.map((consumer) => [consumer, outcomeAt(consumer)])),
    };
  });
  return { kind: 'latest', records };
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
