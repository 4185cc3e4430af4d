// What has come since the list was read, as the live stream tells it.

import { useEffect, useState } from 'react';
import type { EventSummary } from '../../../src/http/records-api.ts';
import { searchParameters } from '../api/queries.ts';
import type { EventSearch } from '../api/queries.ts';
import { get } from '../api/client.ts';
import type { EventsDocument } from '../../../src/http/records-api.ts';

const pollMs = 1_000;
/** A list that nobody looks at does not grow without end. */
const most = 1_000;

/** Oldest first. `after`: the newest that the list has; undefined while it has none. */
export function useNewEvents(search: EventSearch, after: string | undefined): readonly EventSummary[] {
  const [fresh, setFresh] = useState<readonly EventSummary[]>([]);
  const key = JSON.stringify(search);
  useEffect(() => {
    setFresh([]);
    const abort = new AbortController();
    let position = after;
    const poll = async () => {
      const parameters = searchParameters(JSON.parse(key) as EventSearch);
      parameters.set('limit', String(most));
      if (position !== undefined) parameters.set('after', position);
      const { events } = await get<EventsDocument>(`/api/events?${parameters}`, abort.signal);
      const inOrder = position === undefined ? events.toReversed() : events;
      position = inOrder.at(-1)?.position ?? position;
      if (inOrder.length > 0) setFresh((old) => [...old, ...inOrder].slice(-most));
    };
    const timer = setInterval(() => void poll().catch(() => undefined), pollMs);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [key, after]);
  return fresh;
}
