// `show`: one event's whole journey.

import type { Config } from '../config/config.ts';
import type { JourneyDocument } from '../http/records-api.ts';
import { bridgeAddress, readFromBridge } from './bridge-api.ts';
import { isoTime, print, printJson } from './report.ts';

export interface ShowOptions {
  readonly eventId: string;
  readonly url?: string;
  readonly json?: boolean;
  /** With the event's body, which holds personal data. */
  readonly body?: boolean;
}

/** Throws CommandError where the log has no such event. */
export async function show({ eventId, url, json, body }: ShowOptions, config: Config): Promise<void> {
  const path = `/api/events/${encodeURIComponent(eventId)}`;
  const journey = (await readFromBridge(bridgeAddress(url, config), path)) as JourneyDocument;
  if (json === true) printJson(journey);
  else print(describe(journey, body === true));
}

function describe({ event, destinations }: JourneyDocument, withBody: boolean): string {
  const lines = [
    `${event.id}  ${event.type}`,
    `  received  ${isoTime(event.receivedAt)}, position ${event.position}`,
    `  verified  ${event.verifiedBy}`,
    ...(event.tenantId === undefined ? [] : [`  tenant    ${event.tenantId}`]),
  ];
  for (const [name, journey] of Object.entries(destinations)) {
    const { outcome, settledAt, discardedBecause, rules, attempts, deadLetters, fault } = journey;
    lines.push('', `${name}: ${outcome}${settledAt === undefined ? '' : ` at ${isoTime(settledAt)}`}`);
    if (discardedBecause !== undefined) lines.push(`  discarded: ${discardedBecause}`);
    lines.push(...rules.map((rule) => `  ${rule}`));
    lines.push(
      ...attempts.map(
        ({ startedAt, endedAt, count, messages, succeeded, answer }) =>
          `  ${succeeded ? 'sent' : 'failed'} ${isoTime(startedAt)}${count === 1 ? `, ${endedAt - startedAt} ms` : ` to ${isoTime(endedAt)}, ${count} times`}, ${messages} messages: ${answer}`,
      ),
    );
    if (fault) lines.push(`  failing now, ${fault.attempts} times: ${fault.message}. ${fault.hint}`);
    for (const { messageId, reason, detail } of deadLetters) {
      lines.push(`  dead letter ${messageId || '(no message)'}: ${reason}. ${detail}`);
    }
  }
  if (withBody) lines.push('', JSON.stringify(event.body, undefined, 2));
  return lines.join('\n');
}
