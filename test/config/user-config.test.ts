import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { destinationType, findUserConfigFaults } from '../../src/config/user-config.ts';
import type { UserConfig } from '../../src/config/user-config.ts';
import { defineConfig } from '../../src/define-config.ts';

const tenant = 'd7d09513-a3f5-401c-9685-34ab6c552453';

/** The example of the documentation, where these variables are set. */
function documented(environment: Readonly<Record<string, string | undefined>>): UserConfig {
  return defineConfig({
    events: { include: ['user.*'], exclude: ['user.login.failed'] },
    naming: 'fusionauth',
    privacy: { 'traits.email': 'hash', 'context.ip': 'truncate', 'traits.data.*': 'drop' },
    destinations: {
      segment: { writeKey: environment['SEGMENT_WRITE_KEY'], region: 'eu' },
      acme: { type: 'segment', writeKey: environment['ACME_KEY'], events: { tenants: [tenant] } },
      warehouse: { type: 'postgres', url: environment['WAREHOUSE_URL'] },
    },
    map: (_event, messages) => messages,
  });
}

describe('there is nothing wrong with', () => {
  const right: [name: string, config: unknown][] = [
    ['an empty configuration', {}],
    ['the documented one, its variables not set', documented({})],
    [
      'the documented one, its variables empty',
      documented({ SEGMENT_WRITE_KEY: '', ACME_KEY: '', WAREHOUSE_URL: '' }),
    ],
    [
      'the documented one, its variables set',
      documented({ SEGMENT_WRITE_KEY: 'k', ACME_KEY: 'a', WAREHOUSE_URL: 'postgres://db' }),
    ],
    [
      'keys that are undefined',
      {
        events: undefined,
        naming: undefined,
        privacy: undefined,
        anonymousId: undefined,
        groupId: undefined,
        destinations: undefined,
        map: undefined,
      },
    ],
    [
      'everything that an event filter knows',
      {
        events: {
          include: ['user.*', '*.complete', 'jwt.refresh'],
          exclude: ['user.login.*'],
          tenants: [tenant],
          applications: [tenant],
          filter: () => true,
        },
      },
    ],
    [
      'an event filter of which nothing is set',
      {
        events: {
          include: undefined,
          exclude: undefined,
          tenants: undefined,
          applications: undefined,
          filter: undefined,
        },
      },
    ],
    ['both spellings of a type', { events: { include: ['user.two-factor.failed-attempt'] } }],
    ['the names of Segment', { naming: 'segment' }],
    ['the place of the visitor’s id', { anonymousId: 'info.data.visitor' }],
    ['a group of the tenant', { groupId: 'tenant' }],
    ['a group of the application', { groupId: 'application' }],
    [
      'all privacy actions and wildcards',
      {
        privacy: {
          'traits.email': 'hash',
          'context.ip': 'truncate',
          'properties.**.phone': 'mask',
          '*.data.*': 'drop',
          '**': 'keep',
        },
      },
    ],
    ['destinations that are off', { destinations: { segment: false, warehouse: false, acme: false } }],
    [
      'destinations of variables that are not set',
      {
        destinations: {
          segment: { writeKey: undefined, region: undefined, endpoint: undefined },
          warehouse: { url: undefined, schema: undefined, port: undefined },
        },
      },
    ],
    [
      'destinations of variables that are empty',
      {
        destinations: {
          segment: { writeKey: '', region: '', endpoint: '' },
          acme: { type: 'segment', writeKey: '' },
          warehouse: { url: '', schema: '' },
        },
      },
    ],
    [
      'destinations with a policy and a filter of their own',
      {
        destinations: {
          segment: { privacy: { 'traits.email': 'drop' }, events: { exclude: ['user.delete'] } },
          warehouse: { privacy: { 'traits.email': 'keep' }, events: { filter: () => true } },
        },
      },
    ],
    [
      'any number of warehouses',
      {
        destinations: {
          one: { type: 'postgres', url: 'postgres://db', schema: 'one' },
          two: { type: 'postgres', url: 'postgres://db', schema: 'two' },
        },
      },
    ],
    ['the shortest name', { destinations: { a: { type: 'segment' } } }],
    ['the longest name', { destinations: { 'a-24_letter-name-is-fine': { type: 'segment' } } }],
  ];
  for (const [name, config] of right) {
    test(name, () => assert.deepEqual(findUserConfigFaults(config), []));
  }
});

