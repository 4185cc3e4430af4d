// An event in which each secret is a marker that stands nowhere else: what is left of it anywhere is a leak.

import { entryOf } from '../../src/fusionauth/catalogue.ts';
import type { KnownEventType } from '../../src/fusionauth/catalogue.ts';
import type { JsonObject } from '../../src/fusionauth/event.ts';
import type { Field, Fields, SampleIdentity } from '../../src/fusionauth/fields.ts';
import { sampleEvent } from '../../src/fusionauth/samples.ts';

export interface MarkedEvent {
  readonly event: JsonObject;
  /** Text to look for, one for each secret of the event. */
  readonly markers: readonly string[];
}

/**
 * An event with every field that the catalogue has for its type, also those that FusionAuth leaves empty there; each
 * that is marked as secret is a marker.
 */
export function markedEvent(type: KnownEventType, identity: SampleIdentity): MarkedEvent {
  const markers: string[] = [];
  const newMarker = (marker: string): string => {
    markers.push(marker);
    return marker;
  };
  const secretOf = ({ kind }: Field): unknown => {
    const place = markers.length + 1;
    if (kind === 'number' || kind === 'instant')
      return Number(newMarker(String(887_766_554_433_000 + place)));
    const marker = newMarker(`MARKER-${type}-${place}-SECRET`);
    if (kind === 'list') return [marker];
    return kind === 'free' || kind === 'object' ? { inside: [{ deeper: marker }] } : marker;
  };
  const valueOf = (field: Field): unknown => {
    if (field.secret === true) return secretOf(field);
    if (field.kind === 'object') return valuesOf(field.fields);
    if (field.kind === 'list') return [valueOf(field.of)];
    return typeof field.example === 'function'
      ? (field.example as (identity: SampleIdentity) => unknown)(identity)
      : field.example;
  };
  const valuesOf = (fields: Fields): JsonObject =>
    Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, valueOf(field)]));

  return { event: { ...sampleEvent(type, identity), ...valuesOf(entryOf(type)?.fields ?? {}) }, markers };
}
