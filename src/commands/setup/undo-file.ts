// What `setup` found in FusionAuth before it changed it, in a file of DATA_DIR, for `setup --undo`.
//
// Holds always: a thing stands in the file, safely on disk, before it is changed; and what was found first stays, however
// often `setup` runs or is killed.

import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { makeFolder, replaceFile, syncFolder } from '../../durable-files.ts';
import type {
  EventSwitch,
  FusionAuthWebhook,
  WebhookEventLogSettings,
} from '../../fusionauth/api/fusionauth-api.ts';
import { CommandError } from '../report.ts';

/** What stood there; null where nothing did. */
export interface Found {
  /** By the webhook's id: it is another one where somebody has named another address. */
  readonly webhooks?: Readonly<Record<string, FusionAuthWebhook | null>>;
  /** Ids of keys that `setup` has made. */
  readonly madeKeys?: readonly string[];
  /** By the tenant's id, then by the event's type. */
  readonly tenants?: Readonly<Record<string, Readonly<Record<string, EventSwitch | null>>>>;
  readonly eventLog?: WebhookEventLogSettings;
}

const foundSchema = z.object({
  webhooks: z.record(z.string(), z.looseObject({ id: z.string() }).nullable()).optional(),
  madeKeys: z.array(z.string()).optional(),
  tenants: z.record(z.string(), z.record(z.string(), z.looseObject({}).nullable())).optional(),
  eventLog: z.looseObject({}).optional(),
});
/** By FusionAuth's URL: whoever has two has two parts. */
const fileSchema = z.record(z.string(), foundSchema);

export class UndoFile {
  readonly path: string;
  readonly #url: string;

  /** `url`: FusionAuth's. */
  constructor(dataDirectory: string, url: string) {
    this.path = join(dataDirectory, 'setup-undo.json');
    this.#url = url;
  }

  /** Undefined where `setup` has changed nothing there. Throws CommandError where the file is damaged. */
  read(): Found | undefined {
    return this.#readAll()[this.#url];
  }

  /** On disk when it returns. */
  add(found: Found): void {
    const all = this.#readAll();
    makeFolder(dirname(this.path));
    this.#write({ ...all, [this.#url]: merged(all[this.#url] ?? {}, found) });
  }

  remove(): void {
    const all = Object.entries(this.#readAll()).filter(([url]) => url !== this.#url);
    if (all.length > 0) {
      this.#write(Object.fromEntries(all));
      return;
    }
    rmSync(this.path, { force: true });
    syncFolder(dirname(this.path));
  }

  #write(all: Readonly<Record<string, Found>>): void {
    replaceFile(this.path, `${JSON.stringify(all, undefined, 2)}\n`);
  }

  #readAll(): Readonly<Record<string, Found>> {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw error;
    }
    try {
      return fileSchema.parse(JSON.parse(text)) as Readonly<Record<string, Found>>;
    } catch (cause) {
      throw new CommandError(`${this.path} is damaged`, {
        hint: 'It holds what setup found in FusionAuth: restore it, or move it away, and put FusionAuth back by hand',
        cause,
      });
    }
  }
}

/** What was found first stays. */
function merged(first: Found, later: Found): Found {
  const webhooks = { ...later.webhooks, ...first.webhooks };
  const eventLog = first.eventLog ?? later.eventLog;
  const madeKeys = [...new Set([...(first.madeKeys ?? []), ...(later.madeKeys ?? [])])];
  const tenants: Record<string, Readonly<Record<string, EventSwitch | null>>> = { ...first.tenants };
  for (const [id, events] of Object.entries(later.tenants ?? {})) tenants[id] = { ...events, ...tenants[id] };
  return {
    ...(Object.keys(webhooks).length > 0 && { webhooks }),
    ...(eventLog && { eventLog }),
    ...(madeKeys.length > 0 && { madeKeys }),
    ...(Object.keys(tenants).length > 0 && { tenants }),
  };
}
