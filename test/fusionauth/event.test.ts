import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { InvalidEventError, parseWebhookBody, reviveEvent } from '../../src/fusionauth/event.ts';
import type { FusionAuthEvent } from '../../src/fusionauth/event.ts';

const uuid = 'f6d3a0f8-4b8e-4d5c-9f2a-0c7a1b2c3d4e';
const minimal = { id: uuid, type: 'user.create.complete' };
/** Stands for personal data: no message may repeat it. */
const marker = '31415';

/** Text is taken as it stands, anything else as JSON. */
function parse(body: unknown): FusionAuthEvent {
  if (Buffer.isBuffer(body)) return parseWebhookBody(body);
  return parseWebhookBody(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
}

function refusalOf(body: unknown): InvalidEventError {
  try {
    parse(body);
  } catch (error) {
    assert.ok(error instanceof InvalidEventError, String(error));
    return error;
  }
  assert.fail('The body was taken for an event');
}

/** How deep a value is nested: 0 for what is neither an array nor an object. */
function depthOf(value: unknown): number {
  let level = [value];
  for (let depth = 0; ; depth++) {
    const containers = level.filter((entry) => typeof entry === 'object' && entry !== null);
    if (containers.length === 0) return depth;
    level = containers.flatMap((container) => Object.values(container) as unknown[]);
  }
}

function withoutQuotes(json: string): string {
  return json.replaceAll(/["\\]/g, '');
}

describe('what is an event', () => {
  const full = {
    ...minimal,
    createInstant: 1_767_225_600_000,
    tenantId: 'd7d09513-a3f5-401c-9685-34ab6c552453',
    info: { ipAddress: '203.0.113.42' },
    user: { id: 'c2a5f5a8-0f6e-4b63-8a39-0f7b54a2a1d0', email: 'richard@example.com', active: false },
  };
  const bodies: [string, unknown, object][] = [
    ['an event in its envelope', { event: full }, full],
    ['a bare event', full, full],
    ['an event with an id and a type alone', { event: minimal }, minimal],
    [
      'a bare event with a field named "event"',
      { ...minimal, event: 'launch' },
      { ...minimal, event: 'launch' },
    ],
    ['a body with a byte order mark', `\uFEFF${JSON.stringify({ event: full })}`, full],
    ['a body with white space around it', `\r\n\t ${JSON.stringify({ event: full })} \n`, full],
    [
      'an event of a type that nobody knows yet, with a field that nobody knows yet',
      { event: { ...minimal, type: 'user.teleport', destination: { planet: 'Mars' } } },
      { ...minimal, type: 'user.teleport', destination: { planet: 'Mars' } },
    ],
    [
      'an event without info',
      { event: { ...minimal, user: { id: '1' } } },
      { ...minimal, user: { id: '1' } },
    ],
    [
      'an event whose fields are null',
      { event: { ...minimal, createInstant: null, tenantId: null, info: null, user: null } },
      { ...minimal, createInstant: null, tenantId: null, info: null, user: null },
    ],
    [
      'an id of 64 characters',
      { event: { ...minimal, id: '~'.repeat(64) } },
      { ...minimal, id: '~'.repeat(64) },
    ],
    [
      'a type of 200 characters',
      { event: { ...minimal, type: 't'.repeat(200) } },
      { ...minimal, type: 't'.repeat(200) },
    ],
    ['an empty tenantId', { event: { ...minimal, tenantId: '' } }, { ...minimal, tenantId: '' }],
  ];
  for (const [name, body, expected] of bodies) {
    test(`${name} is taken as FusionAuth sent it`, () => {
      const event = parse(body);

      assert.deepEqual(event, expected);
    });
  }

  test('a createInstant of Long.MAX, which FusionAuth writes for "for ever", is taken', () => {
    const event = parse('{"event":{"id":"1","type":"user.action","createInstant":9223372036854775807}}');

    assert.equal(event.createInstant, 2 ** 63);
  });

  test('an event that was written is the same event when it is read back', () => {
    const event = parse({ event: full });

    const revived = reviveEvent(JSON.stringify(event));

    assert.deepEqual(revived, event);
  });
});

describe('what is no event', () => {
  const refusals: [string, unknown, string, RegExp][] = [
    ['an empty body', '', '', /empty/],
    ['a body of white space', ' \r\n\t', '', /empty/],
    ['a body that is a byte order mark alone', '\uFEFF', '', /empty/],
    ['a body that is not JSON', `event=${marker}`, '', /not JSON/],
    ['a body that is cut short', `{"event":{"id":"${marker}"`, '', /not JSON/],
    ['a body with something after its JSON', `{"event":{}} ${marker}`, '', /not JSON/],
    [
      'a body that is wrong far behind its start',
      `{"a":"${'x'.repeat(999)}",${marker}}`,
      '',
      /not JSON.*position 1007/,
    ],
    ['a body whose text looks like an error’s place', `x at position ${marker}`, '', /not JSON/],
    ['a body in UTF-16', Buffer.from(`{"event":{"id":"${marker}"}}`, 'utf16le'), '', /not JSON/],
    ['an array', [marker], '', /JSON object, not an array/],
    ['null', 'null', '', /JSON object, not null/],
    ['a text', `"${marker}"`, '', /JSON object, not a string/],
    ['a number', marker, '', /JSON object, not a number/],
    ['a boolean', 'true', '', /JSON object, not a boolean/],
    ['an object without event, id and type', { name: marker }, 'id', /id is missing/],
    ['an event that is null', { event: null, name: marker }, 'event', /event must be an object, not null/],
    ['an event that is an array', { event: [marker] }, 'event', /event must be an object, not an array/],
    ['an event that is a text', { event: marker }, 'event', /event must be an object, not a string/],

    ['an event without an id', { event: { type: marker } }, 'event.id', /^event\.id is missing$/],
    ['an event without a type', { event: { id: marker } }, 'event.type', /^event\.type is missing$/],
    ['a bare event without an id', { type: marker }, 'id', /^id is missing$/],
    ['a bare event without a type', { id: marker }, 'type', /^type is missing$/],
    ['an id that is null', { event: { ...minimal, id: null } }, 'event.id', /must be a string, not null/],
    ['an id that is a number', { event: { ...minimal, id: Number(marker) } }, 'event.id', /not a number/],
    ['an id that is an object', { event: { ...minimal, id: { marker } } }, 'event.id', /not an object/],
    ['an id that is an array', { event: { ...minimal, id: [marker] } }, 'event.id', /not an array/],
    ['an empty id', { event: { ...minimal, id: '' } }, 'event.id', /event\.id is empty/],
    ['an id of 65 characters', { event: { ...minimal, id: marker.padEnd(65, 'x') } }, 'event.id', /1 to 64/],
    [
      'an id of a million characters',
      { event: { ...minimal, id: marker.repeat(1e5) } },
      'event.id',
      /1 to 64/,
    ],
    ['an id with a space', { event: { ...minimal, id: `${marker} 1` } }, 'event.id', /printable ASCII/],
    ['an id with a line end', { event: { ...minimal, id: `${marker}\n` } }, 'event.id', /printable ASCII/],
    ['an id with a NUL', { event: { ...minimal, id: `${marker}\0` } }, 'event.id', /printable ASCII/],
    ['an id with an umlaut', { event: { ...minimal, id: `${marker}ü` } }, 'event.id', /printable ASCII/],
    [
      'an id with half a character',
      { event: { ...minimal, id: `${marker}\ud83d` } },
      'event.id',
      /printable/,
    ],
    [
      'a type that is a number',
      { event: { ...minimal, type: Number(marker) } },
      'event.type',
      /not a number/,
    ],
    ['a type that is null', { event: { ...minimal, type: null, marker } }, 'event.type', /not null/],
    ['an empty type', { event: { ...minimal, type: '', marker } }, 'event.type', /event\.type is empty/],
    ['a type of 201 characters', { event: { ...minimal, type: marker.padEnd(201) } }, 'event.type', /200/],

    [
      'a createInstant as text',
      { event: { ...minimal, createInstant: marker } },
      'event.createInstant',
      /number/,
    ],
    [
      'a createInstant as object',
      { event: { ...minimal, createInstant: {} } },
      'event.createInstant',
      /number/,
    ],
    [
      'a createInstant as boolean',
      { event: { ...minimal, createInstant: true } },
      'event.createInstant',
      /number/,
    ],
    ['a tenantId as number', { event: { ...minimal, tenantId: 31415 } }, 'event.tenantId', /a string/],
    ['a tenantId as array', { event: { ...minimal, tenantId: [marker] } }, 'event.tenantId', /a string/],
    ['an info as array', { event: { ...minimal, info: [marker] } }, 'event.info', /an object, not an array/],
    ['an info as text', { event: { ...minimal, info: marker } }, 'event.info', /an object, not a string/],
    ['a user as array', { event: { ...minimal, user: [marker] } }, 'event.user', /an object, not an array/],
    ['a user as text', { event: { ...minimal, user: marker } }, 'event.user', /an object, not a string/],
    ['a bare event’s user as number', { ...minimal, user: 31415 }, 'user', /^user must be an object/],
  ];
  for (const [name, body, path, message] of refusals) {
    test(`${name} is refused with the place and the reason, and without its text`, () => {
      const refusal = refusalOf(body);

      assert.equal(refusal.code, 'EVENT_INVALID');
      assert.equal(refusal.path, path);
      assert.match(refusal.message, message);
      assert.ok(!refusal.message.includes(marker), refusal.message);
    });
  }

  test('an id and a type that a prototype would bring are none', () => {
    const bare = refusalOf('{"__proto__":{"id":"1","type":"user.create.complete"}}');
    const enveloped = refusalOf('{"event":{"__proto__":{"id":"1","type":"user.create.complete"}}}');

    assert.deepEqual([bare.path, enveloped.path], ['id', 'event.id']);
  });
});

describe('a hostile body', () => {
  const levels = 50_000;
  const nests: [string, string][] = [
    ['arrays', '['.repeat(levels) + ']'.repeat(levels)],
    ['objects', '{"a":'.repeat(levels - 1) + '{}' + '}'.repeat(levels - 1)],
  ];
  for (const [name, nest] of nests) {
    for (const field of ['user.data', 'info', 'someField']) {
      test(`${levels} levels of ${name} in ${field} are kept, the deeper ones as text`, () => {
        const [outer = '', inner] = field.split('.');
        const held = inner === undefined ? `{"held":${nest}}` : `{"${inner}":${nest}}`;

        const sent = `{"id":"1","type":"t","${outer}":${held}}`;

        const event = parse(`{"event":${sent}}`);

        assert.equal(depthOf(event), 100);
        const text = JSON.stringify(event);
        assert.equal(withoutQuotes(text), withoutQuotes(sent));
        assert.equal(JSON.stringify(reviveEvent(text)), text);
      });
    }

    test(`${levels} levels of ${name} as the body are refused`, () => {
      const refusal = refusalOf(nest);

      assert.equal(refusal.path, name === 'arrays' ? '' : 'id');
    });
  }

  // The event is level 1, `someField` level 2.
  const deepest: [number, string][] = [
    [100, '[]'],
    [101, '"[]"'],
  ];
  for (const [depth, expected] of deepest) {
    test(`what stands at level ${depth} of an event is kept as ${expected}`, () => {
      const nested = (core: string) => '['.repeat(depth - 2) + core + ']'.repeat(depth - 2);

      const event = parse(`{"id":"1","type":"t","someField":${nested('[]')}}`);

      assert.equal(JSON.stringify(event), `{"id":"1","type":"t","someField":${nested(expected)}}`);
    });
  }

  test('an envelope in an envelope, 50,000 times, is refused', () => {
    const refusal = refusalOf('{"event":'.repeat(levels) + '{}' + '}'.repeat(levels));

    assert.equal(refusal.path, 'event.id');
  });

  test('keys named __proto__ and constructor are kept as keys and change no prototype', () => {
    const evil = '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}},"toString":"x"}';
    const text = `{"id":"1","type":"t","__proto__":${evil},"constructor":${evil},"user":{"data":${evil}}}`;

    const event = parse(`{"event":${text}}`);

    assert.equal(JSON.stringify(event), text);
    assert.equal(Object.getPrototypeOf(event), Object.prototype);
    assert.equal(event['isAdmin'], undefined);
    assert.equal(({} as { isAdmin?: unknown }).isAdmin, undefined);
    assert.equal(typeof {}.toString, 'function');
  });

  test('a key named __proto__ at the deepest level is kept as a key', () => {
    const nested = '{"a":'.repeat(98) + '{"__proto__":{"isAdmin":true}}' + '}'.repeat(98);

    const event = parse(`{"id":"1","type":"t","someField":${nested}}`);

    assert.match(JSON.stringify(event), /"__proto__":"\{\\"isAdmin\\":true\}"/);
    assert.equal(({} as { isAdmin?: unknown }).isAdmin, undefined);
  });

  const texts: [string, string, string][] = [
    ['half a character', '"\\ud83d"', '\ud83d'],
    ['the halves of a character in the wrong order', '"\\ude00\\ud83d"', '\ude00\ud83d'],
    ['a NUL', '"a\\u0000b"', 'a\0b'],
    ['U+2028', '"a\u2028b"', 'a\u2028b'],
  ];
  for (const [name, json, expected] of texts) {
    test(`${name} in a text is kept, and can be written and read back`, () => {
      const event = parse(`{"id":"1","type":"t","user":{"data":{"text":${json}}}}`);

      assert.deepEqual(event.user, { data: { text: expected } });
      assert.deepEqual(reviveEvent(JSON.stringify(event)), event);
    });
  }

  test('bytes that are no UTF-8 become the replacement character', () => {
    const body = Buffer.from('{"id":"1","type":"t","text":"??"}');
    body.fill(0xff, body.indexOf('??'), body.indexOf('??') + 1);

    const event = parse(body);

    assert.equal(event['text'], '\ufffd?');
  });

  test('a number that is too large for JavaScript is taken, and can be written', () => {
    const event = parse('{"id":"1","type":"t","createInstant":1e999}');

    assert.equal(JSON.stringify(event), '{"id":"1","type":"t","createInstant":null}');
  });
});

describe('whatever comes', () => {
  /** Any UTF-16 unit: half a character too, as JSON may hold one. */
  const unit = fc.nat(0xffff).map((code) => String.fromCharCode(code));
  const json = fc.jsonValue({ stringUnit: unit });
  const eventLike = fc.record(
    {
      id: fc.oneof(fc.uuid(), fc.string({ unit }), json),
      type: fc.oneof(fc.constant('user.update.complete'), fc.string(), json),
      createInstant: fc.oneof(fc.integer(), fc.double(), json),
      tenantId: fc.oneof(fc.uuid(), json),
      info: fc.oneof(fc.dictionary(fc.string(), json), json),
      user: fc.oneof(fc.dictionary(fc.string(), json), json),
      somethingElse: json,
    },
    { requiredKeys: [] },
  );

  /** The event, or undefined where the body was refused. Any other error is a fault. */
  function tryParse(body: Buffer): FusionAuthEvent | undefined {
    try {
      return parseWebhookBody(body);
    } catch (error) {
      if (error instanceof InvalidEventError) return undefined;
      throw error;
    }
  }

  function assertEvent(event: FusionAuthEvent | undefined): void {
    if (event === undefined) return;
    assert.match(event.id, /^[!-~]{1,64}$/);
    assert.ok(event.type !== '' && event.type.length <= 200);
    const text = JSON.stringify(event);
    assert.equal(JSON.stringify(reviveEvent(text)), text);
  }

  test('any JSON is an event that can be written and read back, or is refused', () => {
    const bodies = fc.oneof(
      json,
      eventLike,
      eventLike.map((event) => ({ event })),
    );
    fc.assert(
      fc.property(bodies, (body) => assertEvent(tryParse(Buffer.from(JSON.stringify(body))))),
      {
        numRuns: 1_000,
      },
    );
  });

  test('any event at any depth can be written', () => {
    const nests = fc.tuple(
      fc.nat(8_000),
      fc.constantFrom(['[', ']'] as const, ['{"a":', '}'] as const),
      json,
    );
    fc.assert(
      fc.property(nests, ([levels, [open, close], core]) => {
        const nest = open.repeat(levels) + JSON.stringify(core) + close.repeat(levels);

        const event = parse(`{"id":"1","type":"t","someField":${nest}}`);

        assert.ok(depthOf(event) <= 100);
        assertEvent(event);
      }),
      { numRuns: 50 },
    );
  });

  test('any bytes are an event or are refused', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => assertEvent(tryParse(Buffer.from(bytes)))));
  });

  test('an event cut anywhere is refused', () => {
    const body = Buffer.from(JSON.stringify({ event: { ...minimal, user: { email: 'jörg@example.com' } } }));
    fc.assert(
      fc.property(fc.nat(body.length - 1), (length) => {
        assert.equal(tryParse(body.subarray(0, length)), undefined);
      }),
    );
  });
});
