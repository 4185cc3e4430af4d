// Why an event becomes what it becomes, in lines for people.

import type { FusionAuthEvent } from '../fusionauth/event.ts';
import { createMapper, MappingFailure } from './map.ts';
import type { MappingOptions } from './map.ts';

/** An import becomes thousands of messages, which are all alike. */
const maxLines = 100;

export function explainMapping(event: FusionAuthEvent, options: MappingOptions): readonly string[] {
  const lines: string[] = [];
  for (const item of createMapper(options).map(event, ({ by, note }) => lines.push(`${by}: ${note}`))) {
    if (item instanceof MappingFailure) lines.push(`${item.reason}: ${item.detail.split('\n', 1)[0] ?? ''}`);
    if (lines.length > maxLines) return [...lines.slice(0, maxLines), '…'];
  }
  return lines;
}
