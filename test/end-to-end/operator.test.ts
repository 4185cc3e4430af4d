// The story of an operator through the running process and the command line: something is wrong, is told, is mended, and
// nothing is lost or counted twice.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findImbalances } from '../../src/http/status.ts';
import type { Replay } from '../../src/log/log.ts';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { runCommand } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { startWarehouse } from '../support/warehouse.ts';
import type { TestWarehouse } from '../support/warehouse.ts';

describe('an operator', { timeout: 120_000 }, () => {
  let warehouse: TestWarehouse;
  before(async () => {
    warehouse = await startWarehouse();
  });
  after(() => warehouse[Symbol.asyncDispose]());

  test('is told by status what blocks Segment, mends the key, and everything is delivered', async () => {
    await using site = await makeSite(warehouse, 'blocked');
    site.segment.faultFor = () => ({ kind: 'status', status: 401 });
    const ids: string[] = [];
    {
      await using bridge = await BridgeProcess.start(site.settings);
      ids.push(...(await postLogins(bridge, 5)));
      await until('it is blocked', async () => {
        return (await bridge.books()).destinations['segment']?.state === 'blocked';
      });
      const status = await site.run('status');
      const show = await site.run('show', ids[0] ?? '');

      assert.equal(status.exitCode, 1);
      assert.match(status.stdout, /^segment +blocked +5 +0 +0 +0 /m);
      assert.match(status.stdout, /^segment: Segment \(.*\) answered 401\. Check SEGMENT_WRITE_KEY/m);
      assert.match(status.stdout, /^The books balance\.$/m);
      assert.match(show.stdout, /^segment: pending$/m);
      assert.match(show.stdout, /^ {2}failing now, \d+ times: Segment \(.*\) answered 401\. Check/m);
      assert.match(bridge.stderr, /Delivery is blocked until a setting is mended/);
      await until('the warehouse has all', async () => (await rowsIn(warehouse, 'blocked')).length === 5);
    }

    site.segment.recover();
    await using bridge = await BridgeProcess.start({ ...site.settings, SEGMENT_WRITE_KEY: 'the-right-key' });
    const books = await bridge.settled();
    const status = await site.run('status');

    assert.deepEqual([status.exitCode, books.destinations['segment']?.delivered], [0, 5]);
    assert.deepEqual(
      site.segment.messages.map(({ messageId }) => messageId),
      ids.map((id) => `fusionauth-${id}-track`),
    );
    assert.deepEqual((await rowsIn(warehouse, 'blocked')).length, 5);
  });

  test('mends a map that threw, retries what it made dead, and each event is there once', async () => {
    await using site = await makeSite(warehouse, 'mended');
    await site.write("if (event.type === 'user.login.success') throw new Error('not yet');");
    const ids: string[] = [];
    {
      await using bridge = await BridgeProcess.start(site.settings);
      ids.push(...(await postLogins(bridge, 4)));
      await bridge.post(sample('user.update.complete'));
      await bridge.settled();
      const list = await site.run('dead-letters');
      const status = await site.run('status');

      for (const name of ['segment', 'warehouse']) {
        assert.match(list.stdout, new RegExp(`^${name} +map_failed +4 +4 `, 'm'));
      }
      for (const id of ids)
        assert.match(list.stdout, new RegExp(`^${id} +user\\.login\\.success +.*not yet`, 'm'));
      assert.match(status.stdout, /^segment +running +0 +1 +0 +4 /m);
      assert.equal(status.exitCode, 1, 'dead records are not well');
    }

    await site.write('');
    await using bridge = await BridgeProcess.start(site.settings);
    for (const name of ['segment', 'warehouse']) {
      const retry = await site.run('dead-letters', 'retry', '--of', name, '--reason', 'map_failed');
      assert.match(retry.stdout, new RegExp(`sends them to ${name} again`));
    }
    await until('all are delivered', async () => {
      const { destinations } = await bridge.books();
      return Object.values(destinations).every(({ delivered }) => delivered === 5);
    });
    const books = await bridge.books();
    const status = await site.run('status');
    const show = await site.run('show', ids[0] ?? '');

    assert.deepEqual(findImbalances(books), []);
    assert.equal(status.exitCode, 0);
    assert.match(show.stdout, /^segment: delivered at /m);
    assert.doesNotMatch(show.stdout, /dead letter/);
    const tracks = site.segment.messages.filter(({ type }) => type === 'track');
    const expected = ids.map((id) => `fusionauth-${id}-track`).sort();
    assert.deepEqual(tracks.map(({ messageId }) => messageId).sort(), expected);
    assert.deepEqual(await rowsIn(warehouse, 'mended'), expected);
  });

  test('sends again under the same ids, which collapse, and as new, which Segment and the warehouse take again', async () => {
    await using site = await makeSite(warehouse, 'again');
    await using bridge = await BridgeProcess.start(site.settings);
    const [id = ''] = await postLogins(bridge, 1);
    await bridge.settled();

    const dryRun = await site.run('replay', '--to', 'segment', '--event', id, '--dry-run');
    for (const to of ['segment', 'warehouse']) {
      await site.run('replay', '--to', to, '--event', id);
      await site.run('replay', '--to', to, '--event', id, '--as-new');
    }
    const replays = await site.untilReplaysEnd(bridge);

    assert.equal(dryRun.stdout, '1 records would be sent to segment again\n');
    const messageId = `fusionauth-${id}-track`;
    const suffixes = (name: string) =>
      replays.filter(({ consumer, asNew }) => consumer === name && asNew).map(({ idSuffix }) => idSuffix);
    assert.deepEqual(
      site.segment.messages.map((message) => message.messageId),
      [messageId, messageId, `${messageId}${suffixes('segment').join('')}`],
    );
    assert.deepEqual(await rowsIn(warehouse, 'again'), [
      messageId,
      `${messageId}${suffixes('warehouse').join('')}`,
    ]);
    assert.deepEqual(findImbalances(await bridge.books()), []);
  });

  test('sees a replay go on to its end after a SIGKILL in the middle, with each record settled once', async () => {
    await using site = await makeSite(warehouse, 'killed');
    const count = 60;
    let ids: readonly string[];
    {
      await using bridge = await BridgeProcess.start(site.settings);
      ids = await postLogins(bridge, count);
      await bridge.settled();
      await site.run('replay', '--to', 'segment', '--type', 'user.login.*', '--rate', '20', '--as-new');
      await until('a part of it is sent', async () => {
        const [replay] = await site.replays(bridge);
        return replay !== undefined && replay.delivered >= 20 && replay.delivered < count;
      });
      await bridge.end('SIGKILL');
    }

    await using bridge = await BridgeProcess.start(site.settings);
    const [replay] = await site.untilReplaysEnd(bridge);
    const { stored, destinations } = await bridge.books();

    assert.partialDeepStrictEqual(replay, { state: 'done', delivered: count, filtered: 0, dead: 0 });
    assert.partialDeepStrictEqual(destinations['segment'], {
      pending: 0,
      delivered: count,
      filtered: 0,
      dead: 0,
    });
    assert.equal(stored, count);
    assert.deepEqual(
      site.segment.deduplicated.map(({ messageId }) => messageId).sort(),
      ids
        .flatMap((id) => [`fusionauth-${id}-track`, `fusionauth-${id}-track${replay?.idSuffix ?? ''}`])
        .sort(),
    );
  });
});

