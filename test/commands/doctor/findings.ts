// What doctor's checks are asked in all of its tests.

import assert from 'node:assert/strict';
import type { Check, CheckStatus } from '../../../src/commands/doctor/check.ts';

/** Asserts that this one is found, and nothing else but what is well. */
export function assertFinds(
  checks: readonly Check[],
  name: string,
  status: CheckStatus,
  words: { detail?: RegExp; fix?: RegExp },
): void {
  assert.deepEqual(
    checks.filter((check) => check.status !== 'ok').map((check) => [check.name, check.status]),
    [[name, status]],
    JSON.stringify(checks),
  );
  const found = checks.find((check) => check.name === name);
  assert.match(found?.detail ?? '', words.detail ?? /./);
  assert.match(found?.fix ?? '', words.fix ?? /./);
}

export function assertAllWell(checks: readonly Check[]): void {
  assert.ok(checks.length > 0);
  for (const { name, status, detail, fix } of checks)
    assert.deepEqual([status, fix], ['ok', ''], `${name}: ${detail}`);
}
