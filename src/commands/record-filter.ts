// The options by which commands choose records: for `replay` and `dead-letters`.

import type { Command } from 'commander';
import { instant, instantForms } from '../http/instant.ts';
import { UsageError } from './report.ts';

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
      'received at this time or later: 2026-01-31, 2026-01-31T12:00:00Z, or 30m, 2h, 3d ago',
    )
    .option('--until <time>', 'received before this time')
    .option('--reason <reason>', 'with a dead letter of this reason');
}

/** As the API takes it. Throws UsageError. */
export function filterOf(
  { event, user, type, since, until, outcome, reason }: FilterOptions,
  now = Date.now(),
) {
  return {
    eventId: event,
    userId: user,
    types: type,
    from: since === undefined ? undefined : timeOf('--since', since, now),
    until: until === undefined ? undefined : timeOf('--until', until, now),
    outcome,
    reason,
  };
}

const units = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** In milliseconds since 1970. `option` is named where the text is no time. Throws UsageError. */
export function timeOf(option: string, text: string, now: number): number {
  const [, count, unit] = /^(\d{1,9})([mhd])$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * units[unit as keyof typeof units];
  const parsed = instant.safeParse(/^\d+$/.test(text) ? Number(text) : text);
  if (parsed.success) return parsed.data;
  throw new UsageError(`${option} must be a time, not "${text}"`, {
    hint: `Give it as ${instantForms}; or as 30m, 2h or 3d ago`,
  });
}

/** Whether it chooses anything at all; without it, all records are meant. */
export function chooses(options: FilterOptions): boolean {
  return Object.values(filterOf(options)).some((value) => value !== undefined);
}
