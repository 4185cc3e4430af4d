// A client that writes any bytes, in any pieces, and reads what comes back as HTTP answers.

import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RawAnswer {
  readonly status: number;
  readonly body: string;
}

export class RawConnection {
  readonly #socket: Socket;
  #received = '';
  #answers: RawAnswer[] = [];
  #changed = Promise.withResolvers<undefined>();
  isClosed = false;
  /** What came that is no HTTP answer. */
  garbage: string | undefined;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1');
    this.#socket.on('data', (text: unknown) => {
      this.#received += text as string;
      this.#parse(false);
      this.#change();
    });
    // What the other side closes or resets is told by what is missing.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.isClosed = true;
      this.#parse(true);
      this.#change();
    });
  }

  async write(pieces: readonly Buffer[], pauseMs: number): Promise<void> {
    for (const [index, piece] of pieces.entries()) {
      if (this.isClosed || this.#socket.writableEnded) return;
      this.#socket.write(piece);
      if (index < pieces.length - 1) await sleep(pauseMs);
    }
  }

  /** Resolves to all answers when there are this many, or the connection is closed, or time is up. */
  async answers(count: number, timeoutMs: number): Promise<readonly RawAnswer[]> {
    const timeout = new AbortController();
    const late = sleep(timeoutMs, true, { signal: timeout.signal }).catch(() => true);
    let isLate = false;
    while (this.#answers.length < count && !this.isClosed && !isLate) {
      isLate = (await Promise.race([this.#changed.promise, late])) === true;
    }
    timeout.abort();
    return this.#answers.splice(0);
  }

  halfClose(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  #change(): void {
    this.#changed.resolve(undefined);
    this.#changed = Promise.withResolvers<undefined>();
  }

  #parse(isAtEnd: boolean): void {
    for (;;) {
      if (this.#received === '') return;
      const headEnd = this.#received.indexOf('\r\n\r\n');
      if (headEnd < 0) {
        if (isAtEnd) this.garbage ??= this.#received;
        return;
      }
      const head = this.#received.slice(0, headEnd);
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
      if (Number.isNaN(status)) {
        this.garbage ??= this.#received;
        this.#received = '';
        return;
      }
      const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
      const isBodiless = status < 200 || status === 204;
      // Without a length the body goes on to the end of the connection.
      if (length === undefined && !isBodiless && !isAtEnd) return;
      const start = headEnd + 4;
      const end = isBodiless ? start : length === undefined ? this.#received.length : start + Number(length);
      if (this.#received.length < end && !isAtEnd) return;
      if (status >= 200) this.#answers.push({ status, body: this.#received.slice(start, end) });
      this.#received = this.#received.slice(end);
    }
  }
}
