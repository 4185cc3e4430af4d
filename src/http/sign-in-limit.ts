// How fast tokens may be tried: a few at once, then with a wait that doubles, for each address and for all together.
// Memory is bounded, whoever knocks.

import { isIPv6 } from 'node:net';

interface Patience {
  /** So many failures cost nothing. */
  readonly free: number;
  readonly longestMs: number;
}

interface Failures {
  readonly count: number;
  readonly lastAt: number;
}

const ofOneAddress: Patience = { free: 5, longestMs: 15 * 60_000 };
/** Of many addresses together. Short waits: whoever keeps it busy also keeps the owner out. */
const ofAll: Patience = { free: 50, longestMs: 10_000 };
const firstWaitMs = 1_000;
/** Failures count until it is quiet for so long. */
const forgetMs = 60 * 60_000;
const maxAddresses = 10_000;

export class SignInLimit {
  readonly #now: () => number;
  /** The one that failed last is the last. */
  readonly #byNetwork = new Map<string, Failures>();
  #all: Failures | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** How long that address must wait before it may try again; 0 where it may now. */
  waitMs(address: string): number {
    return Math.max(
      this.#waitOf(this.#byNetwork.get(networkOf(address)), ofOneAddress),
      this.#waitOf(this.#all, ofAll),
    );
  }

  /** Counts a wrong token. Not called for one that came before its time, so that waits end. */
  fail(address: string): void {
    const network = networkOf(address);
    const failures = this.#oneMore(this.#byNetwork.get(network));
    this.#byNetwork.delete(network);
    this.#byNetwork.set(network, failures);
    this.#all = this.#oneMore(this.#all);
    const [oldest] = this.#byNetwork.keys();
    if (this.#byNetwork.size > maxAddresses && oldest !== undefined) this.#byNetwork.delete(oldest);
  }

  /** Whoever has the right token starts anew. */
  succeed(address: string): void {
    this.#byNetwork.delete(networkOf(address));
  }

  #waitOf(failures: Failures | undefined, { free, longestMs }: Patience): number {
    if (failures === undefined || failures.count < free) return 0;
    const waitMs = Math.min(firstWaitMs * 2 ** (failures.count - free), longestMs);
    const waitedMs = this.#now() - failures.lastAt;
    // A clock that was set back would make it wait for as long as that.
    return waitedMs < 0 ? 0 : Math.max(0, waitMs - waitedMs);
  }

  #oneMore(failures: Failures | undefined): Failures {
    const now = this.#now();
    const earlier = failures === undefined || now - failures.lastAt > forgetMs ? 0 : failures.count;
    return { count: earlier + 1, lastAt: now };
  }
}

/** Of IPv6 the network of 64 bits, since one machine has all the addresses in it. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [before = '', after] = address.split('::');
  const groups = before === '' ? [] : before.split(':');
  const behind = after === undefined || after === '' ? [] : after.split(':');
  const zeros = after === undefined ? 0 : Math.max(0, 8 - groups.length - behind.length);
  return [...groups, ...Array.from({ length: zeros }, () => '0'), ...behind].slice(0, 4).join(':');
}
