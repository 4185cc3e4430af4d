// The views that answer what FusionAuth's users ask, beside the tables that they read (views/all.ts has them all).
//
// What holds:
// - A view is there from the start and has always the same columns and types, whatever tables and columns are there.
// - A view is ours by the mark at the end of its comment. Whatever else has its name stays as it is and is not read, and
//   so does a view whose mark somebody has removed to make it theirs.
// - A view that is up to date is not touched and not locked: the mark holds a hash of its definition.
// - No view stands in the way of a column that must be widened (views/reader.ts), so none is dropped for it; somebody's
//   own views upon ours, and rights that were granted on ours, stay.

import { hash } from 'node:crypto';
import pg from 'pg';
import type { ColumnType } from './columns.ts';
import type { Statement } from './statement.ts';
import { views } from './views/all.ts';
import { createReader } from './views/reader.ts';
import type { ColumnTypes } from './views/reader.ts';
import type { View } from './views/view.ts';

/** The tables of a schema and their columns: tables only, no views. */
export type SourceTables = ReadonlyMap<string, ReadonlyMap<string, ColumnType>>;

export interface ViewOptions {
  readonly schema: string;
  readonly tables: SourceTables;
}

/** A table of one of these names, made for an event that is called so, needs `dropViews` before it. */
export const viewNames: ReadonlySet<string> = new Set(views.map(({ name }) => name));

/** Every table that a view reads, with the columns it reads of it. */
const readings = recordReadings();

const markPattern = '%[fusionauth-segment view ________]';

/**
 * The statements that make each view or bring it up to date, one for each; they may be run at any time and again. Not in
 * the transaction of a load: a client that reads a view would hold it up (upkeep.ts runs each by itself). Where the user
 * lacks the right to make views they do nothing.
 */
export function planViews({ schema, tables }: ViewOptions): readonly Statement[] {
  const reader = createReader(schema, (table) => tables.get(table));
  return views
    .filter(({ name }) => !tables.has(name))
    .map((view) => statement(viewBlock(schema, view, view.query(reader))));
}

/**
 * The statement that drops our views of these names; all of ours where none are given. Fails where somebody's own view
 * depends on one of them (SQLSTATE 2BP01).
 */
export function dropViews(schema: string, names: Iterable<string> = viewNames): readonly Statement[] {
  const ours = [...names].filter((name) => viewNames.has(name));
  if (ours.length === 0) return [];
  return [
    statement(`do $fusionauth_segment$
declare
  view_name text;
begin
  for view_name in
    select relation.relname from pg_catalog.pg_class as relation
    where relation.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = ${literal(schema)})
      and relation.relkind = 'v' and relation.relname in (${ours.map(literal).join(', ')})
      and pg_catalog.obj_description(relation.oid, 'pg_class') like ${literal(markPattern)}
  loop
    execute format('drop view %I.%I', ${literal(schema)}, view_name);
  end loop;
end
$fusionauth_segment$`),
  ];
}

/** Whether views are to be planned again: a table or a column that one of them reads has come, gone or changed. */
export function needsViews(before: SourceTables, after: SourceTables): boolean {
  if ([...viewNames].some((name) => before.has(name) !== after.has(name))) return true;
  for (const [table, columns] of readings) {
    const [had, has] = [before.get(table), after.get(table)];
    if ((had === undefined) !== (has === undefined)) return true;
    for (const column of columns) if (had?.get(column) !== has?.get(column)) return true;
  }
  return false;
}

function recordReadings(): ReadonlyMap<string, ReadonlySet<string>> {
  const recorded = new Map<string, Set<string>>();
  const record = (table: string): ColumnTypes => {
    const columns = recorded.get(table) ?? new Set();
    recorded.set(table, columns);
    return {
      get(column) {
        columns.add(column);
        return 'text';
      },
    };
  };
  const reader = createReader('', record);
  for (const view of views) view.query(reader);
  return recorded;
}

/** All in one block, so that it decides by what is there when it runs. */
function viewBlock(schema: string, { name, comment, columns }: View, query: string): string {
  const view = `${quoted(schema)}.${quoted(name)}`;
  const list = Object.entries(columns).map(
    ([column, { type }]) => `answer.${quoted(column)}::${type} as ${quoted(column)}`,
  );
  const definition = `view ${view} as select ${list.join(', ')} from (${query}) as answer`;
  const columnComments = Object.entries(columns).map(
    ([column, { comment: text }]) => `comment on column ${view}.${quoted(column)} is ${literal(text)};`,
  );
  const version = hash('sha256', [definition, comment, ...columnComments].join('\n')).slice(0, 8);
  const marked = `${comment} [fusionauth-segment view ${version}]`;

  return `do $fusionauth_segment$
declare
  place oid := (select oid from pg_catalog.pg_namespace where nspname = ${literal(schema)});
  relation oid := (select oid from pg_catalog.pg_class where relnamespace = place and relname = ${literal(name)});
  present text := pg_catalog.obj_description(relation, 'pg_class');
begin
  if not pg_catalog.has_schema_privilege(place, 'create') or present = ${literal(marked)} then
    return;
  end if;
  if relation is not null and not exists (
    select from pg_catalog.pg_class
    where oid = relation and relkind = 'v' and present like ${literal(markPattern)}
      and pg_catalog.pg_has_role(relowner, 'usage')
  ) then
    return;
  end if;
  begin
    create or replace ${definition};
  exception when invalid_table_definition then
    -- An earlier release gave it other columns. Where somebody's own view depends on it, it stays as it is.
    begin
      drop view ${view};
      create ${definition};
    exception when dependent_objects_still_exist then
      return;
    end;
  end;
  comment on view ${view} is ${literal(marked)};
  ${columnComments.join('\n  ')}
end
$fusionauth_segment$`;
}

function statement(text: string): Statement {
  return { text, values: [] };
}

function literal(text: string): string {
  return pg.escapeLiteral(text);
}

function quoted(identifier: string): string {
  return pg.escapeIdentifier(identifier);
}
