// The destination `warehouse` at a connection string, as the bridge has it, and what it loads in tests of connections.

import assert from 'node:assert/strict';
import { pino } from 'pino';
import { RetryableError } from '../../src/destinations/destination.ts';
import type { Answer } from '../../src/destinations/destination.ts';
import { WarehouseDestination } from '../../src/destinations/warehouse.ts';
import { externalServer } from '../../src/destinations/warehouse/server.ts';
import type { JsonMap, MessageId } from '../../src/segment/message.ts';

const never = new AbortController().signal;

/** Closed at the end of the scope. */
export class WarehouseAt implements AsyncDisposable {
  readonly #destination: WarehouseDestination;

  constructor(connectionString: string, schema = 'fusionauth') {
    this.#destination = new WarehouseDestination({
      name: 'warehouse',
      server: externalServer(connectionString),
      schema,
      bridge: { id: 'this-bridge', host: 'here' },
      logger: pino({ level: 'silent' }),
    });
  }

  open(): Promise<void> {
    return this.#destination.open(never);
  }

  /** One attempt to load a track of this id. */
  load(id: string, properties: JsonMap = {}): Promise<readonly Answer[]> {
    const message = {
      type: 'track',
      messageId: id as MessageId,
      userId: 'user-1',
      event: 'Signed In',
      context: {},
      properties,
    } as const;
    const payload = this.#destination.encode(message, Date.parse('2026-01-31T12:00:00Z')).payload;
    return this.#destination.send([payload], never);
  }

  /** Attempts until one succeeds, as delivery does. Resolves to those that did not. */
  async loadPatiently(id: string, attempts = 3): Promise<readonly RetryableError[]> {
    const failures: RetryableError[] = [];
    for (;;) {
      try {
        await this.load(id);
        return failures;
      } catch (error) {
        if (!(error instanceof RetryableError) || failures.length + 1 >= attempts) throw error;
        failures.push(error);
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#destination.close();
  }
}

/** What the work throws, which must be a RetryableError. */
export async function failureOf(work: Promise<unknown>): Promise<RetryableError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof RetryableError, `not a RetryableError but ${String(error)}`);
  return error;
}
