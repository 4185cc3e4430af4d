// What can still be read of a damaged log, written into a new one.
//
// Every page is looked at by itself, so that what is lost is what stood in the damaged pages. Which table a row is of shows
// by its values. A row may be there twice, in a page that is in use and in one that no longer is: the newer one counts, and
// an event once. Where the damage leaves a doubt whether a consumer has settled a record, it gets it again: its messages
// have the same ids.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { rowsOf } from './page-rows.ts';
import type { ReadPage, Row, Value } from './page-rows.ts';
import { pageSize } from './page-size.ts';
import { openForWriting } from './schema.ts';
import { readWriteAheadLog } from './wal.ts';

export interface Salvaged {
  readonly records: number;
  readonly deadLetters: number;
  /** Settled records whose outcome could not be read: dead where a dead letter says so, otherwise taken as delivered. */
  readonly assumedOutcomes: number;
  /** Records that the log had and that are gone; undefined where the books could not be read either. */
  readonly lostRecords: number | undefined;
}

const rowsPerTransaction = 20_000;

/** `from` with its write-ahead log is only read; `to` is made; the caller brings it to the disk. */
export function salvage(from: string, to: string): Salvaged {
  const source = new Source(from);
  const database = openForWriting(to);
  try {
    // A crash leaves a file that is made anew, so nothing needs to be on disk before the end.
    database.exec('pragma synchronous = off; pragma cache_size = -64000');
    const copy = new Copy(database);
    database.exec('begin');
    let rows = 0;
    for (const row of source.rows()) {
      copy.add(row);
      if (++rows % rowsPerTransaction === 0) database.exec('commit; begin');
    }
    const salvaged = copy.finish();
    database.exec('commit; pragma wal_checkpoint(truncate)');
    return salvaged;
  } finally {
    database.close();
    source.close();
  }
}

/** The pages of a file, those in its write-ahead log first. */
class Source {
  readonly #file: number;
  readonly #wal: number | undefined;
  readonly #offsets: ReadonlyMap<number, number>;
  readonly #pageCount: number;

