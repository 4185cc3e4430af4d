// How FusionAuth is set up now, so far as the bridge's part goes.

import type {
  FusionAuthApi,
  FusionAuthKey,
  FusionAuthTenant,
  FusionAuthWebhook,
  WebhookEventLogSettings,
} from '../../fusionauth/api/fusionauth-api.ts';
import { isAtLeast } from '../../fusionauth/samples.ts';
import { webhookId } from '../../fusionauth/setup-ids.ts';

export interface FusionAuthState {
  readonly url: string;
  readonly version: string;
  readonly webhooks: readonly FusionAuthWebhook[];
  readonly keys: readonly FusionAuthKey[];
  readonly tenants: readonly FusionAuthTenant[];
  /** Undefined where it has no such log, or was not to be looked at. */
  readonly eventLog: WebhookEventLogSettings | undefined;
}

/** What FusionAuth can do from which version on (its release notes). */
export const sinceVersion = {
  tenantWebhooks: '1.37',
  signatures: '1.48',
  /** Before, a change of a tenant took its webhooks away (FusionAuth's issue 2411). */
  keptWebhooks: '1.48',
  eventLog: '1.53',
  eventLogSwitch: '1.57',
} as const;

/** Reads it. Throws FusionAuthApiError. */
export async function readState(
  api: FusionAuthApi,
  { withEventLog = true }: { withEventLog?: boolean } = {},
): Promise<FusionAuthState> {
  const version = await api.version();
  const [webhooks, keys, tenants, eventLog] = await Promise.all([
    api.webhooks(),
    isAtLeast(version, sinceVersion.signatures) ? api.keys() : [],
    api.tenants(),
    withEventLog && isAtLeast(version, sinceVersion.eventLog) ? api.webhookEventLogSettings() : undefined,
  ]);
  return { url: api.url, version, webhooks, keys, tenants, eventLog };
}

/** The bridge's webhook: the one of its fixed id, or one that somebody has made by hand for the same address. */
export function findOwnWebhook(
  webhooks: readonly FusionAuthWebhook[],
  url: string | undefined,
): FusionAuthWebhook | undefined {
  return (
    webhooks.find(({ id }) => id === webhookId) ??
    webhooks.find((webhook) => url !== undefined && isSameUrl(webhook.url, url))
  );
}

/** However they are written: `http://bridge` is `http://bridge:80/`. */
export function isSameUrl(a: string | undefined, b: string): boolean {
  return a !== undefined && (URL.parse(a)?.href ?? a) === (URL.parse(b)?.href ?? b);
}
