// What could not be delivered, by its reason: retried, or discarded with a reason.

import { Button, Card, Group, Loader, Modal, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { DeadLettersDocument } from '../../../src/http/records-api.ts';
import { discardReasons } from '../../../src/segment/discard-reasons.ts';
import { post } from '../api/client.ts';
import { deadLettersQuery, replaysQuery, sessionQuery, statusQuery } from '../api/queries.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Moment } from '../parts/moment.tsx';
import { Failure } from '../parts/trouble.tsx';

type ReasonCount = DeadLettersDocument['counts'][number];
type DeadLetter = DeadLettersDocument['deadLetters'][number];

export function DeadLettersPage() {
  const query = useQuery(deadLettersQuery({}));
  return (
    <Stack>
      <Title order={2}>Dead letters</Title>
      {query.error && <Failure error={query.error} />}
      {query.isPending && <Loader role="status" aria-label="Reading the dead letters" />}
      {query.data?.counts.length === 0 && <Text>None: everything could be delivered.</Text>}
      {query.data?.counts.map((count) => (
        <ReasonCard key={`${count.consumer} ${count.reason}`} count={count} />
      ))}
    </Stack>
  );
}

function ReasonCard({ count: { consumer, reason, records, oldestAt, newestAt } }: { count: ReasonCount }) {
  const { data: session } = useQuery(sessionQuery);
  const filter = { reason };
  return (
    <Card withBorder component="section" aria-label={`${consumer}: ${reason}`}>
      <Stack gap="xs">
        <Group justify="space-between">
          <Title order={3} size="h4">
            {reason}
          </Title>
          {session?.canChange === true && (
            <Group gap="xs">
              <Retry destination={consumer} filter={filter} />
              <Discard destination={consumer} filter={filter} records={records} />
            </Group>
          )}
        </Group>
        <Text size="sm">
          {records.toLocaleString()} {records === 1 ? 'event' : 'events'} at {consumer}, from{' '}
          <Moment at={oldestAt} /> to <Moment at={newestAt} />
        </Text>
        <Text size="sm">{meaningOf(reason)}</Text>
        <Newest destination={consumer} reason={reason} />
      </Stack>
    </Card>
  );
}

function meaningOf(reason: string): string {
  const known: Readonly<Record<string, string>> = discardReasons;
  const words = Object.hasOwn(known, reason) ? known[reason] : undefined;
  return `${words ?? 'The mapping could not make, or the destination could not take, what it became.'} Mend the mapping, restart the bridge, and send them again.`;
}

function Newest({ destination, reason }: { destination: string; reason: string }) {
  const { data } = useQuery(deadLettersQuery({ destination, reason }));
  return (
    <DataTable
      label={`The newest of ${reason}`}
      minWidth={480}
      columns={['Received', 'Event', 'What is wrong']}
    >
      {data?.deadLetters.slice(0, 10).map((letter) => (
        <Row key={letter.messageId} letter={letter} />
      ))}
    </DataTable>
  );
}

function Row({ letter: { eventId, type, receivedAt, detail } }: { letter: DeadLetter }) {
  return (
    <Table.Tr>
      <Table.Td>
        <Moment at={receivedAt} />
      </Table.Td>
      <Table.Td>
        <Link to="/events/$id" params={{ id: eventId }}>
          {type}
        </Link>
      </Table.Td>
      <Table.Td>{detail}</Table.Td>
    </Table.Tr>
  );
}

interface ChoiceProps {
  readonly destination: string;
  readonly filter: { readonly reason: string };
}

function useRefresh() {
  const queryClient = useQueryClient();
  return () =>
    Promise.all(
      [['dead-letters'], replaysQuery.queryKey, statusQuery.queryKey].map((queryKey) =>
        queryClient.invalidateQueries({ queryKey }),
      ),
    );
}

function Retry({ destination, filter }: ChoiceProps) {
  const refresh = useRefresh();
  const retry = useMutation({
    mutationFn: () => post('/api/replays', { destination, filter: { ...filter, outcome: 'dead' } }),
    onSuccess: refresh,
  });
  return (
    <>
      {retry.error && <Failure error={retry.error} />}
      <Button size="xs" loading={retry.isPending} onClick={() => retry.mutate()}>
        Send all again
      </Button>
    </>
  );
}

function Discard({ destination, filter, records }: ChoiceProps & { readonly records: number }) {
  const [isOpen, { open, close }] = useDisclosure();
  const [because, setBecause] = useState('');
  const refresh = useRefresh();
  const discard = useMutation({
    mutationFn: () => post('/api/dead-letters/discard', { destination, filter, because }),
    onSuccess: async () => {
      close();
      await refresh();
    },
  });
  return (
    <>
      <Button size="xs" variant="default" onClick={open}>
        Discard
      </Button>
      <Modal opened={isOpen} onClose={close} title={`Discard ${records.toLocaleString()} dead letters`}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            discard.mutate();
          }}
        >
          <Stack>
            <Text size="sm">They will never be sent to {destination}. The reason is kept with them.</Text>
            <TextInput
              label="Why"
              required
              maxLength={500}
              data-autofocus
              value={because}
              onChange={({ currentTarget }) => setBecause(currentTarget.value)}
            />
            {discard.error && <Failure error={discard.error} />}
            <Button type="submit" color="red" loading={discard.isPending} disabled={because.trim() === ''}>
              Discard
            </Button>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
