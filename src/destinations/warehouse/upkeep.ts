// Keeps a schema's views and comments up to date, on the loader's connection, between its batches.
//
// Never at the cost of a load: each statement has a transaction of its own and waits for a lock only shortly, since a
// client that reads a view and leaves its transaction open holds the view's lock for hours. What could not be done is
// tried again a while later, and the others are done.

import pg from 'pg';
import type { Statement } from './statement.ts';
import { planComments } from './comments.ts';
import { needsViews, planViews } from './views.ts';
import type { SourceTables } from './views.ts';

const lockTimeoutMs = 100;
const retryAfterMs = 60_000;

/** A connection that is in no transaction. */
export interface Connection {
  query(sql: string): Promise<unknown>;
}

export class Upkeep {
  readonly #schema: string;
  /** What views and comments were planned for; undefined where nothing was yet. */
  #plannedFor: SourceTables | undefined;
  /** All views' statements as they were planned then. Of most, nothing changes when a table comes. */
  #planned: ReadonlySet<string> = new Set();
  /** What is still to be run. */
  #views: readonly Statement[] = [];
  #comments: readonly Statement[] = [];
  #retryAt = 0;

  constructor(schema: string) {
    this.#schema = schema;
  }

  /**
   * To be called before the first load and after each: quick where nothing has come that views or comments are about.
   * `tables`: tables only, no views; `now`: milliseconds since 1970. Never rejects; resolves to the first error where
   * something failed, for a log line: it is tried again in a minute.
   */
  async run(connection: Connection, tables: SourceTables, now: number): Promise<unknown> {
    const hasPlanned = this.#plan(tables);
    if (this.#views.length + this.#comments.length === 0) return undefined;
    if (!hasPlanned && now < this.#retryAt) return undefined;

    const views = await runEach(connection, this.#views);
    const comments = await runEach(connection, this.#comments);
    this.#views = views.failed;
    this.#comments = comments.failed;
    this.#retryAt = now + retryAfterMs;
    return views.error ?? comments.error;
  }

  /** Whether there is anything new to do. */
  #plan(tables: SourceTables): boolean {
    const schema = this.#schema;
    const before = this.#plannedFor;
    const views = before === undefined || needsViews(before, tables) ? planViews({ schema, tables }) : [];
    const comments = planComments({ schema, before: before ?? new Map(), after: tables });
    if (views.length + comments.length === 0) return false;

    if (views.length > 0) {
      const isUnfinished = (text: string) => this.#views.some((view) => view.text === text);
      this.#views = views.filter(({ text }) => !this.#planned.has(text) || isUnfinished(text));
      this.#planned = new Set(views.map(({ text }) => text));
    }
    this.#comments = [...this.#comments, ...comments];
    // A copy: the loader's own may change under its hands.
    this.#plannedFor = new Map(Array.from(tables, ([table, columns]) => [table, new Map(columns)]));
    return true;
  }
}

async function runEach(
  connection: Connection,
  statements: readonly Statement[],
): Promise<{ failed: readonly Statement[]; error: unknown }> {
  const failed: Statement[] = [];
  let error: unknown;
  for (const [index, statement] of statements.entries()) {
    try {
      await runAlone(connection, statement);
    } catch (thrown) {
      error ??= thrown;
      // What PostgreSQL refuses concerns one statement; anything else is about the connection.
      if (!(thrown instanceof pg.DatabaseError))
        return { failed: [...failed, ...statements.slice(index)], error };
      failed.push(statement);
    }
  }
  return { failed, error };
}

async function runAlone(connection: Connection, { text }: Statement): Promise<void> {
  try {
    await connection.query(`begin; set local lock_timeout = ${lockTimeoutMs}; ${text}; commit`);
  } catch (error) {
    await connection.query('rollback').catch(() => undefined);
    throw error;
  }
}
