// FusionAuth's switches: an event is sent where the webhook takes it, the webhook is of the tenant, and the tenant sends
// it; and the tenant says whether FusionAuth waits for the answer. "Works in Test but not live" is one of them off.

import type { Config } from '../../config/config.ts';
import type { FusionAuthTenant, FusionAuthWebhook } from '../../fusionauth/api/fusionauth-api.ts';
import { isAtLeast } from '../../fusionauth/samples.ts';
import { tenantsOf } from '../setup/plan.ts';
import { sinceVersion } from '../setup/state.ts';
import { isKnownTo, wantedEvents } from '../setup/wanted-events.ts';
import { fail, listed, ok, warn } from './check.ts';
import type { Check } from './check.ts';
import type { FusionAuthView } from './fusionauth-view.ts';

/** Told one by one; more have the same mend. */
const maxTenants = 5;
const maxTypes = 10;

/** The webhook's own switches. */
export function checkEvents(
  { id, eventsEnabled = {} }: FusionAuthWebhook,
  version: string,
  config: Config,
): readonly Check[] {
  const name = 'fusionauth.events';
  const wanted = wantedEvents(config).filter((entry) => isKnownTo(version, entry));
  const off = wanted.map(({ type }) => type).filter((type) => eventsEnabled[type] !== true);
  if (off.length === 0)
    return [ok(name, `The webhook takes all ${wanted.length} that become something here`)];
  const find = off.length === wanted.length ? fail : warn;
  return [
    find(
      name,
      `The webhook does not take ${off.length} of ${wanted.length} events that become something here: ${listed(off, maxTypes)}`,
      `Run setup, which switches them on; or Settings → Webhooks → ${id} → Edit → Events`,
    ),
  ];
}

/** The tenants that the webhook is of, and the switches of each. */
export function checkTenants(
  webhook: FusionAuthWebhook,
  view: FusionAuthView,
  config: Config,
): readonly Check[] {
  const name = 'fusionauth.tenants';
  const version = view.version();
  const covered = coveredTenants(webhook, view);
  if (covered.length === 0) {
    return [
      fail(
        name,
        'The webhook is of no tenant, so that it gets none of their events',
        `Run setup --tenant with the tenant’s id; or Settings → Webhooks → ${webhook.id} → Edit → Tenants → All tenants`,
      ),
    ];
  }
  const wanted = wantedEvents(config)
    .filter((entry) => entry.scope !== 'instance' && isKnownTo(version, entry))
    .map(({ type }) => type);
  const faulty = covered
    .map((tenant) => ({ tenant, off: wanted.filter((type) => tenant.events[type]?.enabled !== true) }))
    .filter(({ off }) => off.length > 0);
  const isAllOff =
    faulty.length === covered.length && faulty.every(({ off }) => off.length === wanted.length);
  const find = isAllOff ? fail : warn;
  const faults = faulty.slice(0, maxTenants).map(({ tenant, off }) => {
    const which =
      off.length === wanted.length
        ? `sends none of the ${wanted.length} events`
        : `does not send ${listed(off, maxTypes)}`;
    return find(
      name,
      `The tenant ${named(tenant)} ${which}; FusionAuth’s Test passes by this switch`,
      `Run setup, which switches them on; or Tenants → ${tenant.name} → Edit → Webhooks → Enabled`,
    );
  });
  if (faulty.length > maxTenants) {
    const rest = `${faulty.length - maxTenants} further tenants do not send all events either`;
    faults.push(find(name, rest, 'Run setup, which switches them on in all tenants of the webhook'));
  }
  if (faults.length > 0) return faults;
  const which = webhook.global === true ? 'all tenants' : listed(covered.map(named));
  return [
    ok(name, `The webhook is of ${which}, which send all ${wanted.length} events that become something here`),
  ];
}

/** Where FusionAuth waits for the bridge. */
export function checkTransactions(webhook: FusionAuthWebhook, view: FusionAuthView): readonly Check[] {
  const name = 'fusionauth.transactions';
  const webhooks = view.webhooks();
  const faults = coveredTenants(webhook, view)
    .map((tenant) => ({ tenant, waits: waitsOf(tenant, webhook, webhooks) }))
    .filter(({ waits }) => waits.length > 0);
  if (faults.length === 0) return [ok(name, 'No user waits for the bridge')];
  const told = faults.slice(0, maxTenants).map(({ tenant, waits }) => {
    const isAlone = waits.some(({ isSole }) => isSole);
    const what = listed(
      waits.map(({ type, level }) => `${type} (${level})`),
      maxTypes,
    );
    return warn(
      name,
      `In the tenant ${named(tenant)} FusionAuth waits for the bridge, and ${isAlone ? 'refuses the user where the bridge, its only receiver, does not answer' : 'may refuse the user where too few receivers answer'}: ${what}`,
      `Tenants → ${tenant.name} → Edit → Webhooks: choose “No webhooks are required to succeed” for them; setup leaves a level that somebody chose`,
    );
  });
  const rest = faults.length - told.length;
  if (rest === 0) return told;
  return [
    ...told,
    warn(
      name,
      `FusionAuth waits for the bridge in ${rest} further tenants`,
      'Choose the same in each of them',
    ),
  ];
}

interface Wait {
  readonly type: string;
  readonly level: string;
  /** Every level refuses where its only receiver fails. */
  readonly isSole: boolean;
}

function waitsOf(
  { id, events }: FusionAuthTenant,
  own: FusionAuthWebhook,
  webhooks: readonly FusionAuthWebhook[],
): readonly Wait[] {
  return Object.entries(events).flatMap(([type, { enabled, transactionType: level = 'None' }]) => {
    if (enabled !== true || level === 'None' || own.eventsEnabled?.[type] !== true) return [];
    const receivers = webhooks.filter(
      ({ global, tenantIds = [], eventsEnabled = {} }) =>
        eventsEnabled[type] === true && (global === true || tenantIds.includes(id)),
    );
    return [{ type, level, isSole: receivers.length <= 1 }];
  });
}

/** Before 1.37 a webhook was of applications, not of tenants. */
function coveredTenants(webhook: FusionAuthWebhook, { version, tenants }: FusionAuthView) {
  const all = tenants();
  return isAtLeast(version(), sinceVersion.tenantWebhooks) ? tenantsOf({ tenants: all }, webhook) : all;
}

function named({ name, id }: FusionAuthTenant): string {
  return `“${name}” (${id})`;
}
