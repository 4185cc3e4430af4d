// What `setup` is told where it does not ask: by settings, options, and what stands in FusionAuth already.

import { bridgeUrl, isLoopback } from '../../config/config.ts';
import type { Config } from '../../config/config.ts';
import { FusionAuthApi } from '../../fusionauth/api/fusionauth-api.ts';
import { version } from '../../version.ts';
import { UsageError } from '../report.ts';
import { hostOf } from './address-fault.ts';
import { hmacWanted } from './plan.ts';
import type { HmacWanted } from './plan.ts';
import { demandRights } from './rights.ts';
import { findOwnWebhook } from './state.ts';

export interface Answers {
  readonly fusionAuthUrl: string;
  readonly apiKey: string;
  /** At which FusionAuth reaches the bridge. */
  readonly webhookUrl: string;
  /** Empty: as it is, or all. */
  readonly tenantIds: readonly string[];
  /** An HMAC key in place of a key pair. */
  readonly hmac: HmacWanted | undefined;
  /** An HMAC key that somebody chose is left: the bridge has a secret to verify by. */
  readonly keepsHmac: boolean;
  readonly withEventLog: boolean;
  /** Whether the API key is to be kept in `.env`, for `doctor`. */
  readonly keepsApiKey: boolean;
  /** Undefined: nobody has named one. */
  readonly segmentWriteKey: string | undefined;
}

export interface GivenAnswers {
  readonly webhookUrl?: string;
  readonly tenant?: readonly string[];
  readonly hmac?: boolean;
  readonly eventLog?: boolean;
}

/** Throws UsageError where something is missing, CommandError where the key lacks a right, and FusionAuthApiError. */
export async function answersOf(options: GivenAnswers, config: Config): Promise<Answers> {
  const { url: fusionAuthUrl, apiKey } = demandFusionAuth(config);
  const withEventLog = options.eventLog !== false;
  const api = connect(fusionAuthUrl, apiKey);
  // Before anything is read, so that a key that lacks rights is told of all of them.
  await demandRights(api, { withEventLog, withHmac: options.hmac === true });
  return {
    fusionAuthUrl,
    apiKey,
    webhookUrl: options.webhookUrl ?? (await defaultWebhookUrl(api, config)),
    tenantIds: options.tenant ?? [],
    hmac: options.hmac === true ? hmacWanted(config.webhookSecrets[0]) : undefined,
    keepsHmac: config.webhookSecrets.length > 0,
    withEventLog,
    keepsApiKey: false,
    segmentWriteKey: writeKeyOf(config),
  };
}

export function connect(url: string, apiKey: string): FusionAuthApi {
  return new FusionAuthApi({ url, apiKey, userAgent: `fusionauth-segment/${version}` });
}

/** Throws UsageError. */
export function demandFusionAuth({ fusionAuthUrl, fusionAuthApiKey }: Config): {
  url: string;
  apiKey: string;
} {
  if (fusionAuthUrl !== undefined && fusionAuthApiKey !== undefined) {
    return { url: fusionAuthUrl, apiKey: fusionAuthApiKey };
  }
  throw new UsageError('setup needs to know FusionAuth, and an API key of it', {
    hint: 'Set FUSIONAUTH_URL and FUSIONAUTH_API_KEY (Settings → API Keys there), or run it in a terminal, where it asks',
  });
}

/** Of the destination `segment`. */
export function writeKeyOf({ destinations }: Pick<Config, 'destinations'>): string | undefined {
  const segment = destinations.find(({ kind, name }) => kind === 'segment' && name === 'segment');
  return segment?.kind === 'segment' ? segment.writeKey : undefined;
}

/** Where the webhook posts to already, or this machine, where FusionAuth is on it as well. Throws UsageError. */
async function defaultWebhookUrl(api: FusionAuthApi, config: Config): Promise<string> {
  const { url } = findOwnWebhook(await api.webhooks(), undefined) ?? {};
  if (url !== undefined) return url;
  const hostname = hostOf(new URL(api.url));
  if (isLoopback(hostname)) return `${bridgeUrl(config)}/webhook`;
  throw new UsageError(`FusionAuth at ${hostname} is to be told where the bridge is`, {
    hint: 'Add --webhook-url with the address at which FusionAuth reaches it, such as https://bridge.example.com/webhook',
  });
}
