// An outcome, or a destination's state, as a word with a colour. The word alone says it, too.

import { Badge } from '@mantine/core';
import type { Outcome } from '../../../src/log/log.ts';
import type { DeliveryState } from '../../../src/delivery/sender.ts';

const outcomeColors = { delivered: 'teal', filtered: 'gray', pending: 'yellow', dead: 'red' } as const;
const stateColors: Readonly<Record<string, string>> = { running: 'teal', retrying: 'yellow', blocked: 'red' };

export function OutcomeBadge({ outcome, destination }: { outcome: Outcome; destination?: string }) {
  return (
    <Badge color={outcomeColors[outcome]} variant="dot" tt="none">
      {destination === undefined ? outcome : `${destination}: ${outcome}`}
    </Badge>
  );
}

export function StateBadge({ state }: { state: DeliveryState }) {
  return (
    <Badge color={stateColors[state] ?? 'gray'} variant="dot" tt="none">
      {state}
    </Badge>
  );
}
