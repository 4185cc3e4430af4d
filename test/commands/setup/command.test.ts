// `setup` as its user has it: the real command, judged by what it prints, by its exit code, by .env and by FusionAuth.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { neededRights } from '../../../src/commands/setup/rights.ts';
import type { Right } from '../../../src/commands/setup/rights.ts';
import type { SetupReport } from '../../../src/commands/setup.ts';
import { signingKeyId, webhookId } from '../../../src/fusionauth/setup-ids.ts';
import { startBridge } from '../../support/bridge.ts';
import type { BridgeProcess } from '../../support/bridge.ts';
import { runCommand } from '../../support/command.ts';
import type { Run } from '../../support/command.ts';
import { FakeFusionAuth, superKey } from '../../support/fake-fusionauth/fake-fusionauth.ts';
import { freePort } from '../../support/free-port.ts';
import { closeServer, listenOnLoopback, urlOf } from '../../support/loopback-server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const tenant = 'aaaaaaaa-0000-4000-8000-000000000000';

interface Scene extends AsyncDisposable {
  readonly fusionAuth: FakeFusionAuth;
  readonly folder: string;
  run(args: readonly string[], settings?: Readonly<Record<string, string>>): Promise<Run>;
}

/** FusionAuth, and a folder in which the command is run; nobody listens where the bridge would. */
async function open(version?: string): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const fusionAuth = stack.use(
    await FakeFusionAuth.start({ tenants: [tenant], ...(version === undefined ? {} : { version }) }),
  );
  const { path: folder } = stack.use(await temporaryFolder());
  const always = {
    FUSIONAUTH_URL: fusionAuth.url,
    FUSIONAUTH_API_KEY: superKey,
    PORT: String(await freePort()),
  };
  return {
    fusionAuth,
    folder,
    run: (args, settings = {}) =>
      runCommand(['setup', ...args], { settings: { ...always, ...settings }, cwd: folder }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const environmentFile = ({ folder }: Scene) => join(folder, '.env');

describe('setup --yes', () => {
  test('shows what it changes, changes it, writes .env for its owner alone, and keeps the other lines', async () => {
    await using scene = await open();
    await writeFile(environmentFile(scene), '# mine\nLOG_LEVEL=debug\nFUSIONAUTH_URL=http://old\n', {
      mode: 0o644,
    });

    const { exitCode, stdout, stderr } = await scene.run(['--yes']);

    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, new RegExp(`^FusionAuth 1\\.69\\.0 at ${scene.fusionAuth.url}$`, 'm'));
    assert.match(stdout, new RegExp(`^\\+ webhook ${webhookId}$`, 'm'));
    assert.match(stdout, /^✔ tenant "Default"/m);
    assert.match(stdout, /Start the bridge \(npm start\)/);
    assert.equal(
      await readFile(environmentFile(scene), 'utf8'),
      `# mine\nLOG_LEVEL=debug\nFUSIONAUTH_URL=${scene.fusionAuth.url}\n`,
    );
    assert.equal(statSync(environmentFile(scene)).mode & 0o777, 0o600);
    assert.equal(
      scene.fusionAuth.webhooks.get(webhookId)?.signatureConfiguration?.signingKeyId,
      signingKeyId,
    );
    assert.doesNotMatch(stdout + stderr, new RegExp(superKey));
  });

  test('changes nothing the second time, and says so; --undo puts FusionAuth back, and then has nothing to do', async () => {
    await using scene = await open();
    const before = scene.fusionAuth.snapshot();
    await scene.run(['--yes']);
    const after = scene.fusionAuth.snapshot();

    const second = await scene.run(['--yes']);
    assert.equal(second.exitCode, 0);
    assert.match(second.stdout, /All is set up already: nothing to change\./);
    assert.deepEqual(scene.fusionAuth.snapshot(), after);

    const undone = await scene.run(['--undo', '--yes']);
    assert.equal(undone.exitCode, 0, undone.stderr);
    assert.match(undone.stdout, new RegExp(`^- webhook ${webhookId}$`, 'm'));
    assert.match(undone.stdout, /FusionAuth is as it was found\./);
    assert.deepEqual(scene.fusionAuth.snapshot(), before);

    const again = await scene.run(['--undo', '--yes']);
    assert.equal(again.exitCode, 0);
    assert.match(again.stdout, /Nothing to undo/);
  });

  test('with --hmac: the secret is in .env and in FusionAuth, and in no output', async () => {
    await using scene = await open();

    const run = await scene.run(['--yes', '--hmac']);
    const second = await scene.run(['--yes', '--hmac', '--json']);

    assert.equal(run.exitCode, 0, run.stderr);
    const [, secret = ''] =
      /^FUSIONAUTH_WEBHOOK_SECRET=(.*)$/m.exec(await readFile(environmentFile(scene), 'utf8')) ?? [];
    assert.match(secret, /^[\w-]{43}$/);
    const [key] = [...scene.fusionAuth.keys.values()];
    assert.equal(key?.secret, secret);
    for (const { stdout, stderr } of [run, second]) assert.ok(!(stdout + stderr).includes(secret));
    assert.deepEqual((JSON.parse(second.stdout) as SetupReport).changes, []);
  });

  test('with FusionAuth 1.47, which does not sign: says so, and lets the bridge take unsigned webhooks', async () => {
    await using scene = await open('1.47.0');

    const { exitCode, stdout, stderr } = await scene.run(['--yes']);

    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /! FusionAuth 1\.47\.0 does not sign webhooks \(1\.48 and newer do\)/);
    assert.match(await readFile(environmentFile(scene), 'utf8'), /^FUSIONAUTH_ALLOW_UNSIGNED=true$/m);
  });

  test('with --webhook-url, --tenant and --no-event-log', async () => {
    await using scene = await open();
    const url = 'https://bridge.example.com/webhook';

    const run = await scene.run(['--yes', '--webhook-url', url, '--tenant', tenant, '--no-event-log']);
    const second = await scene.run(['--yes', '--no-event-log']);

    assert.equal(run.exitCode, 0, run.stderr);
    assert.partialDeepStrictEqual(scene.fusionAuth.webhooks.get(webhookId), {
      url,
      global: false,
      tenantIds: [tenant],
    });
    assert.partialDeepStrictEqual(scene.fusionAuth.systemConfiguration, {
      webhookEventLogConfiguration: { enabled: false },
    });
    assert.match(second.stdout, /All is set up already/, 'the address is that of the webhook there');
  });

  test('goes on where a call failed, and tells how far it came', async () => {
    await using scene = await open();
    scene.fusionAuth.faultFor = ({ method, path }) =>
      method === 'PATCH' && path === `/api/tenant/${tenant}` ? { kind: 'status', status: 503 } : undefined;

    const failed = await scene.run(['--yes']);
    assert.equal(failed.exitCode, 1);
    assert.match(
      failed.stderr,
      /FusionAuth cannot do PATCH \/api\/tenant at the moment \(503\) \(tenant .*; 3 of 5/,
    );
    assert.match(failed.stderr, /then run setup again: it goes on from there/);

    scene.fusionAuth.faultFor = () => undefined;
    const second = await scene.run(['--yes']);
    assert.equal(second.exitCode, 0);
    assert.doesNotMatch(second.stdout, /webhook fa5e/);
    assert.match(second.stdout, new RegExp(`^✔ tenant "Tenant ${tenant}"`, 'm'));
  });
});

describe('setup changes nothing', () => {
  /** Neither in FusionAuth nor here. */
  const assertUnchanged = (scene: Scene, before: unknown) => {
    assert.deepEqual(scene.fusionAuth.snapshot(), before);
    assert.equal(existsSync(environmentFile(scene)), false);
    assert.equal(existsSync(join(scene.folder, 'data')), false);
  };

  test('with --dry-run, which shows the same plan', async () => {
    await using scene = await open();
    const before = scene.fusionAuth.snapshot();

    const { exitCode, stdout } = await scene.run(['--dry-run']);

    assert.equal(exitCode, 0);
    assert.match(stdout, new RegExp(`^\\+ webhook ${webhookId}$`, 'm'));
    assert.match(stdout, /\+ FUSIONAUTH_URL/);
    assertUnchanged(scene, before);
  });

  test('without a terminal and without --yes: says what to add, exit code 2', async () => {
    await using scene = await open();
    const before = scene.fusionAuth.snapshot();

    for (const args of [[], ['--json']]) {
      const { exitCode, stderr } = await scene.run(args);
      assert.equal(exitCode, 2);
      assert.match(stderr, /There is no terminal to ask on, and nothing was changed\nAdd --yes/);
    }

    assertUnchanged(scene, before);
  });

  test('by --undo --dry-run, nor by --undo without --yes', async () => {
    await using scene = await open();
    await scene.run(['--yes']);
    const after = scene.fusionAuth.snapshot();

    const dry = await scene.run(['--undo', '--dry-run']);
    assert.equal(dry.exitCode, 0);
    assert.match(dry.stdout, new RegExp(`^- webhook ${webhookId}$`, 'm'));
    const unasked = await scene.run(['--undo']);
    assert.equal(unasked.exitCode, 2);
    assert.match(unasked.stderr, /Add --yes/);

    assert.deepEqual(scene.fusionAuth.snapshot(), after);
    assert.equal(existsSync(join(scene.folder, 'data', 'setup-undo.json')), true);
  });

  test('where it does not know FusionAuth, or has no key: exit code 2', async () => {
    await using scene = await open();

    for (const args of [['--yes'], ['--undo', '--yes']]) {
      for (const missing of [{ FUSIONAUTH_URL: '' }, { FUSIONAUTH_API_KEY: '' }]) {
        const { exitCode, stderr } = await scene.run(args, missing);
        assert.equal(exitCode, 2);
        assert.match(stderr, /setup needs to know FusionAuth, and an API key of it\nSet FUSIONAUTH_URL and/);
      }
    }
    assert.deepEqual(scene.fusionAuth.calls, []);
  });

  test('where FusionAuth is away', async () => {
    await using scene = await open();
    const { exitCode, stderr } = await scene.run(['--yes'], {
      FUSIONAUTH_URL: `http://127.0.0.1:${await freePort()}`,
    });

    assert.equal(exitCode, 1);
    assert.match(stderr, /^FusionAuth cannot be reached at http:\/\/127\.0\.0\.1:\d+: ECONNREFUSED\nCheck/);
  });

  test('where FusionAuth is on another machine and nothing says where the bridge is: exit code 2', async () => {
    await using scene = await open();
    // This machine by a name that is not loopback's.
    const elsewhere = { FUSIONAUTH_URL: scene.fusionAuth.url.replace('127.0.0.1', '0.0.0.0') };

    const { exitCode, stderr } = await scene.run(['--yes'], elsewhere);
    assert.equal(exitCode, 2);
    assert.match(stderr, /FusionAuth at 0\.0\.0\.0 is to be told where the bridge is\nAdd --webhook-url/);

    const own = await scene.run(['--dry-run', '--webhook-url', 'http://localhost:3000/webhook'], elsewhere);
    assert.match(own.stdout, /! FusionAuth at 0\.0\.0\.0:\d+ does not find the bridge at localhost:3000/);
    assert.equal(scene.fusionAuth.webhooks.size, 0);
  });

  test('where something else answers, whatever it answers', async () => {
    await using scene = await open();
    for (const status of [200, 404]) {
      const server = createServer((_request, response) => response.writeHead(status).end('<h1>Welcome</h1>'));
      await listenOnLoopback(server);
      const { exitCode, stderr } = await scene.run(['--yes'], { FUSIONAUTH_URL: urlOf(server) });
      await closeServer(server);

      assert.equal(exitCode, 1);
      assert.match(stderr, /^It is not FusionAuth that answers at .*\nCheck FUSIONAUTH_URL/);
    }
  });

  test('where a tenant is named that is not there', async () => {
    await using scene = await open();
    const before = scene.fusionAuth.snapshot();

    const { exitCode, stderr } = await scene.run(['--yes', '--tenant', 'nobody']);

    assert.equal(exitCode, 1);
    assert.match(stderr, /^FusionAuth has no tenant nobody\nIt has .* \(Default\)/);
    assertUnchanged(scene, before);
  });

  test('where .env cannot be written, unless the environment says all of it already', async () => {
    await using scene = await open();
    const before = scene.fusionAuth.snapshot();
    // A folder in its place: who runs tests as root may write everywhere else.
    await mkdir(`${environmentFile(scene)}.new`);

    const { exitCode, stderr } = await scene.run(['--yes', '--hmac']);
    assert.equal(exitCode, 1);
    assert.match(stderr, /^\.env could not be written: /);
    assert.match(stderr, /set FUSIONAUTH_URL, FUSIONAUTH_WEBHOOK_SECRET for the bridge in another way/);
    assert.deepEqual(scene.fusionAuth.snapshot(), before);

    const inContainer = await scene.run(['--yes']);
    assert.equal(inContainer.exitCode, 0);
    assert.match(inContainer.stdout, /- \.env cannot be written here; the environment has FUSIONAUTH_URL/);
    assert.equal(scene.fusionAuth.webhooks.has(webhookId), true);
  });
});

describe('an API key with too few rights', () => {
  const named = ({ endpoint, method }: Right) => `${method} ${endpoint}`;
  /** All that is needed but these. */
  const keyWithout = (scene: Scene, rights: readonly Right[], lacking: readonly string[]) => {
    const permissions: Record<string, string[]> = { '/api/system/version': ['GET'] };
    for (const right of rights) {
      if (!lacking.includes(named(right))) (permissions[right.endpoint] ??= []).push(right.method);
    }
    scene.fusionAuth.apiKeys.set('a-small-key', { permissions });
    return { FUSIONAUTH_API_KEY: 'a-small-key' };
  };
  const lackingOf = (stderr: string) =>
    /^The API key lacks the right to (.*)$/m.exec(stderr)?.[1]?.split(', ').toSorted();
  const version = '1.69.0';

  test('gets by with those that are named, and no others: for setup, --hmac and --undo', async () => {
    await using scene = await open();
    for (const [args, purpose] of [
      [[], {}],
      [['--undo'], { undo: true }],
      [['--hmac'], { withHmac: true }],
      [['--undo', '--no-event-log'], { undo: true }],
    ] as const) {
      const settings = keyWithout(scene, neededRights({ version, ...purpose }), []);
      const { exitCode, stderr } = await scene.run(['--yes', ...args], settings);
      assert.equal(exitCode, 0, stderr);
    }
  });

  test('is told each right that it lacks for setup, before anything is read or changed', async () => {
    await using scene = await open();
    const before = scene.fusionAuth.snapshot();

    const lacking = ['GET /api/webhook', 'PATCH /api/tenant', 'POST /api/key/generate'];
    const settings = keyWithout(scene, neededRights({ version }), lacking);
    const { exitCode, stderr } = await scene.run(['--yes'], settings);

    assert.equal(exitCode, 1);
    assert.deepEqual(lackingOf(stderr), lacking);
    assert.match(stderr, /Tick them in FusionAuth: Settings → API Keys/);
    assert.deepEqual(scene.fusionAuth.snapshot(), before);
  });

  test('is told those that it lacks for --undo and for --hmac', async () => {
    await using scene = await open();
    await scene.run(['--yes']);
    const after = scene.fusionAuth.snapshot();

    const forUndo = neededRights({ version, undo: true });
    const lacking = ['DELETE /api/key', 'DELETE /api/webhook'];
    const undo = await scene.run(['--undo', '--yes'], keyWithout(scene, forUndo, lacking));
    assert.equal(undo.exitCode, 1);
    assert.deepEqual(lackingOf(undo.stderr), lacking);

    const hmac = await scene.run(['--hmac', '--yes'], keyWithout(scene, neededRights({ version }), []));
    assert.deepEqual(lackingOf(hmac.stderr), ['POST /api/key/import']);
    assert.deepEqual(scene.fusionAuth.snapshot(), after);
  });

  test('is not asked for rights to what is left alone or is not there', async () => {
    await using scene = await open();
    const small = keyWithout(scene, neededRights({ version, withEventLog: false }), []);
    assert.equal((await scene.run(['--yes', '--no-event-log'], small)).exitCode, 0);

    await using old = await open('1.47.0');
    const noKeys = keyWithout(old, neededRights({ version: '1.47.0' }), []);
    assert.ok(!JSON.stringify(neededRights({ version: '1.47.0' })).includes('/api/key'));
    const { exitCode, stderr } = await old.run(['--yes'], noKeys);
    assert.equal(exitCode, 0, stderr);
  });

  test('that is wrong, or of one tenant, is told all that is needed', async () => {
    await using scene = await open();
    scene.fusionAuth.apiKeys.set('of-one-tenant', { tenantId: tenant });

    const wrong = await scene.run(['--yes'], { FUSIONAUTH_API_KEY: 'wrong' });
    assert.equal(wrong.exitCode, 1);
    assert.match(wrong.stderr, /lets this API key do nothing that is needed\nIt is wrong, has expired, or/);
    assert.match(wrong.stderr, /POST \/api\/webhook.*PATCH \/api\/system-configuration/);

    const ofOne = await scene.run(['--yes'], { FUSIONAUTH_API_KEY: 'of-one-tenant' });
    assert.equal(ofOne.exitCode, 1);
    assert.match(ofOne.stderr, /GET \/api\/webhook.*\nIt seems to belong to one tenant/);
  });
});

describe('setup --json', () => {
  test('prints one document: of what was changed, of what would be, of what is undone', async () => {
    await using scene = await open();

    const dry = await scene.run(['--json', '--dry-run']);
    const applied = await scene.run(['--json', '--yes']);
    const undone = await scene.run(['--json', '--undo', '--yes']);

    const [dryReport, report, undoReport] = [dry, applied, undone].map(
      ({ stdout }) => JSON.parse(stdout) as SetupReport,
    ) as [SetupReport, SetupReport, SetupReport];
    assert.deepEqual({ ...dryReport, applied: true }, report);
    assert.deepEqual([dryReport.applied, report.applied, undoReport.applied], [false, true, true]);
    assert.equal(report.fusionAuth, scene.fusionAuth.url);
    assert.deepEqual(report.variables, ['FUSIONAUTH_URL']);
    assert.deepEqual(
      report.changes.map(({ sign, title }) => `${sign} ${title.split(' ')[0] ?? ''}`),
      ['+ key', '+ webhook', '~ tenant', '~ tenant', '~ webhook'],
    );
    assert.deepEqual(
      undoReport.changes.map(({ sign }) => sign),
      ['~', '~', '~', '-', '-'],
    );
  });
});

describe('with a bridge that runs, FusionAuth posts a real event', () => {
  const runBeside = (scene: Scene, bridge: BridgeProcess, settings: Readonly<Record<string, string>> = {}) =>
    scene.run(['--yes'], { PORT: new URL(bridge.url).port, ...settings });

  test('that arrives, verified by the key that was made', async () => {
    await using scene = await open();
    await using bridge = await startBridge({ FUSIONAUTH_URL: scene.fusionAuth.url });

    const { exitCode, stdout, stderr } = await runBeside(scene, bridge);

    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /✔ FusionAuth posted an event, and the bridge had it after \d+ ms \(.+\)/);
    assert.equal(scene.fusionAuth.webhooks.get(webhookId)?.url, `${bridge.url}/webhook`);
    assert.equal((await bridge.books()).received, 1);
    assert.equal(scene.fusionAuth.auditLog.length, 1);
  });

  test('that the bridge refuses, since it was started before it knew how webhooks are signed', async () => {
    await using scene = await open();
    await using bridge = await startBridge({
      FUSIONAUTH_WEBHOOK_SECRET: 'another-secret-than-the-one-there',
    });

    const { exitCode, stdout } = await runBeside(scene, bridge);

    assert.equal(exitCode, 0);
    assert.match(
      stdout,
      /! FusionAuth posted an event, and the bridge refused it: signature \S+\. If FusionAuth sent it, compare/,
    );
    assert.match(stdout, /doctor says more/);
  });

  test('unless the key may not write into the audit log: then it says that none could be tried', async () => {
    await using scene = await open();
    await using bridge = await startBridge({ FUSIONAUTH_URL: scene.fusionAuth.url });
    const permissions: Record<string, string[]> = { '/api/system/version': ['GET'] };
    for (const { endpoint, method } of neededRights({ version: '1.69.0' })) {
      (permissions[endpoint] ??= []).push(method);
    }
    scene.fusionAuth.apiKeys.set('a-small-key', { permissions });

    const { exitCode, stdout } = await runBeside(scene, bridge, { FUSIONAUTH_API_KEY: 'a-small-key' });

    assert.equal(exitCode, 0);
    assert.match(stdout, /! No event could be tried: .*POST \/api\/system\/audit-log/);
  });
});

test('a .env that says all of it already is left as it is', async () => {
  await using scene = await open();
  await writeFile(environmentFile(scene), `export FUSIONAUTH_URL=${scene.fusionAuth.url}\n`);

  const { exitCode, stdout } = await scene.run(['--yes'], { FUSIONAUTH_URL: '' });

  assert.equal(exitCode, 0);
  assert.doesNotMatch(stdout, /\.env/);
  assert.match(readFileSync(environmentFile(scene), 'utf8'), /^export FUSIONAUTH_URL=/);
});
