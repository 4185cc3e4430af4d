// Traces, by OpenTelemetry's standard variables; off where none asks for them. The only file that knows OpenTelemetry.
//
// Its packages are loaded when traces are on and not before. Everything is told afterwards, with how long it took: no
// part waits for a span or carries one, and what a collector does not take is dropped. Spans hold ids, types, counts and
// names of destinations, never a body.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Link, Span, SpanContext } from '@opentelemetry/api';
import type * as Sdk from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import type { AttemptMeasures } from './delivery/sender.ts';
import type { WebhookAnswer } from './http/webhook.ts';
import type { ReceivedEvent, WrittenGroup } from './log/log.ts';
import { version } from './version.ts';

export interface Tracing {
  traceWebhook(webhook: TracedWebhook): void;
  traceGroup(group: WrittenGroup): void;
  traceAttempt(destination: string, attempt: AttemptMeasures): void;
  /** Sends what is left, for up to two seconds. */
  stop(): Promise<void>;
}

export interface TracedWebhook {
  readonly answer: WebhookAnswer;
  readonly seconds: number;
  /** Where it is in the log. */
  readonly event?: Pick<ReceivedEvent, 'id' | 'type'> | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const stopMs = 2_000;
/** An event's type is its sender's to choose. */
const maxValueCharacters = 256;
/** Events whose group is remembered until their webhook is answered; more are written than answered only in a fault. */
const maxRemembered = 10_000;

/** What the variables ask for, and what of it cannot be had. */
export function readTracingSettings(environment: Environment): { isOn: boolean; warning?: string } {
  const value = (name: string) => environment[name]?.trim() || undefined;
  const exporter = value('OTEL_TRACES_EXPORTER');
  const endpoint = value('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? value('OTEL_EXPORTER_OTLP_ENDPOINT');
  const protocol = value('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ?? value('OTEL_EXPORTER_OTLP_PROTOCOL');

  if (value('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || exporter === 'none') return { isOn: false };
  if (exporter === undefined && endpoint === undefined) return { isOn: false };
  if (exporter !== undefined && exporter !== 'otlp') {
    return { isOn: false, warning: `OTEL_TRACES_EXPORTER can be otlp or none here, not "${exporter}"` };
  }
  if (protocol !== undefined && protocol !== 'http/protobuf') {
    return { isOn: false, warning: `Traces go by OTLP http/protobuf only, not "${protocol}"` };
  }
  return { isOn: true };
}

/** Undefined where traces are off. */
export async function startTracing(environment: Environment, logger: Logger): Promise<Tracing | undefined> {
  const { isOn, warning } = readTracingSettings(environment);
  if (warning !== undefined) logger.warn({ reason: warning }, 'Traces are off');
  if (!isOn) return undefined;

  const [api, sdk, resources, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
  ]);
  const { resourceAttributesEnvDetector, serviceNameEnvDetector } = resources;
  const provider = new sdk.TracerProvider({
    resource: resources
      .defaultResource()
      .merge(
        resources.resourceFromAttributes({
          'service.name': 'fusionauth-segment',
          'service.version': version,
        }),
      )
      .merge(
        resources.detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] }),
      ),
    sampler: samplerOf(environment, sdk, logger),
    spanLimits: { attributeValueLengthLimit: maxValueCharacters },
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: withLogLines(new OTLPTraceExporter(), logger),
        ...batchesOf(environment),
      }),
    ],
  });
  const tracer = provider.getTracer('fusionauth-segment', version);
  /** By event, until its webhook is answered. */
  const groups = new Map<string, SpanContext>();

  function trace(
    name: string,
    { seconds, isFault, kind, ...options }: SpanOptions & { seconds: number; isFault: boolean },
  ): Span {
    const endedAt = Date.now();
    const span = tracer.startSpan(name, {
      ...options,
      kind: api.SpanKind[kind],
      root: true,
      startTime: endedAt - seconds * 1000,
    });
    if (isFault) span.setStatus({ code: api.SpanStatusCode.ERROR });
    span.end(endedAt);
    return span;
  }

  return {
    traceWebhook({ answer, seconds, event }) {
      const group = event && groups.get(event.id);
      if (event) groups.delete(event.id);
      trace('webhook', {
        kind: 'SERVER',
        seconds,
        isFault: answer === 'unavailable' || answer === 'failed',
        attributes: {
          'webhook.answer': answer,
          ...(event && { 'fusionauth.event.id': event.id, 'fusionauth.event.type': event.type }),
        },
        links: group ? [{ context: group }] : [],
      });
    },
    traceGroup({ eventIds, operations, seconds, succeeded }) {
      const span = trace('log.group', {
        kind: 'INTERNAL',
        seconds,
        isFault: !succeeded,
        attributes: { 'log.events': eventIds.length, 'log.operations': operations },
      });
      const context = span.spanContext();
      if (!succeeded || (context.traceFlags & api.TraceFlags.SAMPLED) === 0) return;
      if (groups.size > maxRemembered) groups.clear();
      for (const id of eventIds) groups.set(id, context);
    },
    traceAttempt(destination, { messages, seconds, succeeded }) {
      trace('delivery.attempt', {
        kind: 'CLIENT',
        seconds,
        isFault: !succeeded,
        attributes: {
          'delivery.destination': destination,
          'delivery.messages': messages,
          'delivery.result': succeeded ? 'succeeded' : 'failed',
        },
      });
    },
    async stop() {
      const late = new AbortController();
      const waited = sleep(stopMs, undefined, { signal: late.signal });
      await Promise.race([provider.shutdown(), waited]).catch(() => undefined);
      late.abort();
      await waited.catch(() => undefined);
    },
  };
}

