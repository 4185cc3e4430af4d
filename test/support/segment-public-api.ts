// A stand-in for Segment's Public API. It behaves as Segment's reference and the models of its client say: envelope,
// pages, roles, media types, spans of the delivery overview. What a fault's `type` is called and what an unknown media
// type is answered with is not told anywhere, and made up here.

import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback, urlOf } from './loopback-server.ts';

export interface StandInSource {
  readonly id: string;
  slug: string;
  name: string;
  enabled: boolean;
  writeKeys: string[];
  readonly metadata: { id: string; name: string; categories: string[] };
}

export interface StandInWarehouse {
  readonly id: string;
  enabled: boolean;
  readonly metadata: { id: string; name: string };
  readonly settings: Record<string, unknown>;
}

/** Messages of one source in one hour. */
export interface DeliveryRow {
  readonly sourceId: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly stage: 'failed-on-ingest' | 'successfully-received';
  readonly discardReason?: string;
  readonly count: number;
}

/** `source-admin` may read write keys, and change sources, but make nothing. */
export type StandInRole = 'owner' | 'source-admin' | 'read-only' | 'none';

export interface ReceivedCall {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly accept: string | undefined;
  readonly userAgent: string | undefined;
  readonly body: unknown;
}

/** What to do instead of answering a call. */
export type PublicApiFault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly message?: string;
    }
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' }
  /** Does what was asked, then breaks the connection before it answers. */
  | { readonly kind: 'done-but-reset' }
  | { readonly kind: 'web-page' }
  | { readonly kind: 'body'; readonly body: string };

interface Answer {
  readonly status: number;
  readonly document: object;
}

/** The first id is Segment's; the others stand for kinds of source that are no HTTP API. */
const kinds: Readonly<Record<string, { name: string; categories: string[] }>> = {
  iUM16Md8P2: { name: 'HTTP API', categories: ['Server'] },
  javascript: { name: 'Javascript', categories: ['Website'] },
  nodejs: { name: 'Node.js', categories: ['Server'] },
};
const postgres = { id: '55d3d3aea3c', name: 'Postgres' };
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Of the delivery overview, in milliseconds: the longest span, and how long ago it may begin. */
const spans: Readonly<Record<string, readonly [number, number]>> = {
  MINUTE: [4 * hourMs, 48 * hourMs],
  HOUR: [14 * dayMs, 30 * dayMs],
  DAY: [30 * dayMs, 30 * dayMs],
};

