// `POST /webhook`, and `POST /`, the URL of FusionAuth's own guide: verify, parse, strip secrets, append, answer.
//
// Holds always: 200 is sent after the event is in the log; the answer waits for nothing else. Who has no signature of
// ours is turned away before his body is read, always by the same answer; only our own log says why.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { InvalidEventError, parseWebhookBody } from '../fusionauth/event.ts';
import { KeysUnavailableError } from '../fusionauth/public-keys.ts';
import { SignatureError, signatureHeader, verifyBody } from '../fusionauth/signature.ts';
import type { SignatureVerifier, VerifiedToken } from '../fusionauth/signature.ts';
import { LogUnavailableError } from '../log/log.ts';
import type { EventLog, ReceivedEvent } from '../log/log.ts';
import { isBridgeTest } from '../mapping/bridge-test.ts';
import { createRefusalLogger } from './refusals.ts';
import type { Refusal } from './refusals.ts';
import type { WebhookWitness } from './webhook-witness.ts';

/** What became of one webhook: the label of its metric. */
export type WebhookAnswer = 'stored' | 'duplicate' | Refusal['answer'];

export interface WebhookOptions {
  readonly log: EventLog;
  readonly logger: Logger;
  /** Undefined where no key is configured. */
  readonly verifier: SignatureVerifier | undefined;
  /** Whether a webhook without a signature is refused. */
  readonly requiresSignature: boolean;
  readonly maxBodyBytes: number;
  readonly witness: WebhookWitness;
  /** Told of each answer, and of the event where it is in the log; for metrics and traces. */
  readonly onAnswer: (
    answer: WebhookAnswer,
    seconds: number,
    event?: Pick<ReceivedEvent, 'id' | 'type'>,
  ) => void;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** When the webhook's headers had come, as `performance.now` has it. */
    startedAt: number;
    /** Set once the webhook's token is verified, before its body is read. */
    verifiedToken: VerifiedToken | undefined;
  }
}

/** Bodies wait in memory until they are whole. Above this sum a further one is refused. */
const maxBytesUnderWay = 256 * 1024 * 1024;
/** For a body that does not say how long it will be. FusionAuth's do. */
const assumedBytes = 1024 * 1024;
/** How long a sender should wait when the log, or FusionAuth's keys, cannot be had. */
const retryAfterSeconds = 5;

export function registerWebhook(server: FastifyInstance, options: WebhookOptions): void {
  const { log, logger, verifier, requiresSignature, maxBodyBytes, witness, onAnswer } = options;
  const logRefusal = createRefusalLogger(logger);

  server.decorateRequest('startedAt', 0);
  server.decorateRequest('verifiedToken', undefined);
  server.removeAllContentTypeParsers();
  // The body stays raw: the signature is over its bytes.
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );

  const route = {
    onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
      request.startedAt = performance.now();
      const refusal = (await refuseByHeaders(request)) ?? (reserve(request, reply) ? undefined : tooMany);
      if (refusal) await refuse(reply, refusal);
    },
    errorHandler: async (error: unknown, _request: FastifyRequest, reply: FastifyReply) => {
      await refuse(reply, refusalFor(error, maxBodyBytes));
    },
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      if (request.verifiedToken) verifyBody(request.verifiedToken, body);
      const event = parseWebhookBody(body);
      const { id, type } = event;
      const receivedAt = Date.now();
      const verifiedBy = request.verifiedToken?.key ?? 'unsigned';
      const status = await log.append({
        id,
        type,
        tenantId: event.tenantId ?? undefined,
        receivedAt,
        verifiedBy,
        body: JSON.stringify(event),
      });
      // That of `doctor --send` says nothing of what FusionAuth sends.
      if (!isBridgeTest(event)) witness.take({ at: receivedAt, id, type, verifiedBy });
      onAnswer(status, secondsSince(request.startedAt), event);
      return reply.type('application/json').send(`{"status":"${status}","id":${JSON.stringify(event.id)}}`);
    },
  };
  server.post('/webhook', route);
  server.post('/', route);

  /** Bytes of the bodies that are being read. */
  let bytesUnderWay = 0;

  /** Reserves memory for the body until its request is over; false where too much is reserved already. */
  function reserve(request: FastifyRequest, reply: FastifyReply): boolean {
    // Its sender went away while the token was being verified: no `close` would come to give anything back.
    if (reply.raw.destroyed) return true;
    const { 'content-length': length } = request.headers;
    const bytes = length === undefined ? assumedBytes : Number(length);
    if (bytesUnderWay > 0 && bytesUnderWay + bytes > maxBytesUnderWay) return false;
    bytesUnderWay += bytes;
    reply.raw.once('close', () => (bytesUnderWay -= bytes));
    return true;
  }

  async function refuseByHeaders(request: FastifyRequest): Promise<Refusal | undefined> {
    const { 'content-type': type, 'content-length': length, 'content-encoding': encoding } = request.headers;
    if (!/^application\/json\s*(;|$)/i.test(type ?? '') || (encoding ?? 'identity') !== 'identity') {
      return unsupportedMediaType;
    }
    if (Number(length) > maxBodyBytes) return tooLarge(maxBodyBytes);

    const token = request.headers[signatureHeader];
    if (!requiresSignature && (verifier === undefined || token === undefined)) return undefined;
    try {
      request.verifiedToken = await verifier?.verifyToken(typeof token === 'string' ? token : undefined);
      return undefined;
    } catch (error) {
      return refusalFor(error, maxBodyBytes);
    }
  }

  async function refuse(reply: FastifyReply, refusal: Refusal): Promise<void> {
    log.countRejected();
    logRefusal(refusal);
    witness.refuse(refusal, Date.now());
    onAnswer(refusal.answer, secondsSince(reply.request.startedAt));
    if (refusal.status === 503) void reply.header('retry-after', retryAfterSeconds);
    await reply.code(refusal.status).send(refusal.body);
  }
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}

