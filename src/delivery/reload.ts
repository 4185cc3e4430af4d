// A destination that knows less than it was given: a database that was restored from a backup, or a new one in the place
// of the old. The log still has what it lacks, as far back as LOG_RETENTION, and sends it again.

import type { Logger } from 'pino';
import type { Destination } from '../destinations/destination.ts';
import type { EventLog, RecordFilter } from '../log/log.ts';

/** Events are received in nearly the order in which they stand in the log. */
const marginMs = 60_000;
/** Faster than any destination: its own speed is the limit. */
const perSecond = 1_000_000;

/**
 * Starts a replay of what was delivered to the destination and is not there any more; does nothing for one that knows no
 * better than the log. Called when the destination is open, before anything is sent to it. Throws LogUnavailableError.
 */
export async function reloadWhatIsMissing(
  log: EventLog,
  { name, loadedThrough }: Destination,
  logger: Logger,
): Promise<void> {
  if (loadedThrough === undefined) return;
  const deliveredThrough = await log.deliveredThrough(name);
  if (deliveredThrough === undefined || deliveredThrough <= loadedThrough) return;
  const filter: RecordFilter = { from: Math.max(loadedThrough - marginMs, 0), outcome: 'delivered' };
  const isUnderWay = (await log.replays()).some(
    (replay) =>
      replay.consumer === name &&
      replay.state === 'running' &&
      (replay.filter.from ?? 0) <= (filter.from ?? 0),
  );
  if (isUnderWay) return;
  const { id } = await log.startReplay({ consumer: name, filter, asNew: false, perSecond });
  logger.warn(
    {
      replay: id,
      lacksFrom: new Date(loadedThrough).toISOString(),
      deliveredThrough: new Date(deliveredThrough).toISOString(),
    },
    'The destination lacks events that it was given before: they are sent again from the log',
  );
}
