// The dashboard in real Chromium, served by a real bridge with a log, Segment's stand-in and a warehouse.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { BridgeProcess, sample } from '../support/bridge.ts';
import { launchBrowser, openPage, withoutBrowser } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';
import { SegmentStandIn } from '../support/segment.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const hostileName = '<img src=x onerror="document.title=\'hacked\'"> \u202eesrever javascript:alert(1)';
const hostileId = 'hostile-event';

describe('the dashboard', { skip: withoutBrowser }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let segment: SegmentStandIn;
  let bridge: BridgeProcess;
  let browser: Browser;

  before(async () => {
    folder = await temporaryFolder();
    segment = await SegmentStandIn.start();
    segment.isBad = ({ userId }) => userId === 'bad-user';
    bridge = await BridgeProcess.start({
      DATA_DIR: folder.path,
      PORT: String(await freePort()),
      WAREHOUSE_URL: 'off',
      SEGMENT_WRITE_KEY: 'k',
      SEGMENT_ENDPOINT: segment.url,
    });
    browser = await launchBrowser();
  });
  after(async () => {
    await browser.close();
    await bridge.end('SIGTERM');
    await segment[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  const open = (options: Parameters<typeof openPage>[2] = {}) => openPage(browser, bridge.url, options);

  test('with nothing received it leads: a sample, and setup, with this bridge’s own address', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.goto('/');

    const steps = page.getByRole('region', { name: 'First steps' });
    await steps.getByText(`send user.login.success --url ${bridge.url}/webhook`).waitFor();
    await steps.getByText('cli -- setup').waitFor();
    assert.deepEqual([opened.faults, opened.foreign], [[], []]);
  });

  test('the overview shows the way, and its numbers open the events behind them', async () => {
    const { event } = sample('user.login.success', { id: 'good-login', userId: 'good-user' });
    await bridge.post({ event });
    await bridge.post(sample('user.login.success', { id: 'bad-login', userId: 'bad-user' }));
    const hostile = sample('user.update.complete', { id: hostileId, userId: 'hostile-user' });
    const { user } = hostile.event as unknown as { user: object };
    await bridge.post({ event: { ...hostile.event, user: { ...user, lastName: hostileName } } });
    await bridge.settled();

    await using opened = await open();
    const { page } = opened;
    await page.goto('/');
    await page.getByText('segment: 1 event could not be delivered').waitFor();
    const card = page.getByRole('article', { name: 'segment' });
    await card.getByText('running').waitFor();
    await card.getByRole('link', { name: '1', exact: true }).click();
    await page.waitForURL('**/events?outcome=dead');
    assert.deepEqual([opened.faults, opened.foreign], [[], []]);
  });

  test('by keyboard alone an event is chosen, and its journey opened: signature, rule, attempt, answer', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.goto('/events');
    const list = page.getByRole('listbox', { name: 'Events, the newest first' });
    await list.getByText('user.login.success').first().waitFor();
    for (const key of ['j', 'j', 'j', 'Enter']) await page.keyboard.press(key);

    await page.waitForURL('**/events/good-login');
    await page.getByRole('heading', { name: 'user.login.success' }).waitFor();
    const journey = page.getByRole('region', { name: 'segment' });
    await journey.getByText('delivered', { exact: true }).waitFor();
    await journey.getByRole('table', { name: 'Attempts' }).getByText('accepted').waitFor();
    assert.deepEqual([opened.faults, opened.foreign], [[], []]);
  });

  test('keys: / to the search, p pauses, ? says which keys there are; who writes is left alone', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.goto('/events');
    await page.getByRole('option').first().waitFor();
    await page.keyboard.press('p');
    assert.equal(await page.getByRole('switch', { name: 'Live' }).isChecked(), false);
    await page.keyboard.press('p');
    await page.keyboard.press('/');
    await page.keyboard.type('user.p?');
    assert.equal(await page.getByLabel('Type').inputValue(), 'user.p?');
    assert.equal(await page.getByRole('switch', { name: 'Live' }).isChecked(), true);
    await page.getByRole('heading', { level: 2 }).click();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).getByText('pauses the list').waitFor();
  });

  test('new events come into the list by themselves, and where it is paused, as a number', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.goto('/events');
    const list = page.getByRole('listbox');
    await list.getByText('user.login.success').first().waitFor();

    await bridge.post(sample('user.deactivate'));
    await list.getByText('user.deactivate').waitFor();
    await page.getByRole('switch', { name: 'Live' }).setChecked(false);
    await bridge.post(sample('user.reactivate'));
    await page.getByRole('button', { name: '1 new' }).click();
    await list.getByText('user.reactivate').waitFor();
    await list.getByText('user.deactivate').waitFor();
  });

  test('a dead letter is found by its reason, mended, and sent again', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.goto('/dead-letters');
    const reason = page.getByRole('region', { name: 'segment: bad_request' });
    await reason.getByText('It is none of Segment’s six calls, or Segment refused it alone').waitFor();
    segment.isBad = () => false;
    await reason.getByRole('button', { name: 'Send all again' }).click();

    await page.getByText('None: everything could be delivered.').waitFor();
    assert.ok(segment.messages.some(({ userId }) => userId === 'bad-user'));
    await page.goto('/replays');
    await page.getByRole('table').getByText('1 delivered').waitFor();
    assert.deepEqual([opened.faults, opened.foreign], [[], []]);
  });

  test('a replay is counted before it is started', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.goto('/replays');
    await page.getByLabel('Types').fill('user.login.*');
    await page.getByRole('button', { name: 'Count' }).click();
    await page.getByText('2 events fit').waitFor();
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.getByRole('table').getByText('types user.login.*').waitFor();
    await until(
      'it is done',
      async () => (await page.getByRole('table').getByText('2 delivered').count()) === 1,
    );
  });

  test('what somebody wrote into an event is shown as text, and does nothing', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.goto(`/events/${hostileId}`);
    await page.getByRole('button', { name: 'Show personal data' }).click();
    await page.getByLabel('JSON of the event').getByText('<img src=x onerror=').waitFor();
    assert.equal(await page.locator('img').count(), 0);
    assert.equal(await page.title(), 'fusionauth-segment');
    assert.deepEqual(opened.faults, []);
  });

  test('who a person is, is hidden until somebody means to see it, and that they did is a log line', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.goto('/events/good-login');
    const json = page.getByLabel('JSON of the event');
    await json.getByText('"email": "•••••"').waitFor();
    assert.doesNotMatch((await json.textContent()) ?? '', /@example\.com|203\.0\.113/);
    assert.match((await json.textContent()) ?? '', /"good-user"/);
    assert.ok(!bridge.lines.some(({ eventId, what }) => eventId === 'good-login' && what === 'event'));

    const messages = page.getByLabel('Messages to segment');
    await page.getByText('Becomes track “user.login.success”').click();
    await messages.getByText('"ip": "•••••"').waitFor();
    assert.doesNotMatch((await messages.textContent()) ?? '', /@example\.com|203\.0\.113/);

    await page.getByRole('button', { name: 'Show personal data' }).click();
    await json.getByText(/"email": "[^•"]+@example\.com"/).waitFor();
    assert.ok(bridge.lines.some(({ eventId, what }) => eventId === 'good-login' && what === 'event'));
  });

  test('a search finds an event by its user through the whole log, and stands in the address', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.goto('/events');
    await page.getByLabel('User id').fill('good-user');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.waitForURL('**/events?user=good-user');
    await page.getByText('That is the whole log').waitFor();
    assert.equal(await page.getByRole('option').count(), 1);
    await page.goto('/events?user=nobody');
    await page.getByText('No event of the log fits').waitFor();
  });

  test('what was refused is counted by its reason, with what to do', async () => {
    await bridge.post({ event: { type: 'user.login.success' } });
    await using opened = await open();
    const { page } = opened;
    await page.goto('/refused');
    const row = page.getByRole('row').filter({ hasText: '400' });
    await row.getByText('It was no event of FusionAuth’s').waitFor();
    await page.goto('/');
    await page.getByRole('article', { name: 'FusionAuth' }).getByText('refused').waitFor();
  });

  test('the catalogue says what each type becomes, and leads to its events', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.goto('/catalogue');
    await page.getByText('64 of 64').waitFor();
    await page.getByLabel('Find a type').fill('user.login.success');
    await page.getByText('track "user.login.success"').waitFor();
    await page.getByRole('link', { name: 'user.login.success' }).click();
    await page.waitForURL('**/events?type=user.login.success');
    assert.deepEqual([opened.faults, opened.foreign], [[], []]);
  });

  test('an event that is not there is said to be not there', async () => {
    await using opened = await open();
    await opened.page.goto('/events/nobody-knows');
    await opened.page.getByText('The log has no event of this id').waitFor();
  });

  test('a destination that is not well says so, and what to do', async () => {
    segment.fail({ kind: 'status', status: 503 });
    await bridge.post(sample('user.login.success', { id: 'waiting-login' }));
    await using opened = await open();
    await opened.page.goto('/');
    await opened.page.getByText('segment is retrying: Segment').waitFor();
    await opened.page.getByText('kept and sent later').waitFor();
  });

  // Beside the trouble of the test before.
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const path of [
      '/',
      '/events',
      '/events/good-login',
      '/events/waiting-login',
      '/dead-letters',
      '/replays',
      '/refused',
      '/catalogue',
    ]) {
      test(`${path}, ${colorScheme}: axe finds nothing, and nothing sticks out at 360 px`, async () => {
        await using opened = await open({ colorScheme, width: 360 });
        const { page } = opened;
        await page.goto(path);
        await page.getByRole('heading', { level: 2 }).waitFor();
        const { violations } = await new AxeBuilder({ page }).analyze();
        assert.deepEqual(
          violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
          [],
        );
        const width = await page.evaluate<number>('document.documentElement.scrollWidth');
        assert.ok(width <= 360, `${width} px`);
      });
    }
  }
});
