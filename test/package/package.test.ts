// The npm package as its user has it: packed, installed into an empty folder, run by npx.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { sample } from '../support/bridge.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const program = promisify(execFile);
/** npm is asked for packages over the network at worst; nothing here takes longer when all is well. */
const timeout = 180_000;

/** The Node that runs this test comes first, as a user's own would; npm's settings of this run stay out. */
const environment: NodeJS.ProcessEnv = {
  PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
  HOME: process.env['HOME'],
  npm_config_update_notifier: 'false',
};
const run = (command: string, args: readonly string[], cwd: string, settings: object = {}) =>
  program(command, args, { cwd, timeout, env: { ...environment, ...settings } });

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
/** Where the package is installed, beside a package.json that says nothing. */
let consumer: string;
let packed: readonly string[];

before(
  async () => {
    folder = await temporaryFolder();
    consumer = join(folder.path, 'consumer');
    await mkdir(consumer);
    await writeFile(join(consumer, 'package.json'), '{}');
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder.path], root);
    // prepack's own output, if any, comes before the document.
    const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [
      { filename: string; files: { path: string }[] },
    ];
    packed = files.map(({ path }) => path);
    const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder.path, filename)];
    await run('npm', install, consumer);
  },
  { timeout },
);
after(() => folder[Symbol.asyncDispose]());

test('the tarball holds the compiled code, its documents and nothing else', () => {
  const allowed =
    /^(?:dist\/.+\.(?:js|js\.map|d\.ts)|dist\/dashboard\/(?:index\.html|icon\.svg|assets\/[\w-]+\.css)|docs\/[\w-]+\.md|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/;

  assert.deepEqual(
    packed.filter((path) => !allowed.test(path)),
    [],
  );
  for (const path of [
    'dist/cli.js',
    'dist/dashboard/index.html',
    'dist/define-config.d.ts',
    'docs/configuration.md',
    'LICENSE',
  ])
    assert.ok(packed.includes(path), path);
});

test('npx fusionauth-segment says its version and its events', { timeout }, async () => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };

  const said = await run('npx', ['fusionauth-segment', '--version'], consumer);
  const events = await run('npx', ['fusionauth-segment', 'events', 'login.success'], consumer);

  assert.equal(said.stdout.trim(), version);
  assert.match(events.stdout, /user\.login\.success/);
});

test('the installed bridge takes a webhook, and its own warehouse has the row', { timeout }, async () => {
  const port = String(await freePort());
  const settings = {
    PORT: port,
    DATA_DIR: join(folder.path, 'data'),
    WAREHOUSE_PORT: String(await freePort()),
  };
  // Not by npx, which would stand between this test and the bridge's end.
  const bridge = spawn(join(consumer, 'node_modules/.bin/fusionauth-segment'), ['start'], {
    cwd: consumer,
    env: { ...environment, ...settings },
  });
  const exited = once(bridge, 'exit') as Promise<[number | null]>;
  let lines = '';
  bridge.stderr.setEncoding('utf8').on('data', (text: string) => (lines += text));
  try {
    await until(
      'the bridge runs',
      () => lines.includes('The bridge runs') || bridge.exitCode !== null,
      60_000,
    );
    assert.equal(bridge.exitCode, null, lines);

    const answer = await fetch(`http://127.0.0.1:${port}/webhook`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(sample('user.login.success', { userId: '6f1c2d3e-0000-4000-8000-000000000001' })),
    });

    assert.equal(answer.status, 200);
    const page = await (await fetch(`http://127.0.0.1:${port}/events`)).text();
    const [, script = ''] = /<script type="module"[^>]* src="([^"]+)"/.exec(page) ?? [];
    assert.equal(
      (await fetch(`http://127.0.0.1:${port}${script}`)).status,
      200,
      'the dashboard is in the package',
    );
    const { stdout } = await run('npx', ['fusionauth-segment', 'warehouse', 'url'], consumer, settings);
    const client = new Client({ connectionString: stdout.trim() });
    await client.connect();
    try {
      await until('the row is there', async () => {
        const { rows } = await client.query<{ found: string | null }>(
          `select to_regclass('fusionauth.user_login_success') as found`,
        );
        return rows[0]?.found != null;
      });
      const { rows } = await client.query('select user_id from fusionauth.user_login_success');
      assert.deepEqual(rows, [{ user_id: '6f1c2d3e-0000-4000-8000-000000000001' }]);
    } finally {
      await client.end();
    }
  } finally {
    bridge.kill('SIGTERM');
    const [exitCode] = await exited;
    assert.equal(exitCode, 0, lines);
  }
});

const typescript = fileURLToPath(new URL('bin/tsc', import.meta.resolve('typescript/package.json')));

const typeRoots = join(root, 'node_modules/@types');

/**
 * Compiles a configuration file beside the installed package, with Node's types, which whoever writes `process.env` has;
 * every declaration that it reaches is checked too.
 */
async function compile(config: string) {
  await writeFile(join(consumer, 'fusionauth-segment.config.ts'), config);
  const args = '--noEmit --strict --module nodenext --target es2024 --lib es2024 --types node'.split(' ');
  const answer = await run(
    process.execPath,
    [typescript, ...args, '--typeRoots', typeRoots, 'fusionauth-segment.config.ts'],
    consumer,
  ).catch((error: unknown) => error as { stdout: string });
  return answer.stdout;
}

test(
  'a configuration file finds the types of defineConfig, and is told of a mistake',
  { timeout },
  async () => {
    const right = await compile(`
    import { defineConfig } from 'fusionauth-segment';
    export default defineConfig({
      events: { exclude: ['user.login.failed'] },
      naming: 'segment',
      privacy: { 'traits.email': 'hash' },
      map: (event, messages) => (event.type === 'test' ? [] : messages),
    });`);
    const wrong = await compile(`
    import { defineConfig } from 'fusionauth-segment';
    export default defineConfig({ naming: 'segments' });`);

    assert.equal(right, '');
    assert.match(wrong, /'"segments"' is not assignable/);
  },
);
