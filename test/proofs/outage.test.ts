// Segment is down for 72 hours. The clock is simulated, so that every wait of those hours is gone through; the log, the
// HTTP and Segment's stand-in are real. Not to scale: events come by thirty every ten minutes, and not at 50 a second,
// since the 13 million records of that would be a test of the disk.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Delivery } from '../../src/delivery/delivery.ts';
import { Turns } from '../../src/delivery/turns.ts';
import { SegmentDestination } from '../../src/destinations/segment.ts';
import { parseWebhookBody } from '../../src/fusionauth/event.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import { createMapping } from '../../src/mapping/map.ts';
import { sample } from '../support/bridge.ts';
import { SegmentStandIn } from '../support/segment.ts';
import type { Fault } from '../support/segment.ts';
import { simulateTime } from '../support/simulated-time.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const hourMs = 60 * 60_000;
const roundEveryMs = 10 * 60_000;
const eventsOfRound = 30;
const users = 10;
const longestBackoffMs = 60_000;
/** Whatever Segment asks. */
const longestRetryAfterMs = 24 * hourMs;

test('an outage of 72 hours: no wait is longer than its bound, and everything is delivered once, in order', async (t) => {
  await using folder = await temporaryFolder();
  await using segment = await SegmentStandIn.start();
  await using stack = new AsyncDisposableStack();
  const log = stack.adopt(await SqliteLog.open(folder.path), (opened) => opened.close());
  const destination = new SegmentDestination({
    name: 'segment',
    endpoint: segment.url,
    writeKey: 'k',
    perSecond: 0,
    userAgent: 'test',
  });
  const delivery = new Delivery({
    log,
    destination,
    mappingFor: () => createMapping({ library: { name: 'test', version: '1' } }),
    turns: new Turns(),
    logger: pino({ level: 'silent' }),
  });
  const waits: { ms: number; askedMs: number }[] = [];
  const states = new Set<string>();
  let askedMs = 0;
  let appended = 0;
  const startedAt = Date.now();
  const endsAt = startedAt + 72 * hourMs;
  using time = simulateTime(async (waitMs, until) => {
    // The log lingers for milliseconds between two hand-outs.
    if (waitMs >= 200) {
      waits.push({ ms: waitMs, askedMs });
      states.add(delivery.state);
    }
    while (startedAt + (appended / eventsOfRound) * roundEveryMs < Math.min(until, endsAt))
      await appendRound();
  });
  segment.faultFor = () => {
    const hours = (time.now - startedAt) / hourMs;
    const { fault, asksForMs } = faultAt(hours, time.now);
    askedMs = asksForMs;
    return fault;
  };
  const appendRound = async () => {
    const round = Array.from({ length: eventsOfRound }, () => {
      const sequence = appended++;
      const body = sample('user.login.success', { id: String(sequence), userId: `user-${sequence % users}` });
      const event = parseWebhookBody(Buffer.from(JSON.stringify(body)));
      return log.append({
        id: event.id,
        type: event.type,
        tenantId: undefined,
        receivedAt: Date.now(),
        verifiedBy: 'unsigned',
        body: JSON.stringify(event),
      });
    });
    await Promise.all(round);
  };
  await appendRound();

  await delivery.start();
  while (segment.messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const resumedAt = time.now;
  while ((await log.books(['segment'])).consumers['segment']?.pending !== 0) await sleep(0);
  await delivery.stop(1_000);

  assert.deepEqual([...states], ['retrying']);
  for (const { ms, askedMs: asked } of waits) {
    assert.ok(
      ms <= Math.max(longestBackoffMs, Math.min(asked, longestRetryAfterMs)),
      `${ms} ms, asked ${asked}`,
    );
    assert.ok(ms >= Math.min(asked, longestRetryAfterMs) - 1_000, `${ms} ms, asked ${asked}`);
  }
  assert.ok(
    resumedAt >= endsAt && resumedAt - endsAt <= longestBackoffMs + 1_000,
    `${resumedAt - endsAt} ms`,
  );
  const ids = segment.messages.map(({ messageId }) => messageId);
  assert.equal(appended, ((72 * hourMs) / roundEveryMs) * eventsOfRound);
  assert.deepEqual(
    ids,
    Array.from({ length: appended }, (_, sequence) => `fusionauth-${sequence}-track`),
  );
  const { consumers } = await log.books(['segment']);
  assert.partialDeepStrictEqual(consumers['segment'], { pending: 0, delivered: appended, dead: 0 });
  const longest = Math.max(...waits.filter(({ askedMs: asked }) => asked === 0).map(({ ms }) => ms));
  t.diagnostic(
    `${appended} events in 72 simulated hours, ${waits.length} waits, the longest ${longest} ms where Segment asked for ` +
      `none; delivery resumed ${resumedAt - endsAt} ms after the end`,
  );
});

/** What Segment answers after so many hours, and what it then asks for. */
function faultAt(hours: number, now: number): { fault: Fault | undefined; asksForMs: number } {
  const asking = (retryAfter: string, asksForMs: number) => ({
    fault: { kind: 'status', status: 429, headers: { 'retry-after': retryAfter } } as const,
    asksForMs,
  });
  if (hours >= 72) return { fault: undefined, asksForMs: 0 };
  if (hours >= 10 && hours < 14) return asking('3600', hourMs);
  if (hours >= 20 && hours < 24) return asking(new Date(now + 2 * hourMs).toUTCString(), 2 * hourMs);
  // A year: bounded to a day.
  if (hours >= 30 && hours < 31) return asking(String(365 * 24 * 60 * 60), 365 * 24 * hourMs);
  if (hours >= 60 && hours < 62) return { fault: { kind: 'reset' }, asksForMs: 0 };
  return { fault: { kind: 'status', status: 503 }, asksForMs: 0 };
}
