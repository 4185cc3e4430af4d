// What the configuration file may say, as types that an editor completes and as the schema that checks it at the
// start. What also has an environment variable is allowed what the variable is allowed (settings.ts).

import { types } from 'node:util';
import { z } from 'zod';
import { isObject } from '../fusionauth/event.ts';
import { groupSources } from '../mapping/context.ts';
import type { GroupSource } from '../mapping/context.ts';
import { findTypePatternFault } from '../mapping/filter.ts';
import type { EventFilter } from '../mapping/filter.ts';
import { fitsSomePlace } from '../mapping/known-paths.ts';
import { namings } from '../mapping/names.ts';
import type { Naming } from '../mapping/names.ts';
import { privacyActions } from '../mapping/privacy.ts';
import type { PrivacyPolicy } from '../mapping/privacy.ts';
import { findPatternFault } from '../mapping/privacy-patterns.ts';
import type { UserMap } from '../mapping/user-map.ts';
import type { Region } from '../segment/tracking-api.ts';
import { findSettingFault, settings } from './settings.ts';
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
  /** `segment` and `warehouse` are there without a word; `false` turns one off, unless a variable turns it on. */
  readonly destinations?: Readonly<Record<string, UserDestination | false | undefined>> | undefined;
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
  /** Messages a second at most, 1,000 where nothing is said; 0 for no limit. */
  readonly eventsPerSecond?: number | undefined;
}

export interface UserPostgresDestination extends DestinationCommon {
  readonly type?: 'postgres' | undefined;
  /** Connection string. Without one `warehouse` is the embedded server, and any other is off. */
  readonly url?: string | undefined;
  readonly schema?: string | undefined;
  /** Of the embedded server. */
  readonly port?: number | undefined;
}

export type UserDestination = UserSegmentDestination | UserPostgresDestination;

/** What a configuration file says, and where it is. */
export interface ConfigFile {
  readonly path: string;
  readonly config: UserConfig;
}

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
  const setting = settings[name];
  return z
    .string(`must be ${setting.allowed}`)
    .superRefine((value, context) => {
      const fault = value === '' ? undefined : findSettingFault(setting, value);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: `must be ${fault}` });
    })
    .optional();
}

/** The same for one that is a number here. */
function asNumberSetting(name: SettingName) {
  const { schema, allowed } = settings[name];
  return z
    .number(`must be ${allowed}`)
    .refine((value) => schema.safeParse(String(value)).success, `must be ${allowed}`)
    .optional();
}

/** Where a key is not known, its fault names those that are. */
function strictObject<Shape extends z.ZodRawShape>(shape: Shape, fault = 'must be an object') {
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === 'unrecognized_keys' ? `is not known; known are ${Object.keys(shape).join(', ')}` : fault,
  });
}

const oneOf = (values: readonly string[]) =>
  z.enum(values as [string, ...string[]], `must be ${values.join(' or ')}`);
const textList = (what: string) =>
  z
    .array(z.string(`must be ${what}`).min(1, `must be ${what}`), `must be a list: ['…']`)
    .min(1, 'must name at least one: an empty list lets nothing pass');
const aFunction = z
  .custom((value) => typeof value === 'function', { error: 'must be a function', abort: true })
  .refine(
    (value) => !types.isAsyncFunction(value) && !types.isGeneratorFunction(value),
    'must not be async, nor a generator: what it returns is used at once',
  );

