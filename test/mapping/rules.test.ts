import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventTypes } from '../../src/fusionauth/catalogue.ts';
import {
  canBecomeMessages,
  isDeletion,
  redundantTrack,
  ruleOf,
  trackedEntry,
} from '../../src/mapping/rules.ts';
import type { Rule } from '../../src/mapping/rules.ts';
import { received } from '../support/mapped.ts';

function rule(type: string): Rule {
  const found = ruleOf(type);
  assert.ok(found);
  return found;
}

describe('the rule of a type', () => {
  test('is there for every type that the catalogue knows, under any spelling, and the same each time', () => {
    for (const type of eventTypes) {
      assert.equal(rule(type).entry.type, type);
      assert.equal(ruleOf(type), ruleOf(type));
    }
    assert.equal(ruleOf('user.two-factor.failed.attempt'), ruleOf('user.two-factor.failed-attempt'));
  });

  for (const type of ['user.teleport', 'constructor', '__proto__', 'toString', '']) {
    test(`is not there for "${type}"`, () => {
      assert.equal(ruleOf(type), undefined);
    });
  }

  test('has the identify before the track', () => {
    for (const type of eventTypes) {
      const { kinds } = rule(type);

      assert.ok(!kinds.includes('track') || kinds.indexOf('identify') <= 0);
    }
  });

  test('says of each that is about many where they stand', () => {
    const lists = eventTypes.flatMap((type) => {
      const { each } = rule(type);
      return each === undefined ? [] : [`${type}: ${each}`];
    });

    assert.deepEqual(lists, [
      'user.bulk.create: users',
      'group.member.add: members',
      'group.member.add.complete: members',
      'group.member.update: members',
      'group.member.update.complete: members',
      'group.member.remove: members',
      'group.member.remove.complete: members',
    ]);
  });

  const reasons: [string, string | undefined][] = [
    ['user.create', 'user.create.complete comes when it is committed'],
    ['group.member.add', 'group.member.add.complete comes when it is committed'],
    ['jwt.refresh', 'tokens are refreshed by programs, not by people, and often'],
    ['group.create', 'it names no user whom a message could be about'],
    ['event-log.create', 'it names no user whom a message could be about'],
    ['user.delete', undefined],
    ['user.login.success', undefined],
  ];
  for (const [type, reason] of reasons) {
    test(`${type} is ${reason === undefined ? 'on' : `off because ${reason}`}`, () => {
      assert.equal(rule(type).offBecause, reason);
    });
  }

  test('can become messages unless the type names no user', () => {
    assert.equal(canBecomeMessages(rule('jwt.refresh')), true);
    assert.equal(canBecomeMessages(rule('user.create')), true);
    assert.equal(canBecomeMessages(rule('entity.create.complete')), false);
    assert.equal(canBecomeMessages(rule('test')), false);
  });
});

test('both events of a deletion are tracked as the completed one, all others as themselves', () => {
  for (const type of eventTypes) {
    const deletes = type === 'user.delete' || type === 'user.delete.complete';

    assert.equal(isDeletion(rule(type).entry), deletes);
    assert.equal(trackedEntry(rule(type)).type, deletes ? 'user.delete.complete' : type);
  }
});

describe('the track of an identity', () => {
  for (const [type, twin] of [
    ['user.identity.verified', 'user.email.verified'],
    ['user.identity.update', 'user.email.update'],
  ] as const) {
    test(`${type} is redundant for an e-mail address, of which ${twin} tells`, () => {
      assert.equal(redundantTrack(rule(type), received({ type, loginIdType: 'email' })), twin);
      for (const loginIdType of ['phoneNumber', 'username', 'EMAIL', undefined, null, ['email']]) {
        assert.equal(redundantTrack(rule(type), received({ type, loginIdType })), undefined);
      }
    });
  }

  test('no other is redundant', () => {
    for (const type of eventTypes.filter((each) => !each.startsWith('user.identity.'))) {
      assert.equal(redundantTrack(rule(type), received({ type, loginIdType: 'email' })), undefined);
    }
  });
});
