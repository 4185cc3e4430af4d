// What `setup` asks in the terminal, in the order in which a person would want to be asked. Each answer is tried at once.

import * as clack from '@clack/prompts';
import type { FusionAuthApi, FusionAuthTenant } from '../../fusionauth/api/fusionauth-api.ts';
import { isAtLeast } from '../../fusionauth/samples.ts';
import { describeError, CommandError } from '../report.ts';
import type { Answers } from './answers.ts';
import { findAddressFault } from './address-fault.ts';
import { hmacWanted } from './plan.ts';
import { demandRights } from './rights.ts';
import { findOwnWebhook, sinceVersion } from './state.ts';

/** What is known already: offered as the first choice. */
export interface Suggestions {
  readonly fusionAuthUrl: string | undefined;
  readonly apiKey: string | undefined;
  readonly webhookUrl: string | undefined;
  /** Of the bridge's webhook on this machine: where nothing better is known. */
  readonly ownUrl: string;
  readonly webhookSecret: string | undefined;
  readonly segmentWriteKey: string | undefined;
  /** Whether Segment is asked about at all: not where a Public API token says it better. */
  readonly asksForSegment: boolean;
}

/** Throws CommandError where somebody leaves off, or the key lacks a right; and FusionAuthApiError. */
export async function ask(
  suggestions: Suggestions,
  connect: (url: string, apiKey: string) => FusionAuthApi,
): Promise<Answers> {
  clack.intro('fusionauth-segment setup');
  const { url: fusionAuthUrl, apiKey, api, version } = await askForFusionAuth(suggestions, connect);
  const { url: presentUrl } = findOwnWebhook(await api.webhooks(), undefined) ?? {};
  const webhookUrl = await askForWebhookUrl(
    suggestions.webhookUrl ?? presentUrl ?? suggestions.ownUrl,
    fusionAuthUrl,
  );
  const tenantIds = await askForTenants(await api.tenants());
  const isHmac =
    isAtLeast(version, sinceVersion.signatures) &&
    (await answered(
      clack.select({
        message: 'How is FusionAuth to sign the webhook?',
        options: [
          { value: 'pair', label: 'by a key pair', hint: 'no secret is shared; recommended' },
          { value: 'hmac', label: 'by an HMAC secret', hint: 'where the bridge cannot reach FusionAuth' },
        ],
      }),
    )) === 'hmac';
  // Before, it is always kept, or not there.
  const withEventLog =
    !isAtLeast(version, sinceVersion.eventLogSwitch) ||
    (await answered(
      clack.confirm({
        message:
          'Have FusionAuth keep its webhook event log for 30 days? What it could not deliver can be recovered from it',
      }),
    ));
  const keepsApiKey = await answered(
    clack.confirm({ message: 'Keep the API key in .env, for doctor?', initialValue: false }),
  );
  const segmentWriteKey = suggestions.asksForSegment
    ? await askForWriteKey(suggestions.segmentWriteKey)
    : undefined;
  const hmac = isHmac ? hmacWanted(suggestions.webhookSecret) : undefined;
  await demandRights(api, { withEventLog, withHmac: isHmac });
  return {
    fusionAuthUrl,
    apiKey,
    webhookUrl,
    tenantIds,
    hmac,
    keepsHmac: false,
    withEventLog,
    keepsApiKey,
    segmentWriteKey,
  };
}

export async function askWhetherToApply(): Promise<boolean> {
  return answered(clack.confirm({ message: 'Make these changes?' }));
}

async function askForFusionAuth(
  { fusionAuthUrl = 'http://localhost:9011', apiKey: known }: Suggestions,
  connect: (url: string, apiKey: string) => FusionAuthApi,
): Promise<{ url: string; apiKey: string; api: FusionAuthApi; version: string }> {
  let suggested = fusionAuthUrl;
  for (;;) {
    const url = await answered(
      clack.text({ message: 'Where is FusionAuth?', initialValue: suggested, validate: faultOfUrl }),
    );
    suggested = url;
    const apiKey =
      (await answered(
        clack.password({
          message:
            known === undefined
              ? 'An API key of it (Settings → API Keys; of no single tenant)'
              : 'An API key of it (nothing: the one in FUSIONAUTH_API_KEY)',
          validate: (value = '') => (value === '' && known === undefined ? 'It needs one' : undefined),
        }),
      )) ||
      (known ?? '');
    const api = connect(url, apiKey);
    const spinner = clack.spinner();
    spinner.start('Trying it');
    try {
      const version = await demandRights(api, { withEventLog: false });
      spinner.stop(`FusionAuth ${version} answers, and the key may do what is needed`);
      return { url, apiKey, api, version };
    } catch (error) {
      spinner.error(describeError(error));
    }
  }
}

async function askForWebhookUrl(known: string, fusionAuthUrl: string): Promise<string> {
  for (;;) {
    const webhookUrl = await answered(
      clack.text({
        message: 'At which address does FusionAuth reach the bridge?',
        initialValue: known,
        validate: faultOfUrl,
      }),
    );
    const fault = findAddressFault(webhookUrl, fusionAuthUrl);
    if (fault === undefined) return webhookUrl;
    clack.log.warn(fault);
    if (await answered(clack.confirm({ message: 'Take it all the same?', initialValue: false })))
      return webhookUrl;
  }
}

async function askForTenants(tenants: readonly FusionAuthTenant[]): Promise<readonly string[]> {
  if (tenants.length < 2) return [];
  const chosen = await answered(
    clack.multiselect({
      message: 'Events of which tenants? (none: of all, also of those to come)',
      options: tenants.map(({ id, name }) => ({ value: id, label: name, hint: id })),
      required: false,
    }),
  );
  return chosen;
}

async function askForWriteKey(known: string | undefined): Promise<string | undefined> {
  const given = await answered(
    clack.password({
      message: `The write key of your HTTP API source at Segment (nothing: ${known === undefined ? 'without Segment' : 'the one that is set'})`,
      validate: (value = '') => (/^[\x21-\x7e]*$/.test(value) ? undefined : 'A write key has no spaces'),
    }),
  );
  return given === '' ? known : given;
}

function faultOfUrl(value = ''): string | undefined {
  const url = URL.parse(value);
  return url && /^https?:$/.test(url.protocol) && url.username === ''
    ? undefined
    : 'An http or https URL, please';
}

async function answered<Answer>(question: Promise<Answer>): Promise<Exclude<Answer, symbol>> {
  const value = await question;
  if (!clack.isCancel(value)) return value as Exclude<Answer, symbol>;
  throw new CommandError('Nothing was changed', { hint: 'Run setup again when you like' });
}
