// A destination of Segment's kind: whether its API answers, and what can be told of its write key.

import type { SegmentConfig } from '../../config/destinations.ts';
import { errorFor, unreachable } from '../../destinations/segment.ts';
import { endpoints, TrackingApi } from '../../segment/tracking-api.ts';
import { version } from '../../version.ts';
import { failed, ok, warn } from './check.ts';
import type { Check } from './check.ts';

const timeoutMs = 10_000;
/** Of a source's write key, as Segment makes them. */
const writeKeyForm = /^[A-Za-z0-9]{32}$/;

/** Segment's clock beside this machine's, where it was told. */
export interface SeenClock {
  readonly of: string;
  readonly there: number;
  readonly here: number;
}

export async function checkSegment(
  settings: SegmentConfig,
): Promise<{ checks: readonly Check[]; clock: SeenClock | undefined }> {
  const { check, clock } = await reach(settings);
  return { checks: [check, writeKey(settings)], clock };
}

async function reach({ name: destination, endpoint, writeKey: key }: SegmentConfig) {
  const name = `${destination}.api`;
  const api = new TrackingApi({ endpoint, writeKey: key, userAgent: `fusionauth-segment/${version}` });
  const startedAt = performance.now();
  try {
    const { answer, date } = await api.probe(AbortSignal.timeout(timeoutMs));
    const clock = date === undefined ? undefined : { of: api.host, there: date, here: Date.now() };
    // It may refuse an empty batch: it is Segment that answers.
    if (answer.kind === 'accepted' || answer.kind === 'refused') {
      const took = Math.round(performance.now() - startedAt);
      return { check: ok(name, `${api.host} answers, after ${took} ms`), clock };
    }
    return { check: failed(name, errorFor(api.host, answer)), clock };
  } catch (cause) {
    return { check: failed(name, unreachable(api.host, cause)), clock: undefined };
  } finally {
    await api.close();
  }
}

function writeKey({ name: destination, endpoint, writeKey: key }: SegmentConfig): Check {
  const name = `${destination}.write-key`;
  const isSegment = Object.values(endpoints).some((known) => new URL(known).host === new URL(endpoint).host);
  if (isSegment && !writeKeyForm.test(key)) {
    return warn(
      name,
      `It has ${key.length} characters, and Segment’s have 32 letters and digits`,
      'Copy it again: Connections → Sources → your HTTP API source → Settings → API Keys',
    );
  }
  return ok(
    name,
    'Its form is right; Segment answers 200 to any key, so only its debugger, or a Public API token, shows whether it is',
  );
}
