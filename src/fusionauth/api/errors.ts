// What can go wrong with FusionAuth's API, in words for whoever runs `setup` or `doctor`.

import type { NoAnswerError, RestAnswer } from './rest-client.ts';

/** A call of FusionAuth's API failed; `hint` says what to do. */
export class FusionAuthApiError extends Error {
  readonly code = 'FUSIONAUTH_API';
  readonly hint: string;
  /** 0 where no answer came. */
  readonly status: number;
  /** FusionAuth's own codes for what it refuses, such as `[duplicate]key.name`. */
  readonly reasons: readonly string[];

  constructor(
    message: string,
    {
      hint,
      status,
      reasons = [],
      cause,
    }: { hint: string; status: number; reasons?: readonly string[]; cause?: unknown },
  ) {
    super(message, { cause });
    this.name = 'FusionAuthApiError';
    this.hint = hint;
    this.status = status;
    this.reasons = reasons;
  }
}

interface FusionAuthErrors {
  readonly fieldErrors?: Readonly<Record<string, readonly FusionAuthFault[]>>;
  readonly generalErrors?: readonly FusionAuthFault[];
}
interface FusionAuthFault {
  readonly code?: string;
  readonly message?: string;
}

/** `call`: what was asked, such as `PATCH /api/tenant`. */
export function refusal(
  call: string,
  url: string,
  { statusCode, exception }: RestAnswer,
): FusionAuthApiError {
  const faults = faultsOf(exception);
  const status = { status: statusCode, reasons: faults.map(({ code = '' }) => code) };
  if (statusCode === 401) {
    return new FusionAuthApiError(`FusionAuth does not let this API key do ${call} (401)`, {
      ...status,
      hint: 'Give the key that right in FusionAuth: Settings → API Keys. A key of one tenant cannot have it; nor does FusionAuth tell a wrong key from one with too few rights',
    });
  }
  if (statusCode === 400) {
    const words = faults.map(({ message = '', code = '' }) => message || code).join(' ');
    return new FusionAuthApiError(`FusionAuth refuses ${call}: ${words || 'it does not say why'}`, {
      ...status,
      hint: 'Mend what it names; where that is nothing of yours, report it with FusionAuth’s version',
    });
  }
  if (statusCode >= 500) {
    return new FusionAuthApiError(`FusionAuth cannot do ${call} at the moment (${statusCode})`, {
      ...status,
      hint: 'Look into FusionAuth’s own log; try again when it is well',
    });
  }
  return new FusionAuthApiError(`It is not FusionAuth that answers at ${url} (${call}: ${statusCode})`, {
    ...status,
    hint: 'Check FUSIONAUTH_URL: the address at which FusionAuth’s own pages are, without a path, and nothing in between',
  });
}

/** What was answered is nothing that FusionAuth says. */
export function notFusionAuth(url: string): FusionAuthApiError {
  return new FusionAuthApiError(`It is not FusionAuth that answers at ${url}: it tells no version`, {
    status: 200,
    hint: 'Check FUSIONAUTH_URL: the address at which FusionAuth’s own pages are, without a path',
  });
}

/** It could not be reached. */
export function unreachable(url: string, { cause }: NoAnswerError): FusionAuthApiError {
  const { name, code, message } = cause as Error & { code?: string };
  const what = name === 'TimeoutError' ? 'no answer in time' : (code ?? message);
  return new FusionAuthApiError(`FusionAuth cannot be reached at ${url}: ${what}`, {
    status: 0,
    cause,
    hint: 'Check FUSIONAUTH_URL, and that FusionAuth runs and this machine reaches it',
  });
}

function faultsOf(exception: unknown): readonly FusionAuthFault[] {
  const { fieldErrors = {}, generalErrors = [] } = (exception ?? {}) as FusionAuthErrors;
  return [...Object.values(fieldErrors).flat(), ...generalErrors];
}
