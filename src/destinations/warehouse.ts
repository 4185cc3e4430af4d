// The destination `warehouse`: messages as rows of Segment's own layout in a PostgreSQL database.

import type { Logger } from 'pino';
import type { Message } from '../segment/message.ts';
import { BatchRefusedError, sendInHalves } from './destination.ts';
import type { Answer, BatchLimits, Destination, EncodedMessage } from './destination.ts';
import { Loader } from './warehouse/loader.ts';
import { rowsOf } from './warehouse/rows.ts';
import type { Row } from './warehouse/rows.ts';
import type { WarehouseServer } from './warehouse/server.ts';

/** A payload is the rows of one message. */
type Rows = readonly Row[];

export interface WarehouseOptions {
  /** `warehouse`, or as the configuration file calls it. */
  readonly name: string;
  readonly server: WarehouseServer;
  readonly schema: string;
  readonly logger: Logger;
}

export class WarehouseDestination implements Destination<Rows> {
  readonly name: string;
  readonly limits: BatchLimits = { maxMessages: 1_000, maxBytes: 8 * 1024 * 1024 };
  readonly #server: WarehouseServer;
  readonly #schema: string;
  readonly #logger: Logger;
  #loader: Loader | undefined;

  constructor({ name, server, schema, logger }: WarehouseOptions) {
    this.name = name;
    this.#server = server;
    this.#schema = schema;
    this.#logger = logger.child({ destination: this.name });
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.#openLoader(signal);
  }

  encode(message: Message, receivedAt: number): EncodedMessage<Rows> {
    const payload = rowsOf(message, receivedAt);
    return { payload, bytes: payload.reduce((sum, row) => sum + bytesOf(row), 0) };
  }

  send(batch: readonly Rows[], signal: AbortSignal): Promise<readonly Answer[]> {
    return sendInHalves(batch, async (part) => {
      const loader = await this.#openLoader(signal);
      try {
        const discards = await loader.load(part.flat(), signal);
        if (discards > 0)
          this.#logger.warn({ values: discards }, 'Values fitted no column and stand in the table discards');
      } catch (error) {
        // Where the server has gone, the next attempt asks for it anew: it may come back elsewhere.
        if (!(error instanceof BatchRefusedError)) await this.#closeLoader();
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    await this.#closeLoader();
    await this.#server.stop();
  }

  async #openLoader(signal: AbortSignal): Promise<Loader> {
    if (this.#loader?.isBroken === true) await this.#closeLoader();
    if (this.#loader) return this.#loader;
    const connectionString = await this.#server.ensureRunning(signal);
    this.#loader = await Loader.open({ connectionString, schema: this.#schema }, signal);
    return this.#loader;
  }

  async #closeLoader(): Promise<void> {
    const loader = this.#loader;
    this.#loader = undefined;
    await loader?.close();
  }
}

/** About what a row adds to a statement; exact sizes do not matter here, there is no limit near. */
function bytesOf(row: Row): number {
  let bytes = row.id.length;
  for (const [column, { value }] of row.cells) bytes += column.length + String(value).length;
  return bytes;
}
