// The part of FusionAuth's API that the bridge uses, by FusionAuth's own client: what it is set up with, and what `doctor`
// looks at. Every method throws FusionAuthApiError where the call failed.

import { FusionAuthClient } from '@fusionauth/typescript-client';
import type { Key, SystemConfiguration, Webhook, WebhookEventLog } from '@fusionauth/typescript-client';
import { FusionAuthApiError, notFusionAuth, refusal, unreachable } from './errors.ts';
import { NoAnswerError, RestClient } from './rest-client.ts';
import type { RestAnswer } from './rest-client.ts';

/** As in JSON, where an enum is its text; and what FusionAuth always sends is there. */
export type FusionAuthWebhook = Omit<Webhook, 'eventsEnabled' | 'id'> & {
  readonly id: string;
  readonly eventsEnabled?: Readonly<Record<string, boolean>>;
};
export type FusionAuthKey = Omit<Key, 'algorithm' | 'type' | 'id'> & {
  readonly id: string;
  readonly algorithm?: string;
  readonly type?: string;
};
/** One event of a tenant; `transactionType` says whether FusionAuth waits for the webhooks' answers. */
export interface EventSwitch {
  readonly enabled?: boolean;
  readonly transactionType?: string;
}
export type EventSwitches = Readonly<Record<string, EventSwitch>>;
export interface FusionAuthTenant {
  readonly id: string;
  readonly name: string;
  readonly events: EventSwitches;
}
export type WebhookEventLogSettings = NonNullable<SystemConfiguration['webhookEventLogConfiguration']>;

export interface FusionAuthApiOptions {
  /** FusionAuth's base URL. */
  readonly url: string;
  readonly apiKey: string;
  readonly userAgent: string;
  readonly timeoutMs?: number;
}

export class FusionAuthApi {
  readonly url: string;
  readonly #client: FusionAuthClient;
  readonly #newRequest: <T, E>() => RestClient<T, E>;

  constructor({ url, apiKey, userAgent, timeoutMs = 10_000 }: FusionAuthApiOptions) {
    this.url = url.replace(/\/+$/, '');
    this.#newRequest = <T, E>() => new RestClient<T, E>(this.url, { timeoutMs, userAgent });
    this.#client = new FusionAuthClient(apiKey, this.url);
    this.#client.clientBuilder = { build: this.#newRequest };
  }

  /** `1.69.0`. */
  async version(): Promise<string> {
    const { version } = await this.#call('GET /api/system/version', (client) => client.retrieveVersion());
    if (version === undefined) throw notFusionAuth(this.url);
    return version;
  }

  /** The `kid`s of the keys that it publishes. Needs no API key. */
  async publicKeyIds(): Promise<readonly string[]> {
    const name = 'GET /.well-known/jwks.json';
    const { keys } = await this.#call(name, (client) => client.retrieveJsonWebKeySet());
    // A page of something on the way may be answered 200 as well.
    if (!Array.isArray(keys)) {
      throw refusal(name, this.url, { statusCode: 200, response: undefined, exception: undefined });
    }
    return keys.flatMap(({ kid }) => kid ?? []);
  }

  async webhooks(): Promise<readonly FusionAuthWebhook[]> {
    const { webhooks } = await this.#list('GET /api/webhook', (client) => client.retrieveWebhooks());
    return (webhooks ?? []) as FusionAuthWebhook[];
  }

  async createWebhook({ id, ...webhook }: FusionAuthWebhook): Promise<void> {
    const request = { webhook: webhook as Webhook };
    await this.#call('POST /api/webhook', (client) => client.createWebhook(id, request));
  }

  /** By PUT, as a whole: FusionAuth's PATCH appends to lists. */
  async replaceWebhook({ id, ...webhook }: FusionAuthWebhook): Promise<void> {
    const request = { webhook: webhook as Webhook };
    await this.#call('PUT /api/webhook', (client) => client.updateWebhook(id, request));
  }

  async deleteWebhook(id: string): Promise<void> {
    await this.#call('DELETE /api/webhook', (client) => client.deleteWebhook(id));
  }

  async keys(): Promise<readonly FusionAuthKey[]> {
    const { keys } = await this.#list('GET /api/key', (client) => client.retrieveKeys());
    return (keys ?? []) as FusionAuthKey[];
  }

  async generateKey(id: string, name: string, algorithm: string): Promise<void> {
    const request = {
      key: { name, algorithm: algorithm as never, ...(algorithm.startsWith('RS') && { length: 2048 }) },
    };
    await this.#call('POST /api/key/generate', (client) => client.generateKey(id, request));
  }

