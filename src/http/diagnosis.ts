// `GET /api/diagnosis`: what only the running bridge knows and `doctor` needs, beside its status.

import type { EventLog, LogStorage } from '../log/log.ts';
import type { LastRefused, LastTaken, Refusals, WebhookWitness } from './webhook-witness.ts';

export interface LogDamage {
  readonly found: string;
  readonly setAside: string;
  /** Undefined where it cannot be known. */
  readonly lostRecords: number | undefined;
}

/** Times are milliseconds since 1970. */
export interface DiagnosisDocument {
  readonly version: string;
  readonly node: string;
  readonly now: number;
  readonly startedAt: number;
  /** How webhooks are verified, in words. */
  readonly verification: string;
  readonly log: {
    readonly isWritable: boolean;
    readonly isReadable: boolean;
    readonly bytes: number;
    readonly freeBytes: number;
    readonly totalBytes: number;
    /** Found at this start; `setAside` is the damaged file. */
    readonly damage?: LogDamage;
  };
  readonly webhooks: {
    /** Also from before the start. */
    readonly lastTaken?: LastTaken;
    /** Since the start. */
    readonly lastRefused?: LastRefused;
    /** Since the start, by reason; the one of which there was one last first. */
    readonly refusals: readonly Refusals[];
    readonly unknownTypes: readonly string[];
  };
  /** Of each destination that is on: where it is, without a password. */
  readonly places: Readonly<Record<string, string>>;
}

export interface DiagnosisOptions {
  readonly log: EventLog;
  readonly readStorage: () => Promise<LogStorage>;
  readonly damage: LogDamage | undefined;
  readonly witness: WebhookWitness;
  readonly startedAt: number;
  readonly about: () => Pick<DiagnosisDocument, 'version' | 'verification' | 'places'>;
}

export async function diagnose({
  log,
  readStorage,
  damage,
  witness,
  startedAt,
  about,
}: DiagnosisOptions): Promise<DiagnosisDocument> {
  const { freeBytes, totalBytes, fileBytes } = await readStorage();
  const { lastTaken, lastRefused, refusals, unknownTypes } = witness;
  return {
    ...about(),
    node: process.version,
    now: Date.now(),
    startedAt,
    log: {
      isWritable: log.isWritable(),
      isReadable: await log.latest(1, []).then(
        () => true,
        () => false,
      ),
      bytes: fileBytes.log + fileBytes.wal,
      freeBytes,
      totalBytes,
      ...(damage ? { damage } : {}),
    },
    webhooks: {
      ...(lastTaken ? { lastTaken } : {}),
      ...(lastRefused ? { lastRefused } : {}),
      refusals,
      unknownTypes,
    },
  };
}
