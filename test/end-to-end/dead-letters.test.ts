// What an operator does about dead letters and with replays, through the running process and the command line.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { runCommand } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

test('what a broken map refused is told by reason, retried once it is mended, and what nobody needs is discarded', async () => {
  await using site = await makeSite("throw new Error('not yet')");
  const login = sample('user.login.success');
  const failed = sample('user.login.failed');
  const other = sample('user.login.failed');
  {
    await using bridge = await BridgeProcess.start(site.settings);
    for (const body of [login, failed, other]) await bridge.post(body);
    await bridge.settled();

    const list = await site.run('dead-letters', 'list', '--json');
    const shown = await site.run('dead-letters', 'show', failed.event.id);

    assert.partialDeepStrictEqual(list, {
      counts: [{ consumer: 'segment', reason: 'map_failed', records: 2 }],
    });
    assert.partialDeepStrictEqual(shown, [{ eventId: failed.event.id, reason: 'map_failed', message: null }]);
    assert.match(JSON.stringify(shown), /not yet.*bridge\.config\.ts:/s);
  }

  await site.write('return messages');
  await using bridge = await BridgeProcess.start(site.settings);
  const dryRun = await site.run(
    'dead-letters',
    'retry',
    '--of',
    'segment',
    '--event',
    failed.event.id,
    '--dry-run',
    '--json',
  );
  await site.run('dead-letters', 'retry', '--of', 'segment', '--event', failed.event.id, '--json');
  await until('it is delivered', async () => (await bridge.books()).destinations['segment']?.delivered === 2);
  const discarded = await site.run(
    'dead-letters',
    'discard',
    '--of',
    'segment',
    '--all',
    '--because',
    'a test of ours',
    '--json',
  );
  const journey = await site.run('show', other.event.id, '--json');

  assert.deepEqual(dryRun, { records: 1 });
  assert.deepEqual(discarded, { discarded: 1 });
  assert.partialDeepStrictEqual(journey, {
    destinations: { segment: { outcome: 'filtered', discardedBecause: 'a test of ours' } },
  });
  const { stored, destinations } = await bridge.books();
  assert.equal(stored, 3);
  assert.partialDeepStrictEqual(destinations['segment'], { pending: 0, delivered: 2, filtered: 1, dead: 0 });
  assert.deepEqual(
    site.segment.deduplicated.map(({ messageId }) => messageId).sort(),
    [`fusionauth-${failed.event.id}-track`, `fusionauth-${login.event.id}-track`].sort(),
  );
});

test('a replay sends the same message ids, or new ones where it is asked to; a slow one can be stopped', async () => {
  await using site = await makeSite('return messages');
  await using bridge = await BridgeProcess.start(site.settings);
  const { event } = sample('user.login.success');
  await bridge.post({ event });
  for (let count = 0; count < 5; count++) await bridge.post(sample('user.update.complete'));
  await bridge.settled();
  const idsOf = () =>
    site.segment.messages.map(({ messageId }) => messageId).filter((id) => id.includes(event.id));

  await site.run('replay', '--to', 'segment', '--type', 'user.login.*', '--json');
  await until('it was sent again', () => idsOf().length === 2);
  await site.run('replay', '--to', 'segment', '--event', event.id, '--as-new', '--json');
  await until('it was sent as new', () => idsOf().length === 3);
  await site.run('replay', '--to', 'segment', '--type', 'user.update.*', '--rate', '0.1', '--json');
  await site.run('replay', '--stop', '3', '--json');
  const replays = (await site.run('replay', '--list', '--json')) as { id: number; state: string }[];

  const id = `fusionauth-${event.id}-track`;
  assert.deepEqual(idsOf(), [id, id, `${id}-r2`]);
  assert.deepEqual(
    replays.map((replay) => [replay.id, replay.state]),
    [
      [3, 'stopped'],
      [2, 'done'],
      [1, 'done'],
    ],
  );
  assert.partialDeepStrictEqual((await bridge.books()).destinations['segment'], {
    pending: 0,
    delivered: 6,
    dead: 0,
  });
});

/** A bridge's settings with Segment alone and a configuration file, and the commands that talk to that bridge. */
async function makeSite(failedLogins: string) {
  const folder = await temporaryFolder();
  const segment = await SegmentStandIn.start();
  const configFile = join(folder.path, 'bridge.config.ts');
  const settings = {
    CONFIG: configFile,
    DATA_DIR: join(folder.path, 'data'),
    PORT: String(await freePort()),
    WAREHOUSE_URL: 'off',
    SEGMENT_WRITE_KEY: 'k',
    SEGMENT_ENDPOINT: segment.url,
  };
  const write = (code: string) =>
    writeFile(
      configFile,
      `export default {
  map(event, messages) {
    if (event.type === 'user.login.failed') {
      ${code};
    }
    return messages;
  },
};
`,
    );
  await write(failedLogins);
  return {
    settings,
    segment,
    write,
    /** The JSON document that a command prints. */
    async run(...args: string[]): Promise<unknown> {
      const { exitCode, stdout, stderr } = await runCommand(args, { settings });
      assert.equal(exitCode, 0, stderr);
      return JSON.parse(stdout) as unknown;
    },
    async [Symbol.asyncDispose]() {
      await segment[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
