// Each fault that Segment or the way to it can have, as it begins, lasts and ends while webhooks come: it is told in the
// status, with what to do, and afterwards everything has arrived once, in order for each user, and only what was bad is
// dead.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { findImbalances } from '../../src/http/status.ts';
import type { DestinationStatus } from '../../src/http/status.ts';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentStandIn } from '../support/segment.ts';
import type { Fault } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const users = 4;
const eventsOfUser = 5;
const dayMs = 24 * 60 * 60_000;
const expired = makeCertificate({
  from: new Date(Date.now() - 30 * dayMs),
  until: new Date(Date.now() - dayMs),
});
const renewed = makeCertificate({
  from: new Date(Date.now() - dayMs),
  until: new Date(Date.now() + 30 * dayMs),
});

interface Case {
  readonly name: string;
  /** Makes it begin, and returns what ends it. */
  readonly begin: (stage: Stage) => () => void;
  /** What the status says while it lasts. */
  readonly state: DestinationStatus['state'];
  readonly message?: RegExp;
  readonly hint?: RegExp;
  /** What the log tells beside it. */
  readonly cause?: RegExp;
  /** Failed attempts to wait for before it ends. */
  readonly attempts?: number;
  /** It is somebody's to mend, who starts the bridge again; it would also try by itself, twice a minute. */
  readonly isRestarted?: boolean;
  /** How long the second attempt waits at least. */
  readonly waitMs?: number;
}

interface Stage {
  readonly segment: SegmentStandIn;
  readonly dnsIsGone: string;
}

const kept = /events are kept and sent later/;

const cases: readonly Case[] = [
  {
    name: 'answers 200 slowly',
    begin: ({ segment }) => {
      segment.latencyMs = 1_500;
      return () => (segment.latencyMs = 0);
    },
    state: 'running',
  },
  failing('answers 503', { kind: 'status', status: 503 }, /answered 503/, /overloaded or down/),
  {
    ...failing(
      'answers 429 with Retry-After in seconds',
      { kind: 'status', status: 429, headers: { 'retry-after': '2' } },
      /answered 429/,
      kept,
    ),
    waitMs: 2_000,
  },
  {
    ...failing('answers 429 with Retry-After as a date', later(3_000), /answered 429/, kept),
    // The date has whole seconds.
    waitMs: 1_900,
  },
  failing('resets connections', { kind: 'reset' }, /the connection broke off/, /network, DNS and any proxy/),
  {
    ...failing('never answers', { kind: 'hang' }, /it does not answer/, /network, DNS and any proxy/),
    attempts: 1,
  },
  failing(
    'breaks off in the midst of its answer',
    { kind: 'taken-but-half-answered' },
    /the connection broke off/,
    /network, DNS and any proxy/,
  ),
  failing(
    'is replaced by a sign-in page that answers 200',
    { kind: 'web-page' },
    /answered 200 with a web page/,
    /SEGMENT_ENDPOINT.*sign-in page/,
  ),
  {
    ...failing(
      'redirects',
      { kind: 'status', status: 302, headers: { location: 'https://www.example.com/' } },
      /answered 302, a redirect/,
      /SEGMENT_ENDPOINT/,
    ),
    state: 'blocked',
    attempts: 1,
    isRestarted: true,
  },
  {
    name: 'has an expired certificate',
    begin: ({ segment }) => {
      segment.renewCertificate(expired);
      // An open connection stays good; this answer makes the bridge open a new one.
      segment.fail({ kind: 'status', status: 503 }, 1);
      return () => segment.renewCertificate(renewed);
    },
    state: 'retrying',
    message: /does not trust its certificate \(CERT_HAS_EXPIRED\)/,
    hint: /NODE_EXTRA_CA_CERTS.*events are kept/,
    cause: /certificate has expired/,
    attempts: 3,
  },
  {
    name: 'is unknown to DNS',
    begin: ({ segment, dnsIsGone }) => {
      writeFileSync(dnsIsGone, '');
      segment.fail({ kind: 'status', status: 503 }, 1);
      return () => rmSync(dnsIsGone);
    },
    state: 'retrying',
    message: /could not be reached: the host name is unknown/,
    hint: /^Mend SEGMENT_ENDPOINT, or DNS on this machine/,
    cause: /ENOTFOUND/,
    attempts: 3,
  },
];

