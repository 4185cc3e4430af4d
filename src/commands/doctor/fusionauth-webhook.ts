// FusionAuth's webhook: that it is there, where it posts to, and how long it waits.

import { isLoopback } from '../../config/config.ts';
import type { FusionAuthWebhook } from '../../fusionauth/api/fusionauth-api.ts';
import { webhookId } from '../../fusionauth/setup-ids.ts';
import { findAddressFault } from '../setup/address-fault.ts';
import { fail, listed, ok, warn } from './check.ts';
import type { Check } from './check.ts';

/** Where the bridge takes webhooks (src/http/webhook.ts). */
const paths = ['/', '/webhook'];
/** Shorter than FusionAuth's own: an fsync of a busy disk, or a new connection through a proxy, may take that long. */
const leastTimeouts = { connectTimeout: 500, readTimeout: 1000 } as const;

/** The two ends of the webhook's way. */
export interface Ends {
  readonly fusionAuthUrl: string;
  /** Where the bridge answers us; FusionAuth may know it by another name. */
  readonly bridgeUrl: string;
}

/** Those that post to the bridge, its own first: that of the fixed id, or one at the bridge's port and path. */
export function findWebhooks(
  webhooks: readonly FusionAuthWebhook[],
  { bridgeUrl }: Pick<Ends, 'bridgeUrl'>,
): readonly FusionAuthWebhook[] {
  const own =
    webhooks.find(({ id }) => id === webhookId) ??
    webhooks.find(({ url }) => portOf(url) === portOf(bridgeUrl) && isBridgePath(url));
  if (own === undefined) return [];
  const isSamePlace = ({ url }: FusionAuthWebhook) => placeOf(url) === placeOf(own.url) && isBridgePath(url);
  return [own, ...webhooks.filter((webhook) => webhook !== own && isSamePlace(webhook))];
}

export function checkWebhook(all: readonly FusionAuthWebhook[], ends: Ends): readonly Check[] {
  const name = 'fusionauth.webhook';
  const [own, ...others] = findWebhooks(all, ends);
  if (own === undefined && all.length === 0) {
    return [fail(name, 'FusionAuth has no webhook, so that it sends nothing', 'Run setup, which makes it')];
  }
  if (own === undefined) {
    const places = [...new Set(all.map(({ url }) => placeOf(url) ?? 'no URL'))];
    return [
      fail(
        name,
        `None of FusionAuth’s webhooks is the bridge’s: they post to ${listed(places)}`,
        'Run setup, which makes it; with --webhook-url and the address of one that was made by hand it takes that over',
      ),
    ];
  }
  const faults = [...findUrlFaults(own, ends), ...findDoubles(own, others)];
  return faults.length > 0 ? faults : [ok(name, `It is there, and posts to ${shownUrl(own.url)}`)];
}

function findUrlFaults({ url }: FusionAuthWebhook, { fusionAuthUrl, bridgeUrl }: Ends): readonly Check[] {
  const name = 'fusionauth.webhook';
  const parsed = URL.parse(url ?? '');
  if (parsed === null) {
    return [fail(name, 'Its URL is none', 'Run setup --webhook-url with the address of the bridge')];
  }
  const addressFault = findAddressFault(parsed.href, fusionAuthUrl);
  if (addressFault !== undefined) {
    const fix =
      'Run setup --webhook-url with the address at which FusionAuth reaches the bridge, in Docker such as http://host.docker.internal:3000/webhook';
    return [warn(name, addressFault, fix)];
  }
  const isHere = isLoopback(hostOf(parsed)) && isLoopback(hostOf(new URL(bridgeUrl)));
  if (isHere && portOf(url) !== portOf(bridgeUrl)) {
    const detail = `It posts to ${shownUrl(url)}, and the bridge is at ${bridgeUrl}`;
    return [warn(name, detail, `Run setup --webhook-url ${new URL('/webhook', bridgeUrl).href}`)];
  }
  // A proxy in between may well give the bridge another path.
  if (isBridgePath(url) || parsed.pathname.endsWith('/webhook')) return [];
  const find = portOf(url) === portOf(bridgeUrl) ? fail : warn;
  const detail = `It posts to ${shownUrl(url)}, and the bridge takes webhooks at ${paths.join(' and ')} alone`;
  return [
    find(name, detail, `Run setup --webhook-url ${new URL('/webhook', parsed).href.replace(/\?.*/, '')}`),
  ];
}

function findDoubles(own: FusionAuthWebhook, others: readonly FusionAuthWebhook[]): readonly Check[] {
  if (others.length === 0) return [];
  const ids = others.map(({ id }) => id);
  return [
    warn(
      'fusionauth.webhook',
      `${others.length + 1} webhooks post to ${placeOf(own.url) ?? ''}, so that each event comes ${others.length === 1 ? 'twice' : `${others.length + 1} times`}; the bridge keeps it once`,
      `Delete all but ${own.id} (Settings → Webhooks): ${listed(ids)}`,
    ),
  ];
}

/** Of the webhook's waiting, both in milliseconds; FusionAuth's usual ones are 1000 and 2000. */
export function checkTimeouts(webhook: FusionAuthWebhook): Check {
  const name = 'fusionauth.time-outs';
  const given = (['connectTimeout', 'readTimeout'] as const).map((key) => ({ key, ms: webhook[key] ?? 0 }));
  const words = listed(given.map(({ key, ms }) => `${key} ${ms} ms`));
  const fix = `Settings → Webhooks → ${webhook.id} → Edit: connect timeout 1000 ms, read timeout 2000 ms`;
  const unset = given.filter(({ ms }) => ms <= 0);
  if (unset.length > 0) return fail(name, `There is no ${listed(unset.map(({ key }) => key))}`, fix);
  return given.some(({ key, ms }) => ms < leastTimeouts[key])
    ? warn(name, `FusionAuth gives up before a busy disk has answered: ${words}`, fix)
    : ok(name, words);
}

function isBridgePath(url: string | undefined): boolean {
  return paths.includes(URL.parse(url ?? '')?.pathname ?? '');
}

function portOf(url: string | undefined): number | undefined {
  const parsed = URL.parse(url ?? '');
  return parsed === null ? undefined : Number(parsed.port || (parsed.protocol === 'https:' ? 443 : 80));
}

/** Host and port; every name of one's own machine is the same place. */
function placeOf(url: string | undefined): string | undefined {
  const parsed = URL.parse(url ?? '');
  if (parsed === null) return undefined;
  return `${isLoopback(hostOf(parsed)) ? 'localhost' : parsed.hostname}:${portOf(url)}`;
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Without a password or a query, which may be a secret. */
function shownUrl(url: string | undefined): string {
  const parsed = URL.parse(url ?? '');
  return parsed === null ? 'nowhere' : `${parsed.origin}${parsed.pathname}`;
}
