// An event as it came. What tells of a person is hidden until somebody means to see it; that they did is a line in the
// bridge's log.

import { Button, Card, Group, Title } from '@mantine/core';
import type { JourneyDocument } from '../../../src/http/records-api.ts';
import { hiddenNames, withoutPersons } from './persons.ts';
import type { Disclosure } from './use-disclosure-of.ts';
import { Failure } from './trouble.tsx';

interface RawEventProps {
  readonly journey: JourneyDocument;
  readonly disclosure: Disclosure;
}

export function RawEvent({ journey: { event, personal, isKnown }, disclosure }: RawEventProps) {
  const { isShown, isPending, error, show } = disclosure;
  const text = JSON.stringify(
    isShown ? event.body : withoutPersons(event.body, hiddenNames(personal), isKnown),
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
            <Button size="xs" variant="default" loading={isPending} onClick={show}>
              Show personal data
            </Button>
          )}
          <Button size="xs" variant="default" onClick={() => void navigator.clipboard.writeText(text)}>
            Copy JSON
          </Button>
        </Group>
      </Group>
      {error && <Failure error={error} />}
      <pre className="raw" tabIndex={0} aria-label="JSON of the event">
        {text}
      </pre>
    </Card>
  );
}
