import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { isLoopback, loadConfig, readEnvironment } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import type { Config, Environment } from '../../src/config/config.ts';
import type {
  EmbeddedWarehouseConfig,
  ExternalWarehouseConfig,
  SegmentConfig,
} from '../../src/config/destinations.ts';
import { settings } from '../../src/config/settings.ts';
import type { SettingName } from '../../src/config/settings.ts';
import { requiresSignature } from '../../src/config/verification.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const secret = 'a webhook secret of many letters';

const embedded: EmbeddedWarehouseConfig = {
  name: 'warehouse',
  kind: 'embedded',
  port: undefined,
  schema: 'fusionauth',
  events: undefined,
  privacy: undefined,
};
const external: Omit<ExternalWarehouseConfig, 'connectionString'> = {
  name: 'warehouse',
  kind: 'external',
  schema: 'fusionauth',
  events: undefined,
  privacy: undefined,
};
const segment: SegmentConfig = {
  name: 'segment',
  kind: 'segment',
  writeKey: 'key',
  endpoint: 'https://api.segment.io',
  perSecond: 1_000,
  events: undefined,
  privacy: undefined,
};

describe('settings', () => {
  test('have the documented defaults', () => {
    const config = loadConfig({});

    assert.deepEqual(config, {
      host: '127.0.0.1',
      port: 3000,
      dataDirectory: resolve('data'),
      destinations: [embedded],
      destinationsOff: [],
      mapping: {},
      privacySalt: undefined,
      fusionAuthUrl: undefined,
      fusionAuthApiKey: undefined,
      segmentRegion: 'us',
      segmentPublicApiToken: undefined,
      segmentPublicApiUrl: undefined,
      webhookSecrets: [],
      allowUnsigned: false,
      adminToken: undefined,
      viewerToken: undefined,
      maxBodyBytes: 20_971_520,
      logRetentionMs: 90 * 86_400_000,
      logLevel: 'info',
      configFile: undefined,
    });
  });

  test('that are empty count as not set', () => {
    const everyEmpty = Object.fromEntries(
      Object.keys(settings).flatMap((name) => [
        [name, ''],
        [`${name}_FILE`, ''],
      ]),
    );

    assert.deepEqual(loadConfig(everyEmpty), loadConfig({}));
  });

  test('take no configuration file by themselves: CONFIG is where one is looked for', () => {
    assert.deepEqual(loadConfig({ CONFIG: '/not/there.ts' }), loadConfig({}));
  });

  test('of other programs are left alone', () => {
    assert.deepEqual(loadConfig({ PATH: '/bin', PORTS: 'many', SEGMENT: 'x' }), loadConfig({}));
  });

  const taken: [name: string, environment: Environment, expected: Partial<Config>][] = [
    ['an address and a port', { HOST: '::1', PORT: '0' }, { host: '::1', port: 0 }],
    ['the highest port', { PORT: '65535' }, { port: 65_535 }],
    ['a folder', { DATA_DIR: '/var/lib/bridge data' }, { dataDirectory: '/var/lib/bridge data' }],
    ['a folder below the current one', { DATA_DIR: './a/../b' }, { dataDirectory: resolve('b') }],
    [
      'a write key, which turns Segment on',
      { SEGMENT_WRITE_KEY: 'key' },
      { destinations: [embedded, segment] },
    ],
    [
      'the region of Europe',
      { SEGMENT_WRITE_KEY: 'key', SEGMENT_REGION: 'eu' },
      {
        segmentRegion: 'eu',
        destinations: [embedded, { ...segment, endpoint: 'https://events.eu1.segmentapis.com' }],
      },
    ],
    [
      'an endpoint, in place of the region’s',
      { SEGMENT_WRITE_KEY: 'key', SEGMENT_REGION: 'eu', SEGMENT_ENDPOINT: 'http://127.0.0.1:9000/v1' },
      { segmentRegion: 'eu', destinations: [embedded, { ...segment, endpoint: 'http://127.0.0.1:9000/v1' }] },
    ],
    [
      'a region without a write key, which turns nothing on',
      { SEGMENT_REGION: 'eu' },
      { segmentRegion: 'eu', destinations: [embedded] },
    ],
    ['no warehouse', { WAREHOUSE_URL: 'off', WAREHOUSE_PORT: '5433' }, { destinations: [] }],
    [
      'Segment and no warehouse',
      { SEGMENT_WRITE_KEY: 'key', WAREHOUSE_URL: 'off' },
      { destinations: [segment] },
    ],
    [
      'an embedded warehouse at a port, in a schema',
      { WAREHOUSE_PORT: '5999', WAREHOUSE_SCHEMA: '_fusion_auth_2' },
      { destinations: [{ ...embedded, port: 5_999, schema: '_fusion_auth_2' }] },
    ],
    [
      'a warehouse elsewhere',
      { WAREHOUSE_URL: 'postgresql://user:pass@db/warehouse?sslmode=require' },
      {
        destinations: [
          { ...external, connectionString: 'postgresql://user:pass@db/warehouse?sslmode=require' },
        ],
      },
    ],
    [
      'a warehouse by the other name of its protocol',
      { WAREHOUSE_URL: 'postgres://db', WAREHOUSE_SCHEMA: 's' },
      { destinations: [{ ...external, connectionString: 'postgres://db', schema: 's' }] },
    ],
    [
      'FusionAuth’s address',
      { FUSIONAUTH_URL: 'https://auth.example.com' },
      { fusionAuthUrl: 'https://auth.example.com' },
    ],
    ['a salt for hashes', { PRIVACY_SALT: 'sixteen letters!' }, { privacySalt: 'sixteen letters!' }],
    ['a token', { ADMIN_TOKEN: 'to-ken' }, { adminToken: 'to-ken' }],
    [
      'a second token, to read only',
      { ADMIN_TOKEN: 'to-ken', VIEWER_TOKEN: 'viewer' },
      { adminToken: 'to-ken', viewerToken: 'viewer' },
    ],
    ['the smallest limit of a body', { MAX_BODY_BYTES: '1024' }, { maxBodyBytes: 1_024 }],
    ['the largest limit of a body', { MAX_BODY_BYTES: '268435456' }, { maxBodyBytes: 268_435_456 }],
    ['unsigned webhooks', { FUSIONAUTH_ALLOW_UNSIGNED: 'true' }, { allowUnsigned: true }],
    ['a level of log lines', { LOG_LEVEL: 'silent' }, { logLevel: 'silent' }],
  ];
  for (const [name, environment, expected] of taken) {
    test(`take ${name}`, () => {
      assert.deepEqual(loadConfig(environment), { ...loadConfig({}), ...expected });
    });
  }
});

