import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Outcomes, payloadsOf, planBatches } from '../../src/delivery/plan.ts';
import type { PlannedBatch } from '../../src/delivery/plan.ts';
import { accepted } from '../../src/destinations/destination.ts';
import type { Answer, BatchLimits, Destination } from '../../src/destinations/destination.ts';
import { reviveEvent } from '../../src/fusionauth/event.ts';
import type { EventId } from '../../src/fusionauth/event.ts';
import type { LogRecord, Position, Settlement } from '../../src/log/log.ts';
import { MappingFailure } from '../../src/mapping/map.ts';
import type { Mapping } from '../../src/mapping/map.ts';
import type { Message, MessageId } from '../../src/segment/message.ts';

/** What a test wants of one message of a record. */
interface Wanted {
  readonly id: string;
  readonly bytes?: number;
  /** The destination can never take it. */
  readonly refused?: boolean;
}

/** All batches of some records, made at once. */
interface Plan {
  readonly records: readonly LogRecord[];
  readonly planned: readonly PlannedBatch<string>[];
  /** The payloads of each batch that has any. */
  readonly batches: readonly (readonly string[])[];
}

const rejected: Answer = { kind: 'rejected', reason: 'bad_value', detail: 'The table says no' };

describe('the outcome of a record', () => {
  test('is filtered where it becomes no message', () => {
    const plan = planRecords([[]]);

    assert.deepEqual(plan.batches, []);
    assert.deepEqual(settlementsOf(plan, []), [{ position: '1', outcome: 'filtered' }]);
  });

  test('is delivered where all its messages were accepted', () => {
    const plan = planRecords([[{ id: 'a' }, { id: 'b' }]]);

    assert.deepEqual(plan.batches, [['a', 'b']]);
    assert.deepEqual(settlementsOf(plan, [accepted, accepted]), [{ position: '1', outcome: 'delivered' }]);
  });

  test('is dead where the destination cannot take a message, which is kept as it was and never sent', () => {
    const plan = planRecords([[{ id: 'a', refused: true }]]);

    const [settlement] = settlementsOf(plan, []);

    assert.deepEqual(plan.batches, []);
    assert.deepEqual(settlement, {
      position: '1',
      outcome: 'dead',
      deadLetters: [
        {
          messageId: 'a',
          reason: 'too_large',
          detail: 'It is larger than 32 KB',
          message: JSON.stringify(makeMessage('a', { refused: true })),
        },
      ],
    });
  });

  test('is dead where the destination answers that it rejects a message', () => {
    const plan = planRecords([[{ id: 'a' }]]);

    const [settlement] = settlementsOf(plan, [rejected]);

    assert.deepEqual(settlement, {
      position: '1',
      outcome: 'dead',
      deadLetters: [
        {
          messageId: 'a',
          reason: 'bad_value',
          detail: 'The table says no',
          message: JSON.stringify(makeMessage('a')),
        },
      ],
    });
  });

  test('is dead where one of its messages is, and only that one is a dead letter', () => {
    const plan = planRecords([[{ id: 'a' }, { id: 'b', refused: true }, { id: 'c' }, { id: 'd' }]]);

    const settlements = settlementsOf(plan, [accepted, rejected, accepted]);

    assert.deepEqual(plan.batches, [['a', 'c', 'd']]);
    assert.deepEqual(deadLettersOf(settlements), { 1: ['b', 'c'] });
  });

  test('is its own: answers go to the records that they belong to', () => {
    const plan = planRecords([
      [],
      [{ id: 'a', refused: true }],
      [{ id: 'b' }, { id: 'c' }],
      [],
      [{ id: 'd' }],
      [{ id: 'e' }],
    ]);

    const settlements = settlementsOf(plan, [accepted, accepted, rejected, accepted]);

    assert.deepEqual(
      settlements.map(({ position, outcome }) => `${position} ${outcome}`),
      ['1 filtered', '2 dead', '3 delivered', '4 filtered', '5 dead', '6 delivered'],
    );
    assert.deepEqual(deadLettersOf(settlements), { 2: ['a'], 5: ['d'] });
  });

  const faults: [name: string, mapping: Mapping, record: Partial<LogRecord>, detail: RegExp][] = [
    [
      'where the mapping throws an error',
      throwing(new TypeError('no such field')),
      {},
      /TypeError: no such field/,
    ],
    ['where the mapping throws something that is no error', throwing('plain text'), {}, /^plain text$/],
    ['where its body is no JSON', () => [], { body: '{"event":' }, /SyntaxError/],
  ];
  for (const [name, mapping, fields, detail] of faults) {
    test(`is dead ${name}, and the records behind it go on`, () => {
      const records = [
        makeRecord(1, []),
        { ...makeRecord(2, [{ id: 'a' }]), ...fields },
        makeRecord(3, [{ id: 'b' }]),
      ];
      const failsForSecond: Mapping = (body) =>
        reviveEvent(body).id === '2' ? mapping(body) : mappingOfWanted(body);

      const plan = drain(records, { mapping: failsForSecond });
      const settlements = settlementsOf(plan, [accepted]);

      assert.deepEqual(plan.batches, [['b']]);
      assert.deepEqual(
        settlements.map(({ outcome }) => outcome),
        ['filtered', 'dead', 'delivered'],
      );
      const [deadLetter, ...others] = allDeadLetters(settlements);
      assert.deepEqual(others, []);
      assert.partialDeepStrictEqual(deadLetter, { reason: 'mapping_failed', message: '' });
      assert.match(deadLetter?.detail ?? '', detail);
    });
  }

  test('is dead where its mapping fails half way: what came before is sent, what would have come is not', () => {
    const mapping: Mapping = function* (body) {
      yield* mappingOfWanted(body);
      if (reviveEvent(body).id === '1') throw new Error('half way');
    };
    const records = [makeRecord(1, [{ id: 'a' }]), makeRecord(2, [{ id: 'b' }])];

    const plan = drain(records, { mapping });
    const settlements = settlementsOf(plan, [accepted, accepted]);

    assert.deepEqual(plan.batches, [['a', 'b']]);
    assert.deepEqual(
      settlements.map(({ outcome }) => outcome),
      ['dead', 'delivered'],
    );
    const [deadLetter, ...others] = allDeadLetters(settlements);
    assert.deepEqual(others, []);
    assert.partialDeepStrictEqual(deadLetter, { messageId: '', reason: 'mapping_failed', message: '' });
    assert.match(deadLetter?.detail ?? '', /Error: half way\n +at /);
  });

  test('is dead where a part of its event could not be mapped, and its other messages are sent', () => {
    const failure = new MappingFailure('map_failed', 'The second is wrong');
    const mapping: Mapping = () => [makeMessage('a'), failure, makeMessage('c')];

    const plan = drain([makeRecord(1, [])], { mapping });

    assert.deepEqual(plan.batches, [['a', 'c']]);
    assert.deepEqual(settlementsOf(plan, [accepted, accepted]), [
      {
        position: '1',
        outcome: 'dead',
        deadLetters: [{ messageId: '', reason: 'map_failed', detail: 'The second is wrong', message: '' }],
      },
    ]);
  });

  test('is dead where Segment would drop a message, which no destination is given', () => {
    const nobody = { ...makeMessage('nobody'), userId: undefined } as unknown as Message;
    const listed = { ...makeMessage('listed'), properties: ['a'] } as unknown as Message;
    const seen: string[] = [];
    const destination = makeDestination();
    const encode: typeof destination.encode = (message, receivedAt) => {
      seen.push(message.messageId);
      return destination.encode(message, receivedAt);
    };

    const plan = drain([makeRecord(1, [])], {
      mapping: () => [nobody, makeMessage('good'), listed],
      destination: { ...destination, encode },
    });

    assert.deepEqual(seen, ['good']);
    assert.deepEqual(
      allDeadLetters(settlementsOf(plan, [accepted])).map(({ messageId, reason, message }) => [
        messageId,
        reason,
        message,
      ]),
      [
        ['nobody', 'no_user_anon_id', JSON.stringify(nobody)],
        ['listed', 'properties_not_object', JSON.stringify(listed)],
      ],
    );
  });

  test('is dead where a message is no JSON, and its other messages are sent', () => {
    const circle: Record<string, unknown> = {};
    circle['itself'] = circle;
    const unsendable = { ...makeMessage('circle'), properties: circle } as unknown as Message;
    const destination = makeDestination();
    const encode: typeof destination.encode = (message) => ({ payload: JSON.stringify(message), bytes: 1 });

    const plan = drain([makeRecord(1, [])], {
      mapping: () => [unsendable, makeMessage('b')],
      destination: { ...destination, encode },
    });
    const [deadLetter, ...others] = allDeadLetters(settlementsOf(plan, [accepted]));

    assert.deepEqual(plan.batches, [[JSON.stringify(makeMessage('b'))]]);
    assert.deepEqual(others, []);
    assert.partialDeepStrictEqual(deadLetter, {
      messageId: 'circle',
      reason: 'mapping_failed',
      message: '',
    });
  });

  test('has its dead letters in the order of its messages, however their batches fall', () => {
    const wanted = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, refused: id === 'b' || id === 'e' }));
    const plan = planRecords([wanted], { maxMessages: 2, maxBytes: 100 });

    const settlements = settlementsOf(plan, [rejected, accepted, rejected]);

    assert.deepEqual(plan.batches, [['a'], ['c', 'd']]);
    assert.deepEqual(deadLettersOf(settlements), { 1: ['a', 'b', 'd', 'e'] });
  });

  test('is that of all its batches: one message of many that is rejected makes it dead', () => {
    const wanted = Array.from({ length: 9 }, (_, index) => ({ id: `${index}` }));
    const plan = planRecords([wanted], { maxMessages: 2, maxBytes: 100 });

    const answers = wanted.map(({ id }) => (id === '2' ? rejected : accepted));

    assert.deepEqual(deadLettersOf(settlementsOf(plan, answers)), { 1: ['2'] });
  });

  test('cannot be told where the destination does not answer for each message', () => {
    const plan = planRecords([[{ id: 'a' }, { id: 'b' }]]);

    assert.throws(() => settlementsOf(plan, [accepted]), /answers for each message/);
  });

  test('is one, and its dead letters are text, whatever kinds of fields its messages have', () => {
    const fields = fc.record(
      {
        type: fc.oneof(fc.constantFrom('track', 'identify', 'group', 'failure'), fc.anything()),
        messageId: fc.oneof(fc.constant('m'), fc.anything()),
        userId: fc.oneof(fc.constant('u'), fc.anything()),
        event: fc.oneof(fc.constant('e'), fc.anything()),
        traits: fc.anything(),
        properties: fc.anything({ withBigInt: true }),
        context: fc.anything(),
        reason: fc.anything(),
      },
      { requiredKeys: [] },
    );
    const destination: Destination<string> = {
      ...makeDestination(),
      encode: (message) => ({ payload: JSON.stringify(message), bytes: 1 }),
    };

    fc.assert(
      fc.property(fc.array(fields, { minLength: 1 }), (messages) => {
        const plan = drain([makeRecord(1, [])], { mapping: () => messages as Message[], destination });

        const settlements = settlementsOf(
          plan,
          plan.batches.flat().map(() => accepted),
        );

        const deadLetters = allDeadLetters(settlements);
        assert.equal(plan.batches.flat().length + deadLetters.length, messages.length);
        assert.deepEqual(
          settlements.map(({ outcome }) => outcome),
          [deadLetters.length > 0 ? 'dead' : 'delivered'],
        );
        for (const deadLetter of deadLetters) {
          for (const value of Object.values(deadLetter)) assert.equal(typeof value, 'string');
        }
      }),
    );
  });
});

