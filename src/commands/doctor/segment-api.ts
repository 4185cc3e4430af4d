// What only Segment's Public API tells: whose the write key is, and what Segment dropped after it had answered 200.

import type { Config } from '../../config/config.ts';
import type { SegmentConfig } from '../../config/destinations.ts';
import { discardReasons } from '../../segment/discard-reasons.ts';
import type { Drop, PublicApi } from '../../segment/public-api.ts';
import type { Source, Workspace } from '../../segment/public-api-answers.ts';
import { PublicApiError } from '../../segment/public-api-error.ts';
import { endpoints } from '../../segment/tracking-api.ts';
import type { Region } from '../../segment/tracking-api.ts';
import { openPublicApi } from '../public-api.ts';
import type { PublicApiConfig } from '../public-api.ts';
import { fail, failed, listed, ok, skip, warn } from './check.ts';
import type { Check } from './check.ts';

/** `doctor` is waited for by a person, or by monitoring. */
const limits = { timeoutMs: 10_000, patienceMs: 5_000 };
const hours = 6;
const keysPlace = 'Connections → Sources → your HTTP API source → Settings → API Keys';

/** Segment counts these, and nothing was lost: a batch of no messages is how `doctor` looks whether its API answers. */
const harmless = new Set(['empty_batch', 'empty_batch_result']);
/** By these it drops everything, not single messages. */
const total: Readonly<Record<string, string>> = {
  source_disabled: 'turn the source on at Segment (setup does it)',
  locked_workspace:
    'Segment has locked the workspace, mostly for its plan or a bill: see its Settings, or ask Segment',
  unknown_source:
    'the write key’s source is gone: make one again (setup) and set SEGMENT_WRITE_KEY to its key',
  invalid_settings: 'mend the source’s settings at Segment',
};

/** `now`: milliseconds since 1970. */
export async function checkSegmentApi(
  config: PublicApiConfig & Pick<Config, 'destinations'>,
  now = Date.now(),
): Promise<readonly Check[]> {
  const destinations = config.destinations.filter((one): one is SegmentConfig => one.kind === 'segment');
  const api = openPublicApi(config, limits);
  if (api === undefined) return destinations.length === 0 ? [] : [withoutToken()];
  try {
    const { check, seen } = await checkToken(api);
    if (seen === undefined) return [check];
    const checks = [check];
    for (const settings of destinations) {
      const { check, source } = checkSource(settings, seen, config.segmentRegion);
      checks.push(check);
      if (source !== undefined) checks.push(await checkDiscards(api, settings.name, source, now));
    }
    return checks;
  } finally {
    await api.close();
  }
}

function withoutToken(): Check {
  return skip(
    'segment.public-api',
    'SEGMENT_PUBLIC_API_TOKEN is not set, so nothing tells whose the write key is and what was dropped: Segment answers 200 to any key',
    'On a Team or Business plan set it; else look for the events at Connections → Sources → your source → Debugger',
  );
}

/** What the token shows. */
interface Seen {
  readonly workspace: Workspace;
  readonly sources: readonly Source[];
}

async function checkToken(api: PublicApi): Promise<{ check: Check; seen: Seen | undefined }> {
  const name = 'segment.public-api';
  try {
    const workspace = await api.workspace();
    const sources = await api.sources();
    const check = ok(
      name,
      `${api.host} knows the token: workspace “${workspace.name}”, ${count(sources, 'source')}`,
    );
    return { check, seen: { workspace, sources } };
  } catch (error) {
    const check = failed(name, error);
    // Events go another way, so an API that is away for a while harms none of them.
    return { check: isPassing(error) ? { ...check, status: 'warn' } : check, seen: undefined };
  }
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof PublicApiError &&
    (error.code === 'PUBLIC_API_BUSY' || error.code === 'PUBLIC_API_UNAVAILABLE')
  );
}

