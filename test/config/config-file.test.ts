import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, realpath, rename, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadConfigFile } from '../../src/config/config-file.ts';
import { defineConfig } from '../../src/define-config.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Writes files by their names; `path` is that of the first. */
async function writeFiles(files: Record<string, string>) {
  const folder = await temporaryFolder();
  const root = await realpath(folder.path);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  const [first = ''] = Object.keys(files);
  return { root, path: join(root, first), [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

/** The one fault of a file, with `~` for its folder. */
async function faultOf(files: Record<string, string>, options?: { timeoutMs: number }): Promise<string> {
  await using folder = await writeFiles(files);
  try {
    await loadConfigFile(folder.path, options);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.faults.length, 1);
    assert.doesNotMatch(error.message, /\n/);
    return error.message.replaceAll(folder.root, '~');
  }
  throw new assert.AssertionError({ message: 'No fault' });
}

const source = `import { defineConfig } from 'fusionauth-segment';

type Rule = 'hash' | 'drop';

export default defineConfig({
  privacy: { 'traits.email': 'hash' as Rule },
  map: (event: unknown, messages: unknown[]) => messages,
});
`;

const plainSource = `import { defineConfig } from 'fusionauth-segment';

export default defineConfig({ naming: 'segment' });
`;

interface Own {
  readonly defineConfig: unknown;
}

describe('a configuration file', () => {
  test('gives its default export, and the lines of its properties', async () => {
    await using folder = await writeFiles({ 'fusionauth-segment.config.ts': source });

    const { path, value, lineOf } = await loadConfigFile(folder.path);

    assert.equal(path, folder.path);
    assert.partialDeepStrictEqual(value, { privacy: { 'traits.email': 'hash' } });
    assert.deepEqual(
      [lineOf([]), lineOf(['privacy', 'traits.email']), lineOf(['map']), lineOf(['map', 'x']), lineOf(['y'])],
      [5, 6, 7, 7, 5],
    );
  });

  const packages: [name: string, text: string | undefined][] = [
    ['without a package.json', undefined],
    ['with a package.json that has no type', '{}'],
    ['in a package of modules', '{ "type": "module" }'],
    ['in a package of CommonJS', '{ "type": "commonjs" }'],
  ];
  for (const [name, text] of packages) {
    for (const extension of ['ts', 'mts', 'js', 'mjs']) {
      test(`in .${extension} loads in a folder ${name}, and so does what it imports`, async () => {
        await using folder = await writeFiles({
          [`fusionauth-segment.config.${extension}`]:
            `import { naming } from './lib/naming.${extension}';\n` +
            "import { defineConfig } from 'fusionauth-segment';\n\nexport default defineConfig({ naming });\n",
          [`lib/naming.${extension}`]:
            "import { defineConfig } from 'fusionauth-segment';\n" +
            "export const { naming } = defineConfig({ naming: 'segment' });\n",
          ...(text === undefined ? {} : { 'package.json': text }),
        });

        const { value, lineOf } = await loadConfigFile(folder.path);

        assert.deepEqual(value, { naming: 'segment' });
        assert.equal(lineOf(['naming']), 4);
      });
    }
  }

  test('gets the bridge that runs under its own name, whatever is installed beside the file', async () => {
    await using folder = await writeFiles({
      'config.mjs': "import * as own from 'fusionauth-segment';\nexport default { own };\n",
      'node_modules/fusionauth-segment/package.json': '{ "type": "module", "exports": "./index.js" }',
      'node_modules/fusionauth-segment/index.js': "export const other = 'bridge';\n",
    });

    const { value } = await loadConfigFile(folder.path);

    assert.equal((value as { own: Own }).own.defineConfig, defineConfig);
  });

  test('gets it in import() and require() too, and once it is loaded', async () => {
    await using folder = await writeFiles({
      'config.ts': `import { required } from './helper.cjs';
export default { required, later: () => import('fusionauth-segment') };
`,
      'helper.cjs': "exports.required = require('fusionauth-segment');\n",
      'package.json': '{ "type": "commonjs" }',
    });

    const loaded = await loadConfigFile(folder.path);
    const value = loaded.value as { required: Own; later: () => Promise<Own> };

    assert.equal(value.required.defineConfig, defineConfig);
    assert.equal((await value.later()).defineConfig, defineConfig);
  });

  test('imports packages, and CommonJS beside it, as Node does', async () => {
    await using folder = await writeFiles({
      'config.ts': `import one from 'one';
import { two } from 'two';
import three from './three.js';
import four from './four.json' with { type: 'json' };
export default { one, two, three, four };
`,
      'three.js': "module.exports = { five: require('./lib/five.js').five };\n",
      'lib/five.js': 'exports.five = __filename.length > 0;\n',
      'four.json': '{ "four": 4 }',
      'node_modules/one/package.json': '{ "main": "main.js" }',
      'node_modules/one/main.js': "module.exports = require('./part');\n",
      'node_modules/one/part.js': '/* export */ module.exports = 1;\n',
      'node_modules/two/package.json': '{ "type": "module", "exports": { ".": "./two.js" } }',
      'node_modules/two/two.js': 'export const two = 2;\n',
    });

    const { value } = await loadConfigFile(folder.path);

    assert.deepEqual(value, { one: 1, two: 2, three: { five: true }, four: { four: 4 } });
  });

  test('may wait for something', async () => {
    await using folder = await writeFiles({
      'config.ts': 'const rest = await Promise.resolve({ b: 2 });\nexport default { a: 1,\n ...rest };\n',
    });

    const { value, lineOf } = await loadConfigFile(folder.path);

    assert.deepEqual(value, { a: 1, b: 2 });
    assert.equal(lineOf(['a']), 2);
  });

  test('is found by a path from the current folder, with letters that a URL encodes', async () => {
    await using folder = await writeFiles({ 'a folder#1 (100%)/ü?.config.ts': source });
    const path = relative(process.cwd(), folder.path);

    const loaded = await loadConfigFile(path);

    assert.equal(loaded.path, resolve(path));
    assert.equal(loaded.lineOf(['map']), 7);
  });

  test('may be a link, as in a mounted ConfigMap: what it imports is beside the file itself', async () => {
    await using folder = await writeFiles({
      'config.ts': "import { naming } from './naming.ts';\nexport default { naming };\n",
      'naming.ts': "export const naming = 'segment';\n",
    });
    await mkdir(join(folder.root, '..data'));
    for (const name of ['config.ts', 'naming.ts']) {
      await rename(join(folder.root, name), join(folder.root, '..data', name));
    }
    await symlink('..data/config.ts', folder.path);

    const loaded = await loadConfigFile(folder.path);

    assert.equal(loaded.path, folder.path);
    assert.deepEqual(loaded.value, { naming: 'segment' });
  });

  test('that is gone once it is loaded still has its lines', async () => {
    const folder = await writeFiles({ 'config.ts': source });
    const { lineOf } = await loadConfigFile(folder.path);

    await folder[Symbol.asyncDispose]();

    assert.equal(lineOf(['map']), 7);
  });
});

describe('a configuration file is refused in one sentence with file and line:', () => {
  const refused: [name: string, files: Record<string, string>, expected: string | RegExp][] = [
    [
      'a name that Node does not run',
      { 'config.yaml': 'a: 1' },
      '~/config.yaml is no configuration file: its name must end in .ts, .mts, .js or .mjs',
    ],
    [
      'a syntax error in TypeScript',
      { 'config.ts': 'export default {\n  a: 1 as number,\n  b: = 2,\n};\n' },
      '~/config.ts:3 is not valid TypeScript: Expression expected',
    ],
    [
      'a syntax error in .mts',
      { 'config.mts': 'export default {\n  a: 1 as number,\n  b: = 2,\n};\n' },
      '~/config.mts:3 is not valid TypeScript: Expression expected',
    ],
    [
      'a text that does not end',
      { 'config.ts': "\nexport default { a: 'x\n };\n" },
      /^~\/config\.ts:\d is not valid TypeScript: /,
    ],
    [
      'a syntax error in JavaScript',
      { 'config.js': 'export default {\n  a: 1,\n  b: = 2,\n};\n' },
      "~/config.js:3 is not valid JavaScript: Unexpected token '='",
    ],
    [
      'types in JavaScript',
      { 'config.mjs': '\nconst a: number = 1;\nexport default { a };\n' },
      '~/config.mjs:2 is not valid JavaScript: Missing initializer in const declaration',
    ],
    [
      'an error that only shows without types',
      { 'config.ts': 'const a: number = 1;\nconst a: number = 2;\nexport default { a };\n' },
      "~/config.ts:2 is not valid TypeScript: Identifier 'a' has already been declared",
    ],
    [
      'an enum',
      { 'config.ts': 'export default {};\n\n\nenum Naming { Segment }\n' },
      '~/config.ts:4 has TypeScript that Node cannot run by leaving out types: TypeScript enum is not supported in strip-only mode',
    ],
    [
      'a parameter property',
      { 'config.mts': 'export default {};\nclass A {\n  constructor(private a: string) {}\n}\n' },
      '~/config.mts:3 has TypeScript that Node cannot run by leaving out types: TypeScript parameter property is not supported in strip-only mode',
    ],
    [
      'a syntax error in a file that it imports',
      {
        'config.ts': "import './lib/rules.js';\nexport default {};\n",
        'lib/rules.js': '\nexport const = 1;\n',
      },
      "~/lib/rules.js:2 is not valid JavaScript: Unexpected token '='",
    ],
    [
      'an enum in a file that it imports',
      {
        'config.ts': "import './lib/rules.ts';\nexport default {};\n",
        'lib/rules.ts': '\nexport enum A { B }\n',
      },
      /^~\/lib\/rules\.ts:2 has TypeScript that Node cannot run/,
    ],
    [
      'an import of a file that does not exist',
      { 'config.ts': "\nimport { a } from './rules.ts';\nexport default { a };\n" },
      '~/config.ts:2 imports "./rules.ts", which does not exist',
    ],
    [
      'an import without the extension',
      {
        'config.ts': "import { a } from './rules';\nexport default { a };\n",
        'rules.ts': 'export const a = 1;\n',
      },
      '~/config.ts:1 imports "./rules", which does not exist: write "./rules.ts"',
    ],
    [
      'an import with the extension that a compiler would give',
      {
        'config.ts': "import { a } from './rules.js';\nexport default { a };\n",
        'rules.ts': 'export const a = 1;\n',
      },
      '~/config.ts:1 imports "./rules.js", which does not exist: write "./rules.ts"',
    ],
    [
      'an import of a package that is not installed',
      { 'config.ts': "\nimport { a } from '@scope/rules';\nexport default { a };\n" },
      '~/config.ts:2 imports "@scope/rules", which no node_modules folder in ~ or above it has',
    ],
    [
      'an import that a package does not offer',
      {
        'config.js': "\nimport a from 'rules/inner.js';\nexport default { a };\n",
        'node_modules/rules/package.json': '{ "exports": "./index.js" }',
      },
      /^~\/config\.js:2 imports "rules\/inner\.js", which cannot be resolved: Package subpath/,
    ],
    [
      'an import in a file that it imports',
      {
        'config.ts': "import { a } from './lib/rules.ts';\nexport default { a };\n",
        'lib/rules.ts': "\n\nexport * from './more.ts';\n",
      },
      '~/lib/rules.ts:3 imports "./more.ts", which does not exist',
    ],
    [
      'an import() of a file that does not exist',
      { 'config.ts': "\n\nconst { a } = await import('./rules.ts');\nexport default { a };\n" },
      /^~\/config\.ts(:3)? imports "\.\/rules\.ts", which does not exist$/,
    ],
    [
      'a require() of a file that does not exist',
      {
        'config.js': "import './rules.cjs';\nexport default {};\n",
        'rules.cjs': "\n\nrequire('./more.cjs');\n",
      },
      '~/rules.cjs:3 imports "./more.cjs", which does not exist',
    ],
    [
      'a name that the imported file does not export',
      {
        'config.ts': "\nimport { b } from './rules.ts';\nexport default { b };\n",
        'rules.ts': 'export const a = 1;\n',
      },
      "~/config.ts:2 imports a name that is not there: The requested module './rules.ts' does not provide an export named 'b'",
    ],
    [
      'code that throws',
      { 'config.ts': 'const read = (from: any) =>\n  from.a.b;\nexport default {\n  a: read({}),\n};\n' },
      "~/config.ts:2 throws while it is loaded: Cannot read properties of undefined (reading 'b')",
    ],
    [
      'code that throws after a while',
      { 'config.js': "await Promise.resolve();\n\nthrow new Error('ACME_KEY is not set:\\n  set it');\n" },
      '~/config.js:3 throws while it is loaded: ACME_KEY is not set: set it',
    ],
    [
      'a SyntaxError that is thrown',
      { 'config.mjs': "\nexport default JSON.parse('{');\n" },
      /^~\/config\.mjs:2 throws while it is loaded: Expected property name/,
    ],
    [
      'a throw in a file that it imports, called from here',
      {
        'config.ts': "import { fail } from './rules.ts';\n\nexport default { a: fail() };\n",
        'rules.ts': "export const fail = () => {\n  throw new Error('no');\n};\n",
      },
      '~/config.ts:3 throws while it is loaded: no',
    ],
    [
      'a throw in a file that it imports, by itself',
      {
        'config.ts': "import './my (2) files/rules.cjs';\nexport default {};\n",
        'my (2) files/rules.cjs': '\nthrow new RangeError();\n',
      },
      '~/my (2) files/rules.cjs:2 throws while it is loaded: RangeError',
    ],
    [
      'a throw deep in a package, called from here',
      {
        'config.ts': "import { fail } from 'rules';\n\nexport default { a: fail(50) };\n",
        'node_modules/rules/package.json': '{ "type": "module", "exports": "./index.js" }',
        'node_modules/rules/index.js':
          "export const fail = (depth) => {\n  if (depth > 0) fail(depth - 1);\n  throw new Error('no');\n};\n",
      },
      '~/config.ts:3 throws while it is loaded: no',
    ],
    ['a throw of a text', { 'config.ts': "\nthrow 'no';\n" }, '~/config.ts cannot be loaded: no'],
    [
      'a throw of something else',
      { 'config.ts': 'await Promise.reject({ reason: 1 });\n' },
      '~/config.ts cannot be loaded: { reason: 1 }',
    ],
    [
      'no default export',
      { 'config.ts': 'export const config = {};\n' },
      '~/config.ts has no default export: write "export default defineConfig({ … })"',
    ],
    [
      'an empty file',
      { 'config.js': '' },
      '~/config.js has no default export: write "export default defineConfig({ … })"',
    ],
    [
      'a promise',
      {
        'config.ts':
          "import { defineConfig } from 'fusionauth-segment';\n\nexport default defineConfig((async () => ({}))());\n",
      },
      '~/config.ts:3 exports a promise, and must export an object: write "await" before it',
    ],
    [
      'a function',
      { 'config.ts': '\nexport default () => ({});\n' },
      '~/config.ts:2 exports a function, and must export an object',
    ],
    ['a class', { 'config.ts': 'export default class {}\n' }, /^~\/config\.ts:1 exports a function, /],
    ['an array', { 'config.js': '\n\nexport default [1];\n' }, /^~\/config\.js:3 exports an array, /],
    ['a text', { 'config.js': "export default 'a';\n" }, /^~\/config\.js:1 exports a string, /],
    ['null', { 'config.js': 'export default null;\n' }, /^~\/config\.js:1 exports null, /],
    ['undefined', { 'config.js': 'export default undefined;\n' }, /^~\/config\.js:1 exports undefined, /],
  ];
  for (const [name, files, expected] of refused) {
    test(name, async () => {
      const fault = await faultOf(files);

      if (typeof expected === 'string') assert.equal(fault, expected);
      else assert.match(fault, expected);
    });
  }

  test('one that does not exist', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'config.ts');

    await assert.rejects(loadConfigFile(path), new ConfigError([`${path} does not exist`]));
  });

  test('a folder', async () => {
    await using folder = await temporaryFolder();

    await assert.rejects(loadConfigFile(folder.path), {
      message: `${folder.path} cannot be read: EISDIR: illegal operation on a directory, read`,
    });
  });

  test('one that does not settle', async () => {
    const fault = await faultOf(
      { 'config.ts': 'await new Promise(() => {});\nexport default {};\n' },
      { timeoutMs: 20 },
    );

    assert.equal(
      fault,
      '~/config.ts is not loaded after 0.02 seconds: an await at its top level, or at that of a file it imports, does not settle',
    );
  });

  test('one behind a link, by the link’s name', async () => {
    await using folder = await writeFiles({ 'real.ts': '\nthrow new Error();\n' });
    const path = join(folder.root, 'config.ts');
    await symlink('real.ts', path);

    await assert.rejects(loadConfigFile(path), { message: `${path}:2 throws while it is loaded: Error` });
  });
});

