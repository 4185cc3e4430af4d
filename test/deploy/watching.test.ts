// What is shipped for watching a bridge (alert rules, dashboard, docs/metrics.md) speaks of the metrics that there are.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { describeMetrics, prefix } from '../../docs/metrics-page.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = new URL('../../', import.meta.url);
const pathOf = (path: string) => fileURLToPath(new URL(path, root));
const read = (path: string) => readFileSync(pathOf(path), 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}
const { groups } = parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const ruleTests = parse(read('deploy/prometheus/alerts.test.yml')) as {
  tests: { input_series: { series: string }[]; [kind: string]: unknown }[];
};

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string }[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}
const dashboard = JSON.parse(read('deploy/grafana/dashboard.json')) as {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

const metrics = describeMetrics();
const series = new Set(
  metrics.flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);
/** Prometheus makes them itself. */
const ofPrometheus = new Set(['up', 'ALERTS']);

const expressions: [string, string][] = [
  ...rules.map(({ alert, expr }): [string, string] => [`the rule ${alert}`, expr]),
  ...ruleTests.tests.flatMap(({ input_series: input }) =>
    input.map((each): [string, string] => [`alerts.test.yml, ${each.series}`, each.series]),
  ),
  ...queries.map((expr): [string, string] => [`the dashboard’s ${expr}`, expr]),
  ...dashboard.templating.list.flatMap(({ name, definition }): [string, string][] =>
    definition === undefined ? [] : [[`the dashboard’s variable ${name}`, definition]],
  ),
];

test('every metric that a rule or the dashboard names is one of the bridge’s, with labels that it has', () => {
  assert.ok(rules.length >= 8 && queries.length >= 20);
  for (const [where, expression] of expressions) {
    const named = selectorsOf(expression);
    assert.ok(named.length > 0, `${where} names a metric`);
    for (const { name, labels } of named) {
      if (ofPrometheus.has(name)) continue;
      assert.ok(series.has(name), `${where} names ${name}`);
      const metric = metrics.find(
        (each) => each.name === name.replace(/_(bucket|sum|count)$/, '') || each.name === name,
      );
      const known = ['job', 'instance', 'le', ...(metric?.labelNames ?? [])];
      for (const label of labels) assert.ok(known.includes(label), `${where} asks ${name} for ${label}`);
    }
  }
});

test('every metric of the bridge’s own is looked at by a rule or by the dashboard', () => {
  const looked = new Set(
    expressions.flatMap(([, expression]) => selectorsOf(expression).map(({ name }) => name)),
  );

  for (const { name } of metrics.filter((metric) => metric.name.startsWith(prefix))) {
    // Counts since the log began, which `status` has as well.
    if (name === `${prefix}received`) continue;
    assert.ok(looked.has(name) || looked.has(`${name}_bucket`), name);
  }
});

test('every metric and every label stands in docs/metrics.md with what it is', () => {
  const rows = read('docs/metrics.md').matchAll(/^\| `(\w+)` \|(?:.*\|)? (.*) \|$/gm);
  const described = new Map(Array.from(rows, ([, name = '', meaning = '']) => [name, meaning]));
  const ours = metrics.filter(({ name }) => name.startsWith(prefix));
  const expected = new Set(ours.flatMap(({ name, labelNames }) => [name, ...labelNames]));

  assert.deepEqual([...described.keys()].sort(), [...expected].sort());
  for (const [name, meaning] of described) assert.notEqual(meaning.trim(), '', name);
});

test('every rule says what is wrong, what to do, and how urgent it is', () => {
  for (const { alert, labels, annotations } of rules) {
    assert.match(labels.severity, /^(critical|warning)$/, alert);
    assert.ok(annotations.summary.length > 10 && annotations.description.length > 40, alert);
  }
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
});

test('every rule has a test in which it fires', () => {
  const text = JSON.stringify(ruleTests.tests);

  for (const { alert } of rules) {
    assert.ok(
      text.includes(`alertname=\\"${alert}\\"`) || text.includes(`"alertname":"${alert}"`),
      `alerts.test.yml has ${alert}`,
    );
  }
});

test('the dashboard asks for its data source by a variable, and no panel lies upon another', () => {
  for (const panel of dashboard.panels) {
    if (panel.type !== 'row') assert.equal(panel.datasource?.uid, '${datasource}', panel.title);
    for (const other of dashboard.panels) {
      const [a, b] = [panel.gridPos, other.gridPos];
      const overlaps = a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
      assert.ok(panel === other || !overlaps, `${panel.title} and ${other.title}`);
    }
  }
});

test('the alert rules are well-formed and fire on their faults', async (t) => {
  await promtool(t, 'check', 'rules', pathOf('deploy/prometheus/alerts.yml'));
  await promtool(t, 'test', 'rules', pathOf('deploy/prometheus/alerts.test.yml'));
});

test('every query of the dashboard is one that Prometheus can parse', async (t) => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'queries.yml');
  const rules = [...new Set(queries)].map((expr, index) => ({
    record: `query:${index}`,
    expr: expr.replaceAll('$__rate_interval', '5m'),
  }));
  await writeFile(file, JSON.stringify({ groups: [{ name: 'queries', rules }] }));

  await promtool(t, 'check', 'rules', file);
});

/** Fails with what it prints. PROMTOOL says where it is, where that is not the PATH. */
async function promtool(t: TestContext, ...args: string[]): Promise<void> {
  try {
    await promisify(execFile)(process.env['PROMTOOL'] ?? 'promtool', args);
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
    if (code === 'ENOENT') t.skip('promtool is not on this machine');
    else assert.fail(`promtool ${args.join(' ')}: ${stdout}${stderr}`);
  }
}

/** The metrics that a PromQL expression selects, and the labels that it asks each for. */
function selectorsOf(expression: string): { name: string; labels: string[] }[] {
  const withoutText = expression
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\b(by|without|on)\s*\([^)]*\)/g, '');
  return Array.from(
    withoutText.matchAll(/\b([a-z]\w*)\b(?!\s*\()(?:\{([^}]*)\})?/gi),
    ([, name = '', labels = '']) => ({
      name,
      labels: Array.from(labels.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g), ([, label = '']) => label),
    }),
  ).filter(({ name }) => /^[a-z]+_|^(up|ALERTS)$/.test(name) && name !== 'label_values');
}
