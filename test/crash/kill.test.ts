// SIGKILL while webhooks pour in, imports among them, while Segment and PostgreSQL fail at random and replays run: what
// was acknowledged is in the warehouse once, and at Segment, and each user's messages are in the order in which they were
// acknowledged.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { connectionUrl, readConnection } from '../../src/destinations/warehouse/embedded/connection.ts';
import { findImbalances } from '../../src/http/status.ts';
import type { Replay } from '../../src/log/log.ts';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { freePort } from '../support/free-port.ts';
import { messagesOf, received } from '../support/mapped.ts';
import { SegmentStandIn } from '../support/segment.ts';
import type { Fault } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { killServer, terminateBackends } from './postgres-faults.ts';

/** Longer by hand: npm run proof:kill. */
const kills = Number(process.env['KILLS'] ?? 12);
const people = 16;
const usersOfImport = 300;
const segmentFaults: readonly Fault[] = [
  { kind: 'status', status: 503 },
  { kind: 'status', status: 429, headers: { 'retry-after': '1' } },
  { kind: 'reset' },
  { kind: 'taken-but-reset' },
];

test(`${kills} SIGKILLs under load: every acknowledged event is in the warehouse once and at Segment, in order`, async (t) => {
  await using folder = await temporaryFolder();
  await using segment = await SegmentStandIn.start();
  segment.faultFor = () => (randomInt(7) === 0 ? segmentFaults[randomInt(segmentFaults.length)] : undefined);
  await using run = await KillRun.start(folder.path, segment);

  run.pour();
  const resumedReplays = new Set<number>();
  let killsInStart = 0;
  for (let kill = 1; kill <= kills; kill++) {
    // Every fifth kill comes while the bridge starts.
    const isInStart = kill % 5 === 0;
    if (isInStart) killsInStart++;
    await sleep(isInStart ? randomInt(20, 800) : randomInt(50, 700));
    await run.bridge.end('SIGKILL');
    run.bridge = BridgeProcess.launch(run.settings);
    if ((kill + 1) % 5 === 0) continue;
    await run.bridge.untilItRuns();
    for (const { id } of await run.runningReplays()) resumedReplays.add(id);
    await run.replayAll();
  }
  await run.endPouring();
  segment.recover();
  await until('nothing is pending', () => run.isSettled(), 180_000);

  const books = await run.bridge.books();
  assert.deepEqual(findImbalances(books), []);
  const settledAs = { pending: 0, delivered: books.stored, filtered: 0, dead: 0 };
  assert.partialDeepStrictEqual(books, { destinations: { segment: settledAs, warehouse: settledAs } });
  const rowIds = await readRowIds(folder.path);
  const inWarehouse = new Set(rowIds);
  assert.equal(inWarehouse.size, rowIds.length);
  const atSegment = segment.deduplicated.map(({ messageId }) => messageId);
  assert.deepEqual(atSegment.toSorted(), rowIds.toSorted());
  for (const [sender, ids] of run.acknowledged.entries()) {
    // What was stored by a request whose answer the kill took was posted again, so it is acknowledged as well, or last.
    const ofSender = atSegment.filter((id) => id.startsWith(`fusionauth-${sender}-`));
    assert.deepEqual(ofSender.slice(0, ids.length), ids);
  }
  assert.ok(run.acknowledged.flat().length > kills, 'webhooks were acknowledged between the kills');
  assert.ok(run.imports > 0, 'imports were acknowledged');
  assert.ok(resumedReplays.size > 0, 'a replay was killed in its midst');
  t.diagnostic(
    `${kills} kills, ${killsInStart} of them during a start; ${run.backendsEnded} times PostgreSQL's connections were ` +
      `ended and ${run.serversKilled} times the server killed; ${books.stored} events stored, ${run.imports} imports of ` +
      `${usersOfImport} users among them; ${rowIds.length} rows, as many messages at Segment, which took ` +
      `${segment.messages.length} with repeats; ${run.replays} replays, ${resumedReplays.size} of them through a kill`,
  );
});

async function readRowIds(dataDirectory: string): Promise<string[]> {
  const connection = readConnection(dataDirectory);
  assert.ok(connection);
  const client = new pg.Client({ connectionString: connectionUrl(connection, 'reader') });
  await client.connect();
  const { rows } = await client.query<{ id: string }>(
    'select id from tracks union all select id from identifies',
  );
  await client.end();
  return rows.map(({ id }) => id);
}

