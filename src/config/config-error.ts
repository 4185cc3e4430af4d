// What ends a start before anything is opened.

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