/** Message ids of the logins in this schema. */
async function rowsIn(warehouse: TestWarehouse, schema: string): Promise<readonly string[]> {
  const rows = await warehouse
    .query(`select id from ${schema}.user_login_success order by id`)
    .catch(() => []);
  return rows.map(({ id }) => String(id));
}

async function postLogins(bridge: BridgeProcess, count: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const body = sample('user.login.success');
    await bridge.post(body);
    ids.push(body.event.id);
  }
  return ids;
}

/** A bridge's settings with both destinations and a configuration file, and the commands that talk to that bridge. */
async function makeSite(warehouse: TestWarehouse, schema: string) {
  const folder = await temporaryFolder();
  const segment = await SegmentStandIn.start();
  const configFile = join(folder.path, 'bridge.config.ts');
  const settings = {
    CONFIG: configFile,
    DATA_DIR: join(folder.path, 'data'),
    PORT: String(await freePort()),
    WAREHOUSE_URL: warehouse.url,
    WAREHOUSE_SCHEMA: schema,
    SEGMENT_WRITE_KEY: 'k',
    SEGMENT_ENDPOINT: segment.url,
  };
  const site = {
    settings,
    segment,
    /** Makes this the beginning of the file's `map`. */
    write: (code: string) =>
      writeFile(
        configFile,
        `export default {\n  map(event, messages) {\n    ${code}\n    return messages;\n  },\n};\n`,
      ),
    async run(...args: string[]) {
      const { exitCode, stdout, stderr } = await runCommand(args, { settings });
      assert.equal(stderr, '', args.join(' '));
      return { exitCode, stdout };
    },
    async replays(bridge: BridgeProcess): Promise<readonly Replay[]> {
      return (JSON.parse((await bridge.get('/api/replays')).text) as { replays: readonly Replay[] }).replays;
    },
    async untilReplaysEnd(bridge: BridgeProcess): Promise<readonly Replay[]> {
      await until('no replay runs', async () => {
        return (await site.replays(bridge)).every(({ state }) => state !== 'running');
      });
      return site.replays(bridge);
    },
    async [Symbol.asyncDispose]() {
      await segment[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
  await site.write('');
  return site;
}
