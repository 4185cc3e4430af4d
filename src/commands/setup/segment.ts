// What `setup` makes at Segment: an HTTP API source, and, where one is named, a warehouse that Segment loads with it.
//
// Holds always: planning changes nothing there. A change is found done by the next plan, wherever the former run ended:
// the source by its slug, the warehouse by host, port and database. Nothing is connected that the plan does not name.

import assert from 'node:assert/strict';
import { httpApiKind, postgresKind } from '../../segment/public-api.ts';
import type { PostgresSettings, PublicApi } from '../../segment/public-api.ts';
import type { Source, Warehouse } from '../../segment/public-api-answers.ts';
import { CommandError } from '../report.ts';
import { allowSegmentHint, warehouseSettings } from './segment-warehouse.ts';

export interface SegmentChange {
  /** One line, of what will be made, and where. No secret. */
  readonly description: string;
  /** Makes it. Throws PublicApiError. */
  apply(signal?: AbortSignal): Promise<void>;
}

export interface SegmentPlan {
  /** The name of the workspace. */
  readonly workspace: string;
  /** To be applied in this order, each after the one before it. Empty: everything is there already. */
  readonly changes: readonly SegmentChange[];
  /** What else its reader should know before, a sentence each. */
  readonly notes: readonly string[];
  /** To be called when every change is applied. Throws PublicApiError. */
  readWriteKey(signal?: AbortSignal): Promise<FoundWriteKey>;
}

/** `hidden`: the token may not see it; `steps` says where a person does. */
export type FoundWriteKey =
  | { readonly kind: 'found'; readonly writeKey: string }
  | { readonly kind: 'hidden'; readonly steps: readonly string[] };

export interface SegmentWishes {
  /** Of the source, which also names the schema in a warehouse of Segment's. */
  readonly sourceSlug: string;
  /** Connection string of a PostgreSQL server that Segment shall load, as Segment reaches it. */
  readonly warehouseUrl?: string | undefined;
}

/**
 * Reads what is there, and lets Segment try the login of a warehouse that is to be made. Throws PublicApiError,
 * ConnectionError, and CommandError for what Segment has otherwise.
 */
export async function planSegmentSetup(
  api: PublicApi,
  { sourceSlug, warehouseUrl }: SegmentWishes,
  signal?: AbortSignal,
): Promise<SegmentPlan> {
  const settings = warehouseUrl === undefined ? undefined : warehouseSettings(warehouseUrl);
  const { name: workspace } = await api.workspace(signal);
  const planning: Planning = { api, workspace, sourceSlug, ids: {}, signal };
  const parts = [await planSource(planning)];
  if (settings !== undefined) parts.push(await planWarehouse(planning, settings));
  else if (planning.ids.source === undefined) parts.push(withoutWarehouse(sourceSlug));
  return {
    workspace,
    changes: parts.flatMap(({ changes }) => changes),
    notes: parts.flatMap(({ notes }) => notes),
    readWriteKey: async (signal) => foundKey(await api.source(made(planning.ids.source), signal)),
  };
}

interface Planning {
  readonly api: PublicApi;
  readonly workspace: string;
  readonly sourceSlug: string;
  /** Of what is there, and later of what the changes have made. */
  readonly ids: { source?: string; warehouse?: string };
  readonly signal: AbortSignal | undefined;
}

type Part = Pick<SegmentPlan, 'changes' | 'notes'>;

async function planSource({ api, workspace, sourceSlug, ids, signal }: Planning): Promise<Part> {
  const source = await findSource(api, sourceSlug, signal);
  if (source === undefined) {
    const make: SegmentChange = {
      description: `Make the HTTP API source “${sourceSlug}” in the Segment workspace “${workspace}”`,
      apply: async (signal) => {
        ids.source = (await api.createHttpSource(sourceSlug, signal)).id;
      },
    };
    return { changes: [make], notes: [] };
  }
  ids.source = source.id;
  if (source.isEnabled) return { changes: [], notes: [] };
  const enable: SegmentChange = {
    description: `Turn the source “${sourceSlug}” on: it is disabled, and Segment drops all that comes to it`,
    apply: async (signal) => {
      await api.enableSource(source.id, signal);
    },
  };
  return { changes: [enable], notes: [] };
}

