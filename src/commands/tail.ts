// `tail`: events as they come, in the terminal.
//
// It asks for what is new since its last look, and looks again when all of that is written: a slow terminal makes it
// late, and never large.

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import type { Config } from '../config/config.ts';
import type { EventSummary } from '../http/records-api.ts';
import type { Outcome } from '../log/log.ts';
import { matchesAny } from '../mapping/type-pattern.ts';
import { bridgeAddress, readFromBridge } from './bridge-api.ts';
import type { BridgeAddress } from './bridge-api.ts';
import { show } from './show.ts';

export interface TailOptions {
  /** Patterns in which `*` stands for anything. */
  readonly type?: readonly string[];
  readonly tenant?: string;
  /** Only events with this outcome somewhere. */
  readonly outcome?: string;
  /** How many to begin with. */
  readonly last?: number;
  readonly url?: string;
  /** One JSON document a line, for pipes. */
  readonly json?: boolean;
}

const lookMs = 300;
/** An event is shown when its outcomes are known, or when this time has passed. */
const outcomeWaitMs = 1_500;
const eventsPerLook = 200;
/** Lines that a digit opens. */
const openable = 10;

/** Runs until it is told to stop, by Ctrl-C, `q`, or the end of the pipe. */
export async function tail(options: TailOptions, config: Config): Promise<void> {
  const bridge = bridgeAddress(options.url, config);
  const isInteractive = process.stdin.isTTY && process.stdout.isTTY && options.json !== true;
  const ending = new AbortController();
  process.once('SIGINT', () => ending.abort());
  const keys = isInteractive ? watchKeys(ending) : undefined;
  const fits = createFilter(options);
  const shown: EventSummary[] = [];
  let number = 0;
  const url = options.url === undefined ? {} : { url: options.url };

  if (isInteractive) await write('space pauses, a digit opens that event, q ends\n');
  for await (const event of events(bridge, options.last ?? 0, () => keys?.isPaused === true, ending.signal)) {
    const opened = keys?.takeOpened();
    const chosen = opened === undefined ? undefined : shown[opened];
    if (chosen) await show({ eventId: chosen.id, ...url }, config);
    if (event === undefined || !fits(event)) continue;
    if (options.json === true) await write(`${JSON.stringify(event)}\n`);
    else {
      const digit = number++ % openable;
      shown[digit] = event;
      await write(`${isInteractive ? `${digit} ` : ''}${lineOf(event)}\n`);
    }
  }
  keys?.end();
}

/**
 * The newest `last` events, then what comes, in order, each once its outcomes are known or it was waited for. Undefined is
 * a look that found nothing.
 */
async function* events(
  bridge: BridgeAddress,
  last: number,
  isPaused: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<EventSummary | undefined> {
  const newest = await look(bridge, `limit=${Math.max(last, 1)}`);
  let after = newest[0]?.position ?? '0';
  yield* newest.slice(0, last).reverse();
  while (!signal.aborted) {
    const found = isPaused() ? [] : await look(bridge, `after=${after}&limit=${eventsPerLook}`);
    const ready = found.slice(0, firstUnsettled(found));
    yield* ready;
    after = ready.at(-1)?.position ?? after;
    if (ready.length < eventsPerLook) {
      yield undefined;
      await sleep(lookMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

function firstUnsettled(found: readonly EventSummary[]): number {
  const index = found.findIndex(
    ({ outcomes, receivedAt }) =>
      Object.values(outcomes).includes('pending') && Date.now() - receivedAt < outcomeWaitMs,
  );
  return index === -1 ? found.length : index;
}

async function look(bridge: BridgeAddress, query: string): Promise<readonly EventSummary[]> {
  const answer = (await readFromBridge(bridge, `/api/events?${query}`)) as {
    events: readonly EventSummary[];
  };
  return answer.events;
}

function createFilter({ type, tenant, outcome }: TailOptions): (event: EventSummary) => boolean {
  const fitsType = type && matchesAny(type);
  return (event) =>
    (fitsType === undefined || fitsType(event.type)) &&
    (tenant === undefined || event.tenantId === tenant) &&
    (outcome === undefined || Object.values<string>(event.outcomes).includes(outcome));
}

const colours = {
  delivered: 'green',
  filtered: 'gray',
  pending: 'yellow',
  dead: 'red',
} as const satisfies Record<Outcome, string>;

function lineOf({ receivedAt, type, isKnown, id, outcomes }: EventSummary): string {
  const time = new Date(receivedAt).toISOString().slice(11, 23);
  const shown = Object.entries(outcomes).map(
    ([name, outcome]) => `${name} ${styleText(colours[outcome], outcome, { stream: process.stdout })}`,
  );
  return `${time}  ${(isKnown ? type : `${type} (unknown)`).padEnd(34)}  ${id}  ${shown.join('  ')}`;
}

/** Waits where the terminal or the pipe is slow. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

interface Keys {
  readonly isPaused: boolean;
  /** The digit that was pressed since the last look. */
  takeOpened(): number | undefined;
  end(): void;
}

function watchKeys(ending: AbortController): Keys {
  let isPaused = false;
  let opened: number | undefined;
  process.stdin.setRawMode(true).setEncoding('utf8');
  process.stdin.on('data', (key: string) => {
    if (key === 'q' || key === '\u0003') ending.abort();
    else if (key === ' ') isPaused = !isPaused;
    else if (/^\d$/.test(key)) opened = Number(key);
  });
  return {
    get isPaused() {
      return isPaused;
    },
    takeOpened() {
      const digit = opened;
      opened = undefined;
      return digit;
    },
    end() {
      process.stdin.setRawMode(false).pause();
    },
  };
}
