// Reads the rows of an export, a page at a time, as fast as they are taken.
//
// Holds always: no lock on a table of the warehouse outlasts `timeLimitMs`, however large the table is and however slowly
// its reader reads. A statement that reads a table bars the loader from adding a column to it, and while the loader waits
// in line everybody else waits behind it: one long COPY would stop the loading. So
// - a table is read by its primary key, a short transaction for each page. Rows are never deleted or moved by the loader,
//   so all that stood there at the beginning come, each once; of those that arrive meanwhile, some.
// - what has no key (a view), or is wanted in another order (the newest), is one query. A cursor WITH HOLD keeps its
//   result on the server once the query has ended, without a lock and of one moment; the query itself has the time limit.
// At most one page is in memory here, of about `pageBytes`.

import type pg from 'pg';
import type { TextRow } from './csv.ts';
import { ExportError } from './export-error.ts';
import type { ExportPlan, Query, Reading } from './export-plan.ts';

export interface ReadOptions {
  readonly client: pg.Client;
  /** Another connection, to cancel what the first one is waiting for. */
  readonly connect: () => Promise<pg.Client>;
  /** Ends the reading, also on the server. */
  readonly signal: AbortSignal;
  readonly timeLimitMs?: number;
}

/** What a query of ours may take: the loader, whose new column waits for it, tries again every few seconds. */
const defaultTimeLimitMs = 30_000;
const pageBytes = 256 * 1024;
const firstPageRows = 100;
const maxPageRows = 10_000;

/** Pages of rows. Throws ExportError for a query beyond the time limit. */
export async function* readRows(
  { reading }: ExportPlan,
  { client, connect, signal, timeLimitMs = defaultTimeLimitMs }: ReadOptions,
): AsyncGenerator<readonly TextRow[]> {
  const begin = `begin isolation level repeatable read read only; set local statement_timeout = ${timeLimitMs}; set local datestyle = 'iso'`;
  const cancel = () => void cancelQuery(client, connect);
  signal.addEventListener('abort', cancel);
  try {
    yield* reading.kind === 'by key' ? readByKey(reading) : readAtOnce(reading.query);
  } catch (error) {
    // query_canceled, and not by us.
    if ((error as { code?: unknown }).code !== '57014' || signal.aborted) throw error;
    throw new ExportError(`The query took longer than ${timeLimitMs / 1_000} seconds and was ended`, {
      code: 'EXPORT_TOO_LONG',
      hint: 'Make the view quicker (a materialized view, an index), or ask for less of it: limit, since, until',
      cause: error,
    });
  } finally {
    signal.removeEventListener('abort', cancel);
  }

  async function* readByKey({ endOfPage, page }: Reading & { kind: 'by key' }) {
    let after: readonly string[] | undefined;
    let rows = firstPageRows;
    do {
      await run(begin);
      const [end] = await query(endOfPage(after, rows));
      const upTo = end as readonly string[] | undefined;
      const found = await query(page(after, upTo));
      await run('commit');
      // A filter may leave nothing of a page.
      if (found.length > 0) yield found;
      rows = nextPageRows(rows, found);
      after = upTo;
    } while (after !== undefined);
  }

  async function* readAtOnce({ text, values }: Query) {
    await run(begin);
    await query({ text: `declare export no scroll cursor with hold for ${text}`, values });
    // The query runs in the commit, where PostgreSQL's own time limits no longer hold.
    const deadline = setTimeout(cancel, timeLimitMs);
    try {
      await run('commit');
    } finally {
      clearTimeout(deadline);
    }
    let rows = firstPageRows;
    for (;;) {
      const found = await query({ text: `fetch forward ${rows} from export`, values: [] });
      if (found.length === 0) return;
      yield found;
      rows = nextPageRows(rows, found);
    }
  }

  async function run(text: string): Promise<void> {
    signal.throwIfAborted();
    await client.query(text);
  }

  async function query({ text, values }: Query): Promise<TextRow[]> {
    signal.throwIfAborted();
    const { rows } = await client.query<(string | null)[]>({ text, values: [...values], rowMode: 'array' });
    return rows;
  }
}

/** So many that the next page is of about `pageBytes`; where a filter leaves few of them or none, more. */
function nextPageRows(rows: number, found: readonly TextRow[]): number {
  let characters = 1;
  for (const row of found) for (const value of row) characters += value?.length ?? 0;
  const fitting = found.length === 0 ? rows * 2 : Math.floor((pageBytes / characters) * found.length);
  return Math.min(Math.max(fitting, 1), rows * 2, maxPageRows);
}

/** A server does not notice a connection that was given up before it has something to say. */
async function cancelQuery(client: pg.Client, connect: () => Promise<pg.Client>): Promise<void> {
  const { processID } = client as unknown as { processID: number | null };
  try {
    const other = await connect();
    try {
      await other.query('select pg_cancel_backend($1)', [processID]);
    } finally {
      await other.end();
    }
  } catch {
    // The server is gone, and its query with it; or its own time limit ends it.
  }
}
