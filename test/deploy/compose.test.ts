// The Compose files and the Dockerfile say what the bridge and each other understand. No Docker engine is asked.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { settings } from '../../src/config/settings.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { condition: string; required?: boolean }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks: readonly string[];
  readonly read_only?: boolean;
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, unknown>>;
}

const dockerfile = read('deploy/Dockerfile');
const files = ['deploy/compose.yaml', 'deploy/compose.fusionauth-example.yaml'];
const composeOf = (path: string) => parse(read(path), { merge: true }) as Compose;
const isBridge = ({ image }: Service) => image.startsWith('fusionauth-segment:');

/** What the image brings, then what the Compose file sets beside it. */
const imageEnvironment = Object.fromEntries(
  [...(/^ENV (.*)$/m.exec(dockerfile)?.[1] ?? '').matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [
    name,
    value,
  ]),
) as Record<string, string>;

for (const path of files) {
  const compose = composeOf(path);
  const services = Object.entries(compose.services);

  test(`${path}: whatever a service names in the file is there`, () => {
    for (const [name, service] of services) {
      for (const network of service.networks) assert.ok(network in compose.networks, `${name}: ${network}`);
      for (const volume of service.volumes ?? []) {
        const [source = ''] = volume.split(':');
        const isThere = source.startsWith('.')
          ? existsSync(new URL(source, new URL(path, root)))
          : source in compose.volumes;
        assert.ok(isThere, `${name}: ${volume}`);
      }
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        assert.ok(other in compose.services, `${name} depends on ${other}`);
        const awaited = compose.services[other];
        if (condition === 'service_healthy' && !(awaited && isBridge(awaited)))
          assert.ok(awaited?.healthcheck?.test, `${other} has no healthcheck to wait for`);
      }
      if (service.build) {
        const context = new URL(`${service.build.context}/`, new URL(path, root));
        assert.ok(existsSync(new URL(service.build.dockerfile, context)));
      } else assert.match(service.image, /:\d+\.\d+/, `${name} is not pinned`);
    }
  });

  test(`${path}: each variable of the bridge is one of its settings`, () => {
    for (const [name, service] of services.filter(([, service]) => isBridge(service)))
      for (const variable of Object.keys({ ...imageEnvironment, ...service.environment }))
        assert.ok(
          /^NODE_(ENV|OPTIONS)$/.test(variable) || variable.replace(/_FILE$/, '') in settings,
          `${name}: ${variable}`,
        );
  });

  test(`${path}: ports answer on this machine alone, and the bridge may write to its volume and /tmp only`, () => {
    for (const [, service] of services) {
      for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:/);
      if (!isBridge(service)) continue;
      assert.equal(service.read_only, true);
      assert.deepEqual(service.tmpfs, ['/tmp']);
      assert.deepEqual(service.cap_drop, ['ALL']);
      assert.ok(service.volumes?.includes(`bridge_data:${imageEnvironment['DATA_DIR']}`));
    }
  });
}

test('the bridge is up before FusionAuth, which posts a webhook once', () => {
  const { services } = composeOf('deploy/compose.yaml');

  assert.equal(services['fusionauth']?.depends_on?.['bridge']?.condition, 'service_healthy');
  assert.equal(
    services['fusionauth'].environment?.['BRIDGE_WEBHOOK_URL'],
    `http://bridge:${imageEnvironment['PORT']}/webhook`,
  );
});

test('a profile that is not asked for keeps no service from starting', () => {
  const { services } = composeOf('deploy/compose.yaml');

  for (const { depends_on: awaited = {} } of Object.values(services))
    for (const [name, { required }] of Object.entries(awaited))
      if (services[name]?.profiles) assert.equal(required, false);
});

test('the image has the Node that package.json pins, on Debian, and everything that it copies is in the build context', () => {
  const { devDependencies } = JSON.parse(read('package.json')) as { devDependencies: { node: string } };
  assert.match(
    dockerfile,
    new RegExp(`^ARG NODE_IMAGE=node:${RegExp.escape(devDependencies.node)}-slim$`, 'm'),
  );

  const allowed = read('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names = '']) =>
    names.split(' '),
  );
  assert.deepEqual(new Set(copied), new Set(allowed));
  for (const name of copied) assert.ok(existsSync(new URL(name, root)), name);
});

test('the image runs as a user without rights, is told to stop by SIGTERM, and looks after itself without curl', () => {
  const final = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));

  assert.match(final, /^USER 1000:1000$/m);
  assert.match(final, /^STOPSIGNAL SIGTERM$/m);
  assert.match(final, /^HEALTHCHECK .*\\\n {2}CMD \["node", "-e", "fetch\(.*\/healthz/m);
  assert.match(final, /^ENTRYPOINT \["fusionauth-segment"\]\nCMD \["start"\]$/m);
  assert.ok(final.indexOf('USER') > final.lastIndexOf('RUN'));
});