test('the destination is told of each message when the bridge took its record', () => {
  const seen: number[] = [];
  const destination: Destination<string> = {
    ...makeDestination(),
    encode: ({ messageId }, receivedAt) => {
      seen.push(receivedAt);
      return { payload: messageId, bytes: 1 };
    },
  };
  const records = [
    { ...makeRecord(1, [{ id: 'a' }, { id: 'b' }]), receivedAt: 17 },
    { ...makeRecord(2, [{ id: 'c' }]), receivedAt: 4 },
  ];

  drain(records, { destination });

  assert.deepEqual(seen, [17, 17, 4]);
});

describe('messages are cut into batches', () => {
  const cases: [name: string, limits: BatchLimits, bytes: number[], expected: number[][]][] = [
    ['by their number', { maxMessages: 2, maxBytes: 100 }, [1, 2, 3, 4, 5], [[1, 2], [3, 4], [5]]],
    ['by their bytes', { maxMessages: 9, maxBytes: 10 }, [4, 4, 4, 4, 4], [[4, 4], [4, 4], [4]]],
    [
      'that may be full to the last byte',
      { maxMessages: 9, maxBytes: 10 },
      [5, 5, 10, 9, 1],
      [[5, 5], [10], [9, 1]],
    ],
    [
      'and one that is too large by itself goes alone',
      { maxMessages: 9, maxBytes: 10 },
      [1, 11, 1],
      [[1], [11], [1]],
    ],
    ['of one where no more fit', { maxMessages: 1, maxBytes: 10 }, [1, 1], [[1], [1]]],
  ];
  for (const [name, limits, bytes, expected] of cases) {
    test(name, () => {
      const plan = planRecords(
        bytes.map((size, index) => [{ id: `${index}:${size}`, bytes: size }]),
        limits,
      );

      assert.deepEqual(
        plan.batches.map((batch) => batch.map((payload) => Number(payload.split(':')[1]))),
        expected,
      );
    });
  }
});