interface SpanOptions {
  readonly kind: 'SERVER' | 'INTERNAL' | 'CLIENT';
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly links?: Link[];
}

/** OTEL_TRACES_SAMPLER and its argument: the SDK leaves them to whoever puts it together. No span here has a parent. */
function samplerOf(
  environment: Environment,
  { AlwaysOffSampler, AlwaysOnSampler, TraceIdRatioBasedSampler }: typeof Sdk,
  logger: Logger,
): Sdk.Sampler {
  const name = (environment['OTEL_TRACES_SAMPLER']?.trim() || 'always_on').replace(/^parentbased_/, '');
  const ratio = Number(environment['OTEL_TRACES_SAMPLER_ARG']?.trim() || '1');
  if (name === 'always_off') return new AlwaysOffSampler();
  if (name === 'traceidratio' && ratio >= 0 && ratio <= 1) return new TraceIdRatioBasedSampler(ratio);
  if (name !== 'always_on') {
    logger.warn('OTEL_TRACES_SAMPLER or its argument is not understood: every trace is kept');
  }
  return new AlwaysOnSampler();
}

/** The SDK leaves these to whoever puts it together as well; what is no number is its default. */
function batchesOf(environment: Environment): Omit<Sdk.BatchSpanProcessorOptions, 'exporter'> {
  const named = {
    scheduledDelayMillis: 'OTEL_BSP_SCHEDULE_DELAY',
    exportTimeoutMillis: 'OTEL_BSP_EXPORT_TIMEOUT',
    maxQueueSize: 'OTEL_BSP_MAX_QUEUE_SIZE',
    maxExportBatchSize: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
  };
  return Object.fromEntries(
    Object.entries(named)
      .map(([option, name]): [string, number] => [option, Number(environment[name]?.trim())])
      .filter(([, number]) => number > 0),
  );
}

/** One line when spans begin to be lost, and one when they arrive again. */
function withLogLines(exporter: Sdk.SpanExporter, logger: Logger): Sdk.SpanExporter {
  let isFailing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const hasFailed = result.error !== undefined;
        if (hasFailed && !isFailing) {
          logger.warn(
            {
              reason: result.error?.message,
              hint: 'Is a collector listening at OTEL_EXPORTER_OTLP_ENDPOINT, for OTLP over HTTP?',
            },
            'Traces cannot be sent; they are dropped',
          );
        }
        if (!hasFailed && isFailing) logger.info('Traces are sent again');
        isFailing = hasFailed;
        done(result);
      }),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
