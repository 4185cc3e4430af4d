// Copies one schema, with all that is in it, from one PostgreSQL to another, by the wire alone: pg_dump need not be
// there, and the servers may be of different versions.
//
// Holds always: the copy is of one moment, whatever is written to the original meanwhile, and it is there as a whole or
// not at all: a copy that is broken off leaves nothing behind.

import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';

export interface CopyOptions {
  readonly from: pg.Client;
  readonly to: pg.Client;
  readonly schema: string;
  /** Told when a table has been copied. */
  readonly onTable?: ((table: CopiedTable) => void) | undefined;
}

export interface CopiedTable {
  readonly name: string;
  readonly rows: number;
}

export interface Copy {
  readonly tables: readonly CopiedTable[];
  /** Views and indexes of somebody's own that the other server would not have, by name, and why. */
  readonly skipped: ReadonlyMap<string, string>;
}

/** The other database has such a schema already, with something in it. */
export class SchemaTakenError extends Error {
  readonly code = 'SCHEMA_TAKEN';
  readonly hint: string;

  constructor(schema: string, relation: string) {
    super(`The schema "${schema}" is there already, with "${relation}" in it`);
    this.name = 'SchemaTakenError';
    this.hint = `Name another database, or see what is in that schema and drop it: DROP SCHEMA ${pg.escapeIdentifier(schema)} CASCADE`;
  }
}

interface Relation {
  readonly name: string;
  readonly kind: 'table' | 'view' | 'materialized view';
  readonly comment: string | null;
  readonly columns: readonly Column[];
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly default: string | null;
  readonly comment: string | null;
}

/** Throws SchemaTakenError, or what either server says; in the middle of a table's rows it ends both connections then. */
export async function copySchema({ from, to, schema, onTable }: CopyOptions): Promise<Copy> {
  // So that definitions read from one server name the schema in full, whatever its roles' settings.
  await from.query(`begin isolation level repeatable read read only; set local search_path = ''`);
  try {
    await to.query('begin');
    try {
      await makeSchema(to, schema);
      const relations = await readRelations(from, schema);
      const tables: CopiedTable[] = [];
      for (const relation of relations.filter(({ kind }) => kind === 'table')) {
        const table = await copyTable({ from, to, schema, onTable }, relation);
        tables.push(table);
        onTable?.(table);
      }
      const skipped = await defineRest(to, await readDefinitions(from, schema));
      for (const relation of relations)
        if (!skipped.has(relation.name)) await copyComments(to, schema, relation);
      await to.query('commit');
      return { tables, skipped };
    } catch (error) {
      await to.query('rollback').catch(() => undefined);
      throw error;
    }
  } finally {
    await from.query('rollback').catch(() => undefined);
  }
}

async function makeSchema(to: pg.Client, schema: string): Promise<void> {
  const { rows } = await to.query<{ relname: string | null }>(
    `select relname from pg_namespace n left join pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
     where nspname = $1 order by relname limit 1`,
    [schema],
  );
  const [there] = rows;
  if (there === undefined) await to.query(`create schema ${pg.escapeIdentifier(schema)}`);
  else if (there.relname !== null) throw new SchemaTakenError(schema, there.relname);
}

/** In the order in which they were made, so that a view comes behind what it reads. */
async function readRelations(from: pg.Client, schema: string): Promise<readonly Relation[]> {
  const { rows } = await from.query<Relation>(
    `select relname as name,
       case relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind,
       obj_description(c.oid, 'pg_class') as comment,
       (select coalesce(json_agg(json_build_object(
          'name', attname, 'type', format_type(atttypid, atttypmod), 'isRequired', attnotnull,
          'default', pg_get_expr(adbin, adrelid), 'comment', col_description(c.oid, attnum)) order by attnum), '[]')
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = c.oid and attnum > 0 and not attisdropped) as columns
     from pg_class c join pg_namespace n on n.oid = relnamespace
     where nspname = $1 and relkind in ('r', 'p', 'v', 'm') and not relispartition order by c.oid`,
    [schema],
  );
  return rows;
}

