// The kickstart asks FusionAuth only for what its API has, by the types of FusionAuth's own client, and for all events
// that `setup` asks for.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import ts from 'typescript';
import { parse } from 'yaml';
import { planSetup } from '../../src/commands/setup/plan.ts';
import { readState } from '../../src/commands/setup/state.ts';
import { isKnownTo, wantedEvents } from '../../src/commands/setup/wanted-events.ts';
import { loadConfig } from '../../src/config/config.ts';
import { FusionAuthApi } from '../../src/fusionauth/api/fusionauth-api.ts';
import { signingKeyId, webhookId } from '../../src/fusionauth/setup-ids.ts';
import { FakeFusionAuth } from '../support/fake-fusionauth/fake-fusionauth.ts';
import { applyKickstart, readKickstart } from '../support/fake-fusionauth/kickstart.ts';
import type { Kickstart, KickstartRequest } from '../support/fake-fusionauth/kickstart.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

const text = read('deploy/kickstart/kickstart.json');
const { fusionauth } = (
  parse(read('deploy/compose.yaml'), { merge: true }) as {
    services: { fusionauth: { image: string; environment: Record<string, string> } };
  }
).services;

const kickstart = readKickstart(text, fusionauth.environment);

/** The request's type in FusionAuth's client, by its path. */
const requestTypes: readonly [RegExp, string][] = [
  [/^\/api\/key\/generate\//, 'KeyRequest'],
  [/^\/api\/webhook\//, 'WebhookRequest'],
  [/^\/api\/tenant\//, 'TenantRequest'],
  [/^\/api\/system-configuration$/, 'SystemConfigurationRequest'],
  [/^\/api\/application\//, 'ApplicationRequest'],
  [/^\/api\/user\/registration\//, 'RegistrationRequest'],
];

/** The faults that TypeScript finds in a request whose body stands as a literal beside the type that it must have. */
function findTypeFaults(requests: readonly KickstartRequest[]): string[] {
  const checks = requests.map(({ url, body }) => {
    const type = requestTypes.find(([path]) => path.test(url))?.[1];
    assert.ok(type, `No type is known for ${url}`);
    return `${JSON.stringify(body)} satisfies OnTheWire<client.${type}>;`;
  });
  const source = `
    import type * as client from '@fusionauth/typescript-client';
    // In JSON an enum is its text, and what a record may hold need not be there.
    type OnTheWire<T> = T extends string ? \`\${T}\` : T extends readonly (infer Item)[] ? OnTheWire<Item>[]
      : T extends object ? { [Key in keyof T]?: OnTheWire<T[Key]> } : T;
    ${checks.map((check, index) => `export const body${index} = ${check}`).join('\n')}`;
  const name = new URL('test/deploy/kickstart-bodies.ts', root).pathname;
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    noEmit: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const virtualHost: ts.CompilerHost = {
    ...host,
    readFile: (path) => (path === name ? source : host.readFile(path)),
    fileExists: (path) => path === name || host.fileExists(path),
    getSourceFile: (path, ...rest) =>
      path === name
        ? ts.createSourceFile(path, source, ts.ScriptTarget.ES2024)
        : host.getSourceFile(path, ...rest),
  };
  const program = ts.createProgram([name], options, virtualHost);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

test('each request of the kickstart has the body that FusionAuth’s API asks for', () => {
  assert.deepEqual(findTypeFaults(kickstart.requests), []);
});

test('a body with a field that FusionAuth does not have, or an event that it does not know, would be found', () => {
  const webhook = (fields: object) => ({
    method: 'POST',
    url: `/api/webhook/${webhookId}`,
    body: { webhook: fields },
  });

  assert.match(String(findTypeFaults([webhook({ adress: 'http://bridge' })])), /adress.* does not exist/);
  assert.match(
    String(findTypeFaults([webhook({ eventsEnabled: { 'user.created': true } })])),
    /user\.created.* does not exist/,
  );
});

const [, pinned = ''] = /:(\d+\.\d+\.\d+)$/.exec(fusionauth.image) ?? [];
const wanted = wantedEvents(loadConfig({})).filter((entry) => isKnownTo(pinned, entry));

function bodyOf(path: string): unknown {
  const request = kickstart.requests.find(({ url }) => url.startsWith(path));
  assert.ok(request, path);
  return request.body;
}

test('the webhook gets the events that `setup` asks for, signed, under the ids that it uses', () => {
  const { webhook } = bodyOf(`/api/webhook/${webhookId}`) as { webhook: Record<string, unknown> };

  assert.deepEqual(webhook['eventsEnabled'], Object.fromEntries(wanted.map(({ type }) => [type, true])));
  assert.deepEqual(webhook['signatureConfiguration'], { enabled: true, signingKeyId });
  assert.equal(webhook['global'], true);
  assert.equal(webhook['url'], fusionauth.environment['BRIDGE_WEBHOOK_URL']);
});

test('the tenant sends those of them that it has a switch for, and nobody’s login waits for one', () => {
  const { tenant } = bodyOf(`/api/tenant/${kickstart.variables?.['defaultTenantId']}`) as {
    tenant: { eventConfiguration: { events: object } };
  };

  assert.deepEqual(
    tenant.eventConfiguration.events,
    Object.fromEntries(
      wanted
        .filter(({ scope }) => scope !== 'instance')
        .map(({ type }) => [type, { enabled: true, transactionType: 'None' }]),
    ),
  );
});

test('the key is there before the webhook that it signs, and both before the first user', () => {
  const at = (path: string) => kickstart.requests.findIndex(({ url }) => url.startsWith(path));

  assert.ok(at(`/api/key/generate/${signingKeyId}`) >= 0);
  assert.ok(at(`/api/key/generate/${signingKeyId}`) < at(`/api/webhook/${webhookId}`));
  assert.ok(at(`/api/webhook/${webhookId}`) < at('/api/user/'));
  assert.ok(at('/api/tenant/') < at('/api/user/'));
});

test('FusionAuth’s stand-in takes all of it, and `setup` has nothing left to change there', async () => {
  await using standIn = await FakeFusionAuth.start({ version: pinned });
  await applyKickstart(standIn, kickstart);
  const apiKey = kickstart.apiKeys[0]?.key ?? '';
  const state = await readState(new FusionAuthApi({ url: standIn.url, apiKey, userAgent: 'test' }));

  const webhookUrl = fusionauth.environment['BRIDGE_WEBHOOK_URL'] ?? '';
  const plan = planSetup(state, {
    webhookUrl,
    tenantIds: [],
    hmac: undefined,
    keepsHmac: false,
    events: wanted,
    withEventLog: true,
  });
  assert.deepEqual(plan, []);
  assert.deepEqual(
    [...standIn.users.values()].map(({ email }) => email),
    ['admin@example.com', 'richard@example.com'],
  );
});

test('secrets come from the environment, none stands in the kickstart', () => {
  const { variables = {}, apiKeys } = JSON.parse(text) as Kickstart;

  assert.deepEqual(
    apiKeys.map(({ key }) => key),
    ['#{apiKey}'],
  );
  for (const name of ['apiKey', 'adminPassword']) assert.match(variables[name] ?? '', /^#\{ENV\.\w+\}$/);
  for (const [, password] of text.matchAll(/"password": "([^"]*)"/g))
    assert.equal(password, '#{adminPassword}');
});
