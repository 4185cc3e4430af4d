// Whether FusionAuth can find the bridge at the webhook's address, as far as the two addresses tell.

import { isLoopback } from '../../config/config.ts';

/** An address at which nobody but its own machine finds the bridge, while FusionAuth is on another one. */
export function findAddressFault(webhookUrl: string, fusionAuthUrl: string): string | undefined {
  const [webhook, fusionAuth] = [new URL(webhookUrl), new URL(fusionAuthUrl)];
  return isLoopback(hostOf(webhook)) && !isLoopback(hostOf(fusionAuth))
    ? `FusionAuth at ${fusionAuth.host} does not find the bridge at ${webhook.host}: that is FusionAuth’s own machine`
    : undefined;
}

/** Without the brackets of an IPv6 address. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
