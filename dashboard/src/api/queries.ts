// What the pages ask for: key and function of each query stand together, and every variable is in the key.

import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import type { DiagnosisDocument } from '../../../src/http/diagnosis.ts';
import type { DeadLettersDocument, EventsDocument, JourneyDocument } from '../../../src/http/records-api.ts';
import type { SessionDocument } from '../../../src/http/session-api.ts';
import type { Status } from '../../../src/http/status.ts';
import type { Replay } from '../../../src/log/log.ts';
import type { TypeDocument } from '../../../src/mapping/catalogue-document.ts';
import { get } from './client.ts';

/** Who is looking, and whether they may change anything. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => get<SessionDocument>('/api/session', signal),
  staleTime: Infinity,
});

const refreshMs = 2_000;

export const statusQuery = queryOptions({
  queryKey: ['status'],
  queryFn: ({ signal }) => get<Status>('/api/status', signal),
  refetchInterval: refreshMs,
});

export const diagnosisQuery = queryOptions({
  queryKey: ['diagnosis'],
  queryFn: ({ signal }) => get<DiagnosisDocument>('/api/diagnosis', signal),
  refetchInterval: refreshMs,
});

/** What a search of events may say; all of it stands in the address. */
export interface EventSearch {
  readonly type?: string;
  readonly user?: string;
  readonly email?: string;
  readonly tenant?: string;
  readonly outcome?: string;
}

export function searchParameters(search: EventSearch): URLSearchParams {
  return new URLSearchParams(Object.entries(search as Record<string, string>));
}

/** The log from its newest record on, a page after the other. */
export const eventsQuery = (search: EventSearch) =>
  infiniteQueryOptions({
    queryKey: ['events', search],
    queryFn: ({ pageParam, signal }) => {
      const parameters = searchParameters(search);
      parameters.set('limit', '200');
      if (pageParam !== undefined) parameters.set('before', pageParam);
      return get<EventsDocument>(`/api/events?${parameters}`, signal);
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
    refetchOnWindowFocus: false,
  });

export const eventQuery = (id: string) =>
  queryOptions({
    queryKey: ['event', id],
    queryFn: ({ signal }) => get<JourneyDocument>(`/api/events/${encodeURIComponent(id)}`, signal),
    // While a destination does not have it yet.
    refetchInterval: ({ state: { data } }) =>
      data && Object.values(data.destinations).every(({ outcome }) => outcome !== 'pending') ? false : 1_000,
  });

export const deadLettersQuery = (choice: { destination?: string; reason?: string }) =>
  queryOptions({
    queryKey: ['dead-letters', choice],
    queryFn: ({ signal }) =>
      get<DeadLettersDocument>(
        `/api/dead-letters?${new URLSearchParams(choice as Record<string, string>)}`,
        signal,
      ),
    refetchInterval: 5_000,
  });

/** Does not change while the bridge runs. */
export const catalogueQuery = queryOptions({
  queryKey: ['catalogue'],
  queryFn: ({ signal }) => get<{ types: readonly TypeDocument[] }>('/api/catalogue', signal),
  staleTime: Infinity,
});

export const replaysQuery = queryOptions({
  queryKey: ['replays'],
  queryFn: ({ signal }) => get<{ replays: readonly Replay[] }>('/api/replays', signal),
  refetchInterval: ({ state: { data } }) =>
    data?.replays.some(({ state }) => state === 'running') === true ? 500 : 5_000,
});
