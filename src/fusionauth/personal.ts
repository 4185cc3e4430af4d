// Which fields of FusionAuth's events tell of a person, by their names: so that who looks at an event sees them only when
// they mean to. By name, at any depth and in any type, known or not: what is hidden too much can be shown, and what is shown
// too much cannot be hidden.

import { baseFields, catalogue } from './catalogue.ts';
import type { CatalogueEntry } from './catalogue.ts';
import type { Field, Fields } from './fields.ts';

const entries: readonly CatalogueEntry[] = catalogue;

/** Sorted. Whatever stands in such a field is personal with it. */
export const personalNames: readonly string[] = [
  ...new Set(entries.flatMap(({ fields }) => personalIn(fields)).concat(personalIn(baseFields))),
].sort();

function personalIn(fields: Fields): string[] {
  return Object.entries(fields).flatMap(([name, field]) =>
    isPersonal(field) ? [name] : personalIn(fieldsOf(field)),
  );
}

function isPersonal(field: Field): boolean {
  return field.personal === true || (field.kind === 'list' && isPersonal(field.of));
}

function fieldsOf(field: Field): Fields {
  if (field.kind === 'list') return fieldsOf(field.of);
  return field.kind === 'object' ? field.fields : {};
}
