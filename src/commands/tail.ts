// `tail`: events as they come, in the terminal.

import { once } from 'node:events';
import { styleText } from 'node:util';
import type { Config } from '../config/config.ts';
import type { EventSummary } from '../http/event-summary.ts';
import type { Outcome } from '../log/log.ts';
import { matchesAny } from '../mapping/type-pattern.ts';
import { bridgeAddress } from './bridge-api.ts';
import { CommandError } from './report.ts';
import { show } from './show.ts';
import { followEvents } from './tail-events.ts';
import { watchKeys } from './tail-keys.ts';

export interface TailOptions {
  /** Patterns in which `*` stands for anything. */
  readonly type?: readonly string[];
  readonly tenant?: string;
  /** Only events with this outcome somewhere. */
  readonly outcome?: Outcome;
  /** How many to begin with. */
  readonly last?: number;
  readonly url?: string;
  /** One JSON document a line, for pipes. */
  readonly json?: boolean;
}

/** Lines that a digit opens. */
const openable = 10;

/** Runs until it is told to stop, by Ctrl-C, `q`, or the end of the pipe; a bridge that goes away is waited for. */
export async function tail(options: TailOptions, config: Config): Promise<void> {
  const bridge = bridgeAddress(options.url, config);
  const isInteractive = process.stdin.isTTY && process.stdout.isTTY && options.json !== true;
  const ending = new AbortController();
  const { signal } = ending;
  process.once('SIGINT', () => ending.abort());
  const keys = isInteractive ? watchKeys(ending) : undefined;
  const fits = createFilter(options);
  const shown: EventSummary[] = [];
  let number = 0;

  const following = followEvents(
    bridge,
    {
      last: options.last ?? 0,
      outcome: options.outcome,
      isPaused: () => keys?.isPaused === true,
      onAway: ({ message }) => say(`${message}; waiting for it`),
      onBack: () => say(`The bridge at ${bridge.url} answers again`),
    },
    signal,
  );
  try {
    if (isInteractive) await write('space pauses, a digit opens that event, q ends\n', signal);
    for await (const event of following) {
      for (const digit of keys?.takeDigits() ?? []) await open(shown[digit], options.url, config);
      if (event === undefined || !fits(event)) continue;
      if (options.json === true) await write(`${JSON.stringify(event)}\n`, signal);
      else {
        const digit = number++ % openable;
        shown[digit] = event;
        await write(`${isInteractive ? `${digit} ` : ''}${lineOf(event)}\n`, signal);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    keys?.end();
  }
}

/** Its journey; where that cannot be had, since the event is gone or the bridge is away, why. */
async function open(event: EventSummary | undefined, url: string | undefined, config: Config): Promise<void> {
  if (event === undefined) return;
  try {
    await show({ eventId: event.id, ...(url === undefined ? {} : { url }) }, config);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    say(`${event.id}: ${error.message}`);
  }
}

function createFilter({ type, tenant }: TailOptions): (event: EventSummary) => boolean {
  const fitsType = type && matchesAny(type);
  return (event) =>
    (fitsType === undefined || fitsType(event.type)) && (tenant === undefined || event.tenantId === tenant);
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

/** Not among what is printed, which a program may read. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Waits where the terminal or the pipe is slow, unless it is told to stop. */
async function write(text: string, signal: AbortSignal): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain', { signal });
}
