// `start`: runs the bridge until it is told to stop.

import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { startBridge } from '../bridge.ts';
import type { Bridge } from '../bridge.ts';
import { isLoopback } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { warehouseOf } from '../config/destinations.ts';
import { print } from './report.ts';

/** HMAC-SHA256 is as strong as its secret, and 32 bytes use all of it (RFC 7518, 3.2). */
const recommendedSecretBytes = 32;

/** What SIGTERM may take; Docker and systemd wait as long or longer before they kill. */
const stopLimitMs = 10_000;

/** Runs until SIGTERM or SIGINT, also when they come during the start, and stops in order. */
export async function start(config: Config): Promise<void> {
  // The log and the warehouse hold personal data: what is made in DATA_DIR is for this user alone.
  process.umask(0o077);
  // Log lines go to stderr; stdout is for what start says to a person.
  const logger = pino({ level: config.logLevel, base: null }, pino.destination({ fd: 2, sync: true }));
  warnOfShortSecrets(config, logger);
  warnOfDestinationsOff(config, logger);

  surviveUserCode(config, logger);

  const stopping = stopSignal(logger);
  // Listens from here on, so that a signal during the start is not missed.
  const asked = once(stopping, 'abort');
  const bridge = await startBridge(config, { logger, signal: stopping });
  if (!stopping.aborted) {
    print(await describe(bridge, config));
    logger.info({ url: bridge.url }, 'The bridge runs');
  }
  await asked;
  await bridge.stop();
  logger.info('Stopped');
  process.exit(0);
}

/** Aborts at the first SIGTERM or SIGINT. */
function stopSignal(logger: Logger): AbortSignal {
  const stopping = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    // Whoever asks twice wants it now; nothing that was acknowledged is lost by that.
    if (stopping.signal.aborted) process.exit(1);
    logger.info({ signal }, 'Stopping');
    setTimeout(() => {
      logger.error({ limitMs: stopLimitMs }, 'The stop took too long and was cut short; the log is safe');
      process.exit(1);
    }, stopLimitMs).unref();
    stopping.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return stopping.signal;
}

/**
 * What the configuration file's code leaves running (a promise that nobody waits for, a timer) may fail when it is long
 * gone: that is no reason to end the bridge. An error that comes from the bridge itself ends it, as ever.
 */
function surviveUserCode({ configFile }: Config, logger: Logger): void {
  if (configFile === undefined) return;
  const theirs = pathToFileURL(realpathSync(configFile)).href;
  const ours = new URL('..', import.meta.url).href;
  process.on('uncaughtException', (error: unknown) => {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (stack.includes(ours) && !stack.includes(theirs)) {
      logger.fatal({ stack }, 'A fault of the bridge’s own');
      process.exit(1);
    }
    logger.error({ stack }, 'Code of the configuration file failed where nobody waited for it');
  });
}

function warnOfShortSecrets({ webhookSecrets }: Config, logger: Logger): void {
  if (webhookSecrets.every((secret) => Buffer.byteLength(secret) >= recommendedSecretBytes)) return;
  logger.warn(
    { recommendedBytes: recommendedSecretBytes },
    'A secret in FUSIONAUTH_WEBHOOK_SECRET is short: use a longer random one',
  );
}

function warnOfDestinationsOff({ destinationsOff, configFile }: Config, logger: Logger): void {
  for (const { name, kind } of destinationsOff) {
    logger.warn(
      { destination: name, missing: kind === 'segment' ? 'writeKey' : 'url', configFile },
      'A destination of the configuration file is off',
    );
  }
}

/** What a person wants to know at the start: where things are, what is on, what is off, what to do next. */
async function describe(bridge: Bridge, config: Config): Promise<string> {
  const { destinations } = await bridge.readStatus();
  const fault = (name: string) => {
    const current = destinations[name]?.fault;
    return current ? `\n              not working yet: ${current.message}. ${current.hint}` : '';
  };
  const places = bridge.places();
  const pageIsOpen = config.adminToken !== undefined || isLoopback(config.host);
  const lines = [
    `fusionauth-segment runs.`,
    '',
    `  webhook     ${bridge.url}/webhook`,
    `              ${bridge.verification}`,
    `  page        ${pageIsOpen ? bridge.url : 'off: set ADMIN_TOKEN to open it on a network address'}`,
    `  warehouse   ${places['warehouse'] ?? 'off: by WAREHOUSE_URL or the configuration file'}${fault('warehouse')}`,
    `  segment     ${places['segment'] ?? 'off: set SEGMENT_WRITE_KEY'}${fault('segment')}`,
    ...Object.keys(places)
      .filter((name) => name !== 'warehouse' && name !== 'segment')
      .map((name) => `  ${name.padEnd(10)}  ${places[name] ?? ''}${fault(name)}`),
    `  data        ${config.dataDirectory}`,
    ...(config.configFile === undefined ? [] : [`  settings    ${config.configFile}`]),
    '',
    ...nextSteps(config),
  ];
  return lines.join('\n');
}

function nextSteps({ destinations, webhookSecrets, fusionAuthUrl, allowUnsigned }: Config): string[] {
  if (webhookSecrets.length === 0 && fusionAuthUrl !== undefined && !allowUnsigned) {
    return ['Next, post a test event from FusionAuth: Settings → Webhooks → Test, or log in there.'];
  }
  const post = [
    'Next, in another terminal, post a sample event:',
    '',
    '  npm run -s cli -- send user.login.success',
  ];
  if (warehouseOf(destinations)?.kind !== 'embedded') return post;
  return [
    ...post,
    '',
    'and see the row that it became:',
    '',
    `  psql "$(npm run -s cli -- warehouse url)" -c 'select received_at, user_id, context_ip from user_login_success'`,
  ];
}
