// `GET /api/session`: what the visitor may do. `POST /api/disclosures`: personal data was shown to somebody.

import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import { mayChange } from './access.ts';
import type { Visitor } from './access.ts';
import { parseBody } from './json-body.ts';

export interface SessionApiOptions {
  readonly logger: Logger;
  readonly guard: object;
  /** Lets in who may only read, whatever the method. */
  readonly readGuard: object;
}

/** `GET /api/session`. */
export interface SessionDocument {
  readonly access: Visitor['access'];
  readonly canChange: boolean;
}

/** A name, never the data: an address or a person's name does not fit. */
const disclosureSchema = z.strictObject({
  eventId: z.string().min(1).max(200).optional(),
  what: z
    .string()
    .max(100)
    .regex(
      /^[A-Za-z][\w-]*(\.[\w*-]+)*$/,
      'the name of what was shown, such as event or traits.email, and not the data itself',
    ),
});

export function registerSessionApi(
  server: FastifyInstance,
  { logger, guard, readGuard }: SessionApiOptions,
): void {
  server.get('/api/session', guard, ({ visitor }): SessionDocument => {
    if (visitor === undefined) throw new Error('A guarded request has a visitor');
    return { access: visitor.access, canChange: mayChange(visitor) };
  });

  server.post('/api/disclosures', readGuard, (request, reply) => {
    const body = parseBody(disclosureSchema, request, reply);
    if (body === undefined) return reply;
    const { eventId, what } = body;
    logger.info(
      { access: request.visitor?.access, address: request.ip, eventId, what },
      'Personal data was shown to somebody',
    );
    return reply.code(204).send();
  });
}
