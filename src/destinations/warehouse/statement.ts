// One SQL statement of the loader's, with its parameters.

import type { CellValue } from './columns.ts';

/** A value of a column, or all of one column's, as PostgreSQL's driver takes it. */
export type Parameter = string | readonly (CellValue | null)[];

export interface Statement {
  readonly text: string;
  readonly values: readonly Parameter[];
}
