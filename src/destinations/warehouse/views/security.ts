// What a security team asks: failed, new-device and suspicious logins.

import { eventViewColumns, loginRows } from './logins.ts';
import { usersTable } from '../rows.ts';
import type { View } from './view.ts';

export const securityViews: readonly View[] = [
  {
    name: 'failed_logins',
    comment:
      'Which logins failed? One row for each; FusionAuth tells only of users who exist. The address is that of whoever tried.',
    columns: {
      ...eventViewColumns,
      reason: { type: 'text', comment: 'credentials, lambdaValidation …; FusionAuth tells it since 1.53' },
    },
    query: (read) =>
      `select * from ${loginRows(read, 'user.login.failed', { reason: ['text', 'reason_code'] })} as failure`,
  },
  {
    name: 'failed_logins_by_address',
    comment:
      'From which addresses do logins fail? Many users at one address are a sign that somebody tries stolen passwords.',
    columns: {
      ip: { type: 'text', comment: 'Address of whoever tried' },
      country: { type: 'text', comment: 'Where the address is, if FusionAuth told it' },
      failures: { type: 'bigint', comment: 'Logins that failed' },
      users: { type: 'bigint', comment: 'Users whose login failed from there' },
      first_failed_at: { type: 'timestamptz', comment: 'The first of them' },
      last_failed_at: { type: 'timestamptz', comment: 'The last of them' },
      logins: { type: 'bigint', comment: 'Logins from there that succeeded' },
    },
    query: (read) => `select failed.*, coalesce(succeeded.logins, 0) as logins
      from (
        select ip, max(country) as country, count(*) as failures, count(distinct user_id) as users,
          min("timestamp") as first_failed_at, max("timestamp") as last_failed_at
        from ${loginRows(read, 'user.login.failed')} as failure group by ip
      ) as failed
      left join (
        select ip, count(*) as logins from ${loginRows(read, 'user.login.success')} as login group by ip
      ) as succeeded on succeeded.ip = failed.ip`,
  },
  {
    name: 'failed_logins_by_user',
    comment: 'Whose logins fail, from how many addresses, and did one succeed since?',
    columns: {
      user_id: eventViewColumns.user_id,
      email: { type: 'text', comment: 'The user’s e-mail address now' },
      failures: { type: 'bigint', comment: 'Logins that failed' },
      addresses: { type: 'bigint', comment: 'Addresses from which they failed' },
      first_failed_at: { type: 'timestamptz', comment: 'The first of them' },
      last_failed_at: { type: 'timestamptz', comment: 'The last of them' },
      last_login_at: {
        type: 'timestamptz',
        comment: 'The last login that succeeded; null where there is none',
      },
      failures_since_login: { type: 'bigint', comment: 'Failures after the last login that succeeded' },
    },
    query: (read) => `with failure as (select * from ${loginRows(read, 'user.login.failed')} as failed),
      succeeded as (
        select user_id, max("timestamp") as last_login_at
        from ${loginRows(read, 'user.login.success')} as login group by user_id
      )
      select failure.user_id, max(person.email) as email, count(*) as failures,
        count(distinct failure.ip) as addresses, min(failure."timestamp") as first_failed_at,
        max(failure."timestamp") as last_failed_at, max(succeeded.last_login_at) as last_login_at,
        count(*) filter (
          where succeeded.last_login_at is null or failure."timestamp" > succeeded.last_login_at
        ) as failures_since_login
      from failure
      left join succeeded on succeeded.user_id = failure.user_id
      left join ${read.table(usersTable, { id: ['text', 'id'], email: ['text', 'email'] })} as person
        on person.id = failure.user_id
      group by failure.user_id`,
  },
  {
    name: 'new_device_logins',
    comment:
      'Who logged in from a device that FusionAuth had not seen? Each stands in logins as well. Enterprise plan.',
    columns: eventViewColumns,
    query: (read) => `select * from ${loginRows(read, 'user.login.new-device')} as login`,
  },
  {
    name: 'suspicious_logins',
    comment:
      'Which logins looked like an attack to FusionAuth, and why? They may stand in logins as well. Enterprise plan.',
    columns: {
      ...eventViewColumns,
      threats: { type: 'text', comment: 'What FusionAuth saw, as a JSON list: ["ImpossibleTravel"]' },
    },
    query: (read) =>
      `select * from ${loginRows(read, 'user.login.suspicious', { threats: ['text', 'threats_detected'] })} as login`,
  },
];
