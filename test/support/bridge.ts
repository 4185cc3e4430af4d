// The real bridge in a process of its own, as `npm start` runs it.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'undici';
import type { Status } from '../../src/http/status.ts';
import { sampleEvent } from '../../src/fusionauth/samples.ts';
import type { KnownEventType } from '../../src/fusionauth/catalogue.ts';
import { randomUUID } from 'node:crypto';
import { cli } from './command.ts';
import { freePort } from './free-port.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: { readonly [field: string]: unknown };
}

/** Of Node, as `npm start` has them. */
export const startArguments = ['--max-semi-space-size=8', cli, 'start'];

/** Only what the operating system needs, so that the settings of whoever runs the tests do not leak in. */
function environment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  return { PATH, HOME, TMPDIR, LANG, LOG_LEVEL: 'info', SEGMENT_EVENTS_PER_SECOND: '0', ...settings };
}

/** One run of the bridge's process. */
export class BridgeProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly url: string;
  stdout = '';
  /** Its log lines. */
  stderr = '';

  private constructor(settings: Readonly<Record<string, string>>) {
    this.url = `http://127.0.0.1:${settings['PORT'] ?? ''}`;
    this.#child = spawn(process.execPath, startArguments, { env: environment(settings) });
    this.#exited = once(this.#child, 'exit');
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
  }

  /** Resolves when it says that it runs. Rejects with its last words where it ends first. */
  static async start(settings: Readonly<Record<string, string>>): Promise<BridgeProcess> {
    const bridge = new BridgeProcess(settings);
    await bridge.untilItRuns();
    return bridge;
  }

  /** Only begins its start, for who wants to end it in the midst of that. */
  static launch(settings: Readonly<Record<string, string>>): BridgeProcess {
    return new BridgeProcess(settings);
  }

  /** Runs it to its end, for starts that must fail. */
  static async startInVain(settings: Readonly<Record<string, string>>): Promise<BridgeProcess> {
    const bridge = new BridgeProcess(settings);
    await bridge.#exited;
    return bridge;
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Log lines as objects. */
  get lines(): readonly Readonly<Record<string, unknown>>[] {
    return this.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async untilItRuns(): Promise<void> {
    await until(
      'the bridge says that it runs',
      () => this.stderr.includes('The bridge runs') || this.hasExited,
      60_000,
    );
    if (this.hasExited) throw new Error(`The bridge ended: ${this.stderr}`);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.hasExited) this.#child.kill(signal);
    await this.#exited;
  }

  async post(
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
    path = '/webhook',
  ): Promise<Answer> {
    const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const answer = await request(`${this.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: text,
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: JSON.parse(await answer.body.text()) as Answer['body'],
    };
  }

  async get(
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; text: string }> {
    const answer = await request(`${this.url}${path}`, { headers });
    return { status: answer.statusCode, text: await answer.body.text() };
  }

  async books(): Promise<Status> {
    return JSON.parse((await this.get('/api/status')).text) as Status;
  }

  /** Waits until no record is pending at any destination. */
  async settled(): Promise<Status> {
    await until('no record is pending', async () => {
      const { destinations } = await this.books();
      return Object.values(destinations).every(({ pending }) => pending === 0);
    });
    return this.books();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGTERM');
  }
}

/** A bridge in a folder of its own, without a warehouse unless the settings name one. */
export async function startBridge(
  settings: Readonly<Record<string, string>> = {},
): Promise<BridgeProcess & AsyncDisposable> {
  const folder = await temporaryFolder();
  const bridge = await BridgeProcess.start({
    PORT: String(await freePort()),
    DATA_DIR: folder.path,
    WAREHOUSE_URL: 'off',
    ...settings,
  });
  const end = bridge[Symbol.asyncDispose].bind(bridge);
  bridge[Symbol.asyncDispose] = async () => {
    await end();
    await folder[Symbol.asyncDispose]();
  };
  return bridge;
}

/** A webhook's body with a sample event of its own id. */
export function sample(
  type: KnownEventType,
  { id = randomUUID(), userId = randomUUID() }: { id?: string; userId?: string } = {},
) {
  return { event: { ...sampleEvent(type, { eventId: id, userId, createInstant: 1_767_225_600_000 }), id } };
}
