import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import type { Config, Environment } from '../../src/config/config.ts';
import { warehouseOf } from '../../src/config/destinations.ts';
import { defineConfig } from '../../src/define-config.ts';
import type { UserConfig } from '../../src/config/user-config.ts';

function configOf(destinations: UserConfig['destinations'], environment: Environment = {}): Config {
  return loadConfig(environment, { path: '/etc/bridge.ts', config: defineConfig({ destinations }) });
}

const namesOf = ({ destinations }: Config) => destinations.map(({ name }) => name);

test('destinations stand in one order, whatever the file’s: warehouse, segment, the file’s others', () => {
  const config = configOf({
    zeta: { type: 'segment', writeKey: 'z' },
    segment: { writeKey: 's' },
    alpha: { type: 'postgres', url: 'postgres://db' },
    warehouse: {},
  });

  assert.deepEqual(namesOf(config), ['warehouse', 'segment', 'zeta', 'alpha']);
});

test('a Segment source is at its region’s endpoint, or at the one that it names', () => {
  const { destinations } = configOf(
    {
      us: { type: 'segment', writeKey: 'k' },
      eu: { type: 'segment', writeKey: 'k', region: 'eu' },
      own: { type: 'segment', writeKey: 'k', region: 'eu', endpoint: 'http://127.0.0.1:9/v1' },
      empty: { type: 'segment', writeKey: 'k', region: '' as 'eu', endpoint: '' },
    },
    { WAREHOUSE_URL: 'off', SEGMENT_REGION: 'eu', SEGMENT_ENDPOINT: 'http://127.0.0.1:9' },
  );

  assert.deepEqual(
    destinations.map((destination) => destination.kind === 'segment' && destination.endpoint),
    [
      'https://api.segment.io',
      'https://events.eu1.segmentapis.com',
      'http://127.0.0.1:9/v1',
      'https://api.segment.io',
    ],
  );
});

test('a second warehouse has the default schema where it names none', () => {
  const { destinations } = configOf({ copy: { type: 'postgres', url: 'postgres://db', schema: '' } });

  assert.partialDeepStrictEqual(destinations, [
    { name: 'warehouse', kind: 'embedded' },
    { name: 'copy', kind: 'external', connectionString: 'postgres://db', schema: 'fusionauth' },
  ]);
});

test('filter and policy come with their destination', () => {
  const events = { include: ['user.*'] };
  const privacy = { 'traits.email': 'hash' } as const;
  const { destinations } = configOf(
    {
      segment: { events, privacy },
      warehouse: { events },
      acme: { type: 'segment', writeKey: 'k', privacy },
      copy: { type: 'postgres', url: 'postgres://db', events, privacy },
    },
    { SEGMENT_WRITE_KEY: 'k' },
  );

  assert.deepEqual(
    destinations.map(({ name, events, privacy }) => [name, events, privacy]),
    [
      ['warehouse', events, undefined],
      ['segment', events, privacy],
      ['acme', undefined, privacy],
      ['copy', events, privacy],
    ],
  );
});

describe('a destination is off', () => {
  const cases: [name: string, destinations: UserConfig['destinations'], on: string[], off: string[]][] = [
    ['where the file turns it off', { warehouse: false, segment: false, acme: false }, [], []],
    [
      'where it has no write key, and then it is told of',
      { segment: {}, acme: { type: 'segment', writeKey: '' } },
      ['warehouse'],
      ['segment', 'acme'],
    ],
    ['where nobody names it, and then nobody is told', {}, ['warehouse'], []],
    ['where its url is off', { warehouse: { url: 'off' }, copy: { type: 'postgres', url: 'off' } }, [], []],
  ];
  for (const [name, destinations, on, off] of cases) {
    test(name, () => {
      const config = configOf(destinations);

      assert.deepEqual(namesOf(config), on);
      assert.deepEqual(
        config.destinationsOff.map(({ name }) => name),
        off,
      );
    });
  }
});

describe('two warehouses', () => {
  const url = 'postgres://db/x';

  test('may share a server, each with a schema of its own', () => {
    const config = configOf({ warehouse: { url }, copy: { type: 'postgres', url, schema: 'copy' } });

    assert.deepEqual(namesOf(config), ['warehouse', 'copy']);
  });

  const refused: [name: string, destinations: UserConfig['destinations'], environment: Environment][] = [
    ['in the file', { warehouse: { url }, copy: { type: 'postgres', url } }, {}],
    ['in the file and a variable', { copy: { type: 'postgres', url } }, { WAREHOUSE_URL: url }],
    [
      'with the same schema by their names',
      { warehouse: { url, schema: 'other' }, copy: { type: 'postgres', url, schema: 'other' } },
      {},
    ],
  ];
  for (const [name, destinations, environment] of refused) {
    test(`may not share a schema: ${name}`, () => {
      assert.throws(
        () => configOf(destinations, environment),
        (error) => {
          assert.ok(error instanceof ConfigError);
          assert.deepEqual(error.faults, [
            'The destinations warehouse and copy have the same url and schema: give one of them a schema of its own',
          ]);
          return true;
        },
      );
    });
  }

  test('are told apart by name: the commands’ warehouse is the one called so', () => {
    const both = configOf({ copy: { type: 'postgres', url } });
    const one = configOf({ warehouse: false, copy: { type: 'postgres', url } });

    assert.equal(warehouseOf(both.destinations)?.kind, 'embedded');
    assert.equal(warehouseOf(one.destinations), undefined);
  });
});
