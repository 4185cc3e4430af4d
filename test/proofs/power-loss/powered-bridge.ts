// A bridge whose machine's power can be taken away.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BridgeProcess } from '../../support/bridge.ts';
import { Disk } from './disk.ts';
import type { Chance } from './disk.ts';

const here = (file: string) => new URL(file, import.meta.url).pathname;

/** Compiles the shim into this folder. Undefined where this machine cannot: no Linux, or no C compiler. */
export function compileShim(folder: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const shim = join(folder, 'shim.so');
  const args = ['-shared', '-fPIC', '-O2', '-Wall', '-o', shim, here('./shim.c'), '-ldl', '-pthread'];
  const { error, status, stderr } = spawnSync('cc', args, { encoding: 'utf8' });
  if (error !== undefined) return undefined;
  if (status !== 0) throw new Error(`The shim does not compile: ${stderr}`);
  return shim;
}

export interface PoweredBridgeOptions {
  readonly shim: string;
  /** For the disk and the journal. */
  readonly folder: string;
  readonly settings: Readonly<Record<string, string>>;
}

export class PoweredBridge {
  readonly #options: PoweredBridgeOptions;
  readonly #volume: string;
  readonly #journal: string;
  #disk: Disk;
  #bridge: BridgeProcess;
  /** Fsyncs of files, of all runs. */
  syncs = 0;

  /** `pragmas`: for what the log asks of SQLite, what it gets instead. */
  constructor(options: PoweredBridgeOptions, pragmas: Readonly<Record<string, string>> = {}) {
    this.#options = options;
    this.#volume = join(options.folder, 'volume');
    this.#journal = join(options.folder, 'journal');
    mkdirSync(this.#volume, { recursive: true });
    ({ disk: this.#disk, bridge: this.#bridge } = this.#launch(pragmas));
  }

  get bridge(): BridgeProcess {
    return this.#bridge;
  }

  /** Takes the power away at this moment, and leaves the disk as chance has it. */
  async losePower(chance: Chance): Promise<void> {
    await this.#bridge.end('SIGKILL');
    this.#disk.apply(readFileSync(this.#journal));
    this.#disk.losePower(chance);
    this.syncs += this.#disk.syncs;
  }

  /** Starts the bridge on what is left; `isNew`: on an empty disk. */
  restart(pragmas: Readonly<Record<string, string>> = {}, isNew = false): void {
    if (isNew) rmSync(join(this.#volume, 'data'), { recursive: true, force: true });
    ({ disk: this.#disk, bridge: this.#bridge } = this.#launch(pragmas));
  }

  #launch(pragmas: Readonly<Record<string, string>>): { disk: Disk; bridge: BridgeProcess } {
    rmSync(this.#journal, { force: true });
    const disk = new Disk(this.#volume);
    const bridge = BridgeProcess.launch({
      ...this.#options.settings,
      DATA_DIR: join(this.#volume, 'data'),
      LD_PRELOAD: this.#options.shim,
      POWER_LOSS_FOLDER: this.#volume,
      POWER_LOSS_JOURNAL: this.#journal,
      POWER_LOSS_PRAGMAS: JSON.stringify(pragmas),
      NODE_OPTIONS: `--import=${here('./pragmas.ts')}`,
    });
    return { disk, bridge };
  }
}
