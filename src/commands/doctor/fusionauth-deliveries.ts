// FusionAuth's webhook event log: what it could not deliver to the bridge.

import type { WebhookAttemptLog, WebhookEventLog } from '@fusionauth/typescript-client';
import type { FusionAuthWebhook } from '../../fusionauth/api/fusionauth-api.ts';
import { isAtLeast } from '../../fusionauth/samples.ts';
import { sinceVersion } from '../setup/state.ts';
import { fail, ok, skip, span, warn } from './check.ts';
import type { Check } from './check.ts';
import { eventLogHours } from './fusionauth-view.ts';
import type { FusionAuthView } from './fusionauth-view.ts';

/** Of a Java exception's text, which may go on for a page. */
const maxExceptionLength = 120;

export function checkDeliveries(
  { id }: FusionAuthWebhook,
  { version, eventLog, sentEvents }: Pick<FusionAuthView, 'version' | 'eventLog' | 'sentEvents'>,
  now: number,
): readonly Check[] {
  const name = 'fusionauth.deliveries';
  if (!isAtLeast(version(), sinceVersion.eventLog)) {
    const detail = `FusionAuth ${version()} keeps no webhook event log`;
    return [skip(name, detail, `Update it to ${sinceVersion.eventLog} or newer`)];
  }
  if (eventLog()?.enabled === false) {
    return [
      warn(
        name,
        'FusionAuth’s webhook event log is off: what it cannot deliver is lost without a trace',
        'Run setup, which switches it on; or System → Webhook event log → Settings',
      ),
    ];
  }
  // Not by eventResult: of an event that nobody waits for it is Succeeded, whatever became of it.
  const attempts = sentEvents()
    .flatMap(({ attempts: ofEvent = [] }: WebhookEventLog) => ofEvent)
    .filter(({ webhookId }) => webhookId === id)
    .toSorted((one, other) => instantOf(other) - instantOf(one));
  const failures = attempts.filter(isFailure);
  const [newest] = failures;
  if (newest === undefined) {
    return [ok(name, `None of ${attempts.length} in the last ${eventLogHours} hours failed`)];
  }
  const find = attempts[0] === newest ? fail : warn;
  const { what, fix } = reasonOf(newest);
  return [
    find(
      name,
      `${failures.length} of ${attempts.length} in the last ${eventLogHours} hours failed, the last ${span(now - instantOf(newest))} ago: ${what}`,
      fix,
    ),
  ];
}

function isFailure({ attemptResult }: WebhookAttemptLog): boolean {
  return (attemptResult as string | undefined) === 'Failure';
}

function instantOf({ endInstant, startInstant }: WebhookAttemptLog): number {
  return endInstant ?? startInstant ?? 0;
}

/** FusionAuth may name a status and an exception, either, or neither. */
function reasonOf({ webhookCallResponse }: WebhookAttemptLog): { what: string; fix: string } {
  const { statusCode, exception } = webhookCallResponse ?? {};
  if (statusCode !== undefined && statusCode > 0) {
    return { what: `it answered ${statusCode}`, fix: fixOfStatus(statusCode) };
  }
  const words = (exception ?? '').split('\n', 1)[0]?.replaceAll(/\w+:\/\/\S+/g, 'its URL') ?? '';
  const what = `no answer${words === '' ? '' : `: ${words.slice(0, maxExceptionLength)}`}`;
  return /time[d-]?\s?-?out/i.test(words)
    ? {
        what,
        fix: 'See fusionauth.time-outs, and the disk of the bridge: it answers as soon as the event is on disk',
      }
    : {
        what,
        fix: 'Let the bridge run all the time, at an address that FusionAuth reaches from where it runs: docs/troubleshooting.md, “Test fails, too”',
      };
}

function fixOfStatus(status: number): string {
  if (status === 401) return 'It was refused for its signature: see refusals and fusionauth.signature';
  if (status === 404 || status === 405)
    return 'What answers there is no bridge, or the path is wrong: see fusionauth.webhook';
  if (status === 413) return 'Raise MAX_BODY_BYTES, and the limit of a proxy in between';
  if (status === 503)
    return 'The bridge could not take it: see log and disk, and docs/operations.md for the codes of 503';
  return status >= 500
    ? 'Look into the log lines of the bridge, or of the proxy in front of it'
    : 'See what answers at the webhook’s address: the bridge answers 200, 401, 413 or 503';
}
