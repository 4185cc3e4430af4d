// Careful reading of FusionAuth's fields: all of them may be missing, null, empty or, from a forger, of any kind.

import { isObject } from '../fusionauth/event.ts';
import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
import type { Field, Fields } from '../fusionauth/fields.ts';
import type { JsonMap, JsonValue } from '../segment/message.ts';

/** A non-empty string, or undefined. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The event's own tenant; where it names none, its user's. */
export function tenantIdOf(event: FusionAuthEvent): string | undefined {
  return textOf(event.tenantId) ?? textOf(objectOf(event.user)['tenantId']);
}

export function objectsOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/**
 * FusionAuth's instants (integer milliseconds since 1970, UTC) as ISO 8601. Undefined for what is no date with a
 * four-digit year: FusionAuth writes "for ever" as Java's Long.MAX, which no date type holds.
 */
export function isoInstant(value: unknown): string | undefined {
  if (typeof value !== 'number' || !(value >= -62_135_596_800_000 && value <= 253_402_300_799_999))
    return undefined;
  return new Date(value).toISOString();
}

/** What stands at a path such as `existing.id`; undefined where nothing does. Looks into objects only. */
export function valueAt(event: JsonObject, path: string): unknown {
  let value: unknown = event;
  for (const key of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/**
 * The values of those fields that an object has, each of the kind that the catalogue says; others are left out, and so
 * is a secret, though none should have come this far.
 */
export function readFields(
  source: JsonObject,
  fields: Fields,
): (readonly [name: string, value: JsonValue | undefined])[] {
  return Object.entries(fields).map(([name, field]) => [
    name,
    field.secret === true ? undefined : readField(source, name, field),
  ]);
}

/** One field's value, instants as ISO 8601; undefined where it is absent or of another kind. */
export function readField(source: JsonObject, name: string, field: Field): JsonValue | undefined {
  const value = readValue(source[name], field);
  return value === undefined && field.formerly !== undefined
    ? readValue(source[field.formerly], field)
    : value;
}

function readValue(value: unknown, field: Field): JsonValue | undefined {
  switch (field.kind) {
    case 'text':
    case 'uuid':
    case 'date':
      return textOf(value);
    case 'flag':
      return typeof value === 'boolean' ? value : undefined;
    case 'number':
      return typeof value === 'number' ? value : undefined;
    case 'instant':
      return isoInstant(value);
    case 'list':
      return Array.isArray(value) ? value.flatMap((entry) => readValue(entry, field.of) ?? []) : undefined;
    case 'object':
      return isObject(value) ? compact(readFields(value, field.fields)) : undefined;
    case 'free':
      return value as JsonValue | undefined;
  }
}

/** Makes an object of those entries that say something: not undefined, null, '', [] or {}. The names are our own. */
export function compact(entries: Iterable<readonly [string, JsonValue | undefined]>): JsonMap {
  const kept: Record<string, JsonValue> = {};
  for (const [key, value] of entries) {
    if (value !== undefined && !isEmpty(value)) kept[key] = value;
  }
  return kept;
}

function isEmpty(value: JsonValue): boolean {
  if (value === null || value === '') return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.length === 0;
  // Not Object.keys: this is asked for every value of every message.
  const map = value as JsonMap;
  for (const key in map) if (Object.hasOwn(map, key)) return false;
  return true;
}
