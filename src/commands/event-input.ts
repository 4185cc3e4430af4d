// How commands are given an event: a file, standard input, or the name of a sample.

import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { entryOf } from '../fusionauth/catalogue.ts';
import type { KnownEventType } from '../fusionauth/catalogue.ts';
import { InvalidEventError, parseWebhookBody } from '../fusionauth/event.ts';
import type { FusionAuthEvent } from '../fusionauth/event.ts';
import { sampleEvent } from '../fusionauth/samples.ts';
import type { SampleOptions } from '../fusionauth/samples.ts';
import { CommandError } from './report.ts';

/** The catalogue's name for a type, given under any of its spellings. Throws CommandError. */
export function requireType(type: string): KnownEventType {
  const entry = entryOf(type);
  if (entry !== undefined) return entry.type as KnownEventType;
  throw new CommandError(`FusionAuth has no event type "${type}"`, {
    hint: '`events` prints them all',
  });
}

/** The body of a webhook with a sample of this type; always the same, so that what is made of it is. */
export function sampleBody(type: string, options?: SampleOptions): string {
  return JSON.stringify({ event: sampleEvent(requireType(type), sampleIdentity, options) });
}

/** What a file holds; standard input where none is named, or `-`. Throws CommandError. */
export async function readInput(file: string | undefined): Promise<string> {
  if (file === undefined || file === '-') return text(process.stdin);
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CommandError(`${file} cannot be read: ${(cause as Error).message}`, {
      hint: 'Name a file, or - for standard input',
      cause,
    });
  });
}

/** As a webhook's body is parsed: its secrets stripped. Throws CommandError. */
export function parseEvent(body: string): FusionAuthEvent {
  try {
    return parseWebhookBody(Buffer.from(body));
  } catch (error) {
    if (!(error instanceof InvalidEventError)) throw error;
    throw new CommandError(error.message, {
      hint: 'Give the body of a FusionAuth webhook: {"event": {…}}',
      cause: error,
    });
  }
}

const sampleIdentity = {
  eventId: '00000000-0000-4000-8000-000000000001',
  userId: '00000000-0000-4000-8000-000000000002',
  createInstant: Date.UTC(2026, 0, 1),
};