async function planWarehouse(
  { api, sourceSlug, ids, signal }: Planning,
  settings: PostgresSettings,
): Promise<Part> {
  const place = placeOf(settings);
  const changes: SegmentChange[] = [];
  const notes = [
    `Segment writes to the schema “${schemaOf(sourceSlug)}” there, once or twice a day on most plans; where the bridge’s own warehouse is the same database, give it another WAREHOUSE_SCHEMA`,
  ];
  const warehouse = await findWarehouse(api, settings, signal);
  if (warehouse === undefined) {
    await tryLogin(api, settings, signal);
    const name = `FusionAuth (${settings.database})`;
    changes.push({
      description: `Make the Postgres warehouse ${place}, which Segment loads as user “${settings.username}”`,
      apply: async (signal) => {
        ids.warehouse = (await api.createPostgresWarehouse({ name, settings }, signal)).id;
      },
    });
  } else {
    ids.warehouse = warehouse.id;
    if (!warehouse.isEnabled) {
      notes.push(`The warehouse ${place} is disabled at Segment: turn it on at Connections → Destinations`);
    }
  }
  if (!(await areConnected(api, ids, signal))) {
    changes.push({
      description: `Connect the source “${sourceSlug}” to the warehouse ${place}`,
      apply: (signal) =>
        api.connect({ sourceId: made(ids.source), warehouseId: made(ids.warehouse) }, signal),
    });
  }
  return { changes, notes };
}

function withoutWarehouse(sourceSlug: string): Part {
  const note = `The source will be connected to no warehouse of Segment’s; if one shall have its events, connect it: Connections → Sources → ${sourceSlug}`;
  return { changes: [], notes: [note] };
}

/** What to click where there is no token, a line each. */
export function explainManualSteps({ sourceSlug }: Pick<SegmentWishes, 'sourceSlug'>): readonly string[] {
  return [
    'Sign in at https://app.segment.com',
    'Click Connections → Sources → Add Source',
    'Search for “HTTP API”, choose it, and click Add Source',
    `Give it the name “${sourceSlug}”, and click Add Source`,
    ...writeKeySteps(sourceSlug),
    'If the workspace is in the EU, set SEGMENT_REGION=eu: events that go to the other region vanish',
    `Segment’s own API cannot tell whether a write key is right, since it answers 200 to any: when the first event is sent, look for it at Connections → Sources → ${sourceSlug} → Debugger`,
  ];
}

function writeKeySteps(sourceSlug: string): readonly string[] {
  return [
    `Open Connections → Sources → ${sourceSlug} → Settings → API Keys`,
    'Copy the Write Key, and set SEGMENT_WRITE_KEY to it',
  ];
}

function foundKey({ slug, writeKeys: [writeKey] }: Source): FoundWriteKey {
  if (writeKey !== undefined) return { kind: 'found', writeKey };
  return {
    kind: 'hidden',
    steps: [
      'The token may not see write keys: give it the role Source Admin and run setup again; or copy the key by hand:',
      ...writeKeySteps(slug),
    ],
  };
}

async function findSource(
  api: PublicApi,
  slug: string,
  signal: AbortSignal | undefined,
): Promise<Source | undefined> {
  const source = (await api.sources(signal)).find((one) => one.slug === slug);
  if (source !== undefined && source.kind.id !== httpApiKind) {
    throw new CommandError(
      `The Segment workspace has a source “${slug}” already, of the kind ${source.kind.name}, not HTTP API`,
      { hint: 'Choose another name for the bridge’s source, or rename that one at Segment' },
    );
  }
  return source;
}

async function findWarehouse(
  api: PublicApi,
  { hostname, port, database }: PostgresSettings,
  signal: AbortSignal | undefined,
): Promise<Warehouse | undefined> {
  const isIt = (one: Warehouse) =>
    one.kindId === postgresKind &&
    one.host?.toLowerCase() === hostname.toLowerCase() &&
    (one.port ?? '5432') === port &&
    one.database === database;
  return (await api.warehouses(signal)).find(isIt);
}

/** Before anything is made, so that a run does not end half way. */
async function tryLogin(
  api: PublicApi,
  settings: PostgresSettings,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (await api.canLogIn(settings, signal)) return;
  throw new CommandError(`Segment cannot log in at ${placeOf(settings)} as “${settings.username}”`, {
    hint: allowSegmentHint,
  });
}

async function areConnected(
  api: PublicApi,
  { source, warehouse }: Planning['ids'],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (source === undefined || warehouse === undefined) return false;
  return api.isConnected({ sourceId: source, warehouseId: warehouse }, signal);
}

/** The id of what is there by now. */
function made(id: string | undefined): string {
  assert(id !== undefined, 'A change was applied before the one that it stands on');
  return id;
}

function placeOf({ hostname, port, database }: PostgresSettings): string {
  return `${hostname}:${port}/${database}`;
}

/** As Segment names it. */
function schemaOf(sourceSlug: string): string {
  return sourceSlug.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
}
