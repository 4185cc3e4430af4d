// The HTTP API of a running bridge, as the commands use it.

import type { Readable } from 'node:stream';
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { bridgeUrl } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { parseExactly } from '../exact-json.ts';
import { CommandError, UsageError } from './report.ts';

const timeoutMs = 10_000;
/** For what goes through the whole log: millions of records take minutes. */
const searchTimeoutMs = 15 * 60_000;
/** For an export: a view may take half a minute before it has a row. */
const streamTimeoutMs = 60_000;

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

/** `GET` of an answer of any size. Throws CommandError; a body that breaks off throws while it is read. */
export async function streamFromBridge(bridge: BridgeAddress, path: string): Promise<Readable> {
  const { statusCode, body } = await reach(bridge.url, () =>
    send(bridge, path, { patienceMs: streamTimeoutMs }),
  );
  if (statusCode !== 200) throw refusal(bridge, path, statusCode, await body.text());
  return body;
}

interface Question {
  /** Posted where there is one. */
  readonly document?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** For each wait: for the answer to begin, and between its parts. */
  readonly patienceMs: number;
}

async function ask(bridge: BridgeAddress, path: string, question: Question): Promise<unknown> {
  const { signal, patienceMs } = question;
  const patience = AbortSignal.timeout(patienceMs);
  const { status, text } = await reach(bridge.url, async () => {
    const limited = { ...question, signal: signal ? AbortSignal.any([signal, patience]) : patience };
    const { statusCode, body } = await send(bridge, path, limited);
    return { status: statusCode, text: await body.text() };
  });
  if (status === 200) return parseAnswer(text, bridge.url);
  throw refusal(bridge, path, status, text);
}

function send(
  { url, adminToken }: BridgeAddress,
  path: string,
  { document, signal, patienceMs }: Question,
): Promise<Dispatcher.ResponseData> {
  return request(new URL(path, url), {
    ...(document === undefined ? {} : { method: 'POST', body: JSON.stringify(document) }),
    headers: {
      ...(document === undefined ? {} : { 'content-type': 'application/json' }),
      ...(adminToken === undefined ? {} : { authorization: `Bearer ${adminToken}` }),
    },
    headersTimeout: patienceMs,
    bodyTimeout: patienceMs,
    signal: signal ?? null,
  });
}

function refusal({ url }: BridgeAddress, path: string, status: number, text: string): CommandError {
  const { message = `The bridge at ${url} answered ${status} to ${path}`, hint } = wordsOf(text);
  if (status === 400) return new UsageError(message, { hint: hint ?? 'See --help' });
  if (status === 401 || status === 403) {
    return new CommandError(message, { hint: 'Set ADMIN_TOKEN to the one that the bridge was started with' });
  }
  const Kind = status >= 500 ? BridgeAwayError : CommandError;
  return new Kind(message, { hint: hint ?? 'See --help, and the bridge’s log lines' });
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

function wordsOf(text: string): { message?: string; hint?: string } {
  try {
    const { message, hint } = JSON.parse(text) as { message?: unknown; hint?: unknown };
    return {
      ...(typeof message === 'string' ? { message } : {}),
      ...(typeof hint === 'string' ? { hint } : {}),
    };
  } catch {
    return {};
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
