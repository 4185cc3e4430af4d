// Builds the dashboard where it is older than its sources: before `npm start` and `npm test`, and into the package.
//
// Where Vite is not installed (`npm ci --omit=dev`) it says so and goes on: the bridge then shows its plain page.

import { existsSync, globSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type * as Vite from 'vite';

const root = new URL('../', import.meta.url);
const built = new URL('dist/dashboard/index.html', root);
const sources = ['dashboard/**/*', 'package-lock.json'];

if (process.argv.includes('--force') || !isCurrent()) await build();

function isCurrent(): boolean {
  if (!existsSync(built)) return false;
  const builtAt = statSync(built).mtimeMs;
  return globSync(sources, { cwd: fileURLToPath(root) }).every(
    (path) => statSync(new URL(path, root)).mtimeMs <= builtAt,
  );
}

async function build(): Promise<void> {
  let vite: typeof Vite;
  try {
    vite = await import('vite');
  } catch {
    process.stderr.write(
      'Vite is not installed, so the dashboard is not built: the bridge shows a plain page\n',
    );
    return;
  }
  await vite.build({
    configFile: fileURLToPath(new URL('vite.config.ts', import.meta.url)),
    logLevel: 'warn',
  });
}
