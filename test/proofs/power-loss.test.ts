// The power goes at random moments while webhooks pour in. The disk then holds what was fsynced, and of the rest what
// chance has left, sector by sector (power-loss/disk.ts says what is modelled). What was acknowledged is in the log after
// every start, and in the end in the warehouse once and at Segment, in order for each user.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findImbalances } from '../../src/http/status.ts';
import { sample } from '../support/bridge.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { compileShim, PoweredBridge } from './power-loss/powered-bridge.ts';
import type { Chance } from './power-loss/disk.ts';

/** Longer by hand: npm run proof:power-loss. */
const losses = Number(process.env['POWER_LOSSES'] ?? 6);
const people = 8;
/** The log copies its write-ahead log every 16 MB; so that power is also lost in the midst of that, here much sooner. */
const frequentCheckpoints = { 'wal_autocheckpoint = 4000': 'wal_autocheckpoint = 30' };

// Removed after the tests, which a declaration by `using` would not wait for.
const tools = await temporaryFolder();
after(() => tools[Symbol.asyncDispose]());
const shim = compileShim(tools.path);
if (shim === undefined) {
  process.stdout.write('Power loss is not proved here: that takes Linux and a C compiler (cc).\n');
} else {
  describe('power loss', () => {
    test(`${losses} power losses under load: what was acknowledged is in the log after each`, async (t) => {
      await using warehouse = await startWarehouse();
      await using run = await Run.start(shim, { WAREHOUSE_URL: warehouse.url });

      run.pour();
      let lossesInStart = 0;
      for (let loss = 1; loss <= losses; loss++) {
        // Every fourth power loss comes while the bridge starts on what the last one has left.
        const isInStart = loss % 4 === 0;
        if (isInStart) lossesInStart++;
        else await run.powered.bridge.untilItRuns();
        await sleep(isInStart ? randomInt(20, 500) : randomInt(50, 700));
        await run.losePower(someChance());
        run.powered.restart(randomInt(2) === 0 ? frequentCheckpoints : {});
        if (isInStart && loss < losses) continue;
        await run.powered.bridge.untilItRuns();
        assert.deepEqual(await run.findLost(run.acknowledgedSinceCheck()), [], `lost by power loss ${loss}`);
        assert.deepEqual(findImbalances(await run.powered.bridge.books()), []);
        assert.equal(run.damageTold(), undefined);
      }
      await run.endPouring();

      const books = await run.powered.bridge.settled();
      assert.deepEqual(findImbalances(books), []);
      const acknowledged = run.acknowledged.flat();
      assert.deepEqual(await run.findLost(acknowledged), []);
      const rows = await warehouse.query('select id from fusionauth.tracks');
      const rowIds = new Set(rows.map(({ id }) => id));
      assert.equal(rowIds.size, rows.length);
      assert.deepEqual(
        acknowledged.filter((id) => !rowIds.has(messageIdOf(id))),
        [],
      );
      const sent = run.segment.deduplicated.map(({ messageId }) => messageId);
      for (const [person, ids] of run.acknowledged.entries()) {
        const ofPerson = sent.filter((id) => id.startsWith(`fusionauth-${person}-`));
        assert.deepEqual(ofPerson.slice(0, ids.length), ids.map(messageIdOf));
      }
      assert.ok(acknowledged.length > losses, 'webhooks were acknowledged between the losses');
      t.diagnostic(
        `${losses} power losses, ${lossesInStart} of them during a start: ${acknowledged.length} events acknowledged, ` +
          `${run.powered.syncs} fsyncs, none lost`,
      );
    });

    test('the first power loss of a new bridge: what was acknowledged is in the log', async (t) => {
      await using run = await Run.start(shim, { WAREHOUSE_URL: 'off' });

      run.pour();
      const rounds = Math.max(2, Math.ceil(losses / 10));
      let checked = 0;
      for (let round = 0; round < rounds; round++) {
        await run.powered.bridge.untilItRuns();
        await sleep(randomInt(20, 100));
        await run.losePower(someChance());
        run.powered.restart();
        await run.powered.bridge.untilItRuns();
        const ids = run.acknowledgedSinceCheck();
        assert.deepEqual(await run.findLost(ids), [], `lost by the power loss of new bridge ${round}`);
        assert.equal(run.damageTold(), undefined);
        checked += ids.length;
        await run.powered.bridge.end('SIGKILL');
        run.acknowledgedSinceCheck();
        run.powered.restart({}, true);
      }
      await run.endPouring();

      assert.ok(checked > 0, 'webhooks were acknowledged before the losses');
      t.diagnostic(`${rounds} new bridges: ${checked} events acknowledged, none lost`);
    });

    // So that the proof is known to find what it looks for.
    for (const synchronous of ['off', 'normal']) {
      test(`a log with synchronous=${synchronous} is found to lose what was acknowledged`, async (t) => {
        const pragmas = { 'synchronous = full': `synchronous = ${synchronous}` };
        await using run = await Run.start(shim, { WAREHOUSE_URL: 'off' }, pragmas);

        run.pour();
        await run.powered.bridge.untilItRuns();
        while (run.acknowledged.flat().length < 50) await sleep(10);
        await run.losePower({ random: Math.random, share: 0, sectorBytes: 512 });
        run.powered.restart();
        await run.powered.bridge.untilItRuns();
        const acknowledged = run.acknowledgedSinceCheck();
        const lost = await run.findLost(acknowledged);
        await run.endPouring();

        t.diagnostic(`${lost.length} of ${acknowledged.length} acknowledged events are lost`);
        assert.ok(lost.length >= 50, `${lost.length} of ${acknowledged.length} are lost`);
      });
    }
  });
}

