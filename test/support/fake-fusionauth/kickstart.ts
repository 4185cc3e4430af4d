// FusionAuth's kickstart, as far as the stand-in has what it asks for: keys, then requests in order.

import type { Json } from './model.ts';
import type { FakeFusionAuth } from './fake-fusionauth.ts';

/** What FusionAuth puts in by itself. */
const builtIn = { FUSIONAUTH_APPLICATION_ID: '3c219e58-ed0e-4b18-ad48-f4f92793ae32' };

export interface Kickstart {
  readonly variables?: Readonly<Record<string, string>>;
  readonly apiKeys: readonly { readonly key: string }[];
  readonly requests: readonly KickstartRequest[];
}
export interface KickstartRequest {
  readonly method: string;
  readonly url: string;
  readonly tenantId?: string;
  readonly body: Json;
}

/** With its variables put in for `#{name}`, and the environment for `#{ENV.name}`. Throws where one is nowhere set. */
export function readKickstart(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): Kickstart {
  const { variables = {} } = JSON.parse(text) as Kickstart;
  const known: Readonly<Record<string, string>> = { ...builtIn, ...variables };
  const substitute = (from: string): string =>
    from.replace(/#\{([^}]+)\}/g, (_, name: string) => {
      const value = name.startsWith('ENV.') ? environment[name.slice(4)] : known[name];
      if (value === undefined) throw new Error(`The kickstart's ${name} is nowhere set`);
      return substitute(value);
    });
  return JSON.parse(substitute(text)) as Kickstart;
}

/** Throws where a request is refused; FusionAuth ends its start then. */
export async function applyKickstart(
  fusionAuth: FakeFusionAuth,
  { apiKeys, requests }: Kickstart,
): Promise<void> {
  for (const { key } of apiKeys) fusionAuth.apiKeys.set(key, {});
  const authorization = apiKeys[0]?.key ?? '';
  for (const { method, url, tenantId, body } of requests) {
    const answer = await fetch(`${fusionAuth.url}${url}`, {
      method,
      headers: {
        authorization,
        'content-type': 'application/json',
        ...(tenantId !== undefined && { 'x-fusionauth-tenantid': tenantId }),
      },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${url} was answered ${answer.status}: ${await answer.text()}`);
  }
}
