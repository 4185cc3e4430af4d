#!/usr/bin/env node
// The command line: names the commands, parses, calls commands/. Exit codes: 0 done, 1 failed or something is not
// well, 2 wrong usage.

import { Command, CommanderError, Option } from 'commander';
import { loadConfiguration } from './config/load.ts';
import { describeError } from './commands/report.ts';
import { version } from './version.ts';

const program = new Command('fusionauth-segment')
  .description('The bridge from FusionAuth to Twilio Segment and to a PostgreSQL warehouse.')
  .version(version)
  .showHelpAfterError('(--help shows the usage)')
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()
  .addHelpText(
    'after',
    `
Settings come from the environment, from .env and from fusionauth-segment.config.ts; docs/configuration.md lists them.

Examples:
  $ fusionauth-segment start
  $ fusionauth-segment send user.login.success
  $ fusionauth-segment status
  $ psql "$(fusionauth-segment warehouse url)" -c 'select * from user_login_success'`,
  );

const json = () => new Option('--json', 'print one JSON document and nothing else');
const config = () => loadConfiguration();

program
  .command('start')
  .description('run the bridge: take webhooks, deliver them')
  .addHelpText('after', '\nExample:\n  $ SEGMENT_WRITE_KEY=… fusionauth-segment start')
  .action(async () => (await import('./commands/start.ts')).start(await config()));

program
  .command('send')
  .description('post sample events to a running bridge, signed where a secret is set')
  .argument('[types...]', 'event types; all of them where none is named')
  .option('--count <number>', 'how many of each', parseCount, 1)
  .option('--fusionauth <version>', 'in the shape of this FusionAuth version, such as 1.30', parseVersion)
  .option('--url <url>', 'the webhook’s URL; this configuration’s bridge where it is not given')
  .addOption(json())
  .addHelpText(
    'after',
    '\nExamples:\n  $ fusionauth-segment send user.login.success\n  $ fusionauth-segment send --count 100 --url http://127.0.0.1:3000/webhook',
  )
  .action(
    async (types: string[], options: { count: number; fusionauth?: string; url?: string; json?: boolean }) =>
      (await import('./commands/send.ts')).send({ types, ...options }, await config()),
  );

program
  .command('events')
  .description('print the catalogue: every FusionAuth event type and what it becomes')
  .argument('[text]', 'only types that contain this; with * a pattern, such as user.login.*')
  .addOption(json())
  .addHelpText(
    'after',
    '\nExamples:\n  $ fusionauth-segment events\n  $ fusionauth-segment events login --json',
  )
  .action(async (text: string | undefined, options: { json?: boolean }) =>
    (await import('./commands/events.ts')).events({ text, ...options }, await config()),
  );

program
  .command('map')
  .description('print the messages and rows that an event becomes, and what Segment would drop')
  .argument('[file]', 'file with a webhook’s body; standard input where it is not given')
  .option('--sample <type>', 'map a sample of this type')
  .option('--destination <name>', 'as for this destination, with its own filter and privacy policy')
  .option('--explain', 'say which rule made or stopped each message')
  .addHelpText(
    'after',
    '\nExamples:\n  $ fusionauth-segment map --sample user.login.success\n  $ fusionauth-segment map event.json --explain\n  $ pbpaste | fusionauth-segment map',
  )
  .action(
    async (file: string | undefined, options: { sample?: string; destination?: string; explain?: boolean }) =>
      (await import('./commands/map.ts')).map({ file, ...options }, await config()),
  );

program
  .command('test')
  .description('run your mapping tests: pairs of an event and the messages expected of it')
  .argument('[files...]', 'test files; all *.mapping.json below the current folder where none is named')
  .addOption(json())
  .addHelpText(
    'after',
    '\nExamples:\n  $ fusionauth-segment test\n  $ fusionauth-segment test mapping/logins.mapping.json --json',
  )
  .action(async (files: string[], options: { json?: boolean }) =>
    (await import('./commands/test.ts')).test({ files, ...options }, await config()),
  );

program
  .command('status')
  .description('print the books of a running bridge, and how its destinations fare')
  .option('--url <url>', 'the bridge’s base URL; this configuration’s where it is not given')
  .addOption(json())
  .addHelpText(
    'after',
    '\nExamples:\n  $ fusionauth-segment status\n  $ fusionauth-segment status --json | jq .stored',
  )
  .action(async (options: { url?: string; json?: boolean }) =>
    (await import('./commands/status.ts')).status(options, await config()),
  );

const warehouse = program.command('warehouse').description('get at the warehouse');
warehouse
  .command('url')
  .description('print the connection string of the warehouse, for a role that may only read')
  .option('--owner', 'for the role that owns the tables')
  .addHelpText('after', `\nExample:\n  $ psql "$(fusionauth-segment warehouse url)" -c 'select * from users'`)
  .action(async (options: { owner?: boolean }) =>
    (await import('./commands/warehouse.ts')).printWarehouseUrl(options, await config()),
  );
warehouse
  .command('psql')
  .description('open psql on the warehouse')
  .option('--owner', 'as the role that owns the tables')
  .argument('[arguments...]', 'arguments for psql, behind --')
  .addHelpText('after', `\nExample:\n  $ fusionauth-segment warehouse psql -- -c 'select * from users'`)
  .action(async (args: string[], options: { owner?: boolean }) =>
    (await import('./commands/warehouse.ts')).openPsql({ args, ...options }, await config()),
  );

function parseCount(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new CommanderError(
    2,
    'usage',
    `error: --count must be a whole number from 1 to 9999999, not "${text}"`,
  );
}

function parseVersion(text: string): string {
  if (/^\d+\.\d+(\.\d+)?$/.test(text)) return text;
  throw new CommanderError(2, 'usage', `error: --fusionauth must be a version such as 1.30, not "${text}"`);
}

// Whoever reads us through a pipe may have seen enough: `events | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its own message; ours (usage) not.
    if (error.code === 'usage') process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = 1;
  }
}
