// Who came: sign-ups, registrations and who is active. Of twins (one event before the commit, one after it) the latter
// counts, and the former where there is no other: before FusionAuth 1.30, or where only that one is switched on.

import { eventViewColumns } from './logins.ts';
import type { Reader } from './reader.ts';
import { startOf } from './view.ts';
import type { View, ViewColumn } from './view.ts';

const { id, user_id, tenant_id, application_id, ip, country, device_type, device_name } = eventViewColumns;

/** Each user who was created, once. */
export function signUpRows(read: Reader): string {
  return `(select distinct on (user_id) * from (
      select 1 as preference, committed.* from ${read.event('user.create.complete')} as committed
      union all select 2, started.* from ${read.event('user.create')} as started
    ) as twins where user_id is not null order by user_id, preference, "timestamp")`;
}

/** Each registration of a user for an application, once; one that was deleted and made again has another id. */
function registrationRows(read: Reader): string {
  const more = { registration_id: ['text', 'registration_id'] } as const;
  return `(select distinct on (user_id, application_id, coalesce(registration_id, id)) * from (
      select 1 as preference, committed.* from ${read.event('user.registration.create.complete', more)} as committed
      union all select 2, started.* from ${read.event('user.registration.create', more)} as started
    ) as twins
    order by user_id, application_id, coalesce(registration_id, id), preference, "timestamp")`;
}

/**
 * When users were active: they logged in, had a token refreshed (off by default), or were registered, since a
 * registration through FusionAuth's own pages logs in without an event of its own.
 */
export function activityRows(read: Reader): string {
  return `(select user_id, "timestamp", true as is_login from ${read.event('user.login.success')} as login
    union all select user_id, "timestamp", false from ${read.event('jwt.refresh')} as refresh
    union all select user_id, "timestamp", false from ${registrationRows(read)} as registration)`;
}

function activeUsers(name: string, unit: 'day' | 'week' | 'month', period: ViewColumn): View {
  return {
    name,
    comment: `How many users are active in each ${unit}? Active is who logged in or was registered, or had a token refreshed, where jwt.refresh is switched on.`,
    columns: {
      [unit]: period,
      active_users: { type: 'bigint', comment: 'Users who were active, each once' },
      logins: { type: 'bigint', comment: 'Logins that succeeded' },
    },
    query: (
      read,
    ) => `select ${startOf(unit, '"timestamp"')} as ${unit}, count(distinct user_id) as active_users,
      count(*) filter (where is_login) as logins
      from ${activityRows(read)} as activity group by 1`,
  };
}

export const peopleViews: readonly View[] = [
  activeUsers('active_users_daily', 'day', { type: 'date', comment: 'Day in UTC' }),
  activeUsers('active_users_weekly', 'week', { type: 'date', comment: 'Monday of the week, in UTC' }),
  activeUsers('active_users_monthly', 'month', { type: 'date', comment: 'First day of the month, in UTC' }),
  {
    name: 'sign_ups',
    comment:
      'Who signed up, when and where? One row for each user who was created; imported users are not among them.',
    columns: {
      user_id,
      signed_up_at: { type: 'timestamptz', comment: 'When the user was created' },
      tenant_id,
      ip,
      country,
      device_type,
      device_name,
      message_id: id,
    },
    query: (read) =>
      `select user_id, "timestamp" as signed_up_at, tenant_id, ip, country, device_type, device_name, id as message_id
      from ${signUpRows(read)} as sign_up`,
  },
  {
    name: 'sign_ups_daily',
    comment: 'How many users sign up on each day, in each tenant? Imported users are not among them.',
    columns: {
      day: { type: 'date', comment: 'Day in UTC' },
      tenant_id,
      sign_ups: { type: 'bigint', comment: 'Users who were created' },
    },
    query: (read) => `select ${startOf('day', '"timestamp"')} as day, tenant_id, count(*) as sign_ups
      from ${signUpRows(read)} as sign_up group by 1, 2`,
  },
  {
    name: 'registrations_by_application',
    comment: 'How many users are registered for each application on each day?',
    columns: {
      day: { type: 'date', comment: 'Day in UTC' },
      application_id,
      registrations: { type: 'bigint', comment: 'Registrations that were made' },
    },
    query: (
      read,
    ) => `select ${startOf('day', '"timestamp"')} as day, application_id, count(*) as registrations
      from ${registrationRows(read)} as registration group by 1, 2`,
  },
];
