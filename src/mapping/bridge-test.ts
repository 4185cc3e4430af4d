// The event by which `doctor --send` tries the whole way. It is of FusionAuth's type `test` and marked, and becomes one
// track with a name and a subject of its own, so that no figure about real people counts it. Filters, the user's `map` and
// the privacy policy have no say in it: what is tried is the way, and it has nothing to withhold.

import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
import { isoInstant } from './read.ts';
import type { MessageId, TrackMessage } from '../segment/message.ts';
import type { MessageOptions } from './messages.ts';

const mark = 'fusionauth-segment doctor';
const eventName = 'Bridge Tested';
const subject = 'fusionauth-segment-doctor';

/** What the test leaves behind, for who wants to delete it. */
export const bridgeTestTraces = { eventName, anonymousId: subject, table: 'bridge_tested' } as const;

/** As FusionAuth's own `test` event, marked. `createInstant`: milliseconds since 1970. */
export function bridgeTestEvent({ id, createInstant }: { id: string; createInstant: number }): JsonObject {
  return { createInstant, id, message: mark, type: 'test' };
}

export function isBridgeTest({ type, ...event }: FusionAuthEvent): boolean {
  return type === 'test' && event['message'] === mark;
}

export function bridgeTestMessage(
  { id, createInstant }: FusionAuthEvent,
  { library, idSuffix = '' }: MessageOptions,
): TrackMessage {
  const timestamp = isoInstant(createInstant);
  return {
    type: 'track',
    event: eventName,
    messageId: `fusionauth-${id}-track${idSuffix}` as MessageId,
    anonymousId: subject,
    ...(timestamp === undefined ? {} : { timestamp }),
    context: { library },
    properties: { fusionauthEventId: id },
  };
}