test('no batch passes its limits, the order is kept, and every record gets exactly one outcome', () => {
  const wanted = fc.record({ bytes: fc.integer({ min: 1, max: 50 }), refused: fc.boolean() });
  const limits = fc.record({
    maxMessages: fc.integer({ min: 1, max: 8 }),
    maxBytes: fc.integer({ min: 50, max: 200 }),
  });
  const recordsOfMessages = fc.array(fc.array(wanted, { maxLength: 4 }), { maxLength: 30 });
  const answersSeed = fc.infiniteStream(fc.boolean());

  fc.assert(
    fc.property(recordsOfMessages, limits, answersSeed, (recordsWanted, batchLimits, isAccepted) => {
      let number = 0;
      const records = recordsWanted.map((messages) =>
        messages.map((message) => ({ ...message, id: `${++number}:${message.bytes}` })),
      );

      const plan = planRecords(records, batchLimits);
      const again = planRecords(records, batchLimits);
      const sent = plan.batches.flat();
      const answers = sent.map(() => (isAccepted.next().value === true ? accepted : rejected));
      const settlements = settlementsOf(plan, answers);

      assert.deepEqual(again.batches, plan.batches, 'the same records give the same batches');
      for (const batch of plan.batches) {
        const bytes = batch.reduce((sum, payload) => sum + Number(payload.split(':')[1]), 0);
        assert.ok(
          batch.length > 0 && batch.length <= batchLimits.maxMessages && bytes <= batchLimits.maxBytes,
        );
      }
      const sendable = records.flat().filter(({ refused }) => !refused);
      assert.deepEqual(
        sent,
        sendable.map(({ id }) => id),
      );
      assert.deepEqual(
        settlements.map(({ position }) => position),
        records.map((_, index) => String(index + 1)),
      );
      const answerOf = new Map(sent.map((id, index) => [id, answers[index]]));
      for (const [index, messages] of records.entries()) {
        const dead = messages.filter(({ id, refused }) => refused || answerOf.get(id)?.kind === 'rejected');
        const expected = dead.length > 0 ? 'dead' : messages.length > 0 ? 'delivered' : 'filtered';
        assert.equal(settlements[index]?.outcome, expected);
        assert.deepEqual(
          deadLettersOf(settlements)[index + 1] ?? [],
          dead.map(({ id }) => id),
        );
      }
    }),
  );
});

