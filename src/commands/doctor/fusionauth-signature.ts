// Whether FusionAuth signs the webhook, by a key that the bridge can verify.

import type { Config } from '../../config/config.ts';
import { requiresSignature } from '../../config/verification.ts';
import type { FusionAuthKey, FusionAuthWebhook } from '../../fusionauth/api/fusionauth-api.ts';
import { isAtLeast } from '../../fusionauth/samples.ts';
import { sinceVersion } from '../setup/state.ts';
import { fail, ok, span, warn } from './check.ts';
import type { Check } from './check.ts';
import type { FusionAuthView } from './fusionauth-view.ts';

const soonMs = 14 * 86_400_000;

/** Undefined where the webhook is not signed, or by none of these. */
export function signingKeyOf(
  { signatureConfiguration }: FusionAuthWebhook,
  keys: readonly FusionAuthKey[],
): FusionAuthKey | undefined {
  const { enabled, signingKeyId } = signatureConfiguration ?? {};
  return enabled === true ? keys.find(({ id }) => id === signingKeyId) : undefined;
}

export function checkSignature(
  webhook: FusionAuthWebhook,
  view: Pick<FusionAuthView, 'version' | 'keys'>,
  known: { readonly publicKeyIds: readonly string[]; readonly config: Config; readonly now: number },
): readonly Check[] {
  const name = 'fusionauth.signature';
  const version = view.version();
  const isDemanded = requiresSignature(known.config);
  const find = isDemanded ? fail : warn;
  if (!isAtLeast(version, sinceVersion.signatures)) {
    return [
      find(
        name,
        `FusionAuth ${version} cannot sign webhooks${isDemanded ? ', and the bridge refuses those that are not signed' : ''}`,
        isDemanded
          ? `Update FusionAuth to ${sinceVersion.signatures} or newer; until then take FUSIONAUTH_WEBHOOK_SECRET away, set FUSIONAUTH_ALLOW_UNSIGNED=true, and let nobody but FusionAuth reach the bridge`
          : `Update FusionAuth to ${sinceVersion.signatures} or newer; until then let nobody but FusionAuth reach the bridge`,
      ),
    ];
  }
  if (webhook.signatureConfiguration?.enabled !== true) {
    const detail = isDemanded
      ? 'FusionAuth does not sign the webhook, and the bridge refuses what is not signed'
      : 'FusionAuth does not sign the webhook: whoever reaches the bridge can post events';
    const fix = `Run setup; or Settings → Webhooks → ${webhook.id} → Edit → Security → Sign events`;
    return [find(name, detail, fix)];
  }
  const key = signingKeyOf(webhook, view.keys());
  if (key === undefined) {
    const fix = `Run setup, which makes one; or choose one: Settings → Webhooks → ${webhook.id} → Edit → Security`;
    return [fail(name, 'The key that is to sign the webhook is not in FusionAuth’s Key Master', fix)];
  }
  return [checkKey(key, webhook, known)];
}

function checkKey(
  { name: keyName, algorithm, kid, type, expirationInstant, hasPrivateKey }: FusionAuthKey,
  { id }: FusionAuthWebhook,
  { publicKeyIds, config, now }: { publicKeyIds: readonly string[]; config: Config; now: number },
): Check {
  const name = 'fusionauth.signature';
  const words = `the key “${keyName ?? ''}” (${algorithm ?? 'of an unknown algorithm'})`;
  const another = `Settings → Key Master: make another, then choose it: Settings → Webhooks → ${id} → Edit → Security`;
  if (expirationInstant !== undefined && expirationInstant <= now) {
    return fail(
      name,
      `FusionAuth signs by ${words}, which expired ${span(now - expirationInstant)} ago`,
      another,
    );
  }
  if (type === 'HMAC') {
    if (config.webhookSecrets.length === 0) {
      return fail(
        name,
        `FusionAuth signs by ${words}, and the bridge does not know its secret`,
        'Set FUSIONAUTH_WEBHOOK_SECRET to the secret of that key; or choose a key pair there, which needs none',
      );
    }
  } else if (hasPrivateKey === false) {
    return fail(name, `FusionAuth cannot sign by ${words}: it has no private key of it`, another);
  } else if (kid === undefined || !publicKeyIds.includes(kid)) {
    return fail(
      name,
      `FusionAuth signs by ${words}, which is not among the keys at /.well-known/jwks.json, so that the bridge refuses it`,
      'Let FUSIONAUTH_URL name FusionAuth itself, not something in between that keeps an old copy; or run setup with another key',
    );
  }
  if (expirationInstant !== undefined && expirationInstant - now < soonMs) {
    return warn(
      name,
      `FusionAuth signs by ${words}, which expires in ${span(expirationInstant - now)}`,
      another,
    );
  }
  return ok(name, `FusionAuth signs by ${words}`);
}
