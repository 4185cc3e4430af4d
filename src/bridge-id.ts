// Who this bridge is, to others that share a warehouse with it: an id of its own, made once and kept beside the log.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeFileOnce, makeFolder } from './durable-files.ts';

export interface BridgeIdentity {
  readonly id: string;
  /** For people: where to look for it. */
  readonly host: string;
}

export function readOrMakeBridgeIdentity(dataDirectory: string): BridgeIdentity {
  const file = join(dataDirectory, 'bridge-id');
  makeFolder(dataDirectory);
  makeFileOnce(file, `${randomUUID()}\n`);
  return { id: readFileSync(file, 'utf8').trim(), host: hostname() };
}
