// `dead-letters`: messages that could not be delivered as they were: lists, shows, retries, discards.

import type { Config } from '../config/config.ts';
import { parseExactly } from '../exact-json.ts';
import type { DeadLettersDocument } from '../http/records-api.ts';
import { bridgeAddress, postToBridge, readFromBridge } from './bridge-api.ts';
import { chooses, filterOf } from './record-filter.ts';
import type { FilterOptions } from './record-filter.ts';
import { replay } from './replay.ts';
import { CommandError, formatTable, isoTime, print, printJson, UsageError } from './report.ts';

interface Common {
  readonly destination: string;
  readonly url?: string;
  readonly json?: boolean;
}

export interface ListOptions extends Partial<Common> {
  readonly reason?: string;
  readonly limit?: number;
}

export interface RetryOptions extends Common, FilterOptions {
  readonly dryRun?: boolean;
  readonly rate?: number;
}

export interface DiscardOptions extends Common, FilterOptions {
  readonly because: string;
  /** All of the destination, where nothing else chooses. */
  readonly all?: boolean;
}

/** Counts by reason, and the newest. */
export async function listDeadLetters(options: ListOptions, config: Config): Promise<void> {
  const document = await read(options, config);
  if (options.json === true) printJson(document);
  else print(describe(document));
}

/** With their messages, which hold personal data. */
export async function showDeadLetters(
  { eventId, ...options }: ListOptions & { eventId: string },
  config: Config,
): Promise<void> {
  const { deadLetters } = await read({ ...options, eventId, limit: 1_000 }, config);
  if (deadLetters.length === 0) {
    throw new CommandError(`Event ${eventId} has no dead letter`, {
      hint: 'dead-letters list shows those there are',
    });
  }
  printJson(deadLetters.map(({ message, ...rest }) => ({ ...rest, message: parsed(message) })));
}

/** Maps and sends their records afresh: for when the mapping, or what refused them, was mended. */
export async function retryDeadLetters(options: RetryOptions, config: Config): Promise<void> {
  await replay({ ...options, outcome: 'dead' }, config);
}

/** It cannot be taken back, so nobody discards all by leaving out an option. Throws UsageError. */
export async function discardDeadLetters(
  { destination, because, all = false, url, json, ...options }: DiscardOptions,
  config: Config,
): Promise<void> {
  if (chooses(options) === all) {
    throw new UsageError(all ? 'All of them, or those that an option chooses?' : 'Which dead letters?', {
      hint: 'Choose by --event, --user, --type, --since, --until or --reason; or say --all',
    });
  }
  const document = { destination, filter: filterOf(options), because };
  const answer = (await postToBridge(bridgeAddress(url, config), '/api/dead-letters/discard', document, {
    isSearch: true,
  })) as { discarded: number };
  if (json === true) printJson(answer);
  else print(`${answer.discarded} records of ${destination} are filtered now: ${because}`);
}

async function read(
  { destination, eventId, reason, limit, url }: ListOptions & { eventId?: string },
  config: Config,
): Promise<DeadLettersDocument> {
  const query = new URLSearchParams();
  if (destination !== undefined) query.set('destination', destination);
  if (eventId !== undefined) query.set('eventId', eventId);
  if (reason !== undefined) query.set('reason', reason);
  if (limit !== undefined) query.set('limit', String(limit));
  return (await readFromBridge(
    bridgeAddress(url, config),
    `/api/dead-letters?${query.toString()}`,
  )) as DeadLettersDocument;
}

function describe({ counts, deadLetters }: DeadLettersDocument): string {
  if (counts.length === 0) return 'There are no dead letters';
  return [
    formatTable([
      ['DESTINATION', 'REASON', 'DEAD LETTERS', 'RECORDS', 'OLDEST', 'NEWEST'],
      ...counts.map(({ consumer, reason, deadLetters: count, records, oldestAt, newestAt }) => [
        consumer,
        reason,
        String(count),
        String(records),
        isoTime(oldestAt),
        isoTime(newestAt),
      ]),
    ]),
    '',
    formatTable([
      ['EVENT', 'TYPE', 'DESTINATION', 'REASON', 'DETAIL'],
      ...deadLetters.map(({ eventId, type, consumer, reason, detail }) => [
        eventId,
        type,
        consumer,
        reason,
        detail.split('\n', 1)[0] ?? '',
      ]),
    ]),
  ].join('\n');
}

function parsed(message: string): unknown {
  return message === '' ? null : parseExactly(message);
}
