// The destinations that are on, from the variables and the configuration file.

import type { EventFilter } from '../mapping/filter.ts';
import type { PrivacyPolicy } from '../mapping/privacy.ts';
import { endpoints } from '../segment/tracking-api.ts';
import { readMovedWarehouse } from './moved-warehouse.ts';
import { settings } from './settings.ts';
import type { SettingValues } from './settings.ts';
import { destinationType } from './user-config.ts';
import type {
  UserConfig,
  UserDestination,
  UserPostgresDestination,
  UserSegmentDestination,
} from './user-config.ts';

interface Common {
  readonly name: string;
  readonly events: EventFilter | undefined;
  readonly privacy: PrivacyPolicy | undefined;
}
export interface SegmentConfig extends Common {
  readonly kind: 'segment';
  readonly endpoint: string;
  readonly writeKey: string;
  /** Messages a second at most; 0 for no limit. */
  readonly perSecond: number;
}
export interface EmbeddedWarehouseConfig extends Common {
  readonly kind: 'embedded';
  readonly port: number | undefined;
  readonly schema: string;
}
export interface ExternalWarehouseConfig extends Common {
  readonly kind: 'external';
  readonly connectionString: string;
  readonly schema: string;
}
export type WarehouseConfig = EmbeddedWarehouseConfig | ExternalWarehouseConfig;
export type DestinationConfig = SegmentConfig | WarehouseConfig;

/** The destination `warehouse`; undefined where it is off. */
export function warehouseOf(destinations: readonly DestinationConfig[]): WarehouseConfig | undefined {
  return destinations.find(
    (destination): destination is WarehouseConfig =>
      destination.name === 'warehouse' && destination.kind !== 'segment',
  );
}

export interface Destinations {
  readonly on: readonly DestinationConfig[];
  /** Those that the file names, and that are off for want of a write key or a URL. */
  readonly off: readonly DestinationConfig[];
}

/** `warehouse` and `segment` by their variables, which hold what the file says of them; the file's others. */
export function destinationsOf(
  values: SettingValues,
  inFile: NonNullable<UserConfig['destinations']>,
): Destinations {
  const given: typeof inFile = { warehouse: {}, segment: {}, ...inFile };
  const all = Object.entries(given).flatMap(([name, destination]) => {
    const own = destination || {};
    const settled =
      destinationType(name, own) === 'segment'
        ? segmentOf(name, own, values)
        : warehouseNamed(name, own, values);
    return settled === undefined ? [] : [{ destination: settled, isNamed: Boolean(inFile[name]) }];
  });
  return {
    on: all.filter(({ destination }) => isOn(destination)).map(({ destination }) => destination),
    off: all
      .filter(({ destination, isNamed }) => isNamed && !isOn(destination))
      .map(({ destination }) => destination),
  };
}

function isOn(destination: DestinationConfig): boolean {
  switch (destination.kind) {
    case 'segment':
      return destination.writeKey !== '';
    case 'external':
      return destination.connectionString !== '';
    case 'embedded':
      return true;
  }
}

function segmentOf(
  name: string,
  { events, privacy, ...own }: UserDestination,
  values: SettingValues,
): SegmentConfig {
  const { writeKey, region, endpoint, eventsPerSecond } =
    name === 'segment'
      ? {
          writeKey: values.SEGMENT_WRITE_KEY,
          region: values.SEGMENT_REGION,
          endpoint: values.SEGMENT_ENDPOINT,
          eventsPerSecond: values.SEGMENT_EVENTS_PER_SECOND,
        }
      : (own as UserSegmentDestination);
  return {
    name,
    kind: 'segment',
    writeKey: writeKey ?? '',
    endpoint: endpoint || endpoints[region || 'us'],
    perSecond: eventsPerSecond ?? Number(settings.SEGMENT_EVENTS_PER_SECOND.default),
    events,
    privacy,
  };
}

/** Undefined where it is `off` in so many words. */
function warehouseNamed(
  name: string,
  { events, privacy, ...own }: UserDestination,
  values: SettingValues,
): WarehouseConfig | undefined {
  const isMain = name === 'warehouse';
  const { url, schema, port } = isMain
    ? { url: values.WAREHOUSE_URL, schema: values.WAREHOUSE_SCHEMA, port: values.WAREHOUSE_PORT }
    : (own as UserPostgresDestination);
  if (url === 'off') return undefined;
  const common = { name, events, privacy, schema: schema || settings.WAREHOUSE_SCHEMA.default };
  const moved = isMain && !url ? readMovedWarehouse(values.DATA_DIR) : undefined;
  if (moved !== undefined) return { ...common, kind: 'external', connectionString: moved };
  if (!url && isMain) return { ...common, kind: 'embedded', port };
  return { ...common, kind: 'external', connectionString: url ?? '' };
}
