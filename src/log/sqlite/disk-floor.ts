// The free space below which no webhook is taken. SQLite's own refusal would come too late: by then there is no room left to
// copy the write-ahead log into the log, nor to note what was delivered, which is what lets old records be removed.

import { statfs } from 'node:fs/promises';

export interface Volume {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Tells how full the volume of the log is. */
export type MeasureVolume = () => Promise<Volume>;

/**
 * A write-ahead log may grow to 64 MB before it is cut back (`journal_size_limit`), and its copy into the log takes as much
 * again.
 */
const floorBytes = 128 * 1024 * 1024;
/** A small volume is not kept half empty for that. */
const floorShare = 0.05;
const measureEveryMs = 1_000;

export class DiskFloor {
  readonly #measure: MeasureVolume;
  #timer: NodeJS.Timeout | undefined;
  #isBelow = false;

  /** Measures once a second from now on, and resolves when it has the first time. */
  static async watch(measure: MeasureVolume): Promise<DiskFloor> {
    const floor = new DiskFloor(measure);
    await floor.#look();
    floor.#timer = setInterval(() => void floor.#look(), measureEveryMs).unref();
    return floor;
  }

  private constructor(measure: MeasureVolume) {
    this.#measure = measure;
  }

  get isBelow(): boolean {
    return this.#isBelow;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      const { freeBytes, totalBytes } = await this.#measure();
      this.#isBelow = freeBytes < Math.min(floorBytes, totalBytes * floorShare);
    } catch {
      // A volume that does not say is taken at its writes.
      this.#isBelow = false;
    }
  }
}

export function volumeOf(directory: string): MeasureVolume {
  return async () => {
    const { bavail, blocks, bsize } = await statfs(directory);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  };
}
