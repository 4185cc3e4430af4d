// What waits to be written, and its writing in groups: one group is under way at a time, and all that arrives meanwhile is
// the next one, so any number of webhooks share one fsync and a lone one waits for nobody.

import { LogUnavailableError } from '../log.ts';
import type { ReceivedEvent, WrittenGroup } from '../log.ts';
import type { DiskFloor, MeasureVolume } from './disk-floor.ts';
import { fullDiskHint, hintFor } from './hints.ts';
import type { Group, GroupResult, Operation, OperationResult } from './operations.ts';
import { WorkerFaultError } from './worker-rpc.ts';
import type { WorkerClient } from './worker-rpc.ts';

/** Bodies of webhooks that wait for the disk, in characters. Above it an append is refused, since memory is not a log. */
const maxWaitingCharacters = 128 * 1024 * 1024;
/** A log that was full is known to be writable again from here on. */
const minRoomBytes = 64 * 1024;
/** How long a count of rejected webhooks may stay in memory alone. */
const rejectedFlushMs = 1_000;

interface WaitingAppend {
  readonly event: ReceivedEvent;
  readonly resolve: (status: 'stored' | 'duplicate') => void;
  readonly reject: (error: Error) => void;
}

interface WaitingOperation {
  readonly operation: Operation;
  readonly resolve: (result: OperationResult) => void;
  readonly reject: (error: Error) => void;
}

export interface GroupWriterOptions {
  readonly floor: DiskFloor;
  /** Whether the volume has room for a write, however little. */
  readonly measureVolume: MeasureVolume;
  readonly writer: WorkerClient<Group, GroupResult>;
  /** Called after each group that held a new record. */
  readonly onStored: () => void;
  /** Called with what the writer's thread says of a group that it could not write. */
  readonly onFault: (cause: unknown) => void;
  /** Told of each group that was written, or was not, before those who waited for it go on; for metrics and traces. */
  readonly onGroup?: ((group: WrittenGroup) => void) | undefined;
}

export class GroupWriter {
  readonly #options: GroupWriterOptions;
  #waitingAppends: WaitingAppend[] = [];
  #waitingOperations: WaitingOperation[] = [];
  #waitingCharacters = 0;
  #writing: Promise<void> | undefined;
  #rejected = 0;
  #rejectedBeingWritten = 0;
  #rejectedTimer: NodeJS.Timeout | undefined;
  #isWritable = true;

  constructor(options: GroupWriterOptions) {
    this.#options = options;
  }

  /** As the log's own. */
  async append(event: ReceivedEvent): Promise<'stored' | 'duplicate'> {
    if (this.#options.floor.isBelow) {
      throw new LogUnavailableError('The disk has too little room for more webhooks', { hint: fullDiskHint });
    }
    // A single one is never too large: MAX_BODY_BYTES says what is.
    if (this.#waitingCharacters > 0 && this.#waitingCharacters + event.body.length > maxWaitingCharacters) {
      throw new LogUnavailableError('More webhooks are waiting for the disk than memory should hold', {
        hint: 'The disk is slower than the webhooks come; use a faster one',
      });
    }
    this.#waitingCharacters += event.body.length;
    try {
      return await new Promise<'stored' | 'duplicate'>((resolve, reject) => {
        this.#waitingAppends.push({ event, resolve, reject });
        this.#writeSoon();
      });
    } finally {
      this.#waitingCharacters -= event.body.length;
    }
  }

  /** Resolves when the operation is on disk. Throws LogUnavailableError. */
  run(operation: Operation): Promise<OperationResult> {
    return new Promise((resolve, reject) => {
      this.#waitingOperations.push({ operation, resolve, reject });
      this.#writeSoon();
    });
  }

  countRejected(): void {
    this.#rejected++;
    this.#flushRejectedSoon();
  }

  /** Counted, and not on disk yet. */
  get unwrittenRejected(): number {
    return this.#rejected + this.#rejectedBeingWritten;
  }

