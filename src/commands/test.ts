// `test`: runs the user's own mapping tests, for a person and for CI.

import { glob, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { styleText } from 'node:util';
import type { Config } from '../config/config.ts';
import { findDestination, mapOnce } from './map-event.ts';
import { exampleTest, findDifferences, parseTestFile } from './mapping-test.ts';
import type { MappingTest } from './mapping-test.ts';
import { CommandError, print, printJson } from './report.ts';

export interface TestOptions {
  /** Files, or folders that are searched; the current one where none is named. */
  readonly files: readonly string[];
  readonly json?: boolean;
}

interface TestResult {
  readonly file: string;
  readonly name: string;
  readonly ok: boolean;
  readonly differences: readonly string[];
}

const ending = '.mapping.json';
/** Below the folder that is searched: what others wrote, what was built, and the bridge's own. */
const notSearched = ['**/node_modules', '**/.git', 'dist', 'data'];

/**
 * Exit code 1 where a test fails. Throws CommandError where there is no test, or one cannot be run: then none is, since
 * a test that is left out looks like one that passes.
 */
export async function test({ files, json }: TestOptions, config: Config): Promise<void> {
  const tests = await readTests(await findTestFiles(files), config);
  const results = tests.map(({ file, test: each }) => runTest(file, each, config));
  const failed = results.filter(({ ok }) => !ok).length;
  const passed = results.length - failed;
  if (json === true) printJson({ passed, failed, tests: results });
  else print(`${describeResults(results)}\n\n${passed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

function runTest(file: string, each: MappingTest, config: Config): TestResult {
  const mapped = mapOnce(each.event, config, findDestination(each.destination, config));
  const differences = findDifferences(each, mapped);
  return { file, name: each.name, ok: differences.length === 0, differences };
}

/** In the order of their names for each that was named, none twice. */
async function findTestFiles(named: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const path of named.length === 0 ? ['.'] : named) {
    for (const file of await filesOf(path)) found.add(file);
  }
  return [...found];
}

async function filesOf(path: string): Promise<readonly string[]> {
  const isFolder = await stat(path).then(
    (stats) => stats.isDirectory(),
    (cause: unknown) => {
      throw new CommandError(`${path} cannot be read: ${(cause as Error).message}`, {
        hint: `Name test files, or folders with ${ending} files`,
        cause,
      });
    },
  );
  if (!isFolder) return [relative('', path)];
  const files = await Array.fromAsync(glob(`**/*${ending}`, { cwd: path, exclude: notSearched }));
  if (files.length > 0) return files.map((file) => relative('', join(path, file))).sort();
  throw new CommandError(`There is no test file in ${path === '.' ? 'this folder' : path} or below it`, {
    hint: `Write one, such as logins${ending}: ${exampleTest}`,
  });
}

async function readTests(
  files: readonly string[],
  config: Config,
): Promise<readonly { readonly file: string; readonly test: MappingTest }[]> {
  const faults: string[] = [];
  const tests: { file: string; test: MappingTest }[] = [];
  for (const file of files) {
    const parsed = parseTestFile(await readFile(file, 'utf8'));
    const missing = parsed.tests.flatMap((each) => findMissingDestination(each, config) ?? []);
    faults.push(...[...parsed.faults, ...missing].map((fault) => `${file}: ${fault}`));
    tests.push(...parsed.tests.map((each) => ({ file, test: each })));
  }
  if (faults.length === 0) return tests;
  throw new CommandError(faults.join('\n'), { hint: 'No test was run' });
}

function findMissingDestination({ name, destination }: MappingTest, config: Config): string | undefined {
  const names = [...config.destinations, ...config.destinationsOff].map((each) => each.name);
  if (destination === undefined || names.includes(destination)) return undefined;
  return `test "${name}": there is no destination "${destination}", only ${names.join(', ') || 'none'}`;
}

/** Each file once, with its tests and their differences below it. */
function describeResults(results: readonly TestResult[]): string {
  const byFile = Map.groupBy(results, ({ file }) => file);
  return [...byFile]
    .map(([file, ofFile]) => [paint('bold', file), ...ofFile.flatMap(describeResult)].join('\n'))
    .join('\n\n');
}

function describeResult({ name, ok, differences }: TestResult): readonly string[] {
  const verdict = ok ? paint('green', 'ok  ') : paint('red', 'FAIL');
  return [`  ${verdict} ${name}`, ...differences.map((difference) => `       ${difference}`)];
}

/** On a terminal alone, and not where NO_COLOR is set. */
function paint(style: 'bold' | 'green' | 'red', text: string): string {
  return styleText(style, text, { stream: process.stdout });
}
