// How many rows a second a backlog becomes in a PostgreSQL warehouse: the bridge, from its log through parsing, mapping and
// loading, beside a plain loader with `pg`, which writes row after row and has its messages ready in memory. Both write the
// same logins into the same layout, in turn; medians are printed.
//
//   npm run bench:warehouse                           three rounds of 40,000 records
//   npm run bench:warehouse -- --rounds 5 --records 100000

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { loadConfig } from '../src/config/config.ts';
import { mappingOptionsOf } from '../src/config/mapping-options.ts';
import { formatTable, print } from '../src/commands/report.ts';
import { rowsOf } from '../src/destinations/warehouse/rows.ts';
import type { Row } from '../src/destinations/warehouse/rows.ts';
import type { Status } from '../src/http/status.ts';
import { createMapping } from '../src/mapping/map.ts';
import { fillLog, loginBodies } from '../test/support/backlog.ts';
import { startArguments } from '../test/support/bridge.ts';
import { freePort } from '../test/support/free-port.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, records: { type: 'string', default: '40000' } },
});
const rounds = Number(values.rounds);
const records = Number(values.records);
/** Of the plain loader, which would take minutes for all of them. */
const plainSeconds = 5;
const schema = 'fusionauth';

await using server = await startPostgres({ settings: { fsync: 'on', shared_buffers: '128MB' } });
const client = new pg.Client({ connectionString: server.url });
await client.connect();

interface Contestant {
  readonly name: string;
  /** Rows a second. */
  readonly run: () => Promise<number>;
}

const contestants: readonly Contestant[] = [
  { name: 'plain loader, a transaction for each row', run: () => loadRowByRow(1) },
  { name: 'plain loader, a transaction for 1,000 rows', run: () => loadRowByRow(1_000) },
  { name: 'bridge, from its log', run: drain },
];

try {
  // The first drain makes the tables that the plain loader writes to as well, and is not counted.
  await drain();
  const results = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of contestants) results.get(name)?.push(await run());
  }
  report(results);
} finally {
  await client.end();
}

/** The bridge is started with a log of pending records. Timed from its first row: a start is not what is asked for. */
async function drain(): Promise<number> {
  await emptyTables();
  await using folder = await temporaryFolder();
  await fillLog(folder.path, records);
  const port = await freePort();
  const bridge = spawn(process.execPath, startArguments, {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      PORT: String(port),
      DATA_DIR: folder.path,
      LOG_LEVEL: 'warn',
      LOG_RETENTION: 'forever',
      WAREHOUSE_URL: server.url,
      WAREHOUSE_SCHEMA: schema,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  bridge.stdout.resume();
  const ended = once(bridge, 'exit');
  try {
    const delivered = async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/status`).catch(() => undefined);
      if (answer === undefined) return 0;
      const { destinations } = (await answer.json()) as Status;
      return destinations['warehouse']?.delivered ?? 0;
    };
    let first = 0;
    while (first === 0) {
      await sleep(5);
      first = await delivered();
      if (bridge.exitCode !== null) throw new Error('The bridge has ended');
    }
    const startedAt = performance.now();
    let last = first;
    while (last < records) {
      await sleep(20);
      last = await delivered();
    }
    const seconds = (performance.now() - startedAt) / 1000;
    const rows = await countRows();
    return (rows * ((last - first) / records)) / seconds;
  } finally {
    bridge.kill('SIGTERM');
    await ended;
  }
}

/** What one writes first: an insert for each row, one after the other, on one connection. */
async function loadRowByRow(rowsInTransaction: number): Promise<number> {
  await emptyTables();
  const rows = mappedRows(20_000);
  const startedAt = performance.now();
  let written = 0;
  for (const row of rows) {
    if (performance.now() - startedAt > plainSeconds * 1000) break;
    if (rowsInTransaction > 1 && written % rowsInTransaction === 0) await client.query('begin');
    const names = ['id', ...row.cells.keys()];
    const parameters = names.map((_, index) => `$${index + 1}`);
    await client.query(
      `insert into ${schema}.${pg.escapeIdentifier(row.table)} (${names.map((name) => pg.escapeIdentifier(name)).join(', ')})
       values (${parameters.join(', ')}) on conflict (id) do nothing`,
      [row.id, ...Array.from(row.cells.values(), ({ value }) => value)],
    );
    written++;
    if (rowsInTransaction > 1 && written % rowsInTransaction === 0) await client.query('commit');
  }
  await client.query('commit');
  const seconds = (performance.now() - startedAt) / 1000;
  const there = await countRows();
  if (there !== written) throw new Error(`${written} rows were written, ${there} are there`);
  return written / seconds;
}

function mappedRows(count: number): readonly Row[] {
  const mapping = createMapping(mappingOptionsOf(loadConfig({}), 'a salt of the benchmark'));
  const next = loginBodies();
  const rows: Row[] = [];
  while (rows.length < count) {
    for (const message of mapping(next().body)) {
      if (message.type === 'failure') throw new Error(message.reason);
      rows.push(...rowsOf(message, Date.now()));
    }
  }
  return rows;
}

async function tables(): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = $1 and tablename not like 'fusionauth\\_segment\\_%'`,
    [schema],
  );
  return rows.map(({ name }) => `${schema}.${pg.escapeIdentifier(name)}`);
}

async function countRows(): Promise<number> {
  const counts = (await tables()).map((table) => `(select count(*) from ${table})`);
  const { rows } = await client.query<{ rows: string }>(`select ${counts.join(' + ')} as rows`);
  return Number(rows[0]?.rows);
}

/** Also what the bridge before had noted: each run is a new bridge's. */
async function emptyTables(): Promise<void> {
  const all = await tables();
  if (all.length === 0) return;
  await client.query(`truncate ${[...all, `${schema}.fusionauth_segment_state`].join(', ')}`);
}

function report(results: ReadonlyMap<string, readonly number[]>): void {
  const median = (numbers: readonly number[]) =>
    numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
  const base = median([...results.values()][0] ?? []);
  print(
    `${rounds} rounds of ${records} logins, PostgreSQL ${server.version} with fsync, ${cpus().length} cores, Node ${process.version}\n`,
  );
  print(
    formatTable([
      ['', 'rows/s', 'ratio', 'lowest', 'highest'],
      ...Array.from(results, ([name, all]) => [
        name,
        Math.round(median(all)).toLocaleString('en'),
        `${(median(all) / base).toFixed(1)} x`,
        Math.round(Math.min(...all)).toLocaleString('en'),
        Math.round(Math.max(...all)).toLocaleString('en'),
      ]),
    ]),
  );
}
