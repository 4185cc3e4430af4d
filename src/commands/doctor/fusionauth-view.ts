// What the API key lets us read of FusionAuth. Everything is asked for once; what could not be read breaks off only the
// checks that need it.

import type { WebhookEventLog } from '@fusionauth/typescript-client';
import { FusionAuthApiError } from '../../fusionauth/api/errors.ts';
import type {
  FusionAuthApi,
  FusionAuthKey,
  FusionAuthTenant,
  FusionAuthWebhook,
  WebhookEventLogSettings,
} from '../../fusionauth/api/fusionauth-api.ts';
import { isAtLeast } from '../../fusionauth/samples.ts';
import type { Right } from '../setup/rights.ts';
import { sinceVersion } from '../setup/state.ts';
import { skip } from './check.ts';
import type { Check } from './check.ts';

/** What was read. Throws FusionAuthApiError where it could not be. */
export type Reading<Value> = () => Value;

export interface FusionAuthView {
  readonly version: Reading<string>;
  readonly webhooks: Reading<readonly FusionAuthWebhook[]>;
  readonly keys: Reading<readonly FusionAuthKey[]>;
  readonly tenants: Reading<readonly FusionAuthTenant[]>;
  /** Of the webhook event log; undefined where this FusionAuth has none. */
  readonly eventLog: Reading<WebhookEventLogSettings | undefined>;
  /** The newest entries of that log, of the last `eventLogHours`. */
  readonly sentEvents: Reading<readonly WebhookEventLog[]>;
  /** What the key may not do, of all that was asked. */
  readonly missingRights: readonly Right[];
  /** Whether it may do nothing at all. */
  readonly seesNothing: boolean;
}

export const eventLogHours = 24;
/** An entry has the whole event, which of an import is megabytes; so not the log of a busy day. */
const maxSentEvents = 500;

/** `now`: milliseconds since 1970. */
export async function viewFusionAuth(api: FusionAuthApi, now: number): Promise<FusionAuthView> {
  const refused: Right[] = [];
  let asked = 0;
  const read = async <Value>(right: Right, ask: () => Promise<Value>): Promise<Reading<Value>> => {
    asked++;
    try {
      const value = await ask();
      return () => value;
    } catch (error) {
      if (!(error instanceof FusionAuthApiError)) throw error;
      if (error.status === 401) refused.push(right);
      return () => {
        throw error;
      };
    }
  };
  const version = await read({ method: 'GET', endpoint: '/api/system/version' }, () => api.version());
  // Where the version is not to be had, all is asked for.
  const has = (since: string) => isAtLeast(valueOr(version, since), since);
  const start = now - eventLogHours * 3_600_000;
  const [webhooks, tenants, keys, eventLog, sentEvents] = await Promise.all([
    read({ method: 'GET', endpoint: '/api/webhook' }, () => api.webhooks()),
    read({ method: 'GET', endpoint: '/api/tenant' }, () => api.tenants()),
    has(sinceVersion.signatures) ? read({ method: 'GET', endpoint: '/api/key' }, () => api.keys()) : () => [],
    has(sinceVersion.eventLog)
      ? read({ method: 'GET', endpoint: '/api/system-configuration' }, () => api.webhookEventLogSettings())
      : () => undefined,
    has(sinceVersion.eventLog)
      ? read({ method: 'POST', endpoint: '/api/system/webhook-event-log' }, () =>
          api.webhookEvents({ start, count: maxSentEvents }),
        )
      : () => [],
  ]);
  const seesNothing = refused.length === asked;
  return { version, webhooks, tenants, keys, eventLog, sentEvents, missingRights: refused, seesNothing };
}

/** What `look` finds; a skip that says why where it needs what could not be read. */
export function whereSeen(name: string, look: () => readonly Check[]): readonly Check[] {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof FusionAuthApiError)) throw error;
    return [skip(name, error.message, error.hint)];
  }
}

export function valueOr<Value>(reading: Reading<Value>, otherwise: Value): Value {
  try {
    return reading();
  } catch {
    return otherwise;
  }
}
