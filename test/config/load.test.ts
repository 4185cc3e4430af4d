// Where the configuration comes from, through real files. Each in a process of its own: what is looked for is looked
// for in the current folder, and Node runs a configuration file once in a process.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Config } from '../../src/config/config.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const load = new URL('../../src/config/load.ts', import.meta.url).href;
const script = `
  const { loadConfiguration } = await import(${JSON.stringify(load)});
  const told = await loadConfiguration().then(
    (config) => ({ config, faults: [] }),
    (error) => ({ faults: error.faults ?? [String(error.stack)] }),
  );
  console.log(JSON.stringify(told, (key, value) => (typeof value === 'function' ? 'a function' : value)));
`;
const run = promisify(execFile);

interface Loaded {
  readonly config: Config;
  /** One line each, with `~` for the folder. */
  readonly faults: readonly string[];
}

/** Loads the configuration in a folder with these files; `@` in a value of the environment stands for the folder. */
async function loadIn(
  files: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): Promise<Loaded> {
  await using folder = await temporaryFolder();
  const root = await realpath(folder.path);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: root,
    env: Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [name, value.replace('@', root)]),
    ),
  });
  assert.equal(stderr, '', 'nothing is said of a configuration that is loaded');
  const loaded = JSON.parse(stdout.replaceAll(root, '~')) as Loaded;
  for (const fault of loaded.faults) assert.doesNotMatch(fault, /\n/);
  return loaded;
}

const name = 'fusionauth-segment.config.ts';

/** The example of the documentation. */
const example = `import { defineConfig } from 'fusionauth-segment';

export default defineConfig({
  events: { include: ['user.*'], exclude: ['user.login.failed'] },          // patterns; also tenants, applications
  naming: 'fusionauth',                                                     // or 'segment': Signed Up, Signed In …
  privacy: { 'traits.email': 'hash', 'context.ip': 'truncate', 'traits.data.*': 'drop' },
  destinations: {
    segment: { writeKey: process.env.SEGMENT_WRITE_KEY, region: 'eu' },
    acme: { type: 'segment', writeKey: process.env.ACME_KEY, events: { tenants: ['…'] } },
    warehouse: { type: 'postgres', url: process.env.WAREHOUSE_URL },
  },
  map: (event, messages) => messages,                                       // the last word, in code
});
`;
const exampleMapping = {
  events: { include: ['user.*'], exclude: ['user.login.failed'] },
  naming: 'fusionauth',
  privacy: { 'traits.email': 'hash', 'context.ip': 'truncate', 'traits.data.*': 'drop' },
  map: 'a function',
};

function configOf(destinations: string): Record<string, string> {
  return { [name]: `export default { destinations: ${destinations} };\n` };
}

describe('the documented example', { concurrency: 4 }, () => {
  test('loads without its variables: its Segment sources are off, its warehouse is the embedded one', async () => {
    const { config, faults } = await loadIn({ [name]: example });

    assert.deepEqual(faults, []);
    assert.deepEqual(config.mapping, exampleMapping);
    assert.deepEqual(config.destinations, [{ name: 'warehouse', kind: 'embedded', schema: 'fusionauth' }]);
    assert.deepEqual(
      config.destinationsOff.map(({ name }) => name),
      ['segment', 'acme'],
    );
    assert.equal(config.configFile, `~/${name}`);
  });

  for (const [how, files, environment] of [
    [
      'of the process',
      {},
      { SEGMENT_WRITE_KEY: 'key-1', ACME_KEY: 'key-2', WAREHOUSE_URL: 'postgres://db/auth' },
    ],
    [
      'of .env',
      { '.env': 'SEGMENT_WRITE_KEY=key-1\nACME_KEY="key-2"\nWAREHOUSE_URL=postgres://db/auth\n' },
      {},
    ],
  ] as const) {
    test(`loads with its variables, those ${how}`, async () => {
      const { config, faults } = await loadIn({ [name]: example, ...files }, environment);

      assert.deepEqual(faults, []);
      assert.deepEqual(config.mapping, exampleMapping);
      assert.deepEqual(config.destinations, [
        {
          name: 'warehouse',
          kind: 'external',
          schema: 'fusionauth',
          connectionString: 'postgres://db/auth',
        },
        {
          name: 'segment',
          kind: 'segment',
          writeKey: 'key-1',
          endpoint: 'https://events.eu1.segmentapis.com',
          perSecond: 1_000,
        },
        {
          name: 'acme',
          kind: 'segment',
          writeKey: 'key-2',
          endpoint: 'https://api.segment.io',
          perSecond: 1_000,
          events: { tenants: ['…'] },
        },
      ]);
      assert.deepEqual(
        config.destinationsOff.map(({ name }) => name),
        [],
      );
    });
  }
});

