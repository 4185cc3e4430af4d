// How webhooks are verified, as the settings have it.

/** The settings that say so. */
export interface VerificationSettings {
  readonly webhookSecrets: readonly string[];
  readonly fusionAuthUrl: string | undefined;
  readonly allowUnsigned: boolean;
}

/** Whether a webhook without a signature is refused. A secret has no other use; a FusionAuth URL has. */
export function requiresSignature({
  webhookSecrets,
  fusionAuthUrl,
  allowUnsigned,
}: VerificationSettings): boolean {
  return webhookSecrets.length > 0 || (fusionAuthUrl !== undefined && !allowUnsigned);
}

/** The same, in words for people. */
export function describeVerification(config: VerificationSettings): string {
  const keys = [
    ...(config.webhookSecrets.length > 0 ? ['HMAC secret'] : []),
    ...(config.fusionAuthUrl === undefined ? [] : [`public keys of ${config.fusionAuthUrl}`]),
  ];
  if (keys.length === 0) {
    return 'Webhooks are not verified: set FUSIONAUTH_WEBHOOK_SECRET or FUSIONAUTH_URL before FusionAuth sends real ones';
  }
  const exception = requiresSignature(config)
    ? ''
    : '; unsigned ones are taken as well (FUSIONAUTH_ALLOW_UNSIGNED)';
  return `Webhooks are verified by ${keys.join(' or ')}${exception}`;
}
