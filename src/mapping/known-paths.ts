// Which places a message can have, so that a privacy path that fits none is told as the slip of the pen that it is.

import { eventTypes } from '../fusionauth/catalogue.ts';
import { parseWebhookBody } from '../fusionauth/event.ts';
import { sampleEvent } from '../fusionauth/samples.ts';
import type { JsonMap, JsonValue, Message } from '../segment/message.ts';
import { messagesOf } from './messages.ts';
import { createRootPlace, createStep, reachableParts } from './privacy-patterns.ts';

/** Whether a pattern fits a place of some message, or reaches into what is free-form. */
export function fitsSomePlace(pattern: string): boolean {
  const step = createStep();
  const root = createRootPlace([{ [pattern]: 'drop' }]);
  return messages().some((message) =>
    reachableParts.some((part) => {
      const map = (message as { readonly [Part in typeof part]?: JsonMap })[part];
      return map !== undefined && fits(map, step(root, part));
    }),
  );

  function fits(value: JsonValue | undefined, place: ReturnType<typeof step>, key = ''): boolean {
    if (place.rule !== undefined) return true;
    if (place.nodes.length === 0) return false;
    // Here anything may stand.
    if (key === 'data') return true;
    if (Array.isArray(value)) return value.some((entry: JsonValue) => fits(entry, place, key));
    if (typeof value !== 'object' || value === null) return false;
    return Object.entries(value).some(([name, inner]) => fits(inner, step(place, name), name));
  }
}

let known: readonly Message[] | undefined;

/** Of the samples of all types, in the newest shape and in an old one. */
function messages(): readonly Message[] {
  known ??= eventTypes.flatMap((type) =>
    [undefined, '1.25'].flatMap((version) => {
      const identity = { eventId: 'e', userId: 'u', createInstant: 0 };
      const event = sampleEvent(type, identity, { version });
      const parsed = parseWebhookBody(Buffer.from(JSON.stringify(event)));
      const scope = { on: new Set<string>([type]), isDelivered: () => false, isMeant: () => true };
      const options = { library: { name: 'n', version: 'v' }, groupId: 'tenant', naming: 'segment' } as const;
      return [...messagesOf(parsed, scope, options, () => undefined)];
    }),
  );
  return known;
}
