// Why an event becomes what it becomes, in lines for people, and the messages themselves.

import type { FusionAuthEvent } from '../fusionauth/event.ts';
import type { Message } from '../segment/message.ts';
import { createMapper, MappingFailure } from './map.ts';
import type { MappingOptions } from './map.ts';

export interface Explanation {
  /** Which rule, filter, policy did what. */
  readonly rules: readonly string[];
  /** As the mapping makes them by now; of an import the first ones. */
  readonly messages: readonly Message[];
}

/** An import becomes thousands of messages, which are all alike. */
const maxLines = 100;
const maxMessages = 10;

export function explainMapping(event: FusionAuthEvent, options: MappingOptions): Explanation {
  const rules: string[] = [];
  const messages: Message[] = [];
  for (const item of createMapper(options).map(event, ({ by, note }) => rules.push(`${by}: ${note}`))) {
    if (item instanceof MappingFailure) rules.push(`${item.reason}: ${item.detail.split('\n', 1)[0] ?? ''}`);
    else if (messages.length < maxMessages) messages.push(item);
    if (rules.length > maxLines) return { rules: [...rules.slice(0, maxLines), '…'], messages };
  }
  return { rules, messages };
}
