// How an address asks for events: the parameters that `GET /api/events` and `GET /api/stream` have in common.

import { z } from 'zod';
import type { EventId } from '../fusionauth/event.ts';
import type { EventLog, Position, SearchFilter } from '../log/log.ts';
import { instant } from './instant.ts';

const text = z.string('give it once').min(1, 'must not be empty').max(320, 'is too long');

/** A time in an address is a text, also where it is a number. */
const instantText = z
  .string('give it once')
  .transform((value) => (/^\d{1,16}$/.test(value) ? Number(value) : value))
  .pipe(instant);

/** For `z.strictObject`, beside what else an address may have. */
export function searchFields(destinations: readonly string[]) {
  return {
    event: text.optional(),
    user: text.optional(),
    email: text.optional(),
    application: text.optional(),
    tenant: text.optional(),
    type: z
      .union([text.transform((type) => [type]), z.array(text).max(100, 'too many')], {
        error: 'expected a type, or a pattern in which * stands for anything; at most 100 of them',
      })
      .optional(),
    verifiedBy: text.optional(),
    from: instantText.optional(),
    until: instantText.optional(),
    outcome: z
      .enum(['pending', 'delivered', 'filtered', 'dead'], {
        error: 'expected pending, delivered, filtered or dead',
      })
      .optional(),
    destination: z
      .string('give it once')
      .refine((name) => destinations.includes(name), {
        error: `expected one of ${destinations.join(', ')}`,
      })
      .optional(),
  };
}

/** A place in this log, as an earlier answer gave it. */
export function positionField(log: EventLog) {
  return z.string('give it once').transform((value, context): Position => {
    const position = log.parsePosition(value);
    if (position !== undefined) return position;
    context.addIssue({ code: 'custom', message: 'expected a position, as an earlier answer gave it' });
    return z.NEVER;
  });
}

type SearchQuery = z.output<z.ZodObject<ReturnType<typeof searchFields>>>;

/** For `superRefine`: parameters that are each right, and not together. */
export function checkTogether(
  { from, until, outcome, destination }: SearchQuery,
  { addIssue }: Pick<z.core.$RefinementCtx, 'addIssue'>,
): void {
  if (destination !== undefined && outcome === undefined) {
    addIssue({
      code: 'custom',
      path: ['destination'],
      message: 'says where outcome is looked at, and needs one',
    });
  }
  if (from !== undefined && until !== undefined && from >= until) {
    addIssue({ code: 'custom', path: ['until'], message: 'must be later than from' });
  }
}

export function toSearchFilter(query: SearchQuery): SearchFilter {
  const { event, user, email, application, tenant, type, verifiedBy, from, until, outcome, destination } =
    query;
  return {
    eventId: event as EventId | undefined,
    userId: user,
    email,
    applicationId: application,
    tenantId: tenant,
    types: type,
    verifiedBy,
    from,
    until,
    outcome: outcome && { is: outcome, consumer: destination },
  };
}
