import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventTypes } from '../../src/fusionauth/catalogue.ts';
import { describeBecoming, summarize } from '../../src/mapping/describe.ts';
import { inWords, messagesOf, receivedSample } from '../support/mapped.ts';

type Options = NonNullable<Parameters<typeof describeBecoming>[1]>;

describe('what a type becomes, in words', () => {
  const cases: [string, Options, string, string][] = [
    ['user.create.complete', {}, 'on', 'identify, then track "user.create.complete"'],
    ['user.create.complete', { naming: 'segment' }, 'on', 'identify, then track "Signed Up"'],
    ['user.bulk.create', {}, 'on', 'identify for each of its users'],
    ['group.member.add.complete', {}, 'on', 'group for each of its members'],
    ['user.delete', {}, 'on', 'track "user.delete.complete"'],
    ['user.create', {}, 'off', 'off: user.create.complete comes when it is committed'],
    ['user.create', { filters: [{ include: ['user.create'] }] }, 'on', 'identify, then track "user.create"'],
    [
      'user.create',
      { filters: [{ include: ['user.*'] }] },
      'off',
      'off: user.create.complete comes when it is committed',
    ],
    ['jwt.refresh', {}, 'off', 'off: tokens are refreshed by programs, not by people, and often'],
    [
      'user.login.success',
      { filters: [{ include: ['group.*'] }] },
      'off',
      'off: events.include has no pattern for user.login.success',
    ],
    [
      'user.login.success',
      { filters: [{}, { exclude: ['*.success'] }] },
      'off',
      'off: events.exclude has a pattern for user.login.success',
    ],
    ['group.create', {}, 'never', 'nothing: it names no user whom a message could be about'],
    [
      'test',
      { filters: [{ include: ['test'] }] },
      'never',
      'nothing: it names no user whom a message could be about',
    ],
    ['user.teleport', {}, 'never', 'nothing: the catalogue does not know it'],
  ];
  for (const [type, options, state, text] of cases) {
    test(`${type} with ${JSON.stringify(options)} is ${state}: ${text}`, () => {
      const becoming = describeBecoming({ type }, options);

      assert.equal(becoming.state, state);
      assert.equal(summarize(becoming), text);
    });
  }

  for (const naming of ['fusionauth', 'segment'] as const) {
    for (const filters of [[], [{ include: ['user.*', 'jwt.refresh'], exclude: ['*.failed'] }]]) {
      test(`is what comes of each sample under naming ${naming} and ${filters.length} filters`, () => {
        for (const type of eventTypes) {
          const { state, kinds, eventName } = describeBecoming({ type }, { naming, filters });
          const words = inWords(messagesOf(receivedSample(type), { naming, filters }));

          const expected = kinds.map((kind) => (kind === 'track' ? `track ${eventName ?? ''}` : kind));
          assert.equal(words, state === 'on' ? expected.join(', ') : 'nothing', type);
        }
      });
    }
  }

  test('tells the kinds and the name also of a type that is off', () => {
    const { state, kinds, eventName } = describeBecoming({ type: 'user.create' });

    assert.deepEqual([state, kinds, eventName], ['off', ['identify', 'track'], 'user.create']);
  });
});
