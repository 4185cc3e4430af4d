// The HTTP API of a running bridge, as the commands use it.

import { request } from 'undici';
import { bridgeUrl } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { CommandError } from './report.ts';

const timeoutMs = 10_000;

/** Where a bridge is, and how to be let in. */
export interface BridgeAddress {
  readonly url: string;
  readonly adminToken: string | undefined;
}

/** The bridge that `--url` names, or that this configuration starts. */
export function bridgeAddress(url: string | undefined, config: Config): BridgeAddress {
  return { url: url ?? bridgeUrl(config), adminToken: config.adminToken };
}

/** `GET` of a path of the API. Throws CommandError. */
export function readFromBridge(bridge: BridgeAddress, path: string): Promise<unknown> {
  return ask(bridge, path, {});
}

/** `POST` of a document to a path of the API. Throws CommandError. */
export function postToBridge(bridge: BridgeAddress, path: string, document: unknown): Promise<unknown> {
  return ask(bridge, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(document),
  });
}

async function ask(
  { url, adminToken }: BridgeAddress,
  path: string,
  { headers, ...options }: { method?: 'POST'; headers?: Record<string, string>; body?: string },
): Promise<unknown> {
  const answer = await reach(url, () =>
    request(new URL(path, url), {
      ...options,
      headers: {
        ...headers,
        ...(adminToken === undefined ? {} : { authorization: `Bearer ${adminToken}` }),
      },
      signal: AbortSignal.timeout(timeoutMs),
    }),
  );
  const text = await answer.body.text();
  if (answer.statusCode === 200) return JSON.parse(text) as unknown;
  throw new CommandError(messageOf(text) ?? `The bridge at ${url} answered ${answer.statusCode} to ${path}`, {
    hint:
      answer.statusCode === 401 || answer.statusCode === 403
        ? 'Set ADMIN_TOKEN to the one that the bridge was started with'
        : 'See --help, and the bridge’s log lines',
  });
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
    throw new CommandError(`No bridge answers at ${url}`, {
      hint: 'Start it (npm start), or name it: --url, or HOST and PORT as it was started with',
      cause,
    });
  }
}
