import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue } from '../../src/fusionauth/catalogue.ts';
import { parseWebhookBody } from '../../src/fusionauth/event.ts';
import { isSampleType, sampleEvent, sampleTypes } from '../../src/fusionauth/samples.ts';

const types = catalogue.map(({ type }): string => type);
const identity = {
  eventId: 'f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e',
  userId: 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0',
  createInstant: 1_767_225_600_000,
};

test('the catalogue holds FusionAuth’s 64 event types, each once', () => {
  assert.equal(catalogue.length, 64);
  assert.equal(new Set(types).size, 64);
});

test('every entry of the catalogue says since when and when FusionAuth sends it', () => {
  for (const { type, since, when } of catalogue) {
    assert.match(type, /^[a-z]+(?:[.-][A-Za-z]+)*$/);
    assert.match(since, /^(?:early|1\.\d+)$/);
    assert.notEqual(when, '');
  }
});

test('every event that comes after a commit has the one before it beside it', () => {
  const missing = types
    .filter((type) => type.endsWith('.complete'))
    .filter((type) => !types.includes(type.slice(0, -'.complete'.length)));

  assert.deepEqual(missing, []);
});

test('every sample is of a type in the catalogue', () => {
  assert.deepEqual(
    sampleTypes.filter((type) => !types.includes(type)),
    [],
  );
});

test('a type that has no sample is told from one that has', () => {
  assert.deepEqual(
    ['user.login.success', 'user.login.failed', 'constructor', '__proto__', ''].map(isSampleType),
    [true, false, false, false, false],
  );
});

for (const type of sampleTypes) {
  test(`the sample of ${type} is the same for the same identity, and another for another`, () => {
    const first = JSON.stringify(sampleEvent(type, identity));
    const second = JSON.stringify(sampleEvent(type, { ...identity }));
    const other = JSON.stringify(sampleEvent(type, { ...identity, userId: 'another-user' }));

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
    assert.equal(event.user?.['id'], identity.userId);
  });
}
