// The HTTP API of a running bridge, as the commands use it.

import { request } from 'undici';
import { bridgeUrl } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { parseExactly } from '../exact-json.ts';
import { CommandError, UsageError } from './report.ts';

const timeoutMs = 10_000;
/** For what goes through the whole log: millions of records take minutes. */
const searchTimeoutMs = 15 * 60_000;

/** Where a bridge is, and how to be let in. */
export interface BridgeAddress {
  readonly url: string;
  readonly adminToken: string | undefined;
}

/** No bridge answers, or it cannot at this moment: it may be restarting. */
export class BridgeAwayError extends CommandError {}

/** The bridge that `--url` names, or that this configuration starts. */
export function bridgeAddress(url: string | undefined, config: Config): BridgeAddress {
  return { url: url ?? bridgeUrl(config), adminToken: config.adminToken };
}

/** `GET` of a path of the API. Throws CommandError. */
export function readFromBridge(bridge: BridgeAddress, path: string, signal?: AbortSignal): Promise<unknown> {
  return ask(bridge, path, { signal, patienceMs: timeoutMs });
}

/** `POST` of a document to a path of the API. `isSearch`: the bridge may be at it for minutes. Throws CommandError. */
export function postToBridge(
  bridge: BridgeAddress,
  path: string,
  document: unknown,
  { isSearch = false }: { isSearch?: boolean } = {},
): Promise<unknown> {
  return ask(bridge, path, { document, patienceMs: isSearch ? searchTimeoutMs : timeoutMs });
}

interface Question {
  /** Posted where there is one. */
  readonly document?: unknown;
  readonly signal?: AbortSignal | undefined;
  readonly patienceMs: number;
}

async function ask(bridge: BridgeAddress, path: string, question: Question): Promise<unknown> {
  const { url } = bridge;
  const { status, text } = await reach(url, () => exchange(bridge, path, question));
  if (status === 200) return parseAnswer(text, url);
  const message = messageOf(text) ?? `The bridge at ${url} answered ${status} to ${path}`;
  if (status === 400) throw new UsageError(message, { hint: 'See --help' });
  if (status === 401 || status === 403) {
    throw new CommandError(message, { hint: 'Set ADMIN_TOKEN to the one that the bridge was started with' });
  }
  const Kind = status >= 500 ? BridgeAwayError : CommandError;
  throw new Kind(message, { hint: 'See --help, and the bridge’s log lines' });
}

async function exchange(
  { url, adminToken }: BridgeAddress,
  path: string,
  { document, signal, patienceMs }: Question,
): Promise<{ status: number; text: string }> {
  const patience = AbortSignal.timeout(patienceMs);
  const { statusCode, body } = await request(new URL(path, url), {
    ...(document === undefined ? {} : { method: 'POST', body: JSON.stringify(document) }),
    headers: {
      ...(document === undefined ? {} : { 'content-type': 'application/json' }),
      ...(adminToken === undefined ? {} : { authorization: `Bearer ${adminToken}` }),
    },
    headersTimeout: patienceMs,
    bodyTimeout: patienceMs,
    signal: signal ? AbortSignal.any([signal, patience]) : patience,
  });
  return { status: statusCode, text: await body.text() };
}

/** Numbers keep their digits, for who prints them. */
function parseAnswer(text: string, url: string): unknown {
  try {
    return parseExactly(text);
  } catch (cause) {
    throw new CommandError(`What answers at ${url} is no bridge: it sent no JSON`, {
      hint: 'Name the bridge: --url, or HOST and PORT as it was started with',
      cause,
    });
  }
}

function messageOf(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Turns "no answer" into words. */
export async function reach<Answer>(url: string, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'TimeoutError') {
      throw new BridgeAwayError(`The bridge at ${url} has not answered in time`, {
        hint: 'It may be at work on it still: see status and its log lines before you ask again',
        cause,
      });
    }
    throw new BridgeAwayError(`No bridge answers at ${url}`, {
      hint: 'Start it (npm start), or name it: --url, or HOST and PORT as it was started with',
      cause,
    });
  }
}