function someChance(): Chance {
  const share = [0, 0.5, 0.9, 1, Math.random()][randomInt(5)] ?? 0;
  return { random: Math.random, share, sectorBytes: randomInt(2) === 0 ? 512 : 4096 };
}

function messageIdOf(eventId: string): string {
  return `fusionauth-${eventId}-track`;
}

class Run implements AsyncDisposable {
  readonly #folder: AsyncDisposable;
  readonly powered: PoweredBridge;
  readonly segment: SegmentStandIn;
  /** Event ids of each person, in the order in which they were answered 200. */
  readonly acknowledged: string[][] = Array.from({ length: people }, () => []);
  #unchecked: string[] = [];
  #pouring: Promise<unknown> = Promise.resolve();
  readonly #ending = new AbortController();

  private constructor(folder: AsyncDisposable, powered: PoweredBridge, segment: SegmentStandIn) {
    this.#folder = folder;
    this.powered = powered;
    this.segment = segment;
  }

  static async start(
    shim: string,
    settings: Readonly<Record<string, string>>,
    pragmas: Readonly<Record<string, string>> = {},
  ): Promise<Run> {
    const folder = await temporaryFolder();
    const segment = await SegmentStandIn.start();
    const port = String(await freePort());
    const all = { PORT: port, SEGMENT_WRITE_KEY: 'k', SEGMENT_ENDPOINT: segment.url, ...settings };
    return new Run(folder, new PoweredBridge({ shim, folder: folder.path, settings: all }, pragmas), segment);
  }

  async losePower(chance: Chance): Promise<void> {
    await this.powered.losePower(chance);
  }

  /** Posts events of each person, one after the other; one that got no 200 is posted again under its id. */
  pour(): void {
    this.#pouring = Promise.all(this.acknowledged.map((_, person) => this.#pourOne(person)));
  }

  async endPouring(): Promise<void> {
    this.#ending.abort();
    await this.#pouring;
  }

  acknowledgedSinceCheck(): string[] {
    const ids = this.#unchecked;
    this.#unchecked = [];
    return ids;
  }

  /** Those that the log does not have. */
  async findLost(ids: readonly string[]): Promise<string[]> {
    const lost: string[] = [];
    const left = [...ids];
    const ask = async () => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) {
        if ((await this.powered.bridge.get(`/api/events/${id}`)).status !== 200) lost.push(id);
      }
    };
    await Promise.all(Array.from({ length: 4 }, ask));
    return lost;
  }

  /** What the bridge says of a damaged log: a power loss alone damages none. */
  damageTold(): unknown {
    return this.powered.bridge.lines.find(({ msg }) => String(msg).startsWith('The log was damaged'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endPouring();
    await this.powered.bridge.end('SIGKILL');
    await this.segment[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }

  async #pourOne(person: number): Promise<void> {
    const isOver = () => this.#ending.signal.aborted;
    for (let sequence = 0; !isOver(); sequence++) {
      const id = `${person}-${sequence}`;
      const body = sample('user.login.success', { id, userId: `person-${person}` });
      for (let isTaken = false; !isTaken && !isOver();) {
        isTaken = await this.powered.bridge.post(body).then(
          ({ status }) => status === 200,
          () => false,
        );
        if (isTaken) {
          this.acknowledged[person]?.push(id);
          this.#unchecked.push(id);
        }
        await sleep(randomInt(80));
      }
    }
  }
}