describe('events survive that Segment', { concurrency: 3, timeout: 120_000 }, () => {
  for (const fault of cases) {
    test(fault.name, async () => {
      await using folder = await temporaryFolder();
      const dnsIsGone = join(folder.path, 'dns-is-gone');
      const isTls = fault.name.includes('certificate');
      await using segment = await SegmentStandIn.start(isTls ? renewed : undefined);
      const authorities = join(folder.path, 'authorities.pem');
      writeFileSync(authorities, expired.cert + renewed.cert);
      const settings = {
        PORT: String(await freePort()),
        DATA_DIR: join(folder.path, 'data'),
        WAREHOUSE_URL: 'off',
        SEGMENT_WRITE_KEY: 'k',
        SEGMENT_ENDPOINT: isTls ? segment.url : segment.url.replace('127.0.0.1', 'segment.test'),
        NODE_OPTIONS: `--import=${new URL('./faults/dns.ts', import.meta.url).pathname}`,
        NODE_EXTRA_CA_CERTS: authorities,
        DNS_IS_GONE: dnsIsGone,
        LOG_LEVEL: 'debug',
      };
      await using stack = new AsyncDisposableStack();
      let bridge = stack.use(await BridgeProcess.start(settings));
      const status = async () => (await bridge.books()).destinations['segment'];
      await postRound(bridge, 0);
      await bridge.settled();
      const before = segment.requests;

      const end = fault.begin({ segment, dnsIsGone });
      for (let round = 1; round < eventsOfUser; round++) await postRound(bridge, round);
      const { attempts = 2 } = fault;
      await until('the fault is told', async () => {
        const now = await status();
        return fault.state === 'running' ? now?.pending !== 0 : (now?.fault?.attempts ?? 0) >= attempts;
      });
      const during = await status();
      const causes = bridge.lines.map(({ cause }) => cause);
      end();
      if (fault.isRestarted) {
        await bridge.end('SIGTERM');
        bridge = stack.use(await BridgeProcess.start(settings));
      }
      const books = await bridge.settled();

      assert.equal(during?.state, fault.state);
      assert.match(during.fault?.message ?? '', fault.message ?? /^$/);
      assert.match(during.fault?.hint ?? '', fault.hint ?? /^$/);
      if (fault.cause) assert.match(causes.join(), fault.cause);
      const delivered = users * eventsOfUser;
      assert.partialDeepStrictEqual(books.destinations['segment'], {
        state: 'running',
        pending: 0,
        delivered,
        dead: 0,
      });
      assert.equal(books.destinations['segment']?.fault, undefined);
      assert.deepEqual(findImbalances(books), []);
      assertArrived(segment);
      const [first = 0, second = 0] = segment.requestedAt.slice(before);
      assert.ok(second - first >= (fault.waitMs ?? 0), `it waited ${second - first} ms`);
    });
  }

  test('refuses one message in a thousand', async () => {
    await using segment = await SegmentStandIn.start();
    await using folder = await temporaryFolder();
    const bad = new Set(['fusionauth-11-77-track', 'fusionauth-3-1-track']);
    segment.isBad = ({ messageId }) => bad.has(messageId);
    await using bridge = await BridgeProcess.start({
      PORT: String(await freePort()),
      DATA_DIR: join(folder.path, 'data'),
      WAREHOUSE_URL: 'off',
      SEGMENT_WRITE_KEY: 'k',
      SEGMENT_ENDPOINT: segment.url,
    });
    const [rounds, many] = [100, 20];

    for (let round = 0; round < rounds; round++) await postRound(bridge, round, many);
    const books = await bridge.settled();
    const { text } = await bridge.get('/api/dead-letters');

    const { deadLetters } = JSON.parse(text) as { deadLetters: { messageId: string; reason: string }[] };
    assert.deepEqual(deadLetters.map(({ messageId }) => messageId).toSorted(), [...bad]);
    assert.partialDeepStrictEqual(books.destinations['segment'], {
      state: 'running',
      delivered: many * rounds - bad.size,
      dead: bad.size,
    });
    assert.deepEqual(findImbalances(books), []);
    assertArrived(segment, { rounds, many, bad });
  });
});

function failing(name: string, fault: Fault, message: RegExp, hint: RegExp): Case {
  const begin = ({ segment }: Stage) => {
    segment.fail(fault);
    return () => segment.recover();
  };
  return { name, begin, state: 'retrying', message, hint };
}

/** 429 with a date so much later than each answer. */
function later(waitMs: number): Fault {
  return {
    kind: 'status',
    status: 429,
    get headers() {
      return { 'retry-after': new Date(Date.now() + waitMs).toUTCString() };
    },
  };
}

/** One event of each user. */
async function postRound(bridge: BridgeProcess, round: number, many = users): Promise<void> {
  const posts = Array.from({ length: many }, (_, user) =>
    bridge.post(sample('user.login.success', { id: `${user}-${round}`, userId: `user-${user}` })),
  );
  for (const { status } of await Promise.all(posts)) assert.equal(status, 200);
}

function assertArrived(
  segment: SegmentStandIn,
  { rounds = eventsOfUser, many = users, bad = new Set<string>() } = {},
): void {
  const ids = segment.deduplicated.map(({ messageId }) => messageId);
  for (let user = 0; user < many; user++) {
    const expected = Array.from({ length: rounds }, (_, round) => `fusionauth-${user}-${round}-track`);
    assert.deepEqual(
      ids.filter((id) => id.startsWith(`fusionauth-${user}-`)),
      expected.filter((id) => !bad.has(id)),
    );
  }
  assert.equal(ids.length, many * rounds - bad.size);
}
