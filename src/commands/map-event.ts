// One event on its way through the mapping, without a bridge: for `map` and `test`.

import type { Config } from '../config/config.ts';
import type { DestinationConfig } from '../config/destinations.ts';
import { mappingOptionsOf, usesHash } from '../config/mapping-options.ts';
import { readSalt } from '../config/privacy-salt.ts';
import type { FusionAuthEvent } from '../fusionauth/event.ts';
import { createMapper, MappingFailure } from '../mapping/map.ts';
import type { MappingNote } from '../mapping/map.ts';
import { findDiscard } from '../segment/checks.ts';
import type { Discard } from '../segment/discard-reasons.ts';
import { findOversize } from '../segment/limits.ts';
import type { Message } from '../segment/message.ts';
import { CommandError } from './report.ts';

/** What becomes of one event. */
export interface Mapped {
  readonly messages: readonly Message[];
  readonly failures: readonly Pick<MappingFailure, 'reason' | 'detail'>[];
  readonly notes: readonly MappingNote[];
}

/** The messages as they would go to a destination; without one as they are for all of them. */
export function mapOnce(event: FusionAuthEvent, config: Config, destination?: DestinationConfig): Mapped {
  const kept = config.privacySalt ?? readSalt(config.dataDirectory);
  const notes: MappingNote[] = [];
  // Looking makes no salt.
  if (kept === undefined && usesHash(config)) {
    notes.push({ by: 'privacy', note: 'there is no salt yet: these hashes are not those of the bridge' });
  }
  const made = [
    ...createMapper(mappingOptionsOf(config, kept ?? 'no salt yet', destination)).map(event, (note) =>
      notes.push(note),
    ),
  ];
  return {
    messages: made.filter((one) => !(one instanceof MappingFailure)),
    failures: made
      .filter((one) => one instanceof MappingFailure)
      .map(({ reason, detail }) => ({ reason, detail })),
    notes,
  };
}

/** One that is off for want of a key as well. Throws CommandError where there is none of this name. */
export function findDestination(name: string | undefined, config: Config): DestinationConfig | undefined {
  if (name === undefined) return undefined;
  const all = [...config.destinations, ...config.destinationsOff];
  const found = all.find((destination) => destination.name === name);
  if (found) return found;
  throw new CommandError(`There is no destination "${name}"`, {
    hint: `There are ${all.map((destination) => destination.name).join(', ') || 'none'}`,
  });
}

/** Why Segment would drop a message, whatever destination it is meant for. */
export function discardOf(message: Message): Discard | undefined {
  return findDiscard(message) ?? findOversize(Buffer.byteLength(JSON.stringify(message)));
}
