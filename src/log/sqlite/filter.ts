// A RecordFilter as a condition of SQL, over `records r` joined with one consumer's `outcomes o`.

import type { RecordFilter } from '../log.ts';

export interface Condition {
  /** Begins with `and`, or is empty. */
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/** Settled records that fit. A dead letter that somebody discarded is none any more. */
export function conditionOf(consumer: string, filter: RecordFilter): Condition {
  const parts: Condition[] = [];
  const add = (sql: string, ...values: (string | number)[]) => parts.push({ sql: `and ${sql}`, values });

  if (filter.eventId !== undefined) add('r.event_id = ?', filter.eventId);
  // As a JSON string: an id is one wherever it stands, and there are no columns for all the places.
  if (filter.userId !== undefined) add('instr(r.body, ?) > 0', JSON.stringify(filter.userId));
  if (filter.types !== undefined) {
    add(`(${filter.types.map(() => 'r.type glob ?').join(' or ') || 'false'})`, ...filter.types.map(globOf));
  }
  if (filter.from !== undefined) add('r.received_at >= ?', filter.from);
  if (filter.until !== undefined) add('r.received_at < ?', filter.until);
  if (filter.outcome !== undefined) add('o.outcome = ?', filter.outcome);
  if (filter.outcome === 'dead' || filter.reason !== undefined) {
    // Few records are dead, so these lead the search.
    add(
      `r.position in (select position from dead_letters where consumer = ? and discarded_because is null${filter.reason === undefined ? '' : ' and reason = ?'})`,
      consumer,
      ...(filter.reason === undefined ? [] : [filter.reason]),
    );
  }
  return { sql: parts.map(({ sql }) => sql).join(' '), values: parts.flatMap(({ values }) => values) };
}

/** Whether an index leads to the records that fit, so that the log need not be searched piece by piece. */
export function isIndexed({ eventId, outcome, reason }: RecordFilter): boolean {
  return eventId !== undefined || outcome === 'dead' || reason !== undefined;
}

/** `*` is the same in SQLite's GLOB; its other special characters stand for themselves here. */
function globOf(pattern: string): string {
  return pattern.replaceAll(/[?[]/g, '[$&]');
}
