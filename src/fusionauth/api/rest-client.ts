// The transport of FusionAuth's own client: undici, with a time limit, which the one that it brings along lacks.

import type { IRESTClient } from '@fusionauth/typescript-client';
import { request } from 'undici';

type Answered<T> = Awaited<ReturnType<IRESTClient<T, unknown>['go']>>;

/** What came back: `response` of a success, `exception` of anything else. Both are undefined where no JSON came. */
export interface RestAnswer {
  readonly statusCode: number;
  readonly response: unknown;
  readonly exception: unknown;
}

/** No answer came. */
export class NoAnswerError extends Error {
  constructor(cause: unknown) {
    super((cause as Error).message, { cause });
    this.name = 'NoAnswerError';
  }
}

/** One request. `go` rejects with a RestAnswer that is no success, or with NoAnswerError. */
export class RestClient<T, E> implements IRESTClient<T, E> {
  readonly #host: string;
  readonly #timeoutMs: number;
  readonly #headers: Record<string, string> = {};
  readonly #parameters = new URLSearchParams();
  #method = 'GET';
  #path = '';
  #body: string | undefined;

  constructor(host: string, { timeoutMs, userAgent }: { timeoutMs: number; userAgent: string }) {
    this.#host = host.replace(/\/+$/, '');
    this.#timeoutMs = timeoutMs;
    this.#headers['user-agent'] = userAgent;
  }

  /** FusionAuth takes the key as it is, without a scheme. */
  withAuthorization(key: string): this {
    return this.withHeader('authorization', key);
  }

  withUri(uri: string): this {
    this.#path = uri;
    return this;
  }

  withUriSegment(segment: string | number | undefined): this {
    if (segment !== undefined) this.#path += `/${encodeURIComponent(segment)}`;
    return this;
  }

  withMethod(method: string): this {
    this.#method = method;
    return this;
  }

  withHeader(name: string, value: string): this {
    this.#headers[name] = value;
    return this;
  }

  withJSONBody(body: object): this {
    this.#body = JSON.stringify(body);
    return this.withHeader('content-type', 'application/json');
  }

  withFormData(body: URLSearchParams): this {
    this.#body = body.toString();
    return this.withHeader('content-type', 'application/x-www-form-urlencoded');
  }

  withParameter(name: string, value: string | number | boolean | null | undefined): this {
    if (value !== undefined && value !== null) this.#parameters.append(name, String(value));
    return this;
  }

  /** Of browsers only. */
  withCredentials(): this {
    return this;
  }

  withResponseHandler(): this {
    throw new TypeError('Answers are read as JSON');
  }

  withErrorResponseHandler(): this {
    throw new TypeError('Answers are read as JSON');
  }

  async go(): Promise<Answered<T>> {
    const answer = await this.#ask();
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- what FusionAuth's client rejects with
    if (answer.statusCode < 200 || answer.statusCode > 299) throw answer;
    return answer as unknown as Answered<T>;
  }

  async #ask(): Promise<RestAnswer> {
    const query = this.#parameters.size === 0 ? '' : `?${this.#parameters.toString()}`;
    try {
      const { statusCode, body } = await request(`${this.#host}${this.#path}${query}`, {
        method: this.#method as 'GET',
        headers: this.#headers,
        body: this.#body ?? null,
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      const value = parsed(await body.text());
      const isSuccess = statusCode >= 200 && statusCode <= 299;
      return {
        statusCode,
        response: isSuccess ? value : undefined,
        exception: isSuccess ? undefined : value,
      };
    } catch (cause) {
      throw new NoAnswerError(cause);
    }
  }
}

/** Undefined for what is no JSON: a page of something on the way. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
