// Sample events, made of the catalogue's examples, in the shape of any version of FusionAuth: as `send` posts them and
// `map --sample` shows them. The people in them are nobody: example.com, and addresses of the documentation range.

import { baseFields, entryOf } from './catalogue.ts';
import type { CatalogueEntry, KnownEventType } from './catalogue.ts';
import { isObject } from './event.ts';
import type { JsonObject } from './event.ts';
import type { Field, Fields, SampleIdentity } from './fields.ts';

export interface SampleOptions {
  /** The shape of this FusionAuth version: only the fields that it sends. The newest where none is given. */
  readonly version?: string | undefined;
  /** Whether secrets stand in it as well, as FusionAuth sends them. */
  readonly withSecrets?: boolean;
}

/** A sample event of this type: the same identity gives the same event. */
export function sampleEvent(
  type: KnownEventType,
  identity: SampleIdentity,
  options: SampleOptions = {},
): JsonObject {
  const entry = entryOf(type) as CatalogueEntry;
  const fill = (fields: Fields) => fillFields(fields, identity, options);
  const body = { type, ...fill(baseFieldsOf(entry)), ...fill(entry.fields) };
  return entry.sample === undefined ? body : overlaid(body, entry.sample(identity) as JsonObject);
}

/** True where version `a` is at least `b`. */
export function isAtLeast(a: string, b: string): boolean {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA === majorB ? minorA >= minorB : majorA > majorB;
}

function baseFieldsOf({ scope }: CatalogueEntry): Fields {
  if (scope !== 'instance') return baseFields;
  const { createInstant, id } = baseFields;
  return { createInstant, id };
}

function fillFields(fields: Fields, identity: SampleIdentity, options: SampleOptions): JsonObject {
  const { version, withSecrets = false } = options;
  const present = Object.entries(fields).filter(
    ([, { secret, since, until }]) =>
      (withSecrets || secret !== true) &&
      (version === undefined || since === undefined || isAtLeast(version, since)) &&
      (until === undefined || (version !== undefined && !isAtLeast(version, until))),
  );
  return Object.fromEntries(present.map(([name, field]) => [name, fillField(field, identity, options)]));
}

function fillField(field: Field, identity: SampleIdentity, options: SampleOptions): unknown {
  if (field.kind === 'object') return fillFields(field.fields, identity, options);
  if (field.kind === 'list') return [fillField(field.of, identity, options)];
  return typeof field.example === 'function'
    ? (field.example as (identity: SampleIdentity) => unknown)(identity)
    : field.example;
}

/** The second over the first, object by object; no field that the first lacks, since its version has none. */
function overlaid(base: JsonObject, over: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(base).map(([key, value]) => {
      const change = over[key];
      if (change === undefined) return [key, value];
      return [key, isObject(value) && isObject(change) ? overlaid(value, change) : change];
    }),
  );
}
