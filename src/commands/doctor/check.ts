// One finding of `doctor`.

/** `skip`: it could not be looked at, and `detail` says why; nothing is known to be wrong. */
export type CheckStatus = 'ok' | 'warn' | 'fail' | 'skip';

export interface Check {
  /** Kebab case; of a destination `<destination>.<what>`. Stable: monitoring reads it. */
  readonly name: string;
  readonly status: CheckStatus;
  /** What was seen, in one sentence without a full stop. No secret and no personal data. */
  readonly detail: string;
  /** What to do, in one sentence; empty where nothing is to be done. */
  readonly fix: string;
}

export function ok(name: string, detail: string): Check {
  return { name, status: 'ok', detail, fix: '' };
}

export function warn(name: string, detail: string, fix: string): Check {
  return { name, status: 'warn', detail, fix };
}

export function fail(name: string, detail: string, fix: string): Check {
  return { name, status: 'fail', detail, fix };
}

export function skip(name: string, detail: string, fix = ''): Check {
  return { name, status: 'skip', detail, fix };
}

/** An error's words as a finding: those of ours say what to do in `hint`. */
export function failed(name: string, error: unknown, fix = 'See docs/troubleshooting.md'): Check {
  const { message, hint } = error as { message?: unknown; hint?: unknown };
  const code = codeOf(error);
  const detail = typeof message === 'string' ? message : String(error);
  return fail(
    name,
    code === '' || detail.includes(code) ? detail : `${detail} (${code})`,
    typeof hint === 'string' ? hint : fix,
  );
}

/** The code of the fault at the bottom of it, as Node, OpenSSL or PostgreSQL name it. */
function codeOf(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  if (cause !== undefined && cause !== null) return codeOf(cause);
  return typeof code === 'string' ? code : '';
}

/** `a`, `a and b`, `a, b and 3 more`. */
export function listed(words: readonly string[], most = 5): string {
  const shown = words.slice(0, most);
  const rest = words.length - shown.length;
  if (rest > 0) return `${shown.join(', ')} and ${rest} more`;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1) ?? ''}`;
}

/** `1 record`, `2 records`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `3 days`, of milliseconds. */
export function span(milliseconds: number): string {
  const seconds = Math.round(Math.abs(milliseconds) / 1000);
  for (const [unit, length] of [
    ['day', 86_400],
    ['hour', 3_600],
    ['minute', 60],
  ] as const) {
    const count = Math.floor(seconds / length);
    if (count > 0) return counted(count, unit);
  }
  return counted(seconds, 'second');
}
