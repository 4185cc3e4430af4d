// How FusionAuth sends an event: to every webhook for which all three switches are on, signed, once; and what the
// tenant's transaction level makes of the answers.

import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import { entryOf } from '../../../src/fusionauth/catalogue.ts';
import { signatureHeader } from '../../../src/fusionauth/signature.ts';
import { signWithKey, signWithSecret } from '../fusionauth.ts';
import type { Json, Key, Tenant, TransactionType, Webhook } from './model.ts';

export interface Attempt {
  readonly id: string;
  readonly webhookId: string;
  readonly attemptResult: 'Success' | 'Failure';
  readonly startInstant: number;
  readonly endInstant: number;
  readonly webhookCallResponse: {
    readonly url: string;
    readonly statusCode?: number;
    readonly exception?: string;
  };
}

/** An entry of the webhook event log. */
export interface LoggedEvent {
  readonly id: string;
  readonly sequence: number;
  readonly eventType: string;
  readonly event: { readonly event: Json };
  readonly insertInstant: number;
  readonly attempts: Attempt[];
  eventResult: 'Running' | 'Succeeded' | 'Failed';
}

/** How many further tries a receiver gets that failed where the level was met all the same. */
const retries = 3;

/** The webhooks that get an event of this type and tenant. */
export function receiversOf(
  type: string,
  tenant: Tenant | undefined,
  webhooks: Iterable<Webhook>,
): readonly Webhook[] {
  const isInstance = entryOf(type)?.scope === 'instance';
  if (!isInstance && tenant?.eventConfiguration.events[type]?.enabled !== true) return [];
  return [...webhooks].filter(
    ({ eventsEnabled, global, tenantIds = [] }) =>
      eventsEnabled[type] === true && (isInstance || global || tenantIds.includes(tenant?.id ?? '')),
  );
}

/**
 * Sends it to all, and resolves to whether the level is met. `note` is told of each attempt. Where the level is met, who
 * failed is tried again, and that is waited for as well.
 */
export async function sendToAll(
  event: Json,
  level: TransactionType,
  receivers: readonly Webhook[],
  keys: ReadonlyMap<string, Key>,
  note: (attempt: Attempt) => void,
): Promise<boolean> {
  const body = JSON.stringify({ event });
  const send = async (webhook: Webhook) => {
    const attempt = await attemptOf(body, webhook, keys);
    note(attempt);
    return attempt.attemptResult === 'Success';
  };
  const taken = await Promise.all(receivers.map(send));
  if (!isMet(level, taken.filter(Boolean).length, receivers.length)) return false;
  if (level === 'None') return true;
  const failed = receivers.filter((_, index) => taken[index] !== true);
  await Promise.all(
    failed.map(async (webhook) => {
      for (let retry = 0; retry < retries; retry++) if (await send(webhook)) return;
    }),
  );
  return true;
}

function isMet(level: TransactionType, taken: number, all: number): boolean {
  if (all === 0) return true;
  switch (level) {
    case 'None':
      return true;
    case 'Any':
      return taken > 0;
    case 'SimpleMajority':
      return taken >= all / 2;
    case 'SuperMajority':
      return taken >= (all * 2) / 3;
    case 'AbsoluteMajority':
      return taken === all;
  }
}

async function attemptOf(body: string, webhook: Webhook, keys: ReadonlyMap<string, Key>): Promise<Attempt> {
  const { id: webhookId, url, connectTimeout, readTimeout, headers = {}, signatureConfiguration } = webhook;
  const startInstant = Date.now();
  const end = (
    attemptResult: Attempt['attemptResult'],
    response: { statusCode?: number; exception?: string },
  ) => ({
    id: randomUUID(),
    webhookId,
    attemptResult,
    startInstant,
    endInstant: Date.now(),
    webhookCallResponse: { url, ...response },
  });
  const key =
    signatureConfiguration?.enabled === true
      ? keys.get(signatureConfiguration.signingKeyId ?? '')
      : undefined;
  try {
    const { statusCode, body: answer } = await request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...headers,
        ...(key && { [signatureHeader]: signatureOf(body, key) }),
      },
      body,
      signal: AbortSignal.timeout(connectTimeout + readTimeout),
      headersTimeout: readTimeout,
      bodyTimeout: readTimeout,
    });
    await answer.dump();
    return end(statusCode >= 200 && statusCode < 300 ? 'Success' : 'Failure', { statusCode });
  } catch (error) {
    return end('Failure', { exception: (error as Error).message });
  }
}

function signatureOf(body: string, { secret, pair, algorithm, kid }: Key): string {
  if (pair) return signWithKey(body, pair);
  return signWithSecret(body, secret ?? '', algorithm as 'HS256', { header: { kid } });
}
