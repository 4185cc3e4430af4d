// What the package gives to its users' configuration files: `import { defineConfig } from 'fusionauth-segment'`.

import type { UserConfig } from './config/user-config.ts';

export type { EventOf, KnownEvent, KnownEventType } from './fusionauth/catalogue.ts';
export type { EventFilter } from './mapping/filter.ts';
export type { PrivacyAction, PrivacyPolicy } from './mapping/privacy.ts';
export type { MessageDraft, UserMap } from './mapping/user-map.ts';
export type { Message } from './segment/message.ts';
export type { UserConfig };

/** Returns what it is given: an editor then knows what a configuration may hold. */
export function defineConfig(config: UserConfig): UserConfig {
  return config;
}
