// The fields of an event as a flat list, for documents and people.

import type { Field, Fields } from './fields.ts';

export interface FieldDescription {
  /** `method.id`, `users[].email`. */
  readonly path: string;
  readonly kind: Field['kind'];
  /** FusionAuth version, where it is newer than the event. */
  readonly since?: string;
  readonly isSecret: boolean;
  readonly isPersonal: boolean;
}

/** Objects before what stands in them, which is as secret, as personal and as new as they are. */
export function describeFields(
  fields: Fields,
  prefix = '',
  above: Partial<FieldDescription> = {},
): readonly FieldDescription[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const { path, inner } = unwrapped(field, `${prefix}${name}`);
    const since = field.since ?? inner.since ?? above.since;
    const described: FieldDescription = {
      path,
      kind: inner.kind,
      ...(since === undefined ? {} : { since }),
      isSecret: field.secret === true || inner.secret === true || above.isSecret === true,
      isPersonal: field.personal === true || inner.personal === true || above.isPersonal === true,
    };
    return inner.kind === 'object'
      ? [described, ...describeFields(inner.fields, `${path}.`, described)]
      : [described];
  });
}

/** What a list is made of, with `[]` behind its name for each list around it. */
function unwrapped(field: Field, name: string): { path: string; inner: Exclude<Field, { kind: 'list' }> } {
  return field.kind === 'list' ? unwrapped(field.of, `${name}[]`) : { path: name, inner: field };
}
