// The user's own `map`: what it is given, and what is made of its answer.

import type { KnownEvent } from '../fusionauth/catalogue.ts';
import { isObject } from '../fusionauth/event.ts';
import type { FusionAuthEvent } from '../fusionauth/event.ts';
import type { Message, MessageId } from '../segment/message.ts';
import { isoInstant } from './read.ts';
import { callUserCode, UserCodeError } from './user-code.ts';

/** A message as `map` may return it: `messageId`, `timestamp` and `context` are added where they are missing. */
export type MessageDraft = Message extends infer M
  ? M extends Message
    ? Omit<M, 'messageId' | 'context'> & {
        readonly messageId?: string;
        readonly context?: Message['context'];
      }
    : never
  : never;

/**
 * Given an event and the messages that it becomes, returns those that it should become. Called for every event that
 * passes the filters, also for one that becomes nothing by itself; for an import of users in portions of 500.
 */
export type UserMap = (event: KnownEvent, messages: readonly Message[]) => readonly MessageDraft[];

/** What tells the ids of a portion's messages from those of other portions and of other destinations. */
export interface MessagePlace {
  readonly portion: number;
  /** As in MappingOptions. */
  readonly idSuffix: string;
}

/** Throws UserCodeError. What it returns is JSON, and complete: whether Segment would take it is checked later. */
export function callMap(
  userMap: UserMap,
  event: FusionAuthEvent,
  messages: readonly Message[],
  place: MessagePlace,
): readonly Message[] {
  const returned: unknown = callUserCode('map', () => {
    const answer: unknown = userMap(event as unknown as KnownEvent, messages);
    // By way of JSON, inside the time limit: what is no JSON (a date, an undefined) becomes what would be sent, and
    // what cannot be (a bigint, a circle) is the code's fault. In a list, since undefined alone has no JSON.
    return answer instanceof Promise ? answer : (JSON.parse(JSON.stringify([answer])) as [unknown])[0];
  });
  if (!Array.isArray(returned) || !returned.every(isObject)) {
    throw new UserCodeError(
      'map_failed',
      `map returned ${Array.isArray(returned) ? 'a list with something that is no message' : 'no list'}; it must return a list of messages, [] for none`,
    );
  }
  return completed(returned, event, new Set(messages.map(({ messageId }) => messageId)), place);
}

function completed(
  drafts: readonly Record<string, unknown>[],
  event: FusionAuthEvent,
  givenIds: ReadonlySet<unknown>,
  { portion, idSuffix }: MessagePlace,
): readonly Message[] {
  const timestamp = isoInstant(event.createInstant);
  const taken = new Set<unknown>();
  const copies = new Map<unknown, number>();
  // A copy of a message has its id, and would be dropped as a repetition of it.
  const ownId = (given: unknown): MessageId => {
    let id = given;
    let copy = copies.get(given) ?? 1;
    while (taken.has(id)) id = `${String(given)}-${++copy}`;
    copies.set(given, copy);
    taken.add(id);
    return id as MessageId;
  };
  return drafts.map((draft, index) => {
    const given =
      draft['messageId'] ?? `fusionauth-${event.id}-map-${portion === 0 ? '' : `${portion}-`}${index}`;
    return {
      ...(timestamp === undefined ? {} : { timestamp }),
      context: {},
      ...emptyPartOf(draft['type']),
      ...onlyOfSpec(draft),
      // Those that it was given have the suffix already; what is no text is told by the checks.
      messageId: ownId(givenIds.has(given) || typeof given !== 'string' ? given : `${given}${idSuffix}`),
    } as unknown as Message;
  });
}

/** What Segment's spec has, and no more: the privacy policy knows where people stand in these. */
const fieldsOfSpec = new Set([
  'type',
  'messageId',
  'userId',
  'anonymousId',
  'timestamp',
  'context',
  'integrations',
  'traits',
  'event',
  'properties',
  'groupId',
  'previousId',
  'name',
  'category',
]);

function onlyOfSpec(draft: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(draft).filter(([field]) => fieldsOfSpec.has(field)));
}

/** What a message of this kind has at least. */
function emptyPartOf(type: unknown): object {
  if (type === 'identify' || type === 'group') return { traits: {} };
  if (type === 'track' || type === 'page' || type === 'screen') return { properties: {} };
  return {};
}
