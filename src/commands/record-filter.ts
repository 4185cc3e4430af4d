// The options by which commands choose records: for `replay` and `dead-letters`.

import type { Command } from 'commander';

export interface FilterOptions {
  readonly event?: string;
  readonly user?: string;
  readonly type?: readonly string[];
  readonly since?: string;
  readonly until?: string;
  readonly outcome?: string;
  readonly reason?: string;
}

/** Adds the options to a command. */
export function withFilterOptions(command: Command): Command {
  return command
    .option('--event <id>', 'the record of this event')
    .option('--user <id>', 'records of events that name this user')
    .option('--type <patterns...>', 'records of these types; * stands for anything')
    .option(
      '--since <time>',
      'received at this time or later: 2026-01-31, 2026-01-31T12:00:00Z, or 2h, 3d ago',
    )
    .option('--until <time>', 'received before this time')
    .option('--reason <reason>', 'with a dead letter of this reason');
}

/** As the API takes it. */
export function filterOf(
  { event, user, type, since, until, outcome, reason }: FilterOptions,
  now = Date.now(),
) {
  return {
    eventId: event,
    userId: user,
    types: type,
    from: since === undefined ? undefined : timeOf(since, now),
    until: until === undefined ? undefined : timeOf(until, now),
    outcome,
    reason,
  };
}

const units = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A length of time before now in milliseconds since 1970; anything else as it is, for the API to judge. */
function timeOf(text: string, now: number): number | string {
  const [, count, unit] = /^(\d+)([mhd])$/.exec(text) ?? [];
  return count === undefined ? text : now - Number(count) * units[unit as keyof typeof units];
}
