// The `context` of a message: where, by what and in which application it happened (Segment's documents, "Spec: Common
// Fields"), from the event's `info` block.

import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
import type { JsonMap } from '../segment/message.ts';
import { compact, objectOf, tenantIdOf, textOf } from './read.ts';

/** What FusionAuth has that Segment's `context.groupId` may stand for: a customer of a B2B product. */
export const groupSources = ['tenant', 'application'] as const;
export type GroupSource = (typeof groupSources)[number];

export interface ContextOptions {
  /** What made the message, as Segment's libraries name themselves. */
  readonly library: JsonMap;
  readonly groupId?: GroupSource | undefined;
}

/** `user`: the person whom the message is about. `info`: of the event, or nothing where it tells of somebody else. */
export function contextOf(
  event: FusionAuthEvent,
  { user, info }: { user: JsonObject; info: JsonObject },
  { library, groupId }: ContextOptions,
): JsonMap {
  const deviceName = textOf(info['deviceName']);
  const deviceType = textOf(info['deviceType']);
  const languages = user['preferredLanguages'];
  const applicationId = textOf(event.applicationId);
  const tenantId = tenantIdOf(event) ?? textOf(user['tenantId']);

  return compact([
    // Only logins carry the deprecated event.ipAddress; FusionAuth 1.27 to 1.29 has nothing else.
    ['ip', textOf(info['ipAddress']) ?? textOf(event['ipAddress'])],
    ['userAgent', textOf(info['userAgent'])],
    [
      'device',
      compact([
        ['name', deviceName],
        ['type', deviceType],
      ]),
    ],
    // As FusionAuth's guide has them. In the warehouse both spellings are the one column context_device_name.
    ['deviceName', deviceName],
    ['deviceType', deviceType],
    ['os', compact([['name', textOf(info['os'])]])],
    ['location', locationOf(objectOf(info['location']))],
    ['locale', localeOf(Array.isArray(languages) ? (languages as unknown[])[0] : undefined)],
    ['timezone', textOf(user['timezone'])],
    ['applicationId', applicationId],
    ['tenantId', tenantId],
    ['groupId', groupId && { tenant: tenantId, application: applicationId }[groupId]],
    // A copy: the user's own code may write into the message that it is given.
    ['library', { ...library }],
  ]);
}

/** Comes only with FusionAuth's threat detection. */
function locationOf(location: JsonObject): JsonMap {
  return compact([
    ['city', textOf(location['city'])],
    ['country', textOf(location['country'])],
    ['region', textOf(location['region'])],
    ['zipcode', textOf(location['zipcode'])],
    ['latitude', numberOf(location['latitude'])],
    ['longitude', numberOf(location['longitude'])],
  ]);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** FusionAuth writes Java's en_US, Segment expects en-US. */
function localeOf(language: unknown): string | undefined {
  return textOf(language)?.replaceAll('_', '-');
}
