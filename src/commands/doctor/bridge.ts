// The running bridge: its log, and the webhooks that came.

import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import type { DiagnosisDocument } from '../../http/diagnosis.ts';
import { mendOfRefusal } from '../../http/refusal-mends.ts';
import { findImbalances } from '../../http/status.ts';
import type { Status } from '../../http/status.ts';
import { pidFileName } from '../../log/sqlite/folder-lock.ts';
import { version } from '../../version.ts';
import { BridgeAwayError, readFromBridge } from '../bridge-api.ts';
import type { BridgeAddress } from '../bridge-api.ts';
import { CommandError } from '../report.ts';
import { counted, fail, failed, listed, ok, skip, span, warn } from './check.ts';
import type { Check } from './check.ts';

export interface RunningBridge {
  readonly diagnosis: DiagnosisDocument;
  /** Undefined where the log cannot be read … */
  readonly status: Status | undefined;
  /** … which this tells of. */
  readonly fault?: CommandError;
}

/** The room below which webhooks are refused is 128 MB, or 5 % of a small volume; warned of at four times that. */
const scarceBytes = 512 * 1024 * 1024;
const scarceShare = 0.1;
/** Clocks of two machines under NTP differ by milliseconds. */
const skewWarnMs = 5_000;
const skewFailMs = 5 * 60_000;

interface Reached {
  readonly check: Check;
  /** Undefined where it cannot be asked … */
  readonly running: RunningBridge | undefined;
  /** … as where it asks for another token: nobody knows then whether it is well. */
  readonly answers: boolean;
}

/** Asks the bridge; the finding alone where it cannot be asked. */
export async function reachBridge(address: BridgeAddress): Promise<Reached> {
  const name = 'bridge';
  try {
    const running = await askBridge(address);
    const { diagnosis } = running;
    const answers = true;
    if (diagnosis.version !== version) {
      const detail = `Version ${diagnosis.version} runs at ${address.url}, and this command is ${version}`;
      return {
        check: warn(name, detail, 'Restart the bridge, so that it is the version that is installed'),
        running,
        answers,
      };
    }
    const since = span(diagnosis.now - diagnosis.startedAt);
    return { check: ok(name, `Version ${version} runs at ${address.url} since ${since}`), running, answers };
  } catch (error) {
    // What it answers has no cause; what keeps an answer from coming is one.
    const answers = error instanceof CommandError && error.cause === undefined;
    return { check: failed(name, error), running: undefined, answers };
  }
}

/** Throws CommandError. */
export async function askBridge(address: BridgeAddress): Promise<RunningBridge> {
  const diagnosis = (await readFromBridge(address, '/api/diagnosis')) as DiagnosisDocument;
  try {
    return { diagnosis, status: (await readFromBridge(address, '/api/status')) as Status };
  } catch (error) {
    // It answers, and cannot read its log.
    if (!(error instanceof BridgeAwayError) || error.cause !== undefined) throw error;
    return { diagnosis, status: undefined, fault: error };
  }
}

/** `running` undefined: what the disk alone tells. */
export async function checkLog(
  config: Config,
  running: RunningBridge | undefined,
): Promise<readonly Check[]> {
  const { dataDirectory } = config;
  return [
    ...(running ? [checkStorage(running)] : []),
    await room(dataDirectory, running),
    damage(dataDirectory, running),
    ...(running ? [books(running.status)] : []),
  ];
}

/** Whether the log can be written and read; `status` asks the same. */
export function checkStorage({ diagnosis: { log }, fault }: RunningBridge): Check {
  const name = 'log';
  const isReadable = log.isReadable && fault === undefined;
  if (!log.isWritable) {
    return fail(
      name,
      isReadable
        ? 'The log in DATA_DIR cannot be written: webhooks are answered 503'
        : 'The log in DATA_DIR cannot be written or read: webhooks are answered 503, and nothing is delivered',
      'Make room on the disk, let the bridge’s user write there, or replace it where it reports errors; the last refusal says which',
    );
  }
  if (!isReadable) {
    return fail(
      name,
      'The log in DATA_DIR cannot be read: nothing is delivered',
      fault?.hint ??
        'Restart the bridge, which repairs what is damaged; where that does not help, check the disk',
    );
  }
  return ok(name, `${megabytes(log.bytes)}, written and read`);
}

/** What the folder tells where no bridge answers; nothing where there is none yet. */
export function checkFolder(directory: string): readonly Check[] {
  if (!existsSync(directory)) return [];
  const name = 'log';
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return [
      fail(
        name,
        code === 'EROFS'
          ? `DATA_DIR ${directory} is on a file system that is read-only (EROFS)`
          : `DATA_DIR ${directory} cannot be written by this user (${code})`,
        code === 'EROFS'
          ? 'Check the disk, which a system makes read-only when it reports errors, then mount it for writing'
          : 'Give it to the user that the bridge runs as, or set DATA_DIR to another folder',
      ),
    ];
  }
  if (!existsSync(join(directory, pidFileName))) return [ok(name, `${directory} can be written`)];
  return [
    warn(
      name,
      `The bridge that had ${directory} did not end in order: it was killed, or runs at another address`,
      'Start it again: it goes on where it was, and what it acknowledged is on disk; or name it by --url',
    ),
  ];
}

