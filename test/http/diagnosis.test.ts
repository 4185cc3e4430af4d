// What the running bridge tells `doctor`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiagnosisDocument } from '../../src/http/diagnosis.ts';
import { WebhookWitness } from '../../src/http/webhook-witness.ts';
import { sample, startBridge } from '../support/bridge.ts';

test('tells of log, webhooks and destinations, and of the last that came before its start', async () => {
  await using bridge = await startBridge({ FUSIONAUTH_ALLOW_UNSIGNED: 'true', WAREHOUSE_URL: 'off' });
  const ask = async () => JSON.parse((await bridge.get('/api/diagnosis')).text) as DiagnosisDocument;

  const fresh = await ask();
  assert.deepEqual(fresh.webhooks, { refusals: [], unknownTypes: [] });
  assert.partialDeepStrictEqual(fresh.log, { isWritable: true, isReadable: true });
  assert.ok(fresh.log.freeBytes > 0 && fresh.log.totalBytes > fresh.log.freeBytes && fresh.log.bytes > 0);
  assert.ok(Math.abs(fresh.now - Date.now()) < 10_000 && fresh.startedAt <= fresh.now);

  await bridge.post(sample('user.login.success'));
  await bridge.post({ event: { id: 'of-a-new-type', type: 'user.abducted' } });
  await bridge.post({ event: { type: 'user.login.success' } });

  const { webhooks } = await ask();
  assert.deepEqual(webhooks.unknownTypes, ['user.abducted']);
  assert.partialDeepStrictEqual(webhooks.lastTaken, { id: 'of-a-new-type', verifiedBy: 'unsigned' });
  assert.partialDeepStrictEqual(webhooks.lastRefused, { status: 400 });
  assert.match(webhooks.lastRefused?.reason ?? '', /id/);
});

test('counts refusals by their reason, of which it keeps a bounded number', () => {
  const witness = new WebhookWitness();
  const refuse = (reason: string, at: number) =>
    witness.refuse({ status: 401, reason, answer: 'unauthorized', body: {} as never }, at);

  refuse('missing', 1);
  refuse('forged', 2);
  refuse('missing', 3);
  assert.deepEqual(witness.refusals, [
    { status: 401, reason: 'missing', count: 2, firstAt: 1, at: 3 },
    { status: 401, reason: 'forged', count: 1, firstAt: 2, at: 2 },
  ]);

  for (let number = 0; number < 1_000; number++) refuse(`place ${number}`, 4);
  assert.ok(witness.refusals.length <= 51);
  assert.equal(
    witness.refusals.reduce((sum, { count }) => sum + count, 0),
    1_003,
  );
});

test('knows what came before a restart, by the log', () => {
  const earlier = { at: 1, id: 'first', type: 'user.new', verifiedBy: 'hmac:1' } as never;

  const witness = new WebhookWitness([earlier]);

  assert.equal(witness.lastTaken, earlier);
  assert.equal(witness.lastRefused, undefined);
  assert.deepEqual(witness.unknownTypes, ['user.new']);
});

test('keeps a bounded number of unknown types, which senders choose', () => {
  const witness = new WebhookWitness();

  for (let number = 0; number < 100; number++) {
    witness.take({ at: 0, id: 'id' as never, type: `${number}`.repeat(200), verifiedBy: 'unsigned' });
  }

  assert.equal(witness.unknownTypes.length, 20);
  assert.ok(witness.unknownTypes.every(({ length }) => length <= 100));
});
