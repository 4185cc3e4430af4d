// The values that messages have, as rows of docs/events.md's tables: traits, properties and context, each with its kind,
// where it comes from and what to mind about it.

import assert from 'node:assert/strict';
import type { CatalogueEntry } from '../src/fusionauth/catalogue.ts';
import { describeFields } from '../src/fusionauth/describe-fields.ts';
import type { FieldDescription } from '../src/fusionauth/describe-fields.ts';
import type { Field, Fields } from '../src/fusionauth/fields.ts';
import { info, user } from '../src/fusionauth/objects.ts';
import { isAtLeast } from '../src/fusionauth/samples.ts';
import { propertyFieldsOf } from '../src/mapping/properties.ts';
import { sameNames } from '../src/mapping/traits.ts';
import type { JsonMap, JsonValue } from '../src/segment/message.ts';
import { fullSample } from './events-samples.ts';
import type { Sample } from './events-samples.ts';
import { code, formatTable } from './markdown.ts';

/** A value, as tables have it. */
export interface ValueRow extends Pick<FieldDescription, 'path' | 'kind' | 'since' | 'isPersonal'> {
  /** In words. */
  readonly from?: string;
}

const kindNames = {
  text: 'text',
  uuid: 'UUID',
  date: 'date',
  flag: 'true or false',
  number: 'number',
  instant: 'time',
  object: 'object',
  list: 'list',
  free: 'any JSON',
} as const satisfies Record<Field['kind'], string>;

/** Where a value comes from, in words, and what it is. */
interface Source {
  readonly from: string;
  readonly kind: Field['kind'];
  readonly isPersonal?: boolean;
}

const fromField = (from: string, { kind, personal }: Field): Source => ({
  from,
  kind,
  isPersonal: personal === true,
});

const inUser = user.fields;

/** Traits that are no field of a user's under its own name. */
const otherTraits: Readonly<Record<string, Source>> = {
  email: fromField('`email`, else the primary identity of the type `email`', inUser.email),
  tenantId: fromField('the event’s `tenantId`, else the user’s', inUser.tenantId),
  verified: fromField('`verified`, else that of the primary identity', inUser.verified),
  name: fromField('`fullName`, else first, middle and last name', inUser.fullName),
  phone: fromField('`mobilePhone`, else `phoneNumber`, else the identity of that type', inUser.mobilePhone),
  username: fromField('`username`, else the primary identity of the type `username`', inUser.username),
  birthday: fromField('`birthDate`', inUser.birthDate),
  createdAt: fromField('`insertInstant`', inUser.insertInstant),
  avatar: fromField('`imageUrl`', inUser.imageUrl),
};

const fromLocation = (name: string, kind: Field['kind'] = 'text'): Source => ({
  from: `\`info.location.${name}\`, which FusionAuth has with threat detection alone`,
  kind,
  isPersonal: info.fields.location.personal,
});

/** The values of `context`. */
const contextSources: Readonly<Record<string, Source>> = {
  ip: fromField('`info.ipAddress`, else the `ipAddress` of a login', info.fields.ipAddress),
  userAgent: fromField('`info.userAgent`', info.fields.userAgent),
  'device.name': fromField('`info.deviceName`', info.fields.deviceName),
  'device.type': fromField('`info.deviceType`', info.fields.deviceType),
  deviceName: fromField('`info.deviceName`', info.fields.deviceName),
  deviceType: fromField('`info.deviceType`', info.fields.deviceType),
  'os.name': fromField('`info.os`', info.fields.os),
  'location.city': fromLocation('city'),
  'location.country': fromLocation('country'),
  'location.region': fromLocation('region'),
  'location.zipcode': fromLocation('zipcode'),
  'location.latitude': fromLocation('latitude', 'number'),
  'location.longitude': fromLocation('longitude', 'number'),
  locale: { from: 'the first of the user’s `preferredLanguages`, written `en-US`', kind: 'text' },
  timezone: fromField('the user’s `timezone`', inUser.timezone),
  applicationId: { from: 'the event’s `applicationId`', kind: 'uuid' },
  tenantId: fromField('the event’s `tenantId`, else the user’s', inUser.tenantId),
  groupId: {
    from: 'the tenant or the application, where `groupId` in the configuration file says so',
    kind: 'uuid',
  },
  'library.name': { from: 'the bridge: `fusionauth-segment`', kind: 'text' },
  'library.version': { from: 'the bridge: its version', kind: 'text' },
};

