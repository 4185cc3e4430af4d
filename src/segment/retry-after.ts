/**
 * How long a server asks to wait, in milliseconds: from `Retry-After` (seconds or an HTTP date, RFC 9110), or from
 * Segment's `X-RateLimit-Reset` (seconds to wait). Undefined where it does not say, or says it in no known form.
 */
export function retryAfterMs(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  now: number,
): number | undefined {
  for (const name of ['retry-after', 'x-ratelimit-reset']) {
    const value = headers[name];
    if (typeof value !== 'string') continue;
    if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return Math.ceil(Number(value) * 1000);
    const date = name === 'retry-after' ? Date.parse(value) : NaN;
    if (!Number.isNaN(date)) return Math.max(0, date - now);
  }
  return undefined;
}
