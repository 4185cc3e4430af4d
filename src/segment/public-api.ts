// Segment's Public API, its control plane: what `setup` and `doctor` ask of it. (Segment's reference, "Public API".)

import { datasetPage, sourceAnswer, sourcesPage, statusAnswer } from './public-api-answers.ts';
import { warehouseAnswer, warehousesPage, workspaceAnswer } from './public-api-answers.ts';
import type { Source, Warehouse, Workspace } from './public-api-answers.ts';
import { PublicApiCalls } from './public-api-calls.ts';
import type { PublicApiAccess } from './public-api-calls.ts';
import { refusal } from './public-api-error.ts';
import type { Region } from './tracking-api.ts';

export const publicApiEndpoints = {
  us: 'https://api.segmentapis.com',
  eu: 'https://eu1.api.segmentapis.com',
} as const satisfies Record<Region, string>;

/** Ids of Segment's catalogue. */
export const httpApiKind = 'iUM16Md8P2';
export const postgresKind = '55d3d3aea3c';

/** What Segment takes for a Postgres warehouse: all of it as text, and nothing of TLS. */
export interface PostgresSettings {
  readonly hostname: string;
  readonly port: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
}

/** A source's messages of some time, milliseconds since 1970: 14 days at most, and no older than 30 days. */
export interface SourceSpan {
  readonly sourceId: string;
  readonly from: number;
  readonly until: number;
}

/** Messages that Segment answered 200 to, and dropped. */
export interface Drop {
  /** As Segment names it; discard-reasons.ts has those that the bridge catches itself. */
  readonly reason: string;
  readonly count: number;
}

/** Which source, and which warehouse. */
export interface Pair {
  readonly sourceId: string;
  readonly warehouseId: string;
}

/**
 * The workspace that the token belongs to. Every method rejects with PublicApiError, or with the reason of its signal.
 * They may be called at the same time. What makes something is never tried twice: where its answer is lost, look again.
 */
export class PublicApi {
  readonly #calls: PublicApiCalls;

  constructor(access: PublicApiAccess) {
    this.#calls = new PublicApiCalls(access);
  }

