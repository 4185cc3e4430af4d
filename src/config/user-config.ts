// What the configuration file may say, as types that an editor completes and as the schema that checks it at the
// start. What also has an environment variable is allowed what the variable is allowed (settings.ts).

import { z } from 'zod';
import { groupSources } from '../mapping/context.ts';
import type { GroupSource } from '../mapping/context.ts';
import { findTypePatternFault } from '../mapping/filter.ts';
import type { EventFilter } from '../mapping/filter.ts';
import { namings } from '../mapping/names.ts';
import type { Naming } from '../mapping/names.ts';
import { privacyActions } from '../mapping/privacy.ts';
import type { PrivacyPolicy } from '../mapping/privacy.ts';
import { findPatternFault } from '../mapping/privacy-patterns.ts';
import type { UserMap } from '../mapping/user-map.ts';
import type { Region } from '../segment/tracking-api.ts';
import { settings } from './settings.ts';
import type { SettingName } from './settings.ts';

/** The configuration file's default export. */
export interface UserConfig {
  /** Which events are delivered at all, to any destination. */
  readonly events?: EventFilter | undefined;
  /** What tracks are called: `user.login.success`, or under `segment` Signed In. `fusionauth` where nothing is said. */
  readonly naming?: Naming | undefined;
  /** What becomes of what a message tells, by path: `{ 'traits.email': 'hash' }`. */
  readonly privacy?: PrivacyPolicy | undefined;
  /** Where in an event the visitor's id stands; `info.data.anonymousId` where nothing is said. */
  readonly anonymousId?: string | undefined;
  /** What becomes `context.groupId`; nothing where nothing is said. */
  readonly groupId?: GroupSource | undefined;
  /** `segment` and `warehouse` are there without a word; `false` turns one off. */
  readonly destinations?: Readonly<Record<string, UserDestination | false>> | undefined;
  /** The last word on what an event becomes, in code. */
  readonly map?: UserMap | undefined;
}

interface DestinationCommon {
  /** Beside the filter for all destinations: an event must pass both. */
  readonly events?: EventFilter | undefined;
  /** Beside the policy for all destinations: of two rules that are as exact, this one's counts. */
  readonly privacy?: PrivacyPolicy | undefined;
}

export interface UserSegmentDestination extends DestinationCommon {
  readonly type?: 'segment' | undefined;
  /** Off without one. */
  readonly writeKey?: string | undefined;
  readonly region?: Region | undefined;
  /** Base URL of any Segment-compatible API, in place of the region's. */
  readonly endpoint?: string | undefined;
}

export interface UserPostgresDestination extends DestinationCommon {
  readonly type?: 'postgres' | undefined;
  /** Connection string; the embedded server for `warehouse` where nothing is said. */
  readonly url?: string | undefined;
  readonly schema?: string | undefined;
  /** Of the embedded server. */
  readonly port?: number | undefined;
}

export type UserDestination = UserSegmentDestination | UserPostgresDestination;

/** One thing that is wrong, and where. */
export interface UserConfigFault {
  readonly path: readonly (string | number)[];
  /** The end of a sentence that begins with the path. */
  readonly fault: string;
}

/** `_` and `-` inside. The name stands in metrics, in the books and in messages' ids. */
const destinationName = /^[a-z][a-z0-9_-]{0,23}$/;

/** As its variable is allowed; `''` counts as not set, as it does there. */
function asSetting(name: SettingName) {
  const { schema, allowed } = settings[name];
  return z
    .string(`must be ${allowed}`)
    .refine((value) => value === '' || schema.safeParse(value).success, `must be ${allowed}`)
    .optional();
}

const oneOf = (values: readonly string[]) =>
  z.enum(values as [string, ...string[]], `must be ${values.join(' or ')}`);
const textList = (what: string) =>
  z.array(z.string(`must be ${what}`).min(1, `must be ${what}`), `must be a list: ['…']`);
const aFunction = z.custom((value) => typeof value === 'function', 'must be a function');

const eventFilter = z.strictObject(
  {
    include: textList('an event type or a pattern such as user.*').optional(),
    exclude: textList('an event type or a pattern such as user.*').optional(),
    tenants: textList('the id of a tenant').optional(),
    applications: textList('the id of an application').optional(),
    filter: aFunction.optional(),
  },
  'must be an object: { include: […], exclude: […], tenants: […], applications: […], filter }',
);

const privacyPolicy = z.record(
  z.string(),
  oneOf(privacyActions),
  "must be an object: { 'traits.email': 'hash' }",
);

const common = { events: eventFilter.optional(), privacy: privacyPolicy.optional() };

