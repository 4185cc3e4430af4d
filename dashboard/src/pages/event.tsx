// One event's journey: the webhook, who signed it, what it became, and each try to deliver it.

import { Button, Card, Group, Loader, Stack, Table, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { JourneyDocument } from '../../../src/http/records-api.ts';
import { post } from '../api/client.ts';
import { eventQuery, replaysQuery, sessionQuery } from '../api/queries.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Moment } from '../parts/moment.tsx';
import { OutcomeBadge } from '../parts/outcome.tsx';
import { hiddenNames, withoutPersons } from '../parts/persons.ts';
import { RawEvent } from '../parts/raw-event.tsx';
import { Failure, Trouble } from '../parts/trouble.tsx';
import { useDisclosureOf } from '../parts/use-disclosure-of.ts';
import { eventRoute } from '../router.tsx';

export function EventPage() {
  const { id } = eventRoute.useParams();
  const query = useQuery(eventQuery(id));
  return (
    <Stack>
      <Text size="sm">
        <Link to="/events" search={{}}>
          Events
        </Link>
      </Text>
      {query.error && <Failure error={query.error} />}
      {query.isPending && <Loader role="status" aria-label="Reading the event" />}
      {query.data && <Journey journey={query.data} />}
    </Stack>
  );
}

function Journey({ journey }: { journey: JourneyDocument }) {
  const { event, destinations, personal } = journey;
  const disclosure = useDisclosureOf(event.id);
  const names = hiddenNames(disclosure.isShown ? [] : [...personal, 'ip']);
  return (
    <>
      <Title order={2}>{event.type}</Title>
      <dl className="facts">
        <dt>id</dt>
        <dd>{event.id}</dd>
        <dt>received</dt>
        <dd>
          <Moment at={event.receivedAt} />
        </dd>
        <dt>signature</dt>
        <dd>{event.verifiedBy === 'unsigned' ? 'none was asked for' : `verified by ${event.verifiedBy}`}</dd>
        <dt>tenant</dt>
        <dd>{event.tenantId ?? 'none: it is of the whole instance'}</dd>
      </dl>
      {Object.entries(destinations).map(([name, destination]) => (
        <DestinationJourney
          key={name}
          name={name}
          destination={destination}
          eventId={event.id}
          hiddenNames={names}
        />
      ))}
      <RawEvent journey={journey} disclosure={disclosure} />
    </>
  );
}

type Destination = JourneyDocument['destinations'][string];

function DestinationJourney({
  name,
  destination,
  eventId,
  hiddenNames,
}: {
  name: string;
  destination: Destination;
  eventId: string;
  hiddenNames: ReadonlySet<string>;
}) {
  const { outcome, rules, messages, attempts, deadLetters, fault } = destination;
  const { data: session } = useQuery(sessionQuery);
  return (
    <Card withBorder component="section" aria-label={name}>
      <Stack gap="xs">
        <Group justify="space-between">
          <Group>
            <Title order={3} size="h4">
              {name}
            </Title>
            <OutcomeBadge outcome={outcome} />
          </Group>
          {outcome !== 'pending' && session?.canChange === true && (
            <Resend destination={name} eventId={eventId} />
          )}
        </Group>
        {fault && <Trouble title={fault.message} fix={fault.hint} />}
        {rules.map((rule) => (
          <Text key={rule} size="sm">
            {rule}
          </Text>
        ))}
        {deadLetters.map(({ messageId, reason, detail }) => (
          <Trouble key={messageId} level="fail" title={`Dead: ${reason}`} fix={detail} />
        ))}
        {attempts.length > 0 && <Attempts attempts={attempts} />}
        {messages.length > 0 && <Messages destination={name} messages={messages} hiddenNames={hiddenNames} />}
      </Stack>
    </Card>
  );
}

/** As the mapping makes them by now, which may differ from what was sent. */
function Messages({
  destination,
  messages,
  hiddenNames,
}: {
  destination: string;
  messages: Destination['messages'];
  hiddenNames: ReadonlySet<string>;
}) {
  const kinds = messages.map((message) =>
    message.type === 'track' ? `track “${message.event}”` : message.type,
  );
  return (
    <details>
      <summary>Becomes {kinds.join(', then ')}</summary>
      <pre className="raw" tabIndex={0} aria-label={`Messages to ${destination}`}>
        {JSON.stringify(withoutPersons(messages, hiddenNames), undefined, 2)}
      </pre>
    </details>
  );
}

function Attempts({ attempts }: { attempts: Destination['attempts'] }) {
  return (
    <DataTable label="Attempts" minWidth={420} columns={['Attempt', 'Messages in it', 'Took', 'Answer']}>
      {attempts.map(({ startedAt, endedAt, messages, answer, count }) => (
        <Table.Tr key={startedAt}>
          <Table.Td>
            <Moment at={startedAt} />
            {count > 1 && `, ${count} times`}
          </Table.Td>
          <Table.Td>{messages}</Table.Td>
          <Table.Td>{count > 1 ? '' : `${endedAt - startedAt} ms`}</Table.Td>
          <Table.Td>{answer}</Table.Td>
        </Table.Tr>
      ))}
    </DataTable>
  );
}

/** One event, under the ids that it had: what Segment has already it drops. */
function Resend({ destination, eventId }: { destination: string; eventId: string }) {
  const queryClient = useQueryClient();
  const resend = useMutation({
    mutationFn: () => post('/api/replays', { destination, filter: { eventId } }),
    onSuccess: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: replaysQuery.queryKey }),
        queryClient.invalidateQueries({ queryKey: eventQuery(eventId).queryKey }),
      ]),
  });
  return (
    <Group gap="xs">
      {resend.error && (
        <Text size="sm" c="red" role="alert">
          {resend.error.message}
        </Text>
      )}
      {resend.isSuccess && (
        <Text size="sm" role="status">
          Is sent again
        </Text>
      )}
      <Button size="xs" variant="default" loading={resend.isPending} onClick={() => resend.mutate()}>
        Send again to {destination}
      </Button>
    </Group>
  );
}
