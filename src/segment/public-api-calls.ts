// How Segment's Public API is called: its token, its envelope, its pages, its rate limit.
//
// Holds always: an answer is `{ data }`, parsed here once; anything else is thrown as a PublicApiError. Nothing is tried
// again but what was answered 429, so that no call that makes something is made twice.

import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { failureWords } from './public-api-answers.ts';
import type { Page } from './public-api-answers.ts';
import { notUnderstood, refusal, tooBusy, unreachable } from './public-api-error.ts';
import type { Asked } from './public-api-error.ts';
import { retryAfterMs } from './retry-after.ts';

/** `stable` has all that is called here but the delivery overview. */
const mediaTypes = {
  stable: 'application/vnd.segment.v1+json',
  beta: 'application/vnd.segment.v1beta+json',
} as const;

/** Of one call, where each answer is 429. */
const maxAttempts = 10;
/** A source comes with its kind's description and options, some 10 kB. Segment gives 1,000 at most. */
const pageSize = 100;
const maxPages = 200;
const maxAnswerBytes = 16 * 1024 * 1024;
/** Characters of Segment's own words that are shown. */
const maxWords = 300;

export interface Call<Answer> extends Omit<Asked, 'host'> {
  /** Default: GET. */
  readonly method?: 'GET' | 'POST' | 'PATCH';
  /** With its query, if any. */
  readonly path: string;
  readonly body?: object;
  /** Of `data`. */
  readonly answer: z.ZodType<Answer>;
  readonly accept?: keyof typeof mediaTypes;
  /** In the body, and not to be shown should Segment repeat it. */
  readonly secret?: string;
  readonly signal: AbortSignal | undefined;
}

export interface PublicApiAccess {
  /** Base URL. */
  readonly endpoint: string;
  readonly token: string;
  readonly userAgent: string;
  /** For each answer. Default: 30 s, since Segment itself logs in at a warehouse before it answers. */
  readonly timeoutMs?: number;
  /** How long to wait in all, in one call, where the answer is 429. Default: a minute. */
  readonly patienceMs?: number;
}

export class PublicApiCalls {
  readonly #base: string;
  readonly #token: string;
  readonly #userAgent: string;
  readonly #timeoutMs: number;
  readonly #patienceMs: number;
  readonly #agent: Agent;

  constructor({ endpoint, token, userAgent, timeoutMs = 30_000, patienceMs = 60_000 }: PublicApiAccess) {
    this.#base = endpoint.replace(/\/+$/, '');
    this.#token = token;
    this.#userAgent = userAgent;
    this.#timeoutMs = timeoutMs;
    this.#patienceMs = patienceMs;
    this.#agent = new Agent({
      connect: { timeout: timeoutMs },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
  }

  get host(): string {
    return new URL(this.#base).host;
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  /** Rejects with PublicApiError, or with the reason of the signal. Safe to call concurrently. */
  async ask<Answer>(call: Call<Answer>): Promise<Answer> {
    const asked: Asked = { host: this.host, what: call.what, role: call.role };
    let waitedMs = 0;
    for (let attempt = 1; ; attempt++) {
      const { status, headers, body } = await this.#send(call, asked);
      if (status !== 429) return this.#meaning(call, asked, status, body);
      const waitMs = retryAfterMs(headers, Date.now()) ?? 1000 * 2 ** (attempt - 1);
      if (attempt >= maxAttempts || waitedMs + waitMs > this.#patienceMs) throw tooBusy(asked, waitMs);
      await sleep(waitMs, undefined, { signal: call.signal });
      waitedMs += waitMs;
    }
  }

  /** All pages of a list, as `ask`. */
  async askPages<Answer extends Page>(call: Call<Answer>): Promise<readonly Answer[]> {
    const pages: Answer[] = [];
    const separator = call.path.includes('?') ? '&' : '?';
    let cursor: string | null | undefined;
    do {
      const place = new URLSearchParams({
        'pagination.count': String(pageSize),
        ...(cursor ? { 'pagination.cursor': cursor } : {}),
      });
      const page = await this.ask({ ...call, path: `${call.path}${separator}${place.toString()}` });
      pages.push(page);
      cursor = page.pagination?.next;
      if (cursor && pages.length >= maxPages) {
        throw notUnderstood({ host: this.host, ...call }, `it gave more than ${maxPages} pages`);
      }
    } while (cursor);
    return pages;
  }

  async #send({ method = 'GET', path, body, accept = 'stable', signal }: Call<unknown>, asked: Asked) {
    const patience = AbortSignal.timeout(this.#timeoutMs);
    try {
      const answer = await request(`${this.#base}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          accept: mediaTypes[accept],
          'user-agent': this.#userAgent,
          ...(body === undefined ? {} : { 'content-type': mediaTypes[accept] }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        dispatcher: this.#agent,
        signal: signal ? AbortSignal.any([signal, patience]) : patience,
      });
      return { status: answer.statusCode, headers: answer.headers, body: await readBounded(answer.body) };
    } catch (cause) {
      if (signal?.aborted) throw cause;
      throw unreachable(asked, cause);
    }
  }

  #meaning<Answer>(
    { answer, secret }: Call<Answer>,
    asked: Asked,
    status: number,
    body: string | undefined,
  ): Answer {
    if (body === undefined) throw notUnderstood(asked, `it answered more than ${maxAnswerBytes} bytes`);
    const document = parseJson(body);
    if (status < 200 || status > 299) {
      throw refusal(asked, status, shown(failureWords(document), [this.#token, secret]));
    }
    if (document === undefined) throw notUnderstood(asked, `it answered ${status} without JSON`);
    const parsed = z.object({ data: answer }).safeParse(document);
    if (parsed.success) return parsed.data.data;
    const path = parsed.error.issues[0]?.path.join('.') ?? '';
    throw notUnderstood(asked, `its answer has no proper “${path}”`, parsed.error);
  }
}

/** Undefined where it is too large. Throws where it breaks off. */
async function readBounded(body: AsyncIterable<Buffer>): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Segment's words without the secrets that it was given, and not too many. */
function shown(words: string, secrets: readonly (string | undefined)[]): string {
  const clean = secrets.reduce<string>(
    (all, secret) => (secret ? all.replaceAll(secret, '•••') : all),
    words,
  );
  return clean.length > maxWords ? `${clean.slice(0, maxWords)}…` : clean;
}
