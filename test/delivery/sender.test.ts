// One destination, whoever sends to it. The waits between attempts are the test's own, so that a fault of hours takes none.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import type { PlannedBatch } from '../../src/delivery/plan.ts';
import { Sender } from '../../src/delivery/sender.ts';
import type { AttemptMeasures, Pause } from '../../src/delivery/sender.ts';
import {
  accepted,
  BlockedError,
  RetryableError,
  UnknownHostError,
} from '../../src/destinations/destination.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { LogUnavailableError } from '../../src/log/log.ts';
import type { Position } from '../../src/log/log.ts';
import { until } from '../support/until.ts';
import { blocked, down, failing, hang, hangPause, makeMessage, rejected } from './scripted.ts';
import type { Script } from './scripted.ts';

describe('batches of two loops', { timeout: 20_000 }, () => {
  test('are sent one at a time, in the order of asking', async () => {
    const rig = makeRig();
    let underWay = 0;
    let most = 0;
    rig.answer = async (batch) => {
      most = Math.max(most, ++underWay);
      await nextTurn();
      underWay--;
      return batch.map(() => accepted);
    };

    const asked = ['live 1', 'replay 1', 'live 2', 'replay 2', 'live 3'];
    await Promise.all(asked.map((id) => rig.sender.send(batchOf([id]))));

    assert.deepEqual(rig.sent, asked);
    assert.equal(most, 1);
  });

  test('take turns: who has been answered and asks again stands behind who waits', async () => {
    const rig = makeRig();
    const loop = async (name: string) => {
      for (const number of [1, 2, 3]) await rig.sender.send(batchOf([`${name} ${number}`]));
    };

    await Promise.all([loop('live'), loop('replay')]);

    assert.deepEqual(rig.sent, ['live 1', 'replay 1', 'live 2', 'replay 2', 'live 3', 'replay 3']);
  });

  test('wait for one that fails, which keeps its turn until it is taken', async () => {
    const rig = makeRig();
    rig.answer = failing(3);

    await Promise.all([rig.sender.send(batchOf(['first'])), rig.sender.send(batchOf(['second']))]);

    assert.deepEqual(rig.sent, ['first', 'first', 'first', 'first', 'second']);
  });

  test('go on behind one that breaks a promise of ours', async () => {
    const rig = makeRig();
    const broken = new TypeError('A promise of ours is broken');
    rig.answer = (batch) => {
      if (batch[0] === 'broken') throw broken;
      return batch.map(() => accepted);
    };

    const [first, second] = await Promise.allSettled([
      rig.sender.send(batchOf(['broken'])),
      rig.sender.send(batchOf(['good'])),
    ]);

    assert.deepEqual(first, { status: 'rejected', reason: broken });
    assert.equal(second.status, 'fulfilled');
  });

  test('of dead letters alone need no turn and make no attempt', async () => {
    const rig = makeRig();
    rig.answer = hang;
    void rig.sender.send(batchOf(['hanging']));

    const sent = await rig.sender.send([
      {
        kind: 'dead',
        position: '1' as Position,
        deadLetter: { messageId: '', reason: 'map_failed', detail: '', message: '' },
      },
    ]);

    assert.deepEqual(sent, { answers: [], attempts: [] });
    rig.abandon();
  });
});

