// `doctor` as its user has it: the command and the bridge are processes of their own, with Segment and a warehouse beside
// them. Each fault by itself is in parts.test.ts.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { DoctorReport } from '../../../src/commands/doctor.ts';
import { sendTest } from '../../../src/commands/doctor/send.ts';
import { signatureHeader } from '../../../src/fusionauth/signature.ts';
import { BridgeProcess, sample, startBridge } from '../../support/bridge.ts';
import { runCommand } from '../../support/command.ts';
import type { Run } from '../../support/command.ts';
import { freePort } from '../../support/free-port.ts';
import { signWithSecret } from '../../support/fusionauth.ts';
import { SegmentStandIn } from '../../support/segment.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';
import { startWarehouse } from '../../support/warehouse.ts';
import type { TestWarehouse } from '../../support/warehouse.ts';

const secrets = {
  FUSIONAUTH_WEBHOOK_SECRET: 'the-webhook-secret-of-both-sides-is-long',
  SEGMENT_WRITE_KEY: 'the-write-key-of-the-source',
  ADMIN_TOKEN: 'the-token-of-page-and-api',
};

describe('doctor', { timeout: 120_000 }, () => {
  let warehouse: TestWarehouse;
  let segment: SegmentStandIn;
  let folder: { path: string } & AsyncDisposable;
  let bridge: BridgeProcess;
  let settings: Readonly<Record<string, string>>;
  const runs: Run[] = [];

  before(async () => {
    [warehouse, segment, folder] = await Promise.all([
      startWarehouse(),
      SegmentStandIn.start(),
      temporaryFolder(),
    ]);
    settings = {
      ...secrets,
      PORT: String(await freePort()),
      DATA_DIR: folder.path,
      SEGMENT_ENDPOINT: segment.url,
      WAREHOUSE_URL: warehouse.url,
    };
    bridge = await BridgeProcess.start(settings);
    const body = JSON.stringify(sample('user.login.success'));
    await bridge.post(body, { [signatureHeader]: signWithSecret(body, secrets.FUSIONAUTH_WEBHOOK_SECRET) });
    await until('both destinations have the event', async () =>
      Object.values((await statusOf()).destinations).every(({ delivered }) => delivered === 1),
    );
  });
  after(async () => {
    await bridge[Symbol.asyncDispose]();
    await Promise.all([warehouse, segment, folder].map((opened) => opened[Symbol.asyncDispose]()));
  });

  /** In a folder without `.env`. */
  async function doctor(args: readonly string[] = [], changes: Readonly<Record<string, string>> = {}) {
    const run = await runCommand(['doctor', ...args], {
      settings: { ...settings, ...changes },
      cwd: folder.path,
    });
    runs.push(run);
    return run;
  }

  async function statusOf() {
    const { text } = await bridge.get('/api/status', { authorization: `Bearer ${secrets.ADMIN_TOKEN}` });
    return JSON.parse(text) as { destinations: Record<string, { state: string; delivered: number }> };
  }

  test('finds all well where it is, and exits with 0', async () => {
    const { exitCode, stdout, stderr } = await doctor();

    const [summary = '', blank, ...checks] = stdout.trimEnd().split('\n').reverse();
    assert.match(summary, /^All is well: \d+ checks/);
    assert.equal(blank, '');
    // What could not be looked at may say how it could be.
    assert.doesNotMatch(stdout, /^[!✖]/m);
    assert.doesNotMatch(stdout, /^✔.*\n +→/m);
    assert.ok(checks.length >= 15, stdout);
    assert.deepEqual([exitCode, stderr], [0, '']);
  });

  test('--json is one document of checks, for monitoring', async () => {
    const { exitCode, stdout, stderr } = await doctor(['--json']);

    const report = JSON.parse(stdout) as DoctorReport;
    assert.deepEqual([exitCode, stderr, report.ok], [0, '', true]);
    for (const check of report.checks) {
      assert.deepEqual(Object.keys(check), ['name', 'status', 'detail', 'fix']);
      assert.ok(check.status === 'ok' || check.status === 'skip', JSON.stringify(check));
    }
    const names = report.checks.map(({ name }) => name);
    assert.deepEqual(new Set(names).size, names.length, 'each name stands once');
    for (const name of [
      'configuration',
      'bridge',
      'log',
      'books',
      'refusals',
      'segment.api',
      'warehouse.state',
    ])
      assert.ok(names.includes(name), name);
  });

  test('--send follows a marked event to Segment and into the warehouse', async () => {
    const { exitCode, stdout } = await doctor(['--send']);

    const id = /^✔ send +Event (\S+) was taken/m.exec(stdout)?.[1];
    assert.equal(exitCode, 0, stdout);
    assert.match(stdout, /^✔ segment\.send +The event arrived$/m);
    assert.match(stdout, /^✔ warehouse\.send +The event arrived$/m);
    const tested = segment.messages.filter(({ event }) => event === 'Bridge Tested');
    assert.deepEqual(
      tested.map(({ messageId, anonymousId }) => [messageId, anonymousId]),
      [[`fusionauth-${id}-track`, 'fusionauth-segment-doctor']],
    );
    const rows = await warehouse.query('select id from fusionauth.bridge_tested');
    assert.deepEqual(rows, [{ id: `fusionauth-${id}-track` }]);
    const after = await doctor();
    assert.match(
      after.stdout,
      /^✔ webhooks +The last was taken .*: user\.login\.success, /m,
      'its own does not count',
    );
  });

  test('--send says where the bridge takes another signature', async () => {
    const { exitCode, stdout } = await doctor(['--send'], {
      FUSIONAUTH_WEBHOOK_SECRET: 'another-secret-of-this-side-alone-is-long',
    });

    assert.equal(exitCode, 1);
    assert.match(stdout, /^✖ send +The bridge answered 401: .*\n +→ Set FUSIONAUTH_WEBHOOK_SECRET/m);
  });

  const mended: readonly (readonly [
    what: string,
    changes: () => Promise<Readonly<Record<string, string>>>,
    found: RegExp,
  ])[] = [
    [
      'a setting that is not allowed',
      () => Promise.resolve({ PORT: 'three-thousand' }),
      /^✖ configuration +.*PORT.*\n +→ docs\/configuration\.md/m,
    ],
    [
      'a bridge that does not run',
      async () => ({ PORT: String(await freePort()) }),
      /^✖ bridge +No bridge answers at .* \(ECONNREFUSED\)\n +→ Start it/m,
    ],
    [
      'a token that is another’s',
      () => Promise.resolve({ ADMIN_TOKEN: 'a-token-of-somebody-else' }),
      /^✖ bridge +.*\n +→ Set ADMIN_TOKEN/m,
    ],
    [
      'a password that PostgreSQL refuses',
      () => Promise.resolve({ WAREHOUSE_URL: withPassword(warehouse.url, 'a-wrong-password') }),
      /^✖ warehouse\.connection +.*\(28P01\)\n +→ The password was refused: mend it in WAREHOUSE_URL/m,
    ],
    [
      'a host that DNS does not know',
      () => Promise.resolve({ SEGMENT_ENDPOINT: 'https://segment.invalid' }),
      /^✖ segment\.api +.*the host name is unknown.*\n +→ Mend SEGMENT_ENDPOINT, or DNS/m,
    ],
  ];
  for (const [what, changes, found] of mended) {
    test(`names ${what}, with its mend, and exits with 1`, async () => {
      const { exitCode, stdout, stderr } = await doctor([], await changes());

      assert.match(stdout, found);
      assert.match(stdout, /^[1-9]\d* to mend, /m);
      assert.deepEqual([exitCode, stderr], [1, '']);
    });
  }

  test('names a destination that is blocked, by the API and by the bridge', async () => {
    segment.fail({ kind: 'status', status: 401 });
    const body = JSON.stringify(sample('user.login.success'));
    await bridge.post(body, { [signatureHeader]: signWithSecret(body, secrets.FUSIONAUTH_WEBHOOK_SECRET) });
    await until('it is blocked', async () => (await statusOf()).destinations['segment']?.state === 'blocked');

    const { exitCode, stdout } = await doctor(['--json']);

    const report = JSON.parse(stdout) as DoctorReport;
    assert.deepEqual([exitCode, report.ok], [1, false]);
    const failed = report.checks.filter(({ status }) => status === 'fail');
    assert.deepEqual(
      failed.map(({ name }) => name),
      ['segment.api', 'segment.state'],
    );
    for (const { detail, fix } of failed) {
      assert.match(detail, /answered 401/);
      assert.match(fix, /^Check SEGMENT_WRITE_KEY/);
    }
  });

  test('prints no secret, whatever it finds', () => {
    const password = new URL(warehouse.url).password;
    assert.ok(password.length > 8 && runs.length > 8);

    for (const { stdout, stderr } of runs) {
      for (const secret of [
        ...Object.values(secrets),
        password,
        'a-wrong-password',
        'a-token-of-somebody-else',
      ])
        assert.ok(!`${stdout}${stderr}`.includes(secret), stdout);
    }
  });
});