describe('the configuration file', { concurrency: 4 }, () => {
  test('need not be there', async () => {
    const { config, faults } = await loadIn({}, { LOG_LEVEL: 'warn' });

    assert.deepEqual(faults, []);
    assert.equal(config.logLevel, 'warn');
    assert.equal('configFile' in config, false);
    assert.deepEqual(config.mapping, {});
  });

  test('can be another one, which CONFIG names', async () => {
    const files = { [name]: 'throw new Error()', 'etc/bridge.mjs': "export default { naming: 'segment' }" };

    const [relative, absolute, inDotEnv] = await Promise.all([
      loadIn(files, { CONFIG: 'etc/bridge.mjs' }),
      loadIn(files, { CONFIG: '@/etc/bridge.mjs' }),
      loadIn({ ...files, '.env': 'CONFIG=etc/bridge.mjs\n' }),
    ]);

    for (const { config, faults } of [relative, absolute, inDotEnv]) {
      assert.deepEqual(faults, []);
      assert.deepEqual(config.mapping, { naming: 'segment' });
      assert.equal(config.configFile, '~/etc/bridge.mjs');
    }
  });

  test('is the one in the current folder where CONFIG is empty', async () => {
    const { config } = await loadIn({ [name]: "export default { naming: 'segment' }" }, { CONFIG: '' });

    assert.deepEqual(config.mapping, { naming: 'segment' });
  });

  test('that CONFIG names and that is not there is a fault, whatever is in the current folder', async () => {
    const { faults } = await loadIn({ [name]: example }, { CONFIG: 'other.config.ts' });

    assert.deepEqual(faults, ['~/other.config.ts does not exist']);
  });

  test('that is a folder is a fault', async () => {
    const { faults } = await loadIn({ 'etc/config.ts': example }, { CONFIG: 'etc' });

    assert.match(faults.join('\n'), /^~\/etc cannot be read: EISDIR/);
  });

  test('sees the variables of .env in process.env, and those of the process before them', async () => {
    const { config } = await loadIn(
      {
        [name]: `const { ONE, TWO, THREE } = process.env;
export default { anonymousId: [ONE, TWO, THREE].join(' ') };
`,
        '.env': 'ONE=1\nTWO=2\nTHREE=3\n',
      },
      { TWO: 'two', THREE: '' },
    );

    assert.equal(config.mapping.anonymousId, '1 two 3');
  });

  test('can import what lies beside it', async () => {
    const { config } = await loadIn({
      [name]: "import { naming } from './naming.ts';\nexport default { naming };\n",
      'naming.ts': "export const naming: 'segment' | 'fusionauth' = 'segment';\n",
    });

    assert.deepEqual(config.mapping, { naming: 'segment' });
  });
});