  get isWritable(): boolean {
    return this.#isWritable && !this.#options.floor.isBelow;
  }

  /** Resolves when nothing is waiting any more. */
  async close(): Promise<void> {
    clearTimeout(this.#rejectedTimer);
    if (this.#rejected > 0) await this.#flushRejected().catch(() => undefined);
    await this.#writing;
  }

  #writeSoon(): void {
    this.#writing ??= this.#writeGroups().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeGroups(): Promise<void> {
    // The end of this turn of the event loop: every webhook that the sockets have ready joins the first group.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waitingAppends.length + this.#waitingOperations.length > 0) {
      const appends = this.#waitingAppends;
      const operations = this.#waitingOperations;
      this.#waitingAppends = [];
      this.#waitingOperations = [];
      const group = groupOf(appends, operations);
      const startedAt = performance.now();
      const tell = (succeeded: boolean) => {
        const seconds = (performance.now() - startedAt) / 1000;
        this.#options.onGroup?.({ eventIds: group.ids, operations: operations.length, seconds, succeeded });
      };
      try {
        const { stored, results } = await this.#options.writer.request(group);
        if (appends.length > 0) this.#isWritable = true;
        appends.forEach(({ resolve }, index) => resolve(stored[index] === 1 ? 'stored' : 'duplicate'));
        operations.forEach(({ resolve, reject }, index) => {
          const answer = results[index];
          if (answer && 'fault' in answer) reject(unavailable(new WorkerFaultError(answer.fault)));
          else resolve(answer?.result);
        });
        if (stored.includes(1)) this.#options.onStored();
        // Only now that everybody has his answer: what fails from here on is no failed write.
        tell(true);
        if (!this.#isWritable) this.#isWritable = await this.#hasRoom();
      } catch (cause) {
        tell(false);
        this.#isWritable = false;
        this.#options.onFault(cause);
        // Nobody may post to a bridge that is not ready, so it finds out by itself when the disk takes writes again.
        this.#flushRejectedSoon();
        const error = unavailable(cause);
        for (const { reject } of [...appends, ...operations]) reject(error);
      }
    }
  }

  /** A write that adds no page may go through where the disk is full: room is what tells then. */
  async #hasRoom(): Promise<boolean> {
    const hasRoom = await this.#options.measureVolume().then(
      ({ freeBytes }) => freeBytes >= minRoomBytes,
      () => false,
    );
    if (!hasRoom) this.#flushRejectedSoon();
    return hasRoom;
  }

  #flushRejectedSoon(): void {
    this.#rejectedTimer ??= setTimeout(() => {
      this.#rejectedTimer = undefined;
      // A failure keeps the count and comes back here by way of #writeGroups.
      this.#flushRejected().catch(() => undefined);
    }, rejectedFlushMs).unref();
  }

  async #flushRejected(): Promise<void> {
    const count = this.#rejected;
    this.#rejected -= count;
    this.#rejectedBeingWritten += count;
    try {
      await this.run({ kind: 'reject', count });
    } catch (error) {
      this.#rejected += count;
      throw error;
    } finally {
      this.#rejectedBeingWritten -= count;
    }
  }
}

function unavailable(cause: unknown): LogUnavailableError {
  return new LogUnavailableError(`The log could not be written: ${(cause as Error).message}`, {
    hint: hintFor(cause),
    cause,
  });
}

export function groupOf(appends: readonly WaitingAppend[], operations: readonly WaitingOperation[]): Group {
  return {
    ids: appends.map(({ event }) => event.id),
    types: appends.map(({ event }) => event.type),
    tenantIds: appends.map(({ event }) => event.tenantId ?? null),
    receivedAts: appends.map(({ event }) => event.receivedAt),
    verifiedBys: appends.map(({ event }) => event.verifiedBy),
    bodies: appends.map(({ event }) => event.body),
    operations: operations.map(({ operation }) => operation),
  };
}
