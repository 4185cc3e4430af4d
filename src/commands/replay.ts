// `replay`: sends settled records again; lists and stops what is being sent again.

import type { Config } from '../config/config.ts';
import type { ReplayAnswer } from '../http/records-api.ts';
import type { Replay } from '../log/log.ts';
import { bridgeAddress, postToBridge, readFromBridge } from './bridge-api.ts';
import { chooses, filterOf } from './record-filter.ts';
import type { FilterOptions } from './record-filter.ts';
import { formatTable, isoTime, print, printJson, UsageError } from './report.ts';

export interface ReplayOptions extends FilterOptions {
  readonly destination?: string;
  readonly dryRun?: boolean;
  readonly asNew?: boolean;
  readonly rate?: number;
  readonly list?: boolean;
  readonly stop?: number;
  readonly url?: string;
  readonly json?: boolean;
}

export async function replay(options: ReplayOptions, config: Config): Promise<void> {
  const { destination, dryRun, asNew, rate, list, stop, url, json } = options;
  const bridge = bridgeAddress(url, config);
  if (stop !== undefined) {
    const answer = await postToBridge(bridge, '/api/replays/stop', { id: stop });
    if (json === true) printJson(answer);
    else print(`Replay ${stop} is stopped`);
    return;
  }
  if (list === true) {
    const { replays } = (await readFromBridge(bridge, '/api/replays')) as { replays: readonly Replay[] };
    if (json === true) printJson(replays);
    else print(describeAll(replays));
    return;
  }
  if (destination === undefined) {
    throw new UsageError('To which destination?', { hint: 'Name it: --to segment' });
  }
  if (!chooses(options)) {
    throw new UsageError('Which records?', {
      hint: "Choose by --event, --user, --type, --since, --until, --outcome or --reason; --type '*' for all",
    });
  }
  const request = {
    destination,
    filter: filterOf(options),
    dryRun: dryRun === true,
    asNew: asNew === true,
    ...(rate === undefined ? {} : { perSecond: rate }),
  };
  const answer = await postToBridge(bridge, '/api/replays', request, { isSearch: request.dryRun });
  if (json === true) printJson(answer);
  else print(describe(answer as ReplayAnswer, destination));
}

function describe(answer: ReplayAnswer, destination: string): string {
  if ('records' in answer) return `${answer.records} records would be sent to ${destination} again`;
  const { id, perSecond } = answer.replay;
  return `Replay ${id} sends them to ${destination} again, ${perSecond} a second at most; see it by replay --list, stop it by replay --stop ${id}`;
}

function describeAll(replays: readonly Replay[]): string {
  if (replays.length === 0) return 'Nothing was sent again yet';
  return formatTable([
    ['ID', 'DESTINATION', 'STATE', 'DELIVERED', 'FILTERED', 'DEAD', 'STARTED', 'WHICH'],
    ...replays.map(({ id, consumer, state, delivered, filtered, dead, createdAt, filter, asNew }) => [
      String(id),
      consumer,
      state,
      String(delivered),
      String(filtered),
      String(dead),
      isoTime(createdAt),
      `${JSON.stringify(filter)}${asNew ? ', as new' : ''}`,
    ]),
  ]);
}