describe('a variable', { concurrency: 4 }, () => {
  const inFile = configOf(`{
    segment: { writeKey: 'file-key', region: 'eu' },
    warehouse: { url: 'postgres://file/db', schema: 'file_schema' },
  }`);
  const warehouse = {
    name: 'warehouse',
    kind: 'external',
    connectionString: 'postgres://file/db',
    schema: 'file_schema',
  };
  const segment = {
    name: 'segment',
    kind: 'segment',
    writeKey: 'file-key',
    endpoint: 'https://events.eu1.segmentapis.com',
    perSecond: 1_000,
  };
  const embedded = { name: 'warehouse', kind: 'embedded', schema: 'fusionauth' };

  const cases: [
    name: string,
    files: Readonly<Record<string, string>>,
    environment: Readonly<Record<string, string>>,
    destinations: unknown[],
  ][] = [
    ['that is not set leaves what the file says', inFile, {}, [warehouse, segment]],
    [
      'that is empty leaves what the file says',
      inFile,
      {
        SEGMENT_WRITE_KEY: '',
        SEGMENT_REGION: '',
        SEGMENT_ENDPOINT: '',
        WAREHOUSE_URL: '',
        WAREHOUSE_SCHEMA: '',
        WAREHOUSE_PORT: '',
      },
      [warehouse, segment],
    ],
    [
      'wins over the file',
      inFile,
      {
        SEGMENT_WRITE_KEY: 'key',
        SEGMENT_REGION: 'us',
        WAREHOUSE_URL: 'postgres://db',
        WAREHOUSE_SCHEMA: 'other',
      },
      [
        { ...warehouse, connectionString: 'postgres://db', schema: 'other' },
        { ...segment, writeKey: 'key', endpoint: 'https://api.segment.io' },
      ],
    ],
    [
      'of .env wins over the file as well',
      { ...inFile, '.env': 'SEGMENT_WRITE_KEY=key\nWAREHOUSE_URL=off\n' },
      {},
      [{ ...segment, writeKey: 'key' }],
    ],
    [
      'wins alone, and the rest is the file’s',
      inFile,
      { SEGMENT_REGION: 'us' },
      [warehouse, { ...segment, endpoint: 'https://api.segment.io' }],
    ],
    [
      'that names a secret’s file wins over the configuration file',
      { ...inFile, key: 'key-in-a-file\n' },
      { SEGMENT_WRITE_KEY_FILE: '@/key' },
      [warehouse, { ...segment, writeKey: 'key-in-a-file' }],
    ],
    ['turns the warehouse off', inFile, { WAREHOUSE_URL: 'off' }, [segment]],
    [
      'turns on what the file turns off',
      configOf('{ segment: false, warehouse: false }'),
      { SEGMENT_WRITE_KEY: 'file-key', SEGMENT_REGION: 'eu', WAREHOUSE_URL: 'postgres://db' },
      [{ ...warehouse, connectionString: 'postgres://db', schema: 'fusionauth' }, segment],
    ],
    ['is not needed to turn all off', configOf('{ segment: false, warehouse: false }'), {}, []],
    [
      'gives a destination that the file only filters what it needs',
      configOf("{ segment: { events: { include: ['user.*'] } }, warehouse: { privacy: { '**': 'hash' } } }"),
      { SEGMENT_WRITE_KEY: 'file-key', SEGMENT_REGION: 'eu' },
      [
        { ...embedded, privacy: { '**': 'hash' } },
        { ...segment, events: { include: ['user.*'] } },
      ],
    ],
    [
      'of one destination says nothing of another',
      configOf("{ acme: { type: 'segment', writeKey: 'acme-key' } }"),
      { SEGMENT_WRITE_KEY: 'file-key', SEGMENT_REGION: 'eu' },
      [
        embedded,
        segment,
        {
          name: 'acme',
          kind: 'segment',
          writeKey: 'acme-key',
          endpoint: 'https://api.segment.io',
          perSecond: 1_000,
        },
      ],
    ],
  ];
  for (const [what, files, environment, destinations] of cases) {
    test(what, async () => {
      const { config, faults } = await loadIn(files, environment);

      assert.deepEqual(faults, []);
      assert.deepEqual(config.destinations, destinations);
    });
  }
});

