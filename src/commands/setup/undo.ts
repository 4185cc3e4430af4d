// `setup --undo`: from how FusionAuth is to how `setup` found it. What somebody has changed since then, and `setup` has not,
// stays. In the opposite order of setting up: a key is not removed before the webhook that is signed by it.

import { isDeepStrictEqual } from 'node:util';
import type {
  EventSwitch,
  EventSwitches,
  FusionAuthApi,
  FusionAuthWebhook,
} from '../../fusionauth/api/fusionauth-api.ts';
import { changeTenantEvents } from './plan.ts';
import type { Change } from './plan.ts';
import type { FusionAuthState } from './state.ts';
import type { Found } from './undo-file.ts';

/** A change back; nothing is noted of it. */
export type UndoChange = Omit<Change, 'found'>;

export function planUndo(state: FusionAuthState, found: Found): readonly UndoChange[] {
  return [
    ...undoEventLog(state, found),
    ...Object.entries(found.tenants ?? {}).flatMap(([id, events]) => undoTenant(state, id, events)),
    ...Object.entries(found.webhooks ?? {}).flatMap(([id, old]) => undoWebhook(state, id, old)),
    ...(found.madeKeys ?? []).flatMap((id) => undoKey(state, id, found)),
  ];
}

function undoEventLog({ eventLog }: FusionAuthState, { eventLog: found }: Found): readonly UndoChange[] {
  if (found === undefined || eventLog?.enabled === found.enabled) return [];
  return [
    {
      sign: '~',
      title: 'webhook event log',
      lines: ['- on', '+ off'],
      apply: (api) => api.changeWebhookEventLogSettings(found),
    },
  ];
}

function undoTenant(
  { tenants, version }: FusionAuthState,
  id: string,
  found: Readonly<Record<string, EventSwitch | null>>,
): readonly UndoChange[] {
  const tenant = tenants.find((candidate) => candidate.id === id);
  const on = Object.entries(found).filter(([type, old]) => {
    return tenant?.events[type]?.enabled === true && old?.enabled !== true;
  });
  if (tenant === undefined || on.length === 0) return [];
  const switches: EventSwitches = Object.fromEntries(
    on.map(([type]) => [type, { ...tenant.events[type], enabled: false }]),
  );
  return [
    {
      sign: '~',
      title: `tenant "${tenant.name}" (${id})`,
      lines: [`- ${on.length} events: ${on.map(([type]) => type).join(', ')}`],
      apply: (api) => changeTenantEvents(api, version, id, switches),
    },
  ];
}

function undoWebhook(
  { webhooks, tenants }: FusionAuthState,
  id: string,
  found: FusionAuthWebhook | null,
): readonly UndoChange[] {
  const now = webhooks.find((webhook) => webhook.id === id);
  if (now === undefined) return [];
  if (found === null) {
    return [
      {
        sign: '-',
        title: `webhook ${id}`,
        lines: [`- url: ${now.url ?? ''}`],
        apply: (api) => api.deleteWebhook(id),
      },
    ];
  }
  const restored = restoredWebhook(now, found, tenants);
  if (isDeepStrictEqual(now, restored)) return [];
  const apply = (api: FusionAuthApi) => api.replaceWebhook(restored);
  return [{ sign: '~', title: `webhook ${id}`, lines: ['+ as it was found'], apply }];
}

/** What `setup` changes in a webhook that is there; the rest is whoever's chose it. */
const changedFields = ['url', 'global', 'tenantIds', 'eventsEnabled', 'signatureConfiguration'] as const;

function restoredWebhook(
  now: FusionAuthWebhook,
  found: FusionAuthWebhook,
  tenants: FusionAuthState['tenants'],
): FusionAuthWebhook {
  const isChanged = (name: string) => (changedFields as readonly string[]).includes(name);
  const kept = Object.entries(now).filter(([name]) => !isChanged(name));
  const back = Object.entries(found).filter(([name]) => isChanged(name));
  const restored = Object.fromEntries([...kept, ...back]) as FusionAuthWebhook;
  // FusionAuth refuses a tenant that is gone.
  const tenantIds = found.tenantIds?.filter((id) => tenants.some((tenant) => tenant.id === id));
  return tenantIds === undefined ? restored : { ...restored, tenantIds };
}

/** Another webhook that somebody has signed by it keeps it. */
function undoKey(
  { keys, webhooks }: FusionAuthState,
  id: string,
  { webhooks: undone = {} }: Found,
): readonly UndoChange[] {
  const key = keys.find((candidate) => candidate.id === id);
  const isUsed = webhooks.some(
    (webhook) => !(webhook.id in undone) && webhook.signatureConfiguration?.signingKeyId === id,
  );
  if (key === undefined || isUsed) return [];
  return [{ sign: '-', title: `key "${key.name ?? id}"`, lines: [], apply: (api) => api.deleteKey(id) }];
}
