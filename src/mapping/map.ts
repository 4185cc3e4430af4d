// What an event becomes: the only place that knows both sides. Pure: the same event and options give the same bytes,
// so a message that is sent twice has the same id twice and collapses at its destination.
//
// In this order: the filters let the event pass or not; its rule makes messages; the user's own `map` has its say; the
// privacy policy is applied, last, so that no code can let out by accident what the policy withholds.

import type { KnownEvent } from '../fusionauth/catalogue.ts';
import { reviveEvent } from '../fusionauth/event.ts';
import type { FusionAuthEvent } from '../fusionauth/event.ts';
import type { JsonMap, Message, MessageId } from '../segment/message.ts';
import { contextOf } from './context.ts';
import type { GroupSource } from './context.ts';
import { compileFilter, switchedOn } from './filter.ts';
import type { EventFilter } from './filter.ts';
import { eventNameOf } from './names.ts';
import type { Naming } from './names.ts';
import { compilePrivacy } from './privacy.ts';
import type { PrivacyOptions } from './privacy.ts';
import { propertiesOf } from './properties.ts';
import { isoInstant, objectOf, textOf, valueAt } from './read.ts';
import { isDeletion, redundantTrack, ruleOf, trackedEntry } from './rules.ts';
import type { MessageKind, Rule } from './rules.ts';
import { subjectOf, subjectsOf } from './subject.ts';
import type { Subject } from './subject.ts';
import { groupTraitsOf, traitsOf } from './traits.ts';
import { UserCodeError } from './user-code.ts';
import { callMap } from './user-map.ts';
import type { UserMap } from './user-map.ts';

export interface MappingOptions {
  /** `context.library` of every message. */
  readonly library: JsonMap;
  /** `fusionauth` where nothing is said. */
  readonly naming?: Naming | undefined;
  /** An event must pass all of them. */
  readonly filters?: readonly EventFilter[];
  /** Where in an event the visitor's id stands, to join a visitor with a user. */
  readonly anonymousId?: string | undefined;
  /** What becomes `context.groupId`; nothing where nothing is said. */
  readonly groupId?: GroupSource | undefined;
  readonly privacy?: PrivacyOptions | undefined;
  readonly map?: UserMap | undefined;
  /**
   * Added to each message's id. A second Segment source needs one: Segment may compare ids across sources, and would
   * drop there what it has seen here.
   */
  readonly idSuffix?: string | undefined;
}

/** What cannot become a message, and why: a part of the event, or all of it. Kept as a dead letter. */
export class MappingFailure {
  readonly type = 'failure';
  readonly reason: string;
  /** For the developer: with the stack, where there is one. */
  readonly detail: string;

  constructor(reason: string, detail: string) {
    this.reason = reason;
    this.detail = detail;
  }
}

/**
 * From a record's body to its messages, options applied: what delivery is given. Lazy, since an import of ten thousand
 * users is one event: each message is made when it is asked for.
 */
export type Mapping = (body: string) => Iterable<Message | MappingFailure>;

/** One step of a mapping, told for `map --explain`. */
export interface MappingNote {
  readonly by: 'filter' | 'rule' | 'map' | 'privacy';
  readonly note: string;
}
export type Listener = (note: MappingNote) => void;

/** The mapping of one destination. */
export interface Mapper {
  /** The messages of one event, in order; none where it is filtered, means nothing to Segment, or names no user. */
  map(event: FusionAuthEvent, listener?: Listener): Iterable<Message | MappingFailure>;
}

/** FusionAuth's own hook: what its API's callers give as `eventInfo.data`. */
export const defaultAnonymousId = 'info.data.anonymousId';
/** An event about many users comes to the user's `map` in portions of this many messages, so that memory is bounded. */
const portionSize = 500;

/** The mapping that delivery is given. */
export function createMapping(options: MappingOptions): Mapping {
  const mapper = createMapper(options);
  return (body) => mapper.map(reviveEvent(body));
}

export function createMapper(options: MappingOptions): Mapper {
  const filters = (options.filters ?? []).map(compileFilter);
  const on = switchedOn(options.filters ?? []);
  const applyPrivacy = options.privacy ? compilePrivacy(options.privacy) : undefined;
  const { map: userMap } = options;

  return {
    *map(event, listener) {
      try {
        for (const filter of filters) {
          const stopped = filter(event);
          if (stopped === undefined) continue;
          listener?.({ by: 'filter', note: `${stopped}: the event becomes nothing` });
          return;
        }
      } catch (error) {
        yield failureOf(error);
        return;
      }
      const made = messagesOf(event, on, options, listener);
      for (const message of userMap ? mappedByUser(event, made, userMap, options, listener) : made) {
        // By its class: a message of the user's own code may call itself anything.
        if (message instanceof MappingFailure || applyPrivacy === undefined) yield message;
        else {
          yield applyPrivacy(message, ({ path, action, pattern }) =>
            listener?.({ by: 'privacy', note: `${message.messageId}: ${path}: ${action}, by ${pattern}` }),
          );
        }
      }
    },
  };
}

