// The token of `GET /export`: it can read the warehouse's tables and views and nothing else, so that it may stand in the
// address that a spreadsheet is given. Made when somebody first asks for an address, kept beside the log, and replaced
// when it has come into wrong hands. Only the bridge that holds the folder's lock writes it.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../durable-files.ts';
import { ConfigError } from './config-error.ts';

export class ExportToken {
  readonly #path: string;
  #value: string | undefined;

  private constructor(path: string, value: string | undefined) {
    this.#path = path;
    this.#value = value;
  }

  /** The one that was made before, if any. Throws ConfigError for a file that holds none. */
  static open(dataDirectory: string): ExportToken {
    const path = join(dataDirectory, 'export-token');
    let text: string;
    try {
      text = readFileSync(path, 'utf8').trim();
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return new ExportToken(path, undefined);
      throw new ConfigError([`${path} cannot be read: ${(error as Error).message}`]);
    }
    if (text !== '') return new ExportToken(path, text);
    throw new ConfigError([`${path} is empty: remove it, and a new token is made when it is asked for`]);
  }

  /** Undefined where nobody has asked for one yet: nothing is let in by it. */
  get value(): string | undefined {
    return this.#value;
  }

  /** The token; made now where there is none. */
  readOrMake(): string {
    return this.#value ?? this.renew();
  }

  /** A new one; the old one lets nobody in from here on. */
  renew(): string {
    const token = randomBytes(24).toString('base64url');
    replaceFile(this.#path, `${token}\n`);
    this.#value = token;
    return token;
  }
}
