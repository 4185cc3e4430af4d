// A RecordFilter or a SearchFilter as a condition of SQL.

import type { RecordFilter, SearchFilter } from '../log.ts';

export interface Condition {
  /** Begins with `and`, or is empty. */
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/** Over `records r` joined with one consumer's `outcomes o`. A dead letter that somebody discarded is none any more. */
export function settledCondition(filter: RecordFilter): Condition {
  const conditions = [recordCondition(filter)];
  // The outcome stands in the text, since only then does SQLite see that the index of the dead ones serves.
  if (filter.outcome !== undefined)
    conditions.push({ sql: `and o.outcome = '${filter.outcome}'`, values: [] });
  if (filter.reason !== undefined) {
    conditions.push({
      sql: `and o.outcome = 'dead' and exists (
              select 1 from dead_letters d where d.consumer = o.consumer and d.position = o.position
                and d.reason = ? and d.discarded_because is null)`,
      values: [filter.reason],
    });
  }
  return allOf(conditions);
}

/** Over `dead_letters d` joined with their `records r`. */
export function deadLetterCondition(filter: RecordFilter): Condition {
  const { reason } = filter;
  const ofReason = reason === undefined ? [] : [{ sql: 'and d.reason = ?', values: [reason] }];
  return allOf([...ofReason, recordCondition(filter)]);
}

/** Over `records r`; the outcomes of these consumers are looked up for each. */
export function searchCondition(filter: SearchFilter, consumers: readonly string[]): Condition {
  const { userId, email, applicationId, tenantId, verifiedBy, outcome, ...ofEvent } = filter;
  const conditions: Condition[] = [];
  if (tenantId !== undefined) conditions.push({ sql: 'and r.tenant_id = ?', values: [tenantId] });
  if (verifiedBy !== undefined) conditions.push({ sql: 'and r.verified_by = ?', values: [verifiedBy] });
  conditions.push(recordCondition(ofEvent));
  if (outcome !== undefined) {
    const names = outcome.consumer === undefined ? consumers : [outcome.consumer];
    const isSo = `coalesce((select o.outcome from outcomes o where o.consumer = ? and o.position = r.position), 'pending') = ?`;
    conditions.push({
      sql: `and (false ${names.map(() => `or ${isSo}`).join(' ')})`,
      values: names.flatMap((name) => [name, outcome.is]),
    });
  }
  // Last, since looking through a body costs the most.
  for (const text of [userId, email, applicationId]) {
    if (text !== undefined) conditions.push(bodyHolds(text));
  }
  return allOf(conditions);
}

/** Over `records r`: what the event itself says. The cheapest first. */
export function recordCondition({ eventId, userId, types, from, until }: RecordFilter): Condition {
  const conditions: Condition[] = [];
  const add = (sql: string, value: string | number) =>
    conditions.push({ sql: `and ${sql}`, values: [value] });

  if (eventId !== undefined) add('r.event_id = ?', eventId);
  if (types?.length === 1) {
    // Without a list, which would be parsed for each record.
    add('r.type glob ?', globOf(types[0] ?? ''));
  } else if (types !== undefined) {
    add('exists (select 1 from json_each(?) where r.type glob value)', JSON.stringify(types.map(globOf)));
  }
  if (from !== undefined) add('r.received_at >= ?', from);
  if (until !== undefined) add('r.received_at < ?', until);
  if (userId !== undefined) conditions.push(bodyHolds(userId));
  return allOf(conditions);
}

/** As a JSON string: an id is one wherever it stands, and there are no columns for all the places. */
function bodyHolds(text: string): Condition {
  return { sql: 'and instr(r.body, ?) > 0', values: [JSON.stringify(text)] };
}

function allOf(conditions: readonly Condition[]): Condition {
  return {
    sql: conditions.map(({ sql }) => sql).join(' '),
    values: conditions.flatMap(({ values }) => values),
  };
}

/** `*` is the same in SQLite's GLOB; its other special characters stand for themselves here. */
function globOf(pattern: string): string {
  return pattern.replaceAll(/[?[]/g, '[$&]');
}
