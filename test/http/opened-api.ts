// The API through the real server and a real log, without a socket unless it is told to listen.

import { pino } from 'pino';
import { RetryableError } from '../../src/destinations/destination.ts';
import type { DeliveryView } from '../../src/http/records-api.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import { OpenedLog } from '../log/opened-log.ts';
import { createTestServer } from '../support/server.ts';

export type ApiAnswer = Readonly<{ status: number; body: unknown }>;

/** When its warehouse began to fail, and the bridge started. */
export const apiStartMs = Date.parse('2026-01-01T00:00:00Z');

/** A server on a log of its own; `segment` works, `warehouse` is down. */
export async function openApi({ adminToken: token }: { adminToken?: string } = {}) {
  const opened = await OpenedLog.open((directory) => SqliteLog.open(directory));
  const { log } = opened;
  const fault = { message: 'It is down', hint: 'Start it', attempts: 3, since: apiStartMs };
  const down = new RetryableError(fault.message, { hint: fault.hint });
  const deliveries: readonly DeliveryView[] = [
    { name: 'segment', fault: undefined, isReopenable: false, reopen: () => Promise.resolve() },
    { name: 'warehouse', fault, isReopenable: true, reopen: () => Promise.reject(down) },
  ];
  const server = createTestServer(log, opened.directory, {
    access: { adminToken: token, isLoopback: true, logger: pino({ level: 'silent' }) },
    startMs: apiStartMs,
    records: {
      deliveries,
      explain: ({ id }, destination) => ({ rules: [`${id} at ${destination}`], messages: [] }),
    },
    warehouse: undefined,
  });
  return {
    log,
    server,
    async get(url: string): Promise<ApiAnswer> {
      const answer = await server.inject({ url });
      return { status: answer.statusCode, body: answer.json() };
    },
    /** A text goes as it is, all else as JSON. */
    async post(url: string, body: unknown): Promise<ApiAnswer> {
      const answer = await server.inject({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json' },
        payload: typeof body === 'string' ? body : JSON.stringify(body),
      });
      return { status: answer.statusCode, body: answer.json() };
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await opened[Symbol.asyncDispose]();
    },
  };
}
