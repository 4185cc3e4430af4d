// Where the embedded warehouse answers, and with which passwords: a file in DATA_DIR, so that `warehouse url` can tell
// and a saved connection of DBeaver's goes on working.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../../../durable-files.ts';
import { RetryableError } from '../../destination.ts';

export const database = 'warehouse';
/** The roles: of the cluster (superuser), of the loader, of people. */
export const roles = { admin: 'postgres', owner: 'fusionauth_segment', reader: 'reader' } as const;

const connectionSchema = z.object({
  port: z.number(),
  passwords: z.object({ admin: z.string(), owner: z.string(), reader: z.string() }),
});
export type EmbeddedConnection = z.infer<typeof connectionSchema>;

/** Folder of everything that belongs to the embedded warehouse. */
export function embeddedDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'warehouse');
}

/** Undefined where no embedded warehouse has ever run in this DATA_DIR. */
export function readConnection(dataDirectory: string): EmbeddedConnection | undefined {
  let text: string;
  try {
    text = readFileSync(connectionFile(dataDirectory), 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return connectionSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new RetryableError(`${connectionFile(dataDirectory)} is damaged`, {
      hint: `Restore it from a backup, or move ${embeddedDirectory(dataDirectory)} away to begin a new warehouse`,
      cause,
    });
  }
}

/** Replaces the file in one step, also under a power loss: without its passwords nobody comes into the cluster. */
export function writeConnection(dataDirectory: string, connection: EmbeddedConnection): void {
  replaceFile(connectionFile(dataDirectory), `${JSON.stringify(connection, undefined, 2)}\n`);
}

export function newPasswords(): EmbeddedConnection['passwords'] {
  const password = () => randomBytes(18).toString('base64url');
  return { admin: password(), owner: password(), reader: password() };
}

/** Connection string of one of the roles. */
export function connectionUrl(
  { port, passwords }: EmbeddedConnection,
  role: keyof typeof roles,
  databaseName = database,
): string {
  return `postgresql://${roles[role]}:${passwords[role]}@127.0.0.1:${port}/${databaseName}`;
}

function connectionFile(dataDirectory: string): string {
  return join(embeddedDirectory(dataDirectory), 'connection.json');
}
