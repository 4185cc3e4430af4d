// The catalogue as a document: every type, when FusionAuth sends it, and what it becomes. For `events --json` and the API.

import { catalogue } from '../fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../fusionauth/catalogue.ts';
import { describeFields } from '../fusionauth/describe-fields.ts';
import type { FieldDescription } from '../fusionauth/describe-fields.ts';
import { describeBecoming, summarize } from './describe.ts';
import type { Becoming } from './describe.ts';
import type { EventFilter } from './filter.ts';
import type { Naming } from './names.ts';

/** One type of event. */
export interface TypeDocument {
  readonly type: string;
  readonly aliases: readonly string[];
  readonly title: string;
  readonly when: string;
  /** FusionAuth version that first sent it, or `early`. */
  readonly since: string;
  readonly plan: string;
  readonly transactional: boolean;
  readonly scope: 'tenant' | 'instance';
  readonly about: string;
  readonly twin: string | null;
  readonly state: Becoming['state'];
  readonly becomes: Becoming['kinds'];
  readonly eventName: string | null;
  /** What it becomes, or why it becomes nothing, in a phrase. */
  readonly description: string;
  readonly fields: readonly FieldDescription[];
}

export interface BecomingOptions {
  readonly naming?: Naming | undefined;
  readonly filters?: readonly EventFilter[];
}

export function describeCatalogue(options: BecomingOptions): readonly TypeDocument[] {
  return (catalogue as readonly CatalogueEntry[]).map((entry) =>
    describeType(entry, describeBecoming(entry, options)),
  );
}

export function describeType(
  { type, aliases = [], title, when, since, plan, transactional, scope, about, twin, fields }: CatalogueEntry,
  becoming: Becoming,
): TypeDocument {
  const { state, kinds, eventName } = becoming;
  return {
    type,
    aliases,
    title,
    when,
    since,
    plan: plan ?? 'community',
    transactional,
    scope: scope ?? 'tenant',
    about,
    twin: twin ?? null,
    state,
    becomes: state === 'on' ? kinds : [],
    eventName: eventName ?? null,
    description: summarize(becoming),
    fields: describeFields(fields),
  };
}
