// Sending again: a filter, a dry run that counts, progress, and a stop.

import {
  Button,
  Card,
  Group,
  Loader,
  NumberInput,
  Progress,
  Select,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Replay } from '../../../src/log/log.ts';
import { post } from '../api/client.ts';
import { replaysQuery, sessionQuery, statusQuery } from '../api/queries.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Moment } from '../parts/moment.tsx';
import { Failure } from '../parts/trouble.tsx';

export function ReplaysPage() {
  const query = useQuery(replaysQuery);
  const { data: session } = useQuery(sessionQuery);
  return (
    <Stack>
      <Title order={2}>Replays</Title>
      {session?.canChange === true && <NewReplay />}
      {query.error && <Failure error={query.error} />}
      {query.isPending && <Loader role="status" aria-label="Reading the replays" />}
      {query.data?.replays.length === 0 && <Text>Nothing has been sent again yet.</Text>}
      {query.data && query.data.replays.length > 0 && <ReplayTable replays={query.data.replays} />}
    </Stack>
  );
}

interface Draft {
  readonly destination: string | null;
  readonly types: string;
  readonly userId: string;
  readonly outcome: string | null;
  readonly perSecond: number;
}

function NewReplay() {
  const { data: status } = useQuery(statusQuery);
  const destinations = Object.keys(status?.destinations ?? {});
  const [draft, setDraft] = useState<Draft>({
    destination: null,
    types: '',
    userId: '',
    outcome: null,
    perSecond: 100,
  });
  const destination = draft.destination ?? destinations[0] ?? null;
  const queryClient = useQueryClient();
  const request = { destination, filter: filterOf(draft), perSecond: draft.perSecond };
  const count = useMutation({
    mutationFn: () => post<{ records: number }>('/api/replays', { ...request, dryRun: true }),
  });
  const start = useMutation({
    mutationFn: () => post('/api/replays', request),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: replaysQuery.queryKey }),
  });
  const change = (part: Partial<Draft>) => {
    setDraft((old) => ({ ...old, ...part }));
    count.reset();
  };

  return (
    <Card withBorder component="section" aria-label="Send again">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          start.mutate();
        }}
      >
        <Stack gap="xs">
          <Text size="sm">
            What is settled is mapped afresh and sent again under the ids that it had, so that Segment and the
            warehouse count it once.
          </Text>
          <Group align="end" gap="xs">
            <Select
              label="To"
              size="xs"
              data={destinations}
              value={destination}
              allowDeselect={false}
              onChange={(value) => change({ destination: value })}
            />
            <TextInput
              label="Types"
              placeholder="all, or user.login.*"
              size="xs"
              value={draft.types}
              onChange={({ currentTarget }) => change({ types: currentTarget.value })}
            />
            <TextInput
              label="User id"
              size="xs"
              value={draft.userId}
              onChange={({ currentTarget }) => change({ userId: currentTarget.value })}
            />
            <Select
              label="Outcome"
              placeholder="any"
              size="xs"
              clearable
              data={['delivered', 'filtered', 'dead']}
              value={draft.outcome}
              onChange={(value) => change({ outcome: value })}
            />
            <NumberInput
              label="A second, at most"
              size="xs"
              min={1}
              max={100_000}
              w={130}
              value={draft.perSecond}
              onChange={(value) => change({ perSecond: Number(value) || 1 })}
            />
            <Button size="xs" variant="default" loading={count.isPending} onClick={() => count.mutate()}>
              Count
            </Button>
            <Button size="xs" type="submit" loading={start.isPending} disabled={destination === null}>
              Send again
            </Button>
          </Group>
          {count.data && (
            <Text size="sm" role="status">
              {count.data.records.toLocaleString()} {count.data.records === 1 ? 'event fits' : 'events fit'}
            </Text>
          )}
          {count.error && <Failure error={count.error} />}
          {start.error && <Failure error={start.error} />}
        </Stack>
      </form>
    </Card>
  );
}

function filterOf({ types, userId, outcome }: Draft) {
  const patterns = types.split(/[\s,]+/).filter(Boolean);
  return {
    ...(patterns.length > 0 && { types: patterns }),
    ...(userId.trim() !== '' && { userId: userId.trim() }),
    ...(outcome !== null && { outcome }),
  };
}

function ReplayTable({ replays }: { replays: readonly Replay[] }) {
  return (
    <DataTable
      label="Replays, the newest first"
      minWidth={600}
      columns={['Started', 'To', 'What', 'Sent again', 'State']}
    >
      {replays.map((replay) => (
        <ReplayRow key={replay.id} replay={replay} />
      ))}
    </DataTable>
  );
}

function ReplayRow({
  replay: { id, consumer, filter, delivered, filtered, dead, state, createdAt },
}: {
  replay: Replay;
}) {
  const queryClient = useQueryClient();
  const { data: session } = useQuery(sessionQuery);
  const stop = useMutation({
    mutationFn: () => post('/api/replays/stop', { id }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: replaysQuery.queryKey }),
  });
  return (
    <Table.Tr>
      <Table.Td>
        <Moment at={createdAt} />
      </Table.Td>
      <Table.Td>{consumer}</Table.Td>
      <Table.Td>{wordsOf(filter)}</Table.Td>
      <Table.Td>
        {delivered.toLocaleString()} delivered, {filtered.toLocaleString()} filtered, {dead.toLocaleString()}{' '}
        dead
      </Table.Td>
      <Table.Td>
        <Group gap="xs">
          {state}
          {state === 'running' && session?.canChange === true && (
            <>
              <Progress value={100} animated w={60} aria-label="Running" />
              <Button
                size="compact-xs"
                variant="default"
                loading={stop.isPending}
                onClick={() => stop.mutate()}
              >
                Stop
              </Button>
            </>
          )}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function wordsOf(filter: Replay['filter']): string {
  const parts = Object.entries(filter).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${Array.isArray(value) ? value.join(', ') : String(value)}`],
  );
  return parts.length === 0 ? 'everything' : parts.join('; ');
}
