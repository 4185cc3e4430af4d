// How long it takes to make messages of an event, on one core: `npm run bench:mapping`. For each type the median of
// several rounds, so that a pause of the machine does not count.

import { parseArgs } from 'node:util';
import { mappingOptionsOf } from '../src/config/mapping-options.ts';
import { loadConfig } from '../src/config/config.ts';
import { eventTypes } from '../src/fusionauth/catalogue.ts';
import type { KnownEventType } from '../src/fusionauth/catalogue.ts';
import { parseWebhookBody, reviveEvent } from '../src/fusionauth/event.ts';
import { sampleEvent } from '../src/fusionauth/samples.ts';
import { createMapper, createMapping } from '../src/mapping/map.ts';
import type { UserMap } from '../src/mapping/user-map.ts';

process.stdout.on('error', () => process.exit());
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    calls: { type: 'string', default: '2000' },
  },
});
const rounds = Number(values.rounds);
const calls = Number(values.calls);

const identity = {
  eventId: '00000000-0000-4000-8000-000000000001',
  userId: '00000000-0000-4000-8000-000000000002',
  createInstant: Date.UTC(2026, 0, 1),
};
const options = mappingOptionsOf(loadConfig({}), 'a salt of the benchmark');
const mapper = createMapper(options);
const mapping = createMapping(options);
const unchanged: UserMap = (_event, messages) => messages;
const withUserCode = createMapper({ ...options, map: unchanged });

/** The event as delivery gets it: as FusionAuth sends it, secrets stripped. */
function bodyOf(type: KnownEventType): string {
  const body = Buffer.from(JSON.stringify({ event: sampleEvent(type, identity, { withSecrets: true }) }));
  return JSON.stringify(parseWebhookBody(body));
}

/** Microseconds a call, the median of the rounds. */
function measure(work: () => unknown): number {
  const results: number[] = [];
  for (let round = 0; round < rounds + 3; round++) {
    const startedAt = performance.now();
    for (let call = 0; call < calls; call++) work();
    // The first rounds run code that is not compiled yet.
    if (round >= 3) results.push(((performance.now() - startedAt) / calls) * 1000);
  }
  return results.sort((a, b) => a - b)[Math.floor(results.length / 2)] ?? NaN;
}

function drain(items: Iterable<unknown>): number {
  let count = 0;
  for (const item of items) if (item !== undefined) count++;
  return count;
}

const results = eventTypes.map((type) => {
  const body = bodyOf(type);
  const event = reviveEvent(body);
  return {
    type,
    bytes: Buffer.byteLength(body),
    messages: drain(mapper.map(event)),
    mapMicroseconds: measure(() => drain(mapper.map(event))),
    bodyMicroseconds: measure(() => drain(mapping(body))),
  };
});
results.sort((a, b) => b.mapMicroseconds - a.mapMicroseconds);
const login = results.find(({ type }) => type === 'user.login.success');
const loginEvent = reviveEvent(bodyOf('user.login.success'));
const userCodeMicroseconds = measure(() => drain(withUserCode.map(loginEvent)));

const line = (name: string, bytes: string, messages: string, map: string, body: string) =>
  `${name.padEnd(34)}${bytes.padStart(8)}${messages.padStart(10)}${map.padStart(12)}${body.padStart(22)}\n`;
process.stdout.write(line('type', 'bytes', 'messages', 'map, µs', 'parse and map, µs'));
for (const { type, bytes, messages, mapMicroseconds, bodyMicroseconds } of results) {
  process.stdout.write(
    line(type, String(bytes), String(messages), mapMicroseconds.toFixed(1), bodyMicroseconds.toFixed(1)),
  );
}
const [slowest] = results;
process.stdout.write(
  `\none login ${login?.mapMicroseconds.toFixed(1)} µs; the slowest type is ${slowest?.type} with ${slowest?.mapMicroseconds.toFixed(1)} µs; a login through a map of one's own ${userCodeMicroseconds.toFixed(1)} µs\n`,
);
