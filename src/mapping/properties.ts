// The properties of a track: the event's own fields, as the catalogue has them. Fields that it does not know are left
// out, since a new one might be a secret.

import type { CatalogueEntry } from '../fusionauth/catalogue.ts';
import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
import type { Fields } from '../fusionauth/fields.ts';
import type { JsonMap, JsonValue } from '../segment/message.ts';
import { compact, objectOf, readFields, tenantIdOf, textOf } from './read.ts';

/** Said elsewhere in the message, or no property of what happened. */
const notProperties = new Set([
  'actioneeUserId', // the message's own user
  'applicationTimeToLiveInSeconds', // a key for each application: it would make columns without end
  'existing', // a user; see existingUserId
  'ipAddress', // context.ip
  'linkedObjectId', // the user, the group …, once more
  'members',
  'original', // see previousRoles
  'user', // the identify's
  'userId', // the message's own
  'users',
]);
/** Of objects inside: again the user and the tenant, and what a lambda answered. */
const notInside = new Set(['lambdaResult', 'tenantId', 'userId']);
/** Keyed by application, as in groupTraitsOf. */
const notInGroup = new Set([...notInside, 'roles']);

const fieldsOfEntries = new WeakMap<CatalogueEntry, Fields>();

/** No key snake-cases to a column that a warehouse reserves (`id`, `type`, `user_id` …); a test holds it to that. */
export function propertiesOf(event: FusionAuthEvent, entry: CatalogueEntry): JsonMap {
  return compact([
    ...readFields(event, propertyFieldsOf(entry)),
    ['tenantId', tenantIdOf(event)],
    ...derived(event, entry),
  ]);
}

/** The fields of an entry that become properties. */
export function propertyFieldsOf(entry: CatalogueEntry): Fields {
  let fields = fieldsOfEntries.get(entry);
  if (fields === undefined) fieldsOfEntries.set(entry, (fields = choose(entry.fields, notProperties)));
  return fields;
}

function choose(fields: Fields, left: ReadonlySet<string>): Fields {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([name, field]) => !left.has(name) && field.secret !== true)
      .map(([name, field]) => [
        name,
        field.kind === 'object'
          ? { ...field, fields: choose(field.fields, name === 'group' ? notInGroup : notInside) }
          : field,
      ]),
  );
}

/** What is easier to use in a place of its own. */
function derived(event: FusionAuthEvent, { fields }: CatalogueEntry): [string, JsonValue | undefined][] {
  const more: [string, JsonValue | undefined][] = [];
  if ('registration' in fields) {
    const registration = objectOf(event['registration']);
    more.push(
      ['applicationId', textOf(event.applicationId) ?? textOf(registration['applicationId'])],
      ['roles', rolesOf(registration)],
      ['previousRoles', rolesOf(objectOf(event['original']))],
    );
  }
  if ('existing' in fields) more.push(['existingUserId', textOf(objectOf(event['existing'])['id'])]);
  if ('members' in fields) {
    const group = objectOf(event['group']);
    more.push(['groupId', textOf(group['id'])], ['groupName', textOf(group['name'])]);
  }
  return more;
}

function rolesOf(registration: JsonObject): JsonValue | undefined {
  const roles = registration['roles'];
  return Array.isArray(roles) ? roles.filter((role) => typeof role === 'string') : undefined;
}
