// The table of what each type of event becomes, written by hand: it knows nothing of the code's own rules.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventTypes } from '../../src/fusionauth/catalogue.ts';
import type { KnownEventType } from '../../src/fusionauth/catalogue.ts';
import { findDiscard } from '../../src/segment/checks.ts';
import { identity, inWords, messagesOf, receivedSample } from '../support/mapped.ts';

/** What a type becomes by itself, once it is switched on, and its track’s name under `naming: 'segment'`. */
type Row = readonly [byDefault: string, switchedOn: string, segmentName: string | undefined];

/** A type that is on. */
const on = (becomes: string, segmentName?: string): Row => [becomes, becomes, segmentName];
/** A type that becomes nothing unless it is switched on. */
const off = (becomes: string, segmentName?: string): Row => ['nothing', becomes, segmentName];
/** A type that names no user. */
const never: Row = ['nothing', 'nothing', undefined];

const table: Readonly<Record<KnownEventType, Row>> = {
  'user.create': off('identify, track user.create', 'User Creation Started'),
  'user.create.complete': on('identify, track user.create.complete', 'Signed Up'),
  'user.bulk.create': on('identify'),
  'user.update': off('identify'),
  'user.update.complete': on('identify'),
  'user.email.update': on('identify, track user.email.update', 'Email Updated'),
  'user.email.verified': on('identify, track user.email.verified', 'Email Verified'),
  'user.identity.verified': on('identify, track user.identity.verified', 'Identity Verified'),
  'user.identity.update': on('identify, track user.identity.update', 'Identity Updated'),
  'user.deactivate': on('identify, track user.deactivate', 'User Deactivated'),
  'user.reactivate': on('identify, track user.reactivate', 'User Reactivated'),
  'user.delete': on('track user.delete.complete', 'User Deleted'),
  'user.delete.complete': on('track user.delete.complete', 'User Deleted'),
  'user.identity-provider.link': on('track user.identity-provider.link', 'Identity Provider Linked'),
  'user.identity-provider.unlink': on('track user.identity-provider.unlink', 'Identity Provider Unlinked'),
  'user.loginId.duplicate.create': on('track user.loginId.duplicate.create', 'Duplicate Login Id Rejected'),
  'user.loginId.duplicate.update': on(
    'track user.loginId.duplicate.update',
    'Duplicate Login Id Update Rejected',
  ),
  'user.login.success': on('track user.login.success', 'Signed In'),
  'user.login.failed': on('track user.login.failed', 'Login Failed'),
  'user.login.new-device': on('track user.login.new-device', 'New Device Used'),
  'user.login.suspicious': on('track user.login.suspicious', 'Suspicious Login Detected'),
  'user.password.breach': on('track user.password.breach', 'Password Breach Detected'),
  'user.password.reset.start': on('track user.password.reset.start', 'Password Reset Started'),
  'user.password.reset.send': on('track user.password.reset.send', 'Password Reset Sent'),
  'user.password.reset.success': on('track user.password.reset.success', 'Password Reset'),
  'user.password.update': on('track user.password.update', 'Password Updated'),
  'user.registration.create': off('track user.registration.create', 'Registration Creation Started'),
  'user.registration.create.complete': on('track user.registration.create.complete', 'Registration Created'),
  'user.registration.update': off('track user.registration.update', 'Registration Update Started'),
  'user.registration.update.complete': on('track user.registration.update.complete', 'Registration Updated'),
  'user.registration.delete': off('track user.registration.delete', 'Registration Deletion Started'),
  'user.registration.delete.complete': on('track user.registration.delete.complete', 'Registration Deleted'),
  'user.registration.verified': on('track user.registration.verified', 'Registration Verified'),
  'user.two-factor.method.add': on('track user.two-factor.method.add', 'Two-Factor Method Added'),
  'user.two-factor.method.remove': on('track user.two-factor.method.remove', 'Two-Factor Method Removed'),
  'user.two-factor.challenge': on('track user.two-factor.challenge', 'Two-Factor Challenge Started'),
  'user.two-factor.failed-attempt': on('track user.two-factor.failed-attempt', 'Two-Factor Attempt Failed'),
  'user.two-factor.success': on('track user.two-factor.success', 'Two-Factor Succeeded'),
  'user.action': on('track user.action', 'User Action Taken'),
  'jwt.refresh': off('track jwt.refresh', 'Access Token Refreshed'),
  'jwt.refresh-token.revoke': on('track jwt.refresh-token.revoke', 'Refresh Token Revoked'),
  'jwt.public-key.update': never,
  'group.create': never,
  'group.create.complete': never,
  'group.update': never,
  'group.update.complete': never,
  'group.delete': never,
  'group.delete.complete': never,
  'group.member.add': off('group'),
  'group.member.add.complete': on('group'),
  'group.member.update': off('group'),
  'group.member.update.complete': on('group'),
  'group.member.remove': off('track group.member.remove', 'Group Member Removal Started'),
  'group.member.remove.complete': on('track group.member.remove.complete', 'Account Removed User'),
  'entity.create': never,
  'entity.create.complete': never,
  'entity.update': never,
  'entity.update.complete': never,
  'entity.delete': never,
  'entity.delete.complete': never,
  'audit-log.create': never,
  'event-log.create': never,
  'kickstart.success': never,
  test: never,
};

test('the table has a row for each type, in the catalogue’s order', () => {
  assert.deepEqual(Object.keys(table), eventTypes);
});

for (const version of ['1.30', '1.53', '1.69']) {
  describe(`in the shape of FusionAuth ${version}`, () => {
    for (const type of eventTypes) {
      const [byDefault, switchedOn, segmentName] = table[type];
      const event = receivedSample(type, {}, { version });
      const filters = [{ include: [type] }];
      const inSegmentsWords = (words: string) =>
        words.replace(/track .*/, `track ${segmentName ?? 'without a name'}`);

      test(`${type} becomes ${byDefault}${switchedOn === byDefault ? '' : `; switched on, ${switchedOn}`}`, () => {
        assert.equal(inWords(messagesOf(event)), byDefault);
        assert.equal(inWords(messagesOf(event, { filters })), switchedOn);
      });

      test(`${type} has its name in Segment’s words, and its own in a property`, () => {
        const messages = messagesOf(event, { filters, naming: 'segment' });

        assert.equal(inWords(messagesOf(event, { naming: 'segment' })), inSegmentsWords(byDefault));
        assert.equal(inWords(messages), inSegmentsWords(switchedOn));
        for (const message of messages) {
          if (message.type === 'track') {
            // The two events of a deletion are one message, whichever comes.
            const expected = type === 'user.delete' ? 'user.delete.complete' : type;
            assert.equal(message.properties['fusionauthType'], expected);
          }
        }
      });

      test(`${type} becomes messages of its user, at its time, that Segment keeps`, () => {
        for (const message of messagesOf(event, { filters })) {
          assert.equal(message.userId, identity.userId);
          assert.equal(message.timestamp, '2026-01-01T00:00:00.000Z');
          assert.equal(findDiscard(message), undefined);
        }
      });
    }
  });
}

test('under FusionAuth’s own names no property repeats the type', () => {
  for (const type of eventTypes) {
    for (const message of messagesOf(receivedSample(type), { filters: [{ include: [type] }] })) {
      assert.ok(message.type !== 'track' || !('fusionauthType' in message.properties));
    }
  }
});
