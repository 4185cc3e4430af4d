// The thread that owns the log's file: the only writer.
//
// Holds always: a group of operations is one transaction, so it is on disk as a whole or not at all, and its answer is
// sent after the fsync of its commit. An operation that is refused for what it says is rolled back alone. Any other fault
// rolls the group back; after one that leaves the connection in doubt the file is closed and opened anew from what the
// disk holds, since a failed fsync must never be tried again. A position is never given twice, also where its record was
// removed.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { stretchesOf } from './attempts.ts';
import { openForWriting } from './schema.ts';
import type {
  DiscardOperation,
  Group,
  GroupResult,
  Operation,
  OperationResult,
  PruneOperation,
  ResettleOperation,
  SettleOperation,
} from './operations.ts';
import type { Attempt, ReplayRequest, SettledOutcome, Settlement } from '../log.ts';
import { errcodeOf, faultOf, serveRequests, workerOptions } from './worker-rpc.ts';
import type { Answer } from './worker-rpc.ts';

const { file } = workerOptions<{ file: string }>();

interface Connection {
  readonly database: DatabaseSync;
  readonly statements: Readonly<Record<keyof typeof sql, StatementSync>>;
  /** Position of the newest record, also where it was removed. */
  last: number;
}

const sql = {
  begin: 'begin immediate',
  commit: 'commit',
  beginOperation: 'savepoint operation',
  keepOperation: 'release operation',
  append: `insert into records (position, event_id, type, tenant_id, received_at, verified_by, body)
           values (?, ?, ?, ?, ?, ?, ?) on conflict (event_id) do nothing`,
  // A duplicate may also lie among the records of the same group: `changes` tells in both cases.
  count:
    'update books set received = received + ?, duplicates = duplicates + ?, stored = stored + ?, rejected = rejected + ?',
  // A destination that is new to a log from which old records were removed begins at the first that is left.
  register: `insert into consumers
             select ?, (select coalesce(min(position), 1) - 1 from records), 0, pruned, 0 from books where true
             on conflict (name) do nothing`,
  position: 'select position from consumers where name = ?',
  outcome: 'insert into outcomes values (?, ?, ?, ?)',
  deadLetter: 'insert into dead_letters values (?, ?, ?, ?, ?, ?, ?, ?, null)',
  attempt: `insert into attempts (consumer, first, last, messages, count, started_at, ended_at, succeeded, answer, only)
            values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  settle: `update consumers set position = ?, delivered = delivered + ?, filtered = filtered + ?, dead = dead + ?
           where name = ? and position = ?`,
  outcomeAt: 'select outcome from outcomes where consumer = ? and position = ?',
  changeOutcome: 'update outcomes set outcome = ?, settled_at = ? where consumer = ? and position = ?',
  dropDeadLetters: 'delete from dead_letters where consumer = ? and position = ?',
  move: `update consumers set delivered = delivered + ?, filtered = filtered + ?, dead = dead + ? where name = ?`,
  startReplay: `insert into replays (consumer, filter, as_new, per_second, state, position, until, delivered, filtered, dead, created_at)
                values (?, ?, ?, ?, 'running', 0, coalesce((select position from consumers where name = ?), 0), 0, 0, 0, ?)`,
  advanceReplay: `update replays set position = ?, delivered = delivered + ?, filtered = filtered + ?, dead = dead + ?
                  where id = ? and state = 'running'`,
  endReplay: `update replays set state = ?, ended_at = ? where id = ? and state = 'running'`,
  discardDeadLetters: 'update dead_letters set discarded_because = ? where consumer = ? and position = ?',
  isDead: `select 1 from outcomes where consumer in (select value from json_each(?)) and position = ? and outcome = 'dead'`,
  dropRecord: 'delete from records where position = ?',
  dropOutcomes: 'delete from outcomes where consumer in (select name from consumers) and position = ?',
  dropAllDeadLetters:
    'delete from dead_letters where consumer in (select name from consumers) and position = ?',
  // Of the removed records from the first to the last, those attempts of which nothing else is left. None that ends
  // behind the next record can be among them.
  dropAttempts: `delete from attempts where consumer in (select name from consumers)
                 and last between ? and coalesce((select min(position) from records where position > ?), 9e15)
                 and not exists (select 1 from records where position between attempts.first and attempts.last)`,
  // Destinations that had not come to a record, because they are off, will not get it any more.
  skipPruned: 'update consumers set filtered = filtered + 1 where position < ?',
  countPruned: 'update books set pruned = pruned + ?',
} as const;

/** Opened by the first group, so that its fault is the answer to it. */
let connection: Connection | undefined;

serveRequests<Group, GroupResult>(writeGroup, () => connection?.database.close());

function writeGroup(group: Group): GroupResult {
  connection ??= connect();
  const { database, statements, last } = connection;
  try {
    statements.begin.run();
    const result = runGroup(connection, group);
    statements.commit.run();
    return result;
  } catch (error) {
    connection.last = last;
    if (database.isTransaction) rollBack(database);
    if (isConnectionInDoubt(error)) {
      connection = undefined;
      database.close();
    }
    throw error;
  }
}

function connect(): Connection {
  const database = openForWriting(file);
  const prepared = Object.entries(sql).map(([name, text]) => [name, database.prepare(text)]);
  // Whatever was removed had been settled, so a consumer stands there or behind it.
  const { last } = database
    .prepare(
      `select max(coalesce((select max(position) from records), 0),
                  coalesce((select max(position) from consumers), 0)) as last`,
    )
    .get() as { last: number };
  return { database, statements: Object.fromEntries(prepared) as Connection['statements'], last };
}

function runGroup(connection: Connection, group: Group): GroupResult {
  const stored = appendEvents(connection, group);
  let appended = 0;
  for (const isNew of stored) appended += isNew;
  let rejected = 0;
  // A rejection of none counts too: it is how the main thread tries whether the disk takes writes again.
  let countsChanged = stored.length > 0;
  const results = group.operations.map((operation): Answer<OperationResult> => {
    if (operation.kind !== 'reject') return runAlone(connection, operation);
    rejected += operation.count;
    countsChanged = true;
    return { result: undefined };
  });
  if (countsChanged) {
    connection.statements.count.run(stored.length, stored.length - appended, appended, rejected);
  }
  return { stored, results };
}

function appendEvents(connection: Connection, group: Group): Uint8Array {
  const stored = new Uint8Array(group.ids.length);
  for (let index = 0; index < stored.length; index++) {
    const { changes } = connection.statements.append.run(
      connection.last + 1,
      group.ids[index] as string,
      group.types[index] as string,
      group.tenantIds[index] as string | null,
      group.receivedAts[index] as number,
      group.verifiedBys[index] as string,
      group.bodies[index] as string,
    );
    if (changes === 0) continue;
    stored[index] = 1;
    connection.last++;
  }
  return stored;
}

/** What is refused for what it says is undone, and nothing else of its group. */
function runAlone(
  connection: Connection,
  operation: Exclude<Operation, { kind: 'reject' }>,
): Answer<OperationResult> {
  const { database, statements } = connection;
  statements.beginOperation.run();
  try {
    const result = runOperation(connection, operation);
    statements.keepOperation.run();
    return { result };
  } catch (error) {
    if (!isOfOperation(error) || !database.isTransaction) throw error;
    database.exec('rollback to operation; release operation');
    return { fault: faultOf(error) };
  }
}

function runOperation(
  connection: Connection,
  operation: Exclude<Operation, { kind: 'reject' }>,
): OperationResult {
  switch (operation.kind) {
    case 'register':
      return register(connection, operation.consumer);
    case 'settle':
      settle(connection, operation);
      return undefined;
    case 'resettle':
      return resettle(connection, operation) ? 1 : 0;
    case 'discard':
      return discard(connection, operation);
    case 'prune':
      return prune(connection, operation);
    case 'give-back':
      return giveBack(connection, operation.maxPages);
    case 'start-replay':
      return startReplay(connection, operation.request, operation.now);
    case 'end-replay':
      return Number(
        connection.statements.endReplay.run(operation.state, operation.now, operation.replay).changes,
      );
  }
}

function register({ statements }: Connection, consumer: string): number {
  statements.register.run(consumer);
  return (statements.position.get(consumer) as { position: number }).position;
}

type Sums = Record<SettledOutcome, number>;

function settle(
  { statements }: Connection,
  { consumer, from, to, settlements, attempts, settledAt }: SettleOperation,
): void {
  const sums: Sums = { delivered: 0, filtered: 0, dead: 0 };
  for (const settlement of settlements) {
    sums[settlement.outcome]++;
    statements.outcome.run(consumer, Number(settlement.position), settlement.outcome, settledAt);
    keepDeadLetters(statements, consumer, settlement, settledAt);
  }
  keepAttempts(statements, consumer, attempts, settlements);
  const { changes } = statements.settle.run(to, sums.delivered, sums.filtered, sums.dead, consumer, from);
  if (changes !== 1)
    throw new Error(`Consumer ${consumer} is not at ${from}: its records were settled already`);
}

/** Does nothing for a record that was removed, nor for a replay that was stopped meanwhile: that is false. */
function resettle(
  { statements }: Connection,
  { consumer, replay, to, settlements, attempts, settledAt }: ResettleOperation,
): boolean {
  const now: Sums = { delivered: 0, filtered: 0, dead: 0 };
  for (const { outcome } of settlements) now[outcome]++;
  const { changes } = statements.advanceReplay.run(to, now.delivered, now.filtered, now.dead, replay);
  if (changes === 0) return false;
  const moved: Sums = { delivered: 0, filtered: 0, dead: 0 };
  const resettled: Settlement[] = [];
  for (const settlement of settlements) {
    const position = Number(settlement.position);
    const before = statements.outcomeAt.get(consumer, position) as { outcome: SettledOutcome } | undefined;
    if (before === undefined) continue;
    resettled.push(settlement);
    moved[before.outcome]--;
    moved[settlement.outcome]++;
    statements.changeOutcome.run(settlement.outcome, settledAt, consumer, position);
    statements.dropDeadLetters.run(consumer, position);
    keepDeadLetters(statements, consumer, settlement, settledAt);
  }
  statements.move.run(moved.delivered, moved.filtered, moved.dead, consumer);
  keepAttempts(statements, consumer, attempts, resettled);
  return true;
}

function keepDeadLetters(
  statements: Connection['statements'],
  consumer: string,
  settlement: Settlement,
  settledAt: number,
): void {
  if (settlement.outcome !== 'dead') return;
  const position = Number(settlement.position);
  for (const [number, { messageId, reason, detail, message }] of settlement.deadLetters.entries()) {
    statements.deadLetter.run(consumer, position, number, messageId, reason, detail, message, settledAt);
  }
}

function keepAttempts(
  statements: Connection['statements'],
  consumer: string,
  attempts: readonly Attempt[],
  settlements: readonly Settlement[],
): void {
  const sent = settlements
    .filter(({ outcome }) => outcome !== 'filtered')
    .map(({ position }) => Number(position))
    .sort((a, b) => a - b);
  for (const attempt of attempts) {
    const { messages, count, startedAt, endedAt, succeeded, answer } = attempt;
    for (const { first, last, only } of stretchesOf(attempt, sent)) {
      const list = only ? JSON.stringify(only) : null;
      const end = succeeded ? 1 : 0;
      statements.attempt.run(consumer, first, last, messages, count, startedAt, endedAt, end, answer, list);
    }
  }
}

/** Resolves to the number of records. */
function discard(
  { statements }: Connection,
  { consumer, positions, because, now }: DiscardOperation,
): number {
  let discarded = 0;
  for (const position of positions) {
    const found = statements.outcomeAt.get(consumer, position) as { outcome: SettledOutcome } | undefined;
    if (found?.outcome !== 'dead') continue;
    statements.changeOutcome.run('filtered', now, consumer, position);
    statements.discardDeadLetters.run(because, consumer, position);
    discarded++;
  }
  statements.move.run(0, discarded, -discarded, consumer);
  return discarded;
}

function startReplay(
  { statements }: Connection,
  { consumer, filter, asNew, perSecond }: ReplayRequest,
  now: number,
): number {
  const { lastInsertRowid } = statements.startReplay.run(
    consumer,
    JSON.stringify(filter),
    asNew ? 1 : 0,
    perSecond,
    consumer,
    now,
  );
  return Number(lastInsertRowid);
}

/** Resolves to the number of records removed. */
function prune(connection: Connection, { positions, consumers, maxPages }: PruneOperation): number {
  const { statements } = connection;
  const names = JSON.stringify(consumers);
  let pruned = 0;
  for (const position of positions) {
    // A replay may have made it so since it was found.
    if (statements.isDead.get(names, position) !== undefined) continue;
    if (statements.dropRecord.run(position).changes === 0) continue;
    pruned++;
    statements.dropOutcomes.run(position);
    statements.dropAllDeadLetters.run(position);
    statements.skipPruned.run(position);
  }
  const first = positions[0];
  const last = positions.at(-1);
  if (first !== undefined && last !== undefined) statements.dropAttempts.run(first, last);
  statements.countPruned.run(pruned);
  giveBack(connection, maxPages);
  return pruned;
}

function giveBack({ database }: Connection, maxPages: number): number {
  database.exec(`pragma incremental_vacuum(${maxPages})`);
  const { auto_vacuum } = database.prepare('pragma auto_vacuum').get() as { auto_vacuum: number };
  // A log of the first version cannot give back; it uses the space again.
  if (auto_vacuum === 0) return 0;
  return (database.prepare('pragma freelist_count').get() as { freelist_count: number }).freelist_count;
}

function rollBack(database: DatabaseSync): void {
  try {
    database.exec('rollback');
  } catch {
    // The fault that brought us here may have ended the transaction already; it is thrown on.
  }
}

/** Refused for what it says: by a constraint, by a value that is none of SQLite's, by us. */
function isOfOperation(error: unknown): boolean {
  const none = 0;
  const sqliteError = 1;
  const sqliteTooBig = 18;
  const sqliteConstraint = 19;
  const sqliteMismatch = 20;
  return [none, sqliteError, sqliteTooBig, sqliteConstraint, sqliteMismatch].includes(
    errcodeOf(error) & 0xff,
  );
}

/** I/O errors, a damaged file: after them the connection's cached pages may not be what the disk holds. */
function isConnectionInDoubt(error: unknown): boolean {
  const sqliteIoErr = 10;
  const sqliteCorrupt = 11;
  const sqliteNotADb = 26;
  return [sqliteIoErr, sqliteCorrupt, sqliteNotADb].includes(errcodeOf(error) & 0xff);
}
