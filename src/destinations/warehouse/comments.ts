// Comments on tables and columns, so that DBeaver and `\d+` explain them. Only what we know is explained: not free-form
// data, nor what somebody's own `map` adds. A comment that is there stays as it is, whoever wrote it.

import pg from 'pg';
import type { Statement } from './statement.ts';
import type { SourceTables } from './views.ts';
import { columnTexts, tableText } from './comments/texts.ts';

export interface CommentOptions {
  readonly schema: string;
  /** What has its comments already; empty for a schema that is met for the first time. */
  readonly before: SourceTables;
  readonly after: SourceTables;
}

/**
 * The statement that comments on tables and columns that are there after and were not before; none where there is nothing
 * to say. It may be run at any time and again (upkeep.ts does).
 */
export function planComments({ schema, before, after }: CommentOptions): readonly Statement[] {
  const values: string[] = [];
  for (const [table, columns] of after) {
    const had = before.get(table);
    const ofTable = tableText(table);
    if (had === undefined && ofTable !== undefined) values.push(valueRow(table, undefined, ofTable));
    const texts = columnTexts(table);
    for (const column of columns.keys()) {
      const text = texts.get(column);
      if (text !== undefined && had?.has(column) !== true) values.push(valueRow(table, column, text));
    }
  }
  return values.length === 0 ? [] : [{ text: commentBlock(schema, values), values: [] }];
}

/** It decides by what is there when it runs: a table may be gone again, or be another user's. */
function commentBlock(schema: string, values: readonly string[]): string {
  return `do $fusionauth_segment$
declare
  missing record;
begin
  for missing in
    select wanted.*
    from (values ${values.join(',\n      ')}) as wanted(table_name, column_name, comment)
    join pg_catalog.pg_class as relation on relation.relname = wanted.table_name
      and relation.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = ${pg.escapeLiteral(schema)})
      and relation.relkind in ('r', 'p') and pg_catalog.pg_has_role(relation.relowner, 'usage')
    left join pg_catalog.pg_attribute as attribute on attribute.attrelid = relation.oid
      and attribute.attname = wanted.column_name
    where case
      when wanted.column_name is null then pg_catalog.obj_description(relation.oid, 'pg_class') is null
      else attribute.attnum is not null and pg_catalog.col_description(relation.oid, attribute.attnum) is null
    end
  loop
    if missing.column_name is null then
      execute format('comment on table %I.%I is %L', ${pg.escapeLiteral(schema)}, missing.table_name, missing.comment);
    else
      execute format('comment on column %I.%I.%I is %L',
        ${pg.escapeLiteral(schema)}, missing.table_name, missing.column_name, missing.comment);
    end if;
  end loop;
end
$fusionauth_segment$`;
}

function valueRow(table: string, column: string | undefined, text: string): string {
  const cells = [
    pg.escapeLiteral(table),
    column === undefined ? 'null' : pg.escapeLiteral(column),
    pg.escapeLiteral(text),
  ];
  return `(${cells.map((cell) => `${cell}::text`).join(', ')})`;
}
