// What `setup` changes in FusionAuth: from how it is to how it is to be, as a list of changes in the order in which they
// are made. Each is a single call and can be made again after a crash. Nothing is changed that is right already, so a second
// run has an empty plan; nothing that somebody chose is taken back: other events, time-outs, transaction levels, a key.

import { randomBytes } from 'node:crypto';
import type { CatalogueEntry } from '../../fusionauth/catalogue.ts';
import type {
  EventSwitches,
  FusionAuthApi,
  FusionAuthTenant,
  FusionAuthWebhook,
  WebhookEventLogSettings,
} from '../../fusionauth/api/fusionauth-api.ts';
import { isAtLeast } from '../../fusionauth/samples.ts';
import { hmacKeyId, signingKeyId, webhookId } from '../../fusionauth/setup-ids.ts';
import { CommandError } from '../report.ts';
import { findOwnWebhook, isSameUrl, sinceVersion } from './state.ts';
import type { FusionAuthState } from './state.ts';
import type { Found } from './undo-file.ts';
import { isKnownTo } from './wanted-events.ts';

export interface Wanted {
  readonly webhookUrl: string;
  /** Of which the webhook is to be; empty: as it is, or of all where it is new. */
  readonly tenantIds: readonly string[];
  /** An HMAC key in place of a key pair. */
  readonly hmac: HmacWanted | undefined;
  /** The bridge has a secret, so that it can verify by an HMAC key as well: one that somebody chose stays. */
  readonly keepsHmac: boolean;
  readonly events: readonly CatalogueEntry[];
  /** Whether FusionAuth is to keep its webhook event log, which `recover` reads. */
  readonly withEventLog: boolean;
}

export interface HmacWanted {
  readonly secret: string;
  /** It is known to nobody yet. */
  readonly isNew: boolean;
}

/** With the secret that is known, or a new one. */
export function hmacWanted(known: string | undefined): HmacWanted {
  return { secret: known ?? randomBytes(32).toString('base64url'), isNew: known === undefined };
}

export interface Change {
  /** `+` is made, `~` changed, `-` removed. */
  readonly sign: '+' | '~' | '-';
  /** What is changed, in one line; no secret stands in it. */
  readonly title: string;
  /** Each value that changes, a line. */
  readonly lines: readonly string[];
  /** What stands there now, for `--undo`. */
  readonly found: Found;
  readonly apply: (api: FusionAuthApi) => Promise<void>;
}

const keyNames = { pair: 'fusionauth-segment webhook', hmac: 'fusionauth-segment webhook (HMAC)' } as const;
/** FusionAuth's usual ones, milliseconds. */
const timeouts = { connectTimeout: 1000, readTimeout: 2000 } as const;
const retentionDays = 30;

/** Throws CommandError where it cannot be done. */
export function planSetup(state: FusionAuthState, wanted: Wanted): readonly Change[] {
  refuseUnknownTenants(state, wanted.tenantIds);
  const key = planKey(state, wanted);
  const { webhook, change } = planWebhook(state, wanted, key?.id);
  return [
    ...(key?.change ? [key.change] : []),
    ...(change ? [change] : []),
    ...tenantsOf(state, webhook).flatMap((tenant) => planTenant(state, tenant, wanted.events)),
    ...(wanted.withEventLog ? planEventLog(state.eventLog) : []),
  ];
}

/** The tenants whose events such a webhook gets. */
export function tenantsOf(
  { tenants }: Pick<FusionAuthState, 'tenants'>,
  { global, tenantIds = [] }: Pick<FusionAuthWebhook, 'global' | 'tenantIds'>,
): readonly FusionAuthTenant[] {
  return global === true ? tenants : tenants.filter(({ id }) => tenantIds.includes(id));
}

function refuseUnknownTenants({ tenants, version }: FusionAuthState, wanted: readonly string[]): void {
  const unknown = wanted.find((id) => !tenants.some((tenant) => tenant.id === id));
  if (unknown !== undefined) {
    const known = tenants.map(({ id, name }) => `${id} (${name})`).join(', ');
    throw new CommandError(`FusionAuth has no tenant ${unknown}`, { hint: `It has ${known}` });
  }
  if (wanted.length > 0 && !isAtLeast(version, sinceVersion.tenantWebhooks)) {
    throw new CommandError(`FusionAuth ${version} has no webhooks of single tenants`, {
      hint: `Leave --tenant away, or update FusionAuth to ${sinceVersion.tenantWebhooks} or newer`,
    });
  }
}

