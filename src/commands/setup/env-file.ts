// `.env`, where `setup` leaves what `npm start` needs to know.

import { readFileSync, realpathSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { replaceFile } from '../../durable-files.ts';

export type Variables = Readonly<Record<string, string>>;

/** The variables that do not stand there with these values. */
export function findNewVariables(wanted: Variables, path = '.env'): readonly string[] {
  const there = parseEnv(read(path) ?? '');
  return Object.keys(wanted).filter((name) => there[name] !== wanted[name]);
}

/** Sets them, for the file's owner alone (mode 600); every other line stays as it is. In one step. */
export function writeVariables(wanted: Variables, path = '.env'): void {
  const old = read(path);
  const newline = old?.includes('\r\n') === true ? '\r\n' : '\n';
  const lines = old === undefined || old === '' ? [] : old.replace(/\r?\n$/, '').split(/\r?\n/);
  for (const name of findNewVariables(wanted, path)) {
    const line = `${name}=${quoted(wanted[name] ?? '')}`;
    const pattern = new RegExp(`^\\s*(export\\s+)?${name}\\s*=`);
    // Of several lines the last one counts.
    const at = lines.findLastIndex((candidate) => pattern.test(candidate));
    if (at < 0) lines.push(line);
    else lines[at] = `${pattern.exec(lines[at] ?? '')?.[1] ?? ''}${line}`;
  }
  replaceFile(old === undefined ? path : realpathSync(path), `${lines.join(newline)}${newline}`);
}

/** Undefined where there is no such file. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** So that it is read as it is: `#` begins a comment, and spaces at the ends are cut. */
function quoted(value: string): string {
  if (/^[\w./:@%+,=~?&-]*$/.test(value)) return value;
  return (
    [`'`, '"', '`'].map((mark) => (value.includes(mark) ? undefined : mark + value + mark)).find(Boolean) ??
    value
  );
}
