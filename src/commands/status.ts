// `status`: the books of a running bridge.

import type { Config } from '../config/config.ts';
import { findImbalances } from '../http/status.ts';
import type { Status } from '../http/status.ts';
import { bridgeAddress, readFromBridge } from './bridge-api.ts';
import { formatTable, print, printJson } from './report.ts';

/** Exit code 1 where a destination does not work, holds dead records, or the books do not balance. */
export async function status({ url, json }: { url?: string; json?: boolean }, config: Config): Promise<void> {
  const current = (await readFromBridge(bridgeAddress(url, config), '/api/status')) as Status;
  const imbalances = findImbalances(current);
  const isWell =
    imbalances.length === 0 &&
    Object.values(current.destinations).every(({ state, dead }) => state === 'running' && dead === 0);
  if (json === true) printJson(current);
  else print(describe(current, imbalances));
  if (!isWell) process.exitCode = 1;
}

function describe(current: Status, imbalances: readonly string[]): string {
  const destinations = Object.entries(current.destinations);
  const lines = [
    `received ${current.received} = duplicates ${current.duplicates} + stored ${current.stored}; rejected ${current.rejected}`,
    '',
    formatTable([
      ['DESTINATION', 'STATE', 'PENDING', 'DELIVERED', 'FILTERED', 'DEAD', 'OLDEST PENDING'],
      ...destinations.map(([name, { state, pending, delivered, filtered, dead, oldestPendingSeconds }]) => [
        name,
        state,
        String(pending),
        String(delivered),
        String(filtered),
        String(dead),
        pending === 0 ? '-' : `${oldestPendingSeconds} s`,
      ]),
    ]),
    '',
    ...destinations.flatMap(([name, { fault }]) =>
      fault ? [`${name}: ${fault.message}. ${fault.hint}`] : [],
    ),
    ...destinations.flatMap(([name, { discardedValues = 0 }]) =>
      discardedValues > 0
        ? [
            `${name}: ${discardedValues} values fitted no column; they stand in its table discards, with the reason`,
          ]
        : [],
    ),
    ...(imbalances.length === 0
      ? ['The books balance.']
      : imbalances.map((fault) => `The books do not balance: ${fault}`)),
  ];
  return lines.join('\n');
}
