// Whether an API key has the rights that setting up needs. FusionAuth never tells them, so each is found out by a call that
// it cannot carry out: without the right it answers 401 before it looks at what is asked.

import type { FusionAuthApi } from '../../fusionauth/api/fusionauth-api.ts';
import { isAtLeast } from '../../fusionauth/samples.ts';
import { CommandError } from '../report.ts';
import { sinceVersion } from './state.ts';

export interface Right {
  /** As FusionAuth's page for API keys names it. */
  readonly endpoint: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
}

export interface Purpose {
  readonly version: string;
  readonly undo?: boolean;
  readonly withEventLog?: boolean;
  readonly withHmac?: boolean;
}

/** Nobody has anything of this id. */
const nobody = 'fa5e9000-0000-4000-8000-0000000000ff';

export function neededRights({ version, undo, withEventLog = true, withHmac }: Purpose): readonly Right[] {
  const signs = isAtLeast(version, sinceVersion.signatures);
  const hasEventLog = withEventLog && isAtLeast(version, sinceVersion.eventLog);
  const all: readonly (Right & { readonly isNeeded: boolean })[] = [
    { endpoint: '/api/webhook', method: 'GET', isNeeded: true },
    { endpoint: '/api/webhook', method: 'POST', isNeeded: undo !== true },
    { endpoint: '/api/webhook', method: 'PUT', isNeeded: true },
    { endpoint: '/api/webhook', method: 'DELETE', isNeeded: undo === true },
    { endpoint: '/api/key', method: 'GET', isNeeded: signs },
    { endpoint: '/api/key/generate', method: 'POST', isNeeded: signs && undo !== true && withHmac !== true },
    { endpoint: '/api/key/import', method: 'POST', isNeeded: signs && undo !== true && withHmac === true },
    { endpoint: '/api/key', method: 'DELETE', isNeeded: signs && undo === true },
    { endpoint: '/api/tenant', method: 'GET', isNeeded: true },
    { endpoint: '/api/tenant', method: 'PATCH', isNeeded: true },
    { endpoint: '/api/system-configuration', method: 'GET', isNeeded: hasEventLog },
    { endpoint: '/api/system-configuration', method: 'PATCH', isNeeded: hasEventLog },
  ];
  return all.filter(({ isNeeded }) => isNeeded).map(({ endpoint, method }) => ({ endpoint, method }));
}

export async function findMissingRights(
  api: FusionAuthApi,
  rights: readonly Right[],
): Promise<readonly Right[]> {
  const missing = await Promise.all(
    rights.map(async ({ endpoint, method }) => {
      const path =
        method === 'GET' || endpoint === '/api/system-configuration' ? endpoint : `${endpoint}/${nobody}`;
      return !(await api.mayCall(method, path, method === 'GET' || method === 'DELETE' ? undefined : {}));
    }),
  );
  return rights.filter((_, index) => missing[index]);
}

/** FusionAuth's version. Throws CommandError that lists every right the key lacks for this. */
export async function demandRights(api: FusionAuthApi, purpose: Omit<Purpose, 'version'>): Promise<string> {
  const versionRight: Right = { endpoint: '/api/system/version', method: 'GET' };
  const mayReadVersion = await api.mayCall('GET', '/api/system/version');
  const version = mayReadVersion ? await api.version() : undefined;
  const rights = neededRights({ ...purpose, version: version ?? sinceVersion.eventLog });
  const missing = [...(mayReadVersion ? [] : [versionRight]), ...(await findMissingRights(api, rights))];
  if (version !== undefined && missing.length === 0) return version;
  if (missing.length === rights.length + 1) {
    throw new CommandError(`FusionAuth at ${api.url} lets this API key do nothing that is needed`, {
      hint: `It is wrong, has expired, or belongs to one tenant: make one of no tenant (Settings → API Keys) with ${namesOf(missing)}`,
    });
  }
  // What FusionAuth keeps from a key of one tenant, whatever is ticked.
  const ofAllTenants = rights.filter(({ endpoint }) => !endpoint.startsWith('/api/tenant'));
  const isOfOneTenant = ofAllTenants.every((right) => missing.includes(right));
  throw new CommandError(`The API key lacks the right to ${namesOf(missing)}`, {
    hint: isOfOneTenant
      ? 'It seems to belong to one tenant, and such a key cannot have them: make one of no tenant in FusionAuth (Settings → API Keys)'
      : 'Tick them in FusionAuth: Settings → API Keys → Edit → Endpoints',
  });
}

export function namesOf(rights: readonly Right[]): string {
  return rights.map(({ endpoint, method }) => `${method} ${endpoint}`).join(', ');
}
