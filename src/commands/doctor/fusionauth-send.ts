// `doctor --send`, FusionAuth's part: its signature for the test event, and an event that it posts itself.

import { hash } from 'node:crypto';
import { FusionAuthApiError } from '../../fusionauth/api/errors.ts';
import { mendOfReason } from '../../http/refusal-mends.ts';
import type { BridgeAddress } from '../bridge-api.ts';
import { sendTestEvent, wordsOfRefusal } from '../setup/test-event.ts';
import { testEventType } from '../setup/wanted-events.ts';
import { fail, failed, ok, skip } from './check.ts';
import type { Check } from './check.ts';
import type { SeenFusionAuth } from './fusionauth.ts';
import type { Signer } from './send.ts';

/** Signs by FusionAuth's own key, which never leaves it; undefined where the webhook has no such key. */
export function fusionAuthSigner({ api, key }: SeenFusionAuth): Signer | undefined {
  if (key === undefined || key.type === 'HMAC') return undefined;
  return (body) => api.vendToken(key.id, { request_body_sha256: hash('sha256', body, 'base64') });
}

/** Has FusionAuth post an event on its own way, signed by it: the proof that it reaches the bridge. */
export async function checkFusionAuthSend(
  { api, webhook }: SeenFusionAuth,
  bridge: BridgeAddress,
  patienceMs?: number,
): Promise<readonly Check[]> {
  const name = 'fusionauth.send';
  if (webhook.eventsEnabled?.[testEventType] !== true) {
    const detail = `The webhook does not take ${testEventType}, the one event that FusionAuth can be asked for`;
    return [skip(name, detail, 'Run setup, which switches it on')];
  }
  try {
    const result = await sendTestEvent(api, bridge, patienceMs === undefined ? {} : { patienceMs });
    const left = 'it leaves a line in FusionAuth’s audit log';
    switch (result.kind) {
      case 'arrived':
        return [
          ok(
            name,
            `FusionAuth posted an event, and the bridge had it after ${result.afterMs} ms (${result.verifiedBy}); ${left}`,
          ),
        ];
      case 'refused':
        return [
          fail(
            name,
            `FusionAuth posted an event, and ${wordsOfRefusal(result)}; ${left}`,
            mendOfReason(result.reason) ?? 'See the bridge’s log lines, which say why',
          ),
        ];
      case 'missing':
        return [
          fail(
            name,
            `FusionAuth was asked for an event, and the bridge did not get it; ${left}`,
            'FusionAuth does not reach the bridge at the webhook’s URL from where it runs: docs/troubleshooting.md, “Test fails, too”',
          ),
        ];
    }
  } catch (error) {
    if (error instanceof FusionAuthApiError) return [skip(name, error.message, error.hint)];
    return [failed(name, error)];
  }
}
