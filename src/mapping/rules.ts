// The rules: which messages each type of event becomes. They follow from what the catalogue says that an event tells;
// the exceptions stand here.

import { entryOf } from '../fusionauth/catalogue.ts';
import type { CatalogueEntry, KnownEventType, Telling } from '../fusionauth/catalogue.ts';
import type { FusionAuthEvent } from '../fusionauth/event.ts';

export type MessageKind = 'identify' | 'track' | 'group';

export interface Rule {
  readonly entry: CatalogueEntry;
  /** In the order in which they are sent: who somebody is comes before what somebody did. */
  readonly kinds: readonly MessageKind[];
  /** The list in the event whose entries each become messages; absent where the event is about one user. */
  readonly each: 'users' | 'members' | undefined;
  /** Why it becomes nothing unless it is switched on; undefined where it is on. */
  readonly offBecause: string | undefined;
}

const kindOfTelling = {
  profile: 'identify',
  activity: 'track',
  import: 'identify',
  membership: 'group',
  departure: 'track',
} as const satisfies Record<Telling, MessageKind>;

/** Off by default for another reason than a committed twin. */
const offByDefault: Partial<Record<KnownEventType, string>> = {
  'jwt.refresh': 'tokens are refreshed by programs, not by people, and often',
};

const rules = new Map<CatalogueEntry, Rule>();

/** The rule of a type; undefined where FusionAuth has a type that the catalogue does not know. */
export function ruleOf(type: string): Rule | undefined {
  const entry = entryOf(type);
  if (entry === undefined) return undefined;
  let rule = rules.get(entry);
  if (rule === undefined) rules.set(entry, (rule = makeRule(entry)));
  return rule;
}

function makeRule(entry: CatalogueEntry): Rule {
  const { type, tells, twin } = entry;
  const isOfMembers = tells.includes('membership') || tells.includes('departure');
  return {
    entry,
    kinds: tells.map((telling) => kindOfTelling[telling]),
    each: isOfMembers ? 'members' : tells.includes('import') ? 'users' : undefined,
    offBecause:
      tells.length === 0
        ? 'it names no user whom a message could be about'
        : twin === undefined
          ? offByDefault[type as KnownEventType]
          : `${twin} comes when it is committed`,
  };
}

/** Whether messages can come of it at all: a message needs a user. */
export function canBecomeMessages({ kinds }: Rule): boolean {
  return kinds.length > 0;
}

/**
 * The type under whose name the track goes out. A deletion comes as both types or as `user.delete` alone (bulk
 * deletions, unverified users that expire), so both become the same message, which collapses on its id.
 */
export function trackedEntry({ entry }: Rule): CatalogueEntry {
  return isDeletion(entry) ? (entryOf('user.delete.complete') ?? entry) : entry;
}

export function isDeletion({ type }: CatalogueEntry): boolean {
  return type === 'user.delete' || type === 'user.delete.complete';
}

/** The type that FusionAuth sends of the same thing, under another name; undefined where there is none. */
export function redundantTrack({ entry }: Rule, event: FusionAuthEvent): KnownEventType | undefined {
  return event['loginIdType'] === 'email' ? emailTwins[entry.type] : undefined;
}

const emailTwins: Readonly<Record<string, KnownEventType>> = {
  'user.identity.verified': 'user.email.verified',
  'user.identity.update': 'user.email.update',
};
