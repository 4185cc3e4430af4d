// A FusionAuth user as the traits of an identify: FusionAuth's own names first, as its guide has them, then the names
// that Segment reserves and its destinations understand (its documents, "Spec: Identify").

import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
import type { JsonMap, JsonValue } from '../segment/message.ts';
import { compact, isoInstant, objectOf, objectsOf, tenantIdOf, textOf, withIsoInstants } from './read.ts';

/** All traits that the event's user has. What is absent or empty is left out, never sent as "empty". */
export function traitsOf(event: FusionAuthEvent): JsonMap {
  const user = objectOf(event.user);
  const email = textOf(user['email']) ?? primaryIdentity(user, 'email');
  const phone =
    textOf(user['mobilePhone']) ?? textOf(user['phoneNumber']) ?? primaryIdentity(user, 'phoneNumber');
  const same = (key: string): [string, JsonValue | undefined] => [key, user[key] as JsonValue | undefined];
  const instant = (key: string): [string, string | undefined] => [key, isoInstant(user[key])];

  return compact([
    same('data'),
    ['email', email],
    same('firstName'),
    same('lastName'),
    same('active'),
    same('birthDate'),
    same('connectorId'),
    instant('insertInstant'),
    instant('lastLoginInstant'),
    instant('lastUpdateInstant'),
    ['memberships', withIsoInstants(user['memberships'])],
    same('passwordChangeRequired'),
    instant('passwordLastUpdateInstant'),
    same('preferredLanguages'),
    ['registrations', withIsoInstants(user['registrations'])],
    ['tenantId', tenantIdOf(event)],
    ['twoFactor', withIsoInstants(user['twoFactor'])],
    same('usernameStatus'),
    ['verified', (user['verified'] as JsonValue | undefined) ?? primaryVerified(user)],
    instant('verifiedInstant'),

    ['name', textOf(user['fullName']) ?? joinedName(user)],
    ['phone', phone],
    ['username', textOf(user['username']) ?? primaryIdentity(user, 'username')],
    ['birthday', textOf(user['birthDate'])],
    ['createdAt', isoInstant(user['insertInstant'])],
    ['avatar', textOf(user['imageUrl'])],
  ]);
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

/** `user.verified` is deprecated since 1.59: what counts is whether the primary identity is verified. */
function primaryVerified(user: JsonObject): boolean | undefined {
  const verified = objectsOf(user['identities']).find((identity) => identity['primary'] === true)?.[
    'verified'
  ];
  return typeof verified === 'boolean' ? verified : undefined;
}
