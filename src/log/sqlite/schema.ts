// The log's tables, and how a connection to them is opened.

import { DatabaseSync } from 'node:sqlite';
import { pageSize } from './page-size.ts';

export const schemaVersion = 2;

const schema = `
  create table records (
    position integer primary key,
    event_id text not null unique,
    type text not null,
    tenant_id text,
    received_at integer not null,
    verified_by text not null,
    body text not null
  ) strict;

  create table books (
    id integer primary key check (id = 1),
    received integer not null,
    duplicates integer not null,
    stored integer not null,
    rejected integer not null
  ) strict;
  insert into books values (1, 0, 0, 0, 0);

  -- What a destination has settled: everything up to "position", with the sums of its outcomes.
  create table consumers (
    name text primary key,
    position integer not null,
    delivered integer not null,
    filtered integer not null,
    dead integer not null
  ) strict, without rowid;

  create table outcomes (
    consumer text not null,
    position integer not null,
    outcome text not null check (outcome in ('delivered', 'filtered', 'dead')),
    settled_at integer not null,
    primary key (consumer, position)
  ) strict, without rowid;

  create table dead_letters (
    consumer text not null,
    position integer not null,
    number integer not null, -- among the dead letters of its record
    message_id text not null,
    reason text not null,
    detail text not null,
    message text not null,
    settled_at integer not null,
    primary key (consumer, position, number)
  ) strict, without rowid;

  pragma user_version = 1;
`;

/** From each version to the next; a new log goes through all of them. */
const migrations: readonly string[] = [
  schema,
  `
  -- Records that were removed because they were settled and old.
  alter table books add column pruned integer not null default 0;

  -- Why a person made a dead record a filtered one; null while it is dead.
  alter table dead_letters add column discarded_because text;

  -- Attempts to send messages of the records from "first" to "last"; "count" equal ones in a row.
  create table attempts (
    id integer primary key,
    consumer text not null,
    first integer not null,
    last integer not null,
    messages integer not null,
    count integer not null,
    started_at integer not null,
    ended_at integer not null,
    succeeded integer not null,
    answer text not null,
    only text -- JSON list of positions: whose messages were in it, where it is not all from "first" to "last"
  ) strict;
  create index attempts_by_record on attempts (consumer, last);

  -- Few records are dead, so these indexes cost next to nothing, and lead to them through any number of others.
  create index dead_outcomes on outcomes (consumer, position) where outcome = 'dead';
  create index dead_letters_by_time on dead_letters (consumer, settled_at, position, number)
    where discarded_because is null;
  create index dead_letters_by_reason on dead_letters (consumer, reason, position, settled_at)
    where discarded_because is null;

  create table replays (
    id integer primary key,
    consumer text not null,
    filter text not null, -- JSON
    as_new integer not null,
    per_second real not null,
    state text not null check (state in ('running', 'done', 'stopped')),
    position integer not null, -- up to which it has settled records again
    until integer not null, -- the last position that it may come to
    delivered integer not null,
    filtered integer not null,
    dead integer not null,
    created_at integer not null,
    ended_at integer
  ) strict;
  create index running_replays on replays (consumer, id) where state = 'running';

  pragma user_version = 2;
  `,
];

/** The log was written by a version of the bridge that knows more than this one. */
export class NewerLogError extends Error {
  readonly hint = 'Start the newer version of the bridge again, or give this one a DATA_DIR of its own';

  constructor(version: number) {
    super(`The log was written by a newer version of the bridge (schema ${version}, known ${schemaVersion})`);
    this.name = 'NewerLogError';
  }
}

/** The one connection that writes; makes the tables where there are none. */
export function openForWriting(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5_000 });
  try {
    // The first two only count in a file that has no table yet; space of an older one is used again, but not given back.
    database.exec(`
      pragma page_size = ${pageSize};
      pragma auto_vacuum = incremental;
      pragma journal_mode = wal;
      pragma synchronous = full;
      pragma wal_autocheckpoint = 4000;
      pragma journal_size_limit = 67108864;
      pragma cache_size = -32000;
    `);
    const { user_version: version } = database.prepare('pragma user_version').get() as {
      user_version: number;
    };
    if (version > schemaVersion) throw new NewerLogError(version);
    for (const migration of migrations.slice(version)) database.exec(`begin immediate; ${migration} commit;`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** A connection that only reads. In WAL mode it neither waits for the writer nor makes it wait. */
export function openForReading(file: string): DatabaseSync {
  return new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
}
