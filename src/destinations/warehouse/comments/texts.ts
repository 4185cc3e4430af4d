// What tables and columns hold, in words: those of every table by hand, an event's own from the catalogue.

import { catalogue } from '../../../fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../../../fusionauth/catalogue.ts';
import { describeFields } from '../../../fusionauth/describe-fields.ts';
import type { Fields } from '../../../fusionauth/fields.ts';
import { user } from '../../../fusionauth/objects.ts';
import { propertyFieldsOf } from '../../../mapping/properties.ts';
import { sameNames } from '../../../mapping/traits.ts';
import { identifierFor } from '../naming.ts';
import { eventTables } from '../views/events.ts';
import * as words from './words.ts';

type Texts = ReadonlyMap<string, string>;

const entries: readonly CatalogueEntry[] = catalogue;

/** The event of each event table, under either naming. Of the two of a deletion, which share one, the later. */
const entryByTable = new Map<string, CatalogueEntry>(
  entries.flatMap((entry) => eventTables(entry.type).map((table) => [table, entry] as const)),
);

const textsByTable = new Map<string, Texts>();

/** Undefined for a table that is not ours to explain. */
export function tableText(table: string): string | undefined {
  const own = words.tables[table];
  if (own !== undefined) return own;
  const entry = entryByTable.get(table);
  return entry && `FusionAuth’s ${entry.type}: ${entry.when}. A row for each; the same ids stand in tracks.`;
}

/** What is known of a table's columns, whether it has them or not. */
export function columnTexts(table: string): Texts {
  let texts = textsByTable.get(table);
  if (texts === undefined) textsByTable.set(table, (texts = new Map(textsOf(table))));
  return texts;
}

function textsOf(table: string): Iterable<readonly [string, string]> {
  const own = Object.entries(words.columnsByTable[table] ?? {});
  const entry = entryByTable.get(table);
  if (table in words.tables) {
    const isOfPerson = table === 'users' || table === 'identifies';
    return [
      ...Object.entries(words.commonColumns),
      ...(isOfPerson
        ? [...fieldTexts(profileFields, 'the user’s'), ...Object.entries(words.traitColumns)]
        : []),
      ...own,
    ];
  }
  if (entry === undefined) return [];
  return [
    ...fieldTexts(propertyFieldsOf(entry), 'the event’s'),
    ...Object.entries(words.commonColumns),
    ...Object.entries(words.columnsByTable['tracks'] ?? {}),
    ...Object.entries(words.propertyColumns),
    ...own,
  ];
}

const profileFields: Fields = Object.fromEntries(sameNames.map((name) => [name, user.fields[name]]));

/** Lists stand in one column, as JSON text; what is free-form has columns that nobody knows. */
function fieldTexts(fields: Fields, whose: string): [string, string][] {
  return describeFields(fields)
    .filter(
      ({ path, kind, isSecret }) =>
        !isSecret && !path.includes('[].') && (kind !== 'object' || path.endsWith('[]')),
    )
    .map(({ path, isPersonal }) => [
      identifierFor(path.replace(/(\[\])+$/, '').replaceAll('.', '_')),
      `FusionAuth: ${whose} ${path}${path.endsWith('[]') ? ', as a JSON list' : ''}${isPersonal ? ' (personal)' : ''}`,
    ]);
}
