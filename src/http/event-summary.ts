// One line of a list of events, as the API gives it.

import { entryOf } from '../fusionauth/catalogue.ts';
import type { RecordSummary } from '../log/log.ts';

export interface EventSummary extends RecordSummary {
  /** Whether the catalogue has its type. */
  readonly isKnown: boolean;
}

export function toEventSummary(record: RecordSummary): EventSummary {
  return { ...record, isKnown: entryOf(record.type) !== undefined };
}
