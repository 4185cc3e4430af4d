// Everything that is known of a user, in order.

import { eventViewColumns } from './logins.ts';
import type { Reader, TableReading } from './reader.ts';
import type { View } from './view.ts';

/** What of a message is shown as `what`, by the table that has all messages of a kind. */
const kinds = {
  tracks: { kind: 'track', what: 'event_text' },
  identifies: { kind: 'identify', what: undefined },
  groups: { kind: 'group', what: 'name' },
  pages: { kind: 'page', what: 'name' },
  screens: { kind: 'screen', what: 'name' },
} as const;

function messageRows(read: Reader, table: keyof typeof kinds): string {
  const { kind, what } = kinds[table];
  const columns: TableReading = {
    id: ['text', 'id'],
    timestamp: ['timestamptz', 'timestamp'],
    user_id: ['text', 'user_id'],
    what: ['text', ...(what === undefined ? [] : [what])],
    tenant_id: ['text', 'context_tenant_id'],
    application_id: ['text', 'context_application_id'],
    ip: ['text', 'context_ip'],
    country: ['text', 'context_location_country'],
    city: ['text', 'context_location_city'],
    device_name: ['text', 'context_device_name'],
  };
  return `select '${kind}' as kind, message.* from ${read.table(table, columns)} as message`;
}

const { id, timestamp, user_id, tenant_id, application_id, ip, country, city, device_name } =
  eventViewColumns;

export const timelineViews: readonly View[] = [
  {
    name: 'user_timeline',
    comment:
      'What happened to a user, in order? Every message about every user: select … where user_id = … order by timestamp.',
    columns: {
      user_id,
      timestamp,
      kind: {
        type: 'text',
        comment:
          'track (something happened), identify (how the user was then), group (a membership), page, screen',
      },
      what: { type: 'text', comment: 'The event’s name; of a group or a page its name' },
      tenant_id,
      application_id,
      ip,
      country,
      city,
      device_name,
      id,
    },
    query: (read) =>
      (Object.keys(kinds) as (keyof typeof kinds)[])
        .map((table) => messageRows(read, table))
        .join(' union all '),
  },
];
