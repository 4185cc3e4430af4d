// The thread that owns the log's file: the only writer.
//
// Holds always: a group of operations is one transaction, so it is on disk as a whole or not at all, and its answer is
// sent after the fsync of its commit. A fault rolls the group back; after one that leaves the connection in doubt the
// file is closed and opened anew from what the disk holds, since a failed fsync must never be tried again.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { openForWriting } from './schema.ts';
import type { Group, GroupResult, OperationResult, SettleOperation } from './operations.ts';
import { errcodeOf, serveRequests, workerOptions } from './worker-rpc.ts';

const { file } = workerOptions<{ file: string }>();

interface Connection {
  readonly database: DatabaseSync;
  readonly statements: Readonly<Record<keyof typeof sql, StatementSync>>;
  /** Position of the newest record. */
  last: number;
}

const sql = {
  begin: 'begin immediate',
  commit: 'commit',
  append: `insert into records (position, event_id, type, tenant_id, received_at, verified_by, body)
           values (?, ?, ?, ?, ?, ?, ?) on conflict (event_id) do nothing`,
  // A duplicate may also lie among the records of the same group: `changes` tells in both cases.
  count:
    'update books set received = received + ?, duplicates = duplicates + ?, stored = stored + ?, rejected = rejected + ?',
  register: 'insert into consumers values (?, 0, 0, 0, 0) on conflict (name) do nothing',
  position: 'select position from consumers where name = ?',
  outcome: 'insert into outcomes values (?, ?, ?, ?)',
  deadLetter: 'insert into dead_letters values (?, ?, ?, ?, ?, ?, ?, ?)',
  settle: `update consumers set position = ?, delivered = delivered + ?, filtered = filtered + ?, dead = dead + ?
           where name = ? and position = ?`,
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
  const { last } = database.prepare('select coalesce(max(position), 0) as last from records').get() as {
    last: number;
  };
  return { database, statements: Object.fromEntries(prepared) as Connection['statements'], last };
}

function runGroup(connection: Connection, group: Group): GroupResult {
  const stored = appendEvents(connection, group);
  let appended = 0;
  for (const isNew of stored) appended += isNew;
  let rejected = 0;
  // A rejection of none counts too: it is how the main thread tries whether the disk takes writes again.
  let countsChanged = stored.length > 0;
  const results = group.operations.map((operation): OperationResult => {
    switch (operation.kind) {
      case 'reject':
        rejected += operation.count;
        countsChanged = true;
        return undefined;
      case 'register':
        return register(connection, operation.consumer);
      case 'settle':
        settle(connection, operation);
        return undefined;
    }
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

function register({ statements }: Connection, consumer: string): number {
  statements.register.run(consumer);
  return (statements.position.get(consumer) as { position: number }).position;
}

function settle(
  { statements }: Connection,
  { consumer, from, to, settlements, settledAt }: SettleOperation,
): void {
  const sums = { delivered: 0, filtered: 0, dead: 0 };
  for (const settlement of settlements) {
    sums[settlement.outcome]++;
    const position = Number(settlement.position);
    statements.outcome.run(consumer, position, settlement.outcome, settledAt);
    if (settlement.outcome !== 'dead') continue;
    for (const [number, { messageId, reason, detail, message }] of settlement.deadLetters.entries()) {
      statements.deadLetter.run(consumer, position, number, messageId, reason, detail, message, settledAt);
    }
  }
  const { changes } = statements.settle.run(to, sums.delivered, sums.filtered, sums.dead, consumer, from);
  if (changes !== 1)
    throw new Error(`Consumer ${consumer} is not at ${from}: its records were settled already`);
}

function rollBack(database: DatabaseSync): void {
  try {
    database.exec('rollback');
  } catch {
    // The fault that brought us here may have ended the transaction already; it is thrown on.
  }
}

/** I/O errors, a damaged file: after them the connection's cached pages may not be what the disk holds. */
function isConnectionInDoubt(error: unknown): boolean {
  const sqliteIoErr = 10;
  const sqliteCorrupt = 11;
  const sqliteNotADb = 26;
  return [sqliteIoErr, sqliteCorrupt, sqliteNotADb].includes(errcodeOf(error) & 0xff);
}