describe('the attempts of a batch', { timeout: 20_000 }, () => {
  test('name the records that had a message in it, and what was answered', async () => {
    const rig = makeRig();
    rig.answer = () => [accepted, rejected, accepted];

    const sent = await rig.sender.send([
      {
        kind: 'dead',
        position: '1' as Position,
        deadLetter: { messageId: '', reason: 'map_failed', detail: '', message: '' },
      },
      ...batchOf(['a', 'b', 'c'], 2),
    ]);

    assert.deepEqual(sent?.answers, [accepted, rejected, accepted]);
    assert.partialDeepStrictEqual(sent.attempts, [
      { first: '2', last: '4', messages: 3, count: 1, succeeded: true, answer: 'accepted 2, rejected 1' },
    ]);
  });

  test('hold the failures before the success, those alike as one', async () => {
    const rig = makeRig();
    const faults = [down('503'), down('503'), new BlockedError('401', { hint: 'Mend it' }), down('503')];
    rig.answer = (batch) => {
      const fault = faults.shift();
      if (fault) throw fault;
      return batch.map(() => accepted);
    };

    const sent = await rig.sender.send(batchOf(['a']));

    assert.deepEqual(
      sent?.attempts.map(({ answer, count, succeeded }) => [answer, count, succeeded]),
      [
        ['503', 2, false],
        ['401', 1, false],
        ['503', 1, false],
        ['accepted 1, rejected 0', 1, true],
      ],
    );
  });

  test('are as few after a day of failures, and each was told for the metrics', async () => {
    const rig = makeRig();
    rig.answer = failing(5_000);

    const sent = await rig.sender.send(batchOf(['a', 'b']));

    assert.deepEqual(
      sent?.attempts.map(({ count }) => count),
      [5_000, 1],
    );
    assert.equal(rig.measures.length, 5_001);
    assert.ok(rig.measures.every(({ messages }) => messages === 2));
    assert.equal(rig.measures.filter(({ succeeded }) => succeeded).length, 1);
  });
});

describe('the state of a destination', { timeout: 20_000 }, () => {
  test('is retrying, blocked while a setting is wrong, and back, each with its fault', async () => {
    const rig = makeRig();
    const states: [state: string, message: string | undefined, attempts: number | undefined][] = [];
    const note = () => states.push([rig.sender.state, rig.sender.fault?.message, rig.sender.fault?.attempts]);
    const faults = [down('503'), blocked('401'), blocked('401'), down('503')];
    rig.answer = (batch) => {
      note();
      const fault = faults.shift();
      if (fault) throw fault;
      return batch.map(() => accepted);
    };

    await rig.sender.send(batchOf(['a']));
    rig.sender.works();
    note();
    rig.sender.stop();
    note();

    assert.deepEqual(states, [
      ['starting', undefined, undefined],
      ['retrying', '503', 1],
      ['blocked', '401', 2],
      ['blocked', '401', 3],
      ['retrying', '503', 4],
      ['running', undefined, undefined],
      ['stopped', undefined, undefined],
    ]);
  });

  test('blocked is tried every 30 seconds, whatever was waited before', async () => {
    const rig = makeRig();
    const faults = [down('503'), blocked('401'), blocked('401'), down('503')];
    rig.answer = (batch) => {
      const fault = faults.shift();
      if (fault) throw fault;
      return batch.map(() => accepted);
    };

    await rig.sender.send(batchOf(['a']));

    assert.deepEqual(rig.pauses, [500, 30_000, 30_000, 4_000]);
  });

  test('is blocked where its host name is unknown for five minutes, and retrying before: that may be DNS', async () => {
    const rig = makeRig();
    const minutes = [0, 1, 4.99, 5, 60];
    const states: string[] = [];
    rig.answer = (batch) => {
      if (rig.now > 0) states.push(rig.sender.state);
      const next = minutes.shift();
      if (next === undefined) return batch.map(() => accepted);
      rig.now = 1_000 + next * 60_000;
      throw unknownHost();
    };

    await rig.sender.send(batchOf(['a']));

    assert.deepEqual(states, ['retrying', 'retrying', 'retrying', 'blocked', 'blocked']);
    assert.deepEqual(rig.pauses, [500, 1_000, 2_000, 30_000, 30_000]);
  });

  const interruptions: [name: string, fault: () => Error | undefined][] = [
    ['another fault', () => down('503')],
    ['a success', () => undefined],
  ];
  for (const [name, interruption] of interruptions) {
    test(`counts how long its host name has been unknown from the last time that there was ${name}`, async () => {
      const rig = makeRig();
      const faults = [unknownHost, interruption, unknownHost];
      rig.answer = (batch) => {
        rig.now += 4 * 60_000;
        const fault = faults.shift()?.();
        if (fault) throw fault;
        return batch.map(() => accepted);
      };

      await rig.sender.send(batchOf(['a']));
      await rig.sender.send(batchOf(['b']));

      assert.ok(!rig.linesAbove('info').some(([, line]) => String(line).includes('blocked')));
    });
  }

  test('tells since when it fails and how often, through all kinds of faults', async () => {
    const rig = makeRig();
    const faults = [down('503'), blocked('401'), down('429')];
    const since = new Set<number | undefined>();
    rig.answer = (batch) => {
      if (rig.sender.fault) since.add(rig.sender.fault.since);
      const fault = faults.shift();
      if (fault) throw fault;
      return batch.map(() => accepted);
    };

    await rig.sender.send(batchOf(['a']));

    assert.equal(since.size, 1);
    assert.equal(rig.sender.fault?.attempts, 3);
  });

  test('is not called running by records that had nothing to send, while a batch of another loop is held up', async () => {
    const rig = makeRig();
    rig.pause = hangPause;
    rig.answer = failing(1);
    const sending = rig.sender.send(batchOf(['a']));
    await until('the first attempt has failed', () => rig.sender.state === 'retrying');

    rig.sender.works();
    const state = rig.sender.state;
    rig.stop();
    await sending;

    assert.equal(state, 'retrying');
    assert.deepEqual(
      rig.lines.filter(({ msg }) => msg === 'Delivery works again'),
      [],
    );
  });

  test('says by its first failure that there is one, and never takes it back', async () => {
    const rig = makeRig();
    let hasFailed = false;
    const failed = rig.sender.firstFailure().then(() => (hasFailed = true));
    await rig.sender.send(batchOf(['good']));
    await nextTurn();
    const before = hasFailed;

    rig.answer = failing(1);
    await rig.sender.send(batchOf(['bad']));
    await failed;
    await rig.sender.firstFailure();

    assert.deepEqual([before, hasFailed], [false, true]);
  });
});

