// Bodies that FusionAuth would never send: samples of all types with values that hurt, any JSON, and what is no JSON.

import fc from 'fast-check';
import { catalogue } from '../../src/fusionauth/catalogue.ts';
import { sampleEvent } from '../../src/fusionauth/samples.ts';
import type { Seeded } from './seeded.ts';

type Container = Record<string, unknown>;

const identity = {
  eventId: 'f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e',
  userId: 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0',
  createInstant: 1_767_225_600_000,
};
const samples = catalogue.map(({ type }) =>
  JSON.stringify(sampleEvent(type, identity, { withSecrets: true })),
);

const names = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'toJSON', 'then', 'length', ''],
  ...[
    'id',
    'type',
    'user',
    'event',
    'info',
    'data',
    'email',
    'tenantId',
    'createInstant',
    'password',
    'registrations',
  ],
  ...[
    '\u0000',
    '\ud800',
    'a.b',
    'a b',
    '$',
    '0',
    '-1',
    'ß',
    '🙂',
    '\u202e',
    'x'.repeat(300),
    '"',
    '\\',
    "';drop table",
  ],
];
const values: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 1.5, 1e21, 5e-324, 1.7976931348623157e308, 2 ** 53, 2 ** 63, -(2 ** 63)],
  ...[
    '',
    ' ',
    '\u0000',
    '\ud800',
    '\udfff\ud800',
    '\ufeff',
    '\u2028',
    '🙂'.repeat(50),
    'a'.repeat(5_000),
    'NaN',
  ],
  ...[
    '__proto__',
    '9223372036854775807',
    '2026-02-30T99:99:99Z',
    '${jndi:ldap://x}',
    "'; drop table records; --",
  ],
  ...[
    [],
    {},
    [[]],
    [null],
    [{}],
    { length: -1 },
    { toString: null },
    { toJSON: 1 },
    { valueOf: 'x' },
    { then: {} },
  ],
];
/** JSON that JSON.stringify does not write. */
const oddJson = [
  ...[
    '1e400',
    '-1e400',
    '1e-400',
    '-0',
    '123456789012345678901234567890',
    `0.${'9'.repeat(500)}`,
    '9'.repeat(400),
  ],
  ...[
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    '"\\/"',
    '{"__proto__":{"isAdmin":true}}',
    '{"a":1,"a":2,"a":{}}',
  ],
];
const noJson = [
  ...[
    '',
    ' ',
    '\n\t\r ',
    '\u0000',
    '{',
    '[',
    '"',
    '{"event":',
    'null',
    'true',
    '0',
    '""',
    '[]',
    '{}',
    '{"event":null}',
  ],
  ...[
    '{"event":[]}',
    '{"event":{}}',
    '{"event":{"id":1,"type":"x"}}',
    "{'event':{}}",
    '{"event":{},}',
    'NaN',
    '01',
  ],
  ...[
    '{"event":{"id":"a","type":"b"}} x',
    '<event/>',
    'event=1',
    '\ufeff',
    '\ufeff{}',
    '{"id":"","type":""}',
    '//',
  ],
];

/** Any JSON, made by fast-check: a pool to take from, since making each alone would take longer than all else. */
export function jsonPool(seed: number, count = 400): readonly string[] {
  const options = { maxDepth: 3 } as const;
  const objects = fc.object({
    maxDepth: 2,
    maxKeys: 6,
    key: fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom(...names)),
    values: [fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)],
  });
  return fc
    .sample(fc.oneof(fc.jsonValue(options), objects), { seed, numRuns: count })
    .map((value) => JSON.stringify(value));
}

/** One body; its event's id is this one, where it has one at all. */
export function hostileBody(random: Seeded, id: string, pool: readonly string[]): Buffer {
  const kind = random.next();
  if (kind < 0.45) return Buffer.from(mutatedSample(random, id, pool));
  if (kind < 0.6) return Buffer.from(anyEvent(random, id, pool));
  if (kind < 0.9) return brokenText(random, Buffer.from(mutatedSample(random, id, pool)));
  if (kind < 0.96) return Buffer.from(random.pick(noJson));
  if (kind < 0.9985) return Buffer.from(nested(random, id, random.int(1, 3_000)));
  return Buffer.from(random.chance(0.5) ? nested(random, id, random.int(3_000, 300_000)) : large(random, id));
}

