// What becomes of users after they signed up: how far they come, and whether they stay.

import { usersTable } from '../rows.ts';
import { eventViewColumns } from './logins.ts';
import { activityRows, signUpRows } from './people.ts';
import type { Reader } from './reader.ts';
import { startOf } from './view.ts';
import type { View } from './view.ts';

function funnelRows(read: Reader): string {
  const types = ['user.email.verified', 'user.identity.verified', 'user.registration.verified'] as const;
  const verifications = types.map(
    (type) => `select user_id, "timestamp" from ${read.event(type)} as verified`,
  );
  const login = read.event('user.login.success');
  return `(select sign_up.user_id, sign_up.tenant_id, sign_up."timestamp" as signed_up_at, verification.verified_at,
      verification.verified_at is not null or coalesce(person.verified, false) as is_verified,
      first_login.first_login_at, return_login.returned_at
    from ${signUpRows(read)} as sign_up
    left join (
      select user_id, min("timestamp") as verified_at from (${verifications.join(' union all ')}) as verified
      group by user_id
    ) as verification on verification.user_id = sign_up.user_id
    left join ${read.table(usersTable, { id: ['text', 'id'], verified: ['boolean', 'verified'] })} as person
      on person.id = sign_up.user_id
    left join (
      select user_id, min("timestamp") as first_login_at from ${login} as login group by user_id
    ) as first_login on first_login.user_id = sign_up.user_id
    left join (
      select later.user_id, min(later."timestamp") as returned_at
      from ${login} as later
      join (
        select user_id, min("timestamp") as first_login_at from ${login} as login group by user_id
      ) as first on first.user_id = later.user_id
      where ${startOf('day', 'later."timestamp"')} > ${startOf('day', 'first.first_login_at')}
      group by later.user_id
    ) as return_login on return_login.user_id = sign_up.user_id)`;
}

function retention(unit: 'week' | 'month', firstDay: string): View {
  return {
    name: `retention_by_cohort_${unit}ly`,
    comment: `Of those who signed up in a ${unit}, how many are active in each ${unit} from then on? A row for each cohort and ${unit}, up to the last one in which anybody was active; active is as in active_users_daily.`,
    columns: {
      cohort: { type: 'date', comment: `The ${unit} in which they signed up: ${firstDay}` },
      [unit]: { type: 'date', comment: `The ${unit} that is looked at: ${firstDay}` },
      [`${unit}s_since`]: {
        type: 'bigint',
        comment: `How many ${unit}s after the sign-up; 0 is the same ${unit}`,
      },
      cohort_users: { type: 'bigint', comment: 'Users who signed up in the cohort' },
      active_users: { type: 'bigint', comment: `How many of them were active in the ${unit}` },
      retention: { type: 'numeric', comment: 'active_users as a share of cohort_users, 0 to 1' },
    },
    query: (read) => `with member as (
        select user_id, ${startOf(unit, '"timestamp"')} as cohort from ${signUpRows(read)} as sign_up
      ),
      active as (
        select distinct user_id, ${startOf(unit, '"timestamp"')} as period from ${activityRows(read)} as activity
      ),
      size as (select cohort, count(*) as users from member group by cohort),
      returned as (
        select cohort, period, count(*) as users from member join active using (user_id) group by cohort, period
      ),
      latest as (
        select max(period) as period
        from (select cohort as period from member union all select period from active) as periods
      )
      select size.cohort, period.start::date as ${unit}, period.number - 1 as ${unit}s_since,
        size.users as cohort_users, coalesce(returned.users, 0) as active_users,
        round(coalesce(returned.users, 0)::numeric / size.users, 4) as retention
      from latest cross join size
      cross join lateral generate_series(size.cohort::timestamp, latest.period::timestamp, interval '1 ${unit}')
        with ordinality as period(start, number)
      left join returned on returned.cohort = size.cohort and returned.period = period.start::date`,
  };
}

export const journeyViews: readonly View[] = [
  {
    name: 'funnel_users',
    comment:
      'How far did each user come: signed up, verified, logged in, came back? One row for each who signed up. FusionAuth tells of no login where its own pages log somebody in right after the registration.',
    columns: {
      user_id: eventViewColumns.user_id,
      tenant_id: eventViewColumns.tenant_id,
      signed_up_at: { type: 'timestamptz', comment: 'When the user was created' },
      verified_at: {
        type: 'timestamptz',
        comment: 'First verification of an e-mail address, phone number or registration',
      },
      is_verified: {
        type: 'boolean',
        comment: 'Also true where the user came verified, as by an identity provider, without an event',
      },
      first_login_at: { type: 'timestamptz', comment: 'First login that succeeded' },
      returned_at: { type: 'timestamptz', comment: 'First login on a later day (UTC) than the first one’s' },
    },
    query: (read) => `select * from ${funnelRows(read)} as journey`,
  },
  {
    name: 'funnel',
    comment:
      'Of those who signed up in a month, how many were verified, logged in and came back, until now? Each step counts by itself: whoever need not be verified logs in without it.',
    columns: {
      month: { type: 'date', comment: 'In which they signed up: its first day, in UTC' },
      signed_up: { type: 'bigint', comment: 'Users who signed up' },
      verified: { type: 'bigint', comment: 'How many of them are verified' },
      logged_in: { type: 'bigint', comment: 'How many of them have logged in' },
      returned: { type: 'bigint', comment: 'How many of them logged in again, on a later day' },
    },
    query: (read) => `select ${startOf('month', 'signed_up_at')} as month, count(*) as signed_up,
      count(*) filter (where is_verified) as verified, count(first_login_at) as logged_in,
      count(returned_at) as returned
      from ${funnelRows(read)} as journey group by 1`,
  },
  retention('week', 'its Monday, in UTC'),
  retention('month', 'its first day, in UTC'),
];
