// Pictures of the dashboard's pages, for the README and docs: npm run screenshots

import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BridgeProcess, sample } from '../test/support/bridge.ts';
import { launchBrowser, openPage } from '../test/support/browser.ts';
import { freePort } from '../test/support/free-port.ts';
import { SegmentStandIn } from '../test/support/segment.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';

const folder = fileURLToPath(new URL('images/', import.meta.url));
const pages = [
  ['overview', '/'],
  ['events', '/events'],
  ['event', '/events/a-login'],
  ['dead-letters', '/dead-letters'],
  ['catalogue', '/catalogue'],
] as const;

mkdirSync(folder, { recursive: true });
await using data = await temporaryFolder();
await using segment = await SegmentStandIn.start();
segment.isBad = ({ userId }) => userId === 'bad-user';
await using bridge = await BridgeProcess.start({
  DATA_DIR: data.path,
  PORT: String(await freePort()),
  WAREHOUSE_PORT: String(await freePort()),
  SEGMENT_WRITE_KEY: 'k',
  SEGMENT_ENDPOINT: segment.url,
});
for (const type of [
  'user.create.complete',
  'user.registration.create.complete',
  'user.email.verified',
] as const) {
  await bridge.post(sample(type));
}
for (let login = 0; login < 12; login++) {
  await bridge.post(sample(login % 4 === 3 ? 'user.login.failed' : 'user.login.success'));
}
await bridge.post(sample('user.login.success', { userId: 'bad-user' }));
await bridge.post(sample('user.login.success', { id: 'a-login' }));
await bridge.settled();
const browser = await launchBrowser();
for (const [name, path] of pages) {
  await using opened = await openPage(browser, bridge.url, { width: 1100 });
  await opened.page.goto(path);
  await opened.page.getByRole('heading', { level: 2 }).waitFor();
  await opened.page.waitForTimeout(500);
  await opened.page.screenshot({ path: `${folder}${name}.png` });
}
await browser.close();
