// What a type of event becomes, in words: for `events`, docs/events.md and the dashboard.

import type { CatalogueEntry } from '../fusionauth/catalogue.ts';
import { compileFilter, switchedOn } from './filter.ts';
import type { EventFilter } from './filter.ts';
import { eventNameOf } from './names.ts';
import type { Naming } from './names.ts';
import { canBecomeMessages, ruleOf, trackedEntry } from './rules.ts';
import type { MessageKind, Rule } from './rules.ts';

export interface Becoming {
  /** `on`; `off` until `events.include` names it in full, or filtered; `never`: it names no user. */
  readonly state: 'on' | 'off' | 'never';
  /** The kinds of message, in order; those that it would become where it is off. */
  readonly kinds: readonly MessageKind[];
  /** What its track is called; undefined where it becomes none. */
  readonly eventName: string | undefined;
  /** What it becomes as one phrase, where it does; why it does not, where it is off or never. */
  readonly phrase: string;
  readonly reason: string | undefined;
}

export function describeBecoming(
  { type }: Pick<CatalogueEntry, 'type'>,
  {
    naming = 'fusionauth',
    filters = [],
  }: { naming?: Naming | undefined; filters?: readonly EventFilter[] } = {},
): Becoming {
  const rule = ruleOf(type);
  if (rule === undefined || !canBecomeMessages(rule)) {
    const why = rule?.offBecause ?? 'the catalogue does not know it';
    return { state: 'never', kinds: [], eventName: undefined, phrase: 'nothing', reason: why };
  }
  const { kinds, offBecause } = rule;
  const eventName = kinds.includes('track') ? eventNameOf(trackedEntry(rule), naming) : undefined;
  const reason = filteredBecause(type, filters) ?? (switchedOn(filters).has(type) ? undefined : offBecause);
  const state = reason === undefined ? 'on' : 'off';
  return { state, kinds, eventName, phrase: phraseOf(rule, eventName), reason };
}

/** All of it in one line. */
export function summarize({ state, phrase, reason }: Becoming): string {
  return state === 'on' ? phrase : `${state === 'off' ? 'off' : 'nothing'}: ${reason ?? ''}`;
}

/** By its type alone. */
function filteredBecause(type: string, filters: readonly EventFilter[]): string | undefined {
  for (const { include, exclude } of filters) {
    const reason = compileFilter({ include, exclude }).ofType(type);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function phraseOf({ kinds, each }: Rule, eventName: string | undefined): string {
  const phrases = kinds.map((kind) =>
    kind === 'track' && eventName !== undefined ? `track "${eventName}"` : kind,
  );
  return `${phrases.join(', then ')}${each === undefined ? '' : ` for each of its ${each}`}`;
}
