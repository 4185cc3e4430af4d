// What a track is called: FusionAuth's own type, or a name as Segment advises.

import type { CatalogueEntry } from '../fusionauth/catalogue.ts';

export const namings = ['fusionauth', 'segment'] as const;
export type Naming = (typeof namings)[number];

/** The names that Segment's documents give to these ("Spec: B2B SaaS"). */
const b2bNames: Readonly<Record<string, string>> = {
  'user.create.complete': 'Signed Up',
  'user.login.success': 'Signed In',
  'group.member.remove.complete': 'Account Removed User',
};

/** `user.login.failed`, or under `segment` `Login Failed`. */
export function eventNameOf({ type, title }: CatalogueEntry, naming: Naming): string {
  return naming === 'fusionauth' ? type : (b2bNames[type] ?? title);
}
