/** Whatever a server asks, it is tried once a day; a timer could not wait for longer than 24 days anyway. */
const longestMs = 24 * 60 * 60_000;

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
    if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return Math.min(Math.ceil(Number(value) * 1000), longestMs);
    // Date.parse alone takes nearly anything for a date, "1 2" among it.
    const date = name === 'retry-after' && value.endsWith(' GMT') ? Date.parse(value) : NaN;
    if (!Number.isNaN(date)) return Math.min(Math.max(0, date - now), longestMs);
  }
  return undefined;
}
