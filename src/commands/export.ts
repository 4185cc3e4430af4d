// `export`: tables and views of the warehouse as CSV, or as an address that a spreadsheet reads.

import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isLoopback } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import type { ExportsDocument, ExportTokenDocument } from '../http/export-api.ts';
import { bridgeAddress, postToBridge, readFromBridge, streamFromBridge } from './bridge-api.ts';
import type { BridgeAddress } from './bridge-api.ts';
import { timeOf } from './record-filter.ts';
import { CommandError, formatTable, print, printJson, UsageError } from './report.ts';

export interface ExportCommandOptions {
  /** Undefined: lists what there is. */
  readonly name?: string | undefined;
  readonly columns?: string;
  readonly limit?: number;
  readonly since?: string;
  readonly until?: string;
  readonly bom?: boolean;
  readonly raw?: boolean;
  readonly out?: string;
  /** Prints where a spreadsheet reads it, token included. */
  readonly address?: boolean;
  /** Makes a new token first: addresses with the old one end. */
  readonly newToken?: boolean;
  readonly url?: string;
  readonly json?: boolean;
}

export async function exportCsv(options: ExportCommandOptions, config: Config): Promise<void> {
  const { name, out, address = false, newToken = false } = options;
  const bridge = bridgeAddress(options.url, config);
  if (newToken) await postToBridge(bridge, '/api/export-token', {});
  if (name === undefined) {
    if (address || out !== undefined) {
      throw new UsageError('Which table or view?', { hint: 'export without a name lists them' });
    }
    if (newToken) print('There is a new token: addresses with the old one no longer work');
    else await list(bridge, options.json === true);
    return;
  }

  const query = queryOf(options);
  if (address || newToken) await printAddress(bridge, name, query);
  else if (out === undefined) await copy(bridge, pathOf(name, query), process.stdout, false);
  else await writeFile(bridge, pathOf(name, query), out);
}

async function list(bridge: BridgeAddress, asJson: boolean): Promise<void> {
  const document = (await readFromBridge(bridge, '/export')) as ExportsDocument;
  if (asJson) printJson(document);
  else if (document.exports.length === 0) print('The warehouse is still empty');
  else {
    print(formatTable([['NAME', 'KIND'], ...document.exports.map(({ name, kind }) => [name, kind])]));
  }
}

async function printAddress(bridge: BridgeAddress, name: string, query: URLSearchParams): Promise<void> {
  const { exports } = (await readFromBridge(bridge, '/export')) as ExportsDocument;
  if (!exports.some((known) => known.name === name)) {
    throw new CommandError(`The warehouse has no table or view "${name}"`, {
      hint: 'export without a name lists them',
    });
  }
  const { token } = (await readFromBridge(bridge, '/api/export-token')) as ExportTokenDocument;
  query.set('token', token);
  const address = new URL(pathOf(name, query), bridge.url);
  print(address.href);
  if (!isLoopback(address.hostname.replaceAll(/[[\]]/g, ''))) return;
  process.stderr.write(
    'Only this machine reaches that address. For Google Sheets or a colleague name the bridge as they reach it: --url https://…\n',
  );
}

/** Under another name until it is whole, so that a part never passes for the file. */
async function writeFile(bridge: BridgeAddress, path: string, file: string): Promise<void> {
  const part = `${file}.part`;
  try {
    await copy(bridge, path, createWriteStream(part), true);
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function copy(bridge: BridgeAddress, path: string, to: Writable, isOurs: boolean): Promise<void> {
  const csv = await streamFromBridge(bridge, path);
  try {
    await pipeline(csv, to, { end: isOurs });
  } catch (cause) {
    const { syscall = '', message } = cause as NodeJS.ErrnoException;
    const isWriting = isOurs && ['open', 'write', 'close'].includes(syscall);
    throw isWriting
      ? new CommandError(`The file cannot be written: ${message}`, { hint: 'Name another: --out', cause })
      : new CommandError('The export broke off: what has come is not all', {
          hint: 'Try again; the bridge’s log lines have the reason',
          cause,
        });
  }
}

function queryOf({ columns, limit, since, until, bom, raw }: ExportCommandOptions): URLSearchParams {
  const query = new URLSearchParams();
  const now = Date.now();
  if (columns !== undefined) query.set('columns', columns);
  if (limit !== undefined) query.set('limit', String(limit));
  if (since !== undefined) query.set('since', String(timeOf('--since', since, now)));
  if (until !== undefined) query.set('until', String(timeOf('--until', until, now)));
  if (bom === true) query.set('bom', '1');
  if (raw === true) query.set('raw', '1');
  return query;
}

function pathOf(name: string, query: URLSearchParams): string {
  const text = query.toString();
  return `/export/${encodeURIComponent(name)}.csv${text === '' ? '' : `?${text}`}`;
}
