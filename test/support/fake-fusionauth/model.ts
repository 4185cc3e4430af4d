// What the stand-in for FusionAuth keeps, and how FusionAuth itself checks and changes it. By its API documents and domain
// model; what differs between versions is decided here.

import { randomUUID } from 'node:crypto';
import { catalogue, entryOf } from '../../../src/fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../../../src/fusionauth/catalogue.ts';
import { isObject } from '../../../src/fusionauth/event.ts';
import { isAtLeast } from '../../../src/fusionauth/samples.ts';
import { makeKey } from '../fusionauth.ts';
import type { PublicKeyAlgorithm, SigningKey } from '../fusionauth.ts';

export type Json = Record<string, unknown>;

export const transactionTypes = [
  'None',
  'Any',
  'SimpleMajority',
  'SuperMajority',
  'AbsoluteMajority',
] as const;
export type TransactionType = (typeof transactionTypes)[number];

export interface Webhook extends Json {
  readonly id: string;
  url: string;
  connectTimeout: number;
  readTimeout: number;
  global: boolean;
  tenantIds?: string[];
  eventsEnabled: Record<string, boolean>;
  headers?: Record<string, string>;
  signatureConfiguration?: { enabled: boolean; signingKeyId?: string };
}

export interface EventSwitch {
  enabled: boolean;
  transactionType: TransactionType;
}

export interface Tenant extends Json {
  readonly id: string;
  name: string;
  eventConfiguration: { events: Record<string, EventSwitch> };
}

export interface Key {
  readonly id: string;
  readonly name: string;
  readonly algorithm: string;
  readonly type: 'EC' | 'RSA' | 'OKP' | 'HMAC';
  readonly kid: string;
  readonly insertInstant: number;
  expirationInstant?: number;
  /** Of an HMAC key only; FusionAuth never tells it. */
  readonly secret?: string;
  /** Of every other one. */
  readonly pair?: SigningKey;
}

export interface User extends Json {
  readonly id: string;
  tenantId: string;
  email?: string;
  active: boolean;
}

/** `{}`: everything. */
export interface ApiKey {
  readonly permissions?: Readonly<Record<string, readonly string[]>>;
  readonly tenantId?: string;
}

/** An answer that is not a success, as FusionAuth writes it. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: Json | undefined;

  constructor(status: number, body?: Json) {
    super(`${status}`);
    this.status = status;
    this.body = body;
  }
}

export function fieldError(field: string, code: string, message: string): Refusal {
  return new Refusal(400, {
    fieldErrors: { [field]: [{ code: `[${code}]${field}`, message }] },
    generalErrors: [],
  });
}

export function generalError(status: number, code: string, message: string): Refusal {
  return new Refusal(status, { fieldErrors: {}, generalErrors: [{ code: `[${code}]`, message }] });
}

/** What the JSON parser of FusionAuth says of a field that this version does not have. */
export function unknownField(name: string): Refusal {
  return generalError(400, 'invalidJSON', `Invalid JSON in the request body. The property was [${name}].`);
}

/** Types that this version has, `test` left out. */
export function entriesOf(version: string): readonly CatalogueEntry[] {
  return (catalogue as readonly CatalogueEntry[]).filter(({ type }) => knowsType(version, type));
}

function knowsType(version: string, type: string): boolean {
  const entry = entryOf(type);
  if (entry === undefined || type === 'test') return false;
  return entry.since === 'early' || isAtLeast(version, entry.since);
}

function refuseUnknownTypes(version: string, field: string, types: readonly string[]): void {
  for (const type of types) {
    if (!knowsType(version, type)) {
      throw generalError(
        400,
        'invalidJSON',
        `Invalid JSON in the request body. ${field} has no key [${type}].`,
      );
    }
  }
}

/** All off, as a new tenant has them. */
export function newEventSwitches(version: string): Record<string, EventSwitch> {
  return Object.fromEntries(
    entriesOf(version)
      .filter(({ scope }) => scope !== 'instance')
      .map(({ type }) => [type, { enabled: false, transactionType: 'None' as const }]),
  );
}

/** FusionAuth's PATCH with `application/json`: objects are merged, **arrays appended**, null deletes. */
export function patched(old: Json, patch: Json, { appends }: { appends: boolean }): Json {
  const result = { ...old };
  for (const [name, value] of Object.entries(patch)) {
    const before = result[name];
    if (value === null) Reflect.deleteProperty(result, name);
    else if (isObject(value) && isObject(before)) result[name] = patched(before, value, { appends });
    else if (appends && Array.isArray(value) && Array.isArray(before))
      result[name] = (before as unknown[]).concat(value);
    else result[name] = value;
  }
  return result;
}