describe('a wrong value is told in one line that names it and says what is allowed', () => {
  const wrong: [name: SettingName, values: string[]][] = [
    ['PORT', ['-1', '65536', '3000.5', '3e3', '0x50', ' 3000', 'http', '99999999999999999999', '٣٠٠٠']],
    ['SEGMENT_WRITE_KEY', ['two words', 'kéy', 'tab\there']],
    ['SEGMENT_REGION', ['EU', 'eu1', 'de']],
    ['SEGMENT_ENDPOINT', ['api.segment.io', 'ftp://api.segment.io', '/v1', 'https://']],
    ['WAREHOUSE_URL', ['OFF', 'none', 'mysql://user:hunter2@db/x', 'user:hunter2@db', 'postgres://a b']],
    ['WAREHOUSE_SCHEMA', ['Fusion', 'pg_auth', '1auth', 'a-b', 'a.b', 'a"b', 'ü', 'a'.repeat(64)]],
    ['WAREHOUSE_PORT', ['0', '65536', '-1', 'any']],
    ['PRIVACY_SALT', [' ', 'salt', 'fifteen letters']],
    ['FUSIONAUTH_URL', ['auth.example.com', 'file:///etc/passwd', 'localhost:9011']],
    ['FUSIONAUTH_WEBHOOK_SECRET', [' ', '\n', ' \r\n \n']],
    ['FUSIONAUTH_ALLOW_UNSIGNED', ['yes', '1', 'TRUE']],
    ['ADMIN_TOKEN', ['two words', 'tokén', ' ']],
    ['VIEWER_TOKEN', ['two words', 'tokén', ' ']],
    ['MAX_BODY_BYTES', ['1023', '1073741825', '20MB', '-1', '1.5']],
    ['LOG_LEVEL', ['verbose', 'INFO', '30']],
  ];
  for (const [name, values] of wrong) {
    for (const value of values) {
      test(`${name}=${JSON.stringify(value)}`, () => {
        const { allowed, ...setting } = settings[name];

        const [fault = '', ...others] = faultsOf({ [name]: value });

        assert.deepEqual(others, []);
        const isSecret = 'isSecret' in setting;
        const sentence = `${name}${isSecret ? '' : `="${value}"`} is not allowed: it must be ${allowed}`;
        // Of a connection string it is said what is wrong with it, too.
        assert.equal(fault.slice(0, sentence.length), sentence);
        assert.match(fault.slice(sentence.length), name === 'WAREHOUSE_URL' ? /^: \w/ : /^$/);
      });
    }
  }

  test('a value with line ends in it does not spread over several lines', () => {
    const [fault, ...others] = faultsOf({ PORT: '3000\n' });

    assert.deepEqual(others, []);
    assert.match(fault ?? '', /^PORT=.* is not allowed: it must be a port from 0 to 65535/);
  });

  test('the value of a secret stands in no message, whichever way it came', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'file');
    await writeFile(file, 'hunter2 hunter2');
    const secrets = Object.entries(settings).filter(([, setting]) => 'isSecret' in setting);

    const byVariable = faultsOf(Object.fromEntries(secrets.map(([name]) => [name, 'hunter2 hunter2'])));
    const byFile = faultsOf(Object.fromEntries(secrets.map(([name]) => [`${name}_FILE`, file])));

    assert.deepEqual(
      secrets.map(([name]) => name),
      [
        'SEGMENT_WRITE_KEY',
        'SEGMENT_PUBLIC_API_TOKEN',
        'WAREHOUSE_URL',
        'PRIVACY_SALT',
        'FUSIONAUTH_API_KEY',
        'FUSIONAUTH_WEBHOOK_SECRET',
        'ADMIN_TOKEN',
        'VIEWER_TOKEN',
      ],
    );
    // Anything may be a webhook secret.
    assert.deepEqual(namesIn(byVariable), [
      'SEGMENT_WRITE_KEY',
      'SEGMENT_PUBLIC_API_TOKEN',
      'WAREHOUSE_URL',
      'PRIVACY_SALT',
      'FUSIONAUTH_API_KEY',
      'ADMIN_TOKEN',
      'VIEWER_TOKEN',
    ]);
    assert.deepEqual(namesIn(byFile), [
      'SEGMENT_WRITE_KEY_FILE',
      'SEGMENT_PUBLIC_API_TOKEN_FILE',
      'WAREHOUSE_URL_FILE',
      'PRIVACY_SALT_FILE',
      'FUSIONAUTH_API_KEY_FILE',
      'ADMIN_TOKEN_FILE',
      'VIEWER_TOKEN_FILE',
    ]);
    assert.doesNotMatch([...byVariable, ...byFile].join('\n'), /hunter2/);
  });

  test('all faults are reported at once, one line each', () => {
    const faults = faultsOf({
      PORT: 'x',
      SEGMENT_REGION: 'x',
      LOG_LEVEL: 'x',
      ADMIN_TOKEN_FILE: '/not/there',
    });

    assert.deepEqual(namesIn(faults), ['PORT', 'SEGMENT_REGION', 'ADMIN_TOKEN_FILE', 'LOG_LEVEL']);
  });

  test('an address that lacks a signature is reported together with the other faults', () => {
    const faults = faultsOf({ HOST: '0.0.0.0', PORT: 'x' });

    assert.deepEqual(namesIn(faults).sort(), ['HOST', 'PORT']);
  });

  test('a token to read only needs one that may do more, and is another', () => {
    assert.match(
      faultsOf({ VIEWER_TOKEN: 'hunter2' }).join(),
      /^VIEWER_TOKEN only adds those who may read to who has ADMIN_TOKEN, which is not set: set ADMIN_TOKEN as well$/,
    );
    assert.match(
      faultsOf({ VIEWER_TOKEN: 'hunter2', ADMIN_TOKEN: 'hunter2' }).join(),
      /^VIEWER_TOKEN is the same as ADMIN_TOKEN: give it a value of its own, or take it away$/,
    );
    assert.deepEqual(namesIn(faultsOf({ VIEWER_TOKEN: 'viewer', ADMIN_TOKEN: 'two words' })), [
      'ADMIN_TOKEN',
    ]);
    assert.deepEqual(namesIn(faultsOf({ VIEWER_TOKEN: 'viewer', ADMIN_TOKEN_FILE: '/not/there' })), [
      'ADMIN_TOKEN_FILE',
    ]);
  });

  test('the error is of a stable code, and its message has all lines', () => {
    const error = errorOf({ PORT: 'x', LOG_LEVEL: 'x' });

    assert.equal(error.code, 'CONFIG_INVALID');
    assert.equal(error.message, error.faults.join('\n'));
  });
});

