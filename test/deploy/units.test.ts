// The Kubernetes manifest and the systemd unit speak of the settings, paths and ports that the bridge has.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { settings } from '../../src/config/settings.ts';
import type { Setting, SettingName } from '../../src/config/settings.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const isSetting = (variable: string) => variable === 'NODE_ENV' || variable.replace(/_FILE$/, '') in settings;

interface Container {
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string } };
  }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: object;
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: string } };
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly replicas: number;
    readonly serviceName: string;
    readonly selector: { readonly matchLabels?: object };
    readonly podSelector: { readonly matchLabels: object };
    readonly policyTypes: readonly string[];
    readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[];
    readonly template: {
      readonly metadata: { readonly labels: object };
      readonly spec: {
        readonly containers: readonly [Container];
        readonly volumes: readonly { readonly name: string }[];
        readonly securityContext: object;
        readonly terminationGracePeriodSeconds: number;
      };
    };
  };
}
const documents = parseAllDocuments(read('deploy/kubernetes.yaml'));
const manifests = documents.map((document) => document.toJS() as Manifest);
function manifest(kind: string): Manifest {
  const found = manifests.find((candidate) => candidate.kind === kind);
  assert.ok(found, kind);
  return found;
}

test('the manifest has one bridge with a volume, a Service, settings and a policy, and no secret', () => {
  assert.deepEqual(
    documents.flatMap(({ errors }) => errors),
    [],
  );
  assert.deepEqual(
    manifests.map(({ kind }) => kind),
    ['ConfigMap', 'Service', 'StatefulSet', 'NetworkPolicy'],
  );

  const { spec } = manifest('StatefulSet');
  assert.equal(spec.replicas, 1);
  assert.equal(spec.serviceName, manifest('Service').metadata.name);
  assert.deepEqual(spec.selector.matchLabels, spec.template.metadata.labels);
  assert.deepEqual(manifest('Service').spec.selector, spec.template.metadata.labels);
  assert.deepEqual(manifest('NetworkPolicy').spec.podSelector.matchLabels, spec.template.metadata.labels);
  assert.deepEqual(manifest('NetworkPolicy').spec.policyTypes, ['Ingress', 'Egress']);
});

test('the pod has no right that it does not need, and can write to its volume and /tmp only', () => {
  const { spec } = manifest('StatefulSet');
  const pod = spec.template.spec;
  const [container] = pod.containers;

  assert.partialDeepStrictEqual(pod.securityContext, {
    runAsNonRoot: true,
    runAsUser: 1000,
    seccompProfile: { type: 'RuntimeDefault' },
  });
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  const volumes = [
    ...pod.volumes.map(({ name }) => name),
    ...spec.volumeClaimTemplates.map(({ metadata }) => metadata.name),
  ];
  assert.deepEqual(container.volumeMounts.map(({ name }) => name).sort(), volumes.sort());
  // The bridge gives itself ten seconds to stop (docs/operations.md).
  assert.ok(pod.terminationGracePeriodSeconds > 10);
});

test('the pod is given settings that there are, secrets by reference, and is asked at paths that answer', () => {
  const [container] = manifest('StatefulSet').spec.template.spec.containers;

  for (const { name, value, valueFrom } of container.env) {
    assert.ok(isSetting(name), name);
    const setting: Setting = settings[name as SettingName];
    const isSecret = setting.isSecret === true;
    assert.equal(valueFrom !== undefined, isSecret, name);
    assert.equal(value !== undefined, !isSecret, name);
  }
  for (const name of Object.keys(manifest('ConfigMap').data ?? {})) assert.ok(isSetting(name), name);
  for (const [probe, path] of [
    ['startupProbe', '/healthz'],
    ['livenessProbe', '/healthz'],
    ['readinessProbe', '/readyz'],
  ] as const) {
    assert.deepEqual(container[probe]?.httpGet, { path, port: container.ports[0]?.name });
  }
  assert.equal(
    String(container.ports[0]?.containerPort),
    container.env.find(({ name }) => name === 'PORT')?.value,
  );
});

test('the unit gives settings that there are, and its secrets by files that systemd brings', () => {
  const lines = read('deploy/fusionauth-segment.service').split('\n');
  const all = (key: string) =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));
  const environment = all('Environment').flatMap((line) => line.split(' '));

  for (const pair of environment) assert.ok(isSetting(pair.split('=')[0] ?? ''), pair);
  const credentials = all('LoadCredential').map((line) => line.split(':')[0]);
  const loaded = environment.flatMap((pair) => /_FILE=%d\/(.+)$/.exec(pair)?.[1] ?? []);
  assert.deepEqual(loaded, credentials);
  assert.deepEqual(all('StateDirectory'), ['fusionauth-segment']);
  assert.ok(environment.includes('DATA_DIR=/var/lib/fusionauth-segment'));
  // Only the bridge is told to stop; it ends the embedded PostgreSQL when it has loaded what is in hand.
  assert.deepEqual(all('KillMode'), ['mixed']);
});
