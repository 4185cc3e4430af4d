// A command on a real pseudo-terminal, by util-linux' `script`, with somebody who reads and types.

import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';
import { cli } from './command.ts';
import type { RunOptions } from './command.ts';
import { until } from './until.ts';

/** BSD's `script`, as macOS has it, takes other options. */
export const hasTerminal = /util-linux/.test(spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout);

export const keys = { enter: '\r', down: '\x1b[B', space: ' ', interrupt: '\x03', clear: '\x15' } as const;

export class TerminalRun implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  /** What stands on the terminal, without its colours and movements: a line that is drawn anew stands there again. */
  text = '';
  #read = 0;

  /** Of 120 columns, so that no question is broken. */
  constructor(args: readonly string[], { settings = {}, cwd }: Pick<RunOptions, 'settings' | 'cwd'>) {
    const { PATH, HOME } = process.env;
    const quoted = [process.execPath, cli, ...args].map((word) => `'${word}'`).join(' ');
    this.#child = spawn('script', ['-qefc', `stty cols 120 rows 50; exec ${quoted}`, '/dev/null'], {
      cwd,
      env: { PATH, HOME, TERM: 'xterm', ...settings },
    });
    this.#exited = once(this.#child, 'exit');
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.text += stripVTControlCharacters(text);
    });
  }

  /** Waits for words that were not there at the last answer, and types. */
  async answer(words: string, ...typed: readonly string[]): Promise<void> {
    const isThere = () => this.text.includes(words, this.#read);
    try {
      await until(`"${words}" is asked`, () => isThere() || this.#hasExited);
    } catch (error) {
      throw new Error(`${(error as Error).message}; there stands:\n${this.text.slice(this.#read)}`, {
        cause: error,
      });
    }
    if (!isThere()) throw new Error(`It ended before it asked "${words}":\n${this.text}`);
    this.#read = this.text.indexOf(words, this.#read) + words.length;
    for (const key of typed) this.#child.stdin?.write(key);
  }

  /** Resolves to its exit code. */
  async end(): Promise<number | null> {
    await this.#exited;
    return this.#child.exitCode;
  }

  get #hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasExited) this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