/** The key that signs, and its making; undefined where this FusionAuth does not sign. */
function planKey(
  { version, keys, webhooks }: FusionAuthState,
  { hmac, keepsHmac, webhookUrl }: Wanted,
): { id: string; change: Change | undefined } | undefined {
  if (!isAtLeast(version, sinceVersion.signatures)) {
    if (hmac === undefined) return undefined;
    throw new CommandError(`FusionAuth ${version} does not sign webhooks`, {
      hint: `Leave --hmac away, or update FusionAuth to ${sinceVersion.signatures} or newer`,
    });
  }
  const chosen = findOwnWebhook(webhooks, webhookUrl)?.signatureConfiguration;
  const chosenKey = chosen?.enabled === true ? keys.find(({ id }) => id === chosen.signingKeyId) : undefined;
  const isHmac = hmac !== undefined;
  // Whichever somebody has chosen will do where the bridge can verify by it. Where an HMAC key is asked for, it is ours: of
  // no other can anybody tell whether it has this secret.
  const isVerifiable = chosenKey !== undefined && (chosenKey.type !== 'HMAC' || keepsHmac);
  if (isVerifiable && !isHmac) return { id: chosenKey.id, change: undefined };
  const name = isHmac ? keyNames.hmac : keyNames.pair;
  const id = isHmac ? hmacKeyId : signingKeyId;
  const existing = keys.find((key) => key.id === id || key.name === name);
  if (existing && hmac?.isNew === true) {
    throw new CommandError(`FusionAuth has the key "${name}" already, and tells nobody its secret`, {
      hint: 'Set FUSIONAUTH_WEBHOOK_SECRET to its secret; or remove webhook and key (setup --undo), and set up anew',
    });
  }
  if (existing) return { id: existing.id, change: undefined };
  const algorithm = isHmac ? 'HS256' : 'ES256';
  return {
    id,
    change: {
      sign: '+',
      title: `key "${name}"`,
      lines: [
        `+ ${algorithm}, ${isHmac ? 'with the secret in FUSIONAUTH_WEBHOOK_SECRET' : 'which never leaves FusionAuth'}`,
      ],
      found: { madeKeys: [id] },
      apply: (api) =>
        hmac ? api.importHmacKey(id, name, hmac.secret) : api.generateKey(id, name, algorithm),
    },
  };
}

function planWebhook(
  state: FusionAuthState,
  { webhookUrl, tenantIds, events }: Wanted,
  keyId: string | undefined,
): { webhook: FusionAuthWebhook; change: Change | undefined } {
  const { version, webhooks, tenants } = state;
  const old = findOwnWebhook(webhooks, webhookUrl);
  const types = events.filter((entry) => isKnownTo(version, entry)).map(({ type }) => type);
  const scope =
    tenantIds.length > 0
      ? { global: false, tenantIds: [...new Set([...(old?.tenantIds ?? []), ...tenantIds])] }
      : old
        ? {}
        : { global: true };
  const webhook: FusionAuthWebhook = {
    description: 'fusionauth-segment',
    ...timeouts,
    ...old,
    ...scope,
    id: old?.id ?? webhookId,
    url: old?.url !== undefined && isSameUrl(old.url, webhookUrl) ? old.url : webhookUrl,
    eventsEnabled: { ...old?.eventsEnabled, ...Object.fromEntries(types.map((type) => [type, true])) },
    ...(keyId !== undefined && { signatureConfiguration: { enabled: true, signingKeyId: keyId } }),
  };
  const lines = [
    ...difference('url', old?.url, webhook.url),
    ...difference('tenants', old && scopeOf(old, tenants), scopeOf(webhook, tenants)),
    ...difference('signed by key', old && signedBy(old), signedBy(webhook)),
    ...(old
      ? []
      : [`+ time-outs: ${timeouts.connectTimeout} ms to connect, ${timeouts.readTimeout} ms to be answered`]),
    ...listed(
      'events',
      types.filter((type) => old?.eventsEnabled?.[type] !== true),
    ),
  ];
  if (old && lines.length === 0) return { webhook: old, change: undefined };
  const change: Change = {
    sign: old ? '~' : '+',
    title: `webhook ${webhook.id}${old && old.id !== webhookId ? ' (made by hand for the same address)' : ''}`,
    lines,
    found: { webhooks: { [webhook.id]: old ?? null } },
    apply: (api) => (old ? api.replaceWebhook(webhook) : api.createWebhook(webhook)),
  };
  return { webhook, change };
}

