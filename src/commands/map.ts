// `map`: what an event becomes, without a bridge.

import type { Config } from '../config/config.ts';
import type { DestinationConfig } from '../config/destinations.ts';
import { mappingOptionsOf } from '../config/mapping-options.ts';
import { readSalt } from '../config/privacy-salt.ts';
import { rowsOf } from '../destinations/warehouse/rows.ts';
import type { Row } from '../destinations/warehouse/rows.ts';
import { entryOf } from '../fusionauth/catalogue.ts';
import type { FusionAuthEvent } from '../fusionauth/event.ts';
import { createMapper } from '../mapping/map.ts';
import type { MappingFailure, MappingNote } from '../mapping/map.ts';
import { findDiscard } from '../segment/checks.ts';
import type { Discard } from '../segment/discard-reasons.ts';
import { findOversize } from '../segment/limits.ts';
import type { JsonMap, Message } from '../segment/message.ts';
import { parseEvent, readInput, sampleBody } from './event-input.ts';
import { CommandError, printJson } from './report.ts';

export interface MapOptions {
  readonly file?: string | undefined;
  readonly sample?: string;
  readonly destination?: string;
  readonly explain?: boolean;
}

/** What becomes of one event. */
export interface Mapped {
  readonly messages: readonly Message[];
  readonly failures: readonly Pick<MappingFailure, 'reason' | 'detail'>[];
  readonly notes: readonly MappingNote[];
}

/**
 * Prints `{ type, known, messages, rows, discards, failures }`, and with --explain `explanation`. Throws CommandError
 * where the input is no event.
 */
export async function map({ file, sample, destination, explain }: MapOptions, config: Config): Promise<void> {
  const event = parseEvent(sample === undefined ? await readInput(file) : sampleBody(sample));
  const { messages, failures, notes } = mapOnce(event, config, findDestination(destination, config));
  const discards = messages.flatMap((message) => {
    const discard = discardOf(message);
    return discard ? [{ messageId: message.messageId, ...discard }] : [];
  });
  const discarded = new Set(messages.filter((message) => findDiscard(message) !== undefined));
  printJson({
    type: event.type,
    known: entryOf(event.type) !== undefined,
    messages,
    rows: messages
      .filter((message) => !discarded.has(message))
      .flatMap((message) => rowsOf(message, event.createInstant ?? 0).map(shownRow)),
    discards,
    failures,
    ...(explain === true
      ? {
          explanation: [
            ...notes.map(({ by, note }) => `${by}: ${note}`),
            ...discards.map(
              ({ messageId, reason, detail }) => `check: ${messageId} is dropped: ${reason}. ${detail}`,
            ),
            ...failures.map(({ reason, detail }) => `${reason}: ${detail}`),
            ...config.destinations.map((each) => `destination: ${explainDestination(event, config, each)}`),
          ],
        }
      : {}),
  });
}

/** The messages as they would go to a destination; without one as they are for all of them. */
export function mapOnce(event: FusionAuthEvent, config: Config, destination?: DestinationConfig): Mapped {
  // Looking makes no salt: where the bridge has made none yet, the hashes shown are not those to come.
  const salt = config.privacySalt ?? readSalt(config.dataDirectory) ?? '';
  const notes: MappingNote[] = [];
  const made = [
    ...createMapper(mappingOptionsOf(config, salt, destination)).map(event, (note) => notes.push(note)),
  ];
  return {
    messages: made.filter((one): one is Message => one.type !== 'failure'),
    failures: made
      .filter((one): one is MappingFailure => one.type === 'failure')
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

function explainDestination(event: FusionAuthEvent, config: Config, destination: DestinationConfig): string {
  const { messages, failures, notes } = mapOnce(event, config, destination);
  const stopped = notes.find(({ by }) => by === 'filter')?.note;
  return `${destination.name}: ${stopped ?? `messages ${messages.length}, failures ${failures.length}`}`;
}

function shownRow({ table, id, cells }: Row): { table: string; id: string; columns: JsonMap } {
  const columns = [...cells].map(([column, { value }]): [string, JsonMap[string]] => [
    column,
    value as JsonMap[string],
  ]);
  return { table, id, columns: Object.fromEntries(columns) };
}