const segmentDestination = z.strictObject({
  type: z.literal('segment').optional(),
  writeKey: asSetting('SEGMENT_WRITE_KEY'),
  region: asSetting('SEGMENT_REGION'),
  endpoint: asSetting('SEGMENT_ENDPOINT'),
  ...common,
});

const postgresDestination = z.strictObject({
  type: z.literal('postgres').optional(),
  url: asSetting('WAREHOUSE_URL'),
  schema: asSetting('WAREHOUSE_SCHEMA'),
  port: z
    .int(`must be ${settings.WAREHOUSE_PORT.allowed}`)
    .min(1, `must be ${settings.WAREHOUSE_PORT.allowed}`)
    .max(65_535, `must be ${settings.WAREHOUSE_PORT.allowed}`)
    .optional(),
  ...common,
});

const schema = z.strictObject({
  events: eventFilter.optional(),
  naming: oneOf(namings).optional(),
  privacy: privacyPolicy.optional(),
  anonymousId: z
    .string('must be a path such as info.data.anonymousId')
    .min(1, 'must not be empty')
    .optional(),
  groupId: oneOf(groupSources).optional(),
  destinations: z
    .record(z.string(), z.unknown(), 'must be an object: { segment: { writeKey: … } }')
    .optional(),
  map: aFunction.optional(),
});

/** `segment` or `postgres`: what the destination says that it is, or what one of this name is. */
export function destinationType(name: string, { type }: UserDestination): 'segment' | 'postgres' | undefined {
  return type ?? ({ segment: 'segment', warehouse: 'postgres' } as const)[name as 'segment' | 'warehouse'];
}

/** All that is wrong with what a configuration file exports; none, and it is a UserConfig. */
export function findUserConfigFaults(value: unknown): readonly UserConfigFault[] {
  const parsed = schema.safeParse(value);
  if (!parsed.success) return faultsOf(parsed.error);
  const config = value as UserConfig;
  return [
    ...findFilterFaults(config.events, ['events'], config),
    ...findPolicyFaults(config.privacy, ['privacy']),
    ...Object.entries(config.destinations ?? {}).flatMap(([name, destination]) =>
      findDestinationFaults(name, destination, config),
    ),
  ];
}

function findDestinationFaults(
  name: string,
  destination: UserDestination | false,
  config: UserConfig,
): readonly UserConfigFault[] {
  const path = ['destinations', name];
  if (!destinationName.test(name)) {
    return [
      { path, fault: 'is no name: small letters, digits, _ and -, a letter first, 24 characters at most' },
    ];
  }
  if (destination === false) return [];
  if (typeof destination !== 'object' || (destination as unknown) === null || Array.isArray(destination)) {
    return [{ path, fault: 'must be an object, or false' }];
  }
  const type = destinationType(name, destination);
  if (type !== 'segment' && type !== 'postgres') {
    return [{ path, fault: "needs type: 'segment' or type: 'postgres'" }];
  }
  if (type === 'postgres' && name !== 'warehouse' && !(destination as UserPostgresDestination).url) {
    return [{ path, fault: 'needs a url; only warehouse has an embedded server' }];
  }
  const parsed = (type === 'segment' ? segmentDestination : postgresDestination).safeParse(destination);
  if (!parsed.success) return faultsOf(parsed.error, path);
  return [
    ...findFilterFaults(destination.events, [...path, 'events'], config),
    ...findPolicyFaults(destination.privacy, [...path, 'privacy']),
  ];
}

/** A pattern that fits nothing is a slip of the pen, unless code may make something of types that we do not know. */
function findFilterFaults(
  filter: EventFilter | undefined,
  path: readonly string[],
  { map }: UserConfig,
): readonly UserConfigFault[] {
  if (map !== undefined || filter === undefined) return [];
  return (['include', 'exclude'] as const).flatMap((key) =>
    (filter[key] ?? []).flatMap((pattern, index) => {
      const fault = findTypePatternFault(pattern);
      return fault === undefined
        ? []
        : [{ path: [...path, key, index], fault: `"${pattern}" ${fault}; \`events\` prints them all` }];
    }),
  );
}

function findPolicyFaults(
  policy: PrivacyPolicy | undefined,
  path: readonly string[],
): readonly UserConfigFault[] {
  return Object.keys(policy ?? {}).flatMap((pattern) => {
    const fault = findPatternFault(pattern);
    return fault === undefined ? [] : [{ path: [...path, pattern], fault }];
  });
}

function faultsOf(error: z.ZodError, path: readonly string[] = []): readonly UserConfigFault[] {
  return error.issues.flatMap((issue): UserConfigFault[] => {
    const at = [...path, ...(issue.path as (string | number)[])];
    if (issue.code !== 'unrecognized_keys') return [{ path: at, fault: issue.message }];
    return issue.keys.map((key) => ({ path: [...at, key], fault: 'is not known' }));
  });
}
