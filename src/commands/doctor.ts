// `doctor`: looks at every link, in the order of the data's way, and says what to mend.

import { ConfigError } from '../config/config-error.ts';
import type { Config } from '../config/config.ts';
import { loadConfiguration } from '../config/load.ts';
import { signBody } from '../fusionauth/sign.ts';
import { bridgeAddress } from './bridge-api.ts';
import type { BridgeAddress } from './bridge-api.ts';
import { checkClock, checkFolder, checkLog, checkWebhooks, reachBridge } from './doctor/bridge.ts';
import type { RunningBridge } from './doctor/bridge.ts';
import { fail, failed, skip } from './doctor/check.ts';
import type { Check, CheckStatus } from './doctor/check.ts';
import { checkConfiguration } from './doctor/configuration.ts';
import { checkDestinations } from './doctor/destinations.ts';
import { checkFusionAuthSend, fusionAuthSigner } from './doctor/fusionauth-send.ts';
import { checkFusionAuth } from './doctor/fusionauth.ts';
import type { SeenFusionAuth } from './doctor/fusionauth.ts';
import { checkSegmentApi } from './doctor/segment-api.ts';
import { checkSegment } from './doctor/segment.ts';
import type { SeenClock } from './doctor/segment.ts';
import { sendTest } from './doctor/send.ts';
import type { Signer } from './doctor/send.ts';
import { checkWarehouse } from './doctor/warehouse.ts';
import { print, printJson } from './report.ts';

export interface DoctorOptions {
  /** Of the running bridge; this configuration's where it is not given. */
  readonly url?: string;
  /** Posts a test event and follows it. */
  readonly send?: boolean;
  readonly json?: boolean;
}

/** `doctor --json`. */
export interface DoctorReport {
  /** Whether no check failed. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

/** Exit code 1 where a check fails. Takes no configuration, since that is the first thing to be looked at. */
export async function doctor(options: DoctorOptions): Promise<void> {
  const checks: Check[] = [];
  const isText = options.json !== true;
  const add = (found: readonly Check[]) => {
    checks.push(...found);
    if (isText) for (const check of found) print(describe(check));
  };
  await examine(options, add);
  const report: DoctorReport = { ok: checks.every(({ status }) => status !== 'fail'), checks };
  if (isText) print(`\n${summarize(checks)}`);
  else printJson(report);
  if (!report.ok) process.exitCode = 1;
}

/** `add` is told of each part as soon as it is known. */
async function examine(options: DoctorOptions, add: (found: readonly Check[]) => void): Promise<void> {
  let config: Config;
  try {
    config = await loadConfiguration();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    add(
      error.faults.map((fault) => fail('configuration', fault, 'docs/configuration.md says what is allowed')),
    );
    add([skip('bridge', 'Nothing else is looked at before the configuration is mended')]);
    return;
  }
  add(checkConfiguration(config));
  const address = bridgeAddress(options.url, config);
  const { check, running, answers } = await reachBridge(address);
  add([check]);
  let fusionAuth: SeenFusionAuth | undefined;
  const lookAtFusionAuth = async () => {
    const { checks, seen } = await checkFusionAuth(config, { bridgeUrl: address.url, now: Date.now() });
    fusionAuth = seen;
    return checks;
  };
  add(await guarded('fusionauth', lookAtFusionAuth));
  if (!answers) add(checkFolder(config.dataDirectory));
  add(await guarded('log', () => checkLog(config, running)));
  if (running) add(checkWebhooks(running));

  const clocks: SeenClock[] = [];
  if (running) clocks.push({ of: 'the bridge', there: running.diagnosis.now, here: Date.now() });
  for (const settings of config.destinations) {
    if (settings.kind === 'segment') {
      const { checks, clock } = await checkSegment(settings);
      if (clock) clocks.push(clock);
      add(checks);
    } else add(await guarded(`${settings.name}.connection`, () => checkWarehouse(settings, config)));
  }
  add(await guarded('segment.public-api', () => checkSegmentApi(config)));
  add([checkClock(clocks)]);
  if (running) add(await guarded('destinations', () => checkDestinations(config, address, running)));
  if (options.send === true) add(await send(config, address, running, fusionAuth));
}

async function send(
  config: Config,
  address: BridgeAddress,
  running: RunningBridge | undefined,
  fusionAuth: SeenFusionAuth | undefined,
): Promise<readonly Check[]> {
  if (running === undefined) return [skip('send', 'The bridge does not run, so nothing was sent')];
  const byFusionAuth = fusionAuth
    ? await guarded('fusionauth.send', () => checkFusionAuthSend(fusionAuth, address))
    : [];
  const ownTest = await guarded('send', () => sendTest(address, signerOf(config, fusionAuth)));
  return [...byFusionAuth, ...ownTest];
}

function signerOf(
  { webhookSecrets: [secret], fusionAuthUrl, allowUnsigned }: Config,
  fusionAuth: SeenFusionAuth | undefined,
) {
  if (secret !== undefined) {
    const ifRefused = 'Set FUSIONAUTH_WEBHOOK_SECRET here to the one that the bridge was started with';
    return { sign: (body: string) => Promise.resolve(signBody(body, secret)), ifRefused };
  }
  const unsigned: Signer = () => Promise.resolve(undefined);
  if (fusionAuthUrl === undefined || allowUnsigned) return { sign: unsigned };
  const sign = fusionAuth && fusionAuthSigner(fusionAuth);
  if (sign !== undefined) {
    const ifRefused = 'Let FUSIONAUTH_URL here name the FusionAuth that the bridge was started with';
    return { sign, ifRefused };
  }
  return {
    why: 'Only FusionAuth can sign by its own key',
    fix: 'Set FUSIONAUTH_API_KEY to a key that may GET /api/webhook and /api/key, and POST /api/jwt/vend',
  };
}

/** A look that itself breaks off is a finding. */
async function guarded(name: string, look: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await look();
  } catch (error) {
    return [failed(name, error)];
  }
}

const marks: Readonly<Record<CheckStatus, string>> = { ok: '✔', warn: '!', fail: '✖', skip: '-' };

function describe({ name, status, detail, fix }: Check): string {
  const line = `${marks[status]} ${name.padEnd(24)} ${detail}`;
  return fix === '' ? line : `${line}\n${' '.repeat(27)}→ ${fix}`;
}

function summarize(checks: readonly Check[]): string {
  const count = (wanted: CheckStatus) => checks.filter(({ status }) => status === wanted).length;
  const [failures, warnings, skipped] = [count('fail'), count('warn'), count('skip')];
  if (failures + warnings === 0) {
    return `All is well: ${count('ok')} checks${skipped > 0 ? `, ${skipped} could not be made` : ''}.`;
  }
  return `${failures} to mend, ${warnings} to look at, ${count('ok')} well${skipped > 0 ? `, ${skipped} could not be made` : ''}.`;
}