/** What the event's rule makes of it. */
function* messagesOf(
  event: FusionAuthEvent,
  on: ReadonlySet<string>,
  options: MappingOptions,
  listener: Listener | undefined,
): Iterable<Message> {
  const rule = ruleOf(event.type);
  const stopped = findStop(rule, event, on);
  if (rule === undefined || stopped !== undefined) {
    listener?.({ by: 'rule', note: `${event.type} becomes nothing: ${stopped ?? ''}` });
    return;
  }
  if (rule.each !== undefined) {
    for (const { index, ...subject } of subjectsOf(event, rule.each)) {
      yield* messagesAbout(subject, event, rule, `-${index}`, options, listener);
    }
    return;
  }
  const subject = subjectOf(event, rule.entry);
  if (subject === undefined) {
    listener?.({ by: 'rule', note: `${event.type} becomes nothing: this one names no user` });
    return;
  }
  yield* messagesAbout(subject, event, rule, '', options, listener);
}

function findStop(
  rule: Rule | undefined,
  { type }: FusionAuthEvent,
  on: ReadonlySet<string>,
): string | undefined {
  if (rule === undefined) return 'the catalogue does not know it';
  if (rule.offBecause === undefined || (rule.kinds.length > 0 && (on.has(type) || on.has(rule.entry.type)))) {
    return undefined;
  }
  return rule.kinds.length === 0
    ? rule.offBecause
    : `${rule.offBecause}; events.include switches it on by its full name`;
}

/** `place`: of the user among those of the event, for the messages' ids. */
function* messagesAbout(
  subject: Subject,
  event: FusionAuthEvent,
  rule: Rule,
  place: string,
  options: MappingOptions,
  listener: Listener | undefined,
): Iterable<Message> {
  for (const kind of rule.kinds) {
    const redundant = kind === 'track' ? redundantTrack(rule, event) : undefined;
    if (redundant !== undefined) {
      listener?.({ by: 'rule', note: `${event.type} becomes no track: ${redundant}` });
      continue;
    }
    const message = makeMessage(kind, subject, event, rule, place, options);
    if (message === undefined) {
      listener?.({ by: 'rule', note: `${event.type} becomes no group: its group has no id` });
      continue;
    }
    listener?.({
      by: 'rule',
      note: `${event.type} tells ${rule.entry.tells.join(' and ')}: ${message.type} ${message.messageId}`,
    });
    yield message;
  }
}

function makeMessage(
  kind: MessageKind,
  subject: Subject,
  event: FusionAuthEvent,
  rule: Rule,
  place: string,
  options: MappingOptions,
): Message | undefined {
  const timestamp = isoInstant(event.createInstant);
  const isOfActor = rule.entry.infoIsOfActor === true;
  const anonymousId = isOfActor
    ? undefined
    : textOf(valueAt(event, options.anonymousId ?? defaultAnonymousId));
  const person = { user: subject.user, info: isOfActor ? {} : objectOf(event.info) };
  const common = {
    messageId: messageIdOf(event, kind, subject, rule, place, options),
    userId: subject.userId,
    ...(anonymousId === undefined ? {} : { anonymousId }),
    ...(timestamp === undefined ? {} : { timestamp }),
    context: contextOf(event, person, options),
  };
  switch (kind) {
    case 'identify':
      return { type: 'identify', ...common, traits: traitsOf(subject.user, event) };
    case 'track': {
      const naming = options.naming ?? 'fusionauth';
      const properties = propertiesOf(event, rule.entry);
      return {
        type: 'track',
        event: eventNameOf(trackedEntry(rule), naming),
        ...common,
        properties: naming === 'fusionauth' ? properties : { ...properties, fusionauthType: rule.entry.type },
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

/** Of a UUID, as all ids of FusionAuth's users are: a longer one might make a message's id too long for Segment. */
const maxUserIdInMessageId = 36;

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
  { idSuffix = '' }: MappingOptions,
): MessageId {
  const insertInstant = user['insertInstant'];
  const of =
    isDeletion(entry) && userId.length <= maxUserIdInMessageId
      ? `delete-${userId}${typeof insertInstant === 'number' ? `-${insertInstant}` : ''}`
      : event.id;
  return `fusionauth-${of}-${kind}${place}${idSuffix}` as MessageId;
}

/** The messages, portion by portion, as the user's `map` returns them. */
function* mappedByUser(
  event: FusionAuthEvent,
  made: Iterable<Message>,
  userMap: UserMap,
  { idSuffix = '' }: MappingOptions,
  listener: Listener | undefined,
): Iterable<Message | MappingFailure> {
  let portion: Message[] = [];
  let portions = 0;
  const mapPortion = (): readonly (Message | MappingFailure)[] => {
    const given = portion;
    portion = [];
    try {
      const returned = callMap(userMap, event, given, { portion: portions++, idSuffix });
      listener?.({ by: 'map', note: `was given ${given.length} messages and returned ${returned.length}` });
      return returned;
    } catch (error) {
      return [failureOf(error)];
    }
  };
  for (const message of made) {
    portion.push(message);
    if (portion.length === portionSize) yield* mapPortion();
  }
  // An event that becomes nothing by itself may become something in code.
  if (portion.length > 0 || portions === 0) yield* mapPortion();
}

function failureOf(error: unknown): MappingFailure {
  if (!(error instanceof UserCodeError)) throw error;
  return new MappingFailure(error.reason, error.detail);
}

export type { KnownEvent };
