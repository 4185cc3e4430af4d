// The questions of `setup`, on a real terminal.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseEnv } from 'node:util';
import { hmacKeyId, signingKeyId, webhookId } from '../../../src/fusionauth/setup-ids.ts';
import { FakeFusionAuth, superKey } from '../../support/fake-fusionauth/fake-fusionauth.ts';
import { freePort } from '../../support/free-port.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { hasTerminal, keys, TerminalRun } from '../../support/terminal.ts';

const tenant = 'aaaaaaaa-0000-4000-8000-000000000000';
const { enter, down, space, interrupt, clear } = keys;
const questions = {
  url: 'Where is FusionAuth?',
  key: 'An API key of it',
  webhook: 'At which address does FusionAuth reach the bridge?',
  tenants: 'Events of which tenants?',
  signature: 'How is FusionAuth to sign the webhook?',
  eventLog: 'Have FusionAuth keep its webhook event log',
  keepsKey: 'Keep the API key in .env',
  writeKey: 'The write key of your HTTP API source at Segment',
  apply: 'Make these changes?',
} as const;

interface Scene extends AsyncDisposable {
  readonly fusionAuth: FakeFusionAuth;
  readonly folder: string;
  readonly port: string;
  readonly variables: () => NodeJS.Dict<string> | undefined;
  start(args?: readonly string[], settings?: Readonly<Record<string, string>>): TerminalRun;
}

