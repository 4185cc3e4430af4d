// The pages and their addresses. What a page searches for stands in its address, so a view can be sent to a colleague.

import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router';
import type { EventSearch } from './api/queries.ts';
import { CataloguePage } from './pages/catalogue.tsx';
import { DeadLettersPage } from './pages/dead-letters.tsx';
import { EventPage } from './pages/event.tsx';
import { EventsPage } from './pages/events.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { RefusedPage } from './pages/refused.tsx';
import { ReplaysPage } from './pages/replays.tsx';
import { Shell } from './parts/shell.tsx';

const rootRoute = createRootRoute({ component: Shell });

const overviewRoute = createRoute({ getParentRoute: () => rootRoute, path: '/', component: OverviewPage });

const searchFields = ['type', 'user', 'email', 'tenant', 'outcome'] as const;

export const eventsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/events',
  validateSearch: (search: Readonly<Record<string, unknown>>): EventSearch =>
    Object.fromEntries(
      searchFields.flatMap((field) => {
        const value = search[field];
        return typeof value === 'string' && value !== '' ? [[field, value]] : [];
      }),
    ),
  component: EventsPage,
});

export const eventRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/events/$id',
  component: EventPage,
});

const deadLettersRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/dead-letters',
  component: DeadLettersPage,
});

const replaysRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/replays',
  component: ReplaysPage,
});

const refusedRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/refused',
  component: RefusedPage,
});

const catalogueRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/catalogue',
  component: CataloguePage,
});

const routeTree = rootRoute.addChildren([
  overviewRoute,
  eventsRoute,
  eventRoute,
  deadLettersRoute,
  replaysRoute,
  refusedRoute,
  catalogueRoute,
]);

/** Texts of the search stand in the address as they are, without quotation marks. */
export const router = createRouter({
  routeTree,
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const text = new URLSearchParams(search as Record<string, string>).toString();
    return text === '' ? '' : `?${text}`;
  },
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
