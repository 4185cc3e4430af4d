// The tables that an event of FusionAuth's may stand in. Its track has one of two names (`naming`), and somebody may
// have changed from one to the other: then both tables are there.

import type { MessageId } from '../../../segment/message.ts';
import { entryOf } from '../../../fusionauth/catalogue.ts';
import type { KnownEventType } from '../../../fusionauth/catalogue.ts';
import { describeBecoming } from '../../../mapping/describe.ts';
import { namings } from '../../../mapping/names.ts';
import { rowsOf } from '../rows.ts';

/** One for each naming; none where the type becomes no track. */
export function eventTables(type: string): readonly string[] {
  if (entryOf(type) === undefined) return [];
  const names = namings.flatMap((naming) => describeBecoming({ type }, { naming }).eventName ?? []);
  return [...new Set(names.map(tableOf))];
}

/** As eventTables, for a type that becomes a track. */
export function tablesOfTrack(type: KnownEventType): readonly [string, ...string[]] {
  const [first, ...rest] = eventTables(type);
  if (first === undefined) throw new Error(`${type} becomes no track`);
  return [first, ...rest];
}

/** Asked of the rows themselves, so that it cannot be another table than the one they are loaded into. */
function tableOf(event: string): string {
  const track = { type: 'track', messageId: '' as MessageId, event, context: {}, properties: {} } as const;
  return rowsOf(track, 0).find(({ table }) => table !== 'tracks')?.table ?? '';
}
