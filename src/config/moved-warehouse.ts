// Where `warehouse move` has brought the embedded warehouse: a connection string, kept beside the log, which from then on
// stands for a WAREHOUSE_URL that is not set.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../durable-files.ts';

export function movedWarehouseFile(dataDirectory: string): string {
  return join(dataDirectory, 'warehouse-url');
}

/** Undefined where it has not been moved. */
export function readMovedWarehouse(dataDirectory: string): string | undefined {
  try {
    return readFileSync(movedWarehouseFile(dataDirectory), 'utf8').trim() || undefined;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function writeMovedWarehouse(dataDirectory: string, connectionString: string): void {
  replaceFile(movedWarehouseFile(dataDirectory), `${connectionString}\n`);
}
