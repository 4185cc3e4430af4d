// `events`: the catalogue.

import type { Config } from '../config/config.ts';
import { catalogue } from '../fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../fusionauth/catalogue.ts';
import { describeFields } from '../fusionauth/describe-fields.ts';
import { describeBecoming, summarize } from '../mapping/describe.ts';
import type { Becoming } from '../mapping/describe.ts';
import { formatTable, print, printJson } from './report.ts';

export interface EventsOptions {
  /** Only types that contain this; with `*` a pattern for the whole type. */
  readonly text?: string | undefined;
  readonly json?: boolean;
}

/** Prints what each type becomes under this configuration. */
export function events({ text = '', json }: EventsOptions, { mapping }: Config): void {
  const filters = mapping.events === undefined ? [] : [mapping.events];
  const chosen = (catalogue as readonly CatalogueEntry[])
    .filter(({ type }) => matches(type, text))
    .map((entry) => ({ entry, becoming: describeBecoming(entry, { naming: mapping.naming, filters }) }));
  if (json === true) {
    printJson(chosen.map(({ entry, becoming }) => documentOf(entry, becoming)));
    return;
  }
  print(
    formatTable([
      ['TYPE', 'SINCE', 'BECOMES', 'SENT WHEN'],
      ...chosen.map(({ entry: { type, since, when }, becoming }) => [type, since, summarize(becoming), when]),
    ]),
  );
}

function matches(type: string, text: string): boolean {
  if (!text.includes('*')) return type.includes(text);
  const parts = text.split('*').map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join('.*')}$`).test(type);
}

function documentOf(
  { type, aliases = [], title, when, since, plan, transactional, scope, about, twin, fields }: CatalogueEntry,
  becoming: Becoming,
) {
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
