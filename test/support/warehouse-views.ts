// A schema of a test warehouse with its views: events go in, as the bridge would load them, and answers come out.

import assert from 'node:assert/strict';
import pg from 'pg';
import { pino } from 'pino';
import { WarehouseDestination } from '../../src/destinations/warehouse.ts';
import { columnTypeOf } from '../../src/destinations/warehouse/columns.ts';
import type { ColumnType } from '../../src/destinations/warehouse/columns.ts';
import type { Statement } from '../../src/destinations/warehouse/statement.ts';
import { externalServer } from '../../src/destinations/warehouse/server.ts';
import { planViews } from '../../src/destinations/warehouse/views.ts';
import type { SourceTables } from '../../src/destinations/warehouse/views.ts';
import type { Message } from '../../src/segment/message.ts';
import type { TestWarehouse } from './warehouse.ts';

const receivedAt = Date.parse('2026-03-01T00:00:00Z');

export class ViewedSchema {
  readonly name: string;
  readonly #warehouse: TestWarehouse;

  constructor(warehouse: TestWarehouse, name: string) {
    this.#warehouse = warehouse;
    this.name = name;
  }

  /** Loads messages by the real destination; views are not its business here. */
  async load(messages: readonly Message[]): Promise<void> {
    const destination = new WarehouseDestination({
      name: 'warehouse',
      server: externalServer(this.#warehouse.url),
      schema: this.name,
      bridge: { id: 'this-bridge', host: 'here' },
      logger: pino({ level: 'silent' }),
    });
    const signal = new AbortController().signal;
    try {
      await destination.open(signal);
      const payloads = messages.map((message) => destination.encode(message, receivedAt).payload);
      const answers = await destination.send(payloads, signal);
      assert.ok(answers.every(({ kind }) => kind === 'accepted'));
    } finally {
      await destination.close();
    }
  }

  async tables(): Promise<SourceTables> {
    const columns = await this.#warehouse.query(
      `select table_name, column_name, data_type
       from information_schema.columns join information_schema.tables using (table_schema, table_name)
       where table_schema = $1 and table_type = 'BASE TABLE'`,
      [this.name],
    );
    const tables = new Map<string, Map<string, ColumnType>>();
    for (const { table_name: table, column_name: column, data_type: type } of columns) {
      const known = tables.get(String(table)) ?? new Map<string, ColumnType>();
      tables.set(String(table), known.set(String(column), columnTypeOf(String(type))));
    }
    return tables;
  }

  /** Makes the views of what the schema holds now. */
  async makeViews(): Promise<void> {
    await this.run(planViews({ schema: this.name, tables: await this.tables() }));
  }

  async run(statements: readonly Statement[]): Promise<void> {
    for (const { text, values } of statements) await this.#warehouse.query(text, [...values]);
  }

  /** `$` stands for the schema. */
  query(sql: string): Promise<Record<string, unknown>[]> {
    return this.#warehouse.query(sql.replaceAll('$', pg.escapeIdentifier(this.name)));
  }

  /** All that a view or table answers, as JSON, times in UTC; each row a list, in the order of the columns. */
  async answer(view: string, columns = '*', order = '1, 2'): Promise<unknown[][]> {
    const rows = await this.query(
      `select to_json(answer) as row from (select ${columns} from $.${pg.escapeIdentifier(view)} order by ${order}) as answer`,
    );
    return rows.map(({ row }) => Object.values(row as object).map(inUtc));
  }
}

function inUtc(value: unknown): unknown {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value).toISOString() : value;
}
