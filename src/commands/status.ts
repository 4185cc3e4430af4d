// `status`: the books of a running bridge, and what keeps webhooks out or destinations from working.

import type { Config } from '../config/config.ts';
import type { DiagnosisDocument } from '../http/diagnosis.ts';
import { findImbalances } from '../http/status.ts';
import type { Status } from '../http/status.ts';
import { bridgeAddress, readFromBridge } from './bridge-api.ts';
import { checkRefusals, checkStorage } from './doctor/bridge.ts';
import { counted } from './doctor/check.ts';
import type { Check } from './doctor/check.ts';
import { formatTable, print, printJson } from './report.ts';

/**
 * Exit code 1 where a destination does not work or holds dead records, the log cannot be written or read, no webhook was
 * ever taken and the last was refused, or the books do not balance.
 */
export async function status({ url, json }: { url?: string; json?: boolean }, config: Config): Promise<void> {
  const address = bridgeAddress(url, config);
  const current = (await readFromBridge(address, '/api/status')) as Status;
  const diagnosis = (await readFromBridge(address, '/api/diagnosis')) as DiagnosisDocument;
  const intake = [
    checkStorage({ status: current, diagnosis }),
    checkRefusals(diagnosis.webhooks, diagnosis.now),
  ];
  const imbalances = findImbalances(current);
  const isWell =
    imbalances.length === 0 &&
    intake.every((check) => check.status !== 'fail') &&
    Object.values(current.destinations).every(({ state, dead }) => state === 'running' && dead === 0);
  if (json === true) printJson(current);
  else {
    print(describe(current, intake, imbalances));
    if (!isWell) print('\nWhat to mend, link by link: doctor. What each fault means: docs/operations.md.');
  }
  if (!isWell) process.exitCode = 1;
}

function describe(current: Status, intake: readonly Check[], imbalances: readonly string[]): string {
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
    ...intake.flatMap(({ status, detail, fix }) => (status === 'ok' ? [] : [`${detail}. ${fix}`])),
    ...destinations.flatMap(([name, { fault }]) =>
      fault ? [`${name}: ${fault.message}. ${fault.hint}`] : [],
    ),
    ...destinations.flatMap(([name, { dead }]) =>
      dead > 0 ? [`${name}: ${counted(dead, 'dead record')}; dead-letters shows each with its reason`] : [],
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
