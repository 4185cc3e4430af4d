// Tables and views of the warehouse as CSV, for spreadsheets and programs.

import type pg from 'pg';
import { unavailable } from '../postgres-errors.ts';
import { byteOrderMark, csvLines } from './csv.ts';
import { ExportError } from './export-error.ts';
import { planExport } from './export-plan.ts';
import type { ExportOptions } from './export-plan.ts';
import { readRows } from './read-rows.ts';
import { findRelation, listRelations } from './relations.ts';
import type { RelationSummary } from './relations.ts';

export interface CsvExportOptions extends ExportOptions {
  /** Text that begins like a formula as it is. */
  readonly isRaw?: boolean | undefined;
  readonly withByteOrderMark?: boolean | undefined;
}

export interface WarehouseExportOptions {
  readonly schema: string;
  /** A connection of a role that need only read. */
  readonly connect: () => Promise<pg.Client>;
  readonly timeLimitMs?: number;
}

/** Each is a connection and some work in the thread that takes the webhooks. */
const maxAtOnce = 4;
const closeTimeoutMs = 1_000;

export class WarehouseExport {
  readonly #options: WarehouseExportOptions;
  #running = 0;

  constructor(options: WarehouseExportOptions) {
    this.#options = options;
  }

  /** What can be exported. Throws ExportError. */
  async list(): Promise<readonly RelationSummary[]> {
    await using session = await this.#open();
    return await listRelations(session.client, this.#options.schema).catch(throwUnavailable);
  }

  /**
   * The CSV in pieces, read as they are taken; the signal ends it. Before the first piece it throws ExportError; whatever
   * it throws later means that what has come is not all.
   */
  async *csv(name: string, options: CsvExportOptions, signal: AbortSignal): AsyncGenerator<string> {
    if (this.#running >= maxAtOnce) {
      throw new ExportError(`${maxAtOnce} exports are running`, {
        code: 'EXPORTS_BUSY',
        hint: 'Try again in some seconds',
      });
    }
    this.#running++;
    try {
      yield* this.#read(name, options, signal);
    } catch (error) {
      throwUnavailable(error);
    } finally {
      this.#running--;
    }
  }

  async *#read(
    name: string,
    { isRaw = false, withByteOrderMark = false, ...options }: CsvExportOptions,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    await using session = await this.#open();
    signal.throwIfAborted();
    const plan = planExport(await findRelation(session.client, this.#options.schema, name), options);
    const format = { isText: plan.columns.map(({ isText }) => isText), isRaw };
    const names = plan.columns.map((column) => column.name);
    const header = csvLines([names], { isText: names.map(() => true), isRaw });
    // With the first rows, so that nothing has been said yet where they cannot be read.
    let text = `${withByteOrderMark ? byteOrderMark : ''}${header}`;
    for await (const rows of readRows(plan, { ...this.#options, client: session.client, signal })) {
      yield text + csvLines(rows, format);
      text = '';
    }
    if (text !== '') yield text;
  }

  async #open(): Promise<{ client: pg.Client } & AsyncDisposable> {
    const client = await this.#options.connect().catch(throwUnavailable);
    return {
      client,
      async [Symbol.asyncDispose]() {
        // A server that has fallen silent never closes its side of the connection.
        const { promise: late, resolve } = Promise.withResolvers<undefined>();
        const deadline = setTimeout(resolve, closeTimeoutMs, undefined);
        await Promise.race([client.end().catch(() => undefined), late]);
        clearTimeout(deadline);
      },
    };
  }
}

function throwUnavailable(error: unknown): never {
  if (error instanceof ExportError) throw error;
  const { code } = error as { code?: unknown };
  // Data, syntax, a view that writes: the query itself. (PostgreSQL's documents, appendix "Error Codes".)
  if (typeof code === 'string' && /^(22|23|25|42|0A|P0|XX)/.test(code)) {
    throw new ExportError(`PostgreSQL could not answer the query (SQLSTATE ${code})`, {
      code: 'EXPORT_FAILED',
      hint: 'Read the table or view by `warehouse psql`, which shows what is wrong with it',
      cause: error,
    });
  }
  const { hint } = unavailable(error);
  throw new ExportError(`The warehouse cannot be read${typeof code === 'string' ? ` (${code})` : ''}`, {
    code: 'WAREHOUSE_UNAVAILABLE',
    hint,
    cause: error,
  });
}