describe('a fault is told at its path, and says what to do:', () => {
  const filter = 'must be an object: { include: […], exclude: […], tenants: […], applications: […], filter }';
  const typeOrPattern = 'must be an event type or a pattern such as user.*';
  const actions = 'must be keep or drop or hash or truncate or mask';
  const knownInSegment = 'known are type, writeKey, region, endpoint, eventsPerSecond, events, privacy';
  const knownInPostgres = 'known are type, url, schema, port, events, privacy';
  const port = 'must be a port from 1 to 65535';
  const notAsync = 'must not be async, nor a generator: what it returns is used at once';
  const badName = 'is no name: small letters, digits, _ and -, a letter first, 24 characters at most';
  const needsType = "needs type: 'segment' or type: 'postgres'";

  const wrong: [name: string, config: unknown, path: (string | number)[], fault: string][] = [
    ['a configuration that is none', 'user.*', [], 'must be an object'],
    [
      'a key that is not known',
      { event: {} },
      ['event'],
      'is not known; known are events, naming, privacy, anonymousId, groupId, destinations, map',
    ],

    ['events in a list', { events: ['user.*'] }, ['events'], filter],
    ['events as null', { events: null }, ['events'], filter],
    [
      'a key of events that is not known',
      { events: { types: [] } },
      ['events', 'types'],
      'is not known; known are include, exclude, tenants, applications, filter',
    ],
    [
      'one type without a list',
      { events: { include: 'user.*' } },
      ['events', 'include'],
      "must be a list: ['…']",
    ],
    [
      'a type that is no text',
      { events: { include: ['user.*', 1] } },
      ['events', 'include', 1],
      typeOrPattern,
    ],
    ['a type that is empty', { events: { exclude: [''] } }, ['events', 'exclude', 0], typeOrPattern],
    [
      'a type that FusionAuth does not send',
      { events: { include: ['user.create', 'user.logn'] } },
      ['events', 'include', 1],
      '"user.logn" is no event type of FusionAuth’s; `events` prints them all',
    ],
    [
      'a type in capitals',
      { events: { exclude: ['User.Create'] } },
      ['events', 'exclude', 0],
      '"User.Create" is no event type of FusionAuth’s; `events` prints them all',
    ],
    [
      'a pattern that fits no type',
      { events: { include: ['users.*'] } },
      ['events', 'include', 0],
      '"users.*" matches no event type of FusionAuth’s; `events` prints them all',
    ],
    [
      'a pattern of regular expressions',
      { events: { include: ['user.(create|update).*'] } },
      ['events', 'include', 0],
      '"user.(create|update).*" matches no event type of FusionAuth’s; `events` prints them all',
    ],
    [
      'one tenant without a list',
      { events: { tenants: tenant } },
      ['events', 'tenants'],
      "must be a list: ['…']",
    ],
    [
      'a tenant of a variable that is not set',
      { events: { tenants: [undefined] } },
      ['events', 'tenants', 0],
      'must be the id of a tenant',
    ],
    [
      'an application of a variable that is empty',
      { events: { applications: [''] } },
      ['events', 'applications', 0],
      'must be the id of an application',
    ],
    ['a filter that is no function', { events: { filter: 'x' } }, ['events', 'filter'], 'must be a function'],

    ['names of nobody', { naming: 'Segment' }, ['naming'], 'must be fusionauth or segment'],
    [
      'a path that is none',
      { anonymousId: ['a'] },
      ['anonymousId'],
      'must be a path such as info.data.anonymousId',
    ],
    ['a path that is empty', { anonymousId: '' }, ['anonymousId'], 'must not be empty'],
    ['a group of nothing', { groupId: 'user' }, ['groupId'], 'must be tenant or application'],
    ['a map that is no function', { map: 'map.ts' }, ['map'], 'must be a function'],
    ['a map that is async', { map: async () => Promise.resolve([]) }, ['map'], notAsync],
    [
      'a map that is a generator',
      {
        map: function* () {
          yield 1;
        },
      },
      ['map'],
      notAsync,
    ],
    [
      'a filter that is async',
      { events: { filter: async () => Promise.resolve(true) } },
      ['events', 'filter'],
      notAsync,
    ],

    [
      'privacy in a list',
      { privacy: ['traits.email'] },
      ['privacy'],
      "must be an object: { 'traits.email': 'hash' }",
    ],
    ['an action that is none', { privacy: { 'traits.email': 'hsh' } }, ['privacy', 'traits.email'], actions],
    [
      'an action that is not set',
      { privacy: { 'traits.email': undefined } },
      ['privacy', 'traits.email'],
      actions,
    ],
    [
      'a path without its part',
      { privacy: { email: 'hash' } },
      ['privacy', 'email'],
      'must begin with traits, properties, context, integrations or a wildcard for them',
    ],
    [
      'a path with a gap',
      { privacy: { 'traits..email': 'drop' } },
      ['privacy', 'traits..email'],
      'has an empty segment',
    ],
    [
      'a path with a place in a list',
      { privacy: { 'traits.registrations[0].id': 'drop' } },
      ['privacy', 'traits.registrations[0].id'],
      'has an index: a pattern goes into every element of a list by itself',
    ],
    [
      'a path with ** inside of a segment',
      { privacy: { 'traits.a**': 'drop' } },
      ['privacy', 'traits.a**'],
      'has ** beside other characters: it stands for whole segments, * for characters',
    ],

    [
      'destinations in a list',
      { destinations: [{ type: 'segment' }] },
      ['destinations'],
      'must be an object: { segment: { writeKey: … } }',
    ],
    [
      'a name in capitals',
      { destinations: { Acme: { type: 'segment' } } },
      ['destinations', 'Acme'],
      badName,
    ],
    [
      'a name with a digit first',
      { destinations: { '2nd': { type: 'segment' } } },
      ['destinations', '2nd'],
      badName,
    ],
    ['a name with a dot', { destinations: { 'a.b': { type: 'segment' } } }, ['destinations', 'a.b'], badName],
    ['a name that is empty', { destinations: { '': { type: 'segment' } } }, ['destinations', ''], badName],
    [
      'a name of 25 characters',
      { destinations: { ['a'.repeat(25)]: { type: 'segment' } } },
      ['destinations', 'a'.repeat(25)],
      badName,
    ],
    [
      'a destination that is true',
      { destinations: { segment: true } },
      ['destinations', 'segment'],
      'must be an object, or false',
    ],
    [
      'a destination that is null',
      { destinations: { acme: null } },
      ['destinations', 'acme'],
      'must be an object, or false',
    ],
    [
      'a destination in a list',
      { destinations: { acme: [] } },
      ['destinations', 'acme'],
      'must be an object, or false',
    ],
    [
      'a destination without type',
      { destinations: { acme: { writeKey: 'k' } } },
      ['destinations', 'acme'],
      needsType,
    ],
    [
      'a destination of a type that is not known',
      { destinations: { acme: { type: 'kafka' } } },
      ['destinations', 'acme'],
      needsType,
    ],
    [
      'a destination that is called like what all objects have',
      { destinations: { constructor: {} } },
      ['destinations', 'constructor'],
      needsType,
    ],
    [
      'a segment of another type',
      { destinations: { segment: { type: 'postgres', url: 'postgres://db' } } },
      ['destinations', 'segment', 'type'],
      "must be 'segment', which has variables of its own: give a destination of type 'postgres' another name",
    ],
    [
      'a warehouse of another type',
      { destinations: { warehouse: { type: 'segment', writeKey: 'k' } } },
      ['destinations', 'warehouse', 'type'],
      "must be 'postgres', which has variables of its own: give a destination of type 'segment' another name",
    ],
    [
      'a postgres with the url of another database',
      { destinations: { acme: { type: 'postgres', url: 'mysql://user:hunter2@db' } } },
      ['destinations', 'acme', 'url'],
      'must be a postgresql:// URL, odd characters of user and password percent-encoded, or host=… dbname=…, or off: it begins with neither postgresql:// nor a keyword such as host=',
    ],
    [
      'a schema in capitals',
      { destinations: { warehouse: { schema: 'Fusion' } } },
      ['destinations', 'warehouse', 'schema'],
      'must be small letters, digits and underscores, 63 at most, not beginning with a digit or pg_',
    ],
    [
      'a port as text',
      { destinations: { warehouse: { port: '5433' } } },
      ['destinations', 'warehouse', 'port'],
      port,
    ],
    [
      'a port that is none',
      { destinations: { warehouse: { port: 0 } } },
      ['destinations', 'warehouse', 'port'],
      port,
    ],
    [
      'a port that is no number',
      { destinations: { warehouse: { port: NaN } } },
      ['destinations', 'warehouse', 'port'],
      port,
    ],
    [
      'a write key with a space',
      { destinations: { segment: { writeKey: 'hunter2 hunter2' } } },
      ['destinations', 'segment', 'writeKey'],
      'must be a write key, without spaces',
    ],
    [
      'a write key that is no text',
      { destinations: { segment: { writeKey: null } } },
      ['destinations', 'segment', 'writeKey'],
      'must be a write key, without spaces',
    ],
    [
      'a region that is none',
      { destinations: { segment: { region: 'EU' } } },
      ['destinations', 'segment', 'region'],
      'must be us or eu',
    ],
    [
      'an endpoint that is no URL',
      { destinations: { segment: { endpoint: 'api.segment.io' } } },
      ['destinations', 'segment', 'endpoint'],
      'must be an http or https URL without user and password',
    ],
    [
      'a key that Segment does not have',
      { destinations: { segment: { url: 'postgres://db' } } },
      ['destinations', 'segment', 'url'],
      `is not known; ${knownInSegment}`,
    ],
    [
      'a key that a warehouse does not have',
      { destinations: { warehouse: { writeKey: 'k' } } },
      ['destinations', 'warehouse', 'writeKey'],
      `is not known; ${knownInPostgres}`,
    ],
    [
      'a type in the filter of a destination',
      { destinations: { acme: { type: 'segment', events: { include: ['user.logn'] } } } },
      ['destinations', 'acme', 'events', 'include', 0],
      '"user.logn" is no event type of FusionAuth’s; `events` prints them all',
    ],
    [
      'a path in the policy of a destination',
      { destinations: { segment: { privacy: { email: 'drop' } } } },
      ['destinations', 'segment', 'privacy', 'email'],
      'must begin with traits, properties, context, integrations or a wildcard for them',
    ],
  ];
  for (const [name, config, path, fault] of wrong) {
    test(name, () => {
      assert.deepEqual(findUserConfigFaults(config), [{ path, fault }]);
    });
  }

  test('a value stands in none of them', () => {
    const faults = findUserConfigFaults({
      destinations: {
        segment: { writeKey: 'hunter2 hunter2', region: 'hunter2', endpoint: 'hunter2' },
        warehouse: { url: 'mysql://hunter2@db', schema: 'HUNTER2' },
      },
    });

    assert.equal(faults.length, 5);
    assert.doesNotMatch(JSON.stringify(faults), /hunter2/i);
  });

  test('all of them are told at once', () => {
    const faults = findUserConfigFaults({
      naming: 'mine',
      filters: {},
      events: { include: ['user.logn'], exclude: 'user.create' },
      privacy: { email: 'hash', 'traits.email': 'shred' },
      destinations: {
        Acme: { type: 'segment' },
        other: { type: 'postgres', schema: 'Other', events: { include: ['user.logn'] } },
        segment: { region: 'de', privacy: { email: 'hash' } },
      },
    });

    assert.deepEqual(faults.map(({ path }) => path.join('/')).sort(), [
      'destinations/Acme',
      'destinations/other/events/include/0',
      'destinations/other/schema',
      'destinations/segment/privacy/email',
      'destinations/segment/region',
      'events/exclude',
      'events/include/0',
      'filters',
      'naming',
      'privacy/email',
      'privacy/traits.email',
    ]);
  });
});

describe('where there is a map', () => {
  const map = () => [];

  test('types that are not known may be named: it may make something of them', () => {
    assert.deepEqual(
      findUserConfigFaults({
        events: { include: ['user.new-in-1.99', 'passkey.*'] },
        destinations: { segment: { events: { exclude: ['user.new-in-1.99'] } } },
        map,
      }),
      [],
    );
  });

  test('all else is still a fault', () => {
    assert.deepEqual(
      findUserConfigFaults({ events: { include: [''] }, privacy: { email: 'hash' }, map }).map(
        ({ path }) => path,
      ),
      [
        ['events', 'include', 0],
        ['privacy', 'email'],
      ],
    );
  });
});

test('segment and warehouse have a type without a word, others have the one that they say', () => {
  assert.equal(destinationType('segment', {}), 'segment');
  assert.equal(destinationType('warehouse', {}), 'postgres');
  assert.equal(destinationType('acme', {}), undefined);
  assert.equal(destinationType('constructor', {}), undefined);
  assert.equal(destinationType('acme', { type: 'postgres' }), 'postgres');
});