function mutatedSample(random: Seeded, id: string, pool: readonly string[]): string {
  const event = JSON.parse(random.pick(samples)) as Container;
  event['id'] = id;
  const odd: string[] = [];
  for (let mutations = random.int(0, 4); mutations > 0; mutations--) {
    const { container, key } = placeIn(random, event);
    const choice = random.next();
    if (choice < 0.35) container[key] = structuredClone(random.pick(values));
    else if (choice < 0.6) container[key] = JSON.parse(random.pick(pool));
    else if (choice < 0.7) Reflect.deleteProperty(container, key);
    else if (choice < 0.85 && !Array.isArray(container))
      defineName(container, random.pick(names), container[key]);
    else {
      const json = random.pick(oddJson);
      container[key] = `odd:${odd.push(json) - 1}`;
    }
  }
  const text = JSON.stringify(random.chance(0.8) ? { event } : event);
  return text.replaceAll(/"odd:(\d+)"/g, (_, index: string) => odd[Number(index)] ?? 'null');
}

function anyEvent(random: Seeded, id: string, pool: readonly string[]): string {
  const fields = Array.from({ length: random.int(0, 6) }, () => {
    const value = random.chance(0.3) ? random.pick(oddJson) : random.pick(pool);
    return `${JSON.stringify(random.pick(names))}:${value}`;
  });
  const type = JSON.stringify(
    random.chance(0.7) ? (JSON.parse(random.pick(samples)) as { type: string }).type : random.pick(values),
  );
  const event = `{"id":${JSON.stringify(id)},"type":${type}${fields.map((field) => `,${field}`).join('')}}`;
  return random.chance(0.8) ? `{"event":${event}}` : event;
}

/** Bytes changed, cut, doubled, put in between: broken JSON, broken UTF-8. */
function brokenText(random: Seeded, text: Buffer): Buffer {
  let body = text;
  for (let mutations = random.int(1, 3); mutations > 0; mutations--) {
    const at = random.int(0, Math.max(body.length - 1, 0));
    const end = Math.min(at + random.int(0, 50), body.length);
    const choice = random.next();
    if (choice < 0.2)
      body = Buffer.concat([body.subarray(0, at), random.bytes(random.int(1, 4)), body.subarray(at)]);
    else if (choice < 0.4) body = Buffer.concat([body.subarray(0, at), body.subarray(end)]);
    else if (choice < 0.55) body = body.subarray(0, at);
    else if (choice < 0.7) body = Buffer.concat([body.subarray(0, end), body.subarray(at)]);
    else if (choice < 0.8)
      body = Buffer.concat([Buffer.from('\ufeff \n'), body, Buffer.from(' \t\r\n\u0000')]);
    else if (choice < 0.9)
      body = Buffer.concat([body.subarray(0, at), random.pick(brokenUtf8), body.subarray(at)]);
    else body = Buffer.concat([body.subarray(0, at), Buffer.from(random.pick(oddJson)), body.subarray(end)]);
  }
  return body;
}

/** A cut sequence, an overlong one, a surrogate, beyond Unicode, bytes that are none, UTF-16. */
const brokenUtf8 = ['c3', 'c080', 'eda080', 'f4908080', 'ff', 'fffe7b00', '80', 'e282'].map((hex) =>
  Buffer.from(hex, 'hex'),
);

function nested(random: Seeded, id: string, depth: number): string {
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
    ['[{"data":', '}]'],
    ['{"__proto__":', '}'],
  ] as const);
  const isClosed = random.chance(0.9);
  const value = `${open.repeat(depth)}1${isClosed ? close.repeat(depth) : ''}`;
  const field = random.pick(['user', 'data', 'info', 'x']);
  return `{"event":{"id":${JSON.stringify(id)},"type":"user.update.complete","${field}":${field === 'x' ? value : `{"data":${value}}`}}}`;
}

/** Up to some megabytes: long lists, long texts, many names. */
function large(random: Seeded, id: string): string {
  const count = random.int(10_000, 200_000);
  const value = random.pick([
    () => `[${'1,'.repeat(count)}1]`,
    () => JSON.stringify('é'.repeat(count)),
    () => `{${Array.from({ length: count / 10 }, (_, index) => `"k${index}":${index}`).join(',')}}`,
    () => `[${'{},'.repeat(count)}{}]`,
    () => JSON.stringify('\u0001'.repeat(count)),
  ])();
  return `{"event":{"id":${JSON.stringify(id)},"type":"user.update.complete","user":{"id":"u","data":{"a":${value}}}}}`;
}

/** A place in the event, anywhere. */
function placeIn(random: Seeded, event: Container): { container: Container; key: string } {
  let container = event;
  for (;;) {
    const keys = Object.keys(container);
    const key = keys.length === 0 ? 'x' : random.pick(keys);
    const value = container[key];
    if (typeof value !== 'object' || value === null || random.chance(0.3)) return { container, key };
    container = value as Container;
  }
}

/** Also `__proto__`, which an assignment would take for something else. */
function defineName(container: Container, name: string, value: unknown): void {
  Object.defineProperty(container, name, { value, enumerable: true, configurable: true, writable: true });
}
