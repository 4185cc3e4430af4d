// A destination that knows less than it was given: a database that was restored from a backup, or a new one in the place
// of the old. The log still has what it lacks, as far back as LOG_RETENTION, and sends it again.

import type { Logger } from 'pino';
import type { Destination } from '../destinations/destination.ts';
import type { EventLog, RecordFilter, Replay } from '../log/log.ts';

/** Events are received in nearly the order in which they stand in the log. */
const marginMs = 60_000;
/** Faster than any destination, whose own speed is the limit; and than any replay that somebody may ask for. */
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
  // One that an earlier start began may have sent a part of it elsewhere.
  for (const replay of await log.replays())
    if (isUnfinishedReload(replay, name)) await log.stopReplay(replay.id);
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

function isUnfinishedReload(replay: Replay, consumer: string): boolean {
  return replay.consumer === consumer && replay.state === 'running' && replay.perSecond === perSecond;
}
