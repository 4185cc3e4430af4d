// Events on the way that they take in the bridge, and the messages that they become.

import assert from 'node:assert/strict';
import type { KnownEventType } from '../../src/fusionauth/catalogue.ts';
import { parseWebhookBody } from '../../src/fusionauth/event.ts';
import type { FusionAuthEvent } from '../../src/fusionauth/event.ts';
import { sampleEvent } from '../../src/fusionauth/samples.ts';
import type { SampleOptions } from '../../src/fusionauth/samples.ts';
import { createMapper } from '../../src/mapping/map.ts';
import type { MappingFailure, MappingNote, MappingOptions } from '../../src/mapping/map.ts';
import type { Message, TrackMessage } from '../../src/segment/message.ts';

export type EventFields = Readonly<Record<string, unknown>>;

export const identity = {
  eventId: 'f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e',
  userId: 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0',
  createInstant: 1_767_225_600_000,
};
export const library = { name: 'fusionauth-segment', version: '1.2.3' };

/** JSON that may hold a 64-bit number, as Java writes it. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? `long:${part}` : part,
  ).replaceAll(/"long:(-?\d+)"/g, '$1');
}

/** An event of these fields as it comes out of its webhook. */
export function received(fields: EventFields): FusionAuthEvent {
  return parseWebhookBody(Buffer.from(jsonOf({ event: { id: identity.eventId, ...fields } })));
}

/** The sample of a type as it comes out of its webhook, with some fields changed. */
export function receivedSample(
  type: KnownEventType,
  changes: EventFields = {},
  options: SampleOptions = {},
): FusionAuthEvent {
  return received({ ...sampleEvent(type, identity, options), ...changes });
}

export function mapAll(
  event: FusionAuthEvent,
  options: Partial<MappingOptions> = {},
): readonly (Message | MappingFailure)[] {
  return [...createMapper({ library, ...options }).map(event)];
}

/** The messages of an event that becomes no failure. */
export function messagesOf(
  event: FusionAuthEvent,
  options: Partial<MappingOptions> = {},
): readonly Message[] {
  return mapAll(event, options).map((message) => {
    assert.ok(message.type !== 'failure', JSON.stringify(message));
    return message;
  });
}

/** The one track of an event. */
export function trackOf(event: FusionAuthEvent, options: Partial<MappingOptions> = {}): TrackMessage {
  const tracks = messagesOf(event, options).filter((message) => message.type === 'track');
  assert.equal(tracks.length, 1);
  return tracks[0] as TrackMessage;
}

/** What the mapping tells of its steps. */
export function notesOf(
  event: FusionAuthEvent,
  options: Partial<MappingOptions> = {},
): readonly MappingNote[] {
  const notes: MappingNote[] = [];
  const messages = createMapper({ library, ...options }).map(event, (note) => notes.push(note));
  for (const message of messages) assert.ok(message);
  return notes;
}

/** Messages in a few words: `identify, track user.email.update`; `nothing` for none. */
export function inWords(messages: readonly Message[]): string {
  const words = messages.map((message) =>
    message.type === 'track' ? `track ${message.event}` : message.type,
  );
  return words.join(', ') || 'nothing';
}