describe('faults', { concurrency: 4 }, () => {
  const broken = `import { defineConfig } from 'fusionauth-segment';

export default defineConfig({
  events: {
    include: [
      'user.*',
      'user.logn',
    ],
  },
  privacy: {
    email: 'hash',
  },
  destinations: {
    'two words': {},
    acme: { type: 'segment', events: { tenants: '…' } },
  },
  maps: () => [],
});
`;
  const brokenFaults = [
    `${name}:17: maps is not known; known are events, naming, privacy, anonymousId, groupId, destinations, map`,
    `${name}:7: events.include[1] "user.logn" is no event type of FusionAuth’s; \`events\` prints them all`,
    `${name}:11: privacy.email must begin with traits, properties, context, integrations or a wildcard for them`,
    `${name}:14: destinations['two words'] is no name: small letters, digits, _ and -, a letter first, 24 characters at most`,
    `${name}:15: destinations.acme.events.tenants must be a list: ['…']`,
  ];

  test('of the file name file, line and path, all at once', async () => {
    const { faults } = await loadIn({ [name]: broken });

    assert.deepEqual(faults, brokenFaults);
  });

  test('of the file and of the variables are told together', async () => {
    const { faults } = await loadIn({ [name]: broken }, { PORT: 'x', HOST: '0.0.0.0', LOG_LEVEL: 'x' });

    assert.deepEqual(faults.slice(0, 5), brokenFaults);
    assert.deepEqual(
      faults.slice(5).map((fault) => /^[A-Z_]+/.exec(fault)?.[0]),
      ['PORT', 'LOG_LEVEL', 'HOST'],
    );
  });

  test('of the variables are told together with a file that does not run', async () => {
    const { faults } = await loadIn(
      { [name]: "const key = 1;\nthrow new Error('no key');\nexport default {};\n" },
      { PORT: 'x' },
    );

    assert.deepEqual(faults, [
      `~/${name}:2 throws while it is loaded: no key`,
      'PORT="x" is not allowed: it must be a port from 0 to 65535, where 0 takes any free one',
    ]);
  });

  test('of the variables are told together with a file that is not there', async () => {
    const { faults } = await loadIn({}, { CONFIG: 'not-there.ts', SEGMENT_REGION: 'x' });

    assert.deepEqual(faults, [
      '~/not-there.ts does not exist',
      'SEGMENT_REGION="x" is not allowed: it must be us or eu',
    ]);
  });

  test('of the variables alone do not speak of the file', async () => {
    const { faults } = await loadIn({ [name]: example }, { PORT: 'x' });

    assert.deepEqual(faults, [
      'PORT="x" is not allowed: it must be a port from 0 to 65535, where 0 takes any free one',
    ]);
  });

  test('of one value are told once', async () => {
    const { faults } = await loadIn(configOf("{ segment: { writeKey: 'two words', region: 'x' } }"));

    assert.deepEqual(faults, [
      `${name}:1: destinations.segment.writeKey must be a write key, without spaces`,
      `${name}:1: destinations.segment.region must be us or eu`,
    ]);
  });

  test('name the file as CONFIG does', async () => {
    const { faults } = await loadIn(
      { 'etc/bridge.ts': 'export default { naming: 1 };' },
      { CONFIG: 'etc/bridge.ts' },
    );

    assert.deepEqual(faults, ['etc/bridge.ts:1: naming must be fusionauth or segment']);
  });

  test('tell of two destinations that would load the same tables', async () => {
    const { faults } = await loadIn(
      configOf(`{
        warehouse: { url: 'postgres://db/x' },
        copy: { type: 'postgres', url: process.env.COPY_URL },
        other: { type: 'postgres', url: process.env.COPY_URL, schema: 'other' },
      }`),
      { COPY_URL: 'postgres://db/x' },
    );

    assert.deepEqual(faults, [
      'The destinations warehouse and copy have the same url and schema: give one of them a schema of its own',
    ]);
  });
});
