// What ends the refusal of webhooks, by its reason: for `doctor`, `setup` and the dashboard.

const byReason: Readonly<Record<string, string>> = {
  missing: 'FusionAuth does not sign: run setup, or switch on Settings → Webhooks → Security → Sign events',
  'no-public-keys-configured': 'FusionAuth signs with a key pair: set FUSIONAUTH_URL',
  'no-secret-configured': 'FusionAuth signs with an HMAC key: set FUSIONAUTH_WEBHOOK_SECRET',
  'unknown-key':
    'The signing key is not among those that FUSIONAUTH_URL publishes: name the right FusionAuth',
  forged: 'Another secret or key signed it: set FUSIONAUTH_WEBHOOK_SECRET to the value of FusionAuth’s key',
  'body-differs':
    'Something between FusionAuth and the bridge changes the body: a proxy must pass it on as it is',
};

/** By the status of the answer, where nothing closer is known. */
const byStatus: Readonly<Record<number, string>> = {
  400: 'It was no event of FusionAuth’s: nothing is to be done, unless FusionAuth sent it; report it then',
  401: 'It had no signature of FusionAuth’s: nothing is to be done, unless FusionAuth sent it',
  415: 'FusionAuth sends JSON: find out who else posts here',
  500: 'It is a fault of the bridge’s own: report it, with its log lines',
};

/** Undefined where the bridge's own hint says it better. */
export function mendOfReason(reason: string): string | undefined {
  return Object.hasOwn(byReason, reason) ? byReason[reason] : undefined;
}

export function mendOfRefusal({
  reason,
  status,
  hint,
}: {
  readonly reason: string;
  readonly status: number;
  readonly hint?: string | undefined;
}): string {
  return mendOfReason(reason) ?? byStatus[status] ?? hint ?? 'See the bridge’s log lines';
}
