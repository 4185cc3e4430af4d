// The configuration: the settings of the environment and of `.env`, parsed at once, every fault reported.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { endpoints } from '../segment/tracking-api.ts';
import { settings } from './settings.ts';
import { requiresSignature } from './verification.ts';
import type { Setting, SettingName, SettingValue } from './settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Values of all settings, under their variables' names. */
type Values = { readonly [Name in SettingName]: SettingValue<Name> };

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDirectory: string;
  /** Undefined: Segment is off. */
  readonly segment: { readonly endpoint: string; readonly writeKey: string } | undefined;
  readonly warehouse: WarehouseConfig;
  readonly fusionAuthUrl: string | undefined;
  /** Empty: no HMAC secret. The first is the one that `send` signs with. */
  readonly webhookSecrets: readonly string[];
  readonly allowUnsigned: boolean;
  readonly adminToken: string | undefined;
  readonly maxBodyBytes: number;
  readonly logLevel: string;
}

export type WarehouseConfig =
  | { readonly kind: 'off' }
  | { readonly kind: 'embedded'; readonly port: number | undefined; readonly schema: string }
  | { readonly kind: 'external'; readonly connectionString: string; readonly schema: string };

/** The configuration is wrong: ends the start before a port is opened. One line for each fault. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** The process's environment, and below it what `.env` in the current folder says. */
export function readEnvironment(processEnvironment: Environment, dotEnvFile = '.env'): Environment {
  let text: string;
  try {
    text = readFileSync(dotEnvFile, 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return processEnvironment;
    throw new ConfigError([`${dotEnvFile} cannot be read: ${(error as Error).message}`]);
  }
  const given = Object.entries(processEnvironment).filter(([, value]) => value !== undefined && value !== '');
  const names = new Set(given.map(([name]) => settingOf(name)));
  const defaults = Object.entries(parseEnv(text)).filter(([name]) => !names.has(settingOf(name)));
  return Object.fromEntries([...defaults, ...given]);
}

/** `NAME` and `NAME_FILE` set the same thing. */
function settingOf(variable: string): string {
  return variable.replace(/_FILE$/, '');
}

/** Throws ConfigError. An empty variable counts as not set; `NAME_FILE` reads a secret's value from a file. */
export function loadConfig(environment: Environment): Config {
  const faults: string[] = [];
  const values = Object.fromEntries(
    Object.entries(settings).map(([name, setting]) => [
      name,
      readSetting(name, setting, environment, faults),
    ]),
  ) as unknown as Values;
  const config = toConfig(values);
  if (!faults.some((fault) => /^(HOST|FUSIONAUTH_)/.test(fault))) faults.push(...refusalsToStart(config));
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** Where a bridge that listens there is reached from its own machine. */
export function bridgeUrl({ host, port }: Pick<Config, 'host' | 'port'>): string {
  const isAny = host === '0.0.0.0' || host === '::';
  const name = isAny ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function readSetting(name: string, setting: Setting, environment: Environment, faults: string[]): unknown {
  let source = name;
  let given = environment[name];
  const file = setting.isSecret === true ? environment[`${name}_FILE`] : undefined;
  if ((given === undefined || given === '') && file !== undefined && file !== '') {
    source = `${name}_FILE`;
    try {
      given = readSecretFile(name, file);
    } catch (error) {
      faults.push(`${source}="${file}" cannot be read: ${(error as Error).message}`);
      return undefined;
    }
    if (given.trim() === '') {
      faults.push(`${source}="${file}" is empty: it must hold ${setting.allowed}`);
      return undefined;
    }
  }
  const value = given === undefined || given === '' ? setting.default : given;
  if (value === undefined) return undefined;
  const parsed = setting.schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const shown = setting.isSecret === true ? '' : `="${value.replaceAll(/\s/g, ' ')}"`;
  faults.push(`${source}${shown} is not allowed: it must be ${setting.allowed}`);
  return undefined;
}

/** Without the line end that editors add, except where line ends separate secrets. */
function readSecretFile(name: string, file: string): string {
  const text = readFileSync(file, 'utf8');
  return name === 'FUSIONAUTH_WEBHOOK_SECRET' ? text : text.trim();
}

function toConfig(values: Values): Config {
  const writeKey = values.SEGMENT_WRITE_KEY;
  return {
    host: values.HOST,
    port: values.PORT,
    // Resolved once: the folder stays the same one whatever a later part makes of it.
    dataDirectory: resolve(values.DATA_DIR),
    segment:
      writeKey === undefined
        ? undefined
        : { writeKey, endpoint: values.SEGMENT_ENDPOINT ?? endpoints[values.SEGMENT_REGION] },
    warehouse: toWarehouse(values),
    fusionAuthUrl: values.FUSIONAUTH_URL,
    webhookSecrets: values.FUSIONAUTH_WEBHOOK_SECRET ?? [],
    allowUnsigned: values.FUSIONAUTH_ALLOW_UNSIGNED,
    adminToken: values.ADMIN_TOKEN,
    maxBodyBytes: values.MAX_BODY_BYTES,
    logLevel: values.LOG_LEVEL,
  };
}

function toWarehouse(values: Values): WarehouseConfig {
  const schema = values.WAREHOUSE_SCHEMA;
  const url = values.WAREHOUSE_URL;
  if (url === 'off') return { kind: 'off' };
  if (url === undefined) return { kind: 'embedded', port: values.WAREHOUSE_PORT, schema };
  return { kind: 'external', connectionString: url, schema };
}

/** What is wrong with settings that are right by themselves. */
function refusalsToStart(config: Config): string[] {
  if (isLoopback(config.host) || config.allowUnsigned || requiresSignature(config)) return [];
  return [
    `HOST="${config.host}" can be reached from other machines, and nothing says how webhooks are signed, so anybody ` +
      'could post events: set FUSIONAUTH_WEBHOOK_SECRET or FUSIONAUTH_URL, or FUSIONAUTH_ALLOW_UNSIGNED=true to accept that',
  ];
}
