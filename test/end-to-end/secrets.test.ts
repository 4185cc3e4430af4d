// No secret of any event stands anywhere behind the webhook: the log’s files, Segment, the warehouse, the log lines,
// the pages.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventTypes } from '../../src/fusionauth/catalogue.ts';
import { describeBecoming } from '../../src/mapping/describe.ts';
import { startBridge } from '../support/bridge.ts';
import { markedEvent } from '../support/marked-event.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startWarehouse } from '../support/warehouse.ts';
import type { TestWarehouse } from '../support/warehouse.ts';

const schema = 'secrets';

test('no secret of the 64 types is in the log, at Segment, in the warehouse, in a log line or on a page', async () => {
  await using warehouse = await startWarehouse();
  await using segment = await SegmentStandIn.start();
  await using folder = await temporaryFolder();
  await using settings = await temporaryFolder();
  const configFile = join(settings.path, 'bridge.config.mjs');
  // Every type that can become something does.
  const include = eventTypes.filter((type) => describeBecoming({ type }).state !== 'never');
  await writeFile(configFile, `export default { events: { include: ${JSON.stringify(include)} } };`);
  const marked = eventTypes.map((type) =>
    markedEvent(type, { eventId: randomUUID(), userId: randomUUID(), createInstant: 1_767_225_600_000 }),
  );
  const markers = marked.flatMap((event) => event.markers);

  await using bridge = await startBridge({
    CONFIG: configFile,
    DATA_DIR: folder.path,
    LOG_LEVEL: 'trace',
    SEGMENT_WRITE_KEY: 'write-key',
    SEGMENT_ENDPOINT: segment.url,
    WAREHOUSE_URL: warehouse.url,
    WAREHOUSE_SCHEMA: schema,
  });
  for (const { event } of marked) assert.equal((await bridge.post({ event })).status, 200);
  const books = await bridge.settled();
  const pages = await Promise.all(['/', '/metrics', '/api/status'].map((path) => bridge.get(path)));
  const inUse = await textOfFiles(folder.path);
  await bridge.end('SIGTERM');

  assert.ok(markers.length > 64);
  assert.equal(books.received, 64);
  assert.ok(segment.messages.some(({ event }) => event === 'jwt.refresh'));
  const places: Record<string, string> = {
    'the log while the bridge runs': inUse,
    'the log': await textOfFiles(folder.path),
    'what Segment got': JSON.stringify(segment.messages),
    'the warehouse': await textOfTables(warehouse),
    'the log lines': bridge.stderr + bridge.stdout,
    'the pages': pages.map(({ text }) => text).join('\n'),
  };
  // Each place holds what is no secret, so that it would show one.
  for (const place of ['the log', 'the log while the bridge runs', 'what Segment got', 'the warehouse']) {
    assert.match(places[place] ?? '', /Pied Piper/, place);
  }
  assert.match(places['the log lines'] ?? '', /"level":(?:10|20|"trace"|"debug")/);
  for (const [place, text] of Object.entries(places)) {
    for (const marker of markers) assert.ok(!text.includes(marker), `${marker} is in ${place}`);
  }
});

async function textOfFiles(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const texts = await Promise.all(
    files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1')),
  );
  return texts.join('\n');
}

async function textOfTables(warehouse: TestWarehouse): Promise<string> {
  const tables = await warehouse.query('SELECT tablename FROM pg_tables WHERE schemaname = $1', [schema]);
  const rows = await Promise.all(
    tables.map(({ tablename }) => warehouse.query(`SELECT * FROM "${schema}"."${String(tablename)}"`)),
  );
  return JSON.stringify(rows);
}
