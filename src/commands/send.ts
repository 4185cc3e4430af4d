// `send`: plays FusionAuth's part and posts sample events.

import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import { bridgeUrl } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { eventTypes } from '../fusionauth/catalogue.ts';
import type { KnownEventType } from '../fusionauth/catalogue.ts';
import { sampleEvent } from '../fusionauth/samples.ts';
import { signBody } from '../fusionauth/sign.ts';
import { signatureHeader } from '../fusionauth/signature.ts';
import { reach } from './bridge-api.ts';
import { requireType } from './event-input.ts';
import { CommandError, print, printJson } from './report.ts';

export interface SendOptions {
  readonly types: readonly string[];
  readonly count: number;
  /** The shape of this FusionAuth version. */
  readonly fusionauth?: string;
  readonly url?: string;
  readonly json?: boolean;
}

interface Sent {
  readonly type: KnownEventType;
  readonly id: string;
  readonly httpStatus: number;
  readonly answer: unknown;
}

const timeoutMs = 10_000;

/** Posts them one after the other. Throws CommandError where one is not taken. */
export async function send(
  { types, count, fusionauth, url, json }: SendOptions,
  config: Config,
): Promise<void> {
  const target = webhookUrl(url ?? bridgeUrl(config));
  const chosen = types.length === 0 ? eventTypes : types.map(requireType);
  const sent: Sent[] = [];
  for (let round = 0; round < count; round++) {
    // One person does all of a round, at one time: is created, changed, logs in, is deleted.
    const person = { userId: randomUUID(), createInstant: Date.now() };
    for (const type of chosen) {
      const id = randomUUID();
      const event = sampleEvent(type, { eventId: id, ...person }, { version: fusionauth });
      const result = { type, id, ...(await post(JSON.stringify({ event }), target, config)) };
      if (json === true) sent.push(result);
      else print(`${statusOf(result)}  ${type}  ${result.id}`);
      if (result.httpStatus !== 200) {
        if (json === true) printJson(sent);
        throw refused(result, target);
      }
    }
  }
  if (json === true) printJson(sent);
}

async function post(
  body: string,
  url: string,
  { webhookSecrets }: Config,
): Promise<Pick<Sent, 'httpStatus' | 'answer'>> {
  const [secret] = webhookSecrets;
  const answer = await reach(url, () =>
    request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(secret === undefined ? {} : { [signatureHeader]: signBody(body, secret) }),
      },
      body,
      signal: AbortSignal.timeout(timeoutMs),
    }),
  );
  const text = await answer.body.text();
  return { httpStatus: answer.statusCode, answer: parseOr(text) };
}

/** `POST /` takes webhooks too, so a bare base URL works as it is. */
function webhookUrl(url: string): string {
  if (!URL.canParse(url))
    throw new CommandError(`"${url}" is not a URL`, { hint: 'Give it as http://host:port/webhook' });
  return new URL(url).href;
}

function statusOf({ answer, httpStatus }: Sent): string {
  const { status } = (answer ?? {}) as { status?: unknown };
  return typeof status === 'string' ? status : String(httpStatus);
}

function refused({ httpStatus, answer }: Sent, url: string): CommandError {
  const { message } = (answer ?? {}) as { message?: unknown };
  return new CommandError(
    `${url} answered ${httpStatus}${typeof message === 'string' ? `: ${message}` : ''}`,
    {
      hint:
        httpStatus === 401
          ? 'Set FUSIONAUTH_WEBHOOK_SECRET to the one that the bridge was started with: `send` signs by it'
          : 'See the bridge’s log lines',
    },
  );
}

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
