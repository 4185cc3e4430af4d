// What can be exported: the tables and views of the warehouse's schema that its reader may read, the loader's and those
// that people have added. From PostgreSQL's catalog, since information_schema knows no materialized views.

import type pg from 'pg';
import { stateTable, userTimesTable } from '../rows.ts';
import { ExportError } from './export-error.ts';

export interface RelationSummary {
  readonly name: string;
  readonly kind: 'table' | 'view';
}

export interface Relation extends RelationSummary {
  readonly schema: string;
  /** In their order. */
  readonly columns: readonly RelationColumn[];
  /** The columns of the primary key; empty where it has none. */
  readonly key: readonly string[];
}

export interface RelationColumn {
  readonly name: string;
  /** Neither a number, nor a boolean, nor a time. */
  readonly isText: boolean;
  /** A point in time: a timestamp with its zone. */
  readonly isInstant: boolean;
}

const readable = `
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relkind in ('r', 'p', 'f', 'v', 'm') and has_table_privilege(c.oid, 'select')`;
const kind = `case when c.relkind in ('v', 'm') then 'view' else 'table' end`;

/** Views first: they are made for reading. The loader's own tables are left out: they can be read, but nobody asks for them. */
export async function listRelations(client: pg.Client, schema: string): Promise<readonly RelationSummary[]> {
  const { rows } = await client.query<RelationSummary>(
    `select c.relname::text as name, ${kind} as kind ${readable} and c.relname <> all($2) order by 2 desc, 1`,
    [schema, [stateTable, userTimesTable]],
  );
  return rows;
}

/** Throws ExportError, which names what there is. */
export async function findRelation(client: pg.Client, schema: string, name: string): Promise<Relation> {
  const { rows } = await client.query<Omit<Relation, 'schema'>>(
    `select c.relname::text as name, ${kind} as kind,
       (select coalesce(json_agg(json_build_object(
            'name', a.attname,
            'isText', t.typcategory not in ('N', 'B', 'D', 'T'),
            'isInstant', a.atttypid = 'timestamptz'::regtype) order by a.attnum), '[]')
          from pg_attribute a join pg_type t on t.oid = a.atttypid
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
       (select coalesce(json_agg(a.attname order by k.place), '[]')
          from pg_index i
            cross join unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
            join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
          where i.indrelid = c.oid and i.indisprimary) as key
     ${readable} and c.relname = $2`,
    [schema, name],
  );
  const [relation] = rows;
  if (relation !== undefined) return { ...relation, schema };
  const names = (await listRelations(client, schema)).map((known) => known.name);
  throw new ExportError(`The warehouse has no table or view "${name}"`, {
    code: 'EXPORT_UNKNOWN',
    hint: names.length === 0 ? `The schema ${schema} is still empty` : `There are ${names.join(', ')}`,
  });
}
