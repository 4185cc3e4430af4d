import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { createRefusalLogger } from '../../src/http/refusals.ts';
import type { Refusal } from '../../src/http/refusals.ts';

const minuteMs = 60_000;

test('the first webhook that is refused for a reason is logged at once, with what to do', () => {
  const { refuse, lines } = startLogger();

  refuse({ reason: 'forged', hint: 'Compare the keys' });

  assert.partialDeepStrictEqual(lines, [
    {
      level: 'warn',
      msg: 'A webhook was refused',
      answer: 'unauthorized',
      status: 401,
      reason: 'forged',
      hint: 'Compare the keys',
      since: 0,
    },
  ]);
});

test('a flood becomes one line a minute, which tells how many were not logged', () => {
  const clock = { now: 0 };
  const { refuse, lines } = startLogger(clock);

  // Ten a second, for two minutes and a half.
  for (; clock.now < 2.5 * minuteMs; clock.now += 100) refuse({ reason: 'forged' });

  assert.deepEqual(
    lines.map(({ since }) => since),
    [0, 599, 599],
  );
});

test('reasons and answers are counted apart: a flood of one hides no other', () => {
  const { refuse, lines } = startLogger();

  for (let count = 0; count < 10; count++) refuse({ reason: 'forged' });
  refuse({ reason: 'missing' });
  refuse({ answer: 'invalid', status: 400, reason: 'forged' });

  assert.deepEqual(
    lines.map(({ answer, reason }) => [answer, reason]),
    [
      ['unauthorized', 'forged'],
      ['unauthorized', 'missing'],
      ['invalid', 'forged'],
    ],
  );
});

test('a fault of the bridge’s own is an error, one of the sender’s a warning', () => {
  const { refuse, lines } = startLogger();

  for (const status of [400, 401, 413, 415, 500, 503]) refuse({ status, reason: String(status) });

  assert.deepEqual(
    lines.map(({ status, level }) => [status, level]),
    [
      [400, 'warn'],
      [401, 'warn'],
      [413, 'warn'],
      [415, 'warn'],
      [500, 'error'],
      [503, 'error'],
    ],
  );
});

test('reasons without number become few lines, and never hide another answer', () => {
  const { refuse, lines } = startLogger();

  for (let count = 0; count < 10_000; count++)
    refuse({ answer: 'invalid', reason: `field ${count} is wrong` });
  refuse({ answer: 'invalid', reason: 'field 0 is wrong' });
  refuse({ answer: 'too_large', reason: 'larger than MAX_BODY_BYTES' });

  assert.ok(lines.length <= 102, `${lines.length} lines`);
  assert.equal(lines.at(-1)?.answer, 'too_large');
});

test('a reason that shares a line is logged again after a minute, with the number of all that did', () => {
  const clock = { now: 0 };
  const { refuse, lines } = startLogger(clock);
  for (let count = 0; count < 201; count++) refuse({ answer: 'invalid', reason: `field ${count} is wrong` });

  clock.now += minuteMs;
  refuse({ answer: 'invalid', reason: 'field 201 is wrong' });

  // A hundred had lines of their own, the next one the shared line.
  assert.partialDeepStrictEqual(lines.at(-1), { reason: 'field 201 is wrong', since: 100 });
});

test('what the sender is told is in no line', () => {
  const { refuse, lines } = startLogger();

  refuse({
    body: { status: 'rejected', code: 'EVENT_INVALID', message: 'for the sender', path: 'event.id' },
  });

  assert.doesNotMatch(JSON.stringify(lines), /for the sender|EVENT_INVALID/);
});

interface Line {
  readonly level: string;
  readonly answer: string;
  readonly status: number;
  readonly reason: string;
  readonly since: number;
}

/** The lines of a logger whose clock stands still unless the test moves it. */
function startLogger(clock = { now: 0 }) {
  const lines: Line[] = [];
  const logger = pino(
    { formatters: { level: (level) => ({ level }) } },
    { write: (line: string) => lines.push(JSON.parse(line) as Line) },
  );
  const logRefusal = createRefusalLogger(logger, () => clock.now);
  const refuse = (fields: Partial<Refusal>) =>
    logRefusal({
      answer: 'unauthorized',
      status: 401,
      reason: 'forged',
      body: { status: 'rejected', code: 'UNAUTHORIZED', message: 'No' },
      ...fields,
    });
  return { refuse, lines };
}
