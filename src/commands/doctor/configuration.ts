// The settings: whether they are allowed, who may post, who may read.

import { statSync } from 'node:fs';
import { isLoopback } from '../../config/config.ts';
import type { Config } from '../../config/config.ts';
import { describeVerification, requiresSignature } from '../../config/verification.ts';
import { fail, listed, ok, warn } from './check.ts';
import type { Check } from './check.ts';

export function checkConfiguration(config: Config, dotEnvFile = '.env'): readonly Check[] {
  return [describe(config), verification(config), secrets(dotEnvFile)].filter((check) => check !== undefined);
}

function describe({ configFile, destinations, destinationsOff }: Config): Check {
  const name = 'configuration';
  const names = destinations.map((destination) => destination.name);
  if (names.length === 0) {
    return fail(
      name,
      'No destination is on: events are kept in the log and go nowhere',
      'Set SEGMENT_WRITE_KEY, or take "off" out of WAREHOUSE_URL',
    );
  }
  if (destinationsOff.length > 0) {
    return warn(
      name,
      `The configuration file names ${listed(destinationsOff.map((destination) => destination.name))}, which is off for want of a write key or a URL`,
      'Set the variable that the file reads it from, or take the destination out of the file',
    );
  }
  return ok(
    name,
    `Allowed${configFile === undefined ? '' : `, with ${configFile}`}; destinations: ${listed(names)}`,
  );
}

function verification(config: Config): Check {
  const name = 'verification';
  const { webhookSecrets, fusionAuthUrl, allowUnsigned, host } = config;
  const words = describeVerification(config);
  if (webhookSecrets.length === 0 && fusionAuthUrl === undefined) {
    return warn(
      name,
      `Webhooks are not verified: whoever reaches ${host} can post events`,
      'Run setup, or set FUSIONAUTH_URL (keys of FusionAuth’s own) or FUSIONAUTH_WEBHOOK_SECRET',
    );
  }
  if (!requiresSignature(config)) {
    return warn(name, words, 'Take FUSIONAUTH_ALLOW_UNSIGNED away once FusionAuth signs the webhook');
  }
  if (allowUnsigned) {
    return warn(
      name,
      `${words}; FUSIONAUTH_ALLOW_UNSIGNED has no effect beside a secret`,
      'Take FUSIONAUTH_ALLOW_UNSIGNED away',
    );
  }
  if (!isLoopback(host) && config.adminToken === undefined) {
    return warn(
      name,
      `${words}; page and API are closed, since ${host} is a network address and ADMIN_TOKEN is not set`,
      'Set ADMIN_TOKEN to a long random text',
    );
  }
  return ok(name, words);
}

/** Undefined where there is no such file, or the system has no modes. */
function secrets(dotEnvFile: string): Check | undefined {
  const mode = statSync(dotEnvFile, { throwIfNoEntry: false })?.mode;
  if (mode === undefined || process.platform === 'win32') return undefined;
  const name = 'secrets';
  return (mode & 0o077) === 0
    ? ok(name, `${dotEnvFile} can be read by its owner alone`)
    : warn(name, `${dotEnvFile} holds secrets and can be read by others`, `chmod 600 ${dotEnvFile}`);
}
