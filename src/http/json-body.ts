// What API requests say: parsed and checked, once. Bodies come as bytes, since the webhook's must.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';

/** The body as the schema has it; undefined where it is not that, and the request is answered 400. */
export function parseBody<Schema extends z.ZodType>(
  schema: Schema,
  { body }: FastifyRequest,
  reply: FastifyReply,
): z.output<Schema> | undefined {
  let value: unknown;
  try {
    value = JSON.parse((body as Buffer | undefined)?.toString('utf8') ?? '');
  } catch {
    void refuse(reply, 400, 'The body must be JSON');
    return undefined;
  }
  return check(schema, value, reply, 'body');
}

/** What the address says behind its `?`, as the schema has it; undefined as above. */
export function parseQuery<Schema extends z.ZodType>(
  schema: Schema,
  { query }: FastifyRequest,
  reply: FastifyReply,
): z.output<Schema> | undefined {
  return check(schema, query, reply, 'address');
}

/** `whole`: what a fault is in that is in no field. */
function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  reply: FastifyReply,
  whole: string,
): z.output<Schema> | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || whole}: ${message}`);
  void refuse(reply, 400, faults.join('; '));
  return undefined;
}

const codes = { 400: 'REQUEST_INVALID', 404: 'NOT_FOUND', 503: 'DESTINATION_UNAVAILABLE' } as const;

export function refuse(reply: FastifyReply, status: keyof typeof codes, message: string): FastifyReply {
  return reply.code(status).send({ code: codes[status], message });
}
