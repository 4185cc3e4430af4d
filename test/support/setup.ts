// `setup` and `setup --undo` in process: as the commands do it, without what is asked and printed.

import { planSetup } from '../../src/commands/setup/plan.ts';
import type { Change, Wanted } from '../../src/commands/setup/plan.ts';
import { readState } from '../../src/commands/setup/state.ts';
import { planUndo } from '../../src/commands/setup/undo.ts';
import type { UndoChange } from '../../src/commands/setup/undo.ts';
import { UndoFile } from '../../src/commands/setup/undo-file.ts';
import { wantedEvents } from '../../src/commands/setup/wanted-events.ts';
import { loadConfig } from '../../src/config/config.ts';
import { FusionAuthApi } from '../../src/fusionauth/api/fusionauth-api.ts';
import { superKey } from './fake-fusionauth/fake-fusionauth.ts';
import type { FakeFusionAuth } from './fake-fusionauth/fake-fusionauth.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** What the webhook is to post to; nobody listens there. */
export const webhookUrl = 'http://127.0.0.1:9/webhook';

export function apiOf({ url }: Pick<FakeFusionAuth, 'url'>, apiKey = superKey): FusionAuthApi {
  return new FusionAuthApi({ url, apiKey, userAgent: 'a test', timeoutMs: 5000 });
}

export function wanted(changes: Partial<Wanted> = {}): Wanted {
  return {
    webhookUrl,
    tenantIds: [],
    hmac: undefined,
    keepsHmac: false,
    events: wantedEvents(loadConfig({})),
    withEventLog: true,
    ...changes,
  };
}

export class SetupRuns implements AsyncDisposable {
  readonly api: FusionAuthApi;
  readonly file: UndoFile;
  readonly #folder: AsyncDisposable | undefined;

  /** `folder`: DATA_DIR; one that is named by its path is left there. */
  constructor(fusionAuth: FakeFusionAuth, folder: string | (AsyncDisposable & { path: string })) {
    this.api = apiOf(fusionAuth);
    this.#folder = typeof folder === 'string' ? undefined : folder;
    this.file = new UndoFile(typeof folder === 'string' ? folder : folder.path, fusionAuth.url);
  }

  /** With a folder of its own for what was found. */
  static async at(fusionAuth: FakeFusionAuth): Promise<SetupRuns> {
    return new SetupRuns(fusionAuth, await temporaryFolder());
  }

  async plan(changes: Partial<Wanted> = {}): Promise<readonly Change[]> {
    return planSetup(await readState(this.api), wanted(changes));
  }

  /** Gives the plan that it has carried out. */
  async setUp(changes: Partial<Wanted> = {}): Promise<readonly Change[]> {
    const plan = await this.plan(changes);
    for (const { found, apply } of plan) {
      this.file.add(found);
      await apply(this.api);
    }
    return plan;
  }

  async undo(): Promise<readonly UndoChange[]> {
    const plan = planUndo(await readState(this.api), this.file.read() ?? {});
    for (const { apply } of plan) await apply(this.api);
    this.file.remove();
    return plan;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder?.[Symbol.asyncDispose]();
  }
}