class KillRun implements AsyncDisposable {
  readonly settings: Readonly<Record<string, string>>;
  bridge: BridgeProcess;
  /** Message ids of what each sender was answered 200 for, in that order; the last sender is the one that imports. */
  readonly acknowledged: string[][] = Array.from({ length: people + 1 }, () => []);
  imports = 0;
  replays = 0;
  backendsEnded = 0;
  serversKilled = 0;
  readonly #ending = new AbortController();
  #pouring: Promise<unknown> = Promise.resolve();

  private constructor(settings: Readonly<Record<string, string>>, bridge: BridgeProcess) {
    this.settings = settings;
    this.bridge = bridge;
  }

  static async start(dataDirectory: string, segment: SegmentStandIn): Promise<KillRun> {
    const settings = {
      DATA_DIR: dataDirectory,
      PORT: String(await freePort()),
      WAREHOUSE_PORT: String(await freePort()),
      SEGMENT_WRITE_KEY: 'k',
      SEGMENT_ENDPOINT: segment.url,
    };
    return new KillRun(settings, await BridgeProcess.start(settings));
  }

  pour(): void {
    const senders = Array.from({ length: people }, (_, person) => this.#pourLogins(person));
    this.#pouring = Promise.all([...senders, this.#pourImports(people), this.#failPostgres()]);
  }

  async endPouring(): Promise<void> {
    this.#ending.abort();
    await this.#pouring;
  }

  async runningReplays(): Promise<readonly Replay[]> {
    const { replays } = JSON.parse((await this.bridge.get('/api/replays')).text) as { replays: Replay[] };
    return replays.filter(({ state }) => state === 'running');
  }

  /** Sends everything again, in some two seconds, to each destination that does not have such a replay yet. */
  async replayAll(): Promise<void> {
    const { stored } = await this.bridge.books();
    const running = await this.runningReplays();
    for (const destination of ['segment', 'warehouse']) {
      if (running.some(({ consumer }) => consumer === destination)) continue;
      const request = { destination, perSecond: Math.max(100, Math.round(stored / 2)) };
      const { status } = await this.bridge.post(request, {}, '/api/replays');
      assert.equal(status, 200);
      this.replays++;
    }
  }

  async isSettled(): Promise<boolean> {
    const { destinations } = await this.bridge.books();
    const isPending = Object.values(destinations).some(({ pending }) => pending > 0);
    return !isPending && (await this.runningReplays()).length === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endPouring();
    await this.bridge.end('SIGTERM');
  }

  async #pourLogins(person: number): Promise<void> {
    for (let sequence = 0; !this.#isOver(); sequence++) {
      const id = `${person}-${sequence}`;
      await this.#post(person, sample('user.login.success', { id, userId: `person-${person}` }));
      await sleep(randomInt(40));
    }
  }

  async #pourImports(sender: number): Promise<void> {
    for (let sequence = 0; !this.#isOver(); sequence++) {
      const body = sample('user.bulk.create', { id: `${sender}-${sequence}` });
      const [user = {}] = (body.event as unknown as { users: object[] }).users;
      const users = Array.from({ length: usersOfImport }, (_, index) => ({
        ...user,
        id: `imported-${sequence}-${index}`,
      }));
      if (await this.#post(sender, { event: { ...body.event, users } })) this.imports++;
      await sleep(randomInt(3_000), undefined, { signal: this.#ending.signal }).catch(() => undefined);
    }
  }

  /** An event that got no 200 is posted again under its id. False where the end came first. */
  async #post(sender: number, body: { event: Readonly<Record<string, unknown>> }): Promise<boolean> {
    while (!this.#isOver()) {
      const isTaken = await this.bridge.post(body).then(
        ({ status }) => status === 200,
        () => false,
      );
      if (isTaken) {
        const ids = messagesOf(received(body.event)).map(({ messageId }) => messageId);
        this.acknowledged[sender]?.push(...ids);
        return true;
      }
      await sleep(20);
    }
    return false;
  }

  async #failPostgres(): Promise<void> {
    const dataDirectory = this.settings['DATA_DIR'] ?? '';
    while (!this.#isOver()) {
      await sleep(randomInt(50, 1_000), undefined, { signal: this.#ending.signal }).catch(() => undefined);
      if (randomInt(4) === 0) this.serversKilled += killServer(dataDirectory) ? 1 : 0;
      else this.backendsEnded += (await terminateBackends(dataDirectory)) ? 1 : 0;
    }
  }

  #isOver(): boolean {
    return this.#ending.signal.aborted;
  }
}
