// What an event becomes: the only place that knows both sides. Pure: the same event and options give the same bytes,
// so a message that is sent twice has the same id twice and collapses at its destination.

import { reviveEvent } from '../fusionauth/event.ts';
import type { FusionAuthEvent } from '../fusionauth/event.ts';
import type { KnownEventType } from '../fusionauth/catalogue.ts';
import type { JsonMap, Message, MessageId } from '../segment/message.ts';
import { contextOf } from './context.ts';
import { compact, isoInstant, objectOf, textOf } from './read.ts';
import { traitsOf } from './traits.ts';

export interface MappingOptions {
  /** `context.library` of every message. */
  readonly library: JsonMap;
}

/** From a record's body to its messages, options applied: what delivery is given. */
export type Mapping = (body: string) => readonly Message[];

type MessageKind = 'identify' | 'track';

/** Which messages each type becomes, in this order. A type that is not here becomes none. */
const rules = {
  'user.create.complete': ['identify'],
  'user.email.update': ['identify'],
  'user.update.complete': ['identify'],
  'user.login.success': ['track'],
} as const satisfies Partial<Record<KnownEventType, readonly MessageKind[]>>;

/** The kinds of message that events of this type become; none where the type is stored only. */
export function messageKindsOf(type: string): readonly MessageKind[] {
  return Object.hasOwn(rules, type) ? rules[type as keyof typeof rules] : [];
}

/** The mapping that delivery is given. */
export function createMapping(options: MappingOptions): Mapping {
  return (body) => mapEvent(reviveEvent(body), options);
}

/** The messages of one event; none where its type is not mapped, or it names no user. */
export function mapEvent(event: FusionAuthEvent, options: MappingOptions): readonly Message[] {
  const userId = textOf(objectOf(event.user)['id']);
  if (userId === undefined) return [];
  return messageKindsOf(event.type).map((kind) => makeMessage(kind, userId, event, options));
}

function makeMessage(
  kind: MessageKind,
  userId: string,
  event: FusionAuthEvent,
  { library }: MappingOptions,
): Message {
  const timestamp = isoInstant(event.createInstant);
  const common = {
    messageId: messageIdOf(event, kind),
    userId,
    ...(timestamp === undefined ? {} : { timestamp }),
    context: contextOf(event, library),
  };
  return kind === 'identify'
    ? { type: 'identify', ...common, traits: traitsOf(event) }
    : { type: 'track', event: event.type, ...common, properties: propertiesOf(event) };
}

/**
 * Names the FusionAuth event and the kind of message, since one event may become several. At most 84 characters.
 * Segment may compare ids across sources, so the prefix keeps ours apart.
 */
function messageIdOf(event: FusionAuthEvent, kind: MessageKind): MessageId {
  return `fusionauth-${event.id}-${kind}` as MessageId;
}

/** The fields of a login of its own. None snake-cases to a column that the warehouse reserves. */
function propertiesOf(event: FusionAuthEvent): JsonMap {
  return compact(
    [
      'applicationId',
      'authenticationType',
      'connectorId',
      'identityProviderId',
      'identityProviderName',
      'tenantId',
    ].map((field) => [field, textOf(event[field])]),
  );
}
