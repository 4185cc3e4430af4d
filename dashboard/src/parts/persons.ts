// Hides what tells of a person.

const hidden = '•••••';

/** What an event is, and which ones it is about: shown in any case, also of a type that nobody knows. */
const plain = new Set(['id', 'type', 'tenantId', 'applicationId', 'userId', 'createInstant', 'event']);

/** For `withoutPersons`: a message may write `previousEmail` as `previous_email`. */
export function hiddenNames(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map(alike));
}

/**
 * The value with what stands in fields of these names hidden, at any depth. Of an event whose type is not known nobody can
 * say which fields are personal: all but the plain ones are hidden.
 */
export function withoutPersons(value: unknown, names: ReadonlySet<string>, isKnown = true): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutPersons(item, names, isKnown));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const isContainer = typeof inner === 'object' && inner !== null;
      const isHidden = names.has(alike(name)) || (!isKnown && !isContainer && !plain.has(name));
      return [name, isHidden ? hidden : withoutPersons(inner, names, isKnown)];
    }),
  );
}

function alike(name: string): string {
  return name.replaceAll('_', '').toLowerCase();
}
