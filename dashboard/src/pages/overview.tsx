// How everything fares: the way of the data as a picture, the books, and what is to be mended.

import {
  Anchor,
  type AnchorProps,
  Card,
  Code,
  Group,
  Loader,
  SimpleGrid,
  Stack,
  Text,
  Title,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { createLink } from '@tanstack/react-router';
import type { DiagnosisDocument } from '../../../src/http/diagnosis.ts';
import { findImbalances } from '../../../src/http/status.ts';
import type { DestinationStatus, Status } from '../../../src/http/status.ts';
import { diagnosisQuery, statusQuery } from '../api/queries.ts';
import { Moment, spanOf } from '../parts/moment.tsx';
import { StateBadge } from '../parts/outcome.tsx';
import { Failure, Trouble } from '../parts/trouble.tsx';

export function OverviewPage() {
  const status = useQuery(statusQuery);
  const diagnosis = useQuery(diagnosisQuery);
  return (
    <Stack>
      <Title order={2}>Overview</Title>
      {status.error && <Failure error={status.error} />}
      {status.data && diagnosis.data ? (
        <Known status={status.data} diagnosis={diagnosis.data} />
      ) : (
        !status.error && <Loader role="status" aria-label="Asking the bridge" />
      )}
    </Stack>
  );
}

function Known({ status, diagnosis }: { status: Status; diagnosis: DiagnosisDocument }) {
  return (
    <>
      <Troubles status={status} diagnosis={diagnosis} />
      {status.received === 0 && <FirstMinutes />}
      <SimpleGrid
        cols={{ base: 1, md: 3 }}
        component="section"
        className="way"
        aria-label="The way of the events"
      >
        <FusionAuthCard diagnosis={diagnosis} rejected={status.rejected} />
        <LogCard status={status} diagnosis={diagnosis} />
        <Stack>
          {Object.entries(status.destinations).map(([name, destination]) => (
            <DestinationCard
              key={name}
              name={name}
              destination={destination}
              place={diagnosis.places[name] ?? ''}
            />
          ))}
        </Stack>
      </SimpleGrid>
    </>
  );
}

/** Each link that is not well, with what to do. */
function Troubles({ status, diagnosis: { log } }: { status: Status; diagnosis: DiagnosisDocument }) {
  const destinations = Object.entries(status.destinations);
  return (
    <>
      {!log.isWritable && (
        <Trouble
          level="fail"
          title="The log cannot be written: webhooks are answered 503"
          fix="Make room on its disk, or give the bridge the right to write there; it goes on by itself"
        />
      )}
      {destinations.map(
        ([name, { state, fault }]) =>
          fault && (
            <Trouble
              key={name}
              level={state === 'blocked' ? 'fail' : 'warn'}
              title={`${name} is ${state}: ${fault.message}`}
              fix={fault.hint}
            />
          ),
      )}
      {destinations.map(
        ([name, { dead }]) =>
          dead > 0 && (
            <Trouble
              key={name}
              title={`${name}: ${count(dead)} ${dead === 1 ? 'event' : 'events'} could not be delivered`}
              fix="Dead letters, on the left, has them by their reason, and what to do"
            />
          ),
      )}
    </>
  );
}

function FirstMinutes() {
  const address = location.origin;
  return (
    <Card withBorder component="section" aria-label="First steps">
      <Stack gap="xs">
        <Text fw={600}>Nothing has arrived yet</Text>
        <Text size="sm">Post a sample event, as FusionAuth would:</Text>
        <Code block>npm run -s cli -- send user.login.success --url {address}/webhook</Code>
        <Text size="sm">Have FusionAuth set up, so that it posts here:</Text>
        <Code block>npm run -s cli -- setup</Code>
      </Stack>
    </Card>
  );
}

function FusionAuthCard({ diagnosis, rejected }: { diagnosis: DiagnosisDocument; rejected: number }) {
  const { lastTaken, lastRefused, unknownTypes } = diagnosis.webhooks;
  return (
    <Card withBorder component="article" aria-label="FusionAuth">
      <Text fw={600}>FusionAuth</Text>
      <Text size="sm">{diagnosis.verification}</Text>
      <Facts>
        <Fact name="last webhook">
          {lastTaken ? (
            <>
              <Moment at={lastTaken.at} /> {lastTaken.type}
            </>
          ) : (
            'none yet'
          )}
        </Fact>
        <Fact name="refused">
          {count(rejected)}
          {lastRefused && (
            <>
              , the last <Moment at={lastRefused.at} />: {lastRefused.reason}
            </>
          )}
        </Fact>
        {unknownTypes.length > 0 && <Fact name="unknown types">{unknownTypes.join(', ')}</Fact>}
      </Facts>
    </Card>
  );
}

function LogCard({ status, diagnosis: { log } }: { status: Status; diagnosis: DiagnosisDocument }) {
  const { received, duplicates, stored } = status;
  const imbalances = findImbalances(status);
  return (
    <Card withBorder component="article" aria-label="Log">
      <Text fw={600}>Log</Text>
      <Facts>
        <Fact name="received">{count(received)}</Fact>
        <Fact name="duplicates">{count(duplicates)}</Fact>
        <Fact name="stored">
          <EventsLink to="/events" search={{}}>
            {count(stored)}
          </EventsLink>
        </Fact>
        <Fact name="books">
          {imbalances.length === 0 ? 'balance' : `do not balance: ${imbalances.join('; ')}`}
        </Fact>
        <Fact name="size">
          {bytesOf(log.bytes)}, {bytesOf(log.freeBytes)} free
        </Fact>
      </Facts>
    </Card>
  );
}

function DestinationCard({
  name,
  destination,
  place,
}: {
  name: string;
  destination: DestinationStatus;
  place: string;
}) {
  const { state, pending, oldestPendingSeconds, discardedValues = 0 } = destination;
  return (
    <Card withBorder component="article" aria-label={name}>
      <Group justify="space-between">
        <Text fw={600}>{name}</Text>
        <StateBadge state={state} />
      </Group>
      <Text size="xs" c="dimmed">
        {place}
      </Text>
      <Facts>
        {(['pending', 'delivered', 'filtered', 'dead'] as const).map((outcome) => (
          <Fact key={outcome} name={outcome}>
            <EventsLink to="/events" search={{ outcome }}>
              {count(destination[outcome])}
            </EventsLink>
            {outcome === 'pending' &&
              pending > 0 &&
              `, the oldest for ${spanOf(oldestPendingSeconds * 1000)}`}
          </Fact>
        ))}
        {discardedValues > 0 && <Fact name="values in discards">{count(discardedValues)}</Fact>}
      </Facts>
    </Card>
  );
}

/** The events behind a number. */
const EventsLink = createLink((props: AnchorProps & React.ComponentProps<'a'>) => (
  <Anchor underline="always" {...props} />
));

function Facts({ children }: { children: React.ReactNode }) {
  return <dl className="facts">{children}</dl>;
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function count(number: number): string {
  return number.toLocaleString();
}

function bytesOf(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  return `${(bytes / 1000 ** power).toFixed(power < 2 ? 0 : 1)} ${units[power] ?? ''}`;
}
