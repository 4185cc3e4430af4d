// Looks through the log for records that fit: back from the newest (search) or on behind a place (follow).
//
// Holds always: one look ends after some tens of milliseconds, whatever it has or has not found, and says where to go on;
// the clock is asked at each record, since a body may have kilobytes or megabytes. There is no index but those that the log
// has anyway: each one more would cost every append.

import type { DatabaseSync } from 'node:sqlite';
import type { RecordSummary, SearchFilter } from '../log.ts';
import { searchCondition } from './filter.ts';
import type { Condition } from './filter.ts';
import type { Query, QueryResult } from './operations.ts';

export interface SearchParts {
  readonly database: DatabaseSync;
  readonly summaryOf: (position: number, consumers: readonly string[]) => RecordSummary;
  /** Up to where a consumer has settled all; 0 where it has not begun. */
  readonly settledBy: (consumer: string) => number;
}

/** One look ends after so many records … */
const recordsPerLook = 5_000;
/** … or this long, and the record in hand: other readers wait for no longer, though a search takes one look after another. */
const lookMs = 20;
/** So far a clock may have been off when a record was received, and the record is still found by its time. */
const clockSlackMs = 60 * 60_000;

/** A record to be judged. */
interface Candidate {
  readonly position: number;
  readonly received_at: number;
  readonly fits: number;
}

/** Positions from `first` up to and without `end`. */
interface Range {
  readonly first: number;
  readonly end: number;
}

export function createSearch({ database, summaryOf, settledBy }: SearchParts) {
  const statements = {
    newest: database.prepare('select max(position) as position from records'),
    at: database.prepare(
      'select position, received_at from records where position >= ? order by position limit 1',
    ),
    newestDead: database.prepare(
      `select position from outcomes where consumer = ? and outcome = 'dead' and position < ?
       order by position desc limit 1`,
    ),
  };

  function search({ filter, consumers, count, before }: Query & { kind: 'search' }): QueryResult {
    const range = rangeOf(filter, consumers, before);
    const looked = look(candidatesIn(range, filter, consumers), count);
    return {
      kind: 'search',
      records: looked.positions.map((position) => summaryOf(position, consumers)),
      next: looked.isCutShort ? looked.last?.position : undefined,
      searchedThrough: looked.last?.received_at,
    };
  }

  function follow({
    filter,
    consumers,
    count,
    after,
    mostBehind = Infinity,
  }: Query & { kind: 'follow' }): QueryResult {
    const newest = newestPosition();
    const start = Math.min(after, newest);
    const last = Math.min(newest, lastJudgeable(filter, consumers));
    const { sql, values } = judged(searchCondition(filter, consumers));
    const rows = database
      .prepare(`${sql} where r.position > ? and r.position <= ? order by r.position`)
      .iterate(...values, start, last) as Iterable<unknown> as Iterable<Candidate>;
    const looked = look(rows, count);
    const next = looked.isCutShort ? (looked.last?.position ?? start) : Math.max(start, last);
    const isLeftBehind = last - next > mostBehind;
    return {
      kind: 'follow',
      records: looked.positions.map((position) => summaryOf(position, consumers)),
      next: isLeftBehind ? last - count : next,
      // Positions have no gaps but where old records were removed.
      skipped: isLeftBehind ? { records: last - count - next, after: next } : undefined,
    };
  }

  function newestPosition(): number {
    return (statements.newest.get() as { position: number | null }).position ?? 0;
  }

  /** Where the records that may fit stand. */
  function rangeOf(
    { from, until, outcome }: SearchFilter,
    consumers: readonly string[],
    before: number | undefined,
  ): Range {
    const end = Math.min(before ?? Infinity, newestPosition() + 1);
    const range = {
      first: from === undefined ? 0 : firstReceivedAt(from - clockSlackMs, end),
      end: until === undefined ? end : firstReceivedAt(until + clockSlackMs, end),
    };
    if (outcome?.is !== 'pending') return range;
    return { ...range, first: Math.max(range.first, leastSettled(outcome.consumer, consumers) + 1) };
  }

  /** The first position from which on all is as new as this time, were no clock ever set back. By halving. */
  function firstReceivedAt(time: number, end: number): number {
    let low = 0;
    let high = end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = statements.at.get(middle) as Omit<Candidate, 'fits'> | undefined;
      if (row === undefined || row.received_at >= time) high = middle;
      else low = row.position + 1;
    }
    return high;
  }

  /** Up to where the outcome that is asked for is known, where it must be. */
  function lastJudgeable({ outcome }: SearchFilter, consumers: readonly string[]): number {
    if (outcome === undefined || outcome.is === 'pending') return Infinity;
    return leastSettled(outcome.consumer, consumers);
  }

  function leastSettled(consumer: string | undefined, consumers: readonly string[]): number {
    return Math.min(...(consumer === undefined ? consumers : [consumer]).map(settledBy));
  }

  /** The newest first. */
  function candidatesIn(
    { first, end }: Range,
    filter: SearchFilter,
    consumers: readonly string[],
  ): Iterable<Candidate> {
    const { sql, values } = judged(searchCondition(filter, consumers));
    if (filter.eventId !== undefined) {
      return database
        .prepare(`${sql} where r.event_id = ? and r.position >= ? and r.position < ?`)
        .all(...values, filter.eventId, first, end) as unknown as Candidate[];
    }
    if (filter.outcome?.is === 'dead') {
      const { consumer } = filter.outcome;
      const named = consumer === undefined ? consumers : [consumer];
      return deadCandidates(named, { first, end }, { sql, values });
    }
    return database
      .prepare(`${sql} where r.position >= ? and r.position < ? order by r.position desc`)
      .iterate(...values, first, end) as Iterable<unknown> as Iterable<Candidate>;
  }

  /** Records that are dead may lie far apart, and an index leads from each to the next. */
  function* deadCandidates(
    consumers: readonly string[],
    { first, end }: Range,
    { sql, values }: Condition,
  ): Generator<Candidate> {
    const one = database.prepare(`${sql} where r.position = ?`);
    for (let before = end; ;) {
      const found = consumers.map((consumer) => statements.newestDead.get(consumer, before)?.['position']);
      before = Math.max(...found.map((position) => (typeof position === 'number' ? position : -1)));
      if (before < first) return;
      const candidate = one.get(...values, before) as unknown as Candidate | undefined;
      if (candidate !== undefined) yield candidate;
    }
  }

  return { search, follow };
}

/** Judges candidates in turn until there are enough that fit, or the look has taken long enough. */
function look(candidates: Iterable<Candidate>, count: number) {
  const deadline = performance.now() + lookMs;
  const positions: number[] = [];
  let last: Candidate | undefined;
  let looked = 0;
  for (const candidate of candidates) {
    if (positions.length === count || looked === recordsPerLook || performance.now() > deadline) {
      return { positions, last, isCutShort: true };
    }
    if (candidate.fits === 1) positions.push(candidate.position);
    last = candidate;
    looked++;
  }
  return { positions, last, isCutShort: false };
}

/** A function and not `where`, so that the clock is asked between two records that do not fit. */
function judged({ sql, values }: Condition): Condition {
  return { sql: `select r.position, r.received_at, iif(true ${sql}, 1, 0) as fits from records r`, values };
}
