// Careful reading of FusionAuth's fields: all of them may be missing, null, empty or, from a forger, of any kind.

import { isObject } from '../fusionauth/event.ts';
import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
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

/** The same value with every instant inside (`insertInstant`, `lastLoginInstant` …) as ISO 8601, except in `data`. */
export function withIsoInstants(value: unknown): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((entry) => withIsoInstants(entry) ?? null);
  if (!isObject(value)) return value as JsonValue | undefined;
  return compact(
    Object.entries(value).map(([key, entry]) => {
      if (key.endsWith('Instant')) return [key, isoInstant(entry)];
      return [key, key === 'data' ? (entry as JsonValue) : withIsoInstants(entry)];
    }),
  );
}

/** Makes an object of those entries that say something: not undefined, null, '', [] or {}. */
export function compact(entries: Iterable<readonly [string, JsonValue | undefined]>): JsonMap {
  const kept: [string, JsonValue][] = [];
  for (const [key, value] of entries) {
    if (value !== undefined && !isEmpty(value)) kept.push([key, value]);
  }
  // fromEntries defines its keys, so `__proto__` becomes a key like any other and not the prototype.
  return Object.fromEntries(kept);
}

function isEmpty(value: JsonValue): boolean {
  if (value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
