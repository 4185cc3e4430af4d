// FusionAuth: whether it answers, and what is found in what the API key lets us see of it. A doctor only reads, so a key
// that may read is enough.

import type { Config } from '../../config/config.ts';
import { FusionAuthApi } from '../../fusionauth/api/fusionauth-api.ts';
import type { FusionAuthKey, FusionAuthWebhook } from '../../fusionauth/api/fusionauth-api.ts';
import { version as ownVersion } from '../../version.ts';
import { namesOf } from '../setup/rights.ts';
import { fail, failed, ok, skip, warn } from './check.ts';
import type { Check } from './check.ts';
import { checkDeliveries } from './fusionauth-deliveries.ts';
import { checkEvents, checkTenants, checkTransactions } from './fusionauth-events.ts';
import { checkSignature, signingKeyOf } from './fusionauth-signature.ts';
import { valueOr, viewFusionAuth, whereSeen } from './fusionauth-view.ts';
import type { FusionAuthView } from './fusionauth-view.ts';
import { checkTimeouts, checkWebhook, findWebhooks } from './fusionauth-webhook.ts';
import type { Ends } from './fusionauth-webhook.ts';

/** What `--send` needs of it. */
export interface SeenFusionAuth {
  readonly api: FusionAuthApi;
  /** The one that posts to the bridge. */
  readonly webhook: FusionAuthWebhook;
  /** By which it is signed; undefined where it is not, or where that cannot be seen. */
  readonly key: FusionAuthKey | undefined;
}

const unseen =
  'the webhook, its events, time-outs and signature, the tenants and failed deliveries are not looked at';

/**
 * `bridgeUrl`: where the bridge answers us; `now`: milliseconds since 1970. `seen` is undefined where the bridge's webhook
 * was not found.
 */
export async function checkFusionAuth(
  config: Config,
  { bridgeUrl, now }: { bridgeUrl: string; now: number },
): Promise<{ checks: readonly Check[]; seen: SeenFusionAuth | undefined }> {
  const name = 'fusionauth';
  const { fusionAuthUrl, fusionAuthApiKey } = config;
  if (fusionAuthUrl === undefined) {
    const fix = 'Set FUSIONAUTH_URL, and FUSIONAUTH_API_KEY to an API key of it';
    return { checks: [skip(name, `Without FUSIONAUTH_URL ${unseen}`, fix)], seen: undefined };
  }
  const userAgent = `fusionauth-segment/${ownVersion}`;
  const api = new FusionAuthApi({ url: fusionAuthUrl, apiKey: fusionAuthApiKey ?? '', userAgent });
  let publicKeyIds: readonly string[];
  try {
    publicKeyIds = await api.publicKeyIds();
  } catch (error) {
    return { checks: [failed(name, error)], seen: undefined };
  }
  if (fusionAuthApiKey === undefined) {
    const checks = [
      ok(name, `It answers at ${api.url}`),
      skip(
        'fusionauth.key',
        `Without FUSIONAUTH_API_KEY ${unseen}`,
        'Set it to an API key of no tenant (Settings → API Keys) that has the GET rights docs/operations.md names',
      ),
    ];
    return { checks, seen: undefined };
  }
  const view = await viewFusionAuth(api, now);
  const version = valueOr(view.version, undefined);
  const reached = ok(name, `${version === undefined ? 'It' : `Version ${version}`} answers at ${api.url}`);
  const { checks, webhook } = checkView(view, {
    publicKeyIds,
    config,
    ends: { fusionAuthUrl, bridgeUrl },
    now,
  });
  const seen = webhook && { api, webhook, key: signingKeyOf(webhook, valueOr(view.keys, [])) };
  return { checks: [reached, checkKey(view), ...checks], seen };
}

function checkKey({ missingRights, seesNothing }: FusionAuthView): Check {
  const name = 'fusionauth.key';
  if (seesNothing) {
    return fail(
      name,
      'FusionAuth lets this API key see nothing',
      `FUSIONAUTH_API_KEY is wrong, has expired, or belongs to one tenant: make one of no tenant (Settings → API Keys) with ${namesOf(missingRights)}`,
    );
  }
  return missingRights.length === 0
    ? ok(name, 'It may read all that is looked at')
    : warn(
        name,
        `The API key lacks the right to ${namesOf(missingRights)}`,
        'Tick them in FusionAuth: Settings → API Keys → Edit → Endpoints; without them the checks below that are skipped cannot be made',
      );
}

/** Nothing more where the webhook is not found: all else is about it. */
function checkView(
  view: FusionAuthView,
  { ends, ...known }: { publicKeyIds: readonly string[]; config: Config; ends: Ends; now: number },
): { checks: readonly Check[]; webhook: FusionAuthWebhook | undefined } {
  if (view.seesNothing) return { checks: [], webhook: undefined };
  const all = valueOr(view.webhooks, []);
  const [webhook] = findWebhooks(all, ends);
  const found = whereSeen('fusionauth.webhook', () => checkWebhook(view.webhooks(), ends));
  if (webhook === undefined) return { checks: found, webhook };
  const checks = [
    ...found,
    ...whereSeen('fusionauth.events', () => checkEvents(webhook, view.version(), known.config)),
    ...whereSeen('fusionauth.tenants', () => checkTenants(webhook, view, known.config)),
    ...whereSeen('fusionauth.transactions', () => checkTransactions(webhook, view)),
    checkTimeouts(webhook),
    ...whereSeen('fusionauth.signature', () => checkSignature(webhook, view, known)),
    ...whereSeen('fusionauth.deliveries', () => checkDeliveries(webhook, view, known.now)),
  ];
  return { checks, webhook };
}
