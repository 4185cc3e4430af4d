// `setup`: sets FusionAuth up through its API, and Segment where it has a token for it; shows first what it would change.

import { bridgeUrl } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import type { FusionAuthApi } from '../fusionauth/api/fusionauth-api.ts';
import { isAtLeast } from '../fusionauth/samples.ts';
import type { PublicApi } from '../segment/public-api.ts';
import { bridgeAddress, readFromBridge } from './bridge-api.ts';
import { openPublicApi } from './public-api.ts';
import { CommandError, describeError, print, printJson, UsageError } from './report.ts';
import { answersOf, connect, demandFusionAuth, writeKeyOf } from './setup/answers.ts';
import type { Answers } from './setup/answers.ts';
import { findNewVariables, writeVariables } from './setup/env-file.ts';
import type { Variables } from './setup/env-file.ts';
import { planSetup } from './setup/plan.ts';
import type { Change } from './setup/plan.ts';
import { findAddressFault } from './setup/address-fault.ts';
import { ask, askWhetherToApply } from './setup/questions.ts';
import { demandRights } from './setup/rights.ts';
import { explainManualSteps, planSegmentSetup } from './setup/segment.ts';
import type { SegmentPlan } from './setup/segment.ts';
import { readState, sinceVersion } from './setup/state.ts';
import type { FusionAuthState } from './setup/state.ts';
import { sendTestEvent, wordsOfRefusal } from './setup/test-event.ts';
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
  /** Connection string of a PostgreSQL server that Segment itself is to load, as Segment reaches it. */
  readonly segmentWarehouse?: string;
  readonly dryRun?: boolean;
  readonly undo?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `setup --json`. */
export interface SetupReport {
  readonly fusionAuth: string;
  /** What was changed, or would be with `--dry-run`; empty where all is right already. */
  readonly changes: readonly ShownChange[];
  /** The same at Segment. */
  readonly segment: readonly string[];
  /** Variables that were, or would be, written to `.env`. */
  readonly variables: readonly string[];
  readonly applied: boolean;
}

type ShownChange = Pick<Change, 'sign' | 'title' | 'lines'>;
type Show = (text: string) => void;

/** Of the source at Segment that the bridge sends to. */
const sourceSlug = 'fusionauth';

/** Throws CommandError, UsageError, FusionAuthApiError and PublicApiError. */
export async function setup(options: SetupOptions, config: Config): Promise<void> {
  if (options.undo === true) return undo(options, config);
  const publicApi = openPublicApi(config);
  if (publicApi === undefined && options.segmentWarehouse !== undefined) {
    throw new UsageError('--segment-warehouse needs a token of Segment’s Public API', {
      hint: 'Set SEGMENT_PUBLIC_API_TOKEN',
    });
  }
  try {
    await setUp(options, config, publicApi);
  } finally {
    await publicApi?.close();
  }
}

async function setUp(options: SetupOptions, config: Config, publicApi: PublicApi | undefined): Promise<void> {
  const show: Show = (text) => (options.json === true ? undefined : print(text));
  const isAsking = mayAsk(options);
  const answers = isAsking ? await askAll(options, config) : await answersOf(options, config);
  const api = connect(answers.fusionAuthUrl, answers.apiKey);
  const { withEventLog } = answers;
  const state = await readState(api, { withEventLog });
  const changes = planSetup(state, { ...answers, events: wantedEvents(config) });
  const segment =
    publicApi && (await planSegmentSetup(publicApi, { sourceSlug, warehouseUrl: options.segmentWarehouse }));
  const variables = variablesOf(answers, state, config);
  const newVariables = findNewVariables(variables);

  show(`FusionAuth ${state.version} at ${state.url}`);
  show(describe(changes, segment, newVariables));
  for (const warning of [...warningsOf(answers, state), ...(segment?.notes ?? [])]) show(`! ${warning}`);
  const needsKey = segment !== undefined && answers.segmentWriteKey === undefined;
  const isDone =
    changes.length === 0 && (segment?.changes.length ?? 0) === 0 && newVariables.length === 0 && !needsKey;
  const isApplied = !isDone && (await mayApply(options, isAsking));
  if (isApplied) {
    show('');
    // First the file: the secret of an HMAC key is nowhere else once FusionAuth has it.
    keep(variables, show);
    await apply(api, changes, new UndoFile(config.dataDirectory, api.url), show);
    if (segment) await applySegment(segment, answers, show);
  }
  if (options.json === true) {
    printReport(state.url, changes, segment, newVariables, isApplied);
    return;
  }
  if (publicApi === undefined && answers.segmentWriteKey === undefined) showManualSteps();
  if (isApplied || isDone) await tryIt(api, config, answers);
}

