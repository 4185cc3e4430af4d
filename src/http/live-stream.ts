// What is new in the log, told to one client as it comes: Server-Sent Events on an open answer.
//
// Holds always: a client is told of each record once and in order, from where it begins, or told what it was spared. One
// message at a time is on its way to it: who reads slowly makes the next look late, and never large. What is remembered of
// it is a place in the log, and which of the last records it was sent.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLog, FollowedRecords, Position, RecordOutcomes, SearchFilter } from '../log/log.ts';
import { toEventSummary } from './event-summary.ts';
import type { EventSummary } from './event-summary.ts';

/** Data of the message `events`; its id is the place of the last one. */
export interface StreamedEvents {
  readonly events: readonly EventSummary[];
}

/** Data of the message `skipped`: so many records, fitting or not, behind `after`, the last of them at `through`. */
export interface StreamedSkip {
  readonly records: number;
  readonly after: Position;
  readonly through: Position;
}

/** Data of the message `settled`: what has become of events that were sent before. */
export interface StreamedOutcomes {
  readonly events: readonly RecordOutcomes[];
}

/** Eight looks a second, and with two messages about outcomes that makes ten. */
const beatMs = 125;
const beatsPerOutcomes = 4;
/** Of one message: with the beat 2,000 records a second, twice what a busy bridge takes. */
const eventsPerMessage = 250;
/** Some seconds' worth: who is further behind sees what is new, and is told what was skipped. */
const mostBehind = 10_000;
const outcomesPerMessage = 1_000;
/** Of the records that were sent, so many are remembered, for what becomes of them later. */
const mostRemembered = 20_000;
const heartbeatMs = 15_000;
/** What a client waits before it comes again. */
const retryMs = 2_000;
/** Who has taken nothing for so long has gone, or will come again and go on where it was. */
const stalledMs = 60_000;
const endMs = 300;

export interface LiveStreamOptions {
  readonly log: EventLog;
  readonly consumers: readonly string[];
  readonly filter: SearchFilter;
  /** Told is what stands behind it. */
  readonly after: Position;
  readonly response: ServerResponse;
}

/** Tells until the client has gone or the signal aborts, and ends the answer. Throws what the log throws. */
export async function streamEvents(options: LiveStreamOptions, signal: AbortSignal): Promise<void> {
  const { response } = options;
  const gone = new AbortController();
  response.once('close', () => gone.abort()).on('error', () => gone.abort());
  const ending = AbortSignal.any([signal, gone.signal]);
  try {
    await new LiveStream(options, ending).run();
  } finally {
    response.end();
    // Who does not take the rest soon is not waited for.
    setTimeout(() => response.destroy(), endMs).unref();
  }
}

class LiveStream {
  readonly #log: EventLog;
  readonly #consumers: readonly string[];
  readonly #filter: SearchFilter;
  readonly #response: ServerResponse;
  readonly #ending: AbortSignal;
  #after: Position;
  #writtenAt = 0;
  /** In the order in which they were sent. */
  readonly #sent = new Set<Position>();
  /** Of those: whose outcomes have changed since they were told. */
  readonly #changed = new Set<Position>();
  /** While a look is under way, what changes may be in what it finds, as it was before. */
  #isLooking = false;

  constructor({ log, consumers, filter, after, response }: LiveStreamOptions, ending: AbortSignal) {
    this.#log = log;
    this.#consumers = consumers;
    this.#filter = filter;
    this.#after = after;
    this.#response = response;
    this.#ending = ending;
  }

  async run(): Promise<void> {
    this.#log.watchOutcomes((positions) => this.#noteChanged(positions), this.#ending);
    // The place at once, so that who is cut off before the first event goes on from here.
    await this.#write(`retry: ${retryMs}\nid: ${this.#after}\n\n`);
    for (let beat = 1; !this.#ending.aborted; beat++) {
      await pause(beatMs, this.#ending);
      let text = await this.#look();
      if (beat % beatsPerOutcomes === 0) text += await this.#readChanged();
      if (text === '' && performance.now() - this.#writtenAt >= heartbeatMs) {
        // With the place, since a filter may have passed by much that it tells nothing of.
        text = `: heartbeat\nid: ${this.#after}\n\n`;
      }
      if (text !== '') await this.#write(text);
    }
  }

  /** What is new, as messages; '' where nothing is. */
  async #look(): Promise<string> {
    if (this.#ending.aborted) return '';
    this.#isLooking = true;
    const found = await this.#log.follow(this.#filter, {
      after: this.#after,
      count: eventsPerMessage,
      consumers: this.#consumers,
      mostBehind,
    });
    this.#isLooking = false;
    this.#after = found.next;
    this.#remember(found.records.map(({ position }) => position));
    return messagesOf(found);
  }

  #remember(positions: readonly Position[]): void {
    for (const position of positions) this.#sent.add(position);
    for (const position of this.#sent) {
      if (this.#sent.size <= mostRemembered) break;
      this.#sent.delete(position);
    }
    for (const position of this.#changed) if (!this.#sent.has(position)) this.#changed.delete(position);
  }

  #noteChanged(positions: readonly Position[]): void {
    for (const position of positions) {
      if (this.#isLooking || this.#sent.has(position)) this.#changed.add(position);
    }
  }

  async #readChanged(): Promise<string> {
    const positions = [...this.#changed].slice(0, outcomesPerMessage);
    if (positions.length === 0 || this.#ending.aborted) return '';
    // Before they are read: what changes from here on is told again.
    for (const position of positions) this.#changed.delete(position);
    const events = await this.#log.outcomesOf(positions, this.#consumers);
    return events.length === 0 ? '' : message('settled', { events } satisfies StreamedOutcomes);
  }

  /** Resolves when the client has taken it, or has gone. */
  async #write(text: string): Promise<void> {
    if (this.#ending.aborted) return;
    this.#writtenAt = performance.now();
    if (this.#response.write(text)) return;
    const signal = AbortSignal.any([this.#ending, AbortSignal.timeout(stalledMs)]);
    await once(this.#response, 'drain', { signal }).catch(() => {
      if (!this.#ending.aborted) this.#response.destroy();
    });
  }
}

function messagesOf({ records, next, skipped }: FollowedRecords): string {
  const events = { events: records.map(toEventSummary) } satisfies StreamedEvents;
  const told = records.length === 0 ? '' : message('events', events, skipped?.after ?? next);
  if (skipped === undefined) return told;
  return told + message('skipped', { ...skipped, through: next } satisfies StreamedSkip, next);
}

/** `id`: where to go on for who has had this message. */
function message(name: string, data: unknown, id?: Position): string {
  const place = id === undefined ? '' : `id: ${id}\n`;
  return `event: ${name}\n${place}data: ${JSON.stringify(data)}\n\n`;
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}
