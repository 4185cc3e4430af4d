// The destination `warehouse`: messages as rows of Segment's own layout in a PostgreSQL database.

import type { Logger } from 'pino';
import type { Message } from '../segment/message.ts';
import { BatchRefusedError, sendInHalves } from './destination.ts';
import type { Answer, BatchLimits, Destination, EncodedMessage } from './destination.ts';
import type { BridgeIdentity } from '../bridge-id.ts';
import { Loader } from './warehouse/loader.ts';
import { rowsOf } from './warehouse/rows.ts';
import type { Row } from './warehouse/rows.ts';
import type { WarehouseServer } from './warehouse/server.ts';
import { heartbeatMs } from './warehouse/state.ts';

/** A payload is one message. */
interface Loadable {
  readonly rows: readonly Row[];
  /** When its event was received, milliseconds since 1970. */
  readonly receivedAt: number;
}

export interface WarehouseOptions {
  /** `warehouse`, or as the configuration file calls it. */
  readonly name: string;
  readonly server: WarehouseServer;
  readonly schema: string;
  readonly bridge: BridgeIdentity;
  readonly logger: Logger;
}

export class WarehouseDestination implements Destination<Loadable> {
  readonly name: string;
  readonly limits: BatchLimits = { maxMessages: 1_000, maxBytes: 8 * 1024 * 1024 };
  readonly #options: WarehouseOptions;
  readonly #logger: Logger;
  #loader: Loader | undefined;
  #isLoading = false;
  #heartbeat: NodeJS.Timeout | undefined;
  #discardedValues = 0;

  constructor(options: WarehouseOptions) {
    this.name = options.name;
    this.#options = options;
    this.#logger = options.logger.child({ destination: this.name });
  }

  get loadedThrough(): number | undefined {
    return this.#loader?.state.loadedThrough;
  }

  /** They stand in the table `discards`; since the schema was made. */
  get discardedValues(): number {
    return this.#discardedValues;
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.#openLoader(signal);
    this.#heartbeat ??= setInterval(() => void this.#beat(), heartbeatMs).unref();
  }

  async reopen(signal: AbortSignal): Promise<void> {
    await this.#closeLoader();
    await this.#openLoader(signal);
  }

  encode(message: Message, receivedAt: number): EncodedMessage<Loadable> {
    const rows = rowsOf(message, receivedAt);
    return { payload: { rows, receivedAt }, bytes: rows.reduce((sum, row) => sum + bytesOf(row), 0) };
  }

  send(batch: readonly Loadable[], signal: AbortSignal): Promise<readonly Answer[]> {
    return sendInHalves(batch, async (part) => {
      const loader = await this.#openLoader(signal);
      const rows = part.flatMap((message) => message.rows);
      const through = part.reduce((newest, { receivedAt }) => Math.max(newest, receivedAt), 0);
      this.#isLoading = true;
      try {
        const { discards } = await loader.load(rows, through, signal);
        this.#discardedValues += discards;
        if (discards > 0)
          this.#logger.warn({ values: discards }, 'Values fitted no column and stand in the table discards');
        await this.#keepUp(loader, signal);
      } catch (error) {
        // Where the server has gone, the next attempt asks for it anew: it may come back elsewhere.
        if (!(error instanceof BatchRefusedError)) await this.#closeLoader();
        throw error;
      } finally {
        this.#isLoading = false;
      }
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.#closeLoader();
    await this.#options.server.stop();
  }

  async #openLoader(signal: AbortSignal): Promise<Loader> {
    if (this.#loader?.isBroken === true) await this.#closeLoader();
    if (this.#loader) return this.#loader;
    const { server, schema, bridge } = this.#options;
    const connectionString = await server.ensureRunning(signal);
    this.#loader = await Loader.open({ connectionString, schema, bridge }, signal);
    this.#discardedValues = this.#loader.state.discarded;
    await this.#keepUp(this.#loader, signal);
    return this.#loader;
  }

  async #keepUp(loader: Loader, signal: AbortSignal): Promise<void> {
    const error = await loader.keepUp(signal);
    if (error !== undefined)
      this.#logger.debug(
        { err: error },
        'Views or comments could not be brought up to date; tried again in a minute',
      );
  }

  async #closeLoader(): Promise<void> {
    const loader = this.#loader;
    this.#loader = undefined;
    await loader?.close();
  }

  /** While there is nothing to load. What is wrong with the connection is met, and told, at the next load. */
  async #beat(): Promise<void> {
    const loader = this.#loader;
    if (loader === undefined || this.#isLoading) return;
    try {
      await loader.beat();
    } catch {
      if (this.#loader === loader) await this.#closeLoader();
    }
  }
}

/** About what a row adds to a statement; exact sizes do not matter here, there is no limit near. */
function bytesOf(row: Row): number {
  let bytes = row.id.length;
  for (const { value } of row.cells.values()) bytes += typeof value === 'string' ? value.length : 8;
  return bytes;
}
