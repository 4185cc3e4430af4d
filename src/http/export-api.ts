// `GET /export/<table or view>.csv`: the warehouse by address, for spreadsheets and programs; docs/api.md has it.

import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { ExportToken } from '../config/export-token.ts';
import { ExportError } from '../destinations/warehouse/export/export-error.ts';
import type { ExportFault } from '../destinations/warehouse/export/export-error.ts';
import type { RelationSummary } from '../destinations/warehouse/export/relations.ts';
import type { CsvExportOptions, WarehouseExport } from '../destinations/warehouse/export/warehouse-export.ts';
import { createExportGuard } from './access.ts';
import type { AccessOptions } from './access.ts';
import { instant } from './instant.ts';
import type { Sessions } from './sessions.ts';

export interface ExportApiOptions {
  /** Undefined where the warehouse is off. */
  readonly warehouse: Pick<WarehouseExport, 'list' | 'csv'> | undefined;
  readonly token: ExportToken;
  readonly logger: Logger;
}

/** `GET /export`. */
export interface ExportsDocument {
  readonly exports: readonly RelationSummary[];
}

/** `GET` and `POST /api/export-token`. */
export interface ExportTokenDocument {
  readonly token: string;
}

/** Whoever takes nothing for so long holds up others: few exports run at once. */
const stalledMs = 120_000;

const statuses = {
  EXPORT_UNKNOWN: 404,
  EXPORT_INVALID: 400,
  EXPORT_TOO_LONG: 503,
  EXPORT_FAILED: 500,
  EXPORTS_BUSY: 429,
  WAREHOUSE_OFF: 404,
  WAREHOUSE_UNAVAILABLE: 503,
} as const satisfies Record<ExportFault, number>;
const retryAfterSeconds = '10';

/** In an address a number is text. */
const time = z
  .string()
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : text))
  .pipe(instant);
const flag = z.enum(['1', 'true', '0', 'false']).transform((text) => text === '1' || text === 'true');
const querySchema = z
  .strictObject({
    token: z.string(),
    columns: z.string().transform((text) => text.split(',')),
    limit: z
      .string()
      .regex(/^[1-9]\d{0,14}$/, 'a whole number above 0')
      .transform(Number),
    since: time,
    until: time,
    bom: flag,
    raw: flag,
  })
  .partial();

export function registerExportApi(
  server: FastifyInstance,
  {
    warehouse,
    token,
    logger,
    access,
    guard,
  }: ExportApiOptions & { access: AccessOptions & { readonly sessions: Sessions }; guard: object },
): void {
  const exportGuard = { onRequest: createExportGuard(access, () => token.value) };

  server.get('/export', exportGuard, async (_request, reply) => {
    try {
      return { exports: await theWarehouse().list() } satisfies ExportsDocument;
    } catch (error) {
      return refuse(reply, error, 'the list');
    }
  });

  server.get<{ Params: { '*': string } }>('/export/*', exportGuard, async (request, reply) => {
    const name = request.params['*'].replace(/\.csv$/, '');
    const ending = new AbortController();
    try {
      const csv = theWarehouse().csv(name, parseQuery(request), ending.signal);
      reply.raw.once('close', () => {
        ending.abort();
        // Also where nobody has begun to read it.
        csv.return(undefined).catch(() => undefined);
      });
      reply.raw.setTimeout(stalledMs, () => reply.raw.destroy());
      // Until the first piece is there it can still be said what is wrong.
      const first = await csv.next();
      if (request.method === 'HEAD') await csv.return(undefined);
      return await reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(name)}.csv`)
        .header('x-content-type-options', 'nosniff')
        .headers(privacyHeaders)
        .send(Readable.from(pieces(first.value as string, csv), { objectMode: false }));
    } catch (error) {
      return refuse(reply, error, ending.signal.aborted ? undefined : name);
    }

    async function* pieces(first: string, rest: AsyncGenerator<string>) {
      try {
        yield first;
        yield* rest;
      } catch (error) {
        if (!ending.signal.aborted) logFault('An export broke off: its reader has only a part', name, error);
        // Breaks the connection, so that the part does not pass for the whole.
        throw error;
      }
    }
  });

  for (const [method, read] of [
    ['GET', () => token.readOrMake()],
    ['POST', () => token.renew()],
  ] as const) {
    server.route({
      ...guard,
      method,
      url: '/api/export-token',
      handler: (_request, reply) => {
        if (warehouse === undefined) return refuse(reply, warehouseOff());
        return reply.headers(privacyHeaders).send({ token: read() } satisfies ExportTokenDocument);
      },
    });
  }

  function theWarehouse(): Pick<WarehouseExport, 'list' | 'csv'> {
    if (warehouse) return warehouse;
    throw warehouseOff();
  }

  function refuse(reply: FastifyReply, error: unknown, name?: string): FastifyReply {
    if (!(error instanceof ExportError)) throw error;
    const { code, message, hint, cause } = error;
    const status = statuses[code];
    if (cause !== undefined && name !== undefined) logFault('An export failed', name, error);
    if (status === 429 || status === 503) reply.header('retry-after', retryAfterSeconds);
    return reply.code(status).headers(privacyHeaders).send({ code, message, hint });
  }

  /** PostgreSQL's words can quote a value: only its codes. */
  function logFault(sentence: string, name: string, error: unknown): void {
    const { code, message, cause } = error as ExportError;
    const { code: reason } = (cause ?? {}) as { code?: unknown };
    logger.warn(
      { export: name, code, reason, message: error instanceof ExportError ? message : undefined },
      sentence,
    );
  }
}

function warehouseOff(): ExportError {
  return new ExportError('The warehouse is off, so there is nothing to export', {
    code: 'WAREHOUSE_OFF',
    hint: 'Unset WAREHOUSE_URL to have one in DATA_DIR, or set it to a PostgreSQL connection string',
  });
}

/** The address may hold the token, and the answer holds personal data. */
const privacyHeaders = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' } as const;

/** Throws ExportError. */
function parseQuery({ query }: FastifyRequest): CsvExportOptions {
  const parsed = querySchema.safeParse(query);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'address'}: ${message}`,
    );
    throw new ExportError(`The address asks for what there is not: ${faults.join('; ')}`, {
      code: 'EXPORT_INVALID',
      hint: 'There are columns, limit, since, until, bom and raw: docs/api.md',
    });
  }
  const { columns, limit, since, until, bom, raw } = parsed.data;
  return { columns, limit, since, until, withByteOrderMark: bom, isRaw: raw };
}