async function room(directory: string, running: RunningBridge | undefined): Promise<Check> {
  const name = 'disk';
  const volume = running?.diagnosis.log ?? (await measure(directory));
  if (volume === undefined)
    return skip(name, `${directory} is not there yet: the bridge makes it at its first start`);
  const { freeBytes, totalBytes } = volume;
  const detail = `${megabytes(freeBytes)} are free of ${megabytes(totalBytes)} on the volume of ${directory}`;
  return freeBytes < Math.min(scarceBytes, totalBytes * scarceShare)
    ? warn(name, detail, 'Make room, or shorten LOG_RETENTION: below 128 MB webhooks are refused')
    : ok(name, detail);
}

async function measure(directory: string) {
  if (!existsSync(directory)) return undefined;
  const { bavail, blocks, bsize } = await statfs(directory);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

function damage(directory: string, running: RunningBridge | undefined): Check {
  const name = 'damage';
  const found = running?.diagnosis.log.damage;
  const fix = 'Check the disk; delete the file that was set aside when it is known what was lost';
  if (found) {
    const { lostRecords } = found;
    const lost =
      lostRecords === undefined
        ? 'whether records were lost is not known'
        : `${counted(lostRecords, 'record')} ${lostRecords === 1 ? 'was' : 'were'} lost`;
    return fail(
      name,
      `The log was damaged at this start (${found.found}): ${lost}; ${found.setAside} is kept`,
      fix,
    );
  }
  const kept = existsSync(directory)
    ? readdirSync(directory).filter((file) => /^log\.sqlite\.damaged-.*(?<!-wal|-shm|-journal)$/.test(file))
    : [];
  return kept.length === 0
    ? ok(name, 'None was found')
    : warn(name, `The log was damaged once: ${listed(kept)} in ${directory}`, fix);
}

function books(status: Status | undefined): Check {
  if (status === undefined) return skip('books', 'They stand in the log, which cannot be read');
  const imbalances = findImbalances(status);
  return imbalances.length === 0
    ? ok('books', `They balance: ${status.received} received, ${status.stored} stored`)
    : fail(
        'books',
        `They do not balance: ${imbalances.join('; ')}`,
        'Report it, with the bridge’s log lines',
      );
}

/** What last came, and what was last turned away. */
export function checkWebhooks({ diagnosis: { now, webhooks } }: RunningBridge): readonly Check[] {
  const { lastTaken, unknownTypes } = webhooks;
  const taken =
    lastTaken &&
    `The last was taken ${span(now - lastTaken.at)} ago: ${lastTaken.type}, ${verifiedWords(lastTaken.verifiedBy)}`;
  return [
    lastTaken === undefined
      ? warn(
          'webhooks',
          'None has ever been taken',
          'Log in at FusionAuth; where none comes, see the checks of FusionAuth here',
        )
      : ok('webhooks', taken ?? ''),
    checkRefusals(webhooks, now),
    unknownTypes.length === 0
      ? ok('event-types', 'All that came are known')
      : warn(
          'event-types',
          `Types came that this version does not know, and that become nothing: ${listed(unknownTypes)}`,
          'Update the bridge; they are kept, and can be replayed then',
        ),
  ];
}

/**
 * A scanner's post is refused as well, so that it is no fault where FusionAuth's have come through. `status` asks the same.
 */
export function checkRefusals({ lastTaken, lastRefused }: DiagnosisDocument['webhooks'], now: number): Check {
  const name = 'refusals';
  if (lastRefused === undefined) return ok(name, 'None since the start');
  if (lastTaken !== undefined && lastRefused.at <= lastTaken.at)
    return ok(name, 'None since the last that was taken');
  const { at, status, reason } = lastRefused;
  const find = lastTaken === undefined ? fail : warn;
  return find(
    name,
    `The last webhook was refused ${span(now - at)} ago: ${status}, ${reason}`,
    mendOfRefusal(lastRefused),
  );
}

function verifiedWords(verifiedBy: string): string {
  return verifiedBy === 'unsigned' ? 'unsigned' : `verified by ${verifiedBy}`;
}

/** Compares the clock of another with this machine's. `there`: milliseconds since 1970; whose it is, in words. */
export function checkClock(
  clocks: readonly { readonly of: string; readonly there: number; readonly here: number }[],
): Check {
  const name = 'clock';
  if (clocks.length === 0) return skip(name, 'There is no other clock to compare this machine’s with');
  const skews = clocks.map(({ of, there, here }) => ({ of, ms: there - here }));
  const worst = skews.reduce((a, b) => (Math.abs(b.ms) > Math.abs(a.ms) ? b : a));
  const size = Math.abs(worst.ms);
  if (size < skewWarnMs) return ok(name, `Agrees with ${listed(skews.map(({ of }) => of))}`);
  const detail = `${worst.of} is ${span(size)} ${worst.ms > 0 ? 'ahead of' : 'behind'} this machine’s clock`;
  const fix = 'Let both machines follow a time server (NTP): times of events, and certificates, depend on it';
  return size < skewFailMs ? warn(name, detail, fix) : fail(name, detail, fix);
}

export function megabytes(bytes: number): string {
  return bytes < 10 * 1024 ** 3
    ? `${Math.ceil(bytes / 1024 ** 2)} MB`
    : `${Math.floor(bytes / 1024 ** 3)} GB`;
}
