// The embedded server, until the warehouse is moved from it to another one.

import { externalServer } from './server.ts';
import type { WarehouseServer } from './server.ts';

/** `readMoved`: the connection string of the other one; undefined while there is none. Asked whenever a server is needed. */
export function movableServer(
  embedded: WarehouseServer,
  readMoved: () => string | undefined,
): WarehouseServer {
  const moved = () => {
    const connectionString = readMoved();
    return connectionString === undefined ? undefined : externalServer(connectionString);
  };
  return {
    get place() {
      return (moved() ?? embedded).place;
    },
    async ensureRunning(signal) {
      const server = moved();
      if (server !== undefined) await embedded.stop();
      return (server ?? embedded).ensureRunning(signal);
    },
    stop: () => embedded.stop(),
  };
}
