// Every event, the newest first: live, searchable, through the whole log.

import { Button, Group, Loader, Stack, Switch, Text, TextInput, Title, Select } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import type { RefObject } from 'react';
import type { EventSummary } from '../../../src/http/event-summary.ts';
import { eventsQuery } from '../api/queries.ts';
import type { EventSearch } from '../api/queries.ts';
import { EventList } from '../parts/event-list.tsx';
import { Failure } from '../parts/trouble.tsx';
import { eventsRoute } from '../router.tsx';
import { useKeys } from '../parts/use-keys.ts';
import { useLiveEvents } from '../parts/use-live-events.ts';

export function EventsPage() {
  const search = eventsRoute.useSearch();
  // Another search begins anew, live.
  return <Events key={JSON.stringify(search)} search={search} />;
}

function Events({ search }: { search: EventSearch }) {
  const navigate = useNavigate();
  /** What was new when the list was paused; undefined while it is live. */
  const [paused, setPaused] = useState<readonly EventSummary[]>();
  const query = useInfiniteQuery(eventsQuery(search));
  const events = query.data?.pages.flatMap((page) => page.events) ?? [];
  const { fresh, changed } = useLiveEvents(search, query.data?.pages[0]?.events);
  const shown = paused ?? fresh;
  const firstField = useRef<HTMLInputElement>(null);
  useKeys({
    '/': () => firstField.current?.focus(),
    p: () => setPaused(paused === undefined ? fresh : undefined),
    r: () => void query.refetch(),
  });
  const waiting = fresh.length - shown.length;

  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Title order={2}>Events</Title>
        <Group>
          {waiting > 0 && (
            <Button size="xs" variant="light" onClick={() => setPaused(fresh)}>
              {waiting.toLocaleString()} new
            </Button>
          )}
          <Switch
            label="Live"
            checked={paused === undefined}
            onChange={({ currentTarget }) => setPaused(currentTarget.checked ? undefined : fresh)}
          />
        </Group>
      </Group>
      <SearchForm
        search={search}
        firstField={firstField}
        onSearch={(next) => void navigate({ to: '/events', search: next })}
      />
      {query.error && <Failure error={query.error} />}
      {query.isPending && <Loader role="status" aria-label="Searching" />}
      {query.data && (
        <EventList
          events={[...shown, ...events].map((event) => changed.get(event.id) ?? event)}
          onEnd={() => {
            if (query.hasNextPage && !query.isFetchingNextPage) void query.fetchNextPage();
          }}
          onOpen={(id) => void navigate({ to: '/events/$id', params: { id } })}
        />
      )}
      <SearchState
        isSearching={query.isFetchingNextPage}
        isAtEnd={query.data !== undefined && !query.hasNextPage}
        found={events.length}
      />
    </Stack>
  );
}

function SearchState({
  isSearching,
  isAtEnd,
  found,
}: {
  isSearching: boolean;
  isAtEnd: boolean;
  found: number;
}) {
  return (
    <Text size="sm" c="dimmed" role="status">
      {isSearching
        ? 'Looking further back …'
        : isAtEnd
          ? found === 0
            ? 'No event of the log fits'
            : 'That is the whole log'
          : `${found.toLocaleString()} shown; scroll for more`}
    </Text>
  );
}

const outcomes = ['pending', 'delivered', 'filtered', 'dead'];

interface SearchFormProps {
  readonly search: EventSearch;
  readonly firstField: RefObject<HTMLInputElement | null>;
  readonly onSearch: (search: EventSearch) => void;
}

function SearchForm({ search, firstField, onSearch }: SearchFormProps) {
  const [draft, setDraft] = useState(search);
  const field = (name: keyof EventSearch, label: string, placeholder: string) => (
    <TextInput
      label={label}
      placeholder={placeholder}
      size="xs"
      ref={name === 'type' ? firstField : undefined}
      value={draft[name] ?? ''}
      onChange={({ currentTarget: { value } }) => setDraft((old) => ({ ...old, [name]: value }))}
    />
  );
  return (
    <form
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        onSearch(withoutEmpty(draft));
      }}
    >
      <Group align="end" gap="xs">
        {field('type', 'Type', 'user.login.*')}
        {field('user', 'User id', '')}
        {field('email', 'E-mail', '')}
        {field('tenant', 'Tenant id', '')}
        <Select
          label="Outcome"
          placeholder="any"
          size="xs"
          clearable
          data={outcomes}
          value={draft.outcome || null}
          onChange={(value) => setDraft((old) => ({ ...old, outcome: value ?? '' }))}
        />
        <Button type="submit" size="xs">
          Search
        </Button>
        <Button type="button" size="xs" variant="default" onClick={() => onSearch({})}>
          All
        </Button>
      </Group>
    </form>
  );
}

function withoutEmpty(search: EventSearch): EventSearch {
  return Object.fromEntries(
    Object.entries(search as Record<string, string>)
      .map(([name, value]) => [name, value.trim()] as const)
      .filter(([, value]) => value !== ''),
  );
}
