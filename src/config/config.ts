// The configuration: the settings of the environment and of `.env`, and what the configuration file says, as one value.
// Every fault is reported, at once.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { findConnectionFault } from '../destinations/warehouse/client-options.ts';
import { completeConnectionString } from '../destinations/warehouse/connection.ts';
import type { Region } from '../segment/tracking-api.ts';
import { ConfigError } from './config-error.ts';
import { destinationsOf } from './destinations.ts';
import type { DestinationConfig } from './destinations.ts';
import { findSettingFault, settings } from './settings.ts';
import type { Setting, SettingName, SettingValues } from './settings.ts';
import type {
  ConfigFile,
  UserConfig,
  UserPostgresDestination,
  UserSegmentDestination,
} from './user-config.ts';
import { requiresSignature } from './verification.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDirectory: string;
  /** Those that are on, in the order in which people are told of them. */
  readonly destinations: readonly DestinationConfig[];
  /** Those that the configuration file names, and that are off for want of a write key or a URL. */
  readonly destinationsOff: readonly DestinationConfig[];
  /** What holds for all destinations. */
  readonly mapping: MappingConfig;
  /** Undefined: the salt that is kept in the data directory. */
  readonly privacySalt: string | undefined;
  readonly fusionAuthUrl: string | undefined;
  readonly fusionAuthApiKey: string | undefined;
  readonly segmentRegion: Region;
  readonly segmentPublicApiToken: string | undefined;
  /** Undefined: the region's. */
  readonly segmentPublicApiUrl: string | undefined;
  /** Empty: no HMAC secret. The first is the one that `send` signs with. */
  readonly webhookSecrets: readonly string[];
  readonly allowUnsigned: boolean;
  readonly adminToken: string | undefined;
  /** Never without `adminToken`. */
  readonly viewerToken: string | undefined;
  readonly maxBodyBytes: number;
  /** Undefined: for ever. */
  readonly logRetentionMs: number | undefined;
  readonly logLevel: string;
  /** Undefined: there is none. */
  readonly configFile: string | undefined;
}

export type MappingConfig = Pick<
  UserConfig,
  'events' | 'naming' | 'privacy' | 'anonymousId' | 'groupId' | 'map'
>;

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

/**
 * Throws ConfigError. An empty variable counts as not set; `NAME_FILE` reads a secret's value from a file. A variable
 * wins over the configuration file.
 */