describe('a stop', { timeout: 20_000 }, () => {
  test('ends the wait for the next attempt, settles nothing, and lets who waits for a turn go as well', async () => {
    const rig = makeRig();
    rig.pause = hangPause;
    rig.answer = failing(Infinity);
    const sending = [rig.sender.send(batchOf(['a'])), rig.sender.send(batchOf(['b']))];
    await until('the first attempt has failed', () => rig.sender.state === 'retrying');

    rig.stop();

    assert.deepEqual(await Promise.all(sending), [undefined, undefined]);
  });

  test('lets the attempt under way end, and takes its answer', async () => {
    const rig = makeRig();
    const gate = Promise.withResolvers<undefined>();
    rig.answer = async (batch) => {
      await gate.promise;
      return batch.map(() => accepted);
    };
    const sending = rig.sender.send(batchOf(['a']));

    rig.stop();
    gate.resolve(undefined);

    assert.deepEqual((await sending)?.answers, [accepted]);
  });

  test('abandons an attempt that hangs when its time is up', async () => {
    const rig = makeRig();
    rig.answer = hang;
    const sending = rig.sender.send(batchOf(['a']));
    await until('the attempt is under way', () => rig.sent.length === 1);

    rig.abandon();

    assert.equal(await sending, undefined);
  });
});

