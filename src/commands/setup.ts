// `setup`: sets FusionAuth up through its API, and Segment where it has a token for it; shows first what it would change.

import { bridgeUrl, isLoopback } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { FusionAuthApi } from '../fusionauth/api/fusionauth-api.ts';
import { isAtLeast } from '../fusionauth/samples.ts';
import { version as ownVersion } from '../version.ts';
import { bridgeAddress, readFromBridge } from './bridge-api.ts';
import { CommandError, describeError, print, printJson, UsageError } from './report.ts';
import { findNewVariables, writeVariables } from './setup/env-file.ts';
import type { Variables } from './setup/env-file.ts';
import { planSetup } from './setup/plan.ts';
import type { Change } from './setup/plan.ts';
import { ask, askWhetherToApply, findAddressFault, hmacWanted } from './setup/questions.ts';
import type { Answers } from './setup/questions.ts';
import { demandRights } from './setup/rights.ts';
import { findOwnWebhook, readState, sinceVersion } from './setup/state.ts';
import type { FusionAuthState } from './setup/state.ts';
import { sendTestEvent } from './setup/test-event.ts';
import { planUndo } from './setup/undo.ts';
import { UndoFile } from './setup/undo-file.ts';
import { wantedEvents } from './setup/wanted-events.ts';

