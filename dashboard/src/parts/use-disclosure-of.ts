// Personal data of one event is shown when somebody means to see it; that they did is a line in the bridge's log.

import { useMutation } from '@tanstack/react-query';
import { post } from '../api/client.ts';

export interface Disclosure {
  readonly isShown: boolean;
  readonly isPending: boolean;
  readonly error: Error | null;
  readonly show: () => void;
}

export function useDisclosureOf(eventId: string): Disclosure {
  const { isSuccess, isPending, error, mutate } = useMutation({
    mutationFn: () => post('/api/disclosures', { eventId, what: 'event' }),
  });
  return { isShown: isSuccess, isPending, error, show: () => mutate() };
}
