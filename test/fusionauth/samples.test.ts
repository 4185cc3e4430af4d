import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { catalogue, entryOf, eventTypes } from '../../src/fusionauth/catalogue.ts';
import { parseWebhookBody } from '../../src/fusionauth/event.ts';
import type { JsonObject } from '../../src/fusionauth/event.ts';
import { isAtLeast, sampleEvent } from '../../src/fusionauth/samples.ts';

const identity = {
  eventId: 'f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e',
  userId: 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0',
  createInstant: 1_767_225_600_000,
};
const ofInstance = ['audit-log.create', 'event-log.create', 'kickstart.success', 'test'];

for (const type of eventTypes) {
  test(`the sample of ${type} is the same for the same identity, and another for another`, () => {
    const first = JSON.stringify(sampleEvent(type, identity));
    const second = JSON.stringify(sampleEvent(type, { ...identity }));
    const other = JSON.stringify(sampleEvent(type, { ...identity, eventId: 'another-event' }));

    assert.equal(second, first);
    assert.notEqual(other, first);
  });

  test(`the sample of ${type} is an event, of its type and identity, without a secret`, () => {
    const sample = sampleEvent(type, identity);

    const event = parseWebhookBody(Buffer.from(JSON.stringify({ event: sample })));

    assert.deepEqual(event, sample);
    assert.equal(event.type, type);
    assert.equal(event.id, identity.eventId);
    assert.equal(event.createInstant, identity.createInstant);
  });

  test(`the sample of ${type} has a tenant and says where it came from, unless it is of the whole instance`, () => {
    const { tenantId, info } = sampleEvent(type, identity);

    // FusionAuth tells where a change of its own settings came from, and since 1.65 of which tenant they are.
    const hasPlace = !ofInstance.includes(type) || type === 'audit-log.create';
    assert.equal(tenantId !== undefined, hasPlace);
    assert.equal(info !== undefined, hasPlace);
  });

  test(`the sample of ${type} with its secrets is the one without, once they are stripped`, () => {
    const body = { event: sampleEvent(type, identity, { withSecrets: true }) };

    assert.deepEqual(parseWebhookBody(Buffer.from(JSON.stringify(body))), sampleEvent(type, identity));
  });
}

test('the samples about a user are about the user asked for', () => {
  const ids = catalogue.map(({ type }) => [
    type,
    JSON.stringify(sampleEvent(type, identity)).includes(identity.userId),
  ]);
  const without = ids.filter(([, isNamed]) => isNamed === false).map(([type]) => type as string);

  assert.deepEqual(
    without.filter((type) => entryOf(type)?.about === 'user' || type.startsWith('group.member.')),
    [],
  );
});

describe('in the shape of a version', () => {
  const login = (version?: string) => sampleEvent('user.login.success', identity, { version });
  const userOf = (event: JsonObject) => event['user'] as JsonObject;

  test('newer fields are left out, of the event and inside', () => {
    const [oldest, middle, newest] = [login('1.30'), login('1.53'), login('1.69')];

    assert.deepEqual(
      [oldest, middle, newest].map((event) => 'linkedObjectId' in event),
      [false, true, true],
    );
    assert.deepEqual(
      [oldest, middle, newest].map((event) =>
        ['identities', 'phoneNumber'].map((name) => name in userOf(event)),
      ),
      [
        [false, false],
        [false, false],
        [true, true],
      ],
    );
    assert.deepEqual(
      [oldest, middle, newest].map((event) => 'legacyIdentifier' in userOf(event)),
      [false, false, true],
    );
  });

  test('fields that it no longer sends are left out', () => {
    assert.deepEqual(
      ['1.25', '1.26', undefined].map((version) => userOf(login(version))['twoFactorEnabled']),
      [true, undefined, undefined],
    );
  });

  test('the newest is what comes without a version', () => {
    for (const type of eventTypes) {
      assert.deepEqual(sampleEvent(type, identity, { version: '1.70' }), sampleEvent(type, identity));
    }
  });

  test('a sample overlays no field that its version lacks', () => {
    for (const type of eventTypes) {
      const text = JSON.stringify(sampleEvent(type, identity, { version: '1.30' }));

      assert.ok(
        !/"(?:linkedObjectId|\w*identities|\w*phoneNumber|legacyIdentifier)":/i.test(text),
        `${type}: ${text}`,
      );
    }
  });
});

test('versions compare by number, not by text', () => {
  const pairs: [string, string, boolean][] = [
    ['1.30', '1.8', true],
    ['1.8', '1.30', false],
    ['1.53', '1.53', true],
    ['2.0', '1.69', true],
    ['1.69', '2.0', false],
    ['1.69.1', '1.69', true],
  ];
  for (const [a, b, expected] of pairs) assert.equal(isAtLeast(a, b), expected, `${a} ${b}`);
});
