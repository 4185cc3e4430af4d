// SIGKILL while webhooks pour in: what was acknowledged is in the warehouse once, and at Segment, and each person's
// messages are in the order in which they were acknowledged.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { connectionUrl, readConnection } from '../../src/destinations/warehouse/embedded/connection.ts';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Longer by hand: KILLS=200 npm test. */
const kills = Number(process.env['KILLS'] ?? 20);
const people = 16;

test(`${kills} SIGKILLs under load: every acknowledged event is in the warehouse once and at Segment, in order`, async (t) => {
  await using folder = await temporaryFolder();
  await using segment = await SegmentStandIn.start();
  // Every seventh request fails, in turn in each way that a network has.
  const faults = [{ kind: 'status', status: 503 }, { kind: 'reset' }, { kind: 'taken-but-reset' }] as const;
  segment.faultFor = (request) => (request % 7 === 0 ? faults[(request / 7) % faults.length] : undefined);
  const settings = {
    DATA_DIR: folder.path,
    PORT: String(await freePort()),
    WAREHOUSE_PORT: String(await freePort()),
    SEGMENT_WRITE_KEY: 'k',
    SEGMENT_ENDPOINT: segment.url,
  };
  let bridge = await BridgeProcess.start(settings);
  const acknowledged: string[][] = Array.from({ length: people }, () => []);
  const ending = new AbortController();
  const isOver = () => ending.signal.aborted;

  /** One person's events, one after the other; an event that got no answer is posted again under its id. */
  async function pour(person: number): Promise<void> {
    for (let sequence = 0; !isOver(); sequence++) {
      const id = `${person}-${sequence}`;
      for (let isTaken = false; !isTaken && !isOver();) {
        const body = sample('user.login.success', { id, userId: `person-${person}` });
        isTaken = await bridge.post(body).then(
          ({ status }) => status === 200,
          () => false,
        );
        if (isTaken) acknowledged[person]?.push(`fusionauth-${id}-track`);
        else await sleep(20);
      }
    }
  }

  const pouring = Promise.all(Array.from({ length: people }, (_, person) => pour(person)));
  for (let kill = 0; kill < kills; kill++) {
    await sleep(randomInt(50, 600));
    await bridge.end('SIGKILL');
    bridge = await BridgeProcess.start(settings);
  }
  ending.abort();
  await pouring;
  await using last = bridge;
  const books = await last.settled();

  const connection = readConnection(folder.path);
  assert.ok(connection);
  const client = new pg.Client({ connectionString: connectionUrl(connection, 'reader') });
  await client.connect();
  const { rows } = await client.query<{ id: string; user_id: string }>(
    'select id, user_id from user_login_success',
  );
  await client.end();

  const total = acknowledged.flat().length;
  t.diagnostic(
    `${total} events acknowledged, ${books.stored} stored, ${segment.messages.length} messages at Segment`,
  );
  assert.ok(total > kills, 'webhooks were acknowledged between the kills');
  const rowIds = rows.map(({ id }) => id);
  assert.equal(new Set(rowIds).size, rowIds.length);
  assert.equal(rowIds.length, books.stored);
  for (const ids of acknowledged) {
    const [first = ''] = ids;
    const prefix = first.slice(0, first.indexOf('-', 'fusionauth-'.length) + 1);
    const atSegment = segment.deduplicated
      .map(({ messageId }) => messageId)
      .filter((id) => id.startsWith(prefix));
    // What was stored by a request whose answer the kill took was posted again, so it is acknowledged as well, or last.
    assert.deepEqual(atSegment.slice(0, ids.length), ids);
    assert.deepEqual(
      ids.filter((id) => !rowIds.includes(id)),
      [],
    );
  }
  const settledAs = { pending: 0, delivered: books.stored, filtered: 0, dead: 0 };
  assert.partialDeepStrictEqual(books, { destinations: { segment: settledAs, warehouse: settledAs } });
  assert.equal(books.received, books.duplicates + books.stored);
});
