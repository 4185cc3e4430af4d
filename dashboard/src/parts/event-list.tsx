// Events as rows, of which only those in sight are drawn. By keyboard: j and k or the arrows choose, Enter opens.

import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState } from 'react';
import type { EventSummary } from '../../../src/http/event-summary.ts';
import { clockOf } from './moment.tsx';
import { useKeys } from './use-keys.ts';
import type { Keys } from './use-keys.ts';
import { OutcomeBadge } from './outcome.tsx';

const rowHeight = 40;

interface EventListProps {
  readonly events: readonly EventSummary[];
  /** The last rows are in sight. */
  readonly onEnd: () => void;
  readonly onOpen: (id: string) => void;
}

export function EventList({ events, onEnd, onOpen }: EventListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [chosenId, setChosenId] = useState<string>();
  const rows = useVirtualizer({
    count: events.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => events[index]?.id ?? index,
    overscan: 10,
  });
  const inSight = rows.getVirtualItems();
  const lastInSight = inSight.at(-1)?.index ?? 0;
  useEffect(() => {
    if (lastInSight >= events.length - 20) onEnd();
  }, [lastInSight, events.length, onEnd]);

  const choose = (step: number) => {
    const at = events.findIndex(({ id }) => id === chosenId);
    const next = Math.min(Math.max(at + step, 0), events.length - 1);
    setChosenId(events[next]?.id);
    rows.scrollToIndex(next);
  };
  const chooseFromAnywhere = (step: number) => {
    scroller.current?.focus();
    choose(step);
  };
  useKeys({ j: () => chooseFromAnywhere(1), k: () => chooseFromAnywhere(-1) });
  const keys: Keys = {
    ArrowDown: () => choose(1),
    ArrowUp: () => choose(-1),
    Enter: () => chosenId !== undefined && onOpen(chosenId),
  };

  return (
    <div
      ref={scroller}
      className="events"
      role="listbox"
      aria-label="Events, the newest first"
      tabIndex={0}
      aria-activedescendant={chosenId === undefined ? undefined : rowId(chosenId)}
      onKeyDown={(event) => {
        const act = keys[event.key];
        if (act === undefined) return;
        event.preventDefault();
        act();
      }}
    >
      <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
        {inSight.map(({ key, index, start }) => {
          const event = events[index];
          return (
            event && (
              <div
                key={key}
                style={{ position: 'absolute', top: 0, width: '100%', transform: `translateY(${start}px)` }}
              >
                <EventRow event={event} isChosen={event.id === chosenId} onOpen={onOpen} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

function rowId(id: string): string {
  return `event-${id}`;
}

function EventRow({
  event,
  isChosen,
  onOpen,
}: {
  event: EventSummary;
  isChosen: boolean;
  onOpen: (id: string) => void;
}) {
  const { id, type, receivedAt, tenantId, outcomes, isKnown } = event;
  return (
    <div
      id={rowId(id)}
      className="event-row"
      role="option"
      aria-selected={isChosen}
      data-chosen={isChosen || undefined}
      onClick={() => onOpen(id)}
    >
      <span>{clockOf(receivedAt)}</span>
      <span>
        {type}
        {!isKnown && ' (unknown)'}
      </span>
      <span className="wide" title={tenantId ?? undefined}>
        {tenantId ?? 'the whole instance'}
      </span>
      <span className="outcomes">
        {Object.entries(outcomes).map(([destination, outcome]) => (
          <OutcomeBadge key={destination} destination={destination} outcome={outcome} />
        ))}
      </span>
    </div>
  );
}
