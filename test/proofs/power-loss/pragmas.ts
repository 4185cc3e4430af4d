// Loaded into a bridge's process before its own code (`node --import`): has SQLite set other pragmas than the log asks
// for, in every thread. POWER_LOSS_PRAGMAS is a JSON object of what is asked for, and what is set in its place.

import { DatabaseSync } from 'node:sqlite';

const changes = Object.entries(
  JSON.parse(process.env['POWER_LOSS_PRAGMAS'] ?? '{}') as Record<string, string>,
);
// eslint-disable-next-line @typescript-eslint/unbound-method -- called on the connection below
const { exec } = DatabaseSync.prototype;

DatabaseSync.prototype.exec = function (text: string) {
  let changed = text;
  for (const [asked, set] of changes) changed = changed.replace(asked, set);
  exec.call(this, changed);
};
