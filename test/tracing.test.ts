import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readTracingSettings } from '../src/tracing.ts';
import { freePort } from './support/free-port.ts';
import { sample, startBridge } from './support/bridge.ts';
import { OtlpCollector } from './support/otlp-collector.ts';
import { SegmentStandIn } from './support/segment.ts';
import { until } from './support/until.ts';

test('a posted webhook makes a span, linked to that of its group, and its delivery makes another', async () => {
  await using segment = await SegmentStandIn.start();
  await using collector = await OtlpCollector.start();
  await using bridge = await startBridge({
    SEGMENT_WRITE_KEY: 'key',
    SEGMENT_ENDPOINT: segment.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_SERVICE_NAME: 'my-bridge',
    OTEL_BSP_SCHEDULE_DELAY: '50',
  });
  const body = sample('user.login.success');

  await bridge.post(body);
  await bridge.post('{}');
  await until(
    'the spans arrive',
    () => collector.named('delivery.attempt').length > 0 && collector.named('webhook').length === 2,
  );

  const [stored, invalid] = collector.named('webhook');
  const [attempt] = collector.named('delivery.attempt');
  const group = collector.named('log.group').find(({ id }) => stored?.links.includes(id));
  assert.deepEqual(stored?.attributes, {
    'webhook.answer': 'stored',
    'fusionauth.event.id': body.event.id,
    'fusionauth.event.type': 'user.login.success',
  });
  assert.deepEqual(invalid?.attributes, { 'webhook.answer': 'invalid' });
  assert.equal(group?.attributes['log.events'], 1);
  assert.ok(group.seconds > 0 && group.seconds <= stored.seconds && stored.seconds < 5);
  assert.deepEqual(attempt?.attributes, {
    'delivery.destination': 'segment',
    'delivery.messages': segment.messages.length,
    'delivery.result': 'succeeded',
  });
  assert.deepEqual([stored.kind, group.kind, attempt.kind], [2, 1, 3]);
  assert.ok(collector.spans.every(({ service, hasFailed }) => service === 'my-bridge' && !hasFailed));
});

test('a failed attempt is a span that says so, and no span holds anything of an event’s body', async () => {
  await using segment = await SegmentStandIn.start();
  segment.fail({ kind: 'status', status: 503 });
  await using collector = await OtlpCollector.start();
  await using bridge = await startBridge({
    SEGMENT_WRITE_KEY: 'key',
    SEGMENT_ENDPOINT: segment.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '50',
  });
  const body = sample('user.create.complete');

  await bridge.post(body);
  await until('the failed attempt arrives', () => collector.named('delivery.attempt').length > 0);

  const [attempt] = collector.named('delivery.attempt');
  assert.equal(attempt?.attributes['delivery.result'], 'failed');
  assert.equal(attempt.hasFailed, true);
  const { user } = body.event as unknown as { user: { id: string; email: string } };
  for (const value of [user.id, user.email]) assert.ok(!collector.received.includes(value));
});

test('what has not been sent yet is sent at the stop', async () => {
  await using collector = await OtlpCollector.start();
  await using bridge = await startBridge({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  await bridge.post(sample('user.login.success'));

  await bridge.end('SIGTERM');

  assert.equal(bridge.exitCode, 0);
  assert.equal(collector.named('webhook').length, 1);
});

test('a sampler that keeps none sends none', async () => {
  await using collector = await OtlpCollector.start();
  await using bridge = await startBridge({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER: 'parentbased_always_off',
  });
  await bridge.post(sample('user.login.success'));

  await bridge.end('SIGTERM');

  assert.equal(bridge.exitCode, 0);
  assert.deepEqual(collector.spans, []);
});

test('a collector that is down costs one line, and neither a webhook nor the stop', async () => {
  await using bridge = await startBridge({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
    OTEL_EXPORTER_OTLP_TIMEOUT: '100',
    OTEL_BSP_SCHEDULE_DELAY: '20',
  });
  const told = () => bridge.lines.filter(({ msg }) => String(msg).startsWith('Traces cannot be sent'));

  for (let count = 0; count < 3; count++) {
    const answer = await bridge.post(sample('user.login.success'));
    assert.equal(answer.status, 200);
    await until('the line is there', () => told().length > 0);
  }
  await bridge.end('SIGTERM');

  assert.equal(bridge.exitCode, 0);
  assert.equal(told().length, 1);
});

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
const cases: [name: string, environment: Record<string, string>, isOn: boolean, warns: boolean][] = [
  ['nothing is set', {}, false, false],
  ['an endpoint is set', endpoint, true, false],
  [
    'an endpoint for traces is set',
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1/x' },
    true,
    false,
  ],
  ['the endpoint is empty', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, false, false],
  ['the exporter is otlp', { OTEL_TRACES_EXPORTER: 'otlp' }, true, false],
  ['the exporter is none', { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }, false, false],
  ['the exporter is another', { ...endpoint, OTEL_TRACES_EXPORTER: 'zipkin' }, false, true],
  ['the SDK is disabled', { ...endpoint, OTEL_SDK_DISABLED: 'True' }, false, false],
  ['the protocol is the one', { ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }, true, false],
  ['the protocol is another', { ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, false, true],
  ['only a service’s name is set', { OTEL_SERVICE_NAME: 'x' }, false, false],
];
for (const [name, environment, isOn, warns] of cases) {
  test(`traces are ${isOn ? 'on' : 'off'} where ${name}`, () => {
    const settings = readTracingSettings(environment);

    assert.deepEqual([settings.isOn, settings.warning !== undefined], [isOn, warns]);
  });
}

test('OpenTelemetry is loaded by one file, and only when traces are on', () => {
  const src = new URL('../src/', import.meta.url);
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  const naming = files.filter((path) => readFileSync(new URL(path, src), 'utf8').includes('@opentelemetry/'));
  const text = readFileSync(new URL('tracing.ts', src), 'utf8');

  assert.deepEqual(naming, ['tracing.ts']);
  assert.doesNotMatch(text, /^import (?!type ).*@opentelemetry/m);
});