async function open({ version = '1.69.0', tenants = [] as readonly string[] } = {}): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const fusionAuth = stack.use(await FakeFusionAuth.start({ version, tenants }));
  const { path: folder } = stack.use(await temporaryFolder());
  const port = String(await freePort());
  const file = join(folder, '.env');
  return {
    fusionAuth,
    folder,
    port,
    variables: () => (existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : undefined),
    start: (args = [], settings = {}) =>
      stack.use(new TerminalRun(['setup', ...args], { settings: { PORT: port, ...settings }, cwd: folder })),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe('setup in a terminal', { skip: !hasTerminal && 'no util-linux script here' }, () => {
  test('asks for all that it needs, shows what it will change, and does as it was answered', async () => {
    await using scene = await open({ tenants: [tenant] });
    const run = scene.start();

    await run.answer(questions.url, clear, scene.fusionAuth.url, enter);
    await run.answer(questions.key, superKey, enter);
    await run.answer(questions.webhook, enter);
    await run.answer(questions.tenants, down, space, enter);
    await run.answer(questions.signature, down, enter);
    await run.answer(questions.eventLog, 'n');
    await run.answer(questions.keepsKey, 'y');
    await run.answer(questions.writeKey, 'a-write-key', enter);
    await run.answer(`+ webhook ${webhookId}`);
    await run.answer(questions.apply, enter);

    assert.equal(await run.end(), 0, run.text);
    const { FUSIONAUTH_WEBHOOK_SECRET: secret = '', ...others } = scene.variables() ?? {};
    assert.deepEqual(others, {
      FUSIONAUTH_URL: scene.fusionAuth.url,
      FUSIONAUTH_API_KEY: superKey,
      SEGMENT_WRITE_KEY: 'a-write-key',
    });
    assert.equal(statSync(join(scene.folder, '.env')).mode & 0o777, 0o600);
    assert.partialDeepStrictEqual(scene.fusionAuth.webhooks.get(webhookId), {
      url: `http://127.0.0.1:${scene.port}/webhook`,
      global: false,
      tenantIds: [tenant],
      signatureConfiguration: { enabled: true, signingKeyId: hmacKeyId },
    });
    assert.equal(scene.fusionAuth.keys.get(hmacKeyId)?.secret, secret);
    assert.partialDeepStrictEqual(scene.fusionAuth.systemConfiguration, {
      webhookEventLogConfiguration: { enabled: false },
    });
    for (const hidden of [secret, superKey, 'a-write-key']) assert.ok(!run.text.includes(hidden), hidden);
  });

  test('offers what is known: only enter is pressed, and the webhook that is there stays where it posts to', async () => {
    await using scene = await open();
    const settings = { FUSIONAUTH_URL: scene.fusionAuth.url, FUSIONAUTH_API_KEY: superKey };
    const first = scene.start(['--webhook-url', 'http://127.0.0.1:9/elsewhere'], settings);
    const enterAll = async (run: TerminalRun) => {
      for (const name of [
        'url',
        'key',
        'webhook',
        'signature',
        'eventLog',
        'keepsKey',
        'writeKey',
      ] as const) {
        await run.answer(questions[name], enter);
      }
    };

    await enterAll(first);
    await first.answer(questions.apply, enter);
    assert.equal(await first.end(), 0, first.text);
    assert.deepEqual({ ...scene.variables() }, { FUSIONAUTH_URL: scene.fusionAuth.url });
    assert.partialDeepStrictEqual(scene.fusionAuth.webhooks.get(webhookId), {
      url: 'http://127.0.0.1:9/elsewhere',
      global: true,
      signatureConfiguration: { enabled: true, signingKeyId },
    });

    const after = scene.fusionAuth.snapshot();
    const second = scene.start([], settings);
    await enterAll(second);
    assert.equal(await second.end(), 0, second.text);
    assert.match(second.text, /All is set up already: nothing to change\./);
    assert.deepEqual(scene.fusionAuth.snapshot(), after);
  });

  test('asks again where FusionAuth does not answer, and where the key is wrong', async () => {
    await using scene = await open();
    const run = scene.start(['--dry-run'], { FUSIONAUTH_URL: `http://127.0.0.1:${await freePort()}` });

    await run.answer(questions.url, enter);
    await run.answer(questions.key, 'a-wrong-key', enter);
    await run.answer('FusionAuth cannot be reached at');
    await run.answer(questions.url, clear, 'no-url', enter);
    await run.answer('An http or https URL, please', clear, scene.fusionAuth.url, enter);
    await run.answer(questions.key, enter);
    await run.answer('It needs one', 'a-wrong-key', enter);
    await run.answer('lets this API key do nothing that is needed');
    await run.answer(questions.url, enter);
    await run.answer(questions.key, superKey, enter);
    await run.answer('FusionAuth 1.69.0 answers, and the key may do what is needed');
    for (const name of ['webhook', 'signature', 'eventLog', 'keepsKey', 'writeKey'] as const) {
      await run.answer(questions[name], enter);
    }

    assert.equal(await run.end(), 0, run.text);
    assert.match(run.text, new RegExp(`\\+ webhook ${webhookId}`));
    assert.equal(scene.fusionAuth.webhooks.size, 0, 'of a dry run nothing stays');
    assert.equal(scene.variables(), undefined);
  });

  for (const question of ['url', 'key', 'signature', 'apply'] as const) {
    test(`Ctrl-C at "${questions[question]}" leaves everything as it is`, async () => {
      await using scene = await open();
      const before = scene.fusionAuth.snapshot();
      const run = scene.start([], { FUSIONAUTH_URL: scene.fusionAuth.url, FUSIONAUTH_API_KEY: superKey });

      for (const [name, words] of Object.entries(questions)) {
        if (name === 'tenants') continue;
        await run.answer(words, name === question ? interrupt : enter);
        if (name === question) break;
      }

      assert.equal(await run.end(), 1, run.text);
      assert.match(run.text, /Nothing was changed\r\nRun setup again when you like\r\n$/);
      assert.doesNotMatch(run.text, /\n\s+at /, 'no stack');
      assert.deepEqual(scene.fusionAuth.snapshot(), before);
      assert.equal(scene.variables(), undefined);
      assert.equal(existsSync(join(scene.folder, 'data')), false);
    });
  }

  test('a no to the plan changes nothing', async () => {
    await using scene = await open();
    const before = scene.fusionAuth.snapshot();
    const run = scene.start([], { FUSIONAUTH_URL: scene.fusionAuth.url, FUSIONAUTH_API_KEY: superKey });

    for (const [name, words] of Object.entries(questions)) {
      if (name !== 'tenants') await run.answer(words, name === 'apply' ? 'n' : enter);
    }

    assert.equal(await run.end(), 0, run.text);
    assert.deepEqual(scene.fusionAuth.snapshot(), before);
    assert.equal(scene.variables(), undefined);
  });

  test('of FusionAuth 1.47, which neither signs nor keeps an event log, nothing is asked about either', async () => {
    await using scene = await open({ version: '1.47.0' });
    const run = scene.start([], { FUSIONAUTH_URL: scene.fusionAuth.url, FUSIONAUTH_API_KEY: superKey });

    for (const name of ['url', 'key', 'webhook', 'keepsKey', 'writeKey', 'apply'] as const) {
      await run.answer(questions[name], enter);
    }

    assert.equal(await run.end(), 0, run.text);
    assert.ok(!run.text.includes(questions.signature) && !run.text.includes(questions.eventLog));
    assert.equal(scene.variables()?.['FUSIONAUTH_ALLOW_UNSIGNED'], 'true');
  });

  test('--undo asks before it puts FusionAuth back', async () => {
    await using scene = await open();
    const settings = { FUSIONAUTH_URL: scene.fusionAuth.url, FUSIONAUTH_API_KEY: superKey };
    const before = scene.fusionAuth.snapshot();
    const made = scene.start(['--yes'], settings);
    assert.equal(await made.end(), 0, made.text);

    const run = scene.start(['--undo'], settings);
    await run.answer(`- webhook ${webhookId}`);
    await run.answer(questions.apply, enter);

    assert.equal(await run.end(), 0, run.text);
    assert.deepEqual(scene.fusionAuth.snapshot(), before);
  });
});