  get host(): string {
    return this.#calls.host;
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  /** Shows whether the token is one. */
  async workspace(signal?: AbortSignal): Promise<Workspace> {
    const { workspace } = await this.#calls.ask({
      what: 'tell the workspace of the token',
      role: 'Workspace Member',
      path: '/',
      answer: workspaceAnswer,
      signal,
    });
    return workspace;
  }

  /** All that the token may see. */
  async sources(signal?: AbortSignal): Promise<readonly Source[]> {
    const pages = await this.#calls.askPages({
      what: 'list the sources',
      role: 'Source Read-only',
      path: '/sources',
      answer: sourcesPage,
      signal,
    });
    return pages.flatMap(({ sources }) => sources);
  }

  async source(id: string, signal?: AbortSignal): Promise<Source> {
    const { source } = await this.#calls.ask({
      what: `read the source ${id}`,
      role: 'Source Read-only',
      path: sourcePath(id),
      answer: sourceAnswer,
      signal,
    });
    return source;
  }

  /** An HTTP API source, on, and connected to no warehouse: unasked, Segment connects it to every one there is. */
  async createHttpSource(slug: string, signal?: AbortSignal): Promise<Source> {
    const { source } = await this.#calls.ask({
      what: `make the source “${slug}”`,
      role: 'Workspace Owner',
      method: 'POST',
      path: '/sources',
      body: { slug, enabled: true, metadataId: httpApiKind, settings: {}, disconnectAllWarehouses: true },
      answer: sourceAnswer,
      signal,
    });
    return source;
  }

  async enableSource(id: string, signal?: AbortSignal): Promise<Source> {
    const { source } = await this.#calls.ask({
      what: `turn the source ${id} on`,
      role: 'Source Admin',
      method: 'PATCH',
      path: sourcePath(id),
      body: { enabled: true },
      answer: sourceAnswer,
      signal,
    });
    return source;
  }

  /** Whether Segment itself can log in there. Changes nothing but the workspace's audit trail. */
  async canLogIn(settings: PostgresSettings, signal?: AbortSignal): Promise<boolean> {
    const { status } = await this.#calls.ask({
      what: `try to log in at ${settings.hostname}`,
      role: 'Workspace Owner',
      method: 'POST',
      path: '/warehouses/validation',
      body: { metadataId: postgresKind, settings },
      secret: settings.password,
      answer: statusAnswer,
      signal,
    });
    return status === 'CONNECTED';
  }

  /** All that the token may see, of every kind. */
  async warehouses(signal?: AbortSignal): Promise<readonly Warehouse[]> {
    const pages = await this.#calls.askPages({
      what: 'list the warehouses',
      role: 'Warehouse Read-only',
      path: '/warehouses',
      answer: warehousesPage,
      signal,
    });
    return pages.flatMap(({ warehouses }) => warehouses);
  }

  /** On, and with no source: unasked, Segment connects every source of the workspace to it. */
  async createPostgresWarehouse(
    { name, settings }: { readonly name: string; readonly settings: PostgresSettings },
    signal?: AbortSignal,
  ): Promise<Warehouse> {
    const { warehouse } = await this.#calls.ask({
      what: `make the warehouse “${name}”`,
      role: 'Workspace Owner',
      method: 'POST',
      path: '/warehouses',
      body: { metadataId: postgresKind, name, enabled: true, settings, disconnectAllSources: true },
      secret: settings.password,
      answer: warehouseAnswer,
      signal,
    });
    return warehouse;
  }

  async isConnected({ sourceId, warehouseId }: Pair, signal?: AbortSignal): Promise<boolean> {
    const pages = await this.#calls.askPages({
      what: `list the warehouses of the source ${sourceId}`,
      role: 'Source Read-only',
      path: `${sourcePath(sourceId)}/connected-warehouses`,
      answer: warehousesPage,
      signal,
    });
    return pages.some(({ warehouses }) => warehouses.some(({ id }) => id === warehouseId));
  }

  /** Does nothing where they are connected. */
  async connect({ sourceId, warehouseId }: Pair, signal?: AbortSignal): Promise<void> {
    const asked = {
      what: `connect the source ${sourceId} to the warehouse ${warehouseId}`,
      role: 'Warehouse Admin',
    };
    const { status } = await this.#calls.ask({
      ...asked,
      method: 'POST',
      path: `/warehouses/${encodeURIComponent(warehouseId)}/connected-sources/${encodeURIComponent(sourceId)}`,
      answer: statusAnswer,
      signal,
    });
    if (status !== 'CONNECTED') throw refusal({ host: this.host, ...asked }, 422, status);
  }

  /** What Segment took with 200 and dropped, the most frequent reason first. It knows of a drop after some 30 seconds. */
  async failedOnIngest(span: SourceSpan, signal?: AbortSignal): Promise<readonly Drop[]> {
    const counts = new Map<string, number>();
    const rows = await this.#deliveryOverview(
      'failed-on-ingest',
      span,
      { 'groupBy.0': 'discardReason' },
      signal,
    );
    for (const { discardReason, total } of rows) {
      const reason = discardReason || 'unknown';
      counts.set(reason, (counts.get(reason) ?? 0) + total);
    }
    return Array.from(counts, ([reason, count]) => ({ reason, count }))
      .filter(({ count }) => count > 0)
      .sort((one, other) => other.count - one.count);
  }

  /** How many messages Segment took and kept. */
  async successfullyReceived(span: SourceSpan, signal?: AbortSignal): Promise<number> {
    const rows = await this.#deliveryOverview('successfully-received', span, {}, signal);
    return rows.reduce((sum, { total }) => sum + total, 0);
  }

  async #deliveryOverview(
    stage: 'failed-on-ingest' | 'successfully-received',
    { sourceId, from, until }: SourceSpan,
    grouping: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ) {
    const query = new URLSearchParams({
      sourceId,
      startTime: new Date(from).toISOString(),
      endTime: new Date(until).toISOString(),
      granularity: 'HOUR',
      ...grouping,
    });
    const pages = await this.#calls.askPages({
      what: `tell what became of the messages of the source ${sourceId}`,
      role: 'Source Read-only',
      path: `/delivery-overview/${stage}?${query.toString()}`,
      accept: 'beta',
      answer: datasetPage,
      signal,
    });
    return pages.flatMap(({ dataset }) => dataset);
  }
}

function sourcePath(id: string): string {
  return `/sources/${encodeURIComponent(id)}`;
}
