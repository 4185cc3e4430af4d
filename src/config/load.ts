// Where the configuration comes from: the environment, `.env`, and the configuration file.

import { existsSync } from 'node:fs';
import { loadConfig, readEnvironment } from './config.ts';
import type { Config, Environment } from './config.ts';
import { ConfigError } from './config-error.ts';
import { loadConfigFile } from './config-file.ts';
import { findUserConfigFaults } from './user-config.ts';
import type { ConfigFile, UserConfig } from './user-config.ts';

/** Taken where it is there and CONFIG is not set. */
const defaultConfigFile = 'fusionauth-segment.config.ts';

/** The configuration of this process. Throws ConfigError, with all that is wrong. */
export async function loadConfiguration(processEnvironment: Environment = process.env): Promise<Config> {
  const environment = readEnvironment(processEnvironment);
  // OpenTelemetry reads process.env as well (src/tracing.ts).
  addToProcess(environment, (name) => name.startsWith('OTEL_'));
  const path = environment['CONFIG'] || (existsSync(defaultConfigFile) ? defaultConfigFile : undefined);
  if (path === undefined) return loadConfig(environment);
  // The file reads process.env, and what stands in `.env` counts there as well.
  addToProcess(environment, () => true);
  let file: ConfigFile;
  try {
    file = await readUserConfig(path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError([...error.faults, ...findVariableFaults(environment)]);
  }
  return loadConfig(environment, file);
}

function addToProcess(environment: Environment, isWanted: (name: string) => boolean): void {
  for (const [name, value] of Object.entries(environment)) {
    if (isWanted(name) && !process.env[name] && value !== undefined) process.env[name] = value;
  }
}

function findVariableFaults(environment: Environment): readonly string[] {
  try {
    loadConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

async function readUserConfig(path: string): Promise<ConfigFile> {
  const file = await loadConfigFile(path);
  const faults = findUserConfigFaults(file.value);
  if (faults.length === 0) return { path: file.path, config: file.value as UserConfig };
  throw new ConfigError(
    faults.map(({ path: at, fault }) => {
      const line = file.lineOf(at);
      return `${path}${line === undefined ? '' : `:${line}`}: ${nameOf(at)} ${fault}`;
    }),
  );
}

/** As it would be written in code: `destinations.acme.events.include[0]`, `privacy['traits.email']`. */
function nameOf(path: readonly (string | number)[]): string {
  if (path.length === 0) return 'the configuration';
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`;
      if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `['${key}']`;
      return index === 0 ? key : `.${key}`;
    })
    .join('');
}
