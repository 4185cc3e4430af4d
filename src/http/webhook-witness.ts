// What was last taken and last refused, so that who asks why nothing arrives needs no log lines. In memory, since the start.

import type { EventId } from '../fusionauth/event.ts';
import { entryOf } from '../fusionauth/catalogue.ts';
import type { Refusal } from './refusals.ts';

/** Milliseconds since 1970. */
export interface LastTaken {
  readonly at: number;
  readonly id: EventId;
  readonly type: string;
  /** `hmac:1`, `kid:…` or `unsigned`. */
  readonly verifiedBy: string;
}

export interface LastRefused {
  readonly at: number;
  /** HTTP status. */
  readonly status: number;
  readonly reason: string;
  readonly hint?: string;
}

/** All of one reason, since the start. */
export interface Refusals extends LastRefused {
  readonly count: number;
  readonly firstAt: number;
}

/** Reasons may name a place in a body, which a sender chooses: beyond this number only their counts are kept, by status. */
const maxReasons = 50;
/** Senders choose the names. */
const maxUnknownTypes = 20;
const maxTypeLength = 100;

export class WebhookWitness {
  #taken: LastTaken | undefined;
  #refused: LastRefused | undefined;
  readonly #refusals = new Map<string, Refusals>();
  readonly #unknownTypes = new Set<string>();

  /** The last that were taken before the start, newest first, as the log tells. */
  constructor(earlier: readonly LastTaken[] = []) {
    this.#taken = earlier[0];
    for (const { type } of earlier) this.#noteType(type);
  }

  get lastTaken(): LastTaken | undefined {
    return this.#taken;
  }

  get lastRefused(): LastRefused | undefined {
    return this.#refused;
  }

  /** By reason, the one of which there was one last first. */
  get refusals(): readonly Refusals[] {
    return [...this.#refusals.values()].sort((a, b) => b.at - a.at);
  }

  /** Types that came and that the catalogue does not know. */
  get unknownTypes(): readonly string[] {
    return [...this.#unknownTypes].sort();
  }

  take(taken: LastTaken): void {
    this.#taken = taken;
    this.#noteType(taken.type);
  }

  refuse({ status, reason, hint }: Refusal, at: number): void {
    this.#refused = { at, status, reason, ...(hint === undefined ? {} : { hint }) };
    const own = `${status} ${reason}`;
    const isKept = this.#refusals.has(own) || this.#refusals.size < maxReasons;
    const key = isKept ? own : `${status}`;
    const { count = 0, firstAt = at } = this.#refusals.get(key) ?? {};
    const last = isKept ? this.#refused : { at, status, reason: 'of other reasons' };
    this.#refusals.set(key, { ...last, count: count + 1, firstAt });
  }

  #noteType(type: string): void {
    if (this.#unknownTypes.size >= maxUnknownTypes || entryOf(type) !== undefined) return;
    this.#unknownTypes.add(type.slice(0, maxTypeLength));
  }
}
