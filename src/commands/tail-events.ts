// What `tail` prints: events as they come, and as their destinations settle them.
//
// Holds always: the next look is made when all that the last one found was taken, so a slow reader makes it late, and never
// large; what is remembered between two looks is a place in the log for each destination.

import { setTimeout as sleep } from 'node:timers/promises';
import type { EventSummary } from '../http/event-summary.ts';
import type { EventsDocument } from '../http/records-api.ts';
import type { Status } from '../http/status.ts';
import type { Outcome, Position } from '../log/log.ts';
import { BridgeAwayError, readFromBridge } from './bridge-api.ts';
import type { BridgeAddress } from './bridge-api.ts';

export interface FollowOptions {
  /** How many of the newest to begin with. */
  readonly last: number;
  /** Only events that a destination has settled so, or that are pending; each is told once. */
  readonly outcome: Outcome | undefined;
  readonly isPaused: () => boolean;
  /** Told once when the bridge is away, and once when it is back. */
  readonly onAway: (error: BridgeAwayError) => void;
  readonly onBack: () => void;
}

const lookMs = 300;
const awayMs = 1_000;
/** An event is told when its outcomes are known, or when this time has passed. */
const outcomeWaitMs = 1_500;
const eventsPerLook = 200;
/** The API lists one more. */
const mostLast = 999;
/** Before the first record of any log. */
const beginning = '0' as Position;

/** A walk through the log, in order. One that has a destination stops before what is pending there. */
interface Walk {
  readonly destination: string | undefined;
  after: Position;
  /** How many events it has passed: all walks pass the same ones. */
  passed: number;
}

/**
 * The newest `last` events, then what comes. Undefined is a look that found nothing. Throws CommandError where the first
 * look fails; a bridge that goes away later is waited for.
 */
export async function* followEvents(
  bridge: BridgeAddress,
  { last, outcome, isPaused, onAway, onBack }: FollowOptions,
  signal: AbortSignal,
): AsyncGenerator<EventSummary | undefined> {
  const { events: newest } = await look(bridge, `limit=${Math.min(last, mostLast) + 1}`, signal);
  // The one before those to begin with.
  const start = newest[Math.min(last, mostLast)]?.position ?? beginning;
  const walks = await startWalks(bridge, outcome, start, signal);
  let isAway = false;
  while (!isAborted(signal)) {
    let found = 0;
    try {
      for (const walk of isPaused() ? [] : walks) {
        const passed = await nextEvents(bridge, walk, signal);
        if (isAway) onBack();
        isAway = false;
        for (const event of passed) {
          if (isTold(event, { outcome, walk, walks })) yield event;
          walk.after = event.position;
          walk.passed++;
          found++;
        }
      }
    } catch (error) {
      if (isAborted(signal)) return;
      if (!(error instanceof BridgeAwayError)) throw error;
      if (!isAway) onAway(error);
      isAway = true;
    }
    if (found === 0) yield undefined;
    if (found < eventsPerLook) {
      await sleep(isAway ? awayMs : lookMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * One walk tells of everything. Where only some outcome is asked for, each destination has one of its own: it settles in
 * the order of the log, so its walk comes by all that it settles, however late, and needs to remember none of it.
 */
async function startWalks(
  bridge: BridgeAddress,
  outcome: Outcome | undefined,
  after: Position,
  signal: AbortSignal,
): Promise<readonly Walk[]> {
  if (outcome === undefined || outcome === 'pending') return [{ destination: undefined, after, passed: 0 }];
  const { destinations } = (await readFromBridge(bridge, '/api/status', signal)) as Status;
  return Object.keys(destinations).map((destination) => ({ destination, after, passed: 0 }));
}

/** Those behind the walk that it may pass now. */
async function nextEvents(
  bridge: BridgeAddress,
  { after, destination }: Walk,
  signal: AbortSignal,
): Promise<readonly EventSummary[]> {
  const { events, now } = await look(bridge, `after=${after}&limit=${eventsPerLook}`, signal);
  const end = events.findIndex((event) => {
    if (destination !== undefined && event.outcomes[destination] === 'pending') return true;
    // Either way round: the bridge's clock may have been set.
    return hasOutcome(event, 'pending') && Math.abs(now - event.receivedAt) < outcomeWaitMs;
  });
  return end === -1 ? events : events.slice(0, end);
}

/** Whether this walk is the one that tells of the event: the first to come by it that finds the outcome. */
function isTold(
  event: EventSummary,
  { outcome, walk, walks }: { outcome: Outcome | undefined; walk: Walk; walks: readonly Walk[] },
): boolean {
  const { destination } = walk;
  if (outcome === undefined) return true;
  if (destination === undefined) return hasOutcome(event, outcome);
  return (
    event.outcomes[destination] === outcome &&
    !walks.some((other) => other.passed > walk.passed && event.outcomes[other.destination ?? ''] === outcome)
  );
}

function hasOutcome({ outcomes }: EventSummary, outcome: Outcome): boolean {
  return Object.values(outcomes).includes(outcome);
}

async function look(bridge: BridgeAddress, query: string, signal: AbortSignal): Promise<EventsDocument> {
  return (await readFromBridge(bridge, `/api/events?${query}`, signal)) as EventsDocument;
}

/** A function, so that the compiler does not remember an earlier answer. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
