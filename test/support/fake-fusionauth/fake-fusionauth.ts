// A stand-in for FusionAuth: the part of its API that the bridge uses, its webhooks, and its faults, for any version from
// 1.30 on. All of it is in memory. Its page, its API for logins and users, and `npm run fake-fusionauth` are for people who
// try the bridge without a FusionAuth.

import { randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { entryOf } from '../../../src/fusionauth/catalogue.ts';
import type { KnownEventType } from '../../../src/fusionauth/catalogue.ts';
import { isAtLeast, sampleEvent } from '../../../src/fusionauth/samples.ts';
import { urlOf } from '../loopback-server.ts';
import { addConfigurationRoutes } from './configuration-routes.ts';
import { newEventSwitches, Refusal } from './model.ts';
import type { ApiKey, Json, Key, Tenant, User, Webhook } from './model.ts';
import { receiversOf, sendToAll } from './sender.ts';
import type { LoggedEvent } from './sender.ts';
import { addUserRoutes } from './user-routes.ts';

export const defaultTenantId = 'd7d09513-a3f5-401c-9685-34ab6c552453';
/** Of FusionAuth's own example, as its page and its users have it. */
export const exampleApplicationId = 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e';
/** May do everything. */
export const superKey = 'the-key-that-may-do-everything';

export interface FakeFusionAuthOptions {
  /** `1.69.0` where nothing is said. */
  readonly version?: string;
  /** A free one where nothing is said. */
  readonly port?: number;
  /** Beside the default one. */
  readonly tenants?: readonly string[];
  /** Further routes. */
  readonly extend?: (server: FastifyInstance, itself: FakeFusionAuth) => void;
}

/** What to do in place of an answer, or after the call was carried out. */
export type ApiFault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'reset' }
  | { readonly kind: 'hang' }
  | { readonly kind: 'done-but-reset' }
  /** No answer: in its place this is done, the call having been carried out or not. */
  | { readonly kind: 'instead'; readonly isDone: boolean; readonly act: () => Promise<void> };

export interface Call {
  readonly method: string;
  readonly path: string;
}

export class FakeFusionAuth implements AsyncDisposable {
  readonly version: string;
  readonly tenants = new Map<string, Tenant>();
  readonly webhooks = new Map<string, Webhook>();
  readonly keys = new Map<string, Key>();
  readonly users = new Map<string, User & { password?: string }>();
  readonly applications = new Map<string, Json>();
  readonly apiKeys = new Map<string, ApiKey>([[superKey, {}]]);
  /** Ids of keys that `/.well-known/jwks.json` leaves out, as something that caches it would. */
  readonly unpublishedKeys = new Set<string>();
  readonly eventLog: LoggedEvent[] = [];
  readonly auditLog: Json[] = [];
  systemConfiguration: Json;
  /** API calls that came, whatever was answered. */
  readonly calls: Call[] = [];
  /** Asked for each call of the API; undefined carries it out. */
  faultFor: (call: Call) => ApiFault | undefined = () => undefined;
  readonly #server: FastifyInstance;
  readonly #sending = new Set<Promise<unknown>>();

  private constructor({ version = '1.69.0', tenants = [] }: FakeFusionAuthOptions) {
    this.version = version;
    this.addTenant(defaultTenantId, 'Default');
    for (const id of tenants) this.addTenant(id, `Tenant ${id}`);
    this.applications.set(exampleApplicationId, {
      id: exampleApplicationId,
      name: 'Example',
      tenantId: defaultTenantId,
    });
    this.systemConfiguration = newSystemConfiguration(version);
    this.#server = this.#createServer();
  }

