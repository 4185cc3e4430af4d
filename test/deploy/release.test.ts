// A release is published only after everything that must hold was tried, and says where it comes from.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Job {
  readonly needs?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps: readonly {
    readonly uses?: string;
    readonly run?: string;
    readonly with?: Record<string, unknown>;
  }[];
}
const workflow = parse(read('.github/workflows/release.yml')) as {
  readonly permissions: object;
  readonly jobs: Readonly<Record<'check' | 'npm' | 'image', Job>>;
};
const { check, npm, image } = workflow.jobs;
const commands = ({ steps }: Job) => steps.flatMap(({ run }) => run ?? []);

test('package and image are published after .ci/run, and only they may write anything', () => {
  assert.ok(commands(check).some((command) => command.endsWith('bash .ci/run')));
  for (const job of [npm, image]) assert.equal(job.needs, 'check');
  assert.deepEqual(workflow.permissions, { contents: 'read' });
  assert.equal(check.permissions, undefined);
});

test('the package carries its provenance', () => {
  const { publishConfig } = JSON.parse(read('package.json')) as { publishConfig: object };

  assert.ok(commands(npm).includes('npm publish --provenance'));
  assert.equal(npm.permissions?.['id-token'], 'write');
  assert.deepEqual(publishConfig, { access: 'public', provenance: true });
});

test('the image is built from the Dockerfile for amd64 and arm64', () => {
  const build = image.steps.find(({ uses }) => uses?.startsWith('docker/build-push-action@'));

  assert.partialDeepStrictEqual(build?.with, {
    file: 'deploy/Dockerfile',
    platforms: 'linux/amd64,linux/arm64',
  });
});

test('every action of the workflow has an exact version', () => {
  for (const { steps } of Object.values(workflow.jobs))
    for (const { uses } of steps) if (uses !== undefined) assert.match(uses, /@v\d+\.\d+\.\d+$/);
});
