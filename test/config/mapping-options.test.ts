import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadConfig } from '../../src/config/config.ts';
import type { Config } from '../../src/config/config.ts';
import { mappingOptionsOf, usesHash } from '../../src/config/mapping-options.ts';
import type { UserConfig } from '../../src/config/user-config.ts';
import { sampleEvent } from '../../src/fusionauth/samples.ts';
import { createMapping } from '../../src/mapping/map.ts';
import { defaultPolicy } from '../../src/mapping/privacy.ts';
import type { Message } from '../../src/segment/message.ts';
import { version } from '../../src/version.ts';

const salt = 'a salt of many letters';
const eventId = 'f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e';
const userId = 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0';

function configOf(config: UserConfig): Config {
  return loadConfig({ SEGMENT_WRITE_KEY: 'k' }, { path: '/etc/bridge.ts', config });
}

/** Of the destination of this name; without one, of all. */
function optionsOf(config: Config, name?: string) {
  const destination = config.destinations.find((one) => one.name === name);
  assert.equal(destination?.name, name);
  return mappingOptionsOf(config, salt, destination);
}

/** What a new user becomes there. */
function messagesOf(config: Config, name?: string): readonly Message[] {
  const event = sampleEvent('user.create.complete', { eventId, userId, createInstant: 1_767_225_600_000 });
  const messages = [...createMapping(optionsOf(config, name))(JSON.stringify(event))];
  return messages.map((message) => {
    assert.ok(message.type !== 'failure');
    return message;
  });
}

test('without a configuration file they are the defaults', () => {
  assert.deepEqual(mappingOptionsOf(loadConfig({}), salt), {
    library: { name: 'fusionauth-segment', version },
    filters: [],
    privacy: { policies: [defaultPolicy], salt },
    idSuffix: '',
  });
});

test('what holds for all destinations comes first, what holds for one last', () => {
  const map = () => [];
  const ofAll = { include: ['user.*'] };
  const ofOne = { tenants: ['t'] };
  const config = configOf({
    events: ofAll,
    naming: 'segment',
    anonymousId: 'info.data.visitor',
    groupId: 'tenant',
    privacy: { 'traits.email': 'hash' },
    map,
    destinations: { segment: { events: ofOne, privacy: { 'traits.email': 'keep' } } },
  });

  const shared = {
    naming: 'segment',
    anonymousId: 'info.data.visitor',
    groupId: 'tenant',
    map,
    library: { name: 'fusionauth-segment', version },
    idSuffix: '',
  };
  assert.deepEqual(optionsOf(config, 'segment'), {
    ...shared,
    filters: [ofAll, ofOne],
    privacy: { policies: [defaultPolicy, { 'traits.email': 'hash' }, { 'traits.email': 'keep' }], salt },
  });
  for (const name of ['warehouse', undefined]) {
    assert.deepEqual(optionsOf(config, name), {
      ...shared,
      filters: [ofAll],
      privacy: { policies: [defaultPolicy, { 'traits.email': 'hash' }], salt },
    });
  }
});

describe('the ids of messages', () => {
  const config = configOf({
    destinations: {
      acme: { type: 'segment', writeKey: 'a' },
      copy: { type: 'postgres', url: 'postgres://db' },
      made: { type: 'segment', writeKey: 'm' },
    },
    // One of its own, one that it passes on.
    map: (event, messages) => [
      ...messages,
      { type: 'track', userId, event: `Copied ${event.type}`, properties: {} },
    ],
  });
  const idsOf = (name?: string) => messagesOf(config, name).map(({ messageId }) => messageId);
  const plain = [
    `fusionauth-${eventId}-identify`,
    `fusionauth-${eventId}-track`,
    `fusionauth-${eventId}-map-2`,
  ];

  for (const name of ['segment', 'warehouse', undefined]) {
    test(`have no suffix ${name === undefined ? 'without a destination' : `at ${name}`}`, () => {
      assert.deepEqual(idsOf(name), plain);
    });
  }

  for (const name of ['acme', 'copy', 'made']) {
    test(`end with the name at ${name}, those of the user’s own messages too`, () => {
      assert.deepEqual(
        idsOf(name),
        plain.map((id) => `${id}-${name}`),
      );
    });
  }
});

describe('a policy of one destination', () => {
  const config = configOf({
    privacy: { 'traits.email': 'hash', 'traits.firstName': 'drop', 'traits.*': 'keep' },
    destinations: {
      segment: { privacy: { 'traits.email': 'keep' } },
      acme: { type: 'segment', writeKey: 'a', privacy: { 'traits.email': 'drop' } },
    },
  });
  const traitsOf = (name: string) => {
    const identify = messagesOf(config, name).find(({ type }) => type === 'identify');
    return identify?.type === 'identify' ? identify.traits : {};
  };

  test('counts over that of all, there and nowhere else', () => {
    assert.match(traitsOf('warehouse')['email'] as string, /^[0-9a-f]{64}$/);
    assert.equal(traitsOf('segment')['email'], `richard.${userId.slice(0, 8)}@example.com`);
    assert.equal('email' in traitsOf('acme'), false);
  });

  test('leaves what that of all says of other paths', () => {
    for (const name of ['warehouse', 'segment', 'acme']) {
      assert.equal('firstName' in traitsOf(name), false);
      assert.equal(traitsOf(name)['lastName'], 'Hendricks');
    }
  });
});

describe('a salt', () => {
  const cases: [isNeeded: boolean, name: string, config: UserConfig][] = [
    [false, 'nothing is said of privacy', {}],
    [false, 'nothing is hashed', { privacy: { 'traits.email': 'drop', 'context.ip': 'truncate' } }],
    [true, 'all destinations hash', { privacy: { 'context.ip': 'drop', 'traits.email': 'hash' } }],
    [true, 'one destination hashes', { destinations: { segment: { privacy: { 'traits.email': 'hash' } } } }],
    [
      false,
      'one would hash that is off',
      { destinations: { acme: { type: 'segment', privacy: { 'traits.email': 'hash' } } } },
    ],
  ];
  for (const [isNeeded, name, config] of cases) {
    test(`is ${isNeeded ? '' : 'not '}needed where ${name}`, () => {
      assert.equal(usesHash(configOf(config)), isNeeded);
    });
  }
});
