// A log with millions of pending records, made in a minute: by the schema of the log itself, but in large transactions and
// without an fsync, since nobody waits for an answer and a crash only means that it is made again.

import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sampleEvent } from '../../src/fusionauth/samples.ts';
import { openForWriting } from '../../src/log/sqlite/schema.ts';

const recordsPerTransaction = 20_000;

/** The sample has every field that there is; a login by password, of an ordinary user, has these not. */
const leftOut = new Set(
  `birthDate identities identityProviderId identityProviderName imageUrl linkedObjectId memberships mobilePhone
   passwordLastUpdateInstant registrations twoFactor`.split(/\s+/),
);

/** About 1.8 KB. Calling it gives the body of one more login, by somebody else. */
export function loginBodies(): () => { id: string; body: string } {
  const identity = { eventId: 'the-event-id', userId: 'the-user-id', createInstant: Date.now() };
  const event = sampleEvent('user.login.success', identity);
  const template = JSON.stringify(event, (name, value: unknown) => (leftOut.has(name) ? undefined : value));
  const parts = template.split(/(the-event-id|the-user-id)/);
  return () => {
    const id = randomUUID();
    const userId = randomUUID();
    const own = (part: string) => (part === 'the-event-id' ? id : part === 'the-user-id' ? userId : part);
    return { id, body: parts.map(own).join('') };
  };
}

/** Makes the log in this folder. Resolves to the size of its file, in bytes, when it is there as a bridge leaves it. */
export async function fillLog(directory: string, records: number): Promise<number> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const database = openForWriting(join(directory, 'log.sqlite'));
  try {
    // The cache holds the index of the event ids, whose order is random.
    database.exec(
      'pragma journal_mode = delete; pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -1500000;',
    );
    const append = database.prepare(
      `insert into records (position, event_id, type, tenant_id, received_at, verified_by, body)
       values (?, ?, 'user.login.success', 'd7d09513-a3f5-401c-9685-34ab6c552453', ?, 'hmac:1', ?)`,
    );
    const next = loginBodies();
    const startedAt = Date.now() - records;
    for (let position = 1; position <= records;) {
      database.exec('begin');
      const end = Math.min(position + recordsPerTransaction - 1, records);
      for (; position <= end; position++) {
        const { id, body } = next();
        append.run(position, id, startedAt + position, body);
      }
      database.exec('commit');
      await nextTurn();
    }
    database.exec(`update books set received = ${records}, stored = ${records}`);
    database.exec('pragma journal_mode = wal');
    const { bytes } = database
      .prepare('select page_count * page_size as bytes from pragma_page_count, pragma_page_size')
      .get() as { bytes: number };
    return bytes;
  } finally {
    database.close();
  }
}
