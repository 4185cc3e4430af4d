// Posts signed webhooks over 64 keep-alive connections for some seconds, and prints what came back as JSON. A process
// of its own, started by acknowledge.ts; what it posts is made before the clock starts.

import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import type { JsonObject } from '../src/fusionauth/event.ts';
import type { SampleIdentity } from '../src/fusionauth/fields.ts';
import { sampleEvent } from '../src/fusionauth/samples.ts';
import { signBody } from '../src/fusionauth/sign.ts';

export interface LoadOptions {
  readonly port: number;
  readonly path: string;
  readonly secret: string;
  readonly connections: number;
  readonly seconds: number;
  /** Requests to have ready. Too few end the round early, and the result says so. */
  readonly requests: number;
}

export interface LoadResult {
  readonly acknowledged: number;
  readonly otherAnswers: number;
  readonly brokenConnections: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly ranOut: boolean;
}

/** Fields of a user that few users have. */
const seldomSet = new Set([
  'breachedPasswordLastCheckedInstant',
  'breachedPasswordStatus',
  'cleanSpeakId',
  'expiry',
  'legacyIdentifier',
  'memberships',
  'middleName',
  'parentEmail',
  'passwordChangeReason',
  'phoneNumber',
  'twoFactor',
  'twoFactorEnabled',
  'uniqueUsername',
]);

const options = JSON.parse(process.argv[2] ?? '{}') as LoadOptions;
const requests = Array.from({ length: options.requests }, () => makeRequest(options));
process.stdout.write(`${JSON.stringify(await run(options, requests))}\n`);
process.exit(0);

/** Each a login of its own: a spent pool of ids would make duplicates, which are cheaper than events. */
function makeRequest({ path, secret }: LoadOptions): Buffer {
  const identity = { eventId: randomUUID(), userId: randomUUID(), createInstant: Date.now() };
  const body = JSON.stringify({ event: ordinaryLogin(identity) });
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
      `X-FusionAuth-Signature-JWT: ${signBody(body, secret)}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** About 1,800 bytes. The sample has every field that a user can have, and no user has them all. */
function ordinaryLogin(identity: SampleIdentity): JsonObject {
  const event = sampleEvent('user.login.success', identity);
  const user = Object.entries(event['user'] as JsonObject).filter(([name]) => !seldomSet.has(name));
  return { ...event, user: Object.fromEntries(user) };
}

async function run(
  { port, connections, seconds }: LoadOptions,
  pool: readonly Buffer[],
): Promise<LoadResult> {
  const latencies: number[] = [];
  let acknowledged = 0;
  let otherAnswers = 0;
  let brokenConnections = 0;
  let next = 0;
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;

  await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<void>((resolve) => {
          const socket = connect(port, '127.0.0.1').setNoDelay(true);
          let answer = '';
          let sentAt = 0;
          const post = () => {
            const request = pool[next++];
            if (request === undefined || performance.now() > endsAt) {
              socket.destroy();
              resolve();
              return;
            }
            sentAt = performance.now();
            socket.write(request);
          };
          socket.setEncoding('latin1');
          socket.once('connect', post);
          socket.on('error', () => {
            brokenConnections++;
            resolve();
          });
          socket.on('data', (text: unknown) => {
            answer += text as string;
            const headEnd = answer.indexOf('\r\n\r\n');
            if (headEnd < 0) return;
            const length = Number(/content-length: (\d+)/i.exec(answer)?.[1] ?? 0);
            if (answer.length < headEnd + 4 + length) return;
            latencies.push(performance.now() - sentAt);
            if (answer.startsWith('HTTP/1.1 200')) acknowledged++;
            else otherAnswers++;
            answer = '';
            post();
          });
        }),
    ),
  );

  latencies.sort((a, b) => a - b);
  const percentile = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0;
  return {
    acknowledged,
    otherAnswers,
    brokenConnections,
    seconds: (performance.now() - startedAt) / 1000,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    ranOut: next >= pool.length,
  };
}