describe('the log lines about a fault', { timeout: 20_000 }, () => {
  test('warn when it begins and once in sixty attempts while it lasts, and say when it ends', async () => {
    const rig = makeRig();
    rig.answer = failing(130);

    await rig.sender.send(batchOf(['a']));
    rig.sender.works();

    assert.deepEqual(rig.linesAbove('debug'), [
      ['warn', 'Delivery failed and will be tried again', 1],
      ['warn', 'Delivery failed and will be tried again', 61],
      ['warn', 'Delivery failed and will be tried again', 121],
      ['info', 'Delivery works again', undefined],
    ]);
    assert.equal(rig.lines.length, 131, 'the others are at level debug');
  });

  test('warn when it becomes one that somebody must mend, and when that is over', async () => {
    const rig = makeRig();
    const faults = [
      down('503'),
      down('503'),
      blocked('401'),
      blocked('401'),
      blocked('401'),
      down('503'),
      down('503'),
    ];
    rig.answer = (batch) => {
      const fault = faults.shift();
      if (fault) throw fault;
      return batch.map(() => accepted);
    };

    await rig.sender.send(batchOf(['a']));

    assert.deepEqual(rig.linesAbove('debug'), [
      ['warn', 'Delivery failed and will be tried again', 1],
      ['warn', 'Delivery is blocked until a setting is mended', 3],
      ['warn', 'Delivery failed and will be tried again', 6],
    ]);
  });

  test('tell what happened, what to do, the innermost cause and the wait, and nothing of what was sent', async () => {
    const rig = makeRig();
    rig.answer = (batch) => {
      if (rig.sent.length > 1) return batch.map(() => accepted);
      const cause = new Error('The connection failed', { cause: new Error('ECONNREFUSED 10.0.0.1') });
      throw new RetryableError('It is down', { hint: 'Start it', cause });
    };

    await rig.sender.send(batchOf(['richard']));

    assert.partialDeepStrictEqual(rig.lines[0], {
      reason: 'It is down',
      hint: 'Start it',
      cause: 'ECONNREFUSED 10.0.0.1',
      retryInMs: 500,
      attempt: 1,
    });
    assert.doesNotMatch(JSON.stringify(rig.lines), /richard/);
  });

  test('come for a fault of the log as well', async () => {
    const rig = makeRig();
    let runs = 0;

    await rig.sender.untilDone(() => {
      if (++runs === 1) throw new LogUnavailableError('The log could not be read', { hint: 'Make room' });
      return Promise.resolve();
    });

    assert.deepEqual(rig.linesAbove('debug'), [['warn', 'Delivery failed and will be tried again', 1]]);
    assert.partialDeepStrictEqual(rig.sender.fault, {
      message: 'The log could not be read',
      hint: 'Make room',
    });
  });
});

type Line = Readonly<Record<string, unknown>> & { readonly level: number; readonly msg: string };

function unknownHost(): UnknownHostError {
  return new UnknownHostError('It could not be reached', { hint: 'Mend its name' });
}

/** One message of each record, from this position on; a message stands for its id. */
function batchOf(ids: readonly string[], from = 1): PlannedBatch<string> {
  return ids.map((id, index) => ({
    kind: 'sendable',
    position: String(from + index) as Position,
    message: makeMessage(id),
    payload: id,
    bytes: 1,
  }));
}

/** A sender whose destination does what the script says, and whose pauses take no time. */
function makeRig() {
  const stopping = new AbortController();
  const abandoning = new AbortController();
  const rig = {
    answer: ((batch) => batch.map(() => accepted)) as Script,
    pause: (() => Promise.resolve()) as Pause,
    /** What was sent, attempt by attempt. */
    sent: [] as string[],
    now: 0,
    pauses: [] as number[],
    measures: [] as AttemptMeasures[],
    lines: [] as Line[],
    linesAbove: (level: string) =>
      rig.lines
        .filter((line) => line.level > (pino.levels.values[level] ?? 0))
        .map((line) => [pino.levels.labels[line.level], line.msg, line['attempt'] as number | undefined]),
    stop: () => stopping.abort(),
    /** As a stop does whose time is over. */
    abandon: () => {
      stopping.abort();
      abandoning.abort();
    },
    sender: undefined as unknown as Sender,
  };
  const destination: Destination<string> = {
    name: 'segment',
    limits: { maxMessages: 100, maxBytes: 1_000 },
    open: () => Promise.resolve(),
    encode: ({ messageId }) => ({ payload: messageId, bytes: 1 }),
    send: async (batch, signal) => {
      rig.sent.push(batch.join(' + '));
      return rig.answer(batch, signal);
    },
    close: () => Promise.resolve(),
  };
  rig.sender = new Sender({
    destination,
    logger: pino(
      { level: 'trace' },
      { write: (line: string) => void rig.lines.push(JSON.parse(line) as Line) },
    ),
    stopping: stopping.signal,
    abandoning: abandoning.signal,
    onAttempt: (measures) => rig.measures.push(measures),
    random: () => 0,
    now: () => rig.now,
    pause: (milliseconds, signal) => {
      rig.pauses.push(milliseconds);
      return rig.pause(milliseconds, signal);
    },
  });
  return rig;
}
