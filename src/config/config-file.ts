// The configuration file: a module of the user's that Node runs as it stands. What it exports is handed on unchecked;
// what keeps it from loading is told in one sentence, with file and line.
//
// Node resolves what the file imports, except in two things (`resolveImport`): the bridge's own name means the bridge
// that is running, wherever the file lies; and a file with import or export statements is a module, whatever the
// package.json above it says or leaves for Node to guess and to warn about.

import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { registerHooks } from 'node:module';
import type { ResolveHookSync } from 'node:module';
import { dirname, extname, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import type { Program } from 'acorn';
import { ConfigError } from './config-error.ts';
import {
  hasModuleSyntax,
  lineOfImport,
  lineOfProperty,
  lineOfSyntaxError,
  parseSource,
} from './source-lines.ts';
import type { PropertyPath, SourceFile } from './source-lines.ts';

export interface LoadedFile {
  /** Absolute. */
  readonly path: string;
  /** The default export: an object, of which nothing else has been checked. */
  readonly value: unknown;
  /**
   * 1-based line where this property stands in the file, or its nearest ancestor that can be found; undefined where
   * nothing can be told. The file is parsed when this is first called.
   */
  readonly lineOf: (path: PropertyPath) => number | undefined;
}

/**
 * Runs the file, once in a process: Node keeps its modules. Throws ConfigError, one fault that names file and line.
 * An await at the top level that lasts longer than `timeoutMs` is such a fault; the import then goes on unheard. Code
 * that never gives way, such as an endless loop, cannot be ended.
 */
export async function loadConfigFile(path: string, { timeoutMs = 10_000 } = {}): Promise<LoadedFile> {
  const file = readConfigFile(resolve(path));
  const exports = await importFile(file, timeoutMs);
  let program: Program | undefined;
  const lineOf = (propertyPath: PropertyPath) => {
    program ??= parseSource(file);
    return program && lineOfProperty(program, propertyPath);
  };
  const fault = explainExports(exports);
  if (fault !== undefined) throw new ConfigError([`${formatPlace(file.shownPath, lineOf([]))} ${fault}`]);
  return { path: file.shownPath, value: exports['default'], lineOf };
}

interface ConfigFile extends SourceFile {
  /** Without symbolic links: as Node names it in stacks. */
  readonly path: string;
  /** Absolute, but as the user named it. */
  readonly shownPath: string;
}

function readConfigFile(shownPath: string): ConfigFile {
  let file: ConfigFile;
  try {
    file = { ...readSource(realpathSync(shownPath)), shownPath };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ConfigError([
      `${shownPath} ${code === 'ENOENT' ? 'does not exist' : `cannot be read: ${message}`}`,
    ]);
  }
  if (/\.m?[jt]s$/.test(file.path)) return file;
  throw new ConfigError([
    `${shownPath} is no configuration file: its name must end in .ts, .mts, .js or .mjs`,
  ]);
}

function readSource(path: string): SourceFile {
  return { path, text: readFileSync(path, 'utf8') };
}

function formatPlace(path: string, line: number | undefined): string {
  return line === undefined ? path : `${path}:${line}`;
}

type Exports = Readonly<Record<string, unknown>>;

async function importFile(file: ConfigFile, timeoutMs: number): Promise<Exports> {
  keepResolvingImports();
  using trace = traceImports();
  const settled = new AbortController();
  // Not AbortSignal.timeout, which lets the process end: an await that never settles may be all that is left in it.
  const timeout = setTimeout(timeoutMs, undefined, { signal: settled.signal });
  let exports: Exports | undefined;
  try {
    exports = (await Promise.race([import(pathToFileURL(file.path).href), timeout])) as Exports | undefined;
  } catch (error) {
    throw new ConfigError([describeFailure(error, file, trace)]);
  } finally {
    settled.abort();
  }
  if (exports !== undefined) return exports;
  throw new ConfigError([
    `${file.shownPath} is not loaded after ${timeoutMs / 1_000} seconds: ` +
      'an await at its top level, or at that of a file it imports, does not settle',
  ]);
}

/** What is wrong with the default export, as the end of a sentence. */
function explainExports(exports: Exports): string | undefined {
  if (!('default' in exports)) {
    return 'has no default export: write "export default defineConfig({ … })"';
  }
  const value = exports['default'];
  if (value instanceof Promise)
    return 'exports a promise, and must export an object: write "await" before it';
  if (Array.isArray(value)) return 'exports an array, and must export an object';
  if (typeof value === 'object' && value !== null) return undefined;
  const kind = value === null || value === undefined ? String(value) : `a ${typeof value}`;
  return `exports ${kind}, and must export an object`;
}

const ownName = 'fusionauth-segment';

/** TypeScript in a clone, JavaScript in the package. */
const ownModule = new URL(`../define-config${extname(import.meta.url)}`, import.meta.url).href;

let resolvesImports = false;

/** For good, once the first file loads: a function in it may import something when it is called. */
function keepResolvingImports(): void {
  if (!resolvesImports) registerHooks({ resolve: resolveImport });
  resolvesImports = true;
}

const resolveImport: ResolveHookSync = (specifier, context, nextResolve) => {
  if (specifier === ownName) return { url: ownModule, shortCircuit: true };
  const resolved = nextResolve(specifier, context);
  const { url, format } = resolved;
  // Dependencies, what require() asks for, and what is a module for Node too stay as they are.
  const isSure = format != null && !format.startsWith('commonjs');
  if (isSure || isDependency(url) || !context.conditions.includes('import')) return resolved;
  const language = /^file:.*\.([jt]s)$/.exec(url)?.[1];
  if (language === undefined) return resolved;
  // The only import() here is that of a configuration file, and even an empty one is a module.
  const isConfigFile = context.parentURL === import.meta.url;
  if (!isConfigFile && !hasModuleSyntax(readSource(fileURLToPath(url)))) return resolved;
  return { ...resolved, format: language === 'ts' ? 'module-typescript' : 'module' };
};

function isDependency(pathOrUrl: string): boolean {
  return /[/\\]node_modules[/\\]/.test(pathOrUrl);
}

/** What was imported while a configuration file loaded, so that a failure can be traced. */
interface Trace {
  /** Paths of all files, the configuration file first. */
  readonly files: Set<string>;
  /** The last import that led nowhere. */
  unresolved: { readonly error: unknown; readonly specifier: string; readonly importer: string } | undefined;
}

function traceImports(): Trace & Disposable {
  // So that the user's line is still in a stack that ends deep in a package. Node's own limit is 10.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 100;
  const trace: Trace = { files: new Set(), unresolved: undefined };
  const hooks = registerHooks({
    resolve: (specifier, context, nextResolve) => {
      try {
        const resolved = nextResolve(specifier, context);
        if (resolved.url.startsWith('file:')) trace.files.add(fileURLToPath(resolved.url));
        return resolved;
      } catch (error) {
        const importer = context.parentURL;
        if (importer !== undefined) trace.unresolved = { error, specifier, importer: toPath(importer) };
        throw error;
      }
    },
  });
  const stop = () => {
    Error.stackTraceLimit = stackTraceLimit;
    hooks.deregister();
  };
  return Object.assign(trace, { [Symbol.dispose]: stop });
}

function toPath(pathOrUrl: string): string {
  return pathOrUrl.startsWith('file:') ? fileURLToPath(pathOrUrl) : pathOrUrl;
}

interface Place {
  readonly path: string;
  readonly line: number;
}

/** Why the file could not be imported, and where. */
function describeFailure(error: unknown, file: ConfigFile, { files, unresolved }: Trace): string {
  const message = describeThrown(error);
  const places = error instanceof Error ? placesIn(error.stack ?? '') : [];
  const at = (path: string, line: number | undefined) =>
    formatPlace(path === file.path ? file.shownPath : path, line);

  if (unresolved !== undefined && unresolved.error === error) {
    const { specifier, importer } = unresolved;
    const line = findImportLine(unresolved) ?? places.find(({ path }) => path === importer)?.line;
    return `${at(importer, line)} imports "${specifier}", ${explainUnresolved(unresolved, message)}`;
  }
  const invalid = error instanceof SyntaxError ? findSyntaxError(error, files) : undefined;
  if (invalid !== undefined) {
    return `${at(invalid.path, invalid.line)} ${explainSyntaxError(error, invalid)}: ${message}`;
  }
  const thrower =
    places.find(({ path }) => path === file.path) ??
    places.find(({ path }) => files.has(path) && !isDependency(path));
  if (thrower === undefined) return `${file.shownPath} cannot be loaded: ${message}`;
  return `${at(thrower.path, thrower.line)} throws while it is loaded: ${message}`;
}

/** On one line, as each fault is. */
function describeThrown(error: unknown): string {
  const thrown = error instanceof Error ? error.message || error.name : error;
  const text = typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 1 });
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** Places in code that a stack names, the innermost first. */
function placesIn(stack: string): Place[] {
  return stack.split('\n').flatMap((text) => {
    const found = /^(?:\s+at (?:async )?(?:.* \()?)?(file:\/\/.+?|\/.+?|[A-Z]:\\.+?):(\d+)(?::\d+)?\)?$/.exec(
      text,
    );
    return found?.[1] === undefined ? [] : [{ path: toPath(found[1]), line: Number(found[2]) }];
  });
}