async function undo(options: SetupOptions, config: Config): Promise<void> {
  const show: Show = (text) => (options.json === true ? undefined : print(text));
  const { url, apiKey } = demandFusionAuth(config);
  const api = connect(url, apiKey);
  const file = new UndoFile(config.dataDirectory, api.url);
  const found = file.read();
  const withEventLog = found?.eventLog !== undefined;
  if (found) await demandRights(api, { undo: true, withEventLog });
  const changes = found ? planUndo(await readState(api, { withEventLog }), found) : [];

  show(changes.length === 0 ? `Nothing to undo at ${api.url}.` : describeChanges(changes));
  const isApplied = changes.length > 0 && (await mayApply(options, mayAsk(options)));
  if (isApplied) {
    show('');
    for (const change of changes) {
      await change.apply(api);
      show(`✔ ${change.title}`);
    }
    show('\nFusionAuth is as it was found. .env, and what was made at Segment, is left as it is.');
  }
  if (isApplied || (changes.length === 0 && options.dryRun !== true)) file.remove();
  if (options.json === true) printReport(api.url, changes, undefined, [], isApplied);
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
      webhookUrl: options.webhookUrl,
      ownUrl: `${bridgeUrl(config)}/webhook`,
      webhookSecret: config.webhookSecrets[0],
      segmentWriteKey: writeKeyOf(config),
      asksForSegment: config.segmentPublicApiToken === undefined,
    },
    connect,
  );
}