/** The refusal for whatever went wrong between the socket and the log. */
function refusalFor(error: unknown, maxBodyBytes: number): Refusal {
  if (error instanceof SignatureError) return unauthorized(error);
  if (error instanceof InvalidEventError) return invalid(error.code, error.message, error.path);
  if (error instanceof LogUnavailableError)
    return unavailable(error, 'The event could not be stored; send it again');
  if (error instanceof KeysUnavailableError) {
    return unavailable(error, 'The signature could not be verified just now; send the event again');
  }
  const { statusCode } = error as { statusCode?: unknown };
  if (statusCode === 413) return tooLarge(maxBodyBytes);
  if (statusCode === 415) return unsupportedMediaType;
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return invalid('REQUEST_INVALID', 'The request is malformed');
  }
  return {
    answer: 'failed',
    status: 500,
    reason: error instanceof Error ? error.message : String(error),
    body: rejected('INTERNAL', 'The bridge failed; its log says why'),
  };
}

const tooMany: Refusal = {
  answer: 'unavailable',
  status: 503,
  reason: 'too many bytes of webhooks under way',
  hint: 'Large webhooks (imports of users) come faster than they can be read; FusionAuth can send fewer at once',
  body: rejected('BUSY', 'Too many large webhooks are on their way; send the event again'),
};

const unsupportedMediaType: Refusal = {
  answer: 'unsupported_media_type',
  status: 415,
  reason: 'not application/json',
  body: rejected(
    'UNSUPPORTED_MEDIA_TYPE',
    'The content type must be application/json, without a content encoding',
  ),
};

function tooLarge(maxBodyBytes: number): Refusal {
  return {
    answer: 'too_large',
    status: 413,
    reason: 'larger than MAX_BODY_BYTES',
    hint: 'If FusionAuth sends events as large as this (an import of users), raise MAX_BODY_BYTES',
    body: rejected('BODY_TOO_LARGE', `The body is larger than ${maxBodyBytes} bytes (MAX_BODY_BYTES)`),
  };
}

function unauthorized(error: SignatureError): Refusal {
  return {
    answer: 'unauthorized',
    status: 401,
    reason: error.fault,
    hint: 'If FusionAuth sent it, compare the webhook’s signing key there with this bridge’s FUSIONAUTH_* settings',
    // The same for every fault: a forger learns nothing from it.
    body: rejected(
      'UNAUTHORIZED',
      'The webhook is not signed by a key that this bridge trusts; its log says why',
    ),
  };
}

function invalid(code: string, message: string, path?: string): Refusal {
  return { answer: 'invalid', status: 400, reason: message, body: rejected(code, message, path) };
}

function unavailable(error: LogUnavailableError | KeysUnavailableError, message: string): Refusal {
  return {
    answer: 'unavailable',
    status: 503,
    reason: error.message,
    hint: error.hint,
    body: rejected(error.code, message),
  };
}

function rejected(code: string, message: string, path?: string): Refusal['body'] {
  return { status: 'rejected', code, message, ...(path === undefined || path === '' ? {} : { path }) };
}
