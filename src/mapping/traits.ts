// A FusionAuth user as the traits of an identify: FusionAuth's own names first, as its guide has them, then the names
// that Segment reserves and its destinations understand (its documents, "Spec: Identify"). And a FusionAuth group as
// the traits of a group call.

import { group as groupObject, user as userObject } from '../fusionauth/objects.ts';
import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
import type { JsonMap, JsonValue } from '../segment/message.ts';
import { compact, isoInstant, objectsOf, readField, tenantIdOf, textOf } from './read.ts';

/**
 * Fields of a user that are traits under their own names. `identities` is not: its login ids stand in `email`,
 * `phone` and `username`, where a privacy policy finds them.
 */
export const sameNames = [
  'data',
  'firstName',
  'lastName',
  'middleName',
  'active',
  'birthDate',
  'breachedPasswordLastCheckedInstant',
  'breachedPasswordStatus',
  'connectorId',
  'expiry',
  'insertInstant',
  'lastLoginInstant',
  'lastUpdateInstant',
  'legacyIdentifier',
  'memberships',
  'parentEmail',
  'passwordChangeReason',
  'passwordChangeRequired',
  'passwordLastUpdateInstant',
  'preferredLanguages',
  'registrations',
  'twoFactor',
  'twoFactorEnabled',
  'usernameStatus',
  'verifiedInstant',
] as const satisfies readonly (keyof typeof userObject.fields)[];

/** All traits that a user has. What is absent or empty is left out, never sent as "empty". */
export function traitsOf(user: JsonObject, event: FusionAuthEvent): JsonMap {
  const phone =
    textOf(user['mobilePhone']) ?? textOf(user['phoneNumber']) ?? primaryIdentity(user, 'phoneNumber');

  return compact([
    ...sameNames.map((name): [string, JsonValue | undefined] => [
      name,
      readField(user, name, userObject.fields[name]),
    ]),
    ['email', textOf(user['email']) ?? primaryIdentity(user, 'email')],
    ['tenantId', tenantIdOf(event) ?? textOf(user['tenantId'])],
    ['verified', readField(user, 'verified', userObject.fields.verified) ?? primaryVerified(user)],
    ...saidByType(event),

    ['name', textOf(user['fullName']) ?? joinedName(user)],
    ['phone', phone],
    ['username', textOf(user['username']) ?? primaryIdentity(user, 'username')],
    ['birthday', textOf(user['birthDate'])],
    ['createdAt', isoInstant(user['insertInstant'])],
    ['avatar', textOf(user['imageUrl'])],
  ]);
}

/** A group's `roles` are left out: they are keyed by application, and would make columns without end. */
export function groupTraitsOf(group: JsonObject, event: FusionAuthEvent): JsonMap {
  const { data, name } = groupObject.fields;
  return compact([
    ['name', readField(group, 'name', name)],
    ['data', readField(group, 'data', data)],
    ['tenantId', tenantIdOf(event) ?? textOf(group['tenantId'])],
    ['createdAt', isoInstant(group['insertInstant'])],
    ['lastUpdateInstant', isoInstant(group['lastUpdateInstant'])],
  ]);
}

/** These types are sent before the commit, and may carry the user as it was. */
function saidByType(event: FusionAuthEvent): readonly (readonly [string, JsonValue])[] {
  const { type } = event;
  if (type === 'user.deactivate') return [['active', false]];
  if (type === 'user.reactivate') return [['active', true]];
  const isEmail = type === 'user.identity.verified' && event['loginIdType'] === 'email';
  return type === 'user.email.verified' || isEmail ? [['verified', true]] : [];
}

function joinedName(user: JsonObject): string {
  return [user['firstName'], user['middleName'], user['lastName']]
    .flatMap((part) => textOf(part) ?? [])
    .join(' ');
}

/** Since 1.59 a login id may stand in `identities` alone. */
function primaryIdentity(user: JsonObject, type: string): string | undefined {
  const identities = objectsOf(user['identities']).filter((identity) => identity['type'] === type);
  return textOf((identities.find((identity) => identity['primary'] === true) ?? identities[0])?.['value']);
}

/** `user.verified` is deprecated since 1.59: what counts is whether the e-mail address is verified, or what is primary. */
function primaryVerified(user: JsonObject): boolean | undefined {
  const identities = objectsOf(user['identities']).filter(({ primary }) => primary === true);
  const verified = (identities.find(({ type }) => type === 'email') ?? identities[0])?.['verified'];
  return typeof verified === 'boolean' ? verified : undefined;
}
