// The HTTP server on a log of its own, without a destination and without a socket, on a clock that the test owns.

import { pino } from 'pino';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { ExportToken } from '../../src/config/export-token.ts';
import type { AccessOptions } from '../../src/http/access.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import { createServer } from '../../src/http/server.ts';
import type { ServerOptions } from '../../src/http/server.ts';
import { WebhookWitness } from '../../src/http/webhook-witness.ts';
import type { EventLog } from '../../src/log/log.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import { temporaryFolder } from './temporary-folder.ts';

export type TestServer = Awaited<ReturnType<typeof openServer>>;

export interface TestServerOptions {
  readonly access: ServerOptions['access'];
  readonly startMs: number;
  readonly records: ServerOptions['records'];
  readonly warehouse: ServerOptions['exports']['warehouse'];
}

/** The real server on this log, whose files are in `directory`; it does not listen. */
export function createTestServer(
  log: EventLog,
  directory: string,
  { access, startMs, records, warehouse }: TestServerOptions,
): FastifyInstance {
  const { logger } = access;
  const readStatus = () =>
    Promise.resolve({ received: 0, rejected: 0, duplicates: 0, stored: 0, destinations: {} });
  const readStorage = () => Promise.resolve({ fileBytes: { log: 0, wal: 0 }, freeBytes: 0, totalBytes: 0 });
  return createServer({
    webhook: {
      log,
      logger,
      verifier: undefined,
      requiresSignature: false,
      maxBodyBytes: 1_000_000,
      witness: new WebhookWitness(),
    },
    access,
    log,
    metrics: createMetrics({
      readStatus,
      readReplays: () => log.replays(),
      readStorage,
      isWritable: () => log.isWritable(),
    }),
    tracing: undefined,
    readStatus,
    readLatest: () => Promise.resolve([]),
    diagnosis: {
      readStorage,
      damage: undefined,
      startedAt: startMs,
      about: () => ({ version: '', verification: '', places: {} }),
    },
    records,
    exports: { warehouse, token: ExportToken.open(directory), logger },
    catalogue: () => [],
    page: () => ({ places: {}, verification: '', version: '' }),
  });
}

export async function openServer(
  access: AccessOptions,
  { startMs = Date.parse('2026-01-01T00:00:00Z') } = {},
) {
  const folder = await temporaryFolder();
  const log = await SqliteLog.open(folder.path);
  let now = startMs;
  const lines: string[] = [];
  const logger = pino({ level: 'trace', base: null }, { write: (line: string) => lines.push(line) });
  const server = createTestServer(log, folder.path, {
    access: { ...access, logger, now: () => now },
    startMs,
    records: { deliveries: [], explain: () => ({ rules: [], messages: [] }) },
    warehouse: { list: () => Promise.resolve([]), csv: () => noLines() },
  });
  return {
    log,
    /** Its log lines, as they would be written. */
    lines,
    ask: (options: InjectOptions) => server.inject(options),
    advance(milliseconds: number): void {
      now += milliseconds;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await server.close();
      await log.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function* noLines() {
  yield* await Promise.resolve(['id\n']);
}
