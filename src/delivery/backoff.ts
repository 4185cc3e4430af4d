/** First wait after a failed attempt, and the longest. */
const firstMs = 500;
const longestMs = 60_000;

/**
 * How long to wait before the next attempt: doubling from half a second to a minute, less a random part of up to a
 * half, so that many bridges do not come back at the same moment. What the other side asked for is waited out
 * (segment/retry-after.ts bounds it to a day). `attempt` counts the failed ones, from 1; `random` is from 0 to 1.
 */
export function backoffMs(
  attempt: number,
  { retryAfterMs = 0, random }: { retryAfterMs?: number | undefined; random: number },
): number {
  const ceilingMs = Math.min(firstMs * 2 ** (attempt - 1), longestMs);
  return Math.round(Math.max(ceilingMs * (1 - random / 2), retryAfterMs));
}
