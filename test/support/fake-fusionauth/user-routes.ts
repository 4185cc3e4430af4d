// The calls that make events: logins, users, registrations. What they answer is as FusionAuth's, so far as a caller of the
// stand-in may look at it.

import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { isObject } from '../../../src/fusionauth/event.ts';
import { exampleApplicationId, defaultTenantId } from './fake-fusionauth.ts';
import type { FakeFusionAuth } from './fake-fusionauth.ts';
import { fieldError, Refusal } from './model.ts';
import type { Json, User } from './model.ts';

interface Body {
  Body: Record<string, Json | undefined>;
  Params: { id: string };
}

type StoredUser = User & { password?: string };

/** As FusionAuth shows a user: never a password. */
const shown = (user: StoredUser): Json =>
  Object.fromEntries(Object.entries(user).filter(([name]) => name !== 'password'));

export function addUserRoutes(server: FastifyInstance, fusionAuth: FakeFusionAuth): void {
  const { users, applications } = fusionAuth;
  const found = (id: string): StoredUser => {
    const user = users.get(id);
    if (user === undefined) throw new Refusal(404);
    return user;
  };
  const emit = fusionAuth.emitOrRefuse.bind(fusionAuth);

  // FusionAuth takes logins without a key, unless an application asks for one.
  server.post<{ Body: { loginId?: string; password?: string; applicationId?: string } | undefined }>(
    '/api/login',
    async ({ body = {} }) => {
      const { loginId, password, applicationId = exampleApplicationId } = body;
      const user = [...users.values()].find(({ email }) => email !== undefined && email === loginId);
      if (user === undefined) throw new Refusal(404);
      const event = {
        applicationId,
        authenticationType: 'PASSWORD',
        user: shown(user),
        ipAddress: '203.0.113.42',
      };
      if (user.password !== password || !user.active) {
        await emit('user.login.failed', event, user.tenantId);
        throw new Refusal(user.active ? 404 : 423);
      }
      user['lastLoginInstant'] = Date.now();
      await emit('user.login.success', { ...event, user: shown(user) }, user.tenantId);
      return { token: 'a-token-of-the-stand-in', user: shown(user) };
    },
  );

  const applicationApi = { config: { endpoint: '/api/application' } };
  server.get('/api/application', applicationApi, () => ({ applications: [...applications.values()] }));
  server.post<Body>('/api/application/:id', applicationApi, ({ params: { id }, body }) => {
    const application = { id, tenantId: defaultTenantId, ...body['application'] };
    applications.set(id, application);
    return { application };
  });

  const userApi = { config: { endpoint: '/api/user' } };
  const create = async (id: string, body: Json | undefined, tenantId = defaultTenantId) => {
    if (!isObject(body)) throw fieldError('user', 'missing', 'You must specify the [user] property.');
    if (typeof body['email'] !== 'string') {
      throw fieldError(
        'user.email',
        'blank',
        'You must specify either the [user.email] or [user.username] property.',
      );
    }
    if ([...users.values()].some(({ email }) => email === body['email'])) {
      throw fieldError('user.email', 'duplicate', `A User with email = [${body['email']}] already exists.`);
    }
    const now = Date.now();
    const user: StoredUser = {
      ...body,
      id,
      tenantId,
      active: true,
      insertInstant: now,
      lastUpdateInstant: now,
    };
    await emit('user.create', { user: shown(user) }, tenantId);
    users.set(id, user);
    await emit('user.create.complete', { user: shown(user) }, tenantId);
    return user;
  };
  server.get<Body>('/api/user/:id', userApi, ({ params }) => ({ user: shown(found(params.id)) }));
  for (const path of ['/api/user', '/api/user/:id']) {
    server.post<Body>(path, userApi, async ({ params, body }) => ({
      user: shown(await create(params.id || randomUUID(), body['user'])),
    }));
  }
  server.patch<Body>('/api/user/:id', userApi, async ({ params, body }) => {
    const original = found(params.id);
    const user: StoredUser = { ...original, ...body['user'], id: original.id, lastUpdateInstant: Date.now() };
    const event = { user: shown(user), original: shown(original) };
    await emit('user.update', event, user.tenantId);
    users.set(user.id, user);
    await emit('user.update.complete', event, user.tenantId);
    return { user: shown(user) };
  });
  server.delete<Body>('/api/user/:id', userApi, async ({ params }, reply) => {
    const user = found(params.id);
    const event = { user: shown(user) };
    await emit('user.delete', event, user.tenantId);
    users.delete(user.id);
    await emit('user.delete.complete', event, user.tenantId);
    return reply.send();
  });

  const registrationApi = { config: { endpoint: '/api/user/registration' } };
  server.post<Body>('/api/user/registration/:id', registrationApi, async ({ params: { id }, body }) => {
    const user = users.get(id) ?? (await create(id, body['user']));
    const registration = { id: randomUUID(), insertInstant: Date.now(), ...body['registration'] };
    const { applicationId } = registration as { applicationId?: string };
    if (applicationId === undefined) {
      throw fieldError('registration.applicationId', 'missing', 'You must specify the application.');
    }
    // FusionAuth leaves the user's registrations out of these events.
    const event = { applicationId, user: shown(user), registration };
    await emit('user.registration.create', event, user.tenantId);
    user['registrations'] = [...((user['registrations'] ?? []) as Json[]), registration];
    await emit('user.registration.create.complete', event, user.tenantId);
    return { user: shown(user), registration };
  });
}