export class SegmentPublicApiStandIn implements AsyncDisposable {
  readonly #server: Server;
  readonly workspace = { id: 'ws1', name: 'Acme', slug: 'acme' };
  readonly sources: StandInSource[] = [];
  readonly warehouses: StandInWarehouse[] = [];
  /** `<source id> <warehouse id>`. */
  readonly connections = new Set<string>();
  readonly delivery: DeliveryRow[] = [];
  /** Roles by token. */
  readonly tokens = new Map<string, StandInRole>([['a-token', 'owner']]);
  readonly calls: ReceivedCall[] = [];
  /** The largest page that it gives, whatever is asked for. */
  maxPage = 1000;
  /** What a validation of warehouse settings finds. */
  canLogIn: (settings: Readonly<Record<string, unknown>>) => boolean = () => true;
  /** Asked for each call, counted from 1; undefined answers it. */
  faultFor: (call: number) => PublicApiFault | undefined = () => undefined;
  #made = 0;

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<SegmentPublicApiStandIn> {
    const api = new SegmentPublicApiStandIn();
    await listenOnLoopback(api.#server);
    return api;
  }

  /** For SEGMENT_PUBLIC_API_URL. */
  get url(): string {
    return urlOf(this.#server);
  }

  /** Calls other than GET, as `POST /sources`. */
  get changes(): readonly string[] {
    return this.calls
      .filter(({ method, path }) => method !== 'GET' && path !== '/warehouses/validation')
      .map(({ method, path }) => `${method} ${path}`);
  }

  /** Answers the next `count` calls with the fault. */
  fail(fault: PublicApiFault, count = Infinity): void {
    const last = this.calls.length + count;
    this.faultFor = (call) => (call <= last ? fault : undefined);
  }

  recover(): void {
    this.faultFor = () => undefined;
  }

  addSource(given: Partial<Omit<StandInSource, 'metadata'>> & { kind?: string } = {}): StandInSource {
    const { kind = 'iUM16Md8P2', ...fields } = given;
    const id = `source-${++this.#made}`;
    const { slug = id } = fields;
    const source: StandInSource = {
      ...{ id, slug, name: slug, enabled: true, writeKeys: [id.padEnd(32, 'x')] },
      ...fields,
      metadata: { id: kind, ...(kinds[kind] ?? { name: kind, categories: [] }) },
    };
    this.sources.push(source);
    return source;
  }

  addWarehouse(settings: Readonly<Record<string, unknown>>, kind = postgres): StandInWarehouse {
    const warehouse = { id: `warehouse-${++this.#made}`, enabled: true, metadata: kind, settings };
    this.warehouses.push(warehouse);
    return warehouse;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeServer(this.#server);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The caller went away in the middle of its request.
    }
    const url = new URL(request.url ?? '/', this.url);
    const text = Buffer.concat(chunks).toString('utf8');
    const call: ReceivedCall = {
      method: request.method ?? '',
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      accept: request.headers.accept,
      userAgent: request.headers['user-agent'],
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    };
    this.calls.push(call);
    const fault = this.faultFor(this.calls.length);
    switch (fault?.kind) {
      case 'hang':
        return;
      case 'reset':
        return void request.socket.resetAndDestroy();
      case 'status':
        send(response, failure(fault.status, 'fault', fault.message ?? 'Planted'), fault.headers);
        return;
      case 'web-page':
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
        return void response.end('<!doctype html><title>Sign in to the network</title>');
      case 'body':
        return void response.writeHead(200, { 'content-type': 'application/json' }).end(fault.body);
      case 'done-but-reset':
      case undefined:
    }
    const role = this.tokens.get((request.headers.authorization ?? '').replace(/^Bearer /, ''));
    const answer =
      role === undefined ? failure(401, 'unauthorized', 'Unauthorized') : this.#route(call, role);
    if (fault?.kind === 'done-but-reset') return void request.socket.resetAndDestroy();
    send(response, answer);
  }

  #route(call: ReceivedCall, role: StandInRole): Answer {
    const { method, path } = call;
    const mediaType = path.startsWith('/delivery-overview/') ? 'v1beta' : 'v1';
    if (call.accept !== `application/vnd.segment.${mediaType}+json`) {
      return failure(406, 'not-acceptable', 'No such version');
    }
    if (method !== 'GET' && call.body !== undefined && typeof call.body !== 'object') {
      return failure(422, 'validation', 'The body must be an object');
    }
    if (method === 'GET' && path === '/') return success({ workspace: this.workspace });
    if (role === 'none') return denied;
    const [, kind = '', id = '', part = '', other = ''] = path.split('/').map(decodeURIComponent);
    switch (`${method} ${kind}`) {
      case 'GET sources':
        if (id === '')
          return this.#page(
            call,
            'sources',
            this.sources.map((source) => shown(source, role)),
          );
        return this.#source(call, id, part, role);
      case 'POST sources':
        return role === 'owner' ? this.#makeSource(call.body as Record<string, unknown>) : denied;
      case 'PATCH sources':
        return this.#changeSource(id, call.body as Record<string, unknown>, role);
      case 'GET warehouses':
        return this.#page(call, 'warehouses', this.warehouses);
      case 'POST warehouses':
        if (role !== 'owner') return denied;
        if (part === 'connected-sources') return this.#connect(other, id);
        return this.#makeWarehouse(call.body as Record<string, unknown>, id === 'validation');
      case 'GET delivery-overview':
        return this.#overview(call, id);
      default:
        return notFound;
    }
  }

