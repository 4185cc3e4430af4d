import { parseConnection, placeOf } from './connection.ts';

/** The PostgreSQL server that the warehouse is in: somebody's own, or the embedded one (embedded/server.ts). */
export interface WarehouseServer {
  /** Where it is, for people; without a password. */
  readonly place: string;

  /**
   * Makes sure that the server runs, and resolves to the connection string of the schema's owner. Called again after
   * each fault; quick where all is well. Throws RetryableError.
   */
  ensureRunning(signal: AbortSignal): Promise<string>;
  stop(): Promise<void>;
}

/** A server that others run, at a connection string. Throws ConnectionError. */
export function externalServer(connectionString: string): WarehouseServer {
  return {
    place: `PostgreSQL at ${placeOf(parseConnection(connectionString))}`,
    ensureRunning: () => Promise.resolve(connectionString),
    stop: () => Promise.resolve(),
  };
}
