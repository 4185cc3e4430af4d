// The HTTP API of a running bridge, as the commands use it.

import { request } from 'undici';
import type { Config } from '../config/config.ts';
import { CommandError } from './report.ts';

const timeoutMs = 10_000;

/** `GET` of a path of the API. Throws CommandError. */
export async function readFromBridge(url: string, path: string, { adminToken }: Config): Promise<unknown> {
  const answer = await reach(url, () =>
    request(new URL(path, url), {
      headers: adminToken === undefined ? {} : { authorization: `Bearer ${adminToken}` },
      signal: AbortSignal.timeout(timeoutMs),
    }),
  );
  if (answer.statusCode === 200) return answer.body.json();
  await answer.body.dump();
  throw new CommandError(`The bridge at ${url} answered ${answer.statusCode} to ${path}`, {
    hint:
      answer.statusCode === 401 || answer.statusCode === 403
        ? 'Set ADMIN_TOKEN to the one that the bridge was started with'
        : 'See the bridge’s log lines',
  });
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
