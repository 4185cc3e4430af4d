// Writes the pages that are made from the code: `npm run docs`. A test says when one of them is out of date.

import { writeFileSync } from 'node:fs';
import { settings } from '../src/config/settings.ts';
import type { Setting } from '../src/config/settings.ts';
import { eventsPage } from './events-page.ts';
import { metricsPage } from './metrics-page.ts';
import { warehousePage } from './warehouse-views.ts';

/** Each page's text, by its path from the project's root. */
export const pages: Readonly<Record<string, () => string>> = {
  'docs/configuration.md': configurationPage,
  'docs/events.md': eventsPage,
  'docs/metrics.md': metricsPage,
  'docs/warehouse.md': warehousePage,
};

function configurationPage(): string {
  const rows = Object.entries<Setting>(settings).map(
    ([name, { meaning, allowed, default: value, isSecret }]) =>
      `| \`${name}\` | ${meaning} | ${allowed}${isSecret === true ? '; secret' : ''} | ${value === undefined ? '' : `\`${value}\``} |`,
  );
  return `# Configuration

Every setting is an environment variable; none is needed to begin. \`.env\` in the folder where the bridge is started
is read as well, and the environment wins over it. An empty variable counts as not set. A wrong value stops the start
with one line that says which and what is allowed; all faults are reported at once.

A secret can be read from a file instead: \`NAME_FILE=/run/secrets/name\`.

| variable | what it means | allowed | default |
| --- | --- | --- | --- |
${rows.join('\n')}

## How is a webhook verified?

| set | a webhook without signature | one with a signature |
| --- | --- | --- |
| nothing, on a loopback address | taken | taken, not verified |
| nothing, on a network address | the bridge does not start | |
| \`FUSIONAUTH_WEBHOOK_SECRET\` | refused | must be by one of the secrets (HS256, HS384, HS512) |
| \`FUSIONAUTH_URL\` | refused | must be by a key that FusionAuth publishes (RSA, EC, Ed25519) |
| \`FUSIONAUTH_URL\` and \`FUSIONAUTH_ALLOW_UNSIGNED=true\` | taken | must be by a key that FusionAuth publishes |
| \`FUSIONAUTH_ALLOW_UNSIGNED=true\` alone | taken | taken, not verified |

With both a secret and a URL, either kind of signature is good. FusionAuth's public keys are kept in memory, so an
outage of FusionAuth turns nobody away; a key that it has just begun to use is fetched at once.

## How is a secret replaced?

Set both, the new one first: \`FUSIONAUTH_WEBHOOK_SECRET=new,old\`, restart, switch the key in FusionAuth, then remove
the old one. Commas separate secrets where each has at least 8 characters; line ends always do, which is of use in a
file. With asymmetric keys there is nothing to do here: change the key in FusionAuth.

## How are traces switched on?

By OpenTelemetry's own variables; where none of the first two is set there are no traces, and none of its code is loaded.

| variable | here |
| --- | --- |
| \`OTEL_EXPORTER_OTLP_ENDPOINT\`, \`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT\` | the collector, such as \`http://127.0.0.1:4318\`; switches traces on |
| \`OTEL_TRACES_EXPORTER\` | \`otlp\` switches them on (to \`http://localhost:4318\` unless an endpoint is set), \`none\` off |
| \`OTEL_SDK_DISABLED\` | \`true\` switches them off |
| \`OTEL_EXPORTER_OTLP_PROTOCOL\`, \`OTEL_EXPORTER_OTLP_TRACES_PROTOCOL\` | \`http/protobuf\`, the only one |
| \`OTEL_EXPORTER_OTLP_HEADERS\`, \`…_TIMEOUT\`, \`…_COMPRESSION\`, \`…_CERTIFICATE\`, \`…_CLIENT_KEY\`, \`…_CLIENT_CERTIFICATE\` | as OpenTelemetry has them, also with \`_TRACES\` |
| \`OTEL_SERVICE_NAME\`, \`OTEL_RESOURCE_ATTRIBUTES\` | \`fusionauth-segment\` where nothing is said |
| \`OTEL_TRACES_SAMPLER\`, \`OTEL_TRACES_SAMPLER_ARG\` | \`always_on\` (the default), \`always_off\`, \`traceidratio\` and a share such as \`0.01\` |
| \`OTEL_BSP_SCHEDULE_DELAY\`, \`OTEL_BSP_EXPORT_TIMEOUT\`, \`OTEL_BSP_MAX_QUEUE_SIZE\`, \`OTEL_BSP_MAX_EXPORT_BATCH_SIZE\` | 5,000 ms, 30,000 ms, 2,048 spans, 512 spans |

There are three spans, each a trace of its own: \`webhook\` (its answer; the event's id and type where it is stored), linked to
the \`log.group\` in which its event was written (events and other writes in it), and \`delivery.attempt\` (destination, messages,
result). Never a body, a user or a key. What a collector does not take in time is dropped, and one log line says so; no
webhook waits for it. A span costs two to three microseconds of the processor, so sample where thousands of webhooks come a
second: the queue holds 2,048 spans, and what is more is dropped.
`;
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(pages)) {
    writeFileSync(new URL(`../${path}`, import.meta.url), text());
  }
}
