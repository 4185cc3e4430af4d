// The machine's Chromium, by playwright-core.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';

const path = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((candidate) => candidate !== undefined && existsSync(candidate));

/** For a test's options: false, or why it is skipped. */
export const withoutBrowser = path === undefined ? 'no Chromium (set CHROMIUM to its path)' : false;

/** Root has no sandbox; and nothing but what a test asks for goes over the network. */
const flags = `--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
  --disable-component-update --disable-sync`.split(/\s+/);

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: path ?? '', args: flags });
}

export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors of the page's code, and what its Content-Security-Policy stopped. */
  readonly faults: readonly string[];
  /** Addresses that it asked for beyond its own origin. */
  readonly foreign: readonly string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: { readonly width?: number; readonly colorScheme?: 'light' | 'dark' } = {},
): Promise<WatchedPage> {
  const { width = 1280, colorScheme = 'light' } = options;
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width, height: 800 },
    colorScheme,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  const faults: string[] = [];
  const foreign: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) foreign.push(request.url());
  });
  return { page, faults, foreign, [Symbol.asyncDispose]: () => context.close() };
}
