// What a type of event becomes, in words: for `events`, docs/events.md and the dashboard.

import type { CatalogueEntry } from '../fusionauth/catalogue.ts';
import { compileFilter } from './filter.ts';
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
  /** All of this as one phrase. */
  readonly text: string;
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
    return { state: 'never', kinds: [], eventName: undefined, text: `nothing: ${why}` };
  }
  const { kinds, offBecause } = rule;
  const eventName = kinds.includes('track') ? eventNameOf(trackedEntry(rule), naming) : undefined;
  const isNamed = filters.some(({ include = [] }) => include.includes(type));
  const reason =
    filteredBecause(type, filters) ?? (offBecause !== undefined && !isNamed ? offBecause : undefined);
  const phrase = phraseOf(rule, eventName);
  return reason === undefined
    ? { state: 'on', kinds, eventName, text: phrase }
    : { state: 'off', kinds, eventName, text: `off: ${reason}` };
}

/** By its type alone. */
function filteredBecause(type: string, filters: readonly EventFilter[]): string | undefined {
  for (const { include, exclude } of filters) {
    const reason = compileFilter({ include, exclude })({ id: '' as never, type });
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
