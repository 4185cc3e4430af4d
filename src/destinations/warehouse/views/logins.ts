// Logins that succeeded: each of them, and how many by where, how and by what.

import type { Reader } from './reader.ts';
import { startOf } from './view.ts';
import type { View, ViewColumn } from './view.ts';

/** What all views that show single events have, in this order. */
export const eventViewColumns = {
  id: { type: 'text', comment: 'The message’s id, as in the event’s own table and in tracks' },
  timestamp: { type: 'timestamptz', comment: 'When it happened' },
  user_id: { type: 'text', comment: 'FusionAuth’s id of the user' },
  tenant_id: { type: 'text', comment: 'FusionAuth’s id of the tenant' },
  application_id: { type: 'text', comment: 'FusionAuth’s id of the application; null where it was none' },
  method: {
    type: 'text',
    comment: 'FusionAuth’s authenticationType: PASSWORD, PASSWORDLESS, GOOGLE, PING (single sign-on) …',
  },
  identity_provider_id: {
    type: 'text',
    comment: 'FusionAuth’s id of the identity provider; null where it was none',
  },
  identity_provider_name: { type: 'text', comment: 'The identity provider’s name' },
  ip: { type: 'text', comment: 'Address of whoever called FusionAuth' },
  country: {
    type: 'text',
    comment: 'Where the address is; FusionAuth tells it with its threat detection only',
  },
  region: { type: 'text', comment: 'As country' },
  city: { type: 'text', comment: 'As country' },
  device_type: { type: 'text', comment: 'BROWSER, MOBILE …, as FusionAuth tells it' },
  device_name: { type: 'text', comment: 'Operating system and browser, as FusionAuth tells them' },
  os: { type: 'text', comment: 'Operating system' },
  user_agent: { type: 'text', comment: 'The browser’s User-Agent' },
} as const satisfies Record<string, ViewColumn>;

const loginReading = {
  method: ['text', 'authentication_type'],
  identity_provider_id: ['text', 'identity_provider_id'],
  identity_provider_name: ['text', 'identity_provider_name'],
} as const;

/** The rows of one of the login events, with `eventViewColumns` and those given. */
export function loginRows(
  read: Reader,
  type: 'user.login.success' | 'user.login.failed' | 'user.login.new-device' | 'user.login.suspicious',
  more: Parameters<Reader['event']>[1] = {},
): string {
  return read.event(type, { ...loginReading, ...more });
}

/** `by`: the columns that tell them apart. */
function loginsBy(name: string, question: string, by: Record<string, ViewColumn>): View {
  const keys = Object.keys(by).join(', ');
  return {
    name,
    comment: question,
    columns: {
      day: { type: 'date', comment: 'Day in UTC' },
      ...by,
      logins: { type: 'bigint', comment: 'Logins that succeeded' },
      users: {
        type: 'bigint',
        comment: 'Users who logged in; one may stand in several rows, so do not add them up',
      },
    },
    query: (read) => `select ${startOf('day', '"timestamp"')} as day, ${keys}, count(*) as logins,
      count(distinct user_id) as users
      from ${loginRows(read, 'user.login.success')} as login group by 1, ${keys}`,
  };
}

const { application_id, tenant_id, identity_provider_id, identity_provider_name } = eventViewColumns;
const { method, country, device_type, device_name, os } = eventViewColumns;

export const loginViews: readonly View[] = [
  {
    name: 'logins',
    comment:
      'Who logged in, when, where and how? One row for each login that succeeded, single sign-on included.',
    columns: eventViewColumns,
    query: (read) => `select * from ${loginRows(read, 'user.login.success')} as login`,
  },
  loginsBy('logins_by_application', 'How many logins has each application on each day?', { application_id }),
  loginsBy('logins_by_tenant', 'How many logins has each tenant on each day?', { tenant_id }),
  loginsBy(
    'logins_by_identity_provider',
    'How many logins come by each identity provider (Google, SAML …) on each day? Those without one have null.',
    { identity_provider_id, identity_provider_name },
  ),
  loginsBy(
    'logins_by_method',
    'How many logins are by password, by link, by identity provider … on each day?',
    {
      method,
    },
  ),
  loginsBy(
    'logins_by_country',
    'How many logins come from each country on each day? FusionAuth tells it with its threat detection only.',
    { country },
  ),
  loginsBy('logins_by_device', 'How many logins come from each kind of device on each day?', {
    device_type,
    device_name,
    os,
  }),
];
