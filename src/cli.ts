#!/usr/bin/env node
// The command line: names the commands, parses, calls commands/. Exit codes: 0 done, 1 failed or something is not
// well, 2 wrong usage.

import { enableCompileCache } from 'node:module';
import { Command, CommanderError, Option } from 'commander';
import { loadConfiguration } from './config/load.ts';
import type { DiscardOptions, ListOptions, RetryOptions } from './commands/dead-letters.ts';
import type { DoctorOptions } from './commands/doctor.ts';
import type { ExportCommandOptions } from './commands/export.ts';
import { withFilterOptions } from './commands/record-filter.ts';
import type { ReplayOptions } from './commands/replay.ts';
import { describeError, UsageError } from './commands/report.ts';
import type { SetupOptions } from './commands/setup.ts';
import type { TailOptions } from './commands/tail.ts';
import { version } from './version.ts';

// A start is twice as quick, and stripping types costs no memory then; where the cache cannot be had, nothing changes.
enableCompileCache();

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
  .option(
    '--fusionauth <version>',
    'in the shape of this FusionAuth version, such as 1.30; types that are newer are posted all the same',
    parseVersion,
  )
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
  .option('--destination <name>', 'as for this destination, with its own filter')
  .addOption(json())
  .addHelpText(
    'after',
    '\nExamples:\n  $ fusionauth-segment events\n  $ fusionauth-segment events login --json',
  )
  .action(async (text: string | undefined, options: { destination?: string; json?: boolean }) =>
    (await import('./commands/events.ts')).events({ text, ...options }, await config()),
  );

program
  .command('map')
  .description('print the messages and rows that an event becomes, and what Segment would drop')
  .argument('[file]', 'file with a webhook’s body; standard input where it is not given')
  .option('--sample <type>', 'map a sample of this type')
  .option('--destination <name>', 'as for this destination, with its own filter and privacy policy')
  .option('--explain', 'say which rule made or stopped each message')
  .option('--json', 'print one JSON document, as it does in any case')
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

const url = () =>
  new Option('--url <url>', 'the bridge’s base URL; this configuration’s where it is not given');

program
  .command('setup')
  .description('set FusionAuth up through its API: key, webhook, events of the tenants')
  .option('--webhook-url <url>', 'at which FusionAuth reaches the bridge', parseUrl)
  .option('--tenant <ids...>', 'only of these tenants; of all where none is named')
  .option('--hmac', 'sign by an HMAC secret, in place of a key pair')
  .option('--no-event-log', 'leave FusionAuth’s webhook event log alone')
  .option(
    '--segment-warehouse <url>',
    'make this PostgreSQL a warehouse of Segment’s own (needs SEGMENT_PUBLIC_API_TOKEN)',
  )
  .option('--dry-run', 'only show what would be changed')
  .option('--undo', 'put FusionAuth back to how it was found')
  .option('-y, --yes', 'make the changes without asking')
  .addOption(json())
  .addHelpText(
    'after',
    '\nFUSIONAUTH_URL and FUSIONAUTH_API_KEY name FusionAuth; in a terminal it asks.\n\nExamples:\n  $ fusionauth-segment setup\n  $ fusionauth-segment setup --webhook-url https://bridge.example.com/webhook --dry-run\n  $ fusionauth-segment setup --yes\n  $ fusionauth-segment setup --undo',
  )
  .action(async (options: SetupOptions) =>
    (await import('./commands/setup.ts')).setup(options, await config()),
  );

program
  .command('doctor')
  .description('look at every link from FusionAuth to the destinations, and say what to mend')
  .option('--send', 'post a marked test event, and follow it to each destination')
  .option('--url <url>', 'the running bridge; this configuration’s where it is not given')
  .addOption(json())
  .addHelpText(
    'after',
    '\nExit code 1 where a check fails.\n\nExamples:\n  $ fusionauth-segment doctor\n  $ fusionauth-segment doctor --send\n  $ fusionauth-segment doctor --json',
  )
  .action(async (options: DoctorOptions) => (await import('./commands/doctor.ts')).doctor(options));

program
  .command('tail')
  .description('print events as they come; space pauses, a digit opens one, q ends')
  .option('--type <patterns...>', 'only of these types; * stands for anything')
  .option('--tenant <id>', 'only of this tenant')
  .addOption(
    new Option('--outcome <outcome>', 'only where a destination has this outcome').choices([
      'pending',
      'delivered',
      'filtered',
      'dead',
    ]),
  )
  .option('--last <number>', 'begin with this many of the last ones', parseWhole)
  .addOption(url())
  .option('--json', 'print one JSON document a line')
  .addHelpText(
    'after',
    "\nExamples:\n  $ fusionauth-segment tail --last 20\n  $ fusionauth-segment tail --type 'user.login.*' --json | jq .id",
  )
  .action(async (options: TailOptions) => (await import('./commands/tail.ts')).tail(options, await config()));

program
  .command('show')
  .description('print one event’s whole journey: received, mapped, each attempt, each outcome')
  .argument('<event id>')
  .option('--body', 'with the event itself, which holds personal data')
  .addOption(url())
  .addOption(json())
  .addHelpText('after', '\nExample:\n  $ fusionauth-segment show 48ecb999-7a5e-4eae-9faa-dc00e2cffadb')
  .action(async (eventId: string, options: { url?: string; json?: boolean; body?: boolean }) =>
    (await import('./commands/show.ts')).show({ eventId, ...options }, await config()),
  );

