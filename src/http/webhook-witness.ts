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

/** Senders choose the names. */
const maxUnknownTypes = 20;
const maxTypeLength = 100;

export class WebhookWitness {
  #taken: LastTaken | undefined;
  #refused: LastRefused | undefined;
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
  }

  #noteType(type: string): void {
    if (this.#unknownTypes.size >= maxUnknownTypes || entryOf(type) !== undefined) return;
    this.#unknownTypes.add(type.slice(0, maxTypeLength));
  }
}
