import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventTypes } from '../../src/fusionauth/catalogue.ts';
import { compileFilter, findTypePatternFault, switchedOn } from '../../src/mapping/filter.ts';
import type { EventFilter } from '../../src/mapping/filter.ts';
import { UserCodeError } from '../../src/mapping/user-code.ts';
import { mapAll, received } from '../support/mapped.ts';
import type { EventFields } from '../support/mapped.ts';

/** Why an event of these fields is stopped. */
function stopped(filter: EventFilter, fields: EventFields = {}): string | undefined {
  const event = received({ type: 'user.login.success', ...fields });
  return compileFilter(filter).ofEvent(event, event);
}

describe('a filter by type', () => {
  const cases: [string, EventFilter, string, string | undefined][] = [
    ['without anything lets all pass', {}, 'user.create', undefined],
    ['without anything lets unknown types pass', {}, 'user.teleport', undefined],
    ['that includes the type', { include: ['user.login.success'] }, 'user.login.success', undefined],
    [
      'that includes another',
      { include: ['user.login.failed'] },
      'user.login.success',
      'events.include has no pattern for user.login.success',
    ],
    ['that includes none', { include: [] }, 'test', 'events.include has no pattern for test'],
    ['whose pattern ends in *', { include: ['user.*'] }, 'user.login.success', undefined],
    ['whose pattern begins with *', { include: ['*.complete'] }, 'user.create.complete', undefined],
    ['whose * stands in the middle', { include: ['user.*.complete'] }, 'user.create.complete', undefined],
    ['whose * stands for nothing', { include: ['user.create*'] }, 'user.create', undefined],
    ['whose * stands for dots too', { include: ['group*add'] }, 'group.member.add', undefined],
    [
      'whose dot is a dot',
      { include: ['user.create'] },
      'userxcreate',
      'events.include has no pattern for userxcreate',
    ],
    [
      'matches the whole type',
      { include: ['user.create'] },
      'user.create.complete',
      'events.include has no pattern for user.create.complete',
    ],
    [
      'that excludes the type',
      { exclude: ['*.failed'] },
      'user.login.failed',
      'events.exclude has a pattern for user.login.failed',
    ],
    [
      'that includes and excludes it',
      { include: ['user.*'], exclude: ['user.login.*'] },
      'user.login.failed',
      'events.exclude has a pattern for user.login.failed',
    ],
    ['that excludes another', { exclude: ['*.failed'] }, 'user.login.success', undefined],
    ['that includes unknown types', { include: ['user.teleport'] }, 'user.teleport', undefined],
  ];
  for (const [name, filter, type, expected] of cases) {
    test(`${name}: ${type} ${expected === undefined ? 'passes' : 'is stopped'}`, () => {
      assert.equal(stopped(filter, { type }), expected);
    });
  }

  const spellings = ['user.two-factor.failed-attempt', 'user.two-factor.failed.attempt'];
  for (const written of spellings) {
    for (const sent of spellings) {
      test(`has ${written} written and is sent ${sent}: they are one type`, () => {
        assert.equal(stopped({ include: [written] }, { type: sent }), undefined);
        assert.notEqual(stopped({ exclude: [written] }, { type: sent }), undefined);
        assert.notEqual(stopped({ exclude: ['user.two-factor.failed.*'] }, { type: sent }), undefined);
      });
    }
  }

  test('says of every type what it says of it alone', () => {
    for (const type of eventTypes) {
      assert.equal(stopped({ include: ['user.*'] }, { type }) === undefined, type.startsWith('user.'));
    }
  });
});

describe('a filter by tenant', () => {
  const tenants = ['t-1', 't-2'];
  const cases: [string, EventFields, boolean][] = [
    ['of one of them', { tenantId: 't-2' }, true],
    ['of another', { tenantId: 't-3' }, false],
    ['of none', {}, false],
    ['of an empty one', { tenantId: '' }, false],
    ['of its user’s alone', { user: { tenantId: 't-1' } }, true],
    ['of another than its user’s', { tenantId: 't-3', user: { tenantId: 't-1' } }, false],
  ];
  for (const [name, fields, passes] of cases) {
    test(`${passes ? 'lets an event pass' : 'stops an event'} ${name}`, () => {
      assert.equal(
        stopped({ tenants }, fields),
        passes ? undefined : 'events.tenants does not name its tenant',
      );
    });
  }
});

