// Requests that FusionAuth would never send: heads, signatures, lengths and pieces in every kind of wrongness around a
// hostile body. The same seed and number give the same bytes.

import { createHmac, hash } from 'node:crypto';
import { signBody } from '../../src/fusionauth/sign.ts';
import { signWithSecret } from './fusionauth.ts';
import { hostileBody } from './hostile-bodies.ts';
import { Seeded } from './seeded.ts';

export interface HostileRequest {
  /** For the report of a failure. */
  readonly what: string;
  /** Written one after the other, with a pause between. */
  readonly pieces: readonly Buffer[];
  readonly pauseMs: number;
  /** Of a request as HTTP wants it: a connection can go on after its answers. Undefined where nobody can tell. */
  readonly answers: number | undefined;
  /** How the sender ends a connection that cannot go on. */
  readonly ends: 'half-close' | 'reset' | 'wait';
}

export interface HostileOptions {
  readonly seed: number;
  readonly secret: string;
  readonly pool: readonly string[];
}

type Maker = (random: Seeded, body: Buffer, options: HostileOptions) => Omit<HostileRequest, 'what'>;

/** The request of this number. */
export function hostileRequest(number: number, options: HostileOptions): HostileRequest {
  const random = new Seeded(options.seed, number);
  const body = hostileBody(random, hostileId(random, number, options.seed), options.pool);
  const choice = random.next();
  const [what, make] =
    choice < 0.72
      ? (['well-formed', wellFormed] as const)
      : choice < 0.82
        ? (['signature', wrongSignature] as const)
        : choice < 0.9
          ? (['head', oddHead] as const)
          : random.pick(oddities);
  return { what, ...make(random, body, options) };
}

function hostileId(random: Seeded, number: number, seed: number): string {
  const choice = random.next();
  // Again the id of one before: a duplicate, or an event that was refused.
  if (choice < 0.05) return `h${seed}-${Math.max(number - random.int(1, 500), 0)}`;
  if (choice < 0.08)
    return random.pick(['', ' ', 'x'.repeat(64), 'x'.repeat(65), 'é', '\u0000', 'a\nb', '__proto__', '"']);
  return `h${seed}-${number}`;
}

const jsonType = 'Content-Type: application/json';

function head(lines: readonly string[], start = 'POST /webhook HTTP/1.1'): Buffer {
  // Latin-1, so that a header can hold any byte.
  return Buffer.from(`${[start, 'Host: bridge', ...lines].join('\r\n')}\r\n\r\n`, 'latin1');
}

function signed(body: Buffer, { secret }: HostileOptions): string {
  // `signBody` takes text, which a hostile body need not be.
  const token = body.equals(Buffer.from(body.toString()))
    ? signBody(body.toString(), secret)
    : signWithSecret(body, secret);
  return `X-FusionAuth-Signature-JWT: ${token}`;
}

const lengthOf = (body: Buffer) => `Content-Length: ${body.length}`;

function whole(...parts: readonly Buffer[]): Omit<HostileRequest, 'what'> {
  return { pieces: [Buffer.concat(parts)], pauseMs: 0, answers: 1, ends: 'wait' };
}

const wellFormed: Maker = (random, body, options) => {
  const lines = [jsonType, signed(body, options)];
  if (random.chance(0.25))
    return {
      ...whole(),
      pieces: inPieces(
        random,
        Buffer.concat([head([...lines, 'Transfer-Encoding: chunked']), chunked(random, body)]),
      ),
    };
  const request = Buffer.concat([head([...lines, lengthOf(body)]), body]);
  return { ...whole(), pieces: random.chance(0.2) ? inPieces(random, request) : [request] };
};