withFilterOptions(program.command('replay'))
  .description('send settled records to a destination again')
  .option('--to <destination>', 'the destination')
  .addOption(new Option('--outcome <outcome>', 'settled so').choices(['delivered', 'filtered', 'dead']))
  .option('--dry-run', 'only say how many')
  .option('--as-new', 'with message ids of their own, so that Segment does not take them for those before')
  .option('--rate <records>', 'records a second; 100 where nothing is said', parsePositive)
  .option('--list', 'print what is being sent again, and what was')
  .option('--stop <id>', 'stop a replay', parseWhole)
  .addOption(url())
  .addOption(json())
  .addHelpText(
    'after',
    "\nExamples:\n  $ fusionauth-segment replay --to segment --since 2d --dry-run\n  $ fusionauth-segment replay --to acme --type 'user.login.*' --as-new\n  $ fusionauth-segment replay --list",
  )
  .action(async ({ to, ...options }: ReplayOptions & { to?: string }) =>
    (await import('./commands/replay.ts')).replay(
      { ...options, ...(to === undefined ? {} : { destination: to }) },
      await config(),
    ),
  );

const deadLetters = program
  .command('dead-letters')
  .description('messages that can never be delivered as they are');
const of = () => new Option('--of <destination>', 'the destination');
deadLetters
  .command('list', { isDefault: true })
  .description('count them by reason, and print the newest')
  .addOption(of())
  .option('--reason <reason>', 'of this reason')
  .option('--limit <number>', 'how many', parseWhole)
  .addOption(url())
  .addOption(json())
  .action(async ({ of: destination, ...options }: ListOptions & { of?: string }) =>
    (await import('./commands/dead-letters.ts')).listDeadLetters(
      { ...options, ...(destination === undefined ? {} : { destination }) },
      await config(),
    ),
  );
deadLetters
  .command('show')
  .description('print those of one event with their messages, which hold personal data')
  .argument('<event id>')
  .addOption(url())
  .action(async (eventId: string, options: { url?: string }) =>
    (await import('./commands/dead-letters.ts')).showDeadLetters({ eventId, ...options }, await config()),
  );
withFilterOptions(deadLetters.command('retry'))
  .description('map and send their records afresh, after what was wrong was mended')
  .addOption(of().makeOptionMandatory())
  .option('--dry-run', 'only say how many')
  .option('--rate <records>', 'records a second; 100 where nothing is said', parsePositive)
  .addOption(url())
  .addOption(json())
  .addHelpText(
    'after',
    '\nExample:\n  $ fusionauth-segment dead-letters retry --of segment --reason map_failed',
  )
  .action(async ({ of: destination, ...options }: Omit<RetryOptions, 'destination'> & { of: string }) =>
    (await import('./commands/dead-letters.ts')).retryDeadLetters(
      { ...options, destination },
      await config(),
    ),
  );
withFilterOptions(deadLetters.command('discard'))
  .description('make their records filtered ones: nobody needs them any more')
  .option('--all', 'all of the destination, where nothing else chooses')
  .addOption(of().makeOptionMandatory())
  .requiredOption('--because <reason>', 'why; it is kept with them')
  .addOption(url())
  .addOption(json())
  .addHelpText(
    'after',
    "\nExample:\n  $ fusionauth-segment dead-letters discard --of segment --type 'test.*' --because 'a test of ours'",
  )
  .action(async ({ of: destination, ...options }: Omit<DiscardOptions, 'destination'> & { of: string }) =>
    (await import('./commands/dead-letters.ts')).discardDeadLetters(
      { ...options, destination },
      await config(),
    ),
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

warehouse
  .command('move')
  .description('copy the embedded warehouse to another PostgreSQL and go on there, while the bridge runs')
  .argument('<url>', 'connection string of the other server')
  .option('--url <url>', 'of the running bridge, if it is another than this configuration’s')
  .addHelpText(
    'after',
    '\nExample:\n  $ fusionauth-segment warehouse move postgresql://segment:secret@db.example.com/analytics',
  )
  .action(async (target: string, options: { url?: string }) =>
    (await import('./commands/warehouse-move.ts')).moveWarehouse({ target, ...options }, await config()),
  );

program
  .command('export')
  .description(
    'print a table or view of the warehouse as CSV, or the address at which a spreadsheet reads it',
  )
  .argument('[name]', 'the table or view; lists them where it is not given')
  .option('--columns <names>', 'only these, with commas between them')
  .option('--limit <number>', 'so many rows at most; of a table the newest', parseWhole)
  .option('--since <time>', 'received at this time or later: 2026-01-31, 2026-01-31T12:00:00Z, or 2h, 3d ago')
  .option('--until <time>', 'received before this time')
  .option('--bom', 'with a byte order mark, by which Excel knows UTF-8')
  .option('--raw', 'text that begins like a formula as it is, for programs')
  .option('--out <file>', 'write it to a file, which is there when it is whole')
  .option('--address', 'print the address, with a token that can read exports and nothing else')
  .option('--new-token', 'make a new token first; addresses with the old one no longer work')
  .addOption(url())
  .option('--json', 'print the list as one JSON document')
  .addHelpText(
    'after',
    '\nExamples:\n  $ fusionauth-segment export\n  $ fusionauth-segment export users --out users.csv\n  $ fusionauth-segment export user_login_success --since 7d --address --url https://bridge.example.com',
  )
  .action(async (name: string | undefined, options: Omit<ExportCommandOptions, 'name'>) =>
    (await import('./commands/export.ts')).exportCsv({ name, ...options }, await config()),
  );

function parseCount(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new CommanderError(
    2,
    'usage',
    `error: --count must be a whole number from 1 to 9999999, not "${text}"`,
  );
}

function parsePositive(text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new CommanderError(2, 'usage', `error: a number above 0 is expected, not "${text}"`);
}

function parseWhole(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new CommanderError(2, 'usage', `error: a whole number above 0 is expected, not "${text}"`);
}

function parseUrl(text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text;
  throw new CommanderError(2, 'usage', `error: an http or https URL is expected, not "${text}"`);
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
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