describe('messages are made when their batch is asked for', () => {
  const limits = { maxMessages: 5, maxBytes: 1_000 };

  test('and no more of them than it holds, however many a record becomes', () => {
    const source = countingMapping(100_000);
    const records = [makeRecord(1, []), makeRecord(2, [])];
    const outcomes = new Outcomes(records);
    let answered = 0;
    let mostAlive = 0;
    source.onMade = (made) => (mostAlive = Math.max(mostAlive, made - answered));

    for (const batch of planBatches(records, {
      mapping: source.mapping,
      destination: makeDestination(limits),
    })) {
      if (batch === undefined) continue;
      outcomes.add(
        batch,
        payloadsOf(batch).map(() => accepted),
      );
      answered += batch.length;
    }

    assert.equal(answered, 200_000);
    assert.equal(mostAlive, limits.maxMessages);
    assert.deepEqual(
      outcomes.settlements().map(({ outcome }) => outcome),
      ['delivered', 'delivered'],
    );
  });

  test('and none where none is asked for', () => {
    const source = countingMapping(100);
    const made: number[] = [];
    source.onMade = (count) => made.push(count);

    const plan = planBatches([makeRecord(1, [])], {
      mapping: source.mapping,
      destination: makeDestination(limits),
    });
    const before = made.length;
    while (plan.next().value === undefined);

    assert.equal(before, 0);
    assert.equal(made.length, limits.maxMessages);
  });

  test('one more where it does not fit in by its bytes, and that one begins the next batch', () => {
    const source = countingMapping(4);
    const made: number[] = [];
    source.onMade = (count) => made.push(count);
    const destination: Destination<string> = {
      ...makeDestination({ maxMessages: 9, maxBytes: 10 }),
      encode: ({ messageId }) => ({ payload: messageId, bytes: 4 }),
    };

    const batches: string[][] = [];
    const madeByBatch: number[] = [];
    for (const batch of planBatches([makeRecord(1, [])], { mapping: source.mapping, destination })) {
      if (batch === undefined) continue;
      batches.push([...payloadsOf(batch)]);
      madeByBatch.push(made.length);
    }

    assert.deepEqual(batches, [
      ['1', '2'],
      ['3', '4'],
    ]);
    assert.deepEqual(madeByBatch, [3, 4]);
  });

  test('and a plan that is given up ends its mapping', () => {
    let isEnded = false;
    const mapping: Mapping = function* () {
      try {
        for (;;) yield makeMessage('a');
      } finally {
        isEnded = true;
      }
    };

    for (const batch of planBatches([makeRecord(1, [])], { mapping, destination: makeDestination(limits) })) {
      if (batch !== undefined) break;
    }

    assert.ok(isEnded);
  });

  test('and there is a step for each message and for each record, between which others may have a turn', () => {
    const records = [makeRecord(1, []), makeRecord(2, [{ id: 'a' }, { id: 'b' }]), makeRecord(3, [])];

    const steps = [
      ...planBatches(records, { mapping: mappingOfWanted, destination: makeDestination() }),
    ].filter((step) => step === undefined);

    assert.equal(steps.length, 5);
  });
});

