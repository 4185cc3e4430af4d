// `setup` and `setup --undo` are killed at every call that they make of FusionAuth's API, before FusionAuth carries the call
// out and after, and are run again. On the newest version it is the real process that is killed; on one that takes a tenant's
// webhooks away the connection is cut in its place, which leaves the same behind.

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, test } from 'node:test';
import { hmacKeyId } from '../../../src/fusionauth/setup-ids.ts';
import { runCommand } from '../../support/command.ts';
import { FakeFusionAuth, superKey } from '../../support/fake-fusionauth/fake-fusionauth.ts';
import type { ApiFault } from '../../support/fake-fusionauth/fake-fusionauth.ts';
import type { Json } from '../../support/fake-fusionauth/model.ts';
import { SetupRuns } from '../../support/setup.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const tenant = 'aaaaaaaa-0000-4000-8000-000000000000';
const moments = ['before', 'after'] as const;
type Moment = (typeof moments)[number];

/** FusionAuth with another's webhook in it, and the command as its user has it. */
class Scene implements AsyncDisposable {
  readonly fusionAuth: FakeFusionAuth;
  readonly folder: string;
  /** As it was found. */
  readonly before: Json;
  readonly #stack: AsyncDisposableStack;

  private constructor(fusionAuth: FakeFusionAuth, folder: string, stack: AsyncDisposableStack) {
    this.fusionAuth = fusionAuth;
    this.folder = folder;
    this.#stack = stack;
    this.before = fusionAuth.snapshot();
  }

  static async open(): Promise<Scene> {
    const stack = new AsyncDisposableStack();
    const fusionAuth = stack.use(await FakeFusionAuth.start({ tenants: [tenant] }));
    const { path } = stack.use(await temporaryFolder());
    fusionAuth.webhooks.set('other', {
      id: 'other',
      url: 'http://127.0.0.1:9/other',
      connectTimeout: 1000,
      readTimeout: 2000,
      global: false,
      tenantIds: [tenant],
      eventsEnabled: { 'user.create': true },
    });
    return new Scene(fusionAuth, path, stack);
  }

  /** The command, killed at the call of this number where one is given. Resolves to whether it was. */
  async run(args: readonly string[], killAt?: { index: number; moment: Moment }): Promise<boolean> {
    let child: ChildProcess | undefined;
    const kill = async () => {
      const exited = once(child as ChildProcess, 'exit');
      child?.kill('SIGKILL');
      await exited;
    };
    if (killAt) {
      let index = 0;
      this.fusionAuth.faultFor = () =>
        index++ === killAt.index
          ? { kind: 'instead', isDone: killAt.moment === 'after', act: kill }
          : undefined;
    }
    const { exitCode, stderr } = await runCommand(['setup', '--yes', ...args], {
      settings: { FUSIONAUTH_URL: this.fusionAuth.url, FUSIONAUTH_API_KEY: superKey },
      cwd: this.folder,
      onStart: (process) => (child = process),
    });
    if (killAt) this.fusionAuth.faultFor = () => undefined;
    if (exitCode !== null) assert.equal(exitCode, 0, stderr);
    return exitCode === null;
  }

  /** Undisturbed, and without a process. */
  get inProcess(): SetupRuns {
    return new SetupRuns(this.fusionAuth, join(this.folder, 'data'));
  }

  get variables(): NodeJS.Dict<string> {
    const path = join(this.folder, '.env');
    return existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {};
  }