test('a log that cannot be read any more is named by doctor and by status, with what mends it', async () => {
  await using folder = await temporaryFolder();
  await using bridge = await startBridge({ DATA_DIR: folder.path });
  await bridge.post(sample('user.login.success'));
  const database = new DatabaseSync(join(folder.path, 'log.sqlite'));
  database.exec('alter table books rename to lost');
  database.close();
  const refused = await bridge.post(sample('user.login.success'));
  const settings = { DATA_DIR: folder.path, WAREHOUSE_URL: 'off' };

  const api = await bridge.get('/api/status');
  const status = await runCommand(['status', '--url', bridge.url], { settings });
  const doctor = await runCommand(['doctor', '--url', bridge.url], { settings });

  assert.deepEqual([refused.status, api.status], [503, 503]);
  const { code, hint } = JSON.parse(api.text) as { code: string; hint: string };
  assert.equal(code, 'LOG_UNAVAILABLE');
  assert.match(hint, /check the volume of DATA_DIR/);
  assert.deepEqual([status.exitCode, status.stdout], [1, '']);
  assert.match(status.stderr, /^The books cannot be read\nThe log in DATA_DIR cannot be written or read: /);
  assert.match(status.stderr, /^The last webhook was refused .*: 503, The log could not be written/m);
  assert.equal(doctor.exitCode, 1);
  assert.match(doctor.stdout, /^✔ bridge /m);
  assert.match(doctor.stdout, /^✖ log +The log in DATA_DIR cannot be written or read: .*\n +→ /m);
  assert.match(doctor.stdout, /^- books +They stand in the log, which cannot be read$/m);
});

test('a test event that does not arrive is a finding, with what keeps it', async () => {
  await using segment = await SegmentStandIn.start();
  segment.fail({ kind: 'status', status: 401 });
  await using bridge = await startBridge({ SEGMENT_WRITE_KEY: 'k', SEGMENT_ENDPOINT: segment.url });
  const address = { url: bridge.url, adminToken: undefined };

  const checks = await sendTest(address, { sign: () => Promise.resolve(undefined) }, 1_000);

  assert.deepEqual(
    checks.map(({ name, status }) => [name, status]),
    [
      ['send', 'ok'],
      ['segment.send', 'fail'],
    ],
  );
  assert.match(checks[1]?.detail ?? '', /^The event has not arrived after 1 s: Segment .* answered 401$/);
  assert.match(checks[1]?.fix ?? '', /^Check SEGMENT_WRITE_KEY/);
});

function withPassword(connectionUrl: string, password: string): string {
  const url = new URL(connectionUrl);
  url.password = password;
  return url.href;
}
