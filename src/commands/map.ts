// `map`: what an event becomes, without a bridge.

import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { InvalidEventError, parseWebhookBody } from '../fusionauth/event.ts';
import { isSampleType, sampleEvent, sampleTypes } from '../fusionauth/samples.ts';
import { mapEvent } from '../mapping/map.ts';
import { findDiscard } from '../segment/limits.ts';
import { version } from '../version.ts';
import { CommandError, printJson } from './report.ts';

/** Prints `{ type, messages, discards }`. Throws CommandError where the input is no event. */
export async function map({ file, sample }: { file?: string | undefined; sample?: string }): Promise<void> {
  const event = parse(await readBody(file, sample));
  const messages = mapEvent(event, { library: { name: 'fusionauth-segment', version } });
  const discards = messages.flatMap((message) => {
    const discard = findDiscard(message, Buffer.byteLength(JSON.stringify(message)));
    return discard ? [{ messageId: message.messageId, ...discard }] : [];
  });
  printJson({ type: event.type, messages, discards });
}

async function readBody(file: string | undefined, sample: string | undefined): Promise<string> {
  if (sample !== undefined) {
    if (isSampleType(sample)) return JSON.stringify(sampleEvent(sample, sampleIdentity));
    throw new CommandError(`There is no sample of "${sample}"`, {
      hint: `There are samples of ${sampleTypes.join(', ')}`,
    });
  }
  if (file === undefined || file === '-') return text(process.stdin);
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CommandError(`${file} cannot be read: ${(cause as Error).message}`, {
      hint: 'Name a file, or - for standard input',
      cause,
    });
  });
}

function parse(body: string) {
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

/** Always the same, so that the output is. */
const sampleIdentity = {
  eventId: '00000000-0000-4000-8000-000000000001',
  userId: '00000000-0000-4000-8000-000000000002',
  createInstant: Date.UTC(2026, 0, 1),
};
