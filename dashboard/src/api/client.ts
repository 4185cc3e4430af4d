// The bridge's HTTP API, as the page asks it.

/** The bridge refused, or could not; `hint` says what to do where it knows. */
export class ApiError extends Error {
  readonly status: number;
  readonly hint: string | undefined;

  constructor(message: string, { status, hint }: { status: number; hint?: string | undefined }) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.hint = hint;
  }
}

export function get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  return ask<Answer>(path, { signal: signal ?? null });
}

export function post<Answer>(path: string, document: unknown): Promise<Answer> {
  return ask<Answer>(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(document),
  });
}

async function ask<Answer>(path: string, init: RequestInit): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, credentials: 'same-origin' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError('The bridge does not answer', {
      status: 0,
      hint: 'It may be restarting; this page goes on asking by itself',
    });
  }
  const document: unknown =
    response.status === 204 ? undefined : await response.json().catch(() => undefined);
  if (response.ok) return document as Answer;
  // The session has ended: the server shows where to sign in.
  if (response.status === 401) location.reload();
  const { message = `The bridge answered ${response.status}`, hint } = (document ?? {}) as {
    message?: string;
    hint?: string;
  };
  throw new ApiError(message, { status: response.status, hint });
}
