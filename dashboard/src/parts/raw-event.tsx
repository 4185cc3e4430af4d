// An event as it came. What tells of a person is hidden until somebody means to see it; that they did is a line in the
// bridge's log.

import { Button, Card, Group, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { JourneyDocument } from '../../../src/http/records-api.ts';
import { post } from '../api/client.ts';
import { Failure } from './trouble.tsx';

const hidden = '•••••';

export function RawEvent({ journey: { event, personal, isKnown } }: { journey: JourneyDocument }) {
  const show = useMutation({
    mutationFn: () => post('/api/disclosures', { eventId: event.id, what: 'event' }),
  });
  const isShown = show.isSuccess;
  const names = new Set(personal);
  const text = JSON.stringify(
    isShown ? event.body : withoutPersons(event.body, names, isKnown),
    undefined,
    2,
  );
  return (
    <Card withBorder component="section" aria-label="The event as it came">
      <Group justify="space-between">
        <Title order={3} size="h4">
          As it came, without its secrets
        </Title>
        <Group gap="xs">
          {!isShown && (
            <Button size="xs" variant="default" loading={show.isPending} onClick={() => show.mutate()}>
              Show personal data
            </Button>
          )}
          <Button size="xs" variant="default" onClick={() => void navigator.clipboard.writeText(text)}>
            Copy JSON
          </Button>
        </Group>
      </Group>
      {show.error && <Failure error={show.error} />}
      <pre className="raw" tabIndex={0} aria-label="JSON of the event">
        {text}
      </pre>
    </Card>
  );
}

/** What an event is, and which ones it is about: shown in any case, also of a type that nobody knows. */
const plain = new Set(['id', 'type', 'tenantId', 'applicationId', 'userId', 'createInstant', 'event']);

/** Of a type that is not known, nobody can say which fields are personal: all but the plain ones are hidden. */
function withoutPersons(value: unknown, names: ReadonlySet<string>, isKnown: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutPersons(item, names, isKnown));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const isContainer = typeof inner === 'object' && inner !== null;
      const isHidden = names.has(name) || (!isKnown && !isContainer && !plain.has(name));
      return [name, isHidden ? hidden : withoutPersons(inner, names, isKnown)];
    }),
  );
}
