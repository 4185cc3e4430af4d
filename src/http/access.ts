// Who may see the page and use the API. With ADMIN_TOKEN: who has it, and, to read, who has VIEWER_TOKEN; by the token
// itself or by a session that was opened with it. Without: who is on this machine, if the bridge listens to this machine
// alone. A web page of somebody else changes nothing through its visitor's browser, whatever that browser may do. Exports
// are let out to whoever has their own token, too.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { isCrossSite, isRead } from './cross-site.ts';
import { securityHeaders } from './security-headers.ts';
import { isSame, kindOfToken } from './sessions.ts';
import type { Session, SessionKind, Sessions, Tokens } from './sessions.ts';
import { renderSignInPage, signInPolicy } from './sign-in-page.ts';

export interface AccessOptions {
  readonly adminToken: string | undefined;
  /** May only read. Never without `adminToken`. */
  readonly viewerToken?: string | undefined;
  /** Whether the bridge listens on a loopback address. */
  readonly isLoopback: boolean;
}

/** Who was let in. */
export interface Visitor {
  /** `open`: nobody is asked for a token, on loopback. */
  readonly access: 'open' | SessionKind;
  /** Of those who signed in; a program gives its token with each request. */
  readonly session: Session | undefined;
}

/** What a request needs to be allowed to do. */
export type Right = 'read' | 'change';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard that let the request in. */
    visitor: Visitor | undefined;
  }
}

const realm = 'realm="fusionauth-segment"';

/**
 * An `onRequest` hook. The token is taken as bearer token, as password, or by a session's cookie. `right` is what a visitor
 * needs; where it is not given, the method tells. A browser that asks for a page is shown the one to sign in.
 */
export function createAccessGuard({
  adminToken,
  viewerToken,
  isLoopback,
  sessions,
  right,
}: AccessOptions & { readonly sessions: Sessions; readonly right?: Right }) {
  const tokens: Tokens = { admin: adminToken, viewer: viewerToken };
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    void reply.headers(securityHeaders);
    if (isCrossSite(request)) return forbid(reply, crossSiteMessage);
    if (adminToken === undefined) {
      if (!isLoopback) {
        return forbid(reply, 'Set ADMIN_TOKEN to use the page and the API on a network address');
      }
      if (!isLocalName(request.hostname)) {
        // A foreign name that resolves to this machine: a web page elsewhere is using its visitor's browser (DNS rebinding).
        return forbid(reply, 'Open this page by a loopback address, such as http://127.0.0.1');
      }
      request.visitor = { access: 'open', session: undefined };
      return;
    }
    const visitor = identify(request, tokens, sessions);
    if (visitor === undefined) {
      await askForToken(request, reply, viewerToken !== undefined);
      return;
    }
    const needed = right ?? (isRead(request.method) ? 'read' : 'change');
    if (needed === 'change' && !mayChange(visitor)) {
      return forbid(reply, 'VIEWER_TOKEN may only read: this needs ADMIN_TOKEN');
    }
    request.visitor = visitor;
  };
}

/** Everybody may read who is let in at all. */
export function mayChange({ access }: Visitor): boolean {
  return access !== 'viewer';
}

export const crossSiteMessage =
  'A web page of another address asked for this. Open the page by its own address; a proxy before the bridge must leave the Host header as it is';

/**
 * An `onRequest` hook for the exports, and for nothing else. Their token also counts in the address, as `token`, since a
 * spreadsheet can give no header; ADMIN_TOKEN does not, since addresses end up in the logs of proxies. Who has neither is
 * judged as ever, but a wrong token is refused whoever brings it.
 */
export function createExportGuard(
  { adminToken, viewerToken, isLoopback, sessions }: AccessOptions & { readonly sessions: Sessions },
  exportToken: () => string | undefined,
) {
  const tokens: Tokens = { admin: adminToken, viewer: viewerToken };
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    // The address may hold the token.
    void reply.headers({ ...securityHeaders, 'referrer-policy': 'no-referrer' });
    const { authorization } = request.headers;
    const { token } = request.query as { token?: unknown };
    const own = exportToken();
    const isKnown = (given: string) => own !== undefined && isSame(given, own);
    const isFree =
      adminToken === undefined && isLoopback && isLocalName(request.hostname) && !isCrossSite(request);
    if (token !== undefined) {
      if (typeof token === 'string' && isKnown(token)) return;
    } else if (authorization !== undefined && isKnown(tokenOf(authorization))) return;
    else if (identify(request, tokens, sessions) !== undefined) return;
    else if (authorization === undefined && isFree) return;
    await reply.code(401).header('www-authenticate', `Basic ${realm}, charset="UTF-8"`).send({
      code: 'UNAUTHORIZED',
      message:
        'The token of the exports is needed, in the address (token=…), as bearer token or as password: `export <name> --address` prints one',
    });
  };
}

/** By its token; else by its session, since a browser goes on sending a password that it once was given. */
function identify({ headers }: FastifyRequest, tokens: Tokens, sessions: Sessions): Visitor | undefined {
  const access = kindOfToken(tokenOf(headers.authorization), tokens);
  if (access !== undefined) return { access, session: undefined };
  const session = sessions.find(headers.cookie);
  return session && { access: session.kind, session };
}

async function askForToken(request: FastifyRequest, reply: FastifyReply, hasViewers: boolean): Promise<void> {
  const { accept = '', 'user-agent': userAgent = '', 'sec-fetch-site': site } = request.headers;
  // All browsers call themselves Mozilla. They would show a dialog of their own for Basic, also where the page's script
  // asks, and would not forget what is typed there until they are closed. Of programs some wait for Basic to be named.
  const isBrowser = userAgent.startsWith('Mozilla/') || accept.includes('text/html');
  void reply
    .code(401)
    .header('www-authenticate', isBrowser ? `Bearer ${realm}` : `Basic ${realm}, charset="UTF-8"`);
  if (isRead(request.method) && accept.includes('text/html')) {
    await reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', signInPolicy)
      .send(
        renderSignInPage({
          next: request.url,
          isFromElsewhere: site === undefined ? 'unknown' : site !== 'same-origin' && site !== 'none',
          hasViewers,
        }),
      );
    return;
  }
  await reply.send({
    code: 'UNAUTHORIZED',
    message: 'ADMIN_TOKEN is needed, as bearer token or as password; a browser signs in at /sign-in',
  });
}

async function forbid(reply: FastifyReply, message: string): Promise<void> {
  await reply.code(403).send({ code: 'FORBIDDEN', message });
}

function tokenOf(authorization = ''): string {
  const [, scheme = '', value = ''] = /^(\S+)\s+(\S+)$/.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return '';
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

function isLocalName(hostname: string): boolean {
  return /^(localhost|\[?::1\]?|127(\.\d{1,3}){3})$/i.test(hostname);
}