/** Of an identify of a user who has everything. */
export function traitRows(): readonly ValueRow[] {
  const message = fullSample.messages.find(({ type }) => type === 'identify');
  assert.ok(message?.type === 'identify');
  const own = Object.fromEntries(sameNames.map((name) => [name, user.fields[name]]));
  const others = Object.keys(message.traits).filter((name) => !(name in own));
  return [...leafRows(own), ...sourcedRows(others, otherTraits)];
}

/** The fields of the event that are properties, then those that are made of others. */
export function propertyRows(entry: CatalogueEntry, { messages }: Sample): readonly ValueRow[] {
  const track = messages.find(({ type }) => type === 'track');
  if (track?.type !== 'track') return [];
  const fields = propertyFieldsOf(entry);
  const derived = Object.entries(track.properties).filter(([name]) => !Object.hasOwn(fields, name));
  return [
    ...leafRows(fields, entry),
    ...derived.map(([name, value]): ValueRow => ({
      path: Array.isArray(value) ? `${name}[]` : name,
      kind: kindOf(Array.isArray(value) ? (value[0] as JsonValue) : value),
      isPersonal: false,
    })),
  ];
}

function kindOf(value: JsonValue): Field['kind'] {
  if (typeof value !== 'string') return 'free';
  return /^[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}$/.test(value) ? 'uuid' : 'text';
}

/** Of a context that has everything. */
export function contextRows(context: JsonMap): readonly ValueRow[] {
  return sourcedRows(leavesOf(context), contextSources);
}

/** Each must have a source, and each source a value, so that the page is complete and nothing on it is of the past. */
function sourcedRows(
  names: readonly string[],
  sources: Readonly<Record<string, Source>>,
): readonly ValueRow[] {
  assert.deepEqual([...names].sort(), Object.keys(sources).sort(), 'sources in docs/events-values.ts');
  return Object.entries(sources).map(([path, source]) => ({ path, isPersonal: false, ...source }));
}

/** Of an object inside, each of its fields: it has what is said of the object. Secret ones are left out. */
export function leafRows(fields: Fields, entry?: CatalogueEntry): readonly ValueRow[] {
  const described = describeFields(fields);
  return described
    .filter(({ kind }) => kind !== 'object')
    .map((leaf) => ({
      leaf,
      line: [leaf, ...described.filter(({ path }) => leaf.path.startsWith(`${path}.`))],
    }))
    .filter(({ line }) => !line.some(({ isSecret }) => isSecret))
    .map(({ leaf: { path, kind }, line }) => {
      const since = line.map((field) => field.since).find((version) => isNewer(version, entry));
      const row = { path, kind, isPersonal: line.some(({ isPersonal }) => isPersonal) };
      return since === undefined ? row : { ...row, since };
    });
}

/** A field that is as old as its event needs no word about it. */
function isNewer(since: string | undefined, entry: CatalogueEntry | undefined): boolean {
  if (since === undefined) return false;
  return entry === undefined || entry.since === 'early' || !isAtLeast(entry.since, since);
}

/** `redactions`: of the default policy, by path in the table. */
export function valueTable(
  title: string,
  rows: readonly ValueRow[],
  redactions: ReadonlyMap<string, string> = new Map(),
): string {
  return formatTable(
    [title, 'kind', ''],
    rows.map(({ path, kind, since, from, isPersonal }) => {
      const action = redactions.get(path.replaceAll('[]', ''));
      return [
        code(path),
        kindNames[kind],
        [
          ...(from === undefined ? [] : [`from ${from}`]),
          ...(since === undefined ? [] : [`since ${since}`]),
          ...(isPersonal ? ['personal'] : []),
          ...(action === undefined ? [] : [`by default: ${action}`]),
        ].join('; '),
      ];
    }),
  );
}

export function redactionsUnder(
  part: string,
  { redactions }: Sample = fullSample,
): ReadonlyMap<string, string> {
  return new Map([...redactions].map(([path, action]) => [path.slice(part.length + 1), action]));
}

/** Paths of the values in an object. */
function leavesOf(map: JsonMap, prefix = ''): readonly string[] {
  return Object.entries(map).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? leavesOf(value as JsonMap, `${prefix}${name}.`)
      : [`${prefix}${name}`],
  );
}