type Unresolved = NonNullable<Trace['unresolved']>;

function findImportLine({ specifier, importer }: Unresolved): number | undefined {
  const program = parseSource(readSource(importer));
  return program && lineOfImport(program, specifier);
}

function explainUnresolved({ specifier, importer }: Unresolved, message: string): string {
  if (!/^Cannot find (module|package)/.test(message)) return `which cannot be resolved: ${message}`;
  const folder = dirname(importer);
  if (!/^\.{0,2}\//.test(specifier)) return `which no node_modules folder in ${folder} or above it has`;
  const names = [specifier, specifier.replace(/\.\w+$/, '')];
  const meant = names
    .flatMap((name) => ['.ts', '.mts', '.js', '.mjs'].map((extension) => name + extension))
    .find((name) => existsSync(resolve(folder, name)));
  return `which does not exist${meant === undefined ? '' : `: write "${meant}"`}`;
}

/** Node gives the place above the message, save that of errors in a module's JavaScript: these are looked for. */
function findSyntaxError(error: SyntaxError, files: ReadonlySet<string>): Place | undefined {
  const [head = ''] = (error.stack ?? '').split('\n', 1);
  const [place] = placesIn(head);
  if (place !== undefined) return place;
  for (const path of files) {
    const isOwnCode = /\.[cm]?[jt]s$/.test(path) && !isDependency(path);
    const line = isOwnCode ? lineOfSyntaxError(readSource(path)) : undefined;
    if (line !== undefined) return { path, line };
  }
  return undefined;
}

/** As the middle of a sentence, between the place and Node's message. */
function explainSyntaxError(error: unknown, { path }: Place): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return 'has TypeScript that Node cannot run by leaving out types';
  // Found when modules are linked, and called a syntax error all the same.
  if (/^(The requested module|Named export)/.test(message)) return 'imports a name that is not there';
  return /ts$/.test(path) ? 'is not valid TypeScript' : 'is not valid JavaScript';
}
