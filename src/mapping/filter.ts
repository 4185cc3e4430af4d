// Which events are delivered at all: by type, tenant, application, or the user's own function.

import { entryOf, eventTypes } from '../fusionauth/catalogue.ts';
import type { KnownEvent } from '../fusionauth/catalogue.ts';
import type { FusionAuthEvent } from '../fusionauth/event.ts';
import { objectOf, objectsOf, tenantIdOf } from './read.ts';
import { ruleOf } from './rules.ts';
import { callUserCode } from './user-code.ts';

/** An event must pass all that is set. */
export interface EventFilter {
  /** Types, or patterns in which `*` stands for anything. A type that is off by default is switched on by its full name. */
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  /** Tenants' ids; an event that names no tenant does not pass. */
  readonly tenants?: readonly string[] | undefined;
  /** Applications' ids; an event that names none passes where its user is registered for one of them. */
  readonly applications?: readonly string[] | undefined;
  readonly filter?: ((event: KnownEvent) => boolean) | undefined;
}

/** Why an event does not pass, or undefined. Throws UserCodeError. */
export type CompiledFilter = (event: FusionAuthEvent) => string | undefined;

export function compileFilter({
  include,
  exclude,
  tenants,
  applications,
  filter,
}: EventFilter): CompiledFilter {
  const included = include && matcher(include);
  const excluded = exclude && matcher(exclude);
  const typeVerdict = (type: string): string | undefined => {
    const names = spellingsOf(type);
    if (included && !names.some(included)) return `events.include has no pattern for ${type}`;
    if (excluded && names.some(excluded)) return `events.exclude has a pattern for ${type}`;
    return undefined;
  };
  // Of known types only: a forger may send any number of others.
  const verdicts = new Map(eventTypes.map((type): [string, string | undefined] => [type, typeVerdict(type)]));

  return (event) => {
    const byType = verdicts.has(event.type) ? verdicts.get(event.type) : typeVerdict(event.type);
    if (byType !== undefined) return byType;
    if (tenants && !tenants.includes(tenantIdOf(event) ?? ''))
      return 'events.tenants does not name its tenant';
    if (applications && !applicationsOf(event).some((id) => applications.includes(id as string))) {
      return 'events.applications names none of its applications';
    }
    if (filter && !callUserCode('filter', () => filter(event as unknown as KnownEvent))) {
      return 'events.filter answered false';
    }
    return undefined;
  };
}

/** The types that are named in full, and so switched on. */
export function switchedOn(filters: readonly EventFilter[]): ReadonlySet<string> {
  return new Set(filters.flatMap(({ include = [] }) => include));
}

/** What is wrong with a pattern for types, as the end of a sentence; undefined where nothing is. */
export function findTypePatternFault(pattern: string): string | undefined {
  if (pattern.includes('*')) {
    return eventTypes.flatMap(spellingsOf).some(matcher([pattern]))
      ? undefined
      : 'matches no event type of FusionAuth’s';
  }
  const rule = ruleOf(pattern);
  if (rule === undefined) return 'is no event type of FusionAuth’s';
  return undefined;
}

/** All names of a type: a pattern may have any of them, whichever FusionAuth sends. */
function spellingsOf(type: string): readonly string[] {
  const entry = entryOf(type);
  return entry === undefined ? [type] : [entry.type, ...(entry.aliases ?? [])];
}

function matcher(patterns: readonly string[]): (type: string) => boolean {
  const expressions = patterns.map(
    (pattern) =>
      new RegExp(
        `^${pattern
          .split('*')
          .map((part) => RegExp.escape(part))
          .join('.*')}$`,
      ),
  );
  return (type) => expressions.some((expression) => expression.test(type));
}

/** Where an event names no application, those that its user is registered for. */
function applicationsOf(event: FusionAuthEvent): readonly unknown[] {
  const list = event['applicationIds'];
  const named = [
    event.applicationId,
    objectOf(event['registration'])['applicationId'],
    ...(Array.isArray(list) ? (list as unknown[]) : []),
  ].filter((id) => typeof id === 'string');
  if (named.length > 0) return named;
  return objectsOf(objectOf(event.user)['registrations']).map(({ applicationId }) => applicationId);
}
