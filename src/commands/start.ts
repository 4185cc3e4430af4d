// `start`: runs the bridge until it is told to stop.

import { pino } from 'pino';
import type { Logger } from 'pino';
import { startBridge } from '../bridge.ts';
import type { Bridge } from '../bridge.ts';
import { isLoopback } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { readConnection } from '../destinations/warehouse/embedded/connection.ts';
import { print } from './report.ts';

/** HMAC-SHA256 is as strong as its secret, and 32 bytes use all of it (RFC 7518, 3.2). */
const recommendedSecretBytes = 32;

/** What SIGTERM may take; Docker and systemd wait as long or longer before they kill. */
const stopLimitMs = 10_000;

/** Resolves when the bridge runs and has said where; the process then lives until SIGTERM or SIGINT. */
export async function start(config: Config): Promise<void> {
  // The log and the warehouse hold personal data: what is made in DATA_DIR is for this user alone.
  process.umask(0o077);
  // Log lines go to stderr; stdout is for what start says to a person.
  const logger = pino({ level: config.logLevel, base: null }, pino.destination({ fd: 2, sync: true }));
  for (const secret of config.webhookSecrets) {
    if (Buffer.byteLength(secret) >= recommendedSecretBytes) continue;
    logger.warn(
      { recommendedBytes: recommendedSecretBytes },
      'FUSIONAUTH_WEBHOOK_SECRET is short: use a longer random one',
    );
  }
  const bridge = await startBridge(config, { logger });
  stopOnSignals(bridge, logger);
  print(await describe(bridge, config));
  logger.info({ url: bridge.url }, 'The bridge runs');
}

function stopOnSignals(bridge: Bridge, logger: Logger): void {
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    // Whoever asks twice wants it now; nothing that was acknowledged is lost by that.
    if (isStopping) process.exit(1);
    isStopping = true;
    logger.info({ signal }, 'Stopping');
    setTimeout(() => {
      logger.error({ limitMs: stopLimitMs }, 'The stop took too long and was cut short; the log is safe');
      process.exit(1);
    }, stopLimitMs).unref();
    void bridge.stop().then(() => {
      logger.info('Stopped');
      process.exit(0);
    });
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
}

/** What a person wants to know at the start: where things are, what is on, what is off, what to do next. */
async function describe(bridge: Bridge, config: Config): Promise<string> {
  const { destinations } = await bridge.readStatus();
  const fault = (name: string) => {
    const current = destinations[name]?.fault;
    return current ? `\n              not working yet: ${current.message}. ${current.hint}` : '';
  };
  const pageIsOpen = config.adminToken !== undefined || isLoopback(config.host);
  const lines = [
    `fusionauth-segment runs.`,
    '',
    `  webhook     ${bridge.url}/webhook`,
    `              ${bridge.verification}`,
    `  page        ${pageIsOpen ? bridge.url : 'off: set ADMIN_TOKEN to open it on a network address'}`,
    `  warehouse   ${describeWarehouse(bridge, config)}${fault('warehouse')}`,
    `  segment     ${bridge.places['segment'] ?? 'off: set SEGMENT_WRITE_KEY'}${fault('segment')}`,
    `  data        ${config.dataDirectory}`,
    '',
    ...nextSteps(config),
  ];
  return lines.join('\n');
}

function describeWarehouse(bridge: Bridge, config: Config): string {
  if (config.warehouse.kind === 'off') return 'off: WAREHOUSE_URL=off';
  const place = bridge.places['warehouse'] ?? '';
  if (config.warehouse.kind === 'external') return place;
  const port = readConnection(config.dataDirectory)?.port;
  return port === undefined ? place : `127.0.0.1:${port}, ${place}`;
}

function nextSteps({ warehouse }: Config): string[] {
  const post = [
    'Next, in another terminal, post a sample event:',
    '',
    '  npm run -s cli -- send user.login.success',
  ];
  if (warehouse.kind !== 'embedded') return post;
  return [
    ...post,
    '',
    'and see the row that it became:',
    '',
    `  psql "$(npm run -s cli -- warehouse url)" -c 'select received_at, user_id, context_ip from user_login_success'`,
  ];
}
