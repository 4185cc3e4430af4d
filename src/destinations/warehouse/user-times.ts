// When each column of each person in `users` was last said, by the events' own times. With it an old event that comes
// late, by a replay or a backfill, cannot undo what a newer one has said.
//
// It stands in a table of the loader's own, since `users` is laid out as Segment lays it out: a row for each person, and
// in it the columns by their times, {"1767225600000": ["email", "first_name"]}: an event says nearly all of them at once.

import pg from 'pg';
import type { CellValue } from './columns.ts';
import type { Statement } from './statement.ts';
import { userTimesTable } from './rows.ts';

/** Column → milliseconds since 1970. */
export type ColumnTimes = ReadonlyMap<string, number>;

/** What a load will write of one person. */
export interface Person {
  readonly times: Map<string, number>;
  /** By column; null clears it. */
  readonly values: Map<string, CellValue | null>;
}

export function newPerson(times: ColumnTimes = new Map()): Person {
  return { times: new Map(times), values: new Map() };
}

/** The newer event counts; of two of one time, the one that comes later. */
export function say(person: Person, column: string, value: CellValue | null, at: number): void {
  if (at < (person.times.get(column) ?? -Infinity)) return;
  person.times.set(column, at);
  person.values.set(column, value);
}

export function createUserTimesStatement(schema: string): string {
  return `create table if not exists ${tableIn(schema)} (id character varying(1024) not null primary key, times jsonb not null)`;
}

/** The times of these persons, as far as they are there. */
export async function readUserTimes(
  client: pg.Client,
  schema: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ColumnTimes>> {
  if (ids.length === 0) return new Map();
  const { rows } = await client.query<{ id: string; times: Record<string, readonly string[]> }>(
    `select id, times from ${tableIn(schema)} where id = any($1)`,
    [ids],
  );
  return new Map(rows.map(({ id, times }) => [id, timesOf(times)]));
}

export function userTimesStatement(schema: string, people: ReadonlyMap<string, ColumnTimes>): Statement {
  return {
    text:
      `insert into ${tableIn(schema)} (id, times) select * from unnest($1::text[], $2::jsonb[]) ` +
      `on conflict (id) do update set times = excluded.times`,
    values: [
      [...people.keys()],
      Array.from(people.values(), (times) => JSON.stringify(columnsByTime(times))),
    ],
  };
}

function timesOf(columnsByTime: Readonly<Record<string, readonly string[]>>): ColumnTimes {
  return new Map(
    Object.entries(columnsByTime).flatMap(([at, columns]) =>
      columns.map((column): [string, number] => [column, Number(at)]),
    ),
  );
}

function columnsByTime(times: ColumnTimes): Record<string, string[]> {
  const byTime = Map.groupBy(times, ([, at]) => at);
  return Object.fromEntries(Array.from(byTime, ([at, entries]) => [at, entries.map(([column]) => column)]));
}

function tableIn(schema: string): string {
  return `${pg.escapeIdentifier(schema)}.${userTimesTable}`;
}