describe('a process that loads a configuration file', () => {
  const loader = pathToFileURL(resolve(import.meta.dirname, '../../src/config/config-file.ts')).href;
  const run = async (path: string, options = '{}') => {
    const script = `const { loadConfigFile } = await import(${JSON.stringify(loader)});
      await loadConfigFile(${JSON.stringify(path)}, ${options}).then(
        ({ value, lineOf }) => console.log(value, lineOf(['naming'])),
        (error) => console.log(error.faults));`;
    return promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  };

  for (const [packageJson, extension] of [
    [undefined, 'ts'],
    ['{}', 'ts'],
    ['{}', 'js'],
    ['{ "type": "commonjs" }', 'mts'],
  ] as const) {
    test(`writes nothing to stderr: .${extension}, package.json ${packageJson ?? 'missing'}`, async () => {
      await using folder = await writeFiles({
        [`config.${extension}`]: `import './more.${extension}';\n${plainSource}`,
        [`more.${extension}`]: "import 'fusionauth-segment';\nexport {};\n",
        ...(packageJson === undefined ? {} : { 'package.json': packageJson }),
      });

      const { stdout, stderr } = await run(folder.path);

      assert.deepEqual({ stdout, stderr }, { stdout: "{ naming: 'segment' } 4\n", stderr: '' });
    });
  }

  test('writes nothing to stderr for a fault either', async () => {
    await using folder = await writeFiles({
      'config.ts': 'enum A {}\nexport default {};\n',
      'package.json': '{}',
    });

    const { stdout, stderr } = await run(folder.path);

    assert.match(stdout, /config\.ts:1 has TypeScript/);
    assert.equal(stderr, '');
  });

  test('lives on until the time limit, even if nothing else is left to do', async () => {
    await using folder = await writeFiles({ 'config.ts': 'await new Promise(() => {});\n' });

    const { stdout, stderr } = await run(folder.path, '{ timeoutMs: 20 }');

    assert.match(stdout, /is not loaded after 0\.02 seconds/);
    assert.equal(stderr, '');
  });

  test('ends at once when the file is loaded: the time limit holds nothing up', async () => {
    await using folder = await writeFiles({ 'config.ts': source });

    const { stderr } = await run(folder.path, '{ timeoutMs: 2 ** 31 - 1 }');

    assert.equal(stderr, '');
  });
});
