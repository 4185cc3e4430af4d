// The part of docs/warehouse.md that is made from the code: each view, what it answers, its columns.

import { readFileSync } from 'node:fs';
import { views } from '../src/destinations/warehouse/views/all.ts';
import type { View } from '../src/destinations/warehouse/views/view.ts';
import { code, formatTable } from './markdown.ts';

const begin = '<!-- views: made by npm run docs -->';
const end = '<!-- views end -->';

/** The page as it is, with that part made anew. */
export function warehousePage(): string {
  const page = readFileSync(new URL('warehouse.md', import.meta.url), 'utf8');
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`docs/warehouse.md lacks ${begin} or ${end}`);
  return `${before}${begin}\n\n${viewTables()}\n\n${end}${after}`;
}

function viewTables(): string {
  const overview = formatTable(
    ['view', 'answers', 'columns'],
    views.map(({ name, comment, columns }) => [
      code(name),
      comment,
      Object.keys(columns).map(code).join(', '),
    ]),
  );
  return `${overview}\n\n<details><summary>All columns of the views, one by one</summary>\n\n${views
    .map(columnTable)
    .join('\n\n')}\n\n</details>`;
}

function columnTable({ name, columns }: View): string {
  return formatTable(
    [code(name), 'type', ''],
    Object.entries(columns).map(([column, { type, comment }]) => [code(column), code(type), comment]),
  );
}
