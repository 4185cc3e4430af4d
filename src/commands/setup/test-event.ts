// A real event on FusionAuth's own way to the bridge: a line is written into FusionAuth's audit log, of which it posts an
// event to its webhooks, signed by it and through its network. The one proof that the webhook's address is right as
// FusionAuth sees it.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FusionAuthApi } from '../../fusionauth/api/fusionauth-api.ts';
import type { DiagnosisDocument } from '../../http/diagnosis.ts';
import type { EventsDocument, JourneyDocument } from '../../http/records-api.ts';
import type { LastRefused } from '../../http/webhook-witness.ts';
import { readFromBridge } from '../bridge-api.ts';
import type { BridgeAddress } from '../bridge-api.ts';
import { testEventType } from './wanted-events.ts';

const pollMs = 100;
const newest = 100;

/** `refused`: one came, and the bridge did not take it; `reason` says why, `hint` what to do. */
export type TestEventResult =
  | { readonly kind: 'arrived'; readonly afterMs: number; readonly verifiedBy: string }
  | ({ readonly kind: 'refused' } & LastRefused)
  | { readonly kind: 'missing' };

/** Throws FusionAuthApiError, and CommandError where the bridge cannot be asked. */
export async function sendTestEvent(
  api: FusionAuthApi,
  bridge: BridgeAddress,
  { patienceMs = 5_000 }: { patienceMs?: number } = {},
): Promise<TestEventResult> {
  const marker = `fusionauth-segment: test ${randomUUID()}`;
  const before = await lastRefused(bridge);
  const startedAt = performance.now();
  await api.writeAuditLog(marker);
  const seen = new Set<string>();
  while (performance.now() - startedAt < patienceMs) {
    const { events } = (await readFromBridge(bridge, `/api/events?limit=${newest}`)) as EventsDocument;
    for (const { id, type } of events) {
      if (type !== testEventType || seen.has(id)) continue;
      seen.add(id);
      const { event } = (await readFromBridge(bridge, `/api/events/${id}`)) as JourneyDocument;
      if (!JSON.stringify(event.body).includes(marker)) continue;
      return {
        kind: 'arrived',
        afterMs: Math.round(performance.now() - startedAt),
        verifiedBy: event.verifiedBy,
      };
    }
    const refused = await lastRefused(bridge);
    if (refused !== undefined && refused.at !== before?.at) {
      return { kind: 'refused', ...refused };
    }
    await sleep(pollMs);
  }
  return { kind: 'missing' };
}

/** What is wrong with a signature is told by one word. */
export function wordsOfRefusal({ status, reason }: LastRefused): string {
  return `the bridge refused it: ${status === 401 ? `signature ${reason}` : reason}`;
}

async function lastRefused(bridge: BridgeAddress): Promise<LastRefused | undefined> {
  const { webhooks } = (await readFromBridge(bridge, '/api/diagnosis')) as DiagnosisDocument;
  return webhooks.lastRefused;
}
