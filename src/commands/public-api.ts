// Segment's Public API, as the configuration names it.

import type { Config } from '../config/config.ts';
import { PublicApi, publicApiEndpoints } from '../segment/public-api.ts';
import type { PublicApiAccess } from '../segment/public-api-calls.ts';
import { version } from '../version.ts';

export type PublicApiConfig = Pick<Config, 'segmentPublicApiToken' | 'segmentPublicApiUrl' | 'segmentRegion'>;

/** To be closed. Undefined without a token. */
export function openPublicApi(
  { segmentPublicApiToken: token, segmentPublicApiUrl: url, segmentRegion: region }: PublicApiConfig,
  limits: Pick<PublicApiAccess, 'timeoutMs' | 'patienceMs'> = {},
): PublicApi | undefined {
  if (token === undefined) return undefined;
  const endpoint = url ?? publicApiEndpoints[region];
  return new PublicApi({ endpoint, token, userAgent: `fusionauth-segment/${version}`, ...limits });
}
