// `doctor --send`: one signed test event through the whole way, followed to each destination.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { JourneyDocument } from '../../http/records-api.ts';
import { FusionAuthApiError } from '../../fusionauth/api/errors.ts';
import { signatureHeader } from '../../fusionauth/signature.ts';
import { bridgeTestEvent, bridgeTestTraces } from '../../mapping/bridge-test.ts';
import { readFromBridge } from '../bridge-api.ts';
import type { BridgeAddress } from '../bridge-api.ts';
import { fail, failed, ok, skip } from './check.ts';
import type { Check } from './check.ts';

/** The value of `X-FusionAuth-Signature-JWT` for a body; `unsigned` where the bridge asks for none. */
export type Signer = (body: string) => Promise<string | undefined>;

const requestTimeoutMs = 10_000;
/** Delivery takes a second or so; a destination that retries shows that by its own check. */
const patienceMs = 15_000;
const pollMs = 200;

/** `why`: there is nothing here to sign with. `ifRefused`: the mend where the bridge does not know the signature. */
export async function sendTest(
  address: BridgeAddress,
  signer:
    { readonly sign: Signer; readonly ifRefused?: string } | { readonly why: string; readonly fix: string },
  patience = patienceMs,
): Promise<readonly Check[]> {
  const name = 'send';
  if ('why' in signer) return [skip(name, signer.why, signer.fix)];
  const id = randomUUID();
  const body = JSON.stringify({ event: bridgeTestEvent({ id, createInstant: Date.now() }) });
  try {
    const signature = await signer.sign(body);
    const answer = await request(new URL('/webhook', address.url), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(signature === undefined ? {} : { [signatureHeader]: signature }),
      },
      body,
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) {
      return [
        fail(
          name,
          `The bridge answered ${answer.statusCode}: ${messageOf(text)}`,
          answer.statusCode === 401
            ? (signer.ifRefused ?? 'Run it with the settings that the bridge was started with')
            : 'See the bridge’s log lines, which say why',
        ),
      ];
    }
  } catch (error) {
    // A key that may only read is enough for all else, so that this is no fault.
    if (error instanceof FusionAuthApiError && error.status === 401)
      return [skip(name, error.message, error.hint)];
    return [failed(name, error)];
  }
  const { eventName, anonymousId, table } = bridgeTestTraces;
  return [
    ok(
      name,
      `Event ${id} was taken; each Segment source gets a track “${eventName}” of ${anonymousId}, each warehouse a row in ${table} and in tracks`,
    ),
    ...(await follow(address, id, patience)),
  ];
}

async function follow(address: BridgeAddress, id: string, patience: number): Promise<readonly Check[]> {
  const deadline = performance.now() + patience;
  for (;;) {
    const { destinations } = (await readFromBridge(address, `/api/events/${id}`)) as JourneyDocument;
    const all = Object.entries(destinations);
    const isSettled = all.every(([, { outcome }]) => outcome !== 'pending');
    if (isSettled || performance.now() > deadline) {
      return all.map(([destination, { outcome, fault, deadLetters }]) => {
        const name = `${destination}.send`;
        switch (outcome) {
          case 'delivered':
            return ok(name, 'The event arrived');
          case 'pending':
            return fail(
              name,
              `The event has not arrived after ${patience / 1000} s${fault ? `: ${fault.message}` : ''}`,
              fault?.hint ?? 'It is kept, and delivered in its turn: see what is pending',
            );
          case 'filtered':
          case 'dead':
            return fail(
              name,
              `The event became ${outcome}${deadLetters[0] ? `: ${deadLetters[0].reason}` : ''}`,
              `show ${id} tells why`,
            );
        }
      });
    }
    await sleep(pollMs);
  }
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // Falls through: it is no bridge of ours that answers.
  }
  return 'what answers is no bridge';
}
