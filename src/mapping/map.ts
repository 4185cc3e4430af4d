// What an event becomes: the only place that knows both sides. Pure: the same event and options give the same bytes,
// so a message that is sent twice has the same id twice and collapses at its destination.
//
// In this order: the filters let the event pass or not; its rule makes messages (messages.ts); the user's own `map` has
// its say; the privacy policy is applied, last, so that no code can let out by accident what the policy withholds.

import { reviveEvent } from '../fusionauth/event.ts';
import type { FusionAuthEvent } from '../fusionauth/event.ts';
import type { Message } from '../segment/message.ts';
import { bridgeTestMessage, isBridgeTest } from './bridge-test.ts';
import { compileFilter, switchedOn } from './filter.ts';
import type { EventFilter } from './filter.ts';
import { messagesOf } from './messages.ts';
import type { MessageOptions, MessageScope } from './messages.ts';
import { compilePrivacy } from './privacy.ts';
import type { PrivacyOptions } from './privacy.ts';
import { UserCodeError } from './user-code.ts';
import { callMap } from './user-map.ts';
import type { UserMap } from './user-map.ts';

export interface MappingOptions extends MessageOptions {
  /** An event must pass all of them. */
  readonly filters?: readonly EventFilter[];
  readonly privacy?: PrivacyOptions | undefined;
  readonly map?: UserMap | undefined;
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

/** An event about many users comes to the user's `map` in portions of this many messages, so that memory is bounded. */
const portionSize = 500;

/** The mapping that delivery is given. */
export function createMapping(options: MappingOptions): Mapping {
  const mapper = createMapper(options);
  return (body) => mapper.map(reviveEvent(body));
}

export function createMapper(options: MappingOptions): Mapper {
  const given = options.filters ?? [];
  const filters = given.map(compileFilter);
  const scope: MessageScope = {
    on: switchedOn(given),
    isDelivered: (type) => filters.every((filter) => filter.ofType(type) === undefined),
    isMeant: (user) => filters.every((filter) => filter.ofUser(user)),
  };
  const applyPrivacy = options.privacy ? compilePrivacy(options.privacy) : undefined;
  const { map: userMap } = options;
  const hasUserCode = userMap !== undefined || given.some(({ filter }) => filter !== undefined);

  return {
    *map(event, listener) {
      if (isBridgeTest(event)) {
        listener?.({ by: 'rule', note: 'test of the bridge by its doctor: track' });
        yield bridgeTestMessage(event, options);
        return;
      }
      // The user's own code may write into what it is given, and what it writes is no part of the event.
      const theirs = hasUserCode ? reviveEvent(JSON.stringify(event)) : event;
      try {
        for (const filter of filters) {
          const stopped = filter.ofEvent(event, theirs);
          if (stopped === undefined) continue;
          listener?.({ by: 'filter', note: `${stopped}: the event becomes nothing` });
          return;
        }
      } catch (error) {
        yield failureOf(error);
        return;
      }
      const made = messagesOf(event, scope, options, (note) => listener?.({ by: 'rule', note }));
      for (const message of userMap ? mappedByUser(theirs, made, userMap, options, listener) : made) {
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
