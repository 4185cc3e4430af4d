// Which events are delivered at all: by type, tenant, application, or the user's own function.

import { entryOf, eventTypes } from '../fusionauth/catalogue.ts';
import type { KnownEvent } from '../fusionauth/catalogue.ts';
import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
import { objectOf, objectsOf, tenantIdOf } from './read.ts';
import { canBecomeMessages, ruleOf, trackedEntry } from './rules.ts';
import { matchesAny } from './type-pattern.ts';
import { callUserCode } from './user-code.ts';

/** An event must pass all that is set. */
export interface EventFilter {
  /** Types, or patterns in which `*` stands for anything. A type that is off by default is switched on by its full name. */
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  /** Tenants' ids; an event that names no tenant does not pass. */
  readonly tenants?: readonly string[] | undefined;
  /**
   * Applications' ids; an event that names none passes where its user is registered for one of them, and an import with
   * those of its users who are. One about a group names none.
   */
  readonly applications?: readonly string[] | undefined;
  readonly filter?: ((event: KnownEvent) => boolean) | undefined;
}

/** Its parts; each says why something does not pass, or undefined. */
export interface CompiledFilter {
  /** `theirs`: the event as the user's own function is given it. Throws UserCodeError. */
  ofEvent(event: FusionAuthEvent, theirs: FusionAuthEvent): string | undefined;
  /** By its type alone. */
  ofType(type: string): string | undefined;
  /** Whether one of an event's many users is of the applications that are named. */
  ofUser(user: JsonObject): boolean;
}

export function compileFilter({
  include,
  exclude,
  tenants,
  applications,
  filter,
}: EventFilter): CompiledFilter {
  const included = include && matchesAny(include);
  const excluded = exclude && matchesAny(exclude);
  const judge = (type: string): string | undefined => {
    if (included && !spellingsOf(type).some(included)) return `events.include has no pattern for ${type}`;
    if (excluded && namesOf(type).some(excluded)) return `events.exclude has a pattern for ${type}`;
    return undefined;
  };
  // Of known types only: a forger may send any number of others.
  const verdicts = new Map(eventTypes.map((type): [string, string | undefined] => [type, judge(type)]));
  const ofType = (type: string) => (verdicts.has(type) ? verdicts.get(type) : judge(type));
  const isNamed = (id: unknown) => applications?.includes(id as string) !== false;

  return {
    ofType,
    ofUser: (user) => applications === undefined || registeredFor(user).some(isNamed),
    ofEvent(event, theirs) {
      const byType = ofType(event.type);
      if (byType !== undefined) return byType;
      if (tenants && !tenants.includes(tenantIdOf(event) ?? '')) {
        return 'events.tenants does not name its tenant';
      }
      if (applications && !applicationsOf(event).some(isNamed)) {
        return 'events.applications names none of its applications';
      }
      if (filter && !callUserCode('filter', () => filter(theirs as unknown as KnownEvent))) {
        return 'events.filter answered false';
      }
      return undefined;
    },
  };
}

/** The types that are named in full, and so switched on. */
export function switchedOn(filters: readonly EventFilter[]): ReadonlySet<string> {
  return new Set(filters.flatMap(({ include = [] }) => include));
}

/** What is wrong with a pattern for types, as the end of a sentence; undefined where nothing is. */
export function findTypePatternFault(pattern: string): string | undefined {
  if (pattern.includes('*')) {
    return eventTypes.flatMap(spellingsOf).some(matchesAny([pattern]))
      ? undefined
      : 'matches no event type of FusionAuth’s';
  }
  const rule = ruleOf(pattern);
  if (rule === undefined) return 'is no event type of FusionAuth’s';
  return canBecomeMessages(rule) ? undefined : 'becomes nothing in any case: it names no user';
}

/** And of a deletion both: whoever wants no deletions names one of the two. */
function namesOf(type: string): readonly string[] {
  const rule = ruleOf(type);
  return rule === undefined ? [type] : [...spellingsOf(type), trackedEntry(rule).type];
}

/** All names of a type: a pattern may have any of them, whichever FusionAuth sends. */
function spellingsOf(type: string): readonly string[] {
  const entry = entryOf(type);
  return entry === undefined ? [type] : [entry.type, ...(entry.aliases ?? [])];
}

/** Where an event names no application, those that its users are registered for. */
function applicationsOf(event: FusionAuthEvent): readonly unknown[] {
  const list = event['applicationIds'];
  const named = [
    event.applicationId,
    objectOf(event['registration'])['applicationId'],
    ...(Array.isArray(list) ? (list as unknown[]) : []),
  ].filter((id) => typeof id === 'string');
  if (named.length > 0) return named;
  return [objectOf(event.user), ...objectsOf(event['users'])].flatMap(registeredFor);
}

function registeredFor(user: JsonObject): readonly unknown[] {
  return objectsOf(user['registrations']).map(({ applicationId }) => applicationId);
}
