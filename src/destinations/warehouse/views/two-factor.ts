// Who uses a second factor.

import { usersTable } from '../rows.ts';
import { eventViewColumns } from './logins.ts';
import type { Reader } from './reader.ts';
import type { View } from './view.ts';

/**
 * The methods that each user has now, by the events that added and removed them; of a user of whom no such event is
 * known (from before the bridge), one row without a method where the profile tells of some.
 */
function methodRows(read: Reader): string {
  const more = { method_id: ['text', 'method_id'], method: ['text', 'method_method'] } as const;
  const profile = { id: ['text', 'id'], methods: ['text', 'two_factor_methods'] } as const;
  return `(with change as (
      select user_id, method_id, method, "timestamp", true as is_added
      from ${read.event('user.two-factor.method.add', more)} as added
      union all select user_id, method_id, method, "timestamp", false
      from ${read.event('user.two-factor.method.remove', more)} as removed
    ),
    latest as (
      select distinct on (user_id, coalesce(method_id, method)) user_id, method, "timestamp", is_added
      from change order by user_id, coalesce(method_id, method), "timestamp" desc, is_added
    )
    select user_id, method, "timestamp" as added_at from latest where is_added
    union all select person.id, null, null from ${read.table(usersTable, profile)} as person
    where person.methods <> '[]' and not exists (select from latest where latest.user_id = person.id))`;
}

/** Users who have not been deleted. */
function presentUsers(read: Reader): string {
  const profile = { id: ['text', 'id'], tenant_id: ['text', 'tenant_id', 'context_tenant_id'] } as const;
  return `(select * from ${read.table(usersTable, profile)} as person
    where not exists (
      select from ${read.event('user.delete.complete')} as deletion where deletion.user_id = person.id
    ))`;
}

export const twoFactorViews: readonly View[] = [
  {
    name: 'mfa_adoption',
    comment:
      'How many users of each tenant have a second factor now? Deleted users do not count. FusionAuth’s enterprise plan tells of each method that is added or removed; without it, the users’ profiles count.',
    columns: {
      tenant_id: eventViewColumns.tenant_id,
      users: { type: 'bigint', comment: 'Users that there are' },
      mfa_users: { type: 'bigint', comment: 'How many of them have a second factor' },
      adoption: { type: 'numeric', comment: 'mfa_users as a share of users, 0 to 1' },
    },
    query: (read) => `select person.tenant_id, count(*) as users, count(protected.user_id) as mfa_users,
      round(count(protected.user_id)::numeric / count(*), 4) as adoption
      from ${presentUsers(read)} as person
      left join (select distinct user_id from ${methodRows(read)} as held) as protected
        on protected.user_id = person.id
      group by person.tenant_id`,
  },
  {
    name: 'mfa_users',
    comment: 'Who has which second factors? One row for each user who has one and has not been deleted.',
    columns: {
      user_id: eventViewColumns.user_id,
      tenant_id: eventViewColumns.tenant_id,
      methods: {
        type: 'text',
        comment: 'authenticator, email, sms …; null where only the profile tells that there are some',
      },
      last_added_at: { type: 'timestamptz', comment: 'When the newest of them was added' },
    },
    query: (read) => `select held.user_id, max(person.tenant_id) as tenant_id,
      string_agg(distinct held.method, ', ' order by held.method) as methods, max(held.added_at) as last_added_at
      from ${methodRows(read)} as held join ${presentUsers(read)} as person on person.id = held.user_id
      group by held.user_id`,
  },
];
