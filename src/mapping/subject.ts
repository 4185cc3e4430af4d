// Whom an event is about: never the person who acted, never somebody who does not exist.

import type { CatalogueEntry } from '../fusionauth/catalogue.ts';
import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
import { objectOf, objectsOf, textOf, valueAt } from './read.ts';

/** One user whom an event is about. */
export interface Subject {
  readonly userId: string;
  /** The user as FusionAuth tells it; of a group's member only the membership. Empty where only an id is told. */
  readonly user: JsonObject;
}

/** The one user of an event; undefined where it names none. */
export function subjectOf(event: FusionAuthEvent, entry: CatalogueEntry): Subject | undefined {
  for (const path of entry.userIdAt ?? ['user.id']) {
    const userId = idOf(valueAt(event, path));
    if (userId !== undefined)
      return { userId, user: objectOf(event[path.startsWith('existing') ? 'existing' : 'user']) };
  }
  return undefined;
}

/** The users of an event about many, with their place in its list; one without an id is left out. */
export function* subjectsOf(
  event: FusionAuthEvent,
  list: 'users' | 'members',
): Iterable<Subject & { readonly index: number }> {
  for (const [index, entry] of objectsOf(event[list]).entries()) {
    const userId = idOf(entry[list === 'users' ? 'id' : 'userId']);
    if (userId !== undefined) yield { userId, user: list === 'users' ? entry : {}, index };
  }
}

/** A blank names nobody. */
function idOf(value: unknown): string | undefined {
  return textOf(value)?.trim() === '' ? undefined : textOf(value);
}
