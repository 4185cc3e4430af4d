// From the configuration to the options of one destination's mapping.

import type { EventFilter } from '../mapping/filter.ts';
import type { MappingOptions } from '../mapping/map.ts';
import { defaultPolicy } from '../mapping/privacy.ts';
import type { PrivacyPolicy } from '../mapping/privacy.ts';
import { version } from '../version.ts';
import type { Config } from './config.ts';
import type { DestinationConfig } from './destinations.ts';

/** Their messages have ids without a suffix: the rows in our warehouse have the ids of the messages at Segment. */
const plainNames = new Set(['segment', 'warehouse']);

/** Without a destination: what holds for all of them. `salt`: of the policy's hashes. */
export function mappingOptionsOf(
  { mapping }: Config,
  salt: string,
  destination?: DestinationConfig,
  idSuffix = '',
): MappingOptions {
  const { events, privacy, ...rest } = mapping;
  return {
    ...rest,
    library: { name: 'fusionauth-segment', version },
    filters: [events, destination?.events].filter((filter): filter is EventFilter => filter !== undefined),
    privacy: {
      policies: [defaultPolicy, privacy, destination?.privacy].filter(
        (policy): policy is PrivacyPolicy => policy !== undefined,
      ),
      salt,
    },
    idSuffix: `${destination === undefined || plainNames.has(destination.name) ? '' : `-${destination.name}`}${idSuffix}`,
  };
}

/** Whether any policy hashes, so that a salt is needed. */
export function usesHash({ mapping, destinations }: Config): boolean {
  return [mapping.privacy, ...destinations.map(({ privacy }) => privacy)].some((policy) =>
    Object.values(policy ?? {}).includes('hash'),
  );
}