function checkSource(
  { name: destination, writeKey, endpoint }: SegmentConfig,
  { workspace, sources }: Seen,
  region: Region,
): { check: Check; source: Source | undefined } {
  const name = `${destination}.source`;
  const source = sources.find(({ writeKeys }) => writeKeys.includes(writeKey));
  if (source === undefined) return { check: unknownKey(destination, { workspace, sources }), source };
  const what = `“${source.name}” (${source.kind.name}) of the workspace “${workspace.name}”`;
  if (!source.isEnabled) {
    const detail = `The write key is of the source ${what}, which is disabled: Segment answers 200 and drops every event`;
    return { check: fail(name, detail, 'Turn it on at Segment, or by setup'), source };
  }
  const sentTo = regionOf(endpoint);
  if (sentTo !== undefined && sentTo !== region) {
    const detail = `The source ${what} is in the region ${region}, and events are sent to ${sentTo}, where they vanish`;
    const fix =
      'Mend SEGMENT_REGION and SEGMENT_ENDPOINT, or region and endpoint of this destination in the configuration file';
    return { check: fail(name, detail, fix), source };
  }
  // A website's or an app's key is public, and Segment treats what comes with it as theirs.
  if (!source.kind.categories.includes('Server')) {
    const detail = `The write key is of the source ${what}, which is not made for servers`;
    return {
      check: warn(
        name,
        detail,
        'Make an HTTP API source for the bridge (setup), and set SEGMENT_WRITE_KEY to its key',
      ),
      source,
    };
  }
  return { check: ok(name, `The write key is of the source ${what}, which is on`), source };
}

function unknownKey(destination: string, { workspace, sources }: Seen): Check {
  const name = `${destination}.source`;
  const hidden = sources.filter(({ writeKeys }) => writeKeys.length === 0);
  if (hidden.length > 0) {
    return skip(
      name,
      `The token may not see the write keys of ${count(hidden, 'source')} of ${sources.length}, so the key’s may be among them`,
      'Give the token the role Source Admin: Settings → Workspace settings → Access Management → Tokens',
    );
  }
  const detail = `The write key is of none of the ${count(sources, 'source')} of the workspace “${workspace.name}”`;
  // The token is of one workspace, and further destinations may well be in others.
  if (destination !== 'segment') return skip(name, `${detail}; the token shows no other workspace`);
  return fail(
    name,
    `${detail}: Segment answers 200 and drops every event`,
    `Copy it again (${keysPlace}), or set the token of the workspace that the source is in`,
  );
}

async function checkDiscards(
  api: PublicApi,
  destination: string,
  source: Source,
  now: number,
): Promise<Check> {
  const name = `${destination}.discards`;
  const span = { sourceId: source.id, from: now - hours * 3_600_000, until: now };
  try {
    const drops = (await api.failedOnIngest(span)).filter(({ reason }) => !harmless.has(reason));
    if (drops.length > 0) return dropped(name, source, drops);
    const received = await api.successfullyReceived(span);
    return ok(
      name,
      `In the last ${hours} hours Segment has kept ${received} messages of “${source.name}” and dropped none`,
    );
  } catch (error) {
    if (!(error instanceof PublicApiError)) throw error;
    return skip(name, error.message, error.hint);
  }
}

function dropped(name: string, source: Source, drops: readonly Drop[]): Check {
  const sum = drops.reduce((all, { count }) => all + count, 0);
  const reasons = listed(drops.map(({ reason, count }) => `${reason} (${count})`));
  const detail = `In the last ${hours} hours Segment has answered 200 and dropped ${sum} messages of “${source.name}”: ${reasons}`;
  const worstFirst = drops.toSorted((one, other) => Number(isTotal(other)) - Number(isTotal(one)));
  const fix = worstFirst
    .slice(0, 3)
    .map(({ reason }) => mendOf(reason))
    .join('; ');
  return drops.some(isTotal) ? fail(name, detail, fix) : warn(name, detail, fix);
}

function isTotal({ reason }: Drop): boolean {
  return Object.hasOwn(total, reason);
}

function mendOf(reason: string): string {
  const whole = Object.hasOwn(total, reason) ? total[reason] : undefined;
  if (whole !== undefined) return `${reason}: ${whole}`;
  if (Object.hasOwn(discardReasons, reason)) {
    const meaning = discardReasons[reason as keyof typeof discardReasons].replace(/\.$/, '');
    return `${reason} (“${meaning}”): the bridge keeps such messages as dead letters, so another program sends by this write key: give the bridge a source of its own`;
  }
  return `${reason}: see the source’s Delivery Overview at Segment`;
}

function regionOf(endpoint: string): Region | undefined {
  const { host } = new URL(endpoint);
  return (Object.keys(endpoints) as Region[]).find((region) => new URL(endpoints[region]).host === host);
}

function count(things: readonly unknown[], word: string): string {
  return `${things.length} ${word}${things.length === 1 ? '' : 's'}`;
}
