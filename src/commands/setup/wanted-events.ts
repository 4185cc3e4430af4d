// Which events FusionAuth is to send: those that become something here.

import type { Config } from '../../config/config.ts';
import { catalogue } from '../../fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../../fusionauth/catalogue.ts';
import { isAtLeast } from '../../fusionauth/samples.ts';
import { describeBecoming } from '../../mapping/describe.ts';

/**
 * Sent by FusionAuth whenever something is written into its audit log, which an API key can do: so it can be asked for
 * a real event that touches nobody (`FusionAuthApi.writeAuditLog`).
 */
export const testEventType = 'audit-log.create';

/** The types that at least one destination turns into messages, and `testEventType`; of all FusionAuth versions. */
export function wantedEvents({
  mapping,
  destinations,
}: Pick<Config, 'mapping' | 'destinations'>): readonly CatalogueEntry[] {
  const filters = destinations.map(({ events }) =>
    [mapping.events, events].filter((filter) => filter !== undefined),
  );
  return (catalogue as readonly CatalogueEntry[]).filter(
    (entry) =>
      entry.type === testEventType ||
      filters.some((ofDestination) => describeBecoming(entry, { filters: ofDestination }).state === 'on'),
  );
}

/** Whether FusionAuth of this version has the type: an older one refuses a request that names it. */
export function isKnownTo(version: string, { since }: Pick<CatalogueEntry, 'since'>): boolean {
  return since === 'early' || isAtLeast(version, since);
}
