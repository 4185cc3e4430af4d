// `/sign-in` and `/sign-out`: a token becomes a session of a browser, and the session ends. Only where there is a token.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { crossSiteMessage } from './access.ts';
import type { AccessOptions } from './access.ts';
import { isCrossSite } from './cross-site.ts';
import { securityHeaders } from './security-headers.ts';
import { kindOfToken, sessionCookie, sessionSeconds } from './sessions.ts';
import type { Sessions, Tokens } from './sessions.ts';
import { SignInLimit } from './sign-in-limit.ts';
import { renderSignInPage, signInPolicy } from './sign-in-page.ts';

export interface SignInOptions extends Omit<AccessOptions, 'isLoopback'> {
  readonly sessions: Sessions;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A token, and the path of a page with its search, which Node limits to 16 KB and a form may make three times as long. */
const maxFormBytes = 64 * 1024;

export function registerSignIn(
  server: FastifyInstance,
  { adminToken, viewerToken, sessions, logger, now }: SignInOptions,
): void {
  if (adminToken === undefined) return;
  const tokens: Tokens = { admin: adminToken, viewer: viewerToken };
  const limit = new SignInLimit(now);
  const route = {
    bodyLimit: maxFormBytes,
    onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
      void reply.headers({ ...securityHeaders, 'content-security-policy': signInPolicy });
      if (isCrossSite(request)) await reply.code(403).send({ code: 'FORBIDDEN', message: crossSiteMessage });
    },
  };

  // In a scope of its own: nothing else takes a form, which a foreign page could post.
  void server.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      (_request, body, parsed) => {
        parsed(null, new URLSearchParams(body as string));
      },
    );

    scope.get<{ Querystring: { next?: unknown } }>('/sign-in', route, ({ query, headers }, reply) => {
      const next = pathOf(query.next);
      return sessions.find(headers.cookie) ? reply.redirect(next, 303) : show(reply, 200, next);
    });

    scope.post('/sign-in', route, (request, reply) => {
      const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
      const next = pathOf(form.get('next'));
      const waitSeconds = Math.ceil(limit.waitMs(request.ip) / 1_000);
      if (waitSeconds > 0) {
        void reply.header('retry-after', waitSeconds);
        return show(reply, 429, next, `Too many tokens were wrong. Try again in ${inWords(waitSeconds)}.`);
      }
      const kind = kindOfToken((form.get('token') ?? '').trim(), tokens);
      if (kind === undefined) {
        limit.fail(request.ip);
        logger.warn({ address: request.ip }, 'Somebody tried to sign in with a wrong token');
        return show(reply, 401, next, 'This is not the token.');
      }
      limit.succeed(request.ip);
      logger.info({ access: kind, address: request.ip }, 'Somebody signed in');
      return reply
        .header('set-cookie', cookie(request, sessions.begin(kind), sessionSeconds))
        .redirect(next, 303);
    });

    scope.post('/sign-out', route, (request, reply) => {
      const session = sessions.find(request.headers.cookie);
      if (session) {
        sessions.end(session);
        logger.info({ access: session.kind, address: request.ip }, 'Somebody signed out');
      }
      return reply.header('set-cookie', cookie(request, '', 0)).redirect('/', 303);
    });
    done();
  });

  function show(reply: FastifyReply, status: 200 | 401 | 429, next: string, fault?: string): FastifyReply {
    const page = {
      next,
      isFromElsewhere: false,
      hasViewers: viewerToken !== undefined,
      ...(fault === undefined ? {} : { fault }),
    };
    return reply.code(status).type('text/html; charset=utf-8').send(renderSignInPage(page));
  }
}

/**
 * `Secure` where the browser has TLS: its own Origin says so, or the proxy that takes the TLS away. Whoever lies about that
 * gets a cookie that is of no use to him, so it needs no proof; nothing else is believed of a proxy.
 */
function cookie({ headers }: FastifyRequest, value: string, maxAgeSeconds: number): string {
  const [protocol = ''] = String(headers['x-forwarded-proto'] ?? '').split(',');
  const isSecure = protocol.trim() === 'https' || headers.origin?.startsWith('https://') === true;
  return `${sessionCookie}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
}

/** A path of this bridge, whatever form or address say: never another host, in none of the ways in which URLs name one. */
function pathOf(next: unknown): string {
  const base = 'http://bridge.invalid';
  const url = typeof next === 'string' ? URL.parse(next, base) : null;
  if (url?.origin !== base || url.pathname.startsWith('//') || url.pathname === '/sign-in') return '/';
  return url.pathname + url.search;
}

function inWords(seconds: number): string {
  if (seconds === 1) return 'a second';
  return seconds < 120 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}