const wrongSignature: Maker = (random, body, { secret }) => {
  const token = random.pick<() => string>([
    () => '',
    () => 'a.b.c',
    () => '...',
    () =>
      random
        .bytes(random.int(1, 60))
        .toString('latin1')
        .replaceAll(/[^\x20-\x7e\x80-\xff]/g, 'x'),
    () => signWithSecret(body, 'another secret that is long enough'),
    () => signWithSecret(Buffer.concat([body, Buffer.from(' ')]), secret),
    () =>
      signWithSecret(body, secret, 'HS256', {
        header: { alg: random.pick(['none', 'RS256', 'ES256', 'HS1', '', 'hs256', '__proto__']) },
      }),
    () => signWithSecret(body, secret, 'HS256', { header: { crit: ['b64'], b64: false } }),
    () =>
      signWithSecret(body, secret, 'HS256', {
        header: { kid: '../../../dev/null', jku: 'http://127.0.0.1:1/', jwk: {} },
      }),
    () =>
      signWithSecret(body, secret, 'HS256', {
        payload: random.pick([
          null,
          [],
          1,
          'x',
          {},
          { request_body_sha256: null },
          { request_body_sha256: {} },
          { request_body_sha256: '' },
          { request_body_sha256: '!' },
          { request_body_sha256: hash('sha256', body, 'base64url') },
        ]),
      }),
    () => signWithSecret(body, secret).slice(0, -random.int(1, 40)),
    () => `${signWithSecret(body, secret)}.`,
    () => `${signWithSecret(body, secret)}, ${signWithSecret(body, secret)}`,
    () => signWithSecret(body, secret, random.pick(['HS384', 'HS512'])),
    () =>
      unsignedJson(
        random.pick(['[]', 'null', '{', '{"alg":1}', '{"alg":["HS256"]}', '"HS256"', '\u0000']),
        secret,
      ),
    () => 'x'.repeat(random.int(1_000, 12_000)),
  ])();
  const lines = [jsonType, `X-FusionAuth-Signature-JWT: ${token}`, lengthOf(body)];
  if (random.chance(0.1)) lines.splice(1, 1);
  // Refused before its body is read, a connection may be closed upon its sender.
  return { ...whole(head(lines), body), answers: undefined };
};