  constructor(file: string) {
    this.#file = openSync(file, 'r');
    this.#offsets = readWriteAheadLog(`${file}-wal`).offsets;
    this.#wal = this.#offsets.size > 0 ? openSync(`${file}-wal`, 'r') : undefined;
    let count = Math.floor(fstatSync(this.#file).size / pageSize);
    for (const number of this.#offsets.keys()) count = Math.max(count, number);
    this.#pageCount = count;
  }

  *rows(): Generator<Row> {
    const free = freePages(this.#read);
    for (let number = 1; number <= this.#pageCount; number++) {
      const page = free.has(number) ? undefined : this.#read(number);
      if (page) yield* rowsOf(page, number, this.#read);
    }
  }

  readonly #read: ReadPage = (number) => {
    if (number < 1 || number > this.#pageCount) return undefined;
    const page = Buffer.allocUnsafe(pageSize);
    const offset = this.#offsets.get(number);
    try {
      const read =
        offset === undefined || this.#wal === undefined
          ? readSync(this.#file, page, 0, pageSize, (number - 1) * pageSize)
          : readSync(this.#wal, page, 0, pageSize, offset);
      return read === pageSize ? page : undefined;
    } catch {
      // A part of the disk that cannot be read.
      return undefined;
    }
  };

  close(): void {
    closeSync(this.#file);
    if (this.#wal !== undefined) closeSync(this.#wal);
  }
}

/** Pages that are in use no more; none where the list is not whole, since then it may name others. */
function freePages(readPage: ReadPage): ReadonlySet<number> {
  const free = new Set<number>();
  const header = readPage(1);
  if (header === undefined) return free;
  const count = header.readUInt32BE(36);
  for (let trunk = header.readUInt32BE(32); trunk !== 0;) {
    const page = free.has(trunk) ? undefined : readPage(trunk);
    const leaves = page?.readUInt32BE(4) ?? Infinity;
    if (page === undefined || 8 + 4 * leaves > pageSize) return new Set();
    free.add(trunk);
    for (let index = 0; index < leaves; index++) free.add(page.readUInt32BE(8 + 4 * index));
    trunk = page.readUInt32BE(0);
  }
  return free.size === count ? free : new Set();
}

/** The form of a row of each table: t text, i whole number, n number, 0 null; in capitals where it may be null. */
const forms = {
  records: '0ttTitt',
  books: '0iiiii',
  attempts: '0tiiiiiiitT',
  replays: '0ttintiiiiiiI',
  outcomes: 'titi',
  consumers: 'tiiii',
  deadLetters: 'tiittttiT',
} as const satisfies Record<string, string>;

/** Columns that later versions of the log added, and their values in rows that were written before. */
const added: Readonly<Partial<Record<keyof typeof forms, Value>>> = { books: 0, deadLetters: null };

const outcomes: readonly Value[] = ['delivered', 'filtered', 'dead'];

function isOfForm(values: readonly Value[], form: string): boolean {
  return values.length === form.length && values.every((value, index) => fits(value, form[index] as string));
}

function fits(value: Value, kind: string): boolean {
  if (value === null) return kind === '0' || kind !== kind.toLowerCase();
  if (typeof value === 'string') return kind.toLowerCase() === 't';
  return kind === 'n' || (kind.toLowerCase() === 'i' && Number.isSafeInteger(value));
}

const sql = {
  records: 'insert into records values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing',
  hasEvent: 'select 1 from records where event_id = ?',
  outcomes: `insert into outcomes values (?, ?, ?, ?)
             on conflict do update set outcome = excluded.outcome, settled_at = excluded.settled_at
             where excluded.settled_at > settled_at`,
  deadLetters: `insert or replace into dead_letters select :consumer, :position, :number, :messageId, :reason, :detail, :message, :settledAt, :because
                where not exists (select 1 from dead_letters
                  where consumer = :consumer and position = :position and number = :number and settled_at > :settledAt)`,
  attempts: `insert into attempts values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
  replays: `insert into replays values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            on conflict do update set state = excluded.state, position = excluded.position, delivered = excluded.delivered,
              filtered = excluded.filtered, dead = excluded.dead, ended_at = excluded.ended_at
            where excluded.position >= position and state = 'running'`,
} as const;

type Statements = Readonly<Record<keyof typeof sql, StatementSync>>;

class Copy {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  /** By name. */
  readonly #consumers = new Map<string, { position: number; delivered: number }>();
  #books:
    { received: number; duplicates: number; stored: number; rejected: number; pruned: number } | undefined;
  /** Records that stand where another one does, since their position was changed. */
  readonly #displaced: (readonly Value[])[] = [];

  constructor(database: DatabaseSync) {
    this.#database = database;
    const prepared = Object.entries(sql).map(([name, text]) => [name, database.prepare(text)]);
    this.#statements = Object.fromEntries(prepared) as Statements;
  }

  add({ rowId, values }: Row): void {
    const table = tableOf(rowId !== undefined, values);
    if (table === undefined) return;
    const complete = values.length < forms[table].length ? [...values, added[table] ?? null] : values;
    try {
      this.#insert(table, rowId, complete);
    } catch {
      // A row whose values the table refuses was changed: it is among what is lost.
    }
  }

  #insert(table: keyof typeof forms, rowId: number | undefined, values: readonly Value[]): void {
    const { records, hasEvent, outcomes, deadLetters, attempts, replays } = this.#statements;
    switch (table) {
      case 'records': {
        const [, eventId, ...rest] = values;
        // JSON text has no such character: it is where a page was emptied.
        if (eventId === undefined || (values[6] as string).includes('\0')) return;
        const { changes } = records.run(rowId ?? null, eventId, ...rest);
        if (changes === 0 && hasEvent.get(eventId) === undefined) this.#displaced.push(values.slice(1));
        return;
      }
      case 'books': {
        const [, received, duplicates, stored, rejected, pruned] = values as number[];
        if ((received ?? 0) < (this.#books?.received ?? 0)) return;
        this.#books = {
          received: received ?? 0,
          duplicates: duplicates ?? 0,
          stored: stored ?? 0,
          rejected: rejected ?? 0,
          pruned: pruned ?? 0,
        };
        return;
      }
      case 'consumers': {
        const [name, position, delivered] = values as [string, number, number];
        if (position < (this.#consumers.get(name)?.position ?? 0)) return;
        this.#consumers.set(name, { position, delivered });
        return;
      }
      case 'outcomes':
        outcomes.run(...values);
        return;
      case 'deadLetters': {
        const [consumer, position, number, messageId, reason, detail, message, settledAt, because] =
          values as [string, number, number, string, string, string, string, number, string | null];
        const letter = { consumer, position, number, messageId, reason, detail, message, settledAt, because };
        deadLetters.run(letter);
        return;
      }
      case 'attempts':
        attempts.run(rowId ?? null, ...values.slice(1));
        return;
      case 'replays':
        replays.run(rowId ?? null, ...values.slice(1));
        return;
    }
  }

  /** Makes the tables agree with each other, and the sums with the tables. */
  finish(): Salvaged {
    this.#addDisplaced();
    const lastRecord = this.#number('select coalesce(max(position), 0) from records');
    const records = this.#number('select count(*) from records');
    const pruned = Math.max(0, Math.min(this.#books?.pruned ?? 0, (this.#books?.stored ?? 0) - records));

    this.#database.exec('delete from outcomes where position not in (select position from records)');
    let assumedOutcomes = 0;
    for (const name of this.#consumerNames()) {
      const position = this.#positionOf(name, lastRecord);
      this.#database.prepare('delete from outcomes where consumer = ? and position > ?').run(name, position);
      assumedOutcomes += this.#assumeOutcomes(name, position);
      this.#writeConsumer(name, position, pruned);
    }
    this.#database.exec(`
      delete from dead_letters where not exists (
        select 1 from outcomes o where o.consumer = dead_letters.consumer and o.position = dead_letters.position
          and o.outcome = case when dead_letters.discarded_because is null then 'dead' else 'filtered' end);
      delete from attempts where not exists (select 1 from records where position between first and last);
      update replays set state = 'stopped' where state = 'running' and not exists (select 1 from consumers where name = consumer);
    `);

    const stored = records + pruned;
    const { duplicates = 0, rejected = 0 } = this.#books ?? {};
    this.#database
      .prepare('update books set received = ?, duplicates = ?, stored = ?, rejected = ?, pruned = ?')
      .run(stored + duplicates, duplicates, stored, rejected, pruned);
    return {
      records,
      deadLetters: this.#number('select count(*) from dead_letters'),
      assumedOutcomes,
      lostRecords: this.#books && Math.max(0, this.#books.stored - stored),
    };
  }

  /** Where another record stands they get a place at the end, and are delivered again. */
  #addDisplaced(): void {
    const ofConsumers = Math.max(0, ...[...this.#consumers.values()].map(({ position }) => position));
    const ofOutcomes = this.#number('select coalesce(max(position), 0) from outcomes');
    const ofRecords = this.#number('select coalesce(max(position), 0) from records');
    let last = Math.max(ofRecords, ofOutcomes, Math.min(ofConsumers, ofRecords + ofOutcomes));
    for (const [eventId, ...rest] of this.#displaced) {
      if (eventId !== undefined) this.#statements.records.run(++last, eventId, ...rest);
    }
  }

  #consumerNames(): readonly string[] {
    const settled = this.#database.prepare('select distinct consumer as name from outcomes').all() as {
      name: string;
    }[];
    return [...new Set([...this.#consumers.keys(), ...settled.map(({ name }) => name)])];
  }

  /**
   * Row and outcomes are written together, so where they differ one of them was damaged: the earlier position counts. A row
   * that is ahead is right where no record stands between, since they were removed.
   */
  #positionOf(name: string, lastRecord: number): number {
    const settled = this.#number('select coalesce(max(position), 0) from outcomes where consumer = ?', name);
    const stated = this.#consumers.get(name)?.position ?? settled;
    if (stated <= settled) return stated;
    const between = this.#number(
      'select count(*) from (select 1 from records where position > ? and position <= ? limit 1)',
      settled,
      stated,
    );
    if (between > 0) return settled;
    return Math.max(settled, Math.min(stated, Math.max(lastRecord, this.#books?.stored ?? 0)));
  }

  /** For records that the consumer has passed and whose outcome is among what is lost. */
  #assumeOutcomes(name: string, position: number): number {
    const { changes } = this.#database
      .prepare(
        `insert into outcomes
         select :name, r.position, coalesce((
             select case when d.discarded_because is null then 'dead' else 'filtered' end
             from dead_letters d where d.consumer = :name and d.position = r.position order by d.settled_at desc limit 1
           ), 'delivered'), r.received_at
         from records r left join outcomes o on o.consumer = :name and o.position = r.position
         where r.position <= :position and o.position is null`,
      )
      .run({ name, position });
    return Number(changes);
  }

  /** With the sums of its outcomes, and of the removed records as far as its row told them. */
  #writeConsumer(name: string, position: number, pruned: number): void {
    const count = (outcome: string) =>
      this.#number('select count(*) from outcomes where consumer = ? and outcome = ?', name, outcome);
    const known = this.#consumers.get(name);
    const prunedDelivered = Math.max(0, Math.min(pruned, (known?.delivered ?? 0) - count('delivered')));
    this.#database
      .prepare('insert into consumers values (?, ?, ?, ?, ?)')
      .run(
        name,
        position,
        count('delivered') + prunedDelivered,
        count('filtered') + pruned - prunedDelivered,
        count('dead'),
      );
  }

  #number(query: string, ...values: (string | number)[]): number {
    const [value] = Object.values(this.#database.prepare(query).get(...values) ?? {});
    return Number(value ?? 0);
  }
}

function tableOf(hasRowId: boolean, values: readonly Value[]): keyof typeof forms | undefined {
  const isTable = (table: keyof typeof forms) =>
    forms[table].startsWith('0') === hasRowId &&
    (isOfForm(values, forms[table]) || (table in added && isOfForm(values, forms[table].slice(0, -1))));
  const table = (Object.keys(forms) as (keyof typeof forms)[]).find(isTable);
  return table === 'outcomes' && !outcomes.includes(values[2] ?? null) ? undefined : table;
}
