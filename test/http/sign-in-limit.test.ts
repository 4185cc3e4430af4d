import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SignInLimit } from '../../src/http/sign-in-limit.ts';

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

describe('of one address', () => {
  test('five wrong tokens cost nothing, and each further one twice the wait, up to a quarter of an hour', () => {
    const { limit, pass } = makeLimit();
    const waits: number[] = [];

    for (let count = 1; count <= 18; count++) {
      limit.fail('192.0.2.1');
      waits.push(limit.waitMs('192.0.2.1') / secondMs);
      pass(limit.waitMs('192.0.2.1'));
    }

    assert.deepEqual(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]);
  });

  test('a wait ends by itself', () => {
    const { limit, pass } = makeLimit();
    failOften(limit, '192.0.2.1', 6);

    pass(2 * secondMs - 1);
    assert.equal(limit.waitMs('192.0.2.1'), 1);
    pass(1);
    assert.equal(limit.waitMs('192.0.2.1'), 0);
  });

  test('others do not wait for it', () => {
    const { limit } = makeLimit();
    failOften(limit, '192.0.2.1', 20);

    assert.equal(limit.waitMs('192.0.2.2'), 0);
  });

  test('the right token, and an hour of quiet, make an end of it', () => {
    const { limit, pass } = makeLimit();
    failOften(limit, '192.0.2.1', 7);
    failOften(limit, '192.0.2.2', 7);

    limit.succeed('192.0.2.1');
    limit.fail('192.0.2.1');
    assert.equal(limit.waitMs('192.0.2.1'), 0);
    pass(hourMs + 1);
    limit.fail('192.0.2.2');
    assert.equal(limit.waitMs('192.0.2.2'), 0);
  });

  test('a clock that is set back makes nobody wait for as long', () => {
    const { limit, pass } = makeLimit();
    failOften(limit, '192.0.2.1', 6);

    pass(-24 * hourMs);

    assert.equal(limit.waitMs('192.0.2.1'), 0);
  });
});

const networks: [address: string, other: string, isSame: boolean][] = [
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff::2', true],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['::1', '::2', true],
  ['::1', '2001:db8::1', false],
  ['2001:db8::1', '2001:db8::2', true],
  ['192.0.2.1', '::ffff:192.0.2.1', true],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
  ['192.0.2.1', '192.0.2.2', false],
];
for (const [address, other, isSame] of networks) {
  test(`${address} and ${other} are ${isSame ? 'the same' : 'not the same'} for it`, () => {
    const { limit } = makeLimit();
    failOften(limit, address, 6);

    assert.equal(limit.waitMs(other) > 0, isSame);
  });
}

describe('of all addresses', () => {
  test('after fifty wrong tokens all wait, but never long, so that the owner comes in', () => {
    const { limit, pass } = makeLimit();
    for (let count = 0; count < 49; count++) limit.fail(`192.0.2.${count}`);
    assert.equal(limit.waitMs('198.51.100.1'), 0);

    limit.fail('192.0.2.49');
    assert.equal(limit.waitMs('198.51.100.1'), secondMs);
    for (let count = 50; count < 250; count++) limit.fail(`192.0.2.${count}`);
    assert.equal(limit.waitMs('198.51.100.1'), 10 * secondMs);
    pass(10 * secondMs);
    assert.equal(limit.waitMs('198.51.100.1'), 0);
  });

  test('the addresses of a million tries do not stay in memory: the oldest is forgotten first', () => {
    const { limit, pass } = makeLimit();
    failOften(limit, '192.0.2.1', 20);
    failOften(limit, '192.0.2.2', 20);
    for (let count = 0; count < 9_998; count++) {
      limit.fail(`10.1.${count >> 8}.${count & 255}`);
    }
    pass(10 * secondMs);
    assert.ok(limit.waitMs('192.0.2.1') > 0);

    limit.fail('10.2.0.0');
    pass(10 * secondMs);

    assert.equal(limit.waitMs('192.0.2.1'), 0);
    assert.ok(limit.waitMs('192.0.2.2') > 0);
  });
});

function makeLimit() {
  let now = 1_767_225_600_000;
  const pass = (milliseconds: number) => {
    now += milliseconds;
  };
  return { limit: new SignInLimit(() => now), pass };
}

function failOften(limit: SignInLimit, address: string, times: number): void {
  for (let count = 0; count < times; count++) limit.fail(address);
}
