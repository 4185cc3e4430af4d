// The bridge's status: its books, and how each destination fares. What `status`, the page and the metrics show.

import type { Delivery } from '../delivery/delivery.ts';
import type { DeliveryFault, DeliveryState } from '../delivery/sender.ts';
import type { ConsumerBooks, EventLog, RecordSummary } from '../log/log.ts';

export interface DestinationStatus extends ConsumerBooks {
  readonly state: DeliveryState;
  /** Only while the last attempt has failed. */
  readonly fault?: DeliveryFault;
  /** Single values of delivered messages that it had no place for; of a warehouse only. They stand in its `discards`. */
  readonly discardedValues?: number;
}

/** Whole numbers of records since the log began. */
export interface Status {
  readonly received: number;
  readonly rejected: number;
  readonly duplicates: number;
  readonly stored: number;
  readonly destinations: Readonly<Record<string, DestinationStatus>>;
}

export async function readStatus(log: EventLog, deliveries: readonly Delivery[]): Promise<Status> {
  const { consumers, ...books } = await log.books(deliveries.map(({ name }) => name));
  const destinations = deliveries.map(
    ({ name, state, fault, discardedValues }): [string, DestinationStatus] => [
      name,
      {
        state,
        ...(consumers[name] as ConsumerBooks),
        ...(fault ? { fault } : {}),
        ...(discardedValues === undefined ? {} : { discardedValues }),
      },
    ],
  );
  return { ...books, destinations: Object.fromEntries(destinations) };
}

export async function readLatest(
  log: EventLog,
  deliveries: readonly Delivery[],
  count: number,
): Promise<readonly RecordSummary[]> {
  return log.latest(
    count,
    deliveries.map(({ name }) => name),
  );
}

/** The sums that do not come out, in words; none where the books balance. */
export function findImbalances({ received, duplicates, stored, destinations }: Status): string[] {
  const faults: string[] = [];
  if (received !== duplicates + stored) {
    faults.push(`received ${received} is not duplicates ${duplicates} + stored ${stored}`);
  }
  for (const [name, { pending, delivered, filtered, dead }] of Object.entries(destinations)) {
    if (pending < 0 || stored !== pending + delivered + filtered + dead) {
      faults.push(
        `${name}: stored ${stored} is not pending ${pending} + delivered ${delivered} + filtered ${filtered} + dead ${dead}`,
      );
    }
  }
  return faults;
}