function unsignedJson(header: string, secret: string): string {
  const input = `${Buffer.from(header).toString('base64url')}.e30`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

const oddHead: Maker = (random, body, options) => {
  const lines = [jsonType, signed(body, options), lengthOf(body)];
  const replace = (index: number, ...by: string[]) => lines.splice(index, 1, ...by);
  let start = 'POST /webhook HTTP/1.1';
  random.pick<() => unknown>([
    () => replace(0),
    () =>
      replace(
        0,
        `Content-Type: ${random.pick(['text/plain', 'application/jsonx', 'application/json;', 'application/json; charset=utf-16', 'APPLICATION/JSON', 'multipart/form-data; boundary=x', '', ';', 'application/json, text/plain', '*/*', 'x'.repeat(3_000)])}`,
      ),
    () => lines.push('Content-Type: text/plain'),
    () => lines.push(`Content-Encoding: ${random.pick(['gzip', 'identity', 'deflate, br', '', 'x'])}`),
    () => lines.push('Host: other'),
    () => lines.push(`X-Huge: ${'h'.repeat(random.int(8_000, 40_000))}`),
    () => lines.push(...Array.from({ length: random.int(50, 2_500) }, (_, index) => `X-${index}: ${index}`)),
    () => lines.push(lines[1] ?? ''),
    () => lines.push('Expect: 100-continue'),
    () => lines.push('Expect: 200-maybe'),
    () => lines.push('Connection: close'),
    () => lines.push('Connection: upgrade', `Upgrade: ${random.pick(['websocket', 'h2c', 'TLS/1.0'])}`),
    () => lines.push(`X-Odd: ${random.bytes(random.int(1, 30)).toString('latin1')}`),
    () => lines.push(' folded: x'),
    () => lines.push('No colon here'),
    () => lines.push(': no name'),
    () =>
      lines.push(
        'X-Forwarded-For: 127.0.0.1',
        'X-HTTP-Method-Override: DELETE',
        '__proto__: x',
        'constructor: y',
      ),
    () =>
      (start = `${random.pick(['GET', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'HEAD', 'PATCH', 'post', 'POSTPOST', 'PRI', 'M-SEARCH'])} /webhook HTTP/1.1`),
    () =>
      (start = `POST ${random.pick(['/', '/webhook/', '//webhook', '/webhook?a=%00', '/%77ebhook', '/%', '/%ff', '/../webhook', 'http://bridge/webhook', '*', '/webhook#x', '/api/status', '/metrics', `/${'p'.repeat(9_000)}`, '/webhook\u00ff', '/api/replays', '/api/dead-letters/discard'])} HTTP/1.1`),
    () =>
      (start = `POST /webhook ${random.pick(['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1', 'http/1.1', 'HTTPS/1.1', '', 'HTTP/11.1'])}`),
  ])();
  return {
    pieces: [Buffer.concat([head(lines, start), body])],
    pauseMs: 0,
    answers: undefined,
    ends: random.pick(['half-close', 'wait']),
  };
};

const unending = (random: Seeded, ...parts: readonly Buffer[]): Omit<HostileRequest, 'what'> => ({
  pieces: [Buffer.concat(parts)],
  pauseMs: 0,
  answers: undefined,
  ends: random.pick(['half-close', 'reset', 'wait'] as const),
});

const oddities: readonly (readonly [string, Maker])[] = [
  [
    'length',
    (random, body, options) => {
      const length = random.pick([
        0,
        1,
        body.length - 1,
        body.length + 1,
        body.length + 1_000,
        -1,
        '',
        'abc',
        '+5',
        '0x10',
        '1e3',
        '5,5',
        '5 5',
        '9'.repeat(20),
        '99999999999',
        20_971_521,
      ]);
      return unending(random, head([jsonType, signed(body, options), `Content-Length: ${length}`]), body);
    },
  ],
  [
    'two lengths',
    (random, body, options) =>
      unending(
        random,
        head([
          jsonType,
          signed(body, options),
          lengthOf(body),
          `Content-Length: ${random.pick([body.length, 0, body.length + 1])}`,
        ]),
        body,
      ),
  ],
  [
    // CL.TE, TE.CL and TE.TE: a second request inside the body of the first.
    'smuggling',
    (random, body, options) => {
      const inner = Buffer.concat([head([jsonType, signed(body, options), lengthOf(body)]), body]);
      const coding = random.pick([
        'Transfer-Encoding: chunked',
        'Transfer-Encoding : chunked',
        'Transfer-Encoding: xchunked',
        'Transfer-Encoding: gzip, chunked',
        'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
        'Transfer-Encoding:\tchunked',
        'Transfer-Encoding: chunked, identity',
        'X: y\nTransfer-Encoding: chunked',
        'Transfer-Encoding\r\n : chunked',
      ]);
      const outer = Buffer.concat([Buffer.from('0\r\n\r\n'), inner]);
      const length = random.pick([4, 5, outer.length, outer.length + 5, 0]);
      return unending(
        random,
        head([jsonType, signed(outer, options), `Content-Length: ${length}`, coding]),
        outer,
      );
    },
  ],
  [
    'bad chunks',
    (random, body, options) => {
      const chunk = random.pick([
        `${body.length.toString(16)}\n`,
        '-1\r\n',
        'g\r\n',
        `${'f'.repeat(17)}\r\n`,
        '7fffffffffffffff\r\n',
        ' 5\r\n',
        '5 \r\n',
        '0x5\r\n',
        '5;a="\r\n"\r\n',
        `5;${'e'.repeat(20_000)}\r\n`,
        '\r\n',
        `${(body.length + 5).toString(16)}\r\n`,
      ]);
      const end = random.pick([
        '\r\n0\r\n\r\n',
        '0\r\n\r\n',
        '\r\n0\r\nX: y\r\nContent-Length: 5\r\n\r\n',
        '\r\n0\r\n',
        '\r\n',
      ]);
      return unending(
        random,
        head([jsonType, signed(body, options), 'Transfer-Encoding: chunked']),
        Buffer.from(chunk),
        body,
        Buffer.from(end),
      );
    },
  ],
  [
    'cut in the middle',
    (random, body, options) => {
      const request = Buffer.concat([head([jsonType, signed(body, options), lengthOf(body)]), body]);
      return {
        ...unending(random, request.subarray(0, random.int(0, request.length - 1))),
        ends: random.pick(['half-close', 'reset']),
      };
    },
  ],
  [
    'gone before the answer',
    (_, body, options) => ({
      pieces: [Buffer.concat([head([jsonType, signed(body, options), lengthOf(body)]), body])],
      pauseMs: 0,
      answers: undefined,
      ends: 'reset',
    }),
  ],
  [
    'pipeline',
    (random, body, options) => {
      const one = Buffer.concat([head([jsonType, signed(body, options), lengthOf(body)]), body]);
      const count = random.int(2, 12);
      const rest = random.chance(0.2) ? [random.bytes(random.int(1, 40))] : [];
      return {
        ...whole(...Array.from({ length: count }, () => one), ...rest),
        answers: rest.length > 0 ? undefined : count,
      };
    },
  ],
  [
    'HTTP/1.0',
    (random, body, options) =>
      unending(
        random,
        head(
          [jsonType, signed(body, options), random.chance(0.7) ? lengthOf(body) : 'Connection: keep-alive'],
          'POST /webhook HTTP/1.0',
        ),
        body,
      ),
  ],
  [
    'bare LF',
    (random, body, options) =>
      unending(
        random,
        Buffer.from(
          head([jsonType, signed(body, options), lengthOf(body)])
            .toString('latin1')
            .replaceAll('\r\n', random.pick(['\n', '\r', '\n\r', '\r\r\n'])),
          'latin1',
        ),
        body,
      ),
  ],
  [
    'no HTTP',
    (random) =>
      unending(
        random,
        random.pick([
          random.bytes(random.int(1, 400)),
          Buffer.from('160301020001000001fc0303', 'hex'),
          Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
          Buffer.from('\r\n\r\n\r\n'),
          Buffer.from('SSH-2.0-x\r\n'),
          Buffer.alloc(30_000, 'a'),
          Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc'),
        ]),
      ),
  ],
  [
    'slow',
    (random, body, options) => {
      const request = Buffer.concat([
        head([jsonType, signed(body, options), lengthOf(body)]),
        body.subarray(0, 2_000),
      ]);
      const count = random.int(3, 30);
      const size = Math.ceil(request.length / count);
      const pieces = Array.from({ length: count }, (_, index) =>
        request.subarray(index * size, (index + 1) * size),
      );
      return {
        pieces,
        pauseMs: random.int(5, 60),
        answers: undefined,
        ends: random.pick(['half-close', 'reset', 'wait']),
      };
    },
  ],
];

function chunked(random: Seeded, body: Buffer): Buffer {
  const parts: Buffer[] = [];
  // A large one in pieces of a byte would be all that is sent for a while.
  const longest = Math.max(1, Math.ceil(body.length / random.pick([1, 2, 30])));
  for (let at = 0; at < body.length;) {
    const piece = body.subarray(at, at + random.int(1, longest));
    const size = random.chance(0.2)
      ? piece.length.toString(16).padStart(8, '0').toUpperCase()
      : piece.length.toString(16);
    const extension = random.chance(0.1) ? ';name="value"' : '';
    parts.push(Buffer.from(`${size}${extension}\r\n`), piece, Buffer.from('\r\n'));
    at += piece.length;
  }
  parts.push(Buffer.from(random.chance(0.1) ? '0\r\nX-Trailer: x\r\n\r\n' : '0\r\n\r\n'));
  return Buffer.concat(parts);
}

/** Cut at up to five places, wherever they are. */
function inPieces(random: Seeded, request: Buffer): readonly Buffer[] {
  const cuts = Array.from({ length: random.int(1, 5) }, () => random.int(0, request.length)).sort(
    (a, b) => a - b,
  );
  return [0, ...cuts].map((from, index) => request.subarray(from, cuts[index] ?? request.length));
}
