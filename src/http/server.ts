// The one HTTP server: webhook, page, API, health, metrics.

import { fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { LogUnavailableError } from '../log/log.ts';
import type { EventLog, RecordSummary } from '../log/log.ts';
import type { TypeDocument } from '../mapping/catalogue-document.ts';
import type { Tracing } from '../tracing.ts';
import { createAccessGuard } from './access.ts';
import type { AccessOptions } from './access.ts';
import { registerExportApi } from './export-api.ts';
import type { ExportApiOptions } from './export-api.ts';
import { findDashboard, registerDashboard } from './dashboard.ts';
import { diagnose } from './diagnosis.ts';
import type { DiagnosisOptions } from './diagnosis.ts';
import type { Metrics } from './metrics.ts';
import { contentSecurityPolicy, renderPage } from './page.ts';
import type { PageData } from './page.ts';
import type { Status } from './status.ts';
import { registerRecordsApi } from './records-api.ts';
import type { RecordsApiOptions } from './records-api.ts';
import { securityHeaders } from './security-headers.ts';
import { registerSessionApi } from './session-api.ts';
import { Sessions } from './sessions.ts';
import { registerSignIn } from './sign-in.ts';
import { registerStreamApi } from './stream-api.ts';
import { registerWebhook } from './webhook.ts';
import type { WebhookOptions } from './webhook.ts';

export interface ServerOptions {
  readonly webhook: Omit<WebhookOptions, 'onAnswer'>;
  readonly access: AccessOptions & {
    readonly logger: Logger;
    /** Milliseconds since 1970; `Date.now` where it is not given. */
    readonly now?: () => number;
  };
  readonly log: EventLog;
  readonly metrics: Metrics;
  /** Undefined where traces are off. */
  readonly tracing: Tracing | undefined;
  readonly readStatus: () => Promise<Status>;
  readonly readLatest: (count: number) => Promise<readonly RecordSummary[]>;
  readonly diagnosis: Omit<DiagnosisOptions, 'log' | 'witness'>;
  readonly records: Pick<RecordsApiOptions, 'deliveries' | 'explain'>;
  readonly exports: ExportApiOptions;
  readonly catalogue: () => readonly TypeDocument[];
  readonly page: () => Pick<PageData, 'places' | 'verification' | 'version'>;
}

/** FusionAuth keeps its connections open; a sender this slow is none of its. */
const requestTimeoutMs = 30_000;

export function createServer(options: ServerOptions): FastifyInstance {
  const { webhook, access, log, metrics, tracing, readStatus, records, exports } = options;
  const { diagnosis } = options;
  const server = fastify({
    bodyLimit: webhook.maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: 'idle',
    // Each line of ours is written by the part that knows what happened.
    logger: false,
  });
  const { logger, now = Date.now } = access;
  const sessions = new Sessions({ admin: access.adminToken, viewer: access.viewerToken }, now);
  const guard = { onRequest: createAccessGuard({ ...access, sessions }) };
  const readGuard = { onRequest: createAccessGuard({ ...access, sessions, right: 'read' }) };
  const changeGuard = { onRequest: createAccessGuard({ ...access, sessions, right: 'change' }) };
  server.decorateRequest('visitor', undefined);

  registerWebhook(server, {
    ...webhook,
    onAnswer: (answer, seconds, event) => {
      metrics.countWebhook(answer, seconds);
      tracing?.traceWebhook({ answer, seconds, event });
    },
  });

  registerSignIn(server, { ...access, sessions, now });
  const dashboard = findDashboard();
  if (dashboard === undefined) registerPlainPage(server, options, guard);
  else registerDashboard(server, { folder: dashboard, guard });

  server.get('/api/status', guard, () => readStatus());
  server.get('/api/diagnosis', guard, () => diagnose({ ...diagnosis, log, witness: webhook.witness }));
  server.get('/api/catalogue', guard, () => ({ types: options.catalogue() }));
  registerRecordsApi(server, { ...records, log, guard });
  const consumers = records.deliveries.map(({ name }) => name);
  registerStreamApi(server, { log, consumers, guard });
  registerSessionApi(server, { logger, guard, readGuard });
  // Their token outlives the one by which it was read, so it is for who may change things.
  registerExportApi(server, { ...exports, access: { ...access, sessions }, guard: changeGuard });

  server.get('/healthz', () => ({ status: 'alive' }));
  server.get('/readyz', (_request, reply) => {
    const isReady = log.isWritable();
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'the log cannot be written' });
  });
  server.get('/metrics', async (_request, reply) => {
    return reply.type(metrics.registry.contentType).send(await metrics.scrape());
  });

  server.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof LogUnavailableError)) throw error;
    const { code, message, hint } = error;
    return reply.code(503).send({ code, message, hint });
  });
  server.setNotFoundHandler((request, reply) =>
    reply
      .headers(securityHeaders)
      .code(404)
      .send({
        code: 'NOT_FOUND',
        message: `There is no ${request.method} ${request.url.split('?')[0] ?? ''}`,
      }),
  );
  return server;
}

/** Where the dashboard was not built. */
function registerPlainPage(
  server: FastifyInstance,
  { readStatus, readLatest, page }: ServerOptions,
  guard: { readonly onRequest: ReturnType<typeof createAccessGuard> },
): void {
  server.get('/', guard, async ({ visitor }, reply) => {
    const [status, latest] = await Promise.all([readStatus(), readLatest(25)]);
    return reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', contentSecurityPolicy)
      .send(renderPage({ status, latest, session: visitor?.session?.kind, ...page() }));
  });
}
