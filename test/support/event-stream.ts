// A client of a stream of Server-Sent Events, as a browser is one, but it can read slowly.

import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';

export interface StreamedMessage {
  readonly event: string;
  readonly data: unknown;
  /** The client's clock. */
  readonly at: number;
}

export class EventStream implements Disposable {
  readonly #answer: IncomingMessage;
  #unparsed = '';
  readonly messages: StreamedMessage[] = [];
  readonly comments: string[] = [];
  lastEventId = '';
  retryMs: number | undefined;
  hasEnded = false;

  private constructor(answer: IncomingMessage) {
    this.#answer = answer;
    answer.setEncoding('utf8');
    answer.on('data', (text: string) => this.#take(text));
    answer.on('close', () => (this.hasEnded = true));
    // A connection that breaks shows as its end.
    answer.on('error', () => undefined);
  }

  /** Resolves when the answer has begun. */
  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventStream> {
    const request = get(url, { headers, agent: false });
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    return new EventStream(answer);
  }

  get status(): number {
    return this.#answer.statusCode ?? 0;
  }

  get headers(): IncomingMessage['headers'] {
    return this.#answer.headers;
  }

  /** What the messages of this name say, in order. */
  dataOf(event: string): readonly unknown[] {
    return this.messages.filter((message) => message.event === event).map(({ data }) => data);
  }

  /** Takes nothing from the socket until it goes on. */
  pause(): void {
    this.#answer.pause();
  }

  resume(): void {
    this.#answer.resume();
  }

  [Symbol.dispose](): void {
    this.#answer.destroy();
  }

  /** As the standard has it: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
  #take(text: string): void {
    const blocks = (this.#unparsed + text).split('\n\n');
    this.#unparsed = blocks.pop() ?? '';
    for (const block of blocks) this.#dispatch(block);
  }

  #dispatch(block: string): void {
    let event = 'message';
    let data = '';
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon);
      const value = line.slice(colon + 1).replace(/^ /, '');
      if (name === '') this.comments.push(value);
      if (name === 'event') event = value;
      if (name === 'data') data += value;
      if (name === 'id') this.lastEventId = value;
      if (name === 'retry') this.retryMs = Number(value);
    }
    if (data !== '') this.messages.push({ event, data: JSON.parse(data), at: performance.now() });
  }
}
