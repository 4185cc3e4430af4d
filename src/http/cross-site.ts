// Whether a web page of somebody else makes its visitor's browser ask. A program says nothing of where it comes from, and
// is judged by its token alone.

import type { FastifyRequest } from 'fastify';

/**
 * True for what a foreign page sends or loads; a link that is followed to a page is not that. Browsers say it themselves,
 * by Sec-Fetch-Site, where they trust the connection (TLS, loopback); elsewhere only changes are told, by Origin.
 */
export function isCrossSite({ method, headers }: Pick<FastifyRequest, 'method' | 'headers'>): boolean {
  const { origin, host, 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': target } = headers;
  if (site === 'same-origin' || site === 'none') return false;
  if (site !== undefined) return !(isRead(method) && mode === 'navigate' && target === 'document');
  if (isRead(method) || origin === undefined) return false;
  // The scheme does not count: a proxy takes TLS away. `null`, that of a sandbox or a file, has no host.
  return host === undefined || URL.parse(origin)?.host !== URL.parse(`${schemeOf(origin)}//${host}`)?.host;
}

/** Whether it can only look. */
export function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** The same for both sides, so that both leave out its default port. */
function schemeOf(origin: string): string {
  return origin.startsWith('https:') ? 'https:' : 'http:';
}