describe('a secret can be read from a file', () => {
  test('without the line end that editors add', async () => {
    await using folder = await temporaryFolder();
    const files = await writeFiles(folder.path, {
      SEGMENT_WRITE_KEY: 'key\n',
      ADMIN_TOKEN: 'token\r\n',
      VIEWER_TOKEN: 'viewer\n',
      WAREHOUSE_URL: 'postgres://db\n',
      PRIVACY_SALT: 'sixteen letters!\n',
      FUSIONAUTH_WEBHOOK_SECRET: `${secret}\n`,
    });

    const config = loadConfig(files);

    assert.deepEqual(config.destinations, [{ ...external, connectionString: 'postgres://db' }, segment]);
    assert.equal(config.adminToken, 'token');
    assert.equal(config.viewerToken, 'viewer');
    assert.equal(config.privacySalt, 'sixteen letters!');
    assert.deepEqual(config.webhookSecrets, [secret]);
  });

  test('and the variable without _FILE wins over it', async () => {
    await using folder = await temporaryFolder();
    const files = await writeFiles(folder.path, { ADMIN_TOKEN: 'from-the-file' });

    assert.equal(loadConfig({ ...files, ADMIN_TOKEN: 'from-the-variable' }).adminToken, 'from-the-variable');
    assert.equal(loadConfig({ ...files, ADMIN_TOKEN: '' }).adminToken, 'from-the-file');
  });

  test('and a file that cannot be read is a fault that names variable and path', () => {
    const [fault, ...others] = faultsOf({ FUSIONAUTH_WEBHOOK_SECRET_FILE: '/not/there' });

    assert.deepEqual(others, []);
    assert.match(fault ?? '', /^FUSIONAUTH_WEBHOOK_SECRET_FILE="\/not\/there" cannot be read: ENOENT/);
  });

  for (const name of [
    'FUSIONAUTH_WEBHOOK_SECRET',
    'ADMIN_TOKEN',
    'SEGMENT_WRITE_KEY',
    'PRIVACY_SALT',
  ] as const) {
    for (const [kind, text] of [
      ['nothing', ''],
      ['only a line end', '\n'],
    ] as const) {
      test(`and a file for ${name} with ${kind} in it is a fault, not a setting that is off`, async () => {
        await using folder = await temporaryFolder();
        const files = await writeFiles(folder.path, { [name]: text });

        const faults = faultsOf(files);

        assert.deepEqual(namesIn(faults), [`${name}_FILE`]);
      });
    }
  }

  test('and a setting that is no secret cannot', async () => {
    await using folder = await temporaryFolder();
    const files = await writeFiles(folder.path, { PORT: '4000' });

    assert.equal(loadConfig(files).port, 3000);
  });

  async function writeFiles(
    directory: string,
    texts: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>> {
    const files: Record<string, string> = {};
    for (const [name, text] of Object.entries(texts)) {
      const file = join(directory, name);
      await writeFile(file, text);
      files[`${name}_FILE`] = file;
    }
    return files;
  }
});

describe('webhook secrets', () => {
  const [first, second] = ['first-secret', 'second-secret'] as const;
  const cases: [name: string, value: string, expected: string[]][] = [
    ['may be one', first, [first]],
    ['may be one with spaces inside', 'a secret of words', ['a secret of words']],
    ['may be several on lines', `${first}\n${second}`, [first, second]],
    [
      'may be several on lines of Windows, blank ones among them',
      `\r\n${first}\r\n\r\n${second}\r\n`,
      [first, second],
    ],
    [
      'may be several between commas, and the whole is one as well',
      `${first},${second}`,
      [first, second, `${first},${second}`],
    ],
    [
      'may have spaces and nothing around their commas',
      ` ${first} , ${second},`,
      [first, second, `${first} , ${second},`],
    ],
    [
      'may be one with commas, where its parts are too short to be secrets',
      'short,parts,kept',
      ['short,parts,kept'],
    ],
    ['may be one with a comma on a line beside another', `one,two\n${second}`, ['one,two', second]],
  ];
  for (const [name, value, expected] of cases) {
    test(name, () => {
      assert.deepEqual(loadConfig({ FUSIONAUTH_WEBHOOK_SECRET: value }).webhookSecrets, expected);
    });
  }

  test('with a comma can stand on a line of a file', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'secrets');
    await writeFile(file, `a,b,c,d\n${second}\n`);

    const { webhookSecrets } = loadConfig({ FUSIONAUTH_WEBHOOK_SECRET_FILE: file });

    assert.deepEqual(webhookSecrets, ['a,b,c,d', second]);
  });
});