  #source(call: ReceivedCall, id: string, part: string, role: StandInRole): Answer {
    const source = this.sources.find((one) => one.id === id);
    if (source === undefined) return notFound;
    if (part === '') return success({ source: shown(source, role) });
    if (part !== 'connected-warehouses') return notFound;
    const connected = this.warehouses.filter((one) => this.connections.has(`${id} ${one.id}`));
    return this.#page(call, 'warehouses', connected);
  }

  #makeSource({ slug, enabled, metadataId, disconnectAllWarehouses }: Record<string, unknown>): Answer {
    if (typeof slug !== 'string' || slug === '') return invalid('slug', 'slug is required');
    if (typeof enabled !== 'boolean') return invalid('enabled', 'enabled must be a boolean');
    if (typeof metadataId !== 'string' || kinds[metadataId] === undefined) {
      return invalid('metadataId', 'No such source in the catalog');
    }
    if (this.sources.some((one) => one.slug === slug)) return invalid('slug', `The slug ${slug} is taken`);
    const source = this.addSource({ slug, enabled, kind: metadataId });
    if (disconnectAllWarehouses !== true) {
      for (const { id } of this.warehouses) this.connections.add(`${source.id} ${id}`);
    }
    return success({ source }, 201);
  }

  #changeSource(id: string, { enabled }: Record<string, unknown>, role: StandInRole): Answer {
    if (role === 'read-only') return denied;
    const source = this.sources.find((one) => one.id === id);
    if (source === undefined) return notFound;
    if (typeof enabled === 'boolean') source.enabled = enabled;
    return success({ source });
  }

  #makeWarehouse(body: Record<string, unknown>, isValidation: boolean): Answer {
    const settings = body['settings'] as Record<string, unknown> | undefined;
    if (body['metadataId'] !== postgres.id) return invalid('metadataId', 'No such warehouse in the catalog');
    for (const name of ['hostname', 'port', 'database', 'username', 'password']) {
      if (typeof settings?.[name] !== 'string')
        return invalid(`settings.${name}`, `${name} must be a string`);
    }
    if (isValidation) return success({ status: this.canLogIn(settings ?? {}) ? 'CONNECTED' : 'FAILED' });
    // As exported states show it: Segment adds these, and does not show the password again.
    const kept = { ...settings };
    delete kept['password'];
    const warehouse = this.addWarehouse({
      ...kept,
      host: kept['hostname'],
      ciphertext: '…',
      name: body['name'],
    });
    if (body['disconnectAllSources'] !== true) {
      for (const { id } of this.sources) this.connections.add(`${id} ${warehouse.id}`);
    }
    return success({ warehouse }, 201);
  }

  #connect(sourceId: string, warehouseId: string): Answer {
    const isThere =
      this.sources.some(({ id }) => id === sourceId) && this.warehouses.some(({ id }) => id === warehouseId);
    if (!isThere) return notFound;
    this.connections.add(`${sourceId} ${warehouseId}`);
    return success({ status: 'CONNECTED' }, 201);
  }

  #overview(call: ReceivedCall, stage: string): Answer {
    const {
      sourceId = '',
      startTime = '',
      endTime = '',
      granularity = '',
      'groupBy.0': groupBy,
    } = call.query;
    const [from, until] = [Date.parse(startTime), Date.parse(endTime)];
    const [longest = 0, oldest = 0] = spans[granularity] ?? [];
    if (!(from < until) || until - from > longest || Date.now() - from > oldest + hourMs) {
      return invalid('startTime', 'The time range is not allowed');
    }
    if (!this.sources.some(({ id }) => id === sourceId)) return notFound;
    const groups = new Map<string, number>();
    for (const row of this.delivery) {
      if (row.sourceId !== sourceId || row.stage !== stage || row.at < from || row.at >= until) continue;
      const group = groupBy === 'discardReason' ? (row.discardReason ?? '') : '';
      groups.set(group, (groups.get(group) ?? 0) + row.count);
    }
    const dataset = Array.from(groups, ([discardReason, total]) => ({
      ...(groupBy === 'discardReason' ? { discardReason } : {}),
      total,
      series: [],
    }));
    return this.#page(call, 'dataset', dataset, {
      total: dataset.reduce((sum, { total }) => sum + total, 0),
    });
  }

  #page({ query }: ReceivedCall, name: string, all: readonly unknown[], more: object = {}): Answer {
    const count = Math.min(Number(query['pagination.count'] ?? 200), this.maxPage);
    const cursor = query['pagination.cursor'] ?? Buffer.from('0').toString('base64');
    const start = Number(Buffer.from(cursor, 'base64').toString());
    const end = start + count;
    const next = end < all.length ? { next: Buffer.from(String(end)).toString('base64') } : {};
    const pagination = { current: cursor, ...next, totalEntries: all.length };
    return success({ ...more, [name]: all.slice(start, end), pagination });
  }
}

const denied = failure(403, 'forbidden', 'Not allowed');
const notFound = failure(404, 'not-found', 'Not found');

function shown(source: StandInSource, role: StandInRole): StandInSource {
  return role === 'read-only' ? { ...source, writeKeys: [] } : source;
}

function success(data: object, status = 200): Answer {
  return { status, document: { data } };
}

function failure(status: number, type: string, message: string): Answer {
  return { status, document: { errors: [{ type, message }] } };
}

function invalid(field: string, message: string): Answer {
  return { status: 422, document: { errors: [{ type: 'validation', field, message }] } };
}

function send(response: ServerResponse, { status, document }: Answer, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/vnd.segment.v1+json', ...headers });
  response.end(JSON.stringify(document));
}
