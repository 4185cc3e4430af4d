// SIGKILL of the bridge, and of PostgreSQL with all of its processes, while a batch's transaction is open: each message is
// there once, the books balance, and `users` holds what was said last.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stateTable } from '../../../src/destinations/warehouse/rows.ts';
import { sampleEvent } from '../../../src/fusionauth/samples.ts';
import { findImbalances } from '../../../src/http/status.ts';
import { BridgeProcess } from '../../support/bridge.ts';
import { freePort } from '../../support/free-port.ts';
import { messagesOf, received } from '../../support/mapped.ts';
import { startPostgres } from '../../support/postgres.ts';
import type { TestPostgres } from '../../support/postgres.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';

/** Longer by hand: npm run proof:warehouse. */
const kills = Number(process.env['WAREHOUSE_KILLS'] ?? 8);
const people = 16;
const schema = 'fusionauth';
const firstInstant = Date.UTC(2026, 0, 1);

test(`${kills} SIGKILLs of bridge or server in the midst of a batch: each message is in the warehouse once`, async (t) => {
  await using folder = await temporaryFolder();
  await using server = await startPostgres();
  const settings = {
    DATA_DIR: folder.path,
    PORT: String(await freePort()),
    WAREHOUSE_URL: server.url,
    WAREHOUSE_SCHEMA: schema,
  };
  await using run = new Run(settings, await BridgeProcess.start(settings));
  run.pour();

  const killed = { bridge: 0, server: 0 };
  for (let kill = 0; kill < kills; kill++) {
    await until('the loader has written in an open transaction', () => isInBatch(server), 60_000);
    if (kill % 2 === 0) {
      await run.bridge.end('SIGKILL');
      killed.bridge++;
      run.bridge = await BridgeProcess.start(settings);
    } else {
      await server.kill();
      killed.server++;
      // Not always at once: what comes meanwhile is loaded later.
      await sleep(randomInt(300));
      await server.start();
    }
    await sleep(randomInt(200));
  }
  await run.endPouring();
  await until('nothing is pending', () => run.isSettled(), 120_000);

  const books = await run.bridge.books();
  assert.deepEqual(findImbalances(books), []);
  assert.partialDeepStrictEqual(books, {
    destinations: { warehouse: { pending: 0, delivered: books.stored, dead: 0 } },
  });
  assert.deepEqual((await idsIn(server)).toSorted(), [...run.acknowledgedIds()].toSorted());
  const users = await server.query(`select id, last_name from ${schema}.users order by id`);
  assert.deepEqual(users, run.lastNames());
  const [position] = await server.query(
    `select loaded_through, (select max(received_at) from (
       select received_at from ${schema}.tracks union all select received_at from ${schema}.identifies) as rows) as newest
     from ${schema}.${stateTable}`,
  );
  assert.deepEqual(position?.['loaded_through'], position?.['newest']);
  t.diagnostic(
    `${kills} kills in the midst of a batch, ${killed.bridge} of the bridge and ${killed.server} of ` +
      `PostgreSQL ${server.version}; ${books.stored} events stored`,
  );
});

/** Whether some transaction but this question's own has changed something and has not ended. */
async function isInBatch(server: TestPostgres): Promise<boolean> {
  const rows = await server.query(
    `select from pg_stat_activity
     where backend_xid is not null and pid <> pg_backend_pid() and backend_type = 'client backend'`,
  );
  return rows.length > 0;
}

async function idsIn(server: TestPostgres): Promise<string[]> {
  const rows = await server.query(
    `select id from ${schema}.tracks union all select id from ${schema}.identifies`,
  );
  return rows.map(({ id }) => String(id));
}

class Run implements AsyncDisposable {
  readonly #settings: Readonly<Record<string, string>>;
  bridge: BridgeProcess;
  /** Of each person: how often a changed name was acknowledged. */
  readonly #names: number[] = Array.from({ length: people }, () => 0);
  readonly #ids = new Set<string>();
  readonly #ending = new AbortController();
  #pouring: Promise<unknown> = Promise.resolve();

  constructor(settings: Readonly<Record<string, string>>, bridge: BridgeProcess) {
    this.#settings = settings;
    this.bridge = bridge;
  }

  pour(): void {
    this.#pouring = Promise.all(Array.from({ length: people }, (_, person) => this.#pourOf(person)));
  }

  async endPouring(): Promise<void> {
    this.#ending.abort();
    await this.#pouring;
  }

  acknowledgedIds(): ReadonlySet<string> {
    return this.#ids;
  }

  lastNames(): { id: string; last_name: string }[] {
    return this.#names
      .map((count, person) => ({ id: userIdOf(person), last_name: nameOf(count) }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  async isSettled(): Promise<boolean> {
    const { destinations } = await this.bridge.books();
    return destinations['warehouse']?.pending === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endPouring();
    await this.bridge.end('SIGTERM');
  }

  /** Logins, and now and then a new name. */
  async #pourOf(person: number): Promise<void> {
    for (let sequence = 1; !this.#ending.signal.aborted; sequence++) {
      const isRenaming = sequence % 5 === 1;
      const identity = {
        eventId: `${person}-${sequence}`,
        userId: userIdOf(person),
        createInstant: firstInstant + sequence * 1_000,
      };
      const event = sampleEvent(isRenaming ? 'user.update.complete' : 'user.login.success', identity);
      const name = nameOf((this.#names[person] ?? 0) + 1);
      await this.#postUntilTaken(
        isRenaming ? { ...event, user: { ...(event['user'] as object), lastName: name } } : event,
      );
      if (isRenaming) this.#names[person] = (this.#names[person] ?? 0) + 1;
    }
  }

  /** Also after the end was asked for, so that what is stored is what was acknowledged. */
  async #postUntilTaken(event: Readonly<Record<string, unknown>>): Promise<void> {
    await until(
      `an event is taken at ${this.#settings['PORT'] ?? ''}`,
      () =>
        this.bridge.post({ event }).then(
          ({ status }) => status === 200,
          () => false,
        ),
      60_000,
    );
    for (const { messageId } of messagesOf(received(event))) this.#ids.add(messageId);
  }
}

function userIdOf(person: number): string {
  return `person-${person}`;
}

function nameOf(count: number): string {
  return `Name ${count}`;
}