describe('an address that other machines reach', () => {
  test('is refused where nothing says how webhooks are signed, and the fault says what to do', () => {
    const [fault, ...others] = faultsOf({ HOST: '0.0.0.0' });

    assert.deepEqual(others, []);
    assert.match(fault ?? '', /^HOST="0\.0\.0\.0" can be reached from other machines/);
    for (const name of ['FUSIONAUTH_WEBHOOK_SECRET', 'FUSIONAUTH_URL', 'FUSIONAUTH_ALLOW_UNSIGNED=true']) {
      assert.ok(fault?.includes(name), name);
    }
  });

  const signed: [name: string, environment: Environment][] = [
    ['a secret is set', { FUSIONAUTH_WEBHOOK_SECRET: secret }],
    ['FusionAuth’s address is set', { FUSIONAUTH_URL: 'https://auth.example.com' }],
    ['unsigned webhooks are accepted', { FUSIONAUTH_ALLOW_UNSIGNED: 'true' }],
  ];
  for (const [name, environment] of signed) {
    test(`is taken where ${name}`, () => {
      assert.equal(loadConfig({ HOST: '0.0.0.0', ...environment }).host, '0.0.0.0');
    });
  }
});

describe('an unsigned webhook', () => {
  const url = 'https://auth.example.com';
  const cases: [expected: boolean, name: string, environment: Environment][] = [
    [false, 'nothing is set', {}],
    [false, 'unsigned ones are accepted', { FUSIONAUTH_ALLOW_UNSIGNED: 'true' }],
    [true, 'a secret is set', { FUSIONAUTH_WEBHOOK_SECRET: secret }],
    [true, 'FusionAuth’s address is set', { FUSIONAUTH_URL: url }],
    [
      false,
      'FusionAuth’s address is set and unsigned ones are accepted',
      { FUSIONAUTH_URL: url, FUSIONAUTH_ALLOW_UNSIGNED: 'true' },
    ],
    [
      true,
      'a secret is set, even if unsigned ones are accepted',
      { FUSIONAUTH_WEBHOOK_SECRET: secret, FUSIONAUTH_ALLOW_UNSIGNED: 'true' },
    ],
    [true, 'both are set', { FUSIONAUTH_WEBHOOK_SECRET: secret, FUSIONAUTH_URL: url }],
    [
      true,
      'both are set, even if unsigned ones are accepted',
      { FUSIONAUTH_WEBHOOK_SECRET: secret, FUSIONAUTH_URL: url, FUSIONAUTH_ALLOW_UNSIGNED: 'true' },
    ],
  ];
  for (const [expected, name, environment] of cases) {
    test(`is ${expected ? 'refused' : 'taken'} where ${name}`, () => {
      assert.equal(requiresSignature(loadConfig(environment)), expected);
    });
  }
});

