// The calls with which FusionAuth is set up and looked at.

import type { FastifyInstance } from 'fastify';
import { isObject } from '../../../src/fusionauth/event.ts';
import { isAtLeast } from '../../../src/fusionauth/samples.ts';
import type { FakeFusionAuth } from './fake-fusionauth.ts';
import {
  checkedWebhook,
  fieldError,
  generatedKey,
  importedKey,
  patched,
  Refusal,
  shownKey,
  unknownField,
  withEventSwitches,
} from './model.ts';
import type { EventSwitch, Json, Key } from './model.ts';
import { signWithKey } from '../fusionauth.ts';

interface WithId {
  Params: { id: string };
  Body: unknown;
}

const bodyOf = (body: unknown, name: string): unknown => (isObject(body) ? body[name] : undefined);

export function addConfigurationRoutes(server: FastifyInstance, fusionAuth: FakeFusionAuth): void {
  const { version, webhooks, tenants, keys } = fusionAuth;
  const since = (needed: string) => {
    if (!isAtLeast(version, needed)) throw new Refusal(404);
  };
  const found = <Value>(all: ReadonlyMap<string, Value>, id: string): Value => {
    const value = all.get(id);
    if (value === undefined) throw new Refusal(404);
    return value;
  };

  server.get('/api/system/version', { config: { endpoint: '/api/system/version' } }, () => ({ version }));

  const webhookApi = { config: { endpoint: '/api/webhook' } };
  server.get('/api/webhook', webhookApi, () => ({ webhooks: [...webhooks.values()] }));
  server.get<WithId>('/api/webhook/:id', webhookApi, ({ params }) => ({
    webhook: found(webhooks, params.id),
  }));
  server.post<WithId>('/api/webhook/:id', webhookApi, ({ params: { id }, body }) => {
    const webhook = checkedWebhook(version, id, bodyOf(body, 'webhook'), { webhooks, tenants, keys });
    if (webhooks.has(id)) {
      throw fieldError('webhookId', 'duplicate', `A Webhook with Id [${id}] already exists.`);
    }
    webhooks.set(id, webhook);
    return { webhook };
  });
  server.put<WithId>('/api/webhook/:id', webhookApi, ({ params: { id }, body }) => {
    found(webhooks, id);
    const webhook = checkedWebhook(version, id, bodyOf(body, 'webhook'), { webhooks, tenants, keys });
    webhooks.set(id, webhook);
    return { webhook };
  });
  server.patch<WithId>('/api/webhook/:id', webhookApi, ({ params: { id }, body, headers }) => {
    const appends = !String(headers['content-type']).startsWith('application/merge-patch+json');
    const webhook = patched(found(webhooks, id), (bodyOf(body, 'webhook') ?? {}) as Json, { appends });
    webhooks.set(id, checkedWebhook(version, id, webhook, { webhooks, tenants, keys }));
    return { webhook };
  });
  server.delete<WithId>('/api/webhook/:id', webhookApi, ({ params }, reply) => {
    found(webhooks, params.id);
    webhooks.delete(params.id);
    return reply.send();
  });

  const keyApi = { config: { endpoint: '/api/key' } };
  const store = (key: Key) => {
    if (keys.has(key.id)) throw fieldError('keyId', 'duplicate', `A Key with Id [${key.id}] already exists.`);
    if ([...keys.values()].some(({ name }) => name === key.name)) {
      throw fieldError('key.name', 'duplicate', `A Key with name [${key.name}] already exists.`);
    }
    keys.set(key.id, key);
    return { key: shownKey(key) };
  };
  server.get('/api/key', keyApi, () => ({ keys: [...keys.values()].map(shownKey) }));
  server.get<WithId>('/api/key/:id', keyApi, ({ params }) => ({ key: shownKey(found(keys, params.id)) }));
  server.post<WithId>(
    '/api/key/generate/:id',
    { config: { endpoint: '/api/key/generate' } },
    ({ params, body }) => store(generatedKey(version, params.id, bodyOf(body, 'key'))),
  );
  server.post<WithId>(
    '/api/key/import/:id',
    { config: { endpoint: '/api/key/import' } },
    ({ params, body }) => store(importedKey(params.id, bodyOf(body, 'key'))),
  );
  server.delete<WithId>('/api/key/:id', keyApi, ({ params: { id } }, reply) => {
    found(keys, id);
    if ([...webhooks.values()].some((webhook) => webhook.signatureConfiguration?.signingKeyId === id)) {
      throw fieldError('keyId', 'inUse', 'The key is in use by a webhook.');
    }
    keys.delete(id);
    return reply.send();
  });

  const tenantApi = { config: { endpoint: '/api/tenant' } };
  server.get('/api/tenant', tenantApi, () => ({ tenants: [...tenants.values()] }));
  server.get<WithId>('/api/tenant/:id', tenantApi, ({ params }) => ({ tenant: found(tenants, params.id) }));
  server.patch<WithId>('/api/tenant/:id', tenantApi, ({ params: { id }, body }) => {
    const tenant = found(tenants, id);
    const patch = bodyOf(body, 'tenant');
    if (!isObject(patch)) throw fieldError('tenant', 'missing', 'You must specify the [tenant] property.');
    const { eventConfiguration, ...rest } = patch as {
      eventConfiguration?: { events?: Record<string, EventSwitch> };
    };
    const old = tenant.eventConfiguration.events;
    const events = withEventSwitches(version, old, eventConfiguration?.events ?? {});
    const webhookIds = bodyOf(body, 'webhookIds') as string[] | undefined;
    if (webhookIds !== undefined && !isAtLeast(version, '1.37')) throw unknownField('webhookIds');
    Object.assign(tenant, patched(tenant, rest, { appends: true }), { eventConfiguration: { events } });
    // Before 1.48 a tenant lost the webhooks that the request did not name.
    if (webhookIds !== undefined || !isAtLeast(version, '1.48')) assign(id, webhookIds ?? []);
    return { tenant };
  });
  const assign = (tenantId: string, webhookIds: readonly string[]) => {
    if (!isAtLeast(version, '1.37')) return;
    for (const webhook of webhooks.values()) {
      if (webhook.global) continue;
      const { tenantIds = [] } = webhook;
      if (!webhookIds.includes(webhook.id)) webhook.tenantIds = tenantIds.filter((id) => id !== tenantId);
      else if (!tenantIds.includes(tenantId)) webhook.tenantIds = [...tenantIds, tenantId];
    }
  };

  const systemApi = { config: { endpoint: '/api/system-configuration' } };
  server.get('/api/system-configuration', systemApi, () => ({
    systemConfiguration: fusionAuth.systemConfiguration,
  }));
  server.patch('/api/system-configuration', systemApi, ({ body }) => {
    const patch = bodyOf(body, 'systemConfiguration');
    if (!isObject(patch)) {
      throw fieldError(
        'systemConfiguration',
        'missing',
        'You must specify the [systemConfiguration] property.',
      );
    }
    if ('webhookEventLogConfiguration' in patch && !isAtLeast(version, '1.53')) {
      throw fieldError(
        'systemConfiguration',
        'invalidJSON',
        'Unexpected property [webhookEventLogConfiguration].',
      );
    }
    fusionAuth.systemConfiguration = patched(fusionAuth.systemConfiguration, patch, { appends: true });
    return { systemConfiguration: fusionAuth.systemConfiguration };
  });

  const eventLogApi = { config: { endpoint: '/api/system/webhook-event-log' } };
  server.post('/api/system/webhook-event-log/search', eventLogApi, ({ body }) => {
    since('1.53');
    const search = (bodyOf(body, 'search') ?? {}) as Partial<
      Record<'start' | 'end' | 'numberOfResults' | 'startRow', number>
    > & { eventType?: string; orderBy?: string };
    const defaultStart = isAtLeast(version, '1.57') ? Date.now() - 3_600_000 : 0;
    const {
      start = defaultStart,
      end = Infinity,
      numberOfResults = 25,
      startRow = 0,
      eventType,
      orderBy = '',
    } = search;
    const matches = fusionAuth.eventLog
      .filter(({ insertInstant }) => insertInstant >= start && insertInstant <= end)
      .filter((logged) => eventType === undefined || logged.eventType === eventType);
    if (!/ASC$/i.test(orderBy)) matches.reverse();
    const webhookEventLogs = matches.slice(startRow, startRow + numberOfResults).map((logged) => ({
      ...logged,
      failedAttempts: logged.attempts.filter(({ attemptResult }) => attemptResult === 'Failure').length,
      successfulAttempts: logged.attempts.filter(({ attemptResult }) => attemptResult === 'Success').length,
    }));
    return { total: matches.length, webhookEventLogs };
  });

  server.post(
    '/api/system/audit-log',
    { config: { endpoint: '/api/system/audit-log' } },
    async ({ body }) => {
      const entry = bodyOf(body, 'auditLog');
      if (
        !isObject(entry) ||
        typeof entry['message'] !== 'string' ||
        typeof entry['insertUser'] !== 'string'
      ) {
        throw fieldError('auditLog.message', 'blank', 'You must specify the [auditLog.message] property.');
      }
      const auditLog = { ...entry, id: fusionAuth.auditLog.length + 1, insertInstant: Date.now() };
      fusionAuth.auditLog.push(auditLog);
      await fusionAuth.emit('audit-log.create', { auditLog });
      return { auditLog };
    },
  );

  server.post('/api/jwt/vend', { config: { endpoint: '/api/jwt/vend' } }, ({ body }) => {
    const { keyId, claims, timeToLiveInSeconds } = (isObject(body) ? body : {}) as {
      keyId?: string;
      claims?: Json;
      timeToLiveInSeconds?: number;
    };
    if (timeToLiveInSeconds === undefined) {
      throw fieldError(
        'timeToLiveInSeconds',
        'missing',
        'You must specify the [timeToLiveInSeconds] property.',
      );
    }
    const pair = keys.get(keyId ?? '')?.pair;
    if (pair === undefined)
      throw fieldError('keyId', 'invalid', 'The [keyId] property is not the id of a signing key.');
    const now = Math.floor(Date.now() / 1000);
    const payload = { exp: now + timeToLiveInSeconds, iat: now, iss: 'acme.com', jti: 'a-jti', ...claims };
    return { token: signWithKey('', pair, { payload }) };
  });
}
