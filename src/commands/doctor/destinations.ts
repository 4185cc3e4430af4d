// How each destination fares, by the running bridge.

import type { Config } from '../../config/config.ts';
import type { DestinationStatus } from '../../http/status.ts';
import type { DeadLettersDocument } from '../../http/records-api.ts';
import { readFromBridge } from '../bridge-api.ts';
import type { BridgeAddress } from '../bridge-api.ts';
import type { RunningBridge } from './bridge.ts';
import { counted, fail, listed, ok, skip, span, warn } from './check.ts';
import type { Check } from './check.ts';

/** Delivery takes a second or so; a minute is the longest wait between two attempts. */
const lateSeconds = 120;

export async function checkDestinations(
  config: Config,
  address: BridgeAddress,
  { status }: RunningBridge,
): Promise<readonly Check[]> {
  if (status === undefined) {
    return [skip('destinations', 'How they fare stands in the log, which cannot be read')];
  }
  const { counts } = (await readFromBridge(address, '/api/dead-letters?limit=1')) as DeadLettersDocument;
  return config.destinations.flatMap(({ name }) => {
    const destination = status.destinations[name];
    if (destination === undefined) {
      const detail = `The running bridge has no destination ${name}`;
      return [fail(`${name}.state`, detail, 'Restart the bridge, so that it reads its settings again')];
    }
    const reasons = counts
      .filter((count) => count.consumer === name)
      .map(({ reason, records }) => `${records} ${reason}`);
    return [state(name, destination), lag(name, destination), deadLetters(name, destination, reasons)];
  });
}

function state(destination: string, { state, fault }: DestinationStatus): Check {
  const name = `${destination}.state`;
  if (state === 'running') return ok(name, 'Delivers');
  const { message = `It is ${state}`, hint = 'See the bridge’s log lines', attempts = 0 } = fault ?? {};
  const detail = `${state}: ${message}${attempts > 0 ? `, ${counted(attempts, 'attempt')}` : ''}`;
  return state === 'blocked' ? fail(name, detail, hint) : warn(name, detail, hint);
}

function lag(destination: string, { pending, oldestPendingSeconds, state }: DestinationStatus): Check {
  const name = `${destination}.lag`;
  if (pending === 0) return ok(name, 'Nothing is pending');
  const detail = `${counted(pending, 'record')} pending, the oldest since ${span(oldestPendingSeconds * 1000)}`;
  if (oldestPendingSeconds < lateSeconds) return ok(name, detail);
  return warn(
    name,
    detail,
    state === 'running'
      ? 'It is catching up; where that does not end, raise SEGMENT_EVENTS_PER_SECOND or give the machine more'
      : `Mend what ${destination}.state says; they are kept`,
  );
}

function deadLetters(destination: string, { dead }: DestinationStatus, reasons: readonly string[]): Check {
  const name = `${destination}.dead-letters`;
  if (dead === 0) return ok(name, 'There are none');
  return warn(
    name,
    `${counted(dead, 'dead record')}: ${listed(reasons)}`,
    `See them by dead-letters; when what was wrong is mended: dead-letters retry --of ${destination}`,
  );
}
