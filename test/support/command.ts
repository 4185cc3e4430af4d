// The command line as its user has it: run in a process, judged by what it prints and by its exit code.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export const cli = new URL('../../src/cli.ts', import.meta.url).pathname;

export interface Run {
  /** Null where it was killed. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly settings?: Readonly<Record<string, string>>;
  /** What stands on its standard input. */
  readonly input?: string;
  readonly cwd?: string;
  /** Told of the process when it begins, for who wants to end it. */
  readonly onStart?: (process: ChildProcess) => void;
}

/** Its environment is the settings and no more, so that the one of whoever runs the tests does not matter. */
export async function runCommand(
  args: readonly string[],
  { settings = {}, input = '', cwd, onStart }: RunOptions = {},
): Promise<Run> {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [cli, ...args], { cwd, env: { PATH, HOME, ...settings } });
  onStart?.(child);
  // It may have ended before it has read all of it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { exitCode, stdout, stderr };
}
