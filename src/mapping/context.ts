// The `context` of a message: where, by what and in which application it happened (Segment's documents, "Spec: Common
// Fields"), from the event's `info` block.

import type { FusionAuthEvent } from '../fusionauth/event.ts';
import type { JsonMap, JsonValue } from '../segment/message.ts';
import { compact, objectOf, tenantIdOf, textOf } from './read.ts';

/** `library`: what made the message, as Segment's libraries name themselves. */
export function contextOf(event: FusionAuthEvent, library: JsonMap): JsonMap {
  const info = objectOf(event.info);
  const user = objectOf(event.user);
  const deviceName = textOf(info['deviceName']);
  const deviceType = textOf(info['deviceType']);
  const languages = user['preferredLanguages'];

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
    ['locale', localeOf(Array.isArray(languages) ? (languages[0] as JsonValue) : undefined)],
    ['timezone', textOf(user['timezone'])],
    ['applicationId', textOf(event.applicationId)],
    ['tenantId', tenantIdOf(event)],
    ['library', library],
  ]);
}

/** FusionAuth writes Java's en_US, Segment expects en-US. */
function localeOf(language: unknown): string | undefined {
  return textOf(language)?.replaceAll('_', '-');
}
