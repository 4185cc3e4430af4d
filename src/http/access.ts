// Who may see the page and use the API. With ADMIN_TOKEN: who has it. Without: who is on this machine, if the bridge
// listens to this machine alone. Exports are let out to whoever has their own token, too.

import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface AccessOptions {
  readonly adminToken: string | undefined;
  /** Whether the bridge listens on a loopback address. */
  readonly isLoopback: boolean;
}

/** An `onRequest` hook. The token is taken as a bearer token, or as the password that a browser asks for. */
export function createAccessGuard({ adminToken, isLoopback }: AccessOptions) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (adminToken !== undefined) {
      if (isSame(tokenOf(request.headers.authorization), adminToken)) return;
      await reply
        .code(401)
        .header('www-authenticate', 'Basic realm="fusionauth-segment", charset="UTF-8"')
        .send({ code: 'UNAUTHORIZED', message: 'ADMIN_TOKEN is needed, as bearer token or as password' });
    } else if (!isLoopback) {
      await reply.code(403).send({
        code: 'FORBIDDEN',
        message: 'Set ADMIN_TOKEN to use the page and the API on a network address',
      });
    } else if (!isLocalName(request.hostname)) {
      // A foreign name that resolves to this machine: a web page elsewhere is using its visitor's browser (DNS rebinding).
      await reply.code(403).send({
        code: 'FORBIDDEN',
        message: 'Open this page by a loopback address, such as http://127.0.0.1',
      });
    }
  };
}

/**
 * An `onRequest` hook for the exports, and for nothing else. Their token also counts in the address, as `token`, since a
 * spreadsheet can give no header; ADMIN_TOKEN does not, since addresses end up in the logs of proxies. Who has neither is
 * judged as ever, but a wrong token is refused whoever brings it.
 */
export function createExportGuard(
  { adminToken, isLoopback }: AccessOptions,
  exportToken: () => string | undefined,
) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { authorization } = request.headers;
    const { token } = request.query as { token?: unknown };
    const own = exportToken();
    const isKnown = (given: string) => own !== undefined && isSame(given, own);
    const isFree = adminToken === undefined && isLoopback && isLocalName(request.hostname);
    if (token !== undefined) {
      if (typeof token === 'string' && isKnown(token)) return;
    } else if (authorization !== undefined) {
      const given = tokenOf(authorization);
      if (isKnown(given) || (adminToken !== undefined && isSame(given, adminToken))) return;
    } else if (isFree) return;
    await reply
      .code(401)
      .header('www-authenticate', 'Basic realm="fusionauth-segment", charset="UTF-8"')
      .header('cache-control', 'no-store')
      .header('referrer-policy', 'no-referrer')
      .send({
        code: 'UNAUTHORIZED',
        message:
          'The token of the exports is needed, in the address (token=…), as bearer token or as password: `export <name> --address` prints one',
      });
  };
}

function tokenOf(authorization = ''): string {
  const [, scheme = '', value = ''] = /^(\S+)\s+(\S+)$/.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return '';
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

/** In constant time, whatever their lengths. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', expected, 'buffer'));
}

function isLocalName(hostname: string): boolean {
  return /^(localhost|\[?::1\]?|127(\.\d{1,3}){3})$/i.test(hostname);
}