async function copyTable(
  { from, to, schema }: CopyOptions,
  { name, columns }: Relation,
): Promise<CopiedTable> {
  const table = qualified(schema, name);
  const definitions = columns.map(
    (column) =>
      `${pg.escapeIdentifier(column.name)} ${column.type}` +
      (column.default === null ? '' : ` default ${column.default}`) +
      (column.isRequired ? ' not null' : ''),
  );
  await to.query(`create table ${table} (${definitions.join(', ')})`);
  const names = columns.map((column) => pg.escapeIdentifier(column.name)).join(', ');
  const incoming = to.query(copyFrom(`copy ${table} (${names}) from stdin`));
  try {
    await pipeline(from.query(copyTo(`copy (select ${names} from ${table}) to stdout`)), incoming);
  } catch (error) {
    // Whichever broke, the other one is in the midst of a COPY: the rest of a large table would fill its connection, which
    // nobody reads any more, and all that is said on it later, a rollback too, would wait behind that.
    await Promise.allSettled([from.end(), to.end()]);
    throw error;
  }
  return { name, rows: incoming.rowCount };
}

interface Definition {
  readonly name: string;
  /** Of the loader's own layout; without it the copy would be none. */
  readonly isRequired: boolean;
  readonly sql: string;
}

/** What comes behind the rows: keys and other constraints, indexes, views. */
async function readDefinitions(from: pg.Client, schema: string): Promise<readonly Definition[]> {
  const { rows } = await from.query<Definition>(
    `select conname as name, contype = 'p' as "isRequired",
       format('alter table %I.%I add constraint %I %s', nspname, relname, conname, pg_get_constraintdef(o.oid)) as sql
     from pg_constraint o join pg_class c on c.oid = conrelid join pg_namespace n on n.oid = relnamespace
     where nspname = $1 and contype in ('p', 'u', 'c', 'x') and not relispartition
     union all
     select relname, false, pg_get_indexdef(c.oid)
     from pg_class c join pg_namespace n on n.oid = relnamespace join pg_index i on indexrelid = c.oid
     where nspname = $1 and not exists (select from pg_constraint where conindid = c.oid)
     union all
     select relname, false, format('create %s %I.%I as %s',
       case relkind when 'v' then 'view' else 'materialized view' end, nspname, relname, pg_get_viewdef(c.oid))
     from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = $1 and relkind in ('v', 'm')`,
    [schema],
  );
  // An index may be upon a materialized view, and a view upon one made later than it: whatever fails is tried again.
  return rows;
}

/** Resolves to those that could not be made, and why. */
async function defineRest(
  to: pg.Client,
  definitions: readonly Definition[],
): Promise<ReadonlyMap<string, string>> {
  let left = definitions;
  for (;;) {
    const failed = new Map<Definition, string>();
    for (const definition of left) {
      await to.query('savepoint definition');
      try {
        await to.query(definition.sql);
        await to.query('release savepoint definition');
      } catch (error) {
        if (definition.isRequired) throw error;
        await to.query('rollback to savepoint definition');
        failed.set(definition, (error as Error).message);
      }
    }
    if (failed.size === 0 || failed.size === left.length) {
      return new Map(Array.from(failed, ([{ name }, reason]) => [name, reason]));
    }
    left = [...failed.keys()];
  }
}

async function copyComments(
  to: pg.Client,
  schema: string,
  { name, kind, comment, columns }: Relation,
): Promise<void> {
  const relation = qualified(schema, name);
  const statements = [
    ...(comment === null ? [] : [`comment on ${kind} ${relation} is ${pg.escapeLiteral(comment)}`]),
    ...columns.flatMap((column) =>
      column.comment === null
        ? []
        : [
            `comment on column ${relation}.${pg.escapeIdentifier(column.name)} is ${pg.escapeLiteral(column.comment)}`,
          ],
    ),
  ];
  if (statements.length > 0) await to.query(statements.join('; '));
}

function qualified(schema: string, name: string): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
}
