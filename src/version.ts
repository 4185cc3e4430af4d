import { readFileSync } from 'node:fs';

/** The package's version, as its package.json has it; that lies one folder above, for src/ and for dist/. */
export const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