  /** FusionAuth tells nobody the secret of an HMAC key, so one whose secret is to be known is brought along. */
  async importHmacKey(id: string, name: string, secret: string): Promise<void> {
    const request = { key: { name, type: 'HMAC' as never, algorithm: 'HS256' as never, secret } };
    await this.#call('POST /api/key/import', (client) => client.importKey(id, request));
  }

  async deleteKey(id: string): Promise<void> {
    await this.#call('DELETE /api/key', (client) => client.deleteKey(id));
  }

  async tenants(): Promise<readonly FusionAuthTenant[]> {
    const { tenants } = await this.#call('GET /api/tenant', (client) => client.retrieveTenants());
    return (tenants ?? []).map(({ id = '', name = '', eventConfiguration }) => ({
      id,
      name,
      events: eventConfiguration?.events ?? {},
    }));
  }

  /**
   * Changes these events of a tenant, and no others. `webhookIds`: for FusionAuth before 1.48, where a tenant loses each
   * webhook of its own that is not named in this call.
   */
  async changeTenantEvents(id: string, events: EventSwitches, webhookIds?: readonly string[]): Promise<void> {
    const tenant = { eventConfiguration: { events: events as never } };
    const request = { tenant, ...(webhookIds && { webhookIds: [...webhookIds] }) };
    await this.#call('PATCH /api/tenant', (client) => client.patchTenant(id, request));
  }

  /** Undefined where this FusionAuth has no webhook event log (before 1.53). */
  async webhookEventLogSettings(): Promise<WebhookEventLogSettings | undefined> {
    const { systemConfiguration } = await this.#call('GET /api/system-configuration', (client) =>
      client.retrieveSystemConfiguration(),
    );
    return systemConfiguration?.webhookEventLogConfiguration;
  }

  async changeWebhookEventLogSettings(settings: WebhookEventLogSettings): Promise<void> {
    const request = { systemConfiguration: { webhookEventLogConfiguration: settings } };
    await this.#call('PATCH /api/system-configuration', (client) => client.patchSystemConfiguration(request));
  }

  /** The newest entries of the webhook event log since this time (milliseconds since 1970), newest first. */
  async webhookEvents({
    start,
    count,
  }: {
    start: number;
    count: number;
  }): Promise<readonly WebhookEventLog[]> {
    const search = { start, numberOfResults: count, startRow: 0, orderBy: 'sequence DESC' };
    const { webhookEventLogs } = await this.#call('POST /api/system/webhook-event-log', (client) =>
      client.searchWebhookEventLogs({ search }),
    );
    return webhookEventLogs ?? [];
  }

  /** Writes a line into FusionAuth's audit log, of which it sends an event: the one thing that is asked for and harms nothing. */
  async writeAuditLog(message: string): Promise<void> {
    const auditLog = { message, insertUser: 'fusionauth-segment', reason: 'A test of the webhook' };
    await this.#call('POST /api/system/audit-log', (client) => client.createAuditLog({ auditLog }));
  }

  /** A token with these claims, signed by a key of FusionAuth's. */
  async vendToken(keyId: string, claims: Readonly<Record<string, unknown>>): Promise<string> {
    const request = { keyId, claims, timeToLiveInSeconds: 60 };
    const { token } = await this.#call('POST /api/jwt/vend', (client) => client.vendJWT(request));
    return token ?? '';
  }

  /**
   * Whether the key may make this call, found out by one that FusionAuth cannot carry out: it looks at the key's rights
   * first, and answers 401 where they do not suffice.
   */
  async mayCall(method: string, path: string, body?: object): Promise<boolean> {
    const request = this.#newRequest()
      .withUri(path)
      .withMethod(method)
      .withAuthorization(this.#client.apiKey);
    if (body) request.withJSONBody(body);
    try {
      await request.go();
    } catch (error) {
      if (error instanceof NoAnswerError) throw unreachable(this.url, error);
      const { statusCode } = error as RestAnswer;
      if (statusCode >= 500) throw refusal(`${method} ${path}`, this.url, error as RestAnswer);
      return statusCode !== 401;
    }
    return true;
  }

  /** Some versions answer 404 where there is none. */
  async #list<T>(
    name: string,
    ask: (client: FusionAuthClient) => Promise<{ response: T }>,
  ): Promise<Partial<T>> {
    try {
      return await this.#call(name, ask);
    } catch (error) {
      if (error instanceof FusionAuthApiError && error.status === 404) return {};
      throw error;
    }
  }

  async #call<T>(
    name: string,
    ask: (client: FusionAuthClient) => Promise<{ response: T }>,
  ): Promise<Partial<T>> {
    try {
      const { response } = await ask(this.#client);
      return response ?? {};
    } catch (error) {
      if (error instanceof NoAnswerError) throw unreachable(this.url, error);
      throw refusal(name, this.url, error as RestAnswer);
    }
  }
}
