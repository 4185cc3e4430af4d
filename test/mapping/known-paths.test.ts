import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitsSomePlace } from '../../src/mapping/known-paths.ts';
import { defaultPolicy } from '../../src/mapping/privacy.ts';

for (const pattern of [
  'traits.email',
  'traits.data',
  'traits.data.anything.at.all',
  'traits.registrations.data.*',
  'properties.previousEmail',
  'properties.method.mobilePhone',
  'properties.fusionauthType',
  'context.groupId',
  'context.location.*',
  'traits.twoFactorEnabled',
  '**.*loginId',
  '*.email',
]) {
  test(`${pattern} fits a message`, () => {
    assert.equal(fitsSomePlace(pattern), true);
  });
}

for (const pattern of [
  'traits.emial',
  'traits.Email',
  'properties.email',
  'context.ipAddress',
  'traits.email.domain',
]) {
  test(`${pattern} fits none`, () => {
    assert.equal(fitsSomePlace(pattern), false);
  });
}

test('each default fits a message, or what a map may add as properties.data', () => {
  for (const pattern of Object.keys(defaultPolicy)) {
    assert.ok(fitsSomePlace(pattern) || pattern.startsWith('properties.data.'), pattern);
  }
});