const eventFilter = strictObject(
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

const segmentDestination = strictObject({
  type: z.literal('segment').optional(),
  writeKey: asSetting('SEGMENT_WRITE_KEY'),
  region: asSetting('SEGMENT_REGION'),
  endpoint: asSetting('SEGMENT_ENDPOINT'),
  eventsPerSecond: asNumberSetting('SEGMENT_EVENTS_PER_SECOND'),
  ...common,
});

const postgresDestination = strictObject({
  type: z.literal('postgres').optional(),
  url: asSetting('WAREHOUSE_URL'),
  schema: asSetting('WAREHOUSE_SCHEMA'),
  port: asNumberSetting('WAREHOUSE_PORT'),
  ...common,
});

const schema = strictObject({
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

/** What a destination of this name is without a word, and so must be. */
const typesByName: ReadonlyMap<string, 'segment' | 'postgres'> = new Map([
  ['segment', 'segment'],
  ['warehouse', 'postgres'],
]);

/** `segment` or `postgres`: what the destination says that it is, or what one of this name is. */
export function destinationType(name: string, { type }: UserDestination): 'segment' | 'postgres' | undefined {
  return type ?? typesByName.get(name);
}

/** All that is wrong with what a configuration file exports; none, and it is a UserConfig. */
export function findUserConfigFaults(value: unknown): readonly UserConfigFault[] {
  const faults = faultsOf(schema.safeParse(value));
  if (!isObject(value)) return faults;
  // Whatever else is wrong: all is told at once.
  const { events, privacy, destinations, map } = value;
  const hasMap = map !== undefined;
  return [
    ...faults,
    ...findFilterFaults(events, ['events'], hasMap),
    ...findPolicyFaults(privacy, ['privacy'], hasMap),
    ...Object.entries(isObject(destinations) ? destinations : {}).flatMap(([name, destination]) =>
      findDestinationFaults(name, destination, hasMap),
    ),
  ];
}

function findDestinationFaults(
  name: string,
  destination: unknown,
  hasMap: boolean,
): readonly UserConfigFault[] {
  const path = ['destinations', name];
  if (!destinationName.test(name)) {
    return [
      { path, fault: 'is no name: small letters, digits, _ and -, a letter first, 24 characters at most' },
    ];
  }
  if (destination === false || destination === undefined) return [];
  if (!isObject(destination)) return [{ path, fault: 'must be an object, or false' }];
  const type = destinationType(name, destination);
  if (type !== 'segment' && type !== 'postgres') {
    return [{ path, fault: "needs type: 'segment' or type: 'postgres'" }];
  }
  const ownType = typesByName.get(name) ?? type;
  if (type !== ownType) {
    const fault = `must be '${ownType}', which has variables of its own: give a destination of type '${type}' another name`;
    return [{ path: [...path, 'type'], fault }];
  }
  return [
    ...faultsOf((type === 'segment' ? segmentDestination : postgresDestination).safeParse(destination), path),
    ...findFilterFaults(destination['events'], [...path, 'events'], hasMap),
    ...findPolicyFaults(destination['privacy'], [...path, 'privacy'], hasMap),
  ];
}

/** A pattern that fits nothing is a slip of the pen, unless code may make something of types that we do not know. */
function findFilterFaults(
  filter: unknown,
  path: readonly string[],
  hasMap: boolean,
): readonly UserConfigFault[] {
  if (hasMap || !isObject(filter)) return [];
  return ['include', 'exclude'].flatMap((key) => {
    const patterns: unknown = filter[key];
    if (!Array.isArray(patterns)) return [];
    return patterns.flatMap((pattern: unknown, index) => {
      const fault = typeof pattern === 'string' && pattern !== '' ? findTypePatternFault(pattern) : undefined;
      return fault === undefined
        ? []
        : [
            {
              path: [...path, key, index],
              fault: `"${String(pattern)}" ${fault}; \`events\` prints them all`,
            },
          ];
    });
  });
}

/** A path that fits nothing withholds nothing: the more so a slip of the pen. */
function findPolicyFaults(
  policy: unknown,
  path: readonly string[],
  hasMap: boolean,
): readonly UserConfigFault[] {
  return Object.keys(isObject(policy) ? policy : {}).flatMap((pattern) => {
    const fault =
      findPatternFault(pattern) ??
      (hasMap || fitsSomePlace(pattern)
        ? undefined
        : 'fits nothing that a message holds; docs/events.md lists what each has');
    return fault === undefined ? [] : [{ path: [...path, pattern], fault }];
  });
}

function faultsOf(
  { error }: z.ZodSafeParseResult<unknown>,
  path: readonly string[] = [],
): readonly UserConfigFault[] {
  return (error?.issues ?? []).flatMap((issue): UserConfigFault[] => {
    const at = [...path, ...(issue.path as (string | number)[])];
    if (issue.code !== 'unrecognized_keys') return [{ path: at, fault: issue.message }];
    return issue.keys.map((key) => ({ path: [...at, key], fault: issue.message }));
  });
}