describe('a filter by application', () => {
  const applications = ['a-1', 'a-2'];
  const registeredFor = (...ids: string[]) => ({
    user: { registrations: ids.map((applicationId) => ({ applicationId })) },
  });
  const cases: [string, EventFields, boolean][] = [
    ['of one of them', { applicationId: 'a-1' }, true],
    ['of another', { applicationId: 'a-3' }, false],
    [
      'of another, whatever its user is registered for',
      { applicationId: 'a-3', ...registeredFor('a-1') },
      false,
    ],
    ['whose registration is of one of them', { registration: { applicationId: 'a-2' } }, true],
    ['about several, one of them among those', { applicationIds: ['a-3', 'a-2'] }, true],
    ['about several others', { applicationIds: ['a-3', 'a-4'] }, false],
    ['of none, whose user is registered for one of them', registeredFor('a-3', 'a-2'), true],
    ['of none, whose user is registered for another', registeredFor('a-3'), false],
    ['of none and nobody', {}, false],
    ['of something that is no id', { applicationId: 7, applicationIds: 'a-1' }, false],
  ];
  for (const [name, fields, passes] of cases) {
    test(`${passes ? 'lets an event pass' : 'stops an event'} ${name}`, () => {
      assert.equal(
        stopped({ applications }, fields),
        passes ? undefined : 'events.applications names none of its applications',
      );
    });
  }
});

describe('a filter by a function', () => {
  test('is given the event, and lets it pass or not', () => {
    const filter: EventFilter = {
      filter: (event) => event.type === 'user.login.success' && event.applicationId === 'a-1',
    };

    assert.equal(stopped(filter, { applicationId: 'a-1' }), undefined);
    assert.equal(stopped(filter, { applicationId: 'a-2' }), 'events.filter answered false');
  });

  test('is asked last: it never sees what the others stop', () => {
    const filter: EventFilter = {
      exclude: ['user.*'],
      filter: () => {
        throw new Error('never called');
      },
    };

    assert.equal(stopped(filter), 'events.exclude has a pattern for user.login.success');
  });

  const faulty: [string, () => boolean, string][] = [
    [
      'throws',
      () => {
        throw new Error('of the filter');
      },
      'filter_failed',
    ],
    ['is async', (() => Promise.resolve(true)) as unknown as () => boolean, 'filter_failed'],
    [
      'never ends',
      () => {
        for (;;);
      },
      'filter_timeout',
    ],
  ];
  for (const [name, filter, reason] of faulty) {
    test(`that ${name} is a failure of the event, not a no`, () => {
      assert.throws(() => stopped({ filter }), UserCodeError);
      const [failure, ...more] = mapAll(received({ type: 'user.login.success', user: { id: 'u-1' } }), {
        filters: [{ filter }],
      });

      assert.deepEqual(more, []);
      assert.ok(failure?.type === 'failure');
      assert.equal(failure.reason, reason);
    });
  }
});

test('what is named in full is switched on, patterns are not', () => {
  assert.deepEqual(
    switchedOn([
      { include: ['user.create', 'user.*'] },
      { include: ['jwt.refresh'] },
      {},
      { exclude: ['test'] },
    ]),
    new Set(['user.create', 'user.*', 'jwt.refresh']),
  );
});

describe('a pattern for types', () => {
  const patterns: [string, string | undefined][] = [
    ['user.create', undefined],
    ['user.*', undefined],
    ['*', undefined],
    ['user.two-factor.failed.attempt', undefined],
    ['user.two-factor.failed.*', undefined],
    ['event-log.create', 'becomes nothing in any case: it names no user'],
    ['user.creat', 'is no event type of FusionAuth’s'],
    ['User.Create', 'is no event type of FusionAuth’s'],
    ['', 'is no event type of FusionAuth’s'],
    ['users.*', 'matches no event type of FusionAuth’s'],
  ];
  for (const [pattern, fault] of patterns) {
    test(`"${pattern}" ${fault ?? 'has no fault'}`, () => {
      assert.equal(findTypePatternFault(pattern), fault);
    });
  }
});