/** What `npm start` has to know. */
function variablesOf(
  { fusionAuthUrl, apiKey, keepsApiKey, hmac, segmentWriteKey }: Answers,
  { version }: FusionAuthState,
  config: Config,
): Variables {
  const isNewKey = segmentWriteKey !== undefined && segmentWriteKey !== writeKeyOf(config);
  return {
    FUSIONAUTH_URL: fusionAuthUrl,
    ...(keepsApiKey && { FUSIONAUTH_API_KEY: apiKey }),
    ...(hmac && { FUSIONAUTH_WEBHOOK_SECRET: hmac.secret }),
    ...(!signs(version) && { FUSIONAUTH_ALLOW_UNSIGNED: 'true' }),
    ...(isNewKey && { SEGMENT_WRITE_KEY: segmentWriteKey }),
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

function describe(
  changes: readonly Change[],
  segment: SegmentPlan | undefined,
  variables: readonly string[],
): string {
  const atSegment = (segment?.changes ?? []).map(({ description }) => `+ ${description}`);
  if (changes.length + atSegment.length + variables.length === 0)
    return '\nAll is set up already: nothing to change.';
  return [
    ...(changes.length === 0 ? [] : ['', describeChanges(changes)]),
    ...(atSegment.length === 0 ? [] : [`\nSegment, workspace "${segment?.workspace ?? ''}"\n`, ...atSegment]),
    ...(variables.length === 0 ? [] : ['\nHere\n', `~ .env\n    + ${variables.join(', ')}`]),
  ].join('\n');
}

function describeChanges(changes: readonly ShownChange[]): string {
  return changes
    .map(({ sign, title, lines }) => [`${sign} ${title}`, ...lines.map((line) => `    ${line}`)].join('\n'))
    .join('\n');
}

/** What stood there is on disk before it is changed. */
async function apply(
  api: FusionAuthApi,
  changes: readonly Change[],
  file: UndoFile,
  show: Show,
): Promise<void> {
  for (const [index, { title, found, apply: make }] of changes.entries()) {
    file.add(found);
    try {
      await make(api);
    } catch (error) {
      const { message, hint = 'Mend it' } = error as Error & { hint?: string };
      throw new CommandError(`${message} (${title}; ${index} of ${changes.length} changes were made)`, {
        hint: `${hint}; then run setup again: it goes on from there`,
        cause: error,
      });
    }
    show(`✔ ${title}`);
  }
}

/** The write key of the source goes to `.env`, where no other one is set. */
async function applySegment(plan: SegmentPlan, { segmentWriteKey }: Answers, show: Show): Promise<void> {
  for (const change of plan.changes) {
    await change.apply();
    show(`✔ ${change.description}`);
  }
  if (segmentWriteKey !== undefined) return;
  const key = await plan.readWriteKey();
  if (key.kind === 'found') keep({ SEGMENT_WRITE_KEY: key.writeKey }, show);
  else show(`! ${key.steps.join('\n  ')}`);
}

function keep(variables: Variables, show: Show): void {
  const names = findNewVariables(variables);
  if (names.length === 0) return;
  try {
    writeVariables(variables);
  } catch (error) {
    // In a container: its environment says it already, and nothing may be written there.
    if (names.every((name) => process.env[name] === variables[name])) {
      show(`- .env cannot be written here; the environment has ${names.join(', ')}`);
      return;
    }
    throw new CommandError(`.env could not be written: ${(error as Error).message}`, {
      hint: `Run setup where it may write; or set ${names.join(', ')} for the bridge in another way, and run it again`,
      cause: error,
    });
  }
  show(`✔ .env (${names.join(', ')})`);
}

function showManualSteps(): void {
  print('\nTo send to Segment as well:');
  for (const [index, step] of explainManualSteps({ sourceSlug }).entries()) print(`  ${index + 1}. ${step}`);
}

function printReport(
  fusionAuth: string,
  changes: readonly ShownChange[],
  segment: SegmentPlan | undefined,
  variables: readonly string[],
  applied: boolean,
): void {
  printJson({
    fusionAuth,
    changes: changes.map(({ sign, title, lines }) => ({ sign, title, lines })),
    segment: (segment?.changes ?? []).map(({ description }) => description),
    variables,
    applied,
  } satisfies SetupReport);
}

/** Has FusionAuth post a real event, where a bridge is there to take it. */
async function tryIt(api: FusionAuthApi, config: Config, { fusionAuthUrl }: Answers): Promise<void> {
  const bridge = bridgeAddress(undefined, config);
  const runs = await readFromBridge(bridge, '/api/diagnosis').then(
    () => true,
    () => false,
  );
  if (!runs) {
    print('\nStart the bridge (npm start); doctor --send then has FusionAuth post an event and follows it.');
    return;
  }
  const mend =
    config.fusionAuthUrl === fusionAuthUrl
      ? 'doctor says more'
      : 'Restart the bridge, so that it knows .env; doctor says more';
  try {
    const result = await sendTestEvent(api, bridge);
    if (result.kind === 'arrived') {
      print(
        `\n✔ FusionAuth posted an event, and the bridge had it after ${result.afterMs} ms (${result.verifiedBy})`,
      );
    } else {
      const why =
        result.kind === 'refused'
          ? [wordsOfRefusal(result), result.hint].filter(Boolean).join('. ')
          : 'it has not arrived';
      print(`\n! FusionAuth posted an event, and ${why}. ${mend}.`);
    }
  } catch (error) {
    print(`\n! No event could be tried: ${describeError(error)}`);
  }
}