export function loadConfig(environment: Environment, file?: ConfigFile): Config {
  const faults: string[] = [];
  const inFile = settingsOf(file?.config ?? {});
  const values = Object.fromEntries(
    Object.entries(settings).map(([name, setting]) => [
      name,
      readSetting(name, setting, environment, inFile[name as SettingName], faults),
    ]),
  ) as unknown as SettingValues;
  const config = toConfig(values, file, environment);
  if (!faults.some((fault) => /^(HOST|FUSIONAUTH_)/.test(fault))) faults.push(...refusalsToStart(config));
  if (!faults.some((fault) => fault.startsWith('ADMIN_TOKEN'))) faults.push(...refuseViewers(config));
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

/** What the configuration file says in place of variables, as it would stand there. */
function settingsOf({ destinations = {} }: UserConfig): Partial<Record<SettingName, string | undefined>> {
  const segment = (destinations['segment'] || {}) as UserSegmentDestination;
  const warehouse = (destinations['warehouse'] || {}) as UserPostgresDestination;
  return {
    SEGMENT_WRITE_KEY: segment.writeKey,
    SEGMENT_REGION: segment.region,
    SEGMENT_ENDPOINT: segment.endpoint,
    SEGMENT_EVENTS_PER_SECOND: segment.eventsPerSecond?.toString(),
    WAREHOUSE_URL: destinations['warehouse'] === false ? 'off' : warehouse.url,
    WAREHOUSE_SCHEMA: warehouse.schema,
    WAREHOUSE_PORT: warehouse.port?.toString(),
  };
}

function readSetting(
  name: string,
  setting: Setting,
  environment: Environment,
  inFile: string | undefined,
  faults: string[],
): unknown {
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
  const value = given || inFile || setting.default;
  if (value === undefined) return undefined;
  const parsed = setting.schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const shown = setting.isSecret === true ? '' : `="${value.replaceAll(/\s/g, ' ')}"`;
  faults.push(`${source}${shown} is not allowed: it must be ${findSettingFault(setting, value)}`);
  return undefined;
}

/** Without the line end that editors add, except where line ends separate secrets. */
function readSecretFile(name: string, file: string): string {
  const text = readFileSync(file, 'utf8');
  return name === 'FUSIONAUTH_WEBHOOK_SECRET' ? text : text.trim();
}

function toConfig(values: SettingValues, file: ConfigFile | undefined, environment: Environment): Config {
  const { destinations = {}, ...mapping } = file?.config ?? {};
  const { on, off } = destinationsOf(values, destinations);
  return {
    host: values.HOST,
    port: values.PORT,
    // Resolved once: the folder stays the same one whatever a later part makes of it.
    dataDirectory: resolve(values.DATA_DIR),
    destinations: on.map((destination) => completeConnection(destination, environment)),
    destinationsOff: off,
    mapping,
    privacySalt: values.PRIVACY_SALT,
    fusionAuthUrl: values.FUSIONAUTH_URL,
    fusionAuthApiKey: values.FUSIONAUTH_API_KEY,
    segmentRegion: values.SEGMENT_REGION,
    segmentPublicApiToken: values.SEGMENT_PUBLIC_API_TOKEN,
    segmentPublicApiUrl: values.SEGMENT_PUBLIC_API_URL,
    webhookSecrets: values.FUSIONAUTH_WEBHOOK_SECRET ?? [],
    allowUnsigned: values.FUSIONAUTH_ALLOW_UNSIGNED,
    adminToken: values.ADMIN_TOKEN,
    viewerToken: values.VIEWER_TOKEN,
    maxBodyBytes: values.MAX_BODY_BYTES,
    logRetentionMs: values.LOG_RETENTION,
    logLevel: values.LOG_LEVEL,
    configFile: file?.path,
  };
}

/** With what PG* variables say of a server of one's own; the embedded one is not theirs to name. */
function completeConnection(destination: DestinationConfig, environment: Environment): DestinationConfig {
  if (destination.kind !== 'external') return destination;
  const { connectionString } = destination;
  return { ...destination, connectionString: completeConnectionString(connectionString, environment) };
}

/** What is wrong with settings that are right by themselves. */
function refusalsToStart(config: Config): string[] {
  return [...refuseUnsigned(config), ...refuseConnections(config), ...refuseSharedSchemas(config)];
}

/** A file that is not there, a PG* variable that makes no sense. */
function refuseConnections({ destinations }: Config): string[] {
  return destinations.flatMap((destination) => {
    const fault =
      destination.kind === 'external' ? findConnectionFault(destination.connectionString) : undefined;
    return fault === undefined
      ? []
      : [`The destination ${destination.name} cannot be connected to: ${fault}`];
  });
}

function refuseUnsigned(config: Config): string[] {
  if (isLoopback(config.host) || config.allowUnsigned || requiresSignature(config)) return [];
  return [
    `HOST="${config.host}" can be reached from other machines, and nothing says how webhooks are signed, so anybody ` +
      'could post events: set FUSIONAUTH_WEBHOOK_SECRET or FUSIONAUTH_URL, or FUSIONAUTH_ALLOW_UNSIGNED=true to accept that',
  ];
}

/** A token that may only read says nothing where nobody is asked for one. */
function refuseViewers({ adminToken, viewerToken }: Config): string[] {
  if (viewerToken === undefined) return [];
  if (adminToken === undefined) {
    return [
      'VIEWER_TOKEN only adds those who may read to who has ADMIN_TOKEN, which is not set: set ADMIN_TOKEN as well',
    ];
  }
  if (adminToken !== viewerToken) return [];
  return ['VIEWER_TOKEN is the same as ADMIN_TOKEN: give it a value of its own, or take it away'];
}

/** Each destination loads its tables as if nobody else did. */
function refuseSharedSchemas({ destinations }: Config): string[] {
  const warehouses = destinations.filter((destination) => destination.kind === 'external');
  return warehouses.flatMap(({ name, connectionString, schema }, index) => {
    const first = warehouses.findIndex(
      (other) => other.connectionString === connectionString && other.schema === schema,
    );
    return first === index
      ? []
      : [
          `The destinations ${warehouses[first]?.name} and ${name} have the same url and schema: give one of them a schema of its own`,
        ];
  });
}
