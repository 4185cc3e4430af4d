// Who sees the dashboard where the bridge listens to others: by a token, as who may change things or only read.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { launchBrowser, openPage, withoutBrowser } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const adminToken = 'admin-token-of-the-test';
const viewerToken = 'viewer-token-of-the-test';

describe('with ADMIN_TOKEN the dashboard', { skip: withoutBrowser }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let bridge: BridgeProcess;
  let browser: Browser;

  before(async () => {
    folder = await temporaryFolder();
    bridge = await BridgeProcess.start({
      DATA_DIR: folder.path,
      PORT: String(await freePort()),
      WAREHOUSE_URL: 'off',
      ADMIN_TOKEN: adminToken,
      VIEWER_TOKEN: viewerToken,
      SEGMENT_WRITE_KEY: 'k',
      SEGMENT_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
    });
    await bridge.post(sample('user.login.success', { id: 'a-login' }));
    browser = await launchBrowser();
  });
  after(async () => {
    await browser.close();
    await bridge.end('SIGTERM');
    await folder[Symbol.asyncDispose]();
  });

  test('is behind a page to sign in, which a wrong token does not pass', async () => {
    await using opened = await openPage(browser, bridge.url);
    const { page } = opened;
    await page.goto('/events/a-login');
    await page.getByLabel(/token/i).fill('wrong');
    await page.getByRole('button', { name: /sign in/i }).click();
    await page.getByLabel(/token/i).fill(adminToken);
    await page.getByRole('button', { name: /sign in/i }).click();

    await page.waitForURL('**/events/a-login');
    await page.getByRole('heading', { name: 'user.login.success' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel(/token/i).waitFor();
    await page.goto('/events/a-login');
    await page.getByLabel(/token/i).waitFor();
  });

  test('shows by VIEWER_TOKEN everything, and nothing that would change something', async () => {
    await using opened = await openPage(browser, bridge.url);
    const { page } = opened;
    await page.goto('/replays');
    await page.getByLabel(/token/i).fill(viewerToken);
    await page.getByRole('button', { name: /sign in/i }).click();
    await page.getByText('Nothing has been sent again yet.').waitFor();
    await page.getByRole('button', { name: 'Sign out (may only read)' }).waitFor();
    assert.equal(await page.getByRole('region', { name: 'Send again' }).count(), 0);
  });
});