describe('an address', () => {
  const local = ['localhost', '127.0.0.1', '127.0.1.1', '127.255.255.254', '::1'];
  const reachable = [
    ...['0.0.0.0', '::', '10.0.0.1', '192.168.1.127', '128.0.0.1', 'example.com', '169.254.1.1', 'fe80::1'],
    ...['127.0.0.1.example.com', 'x127.0.0.1', 'localhost.example.com', '127.0.0.1\n0.0.0.0', ''],
  ];
  for (const [expected, hosts] of [
    [true, local],
    [false, reachable],
  ] as const) {
    for (const host of hosts) {
      test(`${JSON.stringify(host)} is ${expected ? '' : 'not '}known to be of this machine alone`, () => {
        assert.equal(isLoopback(host), expected);
      });
    }
  }
});

describe('the file .env', () => {
  test('gives what the process’s environment does not', async () => {
    await using dotEnv = await writeDotEnv(
      'PORT=4000\nLOG_LEVEL="debug" # while we look\n\n# HOST=0.0.0.0\n',
    );

    const environment = readEnvironment({ PORT: '5000', PATH: '/bin' }, dotEnv.file);

    assert.deepEqual(environment, { PORT: '5000', PATH: '/bin', LOG_LEVEL: 'debug' });
  });

  test('gives what is empty in the process’s environment', async () => {
    await using dotEnv = await writeDotEnv('PORT=4000\n');

    assert.equal(readEnvironment({ PORT: '' }, dotEnv.file)['PORT'], '4000');
  });

  test('can hold several secrets on lines', async () => {
    await using dotEnv = await writeDotEnv('FUSIONAUTH_WEBHOOK_SECRET="first-secret\nsecond-secret"\n');

    const { webhookSecrets } = loadConfig(readEnvironment({}, dotEnv.file));

    assert.deepEqual(webhookSecrets, ['first-secret', 'second-secret']);
  });

  test('may be missing', async () => {
    await using folder = await temporaryFolder();

    const environment = readEnvironment({ PORT: '5000' }, join(folder.path, '.env'));

    assert.deepEqual(environment, { PORT: '5000' });
  });

  test('is a fault where it cannot be read', async () => {
    await using folder = await temporaryFolder();

    assert.throws(
      () => readEnvironment({}, folder.path),
      (error) =>
        error instanceof ConfigError && error.message.startsWith(`${folder.path} cannot be read: EISDIR`),
    );
  });

  test('never wins over a secret that the process was given as a file', async () => {
    await using dotEnv = await writeDotEnv('ADMIN_TOKEN=for-development\n');
    const file = join(dotEnv.path, 'token');
    await writeFile(file, 'of-the-process');

    const { adminToken } = loadConfig(readEnvironment({ ADMIN_TOKEN_FILE: file }, dotEnv.file));

    assert.equal(adminToken, 'of-the-process');
  });

  async function writeDotEnv(text: string) {
    const folder = await temporaryFolder();
    const file = join(folder.path, '.env');
    await writeFile(file, text);
    return { ...folder, file };
  }
});

function errorOf(environment: Environment): ConfigError {
  try {
    loadConfig(environment);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error;
  }
  return assert.fail('The configuration is taken as right');
}

/** The lines of the fault; each must be one line. */
function faultsOf(environment: Environment): readonly string[] {
  const { faults } = errorOf(environment);
  for (const fault of faults) assert.doesNotMatch(fault, /[\r\n]/, 'a fault is told on one line');
  return faults;
}

/** The variables that the faults begin with. */
function namesIn(faults: readonly string[]): string[] {
  return faults.map((fault) => /^[A-Z_]+/.exec(fault)?.[0] ?? '');
}
