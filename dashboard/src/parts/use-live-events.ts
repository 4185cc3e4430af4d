// What has come since the list was read, and what has become of its rows, as the live stream tells it.

import { useEffect, useState } from 'react';
import type { EventSummary } from '../../../src/http/event-summary.ts';
import { searchParameters } from '../api/queries.ts';
import type { EventSearch } from '../api/queries.ts';

/** A list that nobody looks at does not grow without end. */
const mostFresh = 1_000;

export interface LiveEvents {
  /** Not in the list yet, the newest first. */
  readonly fresh: readonly EventSummary[];
  /** As rows of the list are by now, by their ids. */
  readonly changed: ReadonlyMap<string, EventSummary>;
}

type Settled = Pick<EventSummary, 'position' | 'id' | 'outcomes'>;

/** `first`: the newest rows of the list, as they were read; undefined before that. The same array as long as they are. */
export function useLiveEvents(search: EventSearch, first: readonly EventSummary[] | undefined): LiveEvents {
  const [known, setKnown] = useState<ReadonlyMap<string, EventSummary>>(new Map());
  const key = searchParameters(search).toString();
  useEffect(() => {
    if (first === undefined) return;
    setKnown(new Map());
    const parameters = new URLSearchParams(key);
    const begin = beginOf(first);
    if (begin !== undefined) parameters.set('after', begin);
    const stream = new EventSource(`/api/stream?${parameters}`);
    const take = (events: readonly EventSummary[]) =>
      setKnown(
        (old) =>
          new Map([...old, ...events.map((event) => [event.id, event] as const)].slice(-2 * mostFresh)),
      );
    stream.addEventListener('events', ({ data }: MessageEvent<string>) => {
      take((JSON.parse(data) as { events: readonly EventSummary[] }).events);
    });
    stream.addEventListener('settled', ({ data }: MessageEvent<string>) => {
      const { events } = JSON.parse(data) as { events: readonly Settled[] };
      setKnown((old) => {
        const changed = events.flatMap(({ id, outcomes }) => {
          const event = old.get(id);
          return event ? [[id, { ...event, outcomes }] as const] : [];
        });
        return new Map([...old, ...changed]);
      });
    });
    return () => stream.close();
  }, [key, first]);

  const listed = new Set(first?.map(({ id }) => id));
  const fresh = [...known.values()].filter(({ id }) => !listed.has(id)).slice(-mostFresh);
  return { fresh: fresh.toReversed(), changed: known };
}

/** Behind the oldest row that is still pending somewhere, so that the stream tells what becomes of it. */
function beginOf(first: readonly EventSummary[]): string | undefined {
  const oldest = first.findLastIndex(({ outcomes }) => Object.values(outcomes).includes('pending'));
  return (first[oldest + 1] ?? first.at(-1))?.position;
}
