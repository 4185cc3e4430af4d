// Times as people give them to the API and to the commands.

import { z } from 'zod';

/** What a time may be, for whoever gave another. */
export const instantForms =
  '2026-01-31, 2026-01-31T12:00:00Z (or with an offset, such as +02:00), or milliseconds since 1970';

/** Becomes milliseconds since 1970. A day begins at 00:00 UTC. */
export const instant = z
  .union([z.int(), z.iso.datetime({ offset: true }), z.iso.date()], { error: `expected ${instantForms}` })
  .transform((value) => (typeof value === 'number' ? value : Date.parse(value)));
