// `status`: the books of a running bridge, and what keeps webhooks out or destinations from working.

import type { Config } from '../config/config.ts';
import { findImbalances } from '../http/status.ts';
import type { Status } from '../http/status.ts';
import { bridgeAddress } from './bridge-api.ts';
import { askBridge, checkRefusals, checkStorage } from './doctor/bridge.ts';
import { counted } from './doctor/check.ts';
import type { Check } from './doctor/check.ts';
import { CommandError, formatTable, print, printJson } from './report.ts';

/**
 * Exit code 1 where a destination does not work or holds dead records, the log cannot be written or read, no webhook was
 * ever taken and the last was refused, or the books do not balance.
 */
export async function status({ url, json }: { url?: string; json?: boolean }, config: Config): Promise<void> {
  const running = await askBridge(bridgeAddress(url, config));
  const { status: current, diagnosis } = running;
  const intake = [checkStorage(running), checkRefusals(diagnosis.webhooks, diagnosis.now)];
  if (current === undefined)
    throw new CommandError('The books cannot be read', { hint: inWords(intake).join('\n') });
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

function inWords(intake: readonly Check[]): readonly string[] {
  return intake.flatMap(({ status, detail, fix }) => (status === 'ok' ? [] : [`${detail}. ${fix}`]));
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
    ...inWords(intake),
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