/** A webhook of this request. Throws the Refusal with which FusionAuth answers what it does not take. */
export function checkedWebhook(
  version: string,
  id: string,
  body: unknown,
  known: {
    readonly webhooks: ReadonlyMap<string, Webhook>;
    readonly tenants: ReadonlyMap<string, Tenant>;
    readonly keys: ReadonlyMap<string, Key>;
  },
): Webhook {
  if (!isObject(body)) throw fieldError('webhook', 'missing', 'You must specify the [webhook] property.');
  const { url, connectTimeout, readTimeout, tenantIds, eventsEnabled = {}, signatureConfiguration } = body;
  if (signatureConfiguration !== undefined && !isAtLeast(version, '1.48'))
    throw unknownField('signatureConfiguration');
  if (tenantIds !== undefined && !isAtLeast(version, '1.37')) throw unknownField('tenantIds');
  if (typeof url !== 'string' || url === '') {
    throw fieldError('webhook.url', 'blank', 'You must specify the [webhook.url] property.');
  }
  if (url.length > 191) throw fieldError('webhook.url', 'tooLong', 'The [webhook.url] property is too long.');
  for (const [name, value] of Object.entries({ connectTimeout, readTimeout })) {
    if (typeof value !== 'number' || value <= 0) {
      throw fieldError(`webhook.${name}`, 'missing', `You must specify the [webhook.${name}] property.`);
    }
  }
  refuseUnknownTypes(version, 'webhook.eventsEnabled', Object.keys(eventsEnabled as object));
  for (const tenantId of (tenantIds ?? []) as string[]) {
    if (!known.tenants.has(tenantId)) {
      throw fieldError('webhook.tenantIds', 'invalid', 'One or more of the tenants do not exist.');
    }
  }
  const { enabled = false, signingKeyId } = (signatureConfiguration ?? {}) as {
    enabled?: boolean;
    signingKeyId?: string;
  };
  if (enabled && (signingKeyId === undefined || !known.keys.has(signingKeyId))) {
    const field = 'webhook.signatureConfiguration.signingKeyId';
    throw fieldError(field, 'invalid', `The [${field}] property is not the id of a key.`);
  }
  const lastUpdateInstant = Date.now();
  const insertInstant = known.webhooks.get(id)?.['insertInstant'] ?? lastUpdateInstant;
  const own = { id, global: body['global'] === true, eventsEnabled, insertInstant, lastUpdateInstant };
  return { ...body, ...own } as unknown as Webhook;
}

/** With these switches changed; others stay. What is no choice of a tenant's is dropped or put right in silence. */
export function withEventSwitches(
  version: string,
  old: Readonly<Record<string, EventSwitch>>,
  changes: Readonly<Record<string, Partial<EventSwitch>>>,
): Record<string, EventSwitch> {
  refuseUnknownTypes(version, 'tenant.eventConfiguration.events', Object.keys(changes));
  const result = { ...old };
  for (const [type, change] of Object.entries(changes)) {
    const { scope, transactional } = entryOf(type) as CatalogueEntry;
    if (scope === 'instance') continue;
    const { enabled, transactionType } = {
      enabled: false,
      transactionType: 'None' as const,
      ...old[type],
      ...change,
    };
    if (!transactionTypes.includes(transactionType)) throw unknownField('transactionType');
    result[type] = { enabled, transactionType: transactional ? transactionType : 'None' };
  }
  return result;
}

/** A key pair as the Key Master makes one. An HMAC key is made as well, but nobody is ever told its secret. */
export function generatedKey(version: string, id: string, body: unknown): Key {
  const { name, algorithm, length } = keyRequest(body);
  const type = typeOf(algorithm);
  if (type === undefined || (type === 'OKP' && !isAtLeast(version, '1.62'))) throw unknownField('algorithm');
  if (type === 'RSA' && ![2048, 3072, 4096].includes(Number(length))) {
    throw fieldError('key.length', 'invalid', 'The [key.length] property must be 2048, 3072 or 4096.');
  }
  const kid = randomUUID().replaceAll('-', '').slice(0, 20);
  const key = { id, name, algorithm, type, kid, insertInstant: Date.now() };
  if (type === 'HMAC') return { ...key, secret: randomUUID() };
  return { ...key, pair: makeKey(algorithm as PublicKeyAlgorithm, kid) };
}

export function importedKey(id: string, body: unknown): Key {
  const { name, algorithm, secret, type } = keyRequest(body);
  if (type !== 'HMAC' || typeOf(algorithm) !== 'HMAC') {
    throw fieldError('key.type', 'invalid', 'The stand-in imports HMAC keys only.');
  }
  if (typeof secret !== 'string' || secret === '') {
    throw fieldError('key.secret', 'blank', 'You must specify the [key.secret] property.');
  }
  return { id, name, algorithm, type, kid: id.slice(0, 8), insertInstant: Date.now(), secret };
}

function keyRequest(body: unknown): Json & { readonly name: string; readonly algorithm: string } {
  if (!isObject(body)) throw fieldError('key', 'missing', 'You must specify the [key] property.');
  for (const name of ['name', 'algorithm']) {
    if (typeof body[name] !== 'string' || body[name] === '') {
      throw fieldError(`key.${name}`, 'blank', `You must specify the [key.${name}] property.`);
    }
  }
  return body as Json & { name: string; algorithm: string };
}

function typeOf(algorithm: string): Key['type'] | undefined {
  if (/^HS(256|384|512)$/.test(algorithm)) return 'HMAC';
  if (/^RS(256|384|512)$/.test(algorithm)) return 'RSA';
  if (/^ES(256|384|512)$/.test(algorithm)) return 'EC';
  return algorithm === 'Ed25519' ? 'OKP' : undefined;
}

/** As the API tells of it: neither secret nor private key. */
export function shownKey({ pair, secret, ...key }: Key): Json {
  return {
    ...key,
    hasPrivateKey: pair !== undefined,
    ...(pair && { publicKey: pair.publicKey.export({ format: 'pem', type: 'spki' }) }),
    ...(secret !== undefined && { length: secret.length * 8 }),
  };
}