/** Switches on what is off, and leaves alone whether FusionAuth waits for the answers. */
function planTenant(
  { version }: FusionAuthState,
  { id, name, events }: FusionAuthTenant,
  wanted: readonly CatalogueEntry[],
): readonly Change[] {
  const switchable = wanted.filter((entry) => entry.scope !== 'instance' && isKnownTo(version, entry));
  const off = switchable.filter(({ type }) => events[type]?.enabled !== true);
  const isAll = off.length === switchable.length;
  if (off.length === 0) return [];
  const found = Object.fromEntries(off.map(({ type }) => [type, events[type] ?? null]));
  const switches = Object.fromEntries(
    off.map(({ type }) => [
      type,
      { enabled: true, transactionType: events[type]?.transactionType ?? 'None' },
    ]),
  );
  return [
    {
      sign: '~',
      title: `tenant "${name}" (${id})`,
      lines: isAll
        ? [`+ ${off.length} events: all of the webhook’s that a tenant has a switch for`]
        : listed(
            'events',
            off.map(({ type }) => type),
          ),
      found: { tenants: { [id]: found } },
      apply: (api) => changeTenantEvents(api, version, id, switches),
    },
  ];
}

/** From 1.37 to 1.47 a change of a tenant takes its webhooks away, but for those that the request names. */
export async function changeTenantEvents(
  api: FusionAuthApi,
  version: string,
  tenantId: string,
  switches: EventSwitches,
): Promise<void> {
  const losesWebhooks =
    isAtLeast(version, sinceVersion.tenantWebhooks) && !isAtLeast(version, sinceVersion.keptWebhooks);
  if (!losesWebhooks) return api.changeTenantEvents(tenantId, switches);
  const webhooks = await api.webhooks();
  const ofTenant = webhooks.filter(
    ({ global, tenantIds = [] }) => global !== true && tenantIds.includes(tenantId),
  );
  return api.changeTenantEvents(
    tenantId,
    switches,
    ofTenant.map(({ id }) => id),
  );
}

/** Off by default since 1.57; before, nobody could switch it off. */
function planEventLog(settings: WebhookEventLogSettings | undefined): readonly Change[] {
  if (settings?.enabled !== false) return [];
  const { enabled: isDeleted, numberOfDaysToRetain: days } = settings.delete ?? {};
  const kept = settings.delete ?? { enabled: true, numberOfDaysToRetain: retentionDays };
  return [
    {
      sign: '~',
      title: 'webhook event log, which recover reads',
      lines: ['- off', `+ on, kept ${isDeleted === false ? 'for ever' : `${days ?? retentionDays} days`}`],
      found: { eventLog: settings },
      apply: (api) => api.changeWebhookEventLogSettings({ enabled: true, delete: kept }),
    },
  ];
}

function difference(name: string, old: string | undefined, now: string | undefined): readonly string[] {
  if (old === now) return [];
  return [
    ...(old === undefined ? [] : [`- ${name}: ${old}`]),
    ...(now === undefined ? [] : [`+ ${name}: ${now}`]),
  ];
}

function scopeOf(
  { global, tenantIds = [] }: Pick<FusionAuthWebhook, 'global' | 'tenantIds'>,
  tenants: readonly FusionAuthTenant[],
): string {
  if (global === true) return 'all';
  return tenantIds.map((id) => tenants.find((tenant) => tenant.id === id)?.name ?? id).join(', ') || 'none';
}

function signedBy({ signatureConfiguration }: FusionAuthWebhook): string | undefined {
  return signatureConfiguration?.enabled === true ? signatureConfiguration.signingKeyId : undefined;
}

function listed(name: string, types: readonly string[]): readonly string[] {
  return types.length === 0 ? [] : [`+ ${types.length} ${name}: ${types.join(', ')}`];
}
