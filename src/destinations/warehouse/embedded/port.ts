// Which port of loopback the embedded server listens on.

import { createServer } from 'node:net';
import { RetryableError } from '../../destination.ts';
import { otherWarehouse } from './binaries.ts';

export const host = '127.0.0.1';
export const defaultPort = 5433;

/** The port that was asked for, or else the last one or the next free one. */
export async function choosePort(asked: number | undefined, last: number): Promise<number> {
  if (asked !== undefined) {
    if (await isFree(asked)) return asked;
    throw new RetryableError(
      `Port ${asked} on ${host} is in use, so the embedded PostgreSQL cannot listen there`,
      {
        hint: `Set WAREHOUSE_PORT to a free port, or end the program that uses it. ${otherWarehouse}`,
      },
    );
  }
  for (const port of [last, ...Array.from({ length: 100 }, (_, index) => defaultPort + index)]) {
    if (await isFree(port)) return port;
  }
  throw new RetryableError(`No port from ${defaultPort} to ${defaultPort + 99} on ${host} is free`, {
    hint: 'Set WAREHOUSE_PORT to a free port',
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, host, () => {
      probe.close(() => resolve(true));
    });
  });
}
