// Every view there is, in the order in which docs/warehouse.md has them.

import { journeyViews } from './journeys.ts';
import { loginViews } from './logins.ts';
import { peopleViews } from './people.ts';
import { securityViews } from './security.ts';
import { timelineViews } from './timeline.ts';
import { twoFactorViews } from './two-factor.ts';
import type { View } from './view.ts';

export const views: readonly View[] = [
  ...peopleViews,
  ...loginViews,
  ...securityViews,
  ...journeyViews,
  ...twoFactorViews,
  ...timelineViews,
];
