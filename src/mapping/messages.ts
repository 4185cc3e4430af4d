// What an event's rule makes of it: its messages, without the user's own code and policy.

import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
import type { JsonMap, Message, MessageId } from '../segment/message.ts';
import { contextOf } from './context.ts';
import type { GroupSource } from './context.ts';
import { eventNameOf } from './names.ts';
import type { Naming } from './names.ts';
import { propertiesOf } from './properties.ts';
import { isoInstant, objectOf, textOf, valueAt } from './read.ts';
import { isDeletion, redundantTrack, ruleOf, trackedEntry } from './rules.ts';
import type { MessageKind, Rule } from './rules.ts';
import { subjectOf, subjectsOf } from './subject.ts';
import type { Subject } from './subject.ts';
import { groupTraitsOf, traitsOf } from './traits.ts';

export interface MessageOptions {
  /** `context.library` of every message. */
  readonly library: JsonMap;
  /** `fusionauth` where nothing is said. */
  readonly naming?: Naming | undefined;
  /** Where in an event the visitor's id stands, to join a visitor with a user. */
  readonly anonymousId?: string | undefined;
  /** What becomes `context.groupId`; nothing where nothing is said. */
  readonly groupId?: GroupSource | undefined;
  /**
   * Added to each message's id. A second Segment source needs one: Segment may compare ids across sources, and would
   * drop there what it has seen here.
   */
  readonly idSuffix?: string | undefined;
}

/** How the filters bear on it. */
export interface MessageScope {
  /** Types that are off by default and switched on. */
  readonly on: ReadonlySet<string>;
  /** Whether events of a type are delivered at all. */
  readonly isDelivered: (type: string) => boolean;
  /** Whether one of many users of an event is meant. */
  readonly isMeant: (user: JsonObject) => boolean;
}

/** FusionAuth's own hook: what its API's callers give as `eventInfo.data`. */
export const defaultAnonymousId = 'info.data.anonymousId';
/** Of a UUID, as all ids of FusionAuth's users are: a longer one might make a message's id too long for Segment. */
const maxUserIdInMessageId = 36;

/** `note` is told why something is made or not. */
export function* messagesOf(
  event: FusionAuthEvent,
  scope: MessageScope,
  options: MessageOptions,
  note: (text: string) => void,
): Iterable<Message> {
  const rule = ruleOf(event.type);
  const stopped = findStop(rule, event, scope.on);
  if (rule === undefined || stopped !== undefined) {
    note(`${event.type} becomes nothing: ${stopped ?? ''}`);
    return;
  }
  if (rule.each !== undefined) {
    for (const { index, ...subject } of subjectsOf(event, rule.each)) {
      if (rule.each === 'users' && !scope.isMeant(subject.user)) {
        note(`user ${index} becomes nothing: events.applications names none of its applications`);
      } else yield* messagesAbout(subject, event, rule, `-${index}`, scope, options, note);
    }
    return;
  }
  const subject = subjectOf(event, rule.entry);
  if (subject === undefined) note(`${event.type} becomes nothing: this one names no user`);
  else yield* messagesAbout(subject, event, rule, '', scope, options, note);
}

function findStop(
  rule: Rule | undefined,
  { type }: FusionAuthEvent,
  on: ReadonlySet<string>,
): string | undefined {
  if (rule === undefined) return 'the catalogue does not know it';
  const { offBecause, kinds, entry } = rule;
  if (offBecause === undefined || kinds.length === 0) return offBecause;
  if (on.has(type) || on.has(entry.type)) return undefined;
  return `${offBecause}; events.include switches it on by its full name`;
}

/** `place`: of the user among those of the event, for the messages' ids. */
function* messagesAbout(
  subject: Subject,
  event: FusionAuthEvent,
  rule: Rule,
  place: string,
  { isDelivered }: MessageScope,
  options: MessageOptions,
  note: (text: string) => void,
): Iterable<Message> {
  const { type, tells } = rule.entry;
  for (const kind of rule.kinds) {
    const twin = kind === 'track' ? redundantTrack(rule, event) : undefined;
    if (twin !== undefined && isDelivered(twin)) {
      note(`${type} becomes no track: for an e-mail address FusionAuth sends ${twin} as well`);
      continue;
    }
    const message = makeMessage(kind, subject, event, rule, place, options);
    if (message === undefined) {
      note(`${type} becomes no group: its group has no id`);
      continue;
    }
    note(`${type} tells ${tells.join(' and ')}: ${message.type} ${message.messageId}`);
    yield message;
  }
}

function makeMessage(
  kind: MessageKind,
  subject: Subject,
  event: FusionAuthEvent,
  rule: Rule,
  place: string,
  options: MessageOptions,
): Message | undefined {
  const timestamp = isoInstant(event.createInstant);
  const info = rule.entry.infoIsOf === 'actor' ? {} : objectOf(event.info);
  const anonymousId = anonymousIdOf(event, subject, rule, options);
  const common = {
    messageId: messageIdOf(event, kind, subject, rule, place, options),
    userId: subject.userId,
    ...(anonymousId === undefined ? {} : { anonymousId }),
    ...(timestamp === undefined ? {} : { timestamp }),
    context: contextOf(event, { user: subject.user, info }, options),
  };
  switch (kind) {
    case 'identify':
      return { type: 'identify', ...common, traits: traitsOf(subject.user, event) };
    case 'track': {
      const naming = options.naming ?? 'fusionauth';
      const tracked = trackedEntry(rule);
      const properties = propertiesOf(event, rule.entry);
      return {
        type: 'track',
        event: eventNameOf(tracked, naming),
        ...common,
        properties: naming === 'fusionauth' ? properties : { ...properties, fusionauthType: tracked.type },
      };
    }
    case 'group': {
      const group = objectOf(event['group']);
      const groupId = textOf(group['id']);
      if (groupId === undefined) return undefined;
      return { type: 'group', groupId, ...common, traits: groupTraitsOf(group, event) };
    }
  }
}

/**
 * Segment joins visitor and user for good, so it must be the user's own: what stands in `info` counts only where the
 * event shows that whoever sent it is the user, and what stands in `user` is read from the user whom the message is about.
 */
function anonymousIdOf(
  event: FusionAuthEvent,
  { user }: Subject,
  { entry }: Rule,
  { anonymousId: path = defaultAnonymousId }: MessageOptions,
): string | undefined {
  if (path.startsWith('user.')) return textOf(valueAt(user, path.slice('user.'.length)));
  return entry.infoIsOf === undefined ? textOf(valueAt(event, path)) : undefined;
}

/**
 * Names the FusionAuth event and the kind of message, since one event may become several. Segment may compare ids
 * across sources, so the prefix keeps ours apart. The two events of one deletion name the user and when that user was
 * created, and so have one id.
 */
function messageIdOf(
  event: FusionAuthEvent,
  kind: MessageKind,
  { userId, user }: Subject,
  { entry }: Rule,
  place: string,
  { idSuffix = '' }: MessageOptions,
): MessageId {
  const insertInstant = user['insertInstant'];
  const of =
    isDeletion(entry) && userId.length <= maxUserIdInMessageId
      ? `delete-${userId}${typeof insertInstant === 'number' ? `-${insertInstant}` : ''}`
      : event.id;
  return `fusionauth-${of}-${kind}${place}${idSuffix}` as MessageId;
}