  static async start(options: FakeFusionAuthOptions = {}): Promise<FakeFusionAuth> {
    const fusionAuth = new FakeFusionAuth(options);
    options.extend?.(fusionAuth.#server, fusionAuth);
    await fusionAuth.#server.listen({ host: '127.0.0.1', port: options.port ?? 0 });
    return fusionAuth;
  }

  /** For FUSIONAUTH_URL. */
  get url(): string {
    return urlOf(this.#server.server);
  }

  addTenant(id: string, name: string): Tenant {
    const tenant: Tenant = { id, name, eventConfiguration: { events: newEventSwitches(this.version) } };
    this.tenants.set(id, tenant);
    return tenant;
  }

  /** Without any event. */
  addUser(user: Omit<User, 'active'> & { readonly id: string; tenantId: string; password?: string }): void {
    this.users.set(user.id, { active: true, ...user });
  }

  /** What setting up changes, for comparisons; nothing that differs from one run to the next. */
  snapshot(): Json {
    const keys = [...this.keys.values()].map(({ id, name, algorithm }) => ({ id, name, algorithm }));
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    return structuredClone({
      webhooks: [...this.webhooks.values()].map(withoutInstants).toSorted(byId),
      keys: keys.toSorted(byId),
      tenants: [...this.tenants.values()].toSorted(byId),
      systemConfiguration: this.systemConfiguration,
    });
  }

  /** Sends an event of this type; resolves to false where the tenant's transaction level forbids to go on. */
  async emit(type: KnownEventType, fields: Json, { tenantId }: { tenantId?: string } = {}): Promise<boolean> {
    const tenant = tenantId === undefined ? undefined : this.tenants.get(tenantId);
    const receivers = receiversOf(type, tenant, this.webhooks.values());
    if (receivers.length === 0) return true;
    const event = this.#eventOf(type, fields, tenantId);
    const logged = this.#log(type, event);
    const level = tenant?.eventConfiguration.events[type]?.transactionType ?? 'None';
    const sending = sendToAll(event, level, receivers, this.keys, (attempt) =>
      logged?.attempts.push(attempt),
    ).then((isMet) => {
      if (logged) logged.eventResult = isMet ? 'Succeeded' : 'Failed';
      return isMet;
    });
    this.#sending.add(sending);
    void sending.finally(() => this.#sending.delete(sending));
    return level === 'None' ? true : sending;
  }

  /** Throws the Refusal that a caller of FusionAuth's API gets where an event's receivers forbid what it is of. */
  async emitOrRefuse(type: KnownEventType, fields: Json, tenantId: string): Promise<void> {
    if (await this.emit(type, fields, { tenantId })) return;
    throw new Refusal(504, {
      fieldErrors: {},
      generalErrors: [
        {
          code: '[WebhookTransactionException]',
          message:
            'One or more webhooks returned an invalid response or were unreachable. Your transaction could not be completed.',
        },
      ],
    });
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled();
    await this.#server.close();
  }

  #eventOf(type: KnownEventType, fields: Json, tenantId: string | undefined): Json {
    const identity = { eventId: randomUUID(), userId: randomUUID(), createInstant: Date.now() };
    const sample = sampleEvent(type, identity, { version: this.version });
    // Of the sample only what every event has: the rest is this event's own.
    const base = entryOf(type)?.scope === 'instance' ? {} : { info: sample['info'], tenantId };
    return { ...base, id: identity.eventId, createInstant: identity.createInstant, type, ...fields };
  }

  #log(eventType: string, event: Json): LoggedEvent | undefined {
    const { enabled } = (this.systemConfiguration['webhookEventLogConfiguration'] ?? {}) as {
      enabled?: boolean;
    };
    if (!isAtLeast(this.version, '1.53') || enabled === false) return undefined;
    const logged: LoggedEvent = {
      id: randomUUID(),
      sequence: this.eventLog.length + 1,
      eventType,
      event: { event },
      insertInstant: Date.now(),
      attempts: [],
      eventResult: 'Running',
    };
    this.eventLog.push(logged);
    return logged;
  }

  #createServer(): FastifyInstance {
    const server = Fastify({ forceCloseConnections: true, bodyLimit: 64 * 1024 * 1024 });
    // FusionAuth's clients send some requests with the type of JSON and no body.
    server.removeContentTypeParser('application/json');
    server.addContentTypeParser(
      ['application/json', 'application/merge-patch+json'],
      { parseAs: 'string' },
      (_request, text, done) => {
        try {
          done(null, text === '' ? undefined : (JSON.parse(text as string) as unknown));
        } catch {
          done(null, undefined);
        }
      },
    );
    server.addHook('preHandler', async (request, reply) => this.#beforeCall(request, reply));
    server.addHook('onSend', async (request, reply, payload) => {
      if (request.insteadOfAnswer) {
        await request.insteadOfAnswer();
        request.raw.socket.destroy();
        reply.hijack();
      }
      return payload;
    });
    server.setErrorHandler(async (error, _request, reply) => {
      if (!(error instanceof Refusal)) return reply.code(500).send({ error: String(error) });
      return error.body === undefined
        ? reply.code(error.status).send()
        : reply.code(error.status).send(error.body);
    });
    server.get('/api/status', () => ({}));
    server.get('/.well-known/jwks.json', () => ({
      keys: [...this.keys.values()].flatMap(({ id, pair, algorithm }) =>
        pair && !this.unpublishedKeys.has(id)
          ? [{ ...pair.publicKey.export({ format: 'jwk' }), kid: pair.kid, alg: algorithm, use: 'sig' }]
          : [],
      ),
    }));
    addConfigurationRoutes(server, this);
    addUserRoutes(server, this);
    return server;
  }

  /** FusionAuth's order: the fault of the network, then the key and its rights, then the call itself. */
  async #beforeCall(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { endpoint } = request.routeOptions.config;
    if (endpoint === undefined) return;
    const call = { method: request.method, path: request.url };
    this.calls.push(call);
    const fault = this.faultFor(call);
    if (fault?.kind === 'status') {
      await reply
        .code(fault.status)
        .headers(fault.headers ?? {})
        .send();
      return;
    }
    if (fault?.kind === 'reset') request.raw.socket.destroy();
    if (fault?.kind === 'hang' || fault?.kind === 'reset') {
      reply.hijack();
      return;
    }
    if (fault?.kind === 'done-but-reset') request.insteadOfAnswer = () => Promise.resolve();
    if (fault?.kind === 'instead') {
      if (fault.isDone) {
        request.insteadOfAnswer = fault.act;
      } else {
        await fault.act();
        request.raw.socket.destroy();
        reply.hijack();
        return;
      }
    }
    const key = this.apiKeys.get(request.headers.authorization ?? '');
    if (key === undefined || !isAllowed(key, endpoint, request.method)) throw new Refusal(401);
  }
}

function withoutInstants(webhook: Webhook): Webhook {
  return { ...webhook, insertInstant: 0, lastUpdateInstant: 0 };
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Of a call of the API that needs a key: the name under which keys are given rights to it. */
    endpoint?: string;
  }
  interface FastifyRequest {
    /** The call is carried out, and then this is done in place of answering. */
    insteadOfAnswer?: () => Promise<void>;
  }
}

/** A key of one tenant has no rights to what belongs to all of them. */
const globalEndpoints = /^\/api\/(?:webhook|key|system)/;

function isAllowed({ permissions, tenantId }: ApiKey, endpoint: string, method: string): boolean {
  if (tenantId !== undefined && globalEndpoints.test(endpoint)) return false;
  return permissions === undefined || permissions[endpoint]?.includes(method) === true;
}

function newSystemConfiguration(version: string): Json {
  return {
    auditLogConfiguration: { delete: { enabled: false } },
    eventLogConfiguration: { numberToRetain: 10_000 },
    ...(isAtLeast(version, '1.53') && {
      webhookEventLogConfiguration: {
        delete: { enabled: true, numberOfDaysToRetain: 30 },
        ...(isAtLeast(version, '1.57') && { enabled: false }),
      },
    }),
  };
}