export interface SetupOptions {
  /** At which FusionAuth reaches the bridge. */
  readonly webhookUrl?: string;
  readonly tenant?: readonly string[];
  readonly hmac?: boolean;
  /** False: leave FusionAuth's webhook event log alone. */
  readonly eventLog?: boolean;
  readonly dryRun?: boolean;
  readonly undo?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `setup --json`. */
export interface SetupReport {
  readonly fusionAuth: string;
  /** What was changed, or would be with `--dry-run`; empty where all is right already. */
  readonly changes: readonly {
    readonly sign: Change['sign'];
    readonly title: string;
    readonly lines: readonly string[];
  }[];
  /** Variables that were, or would be, written to `.env`. */
  readonly variables: readonly string[];
  readonly applied: boolean;
}

/** Throws CommandError, UsageError and FusionAuthApiError. */
export async function setup(options: SetupOptions, config: Config): Promise<void> {
  if (options.undo === true) return undo(options, config);
  const isAsking = mayAsk(options);
  const answers = isAsking ? await askAll(options, config) : await answersOf(options, config);
  const api = connect(answers.fusionAuthUrl, answers.apiKey);
  const { withEventLog, hmac } = answers;
  await demandRights(api, { withEventLog, withHmac: hmac !== undefined });
  const state = await readState(api, { withEventLog });
  const changes = planSetup(state, { ...answers, events: wantedEvents(config) });
  const variables = variablesOf(answers, state, config);
  const newVariables = findNewVariables(variables);
  const show = (text: string) => (options.json === true ? undefined : print(text));

  show(`FusionAuth ${state.version} at ${state.url}\n`);
  show(describePlan(changes, newVariables));
  for (const warning of warningsOf(answers, state)) show(`! ${warning}`);
  const isDone = changes.length === 0 && newVariables.length === 0;
  const isApplied = !isDone && (await mayApply(options, isAsking));
  if (isApplied) {
    // First the file: the secret of an HMAC key is nowhere else once FusionAuth has it.
    keep(variables, newVariables, show);
    await apply(api, changes, new UndoFile(config.dataDirectory, api.url), show);
  }
  if (options.json === true) {
    const shown = changes.map(({ sign, title, lines }) => ({ sign, title, lines }));
    printJson({
      fusionAuth: state.url,
      changes: shown,
      variables: newVariables,
      applied: isApplied,
    } satisfies SetupReport);
    return;
  }
  if (isApplied || isDone) await tryIt(api, config, answers);
}

async function undo(options: SetupOptions, config: Config): Promise<void> {
  const { fusionAuthUrl, fusionAuthApiKey } = config;
  if (fusionAuthUrl === undefined || fusionAuthApiKey === undefined) throw missingSettings();
  const api = connect(fusionAuthUrl, fusionAuthApiKey);
  const file = new UndoFile(config.dataDirectory, api.url);
  const found = file.read();
  const show = (text: string) => (options.json === true ? undefined : print(text));
  const changes =
    found === undefined
      ? []
      : await (async () => {
          await demandRights(api, { undo: true, withEventLog: found.eventLog !== undefined });
          return planUndo(await readState(api, { withEventLog: found.eventLog !== undefined }), found);
        })();
  show(changes.length === 0 ? `Nothing to undo at ${api.url}.` : describeChanges(changes));
  const isApplied = changes.length > 0 && (await mayApply(options, mayAsk(options)));
  if (isApplied) {
    for (const change of changes) {
      await change.apply(api);
      show(`✔ ${change.title}`);
    }
  }
  if (isApplied || (changes.length === 0 && options.dryRun !== true)) file.remove();
  if (isApplied) show('\nFusionAuth is as it was found. .env is left as it is.');
  if (options.json === true) {
    const shown = changes.map(({ sign, title, lines }) => ({ sign, title, lines }));
    printJson({
      fusionAuth: api.url,
      changes: shown,
      variables: [],
      applied: isApplied,
    } satisfies SetupReport);
  }
}

function connect(url: string, apiKey: string): FusionAuthApi {
  return new FusionAuthApi({ url, apiKey, userAgent: `fusionauth-segment/${ownVersion}` });
}

/** Without a terminal nothing is ever asked. */
function mayAsk({ yes, json }: SetupOptions): boolean {
  return process.stdin.isTTY && process.stdout.isTTY && yes !== true && json !== true;
}

async function mayApply({ yes, dryRun }: SetupOptions, isAsking: boolean): Promise<boolean> {
  if (dryRun === true) return false;
  if (yes === true) return true;
  if (isAsking) return askWhetherToApply();
  throw new UsageError('There is no terminal to ask on, and nothing was changed', {
    hint: 'Add --yes to make these changes, or --dry-run to see them only',
  });
}

function askAll(options: SetupOptions, config: Config): Promise<Answers> {
  return ask(
    {
      fusionAuthUrl: config.fusionAuthUrl,
      apiKey: config.fusionAuthApiKey,
      webhookUrl: options.webhookUrl ?? `${bridgeUrl(config)}/webhook`,
      webhookSecret: config.webhookSecrets[0],
      segmentWriteKey: writeKeyOf(config),
      asksForSegment: config.segmentPublicApiToken === undefined,
    },
    connect,
  );
}

async function answersOf(options: SetupOptions, config: Config): Promise<Answers> {
  const { fusionAuthUrl, fusionAuthApiKey: apiKey, webhookSecrets } = config;
  if (fusionAuthUrl === undefined || apiKey === undefined) throw missingSettings();
  const webhookUrl = options.webhookUrl ?? (await defaultWebhookUrl(connect(fusionAuthUrl, apiKey), config));
  return {
    fusionAuthUrl,
    apiKey,
    webhookUrl,
    tenantIds: options.tenant ?? [],
    hmac: options.hmac === true ? hmacWanted(webhookSecrets[0]) : undefined,
    withEventLog: options.eventLog !== false,
    keepsApiKey: false,
    segmentWriteKey: writeKeyOf(config),
  };
}

function missingSettings(): UsageError {
  return new UsageError('setup needs to know FusionAuth, and an API key of it', {
    hint: 'Set FUSIONAUTH_URL and FUSIONAUTH_API_KEY (Settings → API Keys there), or run it in a terminal, where it asks',
  });
}

/** Where the webhook posts to already, or this machine, where FusionAuth is on it as well. Throws UsageError. */
async function defaultWebhookUrl(api: FusionAuthApi, config: Config): Promise<string> {
  const { url } = findOwnWebhook(await api.webhooks(), undefined) ?? {};
  if (url !== undefined) return url;
  const { hostname } = new URL(api.url);
  if (isLoopback(hostname)) return `${bridgeUrl(config)}/webhook`;
  throw new UsageError(`FusionAuth at ${hostname} is to be told where the bridge is`, {
    hint: 'Add --webhook-url with the address at which FusionAuth reaches it, such as https://bridge.example.com/webhook',
  });
}

function writeKeyOf({ destinations }: Config): string | undefined {
  const [key] = destinations.flatMap((destination) =>
    destination.kind === 'segment' && destination.name === 'segment' ? [destination.writeKey] : [],
  );
  return key;
}

/** What `npm start` has to know. */
function variablesOf(
  { fusionAuthUrl, apiKey, keepsApiKey, hmac, segmentWriteKey }: Answers,
  { version }: FusionAuthState,
  config: Config,
): Variables {
  return {
    FUSIONAUTH_URL: fusionAuthUrl,
    ...(keepsApiKey && { FUSIONAUTH_API_KEY: apiKey }),
    ...(hmac && { FUSIONAUTH_WEBHOOK_SECRET: hmac.secret }),
    ...(!signs(version) && { FUSIONAUTH_ALLOW_UNSIGNED: 'true' }),
    ...(segmentWriteKey !== undefined &&
      segmentWriteKey !== writeKeyOf(config) && { SEGMENT_WRITE_KEY: segmentWriteKey }),
  };
}

function signs(version: string): boolean {
  return isAtLeast(version, sinceVersion.signatures);
}

function warningsOf({ webhookUrl, fusionAuthUrl }: Answers, { version }: FusionAuthState): string[] {
  const address = findAddressFault(webhookUrl, fusionAuthUrl);
  return [
    ...(address === undefined ? [] : [address]),
    ...(signs(version)
      ? []
      : [
          `FusionAuth ${version} does not sign webhooks (${sinceVersion.signatures} and newer do), so the bridge takes unsigned ones: let nobody but FusionAuth reach it`,
        ]),
  ];
}

function describePlan(changes: readonly Change[], variables: readonly string[]): string {
  if (changes.length === 0 && variables.length === 0) return 'All is set up already: nothing to change.';
  const file = variables.length === 0 ? [] : [`~ .env\n    + ${variables.join(', ')}`];
  return [...(changes.length === 0 ? [] : [describeChanges(changes)]), ...file].join('\n');
}

function describeChanges(changes: readonly Omit<Change, 'found'>[]): string {
  return changes
    .map(({ sign, title, lines }) => [`${sign} ${title}`, ...lines.map((line) => `    ${line}`)].join('\n'))
    .join('\n');
}

/** What stood there is on disk before it is changed. */
async function apply(
  api: FusionAuthApi,
  changes: readonly Change[],
  file: UndoFile,
  show: (text: string) => void,
): Promise<void> {
  for (const [index, { title, found, apply: make }] of changes.entries()) {
    file.add(found);
    try {
      await make(api);
    } catch (error) {
      throw new CommandError(
        `${(error as Error).message} (${title}; ${index} of ${changes.length} changes were made)`,
        {
          hint: `${(error as { hint?: string }).hint ?? 'Mend it'}; then run setup again: it goes on from there`,
          cause: error,
        },
      );
    }
    show(`✔ ${title}`);
  }
}

function keep(variables: Variables, names: readonly string[], show: (text: string) => void): void {
  if (names.length === 0) return;
  show('');
  try {
    writeVariables(variables);
    show(`✔ .env (${names.join(', ')})`);
  } catch (error) {
    throw new CommandError(`.env could not be written: ${(error as Error).message}`, {
      hint: `Nothing was changed. Set ${names.join(', ')} for the bridge in another way, or run setup where it may write`,
      cause: error,
    });
  }
}

/** Has FusionAuth post a real event, where a bridge is there to take it. */
async function tryIt(api: FusionAuthApi, config: Config, { fusionAuthUrl }: Answers): Promise<void> {
  const bridge = bridgeAddress(undefined, config);
  const runs = await readFromBridge(bridge, '/api/diagnosis').then(
    () => true,
    () => false,
  );
  const start = config.fusionAuthUrl === fusionAuthUrl ? 'Start' : 'Restart';
  if (!runs) {
    print('\nStart the bridge (npm start); doctor --send then has FusionAuth post an event and follows it.');
    return;
  }
  try {
    const result = await sendTestEvent(api, bridge);
    if (result.kind === 'arrived') {
      print(
        `\n✔ FusionAuth posted an event, and the bridge had it after ${result.afterMs} ms (${result.verifiedBy})`,
      );
    } else {
      const why =
        result.kind === 'refused' ? `the bridge refused it: ${result.reason}` : 'it has not arrived';
      print(
        `\n! FusionAuth posted an event, and ${why}. ${start} the bridge, so that it knows .env; doctor says more.`,
      );
    }
  } catch (error) {
    print(`\n! No event could be tried: ${describeError(error)}`);
  }
}
