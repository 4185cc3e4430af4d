import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { planDelivery, settlementsOf } from '../../src/delivery/plan.ts';
import type { DeliveryPlan } from '../../src/delivery/plan.ts';
import { accepted } from '../../src/destinations/destination.ts';
import type { Answer, BatchLimits, Destination } from '../../src/destinations/destination.ts';
import { reviveEvent } from '../../src/fusionauth/event.ts';
import type { EventId } from '../../src/fusionauth/event.ts';
import type { LogRecord, Position } from '../../src/log/log.ts';
import type { Mapping } from '../../src/mapping/map.ts';
import type { Message, MessageId } from '../../src/segment/message.ts';

/** What a test wants of one message of a record. */
interface Wanted {
  readonly id: string;
  readonly bytes?: number;
  /** The destination can never take it. */
  readonly refused?: boolean;
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

      const plan = planDelivery(records, { mapping: failsForSecond, destination: makeDestination() });
      const settlements = settlementsOf(plan, [accepted]);

      assert.deepEqual(plan.batches, [['b']]);
      assert.deepEqual(
        settlements.map(({ outcome }) => outcome),
        ['filtered', 'dead', 'delivered'],
      );
      const [deadLetter, ...others] = settlements.flatMap((settlement) =>
        settlement.outcome === 'dead' ? settlement.deadLetters : [],
      );
      assert.deepEqual(others, []);
      assert.partialDeepStrictEqual(deadLetter, { reason: 'mapping_failed', message: '' });
      assert.match(deadLetter?.detail ?? '', detail);
    });
  }

  test('is dead where its mapping fails half way, and none of its messages is sent', () => {
    const mapping = function* (): Generator<Message> {
      yield makeMessage('a');
      throw new Error('half way');
    } as unknown as Mapping;

    const plan = planDelivery([makeRecord(1, [])], { mapping, destination: makeDestination() });

    assert.deepEqual(plan.batches, []);
    assert.deepEqual(
      settlementsOf(plan, []).map(({ outcome }) => outcome),
      ['dead'],
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

  planDelivery(records, { mapping: mappingOfWanted, destination });

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
      const sent = plan.batches.flat();
      const answers = sent.map(() => (isAccepted.next().value === true ? accepted : rejected));
      const settlements = settlementsOf(plan, answers);

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
          new Set(deadLettersOf(settlements)[index + 1] ?? []),
          new Set(dead.map(({ id }) => id)),
        );
      }
    }),
  );
});

function planRecords(
  records: readonly (readonly Wanted[])[],
  limits: BatchLimits = { maxMessages: 100, maxBytes: 1_000 },
): DeliveryPlan<string> {
  return planDelivery(
    records.map((wanted, index) => makeRecord(index + 1, wanted)),
    { mapping: mappingOfWanted, destination: makeDestination(limits) },
  );
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
function deadLettersOf(settlements: ReturnType<typeof settlementsOf>): Readonly<Record<string, string[]>> {
  return Object.fromEntries(
    settlements.flatMap((settlement) =>
      settlement.outcome === 'dead'
        ? [[settlement.position, settlement.deadLetters.map(({ messageId }) => messageId)]]
        : [],
    ),
  );
}