  get hasUndoFile(): boolean {
    return existsSync(join(this.folder, 'data', 'setup-undo.json'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** The numbers of the calls that change something, and how many calls there are. */
async function changingCalls(
  fusionAuth: FakeFusionAuth,
  run: () => Promise<unknown>,
): Promise<{ changing: readonly number[]; count: number }> {
  const states: string[] = [];
  const state = () => JSON.stringify(fusionAuth.snapshot());
  fusionAuth.faultFor = () => void states.push(state());
  await run();
  fusionAuth.faultFor = () => undefined;
  const count = states.push(state()) - 1;
  const changing = [...Array(count).keys()].filter((index) => states[index] !== states[index + 1]);
  return { changing, count };
}

/** Two at a time: each is a process of its own. */
async function forEachOf<Item>(items: readonly Item[], visit: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    [1, 2].map(async () => {
      for (const item of left) await visit(item);
    }),
  );
}

const kills = (indexes: readonly number[]) =>
  indexes.flatMap((index) => moments.map((moment) => ({ index, moment })));

test('setup, killed at each change, goes on from there, and --undo still knows what was found', async () => {
  await using undisturbed = await Scene.open();
  const { changing } = await changingCalls(undisturbed.fusionAuth, () => undisturbed.run([]));
  assert.equal(changing.length, 5, 'key, webhook, two tenants, event log');
  const done = undisturbed.fusionAuth.snapshot();

  await forEachOf(kills(changing), async (kill) => {
    await using scene = await Scene.open();
    const what = `killed ${kill.moment} call ${kill.index}`;

    assert.ok(await scene.run([], kill), what);
    await scene.run([]);
    assert.deepEqual(scene.fusionAuth.snapshot(), done, what);
    assert.equal(scene.variables['FUSIONAUTH_URL'], scene.fusionAuth.url);
    await scene.inProcess.undo();
    assert.deepEqual(scene.fusionAuth.snapshot(), scene.before, what);
  });
});

test('setup, killed at any call before its first change, has changed nothing and written nothing', async () => {
  await using scene = await Scene.open();
  const { changing } = await changingCalls(scene.fusionAuth, () => scene.run([]));
  const [first = 0] = changing;
  assert.ok(first > 10, 'the rights are tried and the state is read');

  await forEachOf([...Array(first).keys()], async (index) => {
    await using killed = await Scene.open();
    assert.ok(await killed.run([], { index, moment: 'before' }));
    assert.deepEqual(killed.fusionAuth.snapshot(), killed.before, `killed at call ${index}`);
    assert.deepEqual([killed.variables, killed.hasUndoFile], [{}, false], `killed at call ${index}`);
  });
});

test('setup --undo, killed at each change, goes on from there', async () => {
  const setUp = async () => {
    const scene = await Scene.open();
    await scene.inProcess.setUp();
    return scene;
  };
  await using undisturbed = await setUp();
  const { changing } = await changingCalls(undisturbed.fusionAuth, () => undisturbed.run(['--undo']));
  assert.equal(changing.length, 5, 'event log, two tenants, webhook, key');

  // It writes nothing down between two changes: after the one is before the other.
  const [first = 0] = changing;
  const atEach = changing.map((index) => ({ index, moment: 'after' as const }));
  await forEachOf([{ index: first, moment: 'before' as const }, ...atEach], async (kill) => {
    await using scene = await setUp();
    const what = `killed ${kill.moment} call ${kill.index}`;

    assert.ok(await scene.run(['--undo'], kill), what);
    assert.equal(scene.hasUndoFile, true, what);
    await scene.run(['--undo']);
    assert.deepEqual(scene.fusionAuth.snapshot(), scene.before, what);
    assert.equal(scene.hasUndoFile, false, what);
  });
});

test('setup, taken up again after a kill of --undo, and undone, is back at what was found first', async () => {
  await using scene = await Scene.open();
  await scene.inProcess.setUp();
  const { changing } = await changingCalls(scene.fusionAuth, () => scene.run(['--undo']));
  assert.equal(changing.length, 5);
  await scene.inProcess.setUp();

  await scene.run(['--undo'], { index: changing[2] ?? 0, moment: 'after' });
  await scene.run([]);
  await scene.run(['--undo']);

  assert.deepEqual(scene.fusionAuth.snapshot(), scene.before);
});

test('setup --hmac, killed at each change: the secret in .env is the one by which FusionAuth signs', async () => {
  await using undisturbed = await Scene.open();
  const { changing } = await changingCalls(undisturbed.fusionAuth, () => undisturbed.run(['--hmac']));
  assert.equal(changing.length, 5);
  const done = undisturbed.fusionAuth.snapshot();

  await forEachOf(kills(changing.slice(0, 2)), async (kill) => {
    await using scene = await Scene.open();
    const what = `killed ${kill.moment} call ${kill.index}`;

    assert.ok(await scene.run(['--hmac'], kill), what);
    await scene.run(['--hmac']);
    assert.deepEqual(scene.fusionAuth.snapshot(), done, what);
    const secret = scene.variables['FUSIONAUTH_WEBHOOK_SECRET'];
    assert.match(secret ?? '', /^[\w-]{43}$/, what);
    assert.equal(scene.fusionAuth.keys.get(hmacKeyId)?.secret, secret, what);
  });
});

describe('FusionAuth 1.47, whose tenants lose their webhooks by a change', () => {
  const kinds: readonly ApiFault['kind'][] = ['reset', 'done-but-reset'];
  const open = async () => {
    const fusionAuth = await FakeFusionAuth.start({ version: '1.47.0', tenants: [tenant] });
    fusionAuth.webhooks.set('other', {
      id: 'other',
      url: 'http://127.0.0.1:9/other',
      connectTimeout: 1000,
      readTimeout: 2000,
      global: false,
      tenantIds: [tenant],
      eventsEnabled: { 'user.create': true },
    });
    return fusionAuth;
  };
  const wishes = { tenantIds: [tenant] };
  const faultAt = (at: number, kind: ApiFault['kind']) => {
    let index = 0;
    return () => (index++ === at ? ({ kind } as ApiFault) : undefined);
  };

  for (const kind of kinds) {
    test(`setup and --undo, each cut off at each call in turn (${kind})`, async () => {
      await using undisturbed = await open();
      await using undisturbedRuns = await SetupRuns.at(undisturbed);
      const setUp = await changingCalls(undisturbed, () => undisturbedRuns.setUp(wishes));
      const done = undisturbed.snapshot();
      const undo = await changingCalls(undisturbed, () => undisturbedRuns.undo());
      assert.deepEqual([setUp.changing.length, undo.changing.length], [2, 2], 'tenant and webhook');

      for (const at of Array(Math.max(setUp.count, undo.count)).keys()) {
        await using fusionAuth = await open();
        await using runs = await SetupRuns.at(fusionAuth);
        const before = fusionAuth.snapshot();
        const what = `cut off at call ${at}`;

        fusionAuth.faultFor = faultAt(at, kind);
        if (at < setUp.count) await assert.rejects(runs.setUp(wishes), what);
        fusionAuth.faultFor = () => undefined;
        await runs.setUp(wishes);
        assert.deepEqual(fusionAuth.snapshot(), done, what);

        fusionAuth.faultFor = faultAt(at, kind);
        if (at < undo.count) await assert.rejects(runs.undo(), what);
        fusionAuth.faultFor = () => undefined;
        await runs.undo();
        assert.deepEqual(fusionAuth.snapshot(), before, what);
      }
    });
  }
});
