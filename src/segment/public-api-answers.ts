// What Segment's Public API answers, parsed once; what more it says is left aside. (The models of its own client,
// @segment/public-api-sdk-typescript 73: SourceV1, WarehouseV1, PaginationOutput, GetDeliveryOverviewMetricsBetaOutput.)

import { z } from 'zod';

export interface Workspace {
  readonly id: string;
  readonly name: string;
}

export interface Source {
  readonly id: string;
  readonly slug: string;
  /** As the console shows it. */
  readonly name: string;
  readonly isEnabled: boolean;
  /** Empty where the token has not the role Source Admin. */
  readonly writeKeys: readonly string[];
  readonly kind: SourceKind;
}

export interface SourceKind {
  /** Of Segment's catalogue. */
  readonly id: string;
  readonly name: string;
  /** Such as `Server`, `Website`, `Mobile`. */
  readonly categories: readonly string[];
}

export interface Warehouse {
  readonly id: string;
  /** Of Segment's catalogue. */
  readonly kindId: string;
  readonly isEnabled: boolean;
  /** Undefined where its settings do not say. */
  readonly host: string | undefined;
  readonly port: string | undefined;
  readonly database: string | undefined;
}

const text = z.string().nullish();

const source = z
  .object({
    id: z.string(),
    slug: z.string(),
    name: text,
    enabled: z.boolean(),
    writeKeys: z.array(z.string()).nullish(),
    metadata: z.object({ id: z.string(), name: text, categories: z.array(z.string()).nullish() }),
  })
  .transform(({ id, slug, name, enabled, writeKeys, metadata }): Source => {
    const kind = {
      id: metadata.id,
      name: metadata.name || metadata.id,
      categories: metadata.categories ?? [],
    };
    return { id, slug, name: name || slug, isEnabled: enabled, writeKeys: writeKeys ?? [], kind };
  });

/** Warehouses of other kinds have other settings, of any type. */
const setting = z
  .union([z.string(), z.number().transform(String)])
  .optional()
  .catch(undefined);

const warehouse = z
  .object({
    id: z.string(),
    enabled: z.boolean(),
    metadata: z.object({ id: z.string() }),
    settings: z.object({ hostname: setting, host: setting, port: setting, database: setting }).nullish(),
  })
  .transform(({ id, enabled, metadata, settings }): Warehouse => {
    const { hostname, host, port, database } = settings ?? {};
    return { id, kindId: metadata.id, isEnabled: enabled, host: hostname ?? host, port, database };
  });

/** `next` is absent on the last page. */
const pagination = z.object({ next: text }).nullish();

export const workspaceAnswer = z.object({ workspace: z.object({ id: z.string(), name: z.string() }) });
export const sourceAnswer = z.object({ source });
export const sourcesPage = z.object({ sources: z.array(source), pagination });
export const warehouseAnswer = z.object({ warehouse });
export const warehousesPage = z.object({ warehouses: z.array(warehouse), pagination });
/** `CONNECTED`, or `NOT_CONNECTED` of a connection, `FAILED` of a validation. */
export const statusAnswer = z.object({ status: z.string() });
export const datasetPage = z.object({
  dataset: z.array(z.object({ discardReason: text, total: z.number() })),
  pagination,
});

export interface Page {
  readonly pagination?: { readonly next?: string | null | undefined } | null | undefined;
}

const failure = z.object({ errors: z.array(z.object({ message: text, field: text, type: text })).min(1) });

/** What Segment says of a failure, in one line; empty where it says nothing that is known. */
export function failureWords(document: unknown): string {
  const parsed = failure.safeParse(document);
  if (!parsed.success) return '';
  return parsed.data.errors
    .map(({ message, field, type }) => [field, message || type].filter(Boolean).join(': '))
    .join('; ')
    .replaceAll(/\s+/g, ' ');
}
