// `events`: the catalogue.

import type { Config } from '../config/config.ts';
import { catalogue } from '../fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../fusionauth/catalogue.ts';
import { describeType } from '../mapping/catalogue-document.ts';
import { describeBecoming, summarize } from '../mapping/describe.ts';
import { matchesAny } from '../mapping/type-pattern.ts';
import { findDestination } from './map-event.ts';
import { CommandError, formatTable, print, printJson } from './report.ts';

export interface EventsOptions {
  /** Only types that contain this; with `*` a pattern for the whole type. */
  readonly text?: string | undefined;
  readonly destination?: string;
  readonly json?: boolean;
}

/** Prints what each type becomes under this configuration. Throws CommandError where no type is meant. */
export function events({ text = '', destination, json }: EventsOptions, config: Config): void {
  const { naming, events: general } = config.mapping;
  const filters = [general, findDestination(destination, config)?.events].filter(
    (filter) => filter !== undefined,
  );
  const chosen = (catalogue as readonly CatalogueEntry[])
    .filter(({ type, aliases = [] }) => [type, ...aliases].some((name) => matches(name, text)))
    .map((entry) => ({ entry, becoming: describeBecoming(entry, { naming, filters }) }));
  if (chosen.length === 0) {
    throw new CommandError(`No event type matches "${text}"`, { hint: '`events` prints them all' });
  }
  if (json === true) {
    printJson(chosen.map(({ entry, becoming }) => describeType(entry, becoming)));
    return;
  }
  print(
    formatTable([
      ['TYPE', 'SINCE', 'PLAN', 'BECOMES', 'SENT WHEN'],
      ...chosen.map(({ entry: { type, since, plan = 'all', when }, becoming }) => [
        type,
        since,
        plan,
        summarize(becoming),
        when,
      ]),
    ]),
  );
}

function matches(type: string, text: string): boolean {
  const [name, wanted] = [type.toLowerCase(), text.toLowerCase()];
  return wanted.includes('*') ? matchesAny([wanted])(name) : name.includes(wanted);
}