function planRecords(records: readonly (readonly Wanted[])[], limits?: BatchLimits): Plan {
  return drain(
    records.map((wanted, index) => makeRecord(index + 1, wanted)),
    { destination: makeDestination(limits) },
  );
}

function drain(
  records: readonly LogRecord[],
  {
    mapping = mappingOfWanted,
    destination = makeDestination(),
  }: { mapping?: Mapping; destination?: Destination<string> },
): Plan {
  const steps = [...planBatches(records, { mapping, destination })];
  const planned = steps.filter((step) => step !== undefined);
  return { records, planned, batches: planned.map(payloadsOf).filter(({ length }) => length > 0) };
}

/** `answers`: one for each message of the plan's batches, in their order. */
function settlementsOf({ records, planned }: Plan, answers: readonly Answer[]): readonly Settlement[] {
  const outcomes = new Outcomes(records);
  let next = 0;
  for (const batch of planned) {
    const { length } = payloadsOf(batch);
    outcomes.add(batch, answers.slice(next, next + length));
    next += length;
  }
  return outcomes.settlements();
}

/** Makes `count` messages of each record, one by one. */
function countingMapping(count: number) {
  const source = {
    /** Told of each message that is made, of all records. */
    onMade: undefined as ((made: number) => void) | undefined,
    mapping: function* () {
      for (let index = 0; index < count; index++) {
        source.onMade?.(++made);
        yield makeMessage(String(made));
      }
    } satisfies Mapping,
  };
  let made = 0;
  return source;
}

/** A record whose event carries what the mapping below makes of it. */
function makeRecord(number: number, wanted: readonly Wanted[]): LogRecord {
  const id = String(number) as EventId;
  return {
    position: String(number) as Position,
    id,
    type: 'test',
    tenantId: undefined,
    receivedAt: 0,
    verifiedBy: 'unsigned',
    body: JSON.stringify({ id, type: 'test', wanted }),
  };
}

function mappingOfWanted(body: string): readonly Message[] {
  return (reviveEvent(body)['wanted'] as readonly Wanted[]).map(({ id, ...properties }) =>
    makeMessage(id, properties),
  );
}

function throwing(error: unknown): Mapping {
  return () => {
    throw error;
  };
}

function makeMessage(id: string, properties: Omit<Wanted, 'id'> = {}): Message {
  return {
    type: 'track',
    messageId: id as MessageId,
    userId: 'u',
    event: 'test',
    context: {},
    properties: { ...properties },
  };
}

/** Sends nothing: for its `encode` and its limits. */
function makeDestination(limits: BatchLimits = { maxMessages: 100, maxBytes: 1_000 }): Destination<string> {
  return {
    name: 'test',
    limits,
    open: () => Promise.resolve(),
    encode(message) {
      const { bytes, refused } = 'properties' in message ? message.properties : {};
      return refused === true
        ? { reason: 'too_large', detail: 'It is larger than 32 KB' }
        : { payload: message.messageId, bytes: Number(bytes ?? 1) };
    },
    send: () => Promise.reject(new Error('Nothing is sent here')),
    close: () => Promise.resolve(),
  };
}

/** Message ids of the dead letters, by position. */
function deadLettersOf(settlements: readonly Settlement[]): Readonly<Record<string, string[]>> {
  return Object.fromEntries(
    settlements.flatMap((settlement) =>
      settlement.outcome === 'dead'
        ? [[settlement.position, settlement.deadLetters.map(({ messageId }) => messageId)]]
        : [],
    ),
  );
}

function allDeadLetters(settlements: readonly Settlement[]) {
  return settlements.flatMap((settlement) => (settlement.outcome === 'dead' ? settlement.deadLetters : []));
}
