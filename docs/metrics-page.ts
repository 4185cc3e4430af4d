// docs/metrics.md: every metric of ours, from the registry itself.

import { createMetrics } from '../src/http/metrics.ts';
import { code, formatTable, listOf } from './markdown.ts';

/** What begins otherwise is of Node or of the process, and its own documentation has it. */
export const prefix = 'fusionauth_segment_';

/** What the labels can be. A test holds the names against the registry. */
const labels: Readonly<Record<string, string>> = {
  answer:
    '`stored`, `duplicate` (200); `invalid` (400), `unauthorized` (401), `too_large` (413), `unsupported_media_type` (415), `failed` (500), `unavailable` (503)',
  destination: 'as in the configuration: `segment`, `warehouse`, …',
  file: '`log`, `wal` (the write-ahead log)',
  kind: '`stored`, `duplicates`, `rejected`',
  outcome: '`pending`, `delivered`, `filtered`, `dead`',
  reason: 'of a dead letter (docs/operations.md), or `other`',
  result: '`succeeded`, `failed`',
  state: '`starting`, `running`, `retrying`, `blocked`, `stopped`',
  version: 'of the bridge',
};

interface DescribedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

/** All that a bridge's registry has. */
export function describeMetrics(): readonly DescribedMetric[] {
  const never = () => Promise.reject(new Error('Nothing is scraped here'));
  const { registry } = createMetrics({
    readStatus: never,
    readReplays: never,
    readStorage: never,
    isWritable: () => false,
  });
  // prom-client has `type` and `labelNames` on every metric, and not in its types.
  return registry.getMetricsAsArray() as unknown as readonly DescribedMetric[];
}

export function metricsPage(): string {
  const ours = describeMetrics().filter(({ name }) => name.startsWith(prefix));
  const rows = ours.map(({ name, type, labelNames, help }) => [code(name), type, listOf(labelNames), help]);
  const used = [...new Set(ours.flatMap(({ labelNames }) => labelNames))].sort();
  return `# Metrics

\`GET /metrics\` answers Prometheus, on the port of everything else and without a token: numbers and the names of
destinations, nothing of anybody. Units are base units; labels have a closed set of values each.

\`\`\`yaml
scrape_configs:
  - job_name: fusionauth-segment
    static_configs: [{ targets: ['127.0.0.1:3000'] }]
rule_files: [alerts.yml]
\`\`\`

- \`deploy/prometheus/alerts.yml\` has the rules that fire on the faults of docs/operations.md. \`BridgeDown\` looks for the
  job's name.
- \`deploy/grafana/dashboard.json\` is a dashboard for Grafana 10 or newer: import it, or put it where a provider of yours
  reads dashboards. It asks for its data source by a variable.

## Which are there?

${formatTable(['metric', 'type', 'labels', 'what it is'], rows)}

A histogram has \`_bucket\`, \`_sum\` and \`_count\`. Beside these there are those of Node and of the process
(\`nodejs_eventloop_lag_p99_seconds\`, \`process_resident_memory_bytes\` …), as prom-client names them.

${formatTable(
  ['label', 'values'],
  used.map((label) => [code(label), labels[label] ?? '']),
)}

## What does counting cost?

A webhook, a group of webhooks and an attempt are counted once each, and a settled record adds its time to one histogram,
a quarter of a microsecond. The books, states and sizes are read once a scrape, by the thread that reads the log.
`;
}
