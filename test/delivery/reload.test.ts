// A destination that lacks what was delivered to it: whether the log sends it again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { reloadWhatIsMissing } from '../../src/delivery/reload.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { SqliteLog } from '../../src/log/sqlite.ts';
import {
  appendAll,
  consumer,
  eventId,
  idsIn,
  makeEvent,
  makeReplayRequest,
  OpenedLog,
  settle,
  startConsumer,
  startReplaying,
} from '../log/opened-log.ts';

const logger = pino({ level: 'silent' });
const minute = 60_000;
const began = 1_767_225_600_000;

/** Ten events, five minutes apart, of which the third was filtered and the others are delivered. */
async function openDelivered(): Promise<OpenedLog> {
  const opened = await OpenedLog.open((directory) => SqliteLog.open(directory));
  const times = Array.from({ length: 10 }, (_, index) => began + index * 5 * minute);
  await appendAll(
    opened.log,
    times.map((receivedAt, index) => makeEvent({ id: eventId(String(index + 1)), receivedAt })),
  );
  await using consuming = startConsumer(opened.log);
  await settle(
    await consuming.next(),
    times.map((_, index) => (index === 2 ? 'filtered' : 'delivered')),
  );
  return opened;
}

function destinationWith(loadedThrough: number | undefined): Destination {
  return { name: consumer, loadedThrough } as Destination;
}

const newest = began + 45 * minute;
const cases: [what: string, loadedThrough: number | undefined, sentAgain: string[]][] = [
  ['that holds nothing is sent all that was delivered', 0, ['1', '2', '4', '5', '6', '7', '8', '9', '10']],
  ['that was restored from a backup is sent what came since', began + 35 * minute, ['8', '9', '10']],
  ['that holds the newest is sent nothing', newest, []],
  ['that holds what is not settled yet is sent nothing', newest + minute, []],
  ['that cannot tell is sent nothing', undefined, []],
];
for (const [what, loadedThrough, sentAgain] of cases) {
  test(`a destination ${what}`, async () => {
    await using opened = await openDelivered();

    await reloadWhatIsMissing(opened.log, destinationWith(loadedThrough), logger);

    const replays = await opened.log.replays();
    assert.equal(replays.length, sentAgain.length > 0 ? 1 : 0);
    if (sentAgain.length === 0) return;
    await using replaying = startReplaying(opened.log);
    assert.deepEqual(idsIn(await replaying.next()), sentAgain);
  });
}

test('what an earlier start has begun is begun anew: the destination may be another one by now', async () => {
  await using opened = await openDelivered();
  const asked = await opened.log.startReplay(makeReplayRequest());

  await reloadWhatIsMissing(opened.log, destinationWith(began + 35 * minute), logger);
  await opened.reopen();
  await reloadWhatIsMissing(opened.log, destinationWith(0), logger);

  const replays = await opened.log.replays();
  assert.deepEqual(
    replays.map(({ id, state, filter }) => [id === asked.id ? 'asked for' : filter.from, state]),
    [
      [0, 'running'],
      [began + 34 * minute, 'stopped'],
      ['asked for', 'running'],
    ],
  );
});

test('a log that has delivered nothing has nothing to send again', async () => {
  await using opened = await OpenedLog.open((directory) => SqliteLog.open(directory));
  await opened.log.append(makeEvent());

  await reloadWhatIsMissing(opened.log, destinationWith(0), logger);

  assert.deepEqual(await opened.log.replays(), []);
});
