// Requests to a worker thread and their answers, in order, one answer for each.

import { once } from 'node:events';
import { extname } from 'node:path';
import { parentPort, Worker, workerData } from 'node:worker_threads';

/** SQLite's error as it crosses the thread: its class and fields do not. */
export interface WorkerFault {
  readonly message: string;
  /** SQLite's extended result code, or 0. */
  readonly errcode: number;
  /** What to do, where the one who threw it knows better than the result code. */
  readonly hint: string | undefined;
}

export type Answer<Result> = { readonly result: Result } | { readonly fault: WorkerFault };

/** The database refused in the worker. */
export class WorkerFaultError extends Error {
  readonly errcode: number;
  readonly hint: string | undefined;

  constructor({ message, errcode, hint }: WorkerFault) {
    super(message);
    this.name = 'WorkerFaultError';
    this.errcode = errcode;
    this.hint = hint;
  }
}

/** The last request, to which there is no answer. */
const closeRequest = 'close';

/** The main thread's side: each request resolves to its answer, in the order of the requests. */
export class WorkerClient<Request, Result> {
  readonly #worker: Worker;
  readonly #waiting: { resolve: (result: Result) => void; reject: (error: Error) => void }[] = [];
  #ended: Error | undefined;
  #mustLive = false;

  /** `module`: the worker's file beside this one, without its extension (.ts here, .js in the package). */
  constructor(module: string, data: unknown) {
    const file = new URL(`./${module}${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(file, { workerData: data, name: `log-${module}` });
    this.#worker.on('message', (answer: Answer<Result>) => {
      const request = this.#waiting.shift();
      if ('result' in answer) request?.resolve(answer.result);
      else request?.reject(new WorkerFaultError(answer.fault));
    });
    this.#worker.on('error', (error: unknown) =>
      this.#end(error instanceof Error ? error : new Error(String(error))),
    );
    this.#worker.on('exit', () => this.#end(new Error(`The log's ${module} thread has ended`)));
  }

  request(request: Request): Promise<Result> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  /** From here on an end that was not asked for ends the process: a restart is better than a log that cannot be used. */
  demandToLive(): void {
    this.#mustLive = true;
  }

  /** Lets the worker answer what it was asked, close its file and end. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#mustLive = false;
    const exited = once(this.#worker, 'exit');
    this.#worker.postMessage(closeRequest);
    await exited;
  }

  #end(error: Error): void {
    this.#ended ??= error;
    if (this.#mustLive) throw error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** The worker's side: answers each request by the handler, faults included, until it is told to close. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- what crosses the thread has the type it is given
export function serveRequests<Request, Result>(
  handle: (request: Request) => Result,
  close: () => void,
): void {
  parentPort?.on('message', (request: Request | typeof closeRequest) => {
    if (request === closeRequest) {
      close();
      parentPort?.close();
      return;
    }
    let answer: Answer<Result>;
    try {
      answer = { result: handle(request) };
    } catch (error) {
      answer = { fault: faultOf(error) };
    }
    parentPort?.postMessage(answer);
  });
}

export function faultOf(error: unknown): WorkerFault {
  const { message, hint } = error as Error & { hint?: string };
  return { message, errcode: errcodeOf(error), hint };
}

export function errcodeOf(error: unknown): number {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode : 0;
}

/** What the main thread handed to this worker at its start. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as above
export function workerOptions<Options>(): Options {
  return workerData as Options;
}
