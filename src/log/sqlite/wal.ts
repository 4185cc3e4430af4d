// SQLite's write-ahead log as it is on disk, read without SQLite, which stops in silence at the first frame that is damaged
// and forgets all behind it. The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log

import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { pageSize } from './page-size.ts';

const headerBytes = 32;
const frameHeaderBytes = 24;
const frameBytes = frameHeaderBytes + pageSize;
const framesAtOnce = 256;

/**
 * Commits behind a damaged frame that prove it damaged. The one transaction that was under way at a power loss may have
 * left one there, but a second begins only when the first is on disk.
 */
const provingCommits = 2;

export interface WriteAheadLog {
  /** Where in the file the newest committed content of a page stands. */
  readonly offsets: ReadonlyMap<number, number>;
  /** Whether transactions that were on disk stand behind a frame that is damaged. */
  readonly isDamaged: boolean;
}

/** What the file holds; nothing where there is none. Reads all of it: some 64 MB at most, but for a log under long load. */
export function readWriteAheadLog(file: string): WriteAheadLog {
  const scan = new Scan();
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) < headerBytes) return scan.end();
  const descriptor = openSync(file, 'r');
  try {
    const header = Buffer.alloc(headerBytes);
    readSync(descriptor, header, 0, headerBytes, 0);
    scan.begin(header);
    const frames = Buffer.alloc(framesAtOnce * frameBytes);
    for (let offset = headerBytes; ;) {
      const read = readSync(descriptor, frames, 0, frames.length, offset);
      for (let start = 0; start + frameBytes <= read; start += frameBytes) {
        scan.add(frames.subarray(start, start + frameBytes), offset + start + frameHeaderBytes);
      }
      if (read < frames.length) return scan.end();
      offset += read;
    }
  } finally {
    closeSync(descriptor);
  }
}

type Checksum = readonly [number, number];

class Scan {
  readonly #committed = new Map<number, number>();
  /** Of the transaction that is being read. */
  #uncommitted = new Map<number, number>();
  #salt = '';
  #isBigEndian = false;
  /** The sum so far, as the frame before says it; undefined where there is none to go on from. */
  #sum: Checksum | undefined;
  /** Whether a frame was damaged. */
  #isBroken = false;
  #commitsBehind = 0;

  begin(header: Buffer): void {
    this.#isBigEndian = header.readUInt32BE(0) === 0x377f0683;
    const sum = checksum(header.subarray(0, 24), [0, 0], this.#isBigEndian);
    const isSound = sum[0] === header.readUInt32BE(24) && sum[1] === header.readUInt32BE(28);
    if (isSound) {
      this.#salt = saltOf(header, 16);
      this.#sum = sum;
    } else {
      this.#isBroken = true;
    }
  }

  add(frame: Buffer, pageOffset: number): void {
    const before = this.#sum;
    const salt = saltOf(frame, 8);
    // Where the header is damaged, the first frame says whose turn it was. Other frames are of a turn before this one.
    this.#salt ||= salt;
    const stored: Checksum = [frame.readUInt32BE(16), frame.readUInt32BE(20)];
    this.#sum = salt === this.#salt ? stored : undefined;
    const isSound =
      before !== undefined && salt === this.#salt && isEqual(stored, sumOf(frame, before, this.#isBigEndian));
    if (!isSound) {
      this.#isBroken = true;
      return;
    }
    this.#uncommitted.set(frame.readUInt32BE(0), pageOffset);
    const isCommit = frame.readUInt32BE(4) !== 0;
    if (!isCommit) return;
    for (const [page, offset] of this.#uncommitted) this.#committed.set(page, offset);
    this.#uncommitted = new Map();
    if (this.#isBroken) this.#commitsBehind++;
  }

  end(): WriteAheadLog {
    return { offsets: this.#committed, isDamaged: this.#commitsBehind >= provingCommits };
  }
}

function saltOf(buffer: Buffer, offset: number): string {
  return buffer.toString('latin1', offset, offset + 8);
}

function sumOf(frame: Buffer, before: Checksum, isBigEndian: boolean): Checksum {
  const ofHeader = checksum(frame.subarray(0, 8), before, isBigEndian);
  return checksum(frame.subarray(frameHeaderBytes), ofHeader, isBigEndian);
}

function checksum(data: Buffer, [first, second]: Checksum, isBigEndian: boolean): Checksum {
  const words = new DataView(data.buffer, data.byteOffset, data.length);
  let a = first;
  let b = second;
  for (let offset = 0; offset < data.length; offset += 8) {
    a = (a + words.getUint32(offset, !isBigEndian) + b) >>> 0;
    b = (b + words.getUint32(offset + 4, !isBigEndian) + a) >>> 0;
  }
  return [a, b];
}

function isEqual(one: Checksum, other: Checksum): boolean {
  return one[0] === other[0] && one[1] === other[1];
}
