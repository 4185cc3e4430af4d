// The dashboard's files, as `dashboard/build.ts` has made them: one page for all of its addresses, under a
// Content-Security-Policy that lets nothing in but these files.

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, onRequestAsyncHookHandler } from 'fastify';

/** Where the page is asked for: what else there is below `/` is no page. */
const addresses = ['/', '/events', '/events/*', '/dead-letters', '/replays', '/refused', '/catalogue'];
const noncePlace = '__NONCE__';

/** The folder of the built files; undefined where they were not built, as in a clone without the development packages. */
export function findDashboard(): string | undefined {
  // The compiled package has it beside its code, a clone in `dist`.
  const isCompiled = import.meta.url.endsWith('.js');
  const folder = fileURLToPath(
    new URL(isCompiled ? '../dashboard/' : '../../dist/dashboard/', import.meta.url),
  );
  return existsSync(`${folder}index.html`) ? folder : undefined;
}

export function registerDashboard(
  server: FastifyInstance,
  { folder, guard }: { folder: string; guard: { readonly onRequest: onRequestAsyncHookHandler } },
): void {
  const page = readFileSync(`${folder}index.html`, 'utf8');
  for (const address of addresses) {
    server.get(address, guard, (_request, reply) => {
      const nonce = randomBytes(16).toString('base64url');
      return reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', contentSecurityPolicy(nonce))
        .send(page.replaceAll(noncePlace, nonce));
    });
  }
  // Code and pictures hold nothing of anybody's: they need no token, and their names change with their content.
  void server.register(fastifyStatic, {
    root: `${folder}assets`,
    prefix: '/assets/',
    decorateReply: false,
    index: false,
    immutable: true,
    maxAge: '365d',
    setHeaders: (reply) => {
      void reply.header('x-content-type-options', 'nosniff');
    },
  });
  const icon = readFileSync(`${folder}icon.svg`);
  server.get('/icon.svg', (_request, reply) => reply.type('image/svg+xml').send(icon));
}

/** The nonce is for the style sheets that Mantine makes while it runs. */
function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "font-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
