// `map`: what an event becomes, without a bridge.

import type { Config } from '../config/config.ts';
import type { DestinationConfig } from '../config/destinations.ts';
import { rowsOf } from '../destinations/warehouse/rows.ts';
import type { Row } from '../destinations/warehouse/rows.ts';
import { entryOf } from '../fusionauth/catalogue.ts';
import type { FusionAuthEvent } from '../fusionauth/event.ts';
import { findDiscard } from '../segment/checks.ts';
import type { JsonMap } from '../segment/message.ts';
import { parseEvent, readInput, sampleBody } from './event-input.ts';
import { discardOf, findDestination, mapOnce } from './map-event.ts';
import { CommandError, printJson } from './report.ts';

export interface MapOptions {
  readonly file?: string | undefined;
  readonly sample?: string;
  readonly destination?: string;
  readonly explain?: boolean;
}

/**
 * Prints `{ type, known, messages, rows, discards, failures }`, and with --explain `explanation`. Throws CommandError
 * where the input is no event.
 */
export async function map({ file, sample, destination, explain }: MapOptions, config: Config): Promise<void> {
  if (file !== undefined && sample !== undefined) {
    throw new CommandError('A file and --sample are two events', { hint: 'Give one of them' });
  }
  const event = parseEvent(sample === undefined ? await readInput(file) : sampleBody(sample));
  const { messages, failures, notes } = mapOnce(event, config, findDestination(destination, config));
  const discards = messages.flatMap((message) => {
    const discard = discardOf(message);
    return discard ? [{ messageId: message.messageId, ...discard }] : [];
  });
  printJson({
    type: event.type,
    known: entryOf(event.type) !== undefined,
    messages,
    rows: messages
      .filter((message) => findDiscard(message) === undefined)
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
