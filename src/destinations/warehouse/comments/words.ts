// The words for tables and columns that are not one field of one event. Short: DBeaver shows them in a line.

import { stateTable, userTimesTable } from '../rows.ts';

type Words = Readonly<Record<string, string>>;

export const tables: Words = {
  [stateTable]: 'The bridge’s own: which bridge loads this schema, and how far it has come.',
  [userTimesTable]:
    'The bridge’s own: when each column of a row of users was said, so that the newest counts.',
  aliases: 'Segment’s alias calls: a row for each time that an id took the place of another.',
  discards:
    'Values that fitted no column, each with its row’s id, table and column. The rest of the row arrived.',
  groups:
    'Memberships of FusionAuth’s groups: a row for each time that a user was added or a membership was changed.',
  identifies: 'How users were: a row for each time that FusionAuth told of a user’s profile.',
  pages: 'Segment’s page calls; FusionAuth’s events become none by themselves.',
  screens: 'Segment’s screen calls; FusionAuth’s events become none by themselves.',
  tracks:
    'All that happened to users: a row for each event, whose own values stand in the table named in event.',
  users: 'How users are now: a row for each, brought up to date by every identify.',
};

/** Of every table. */
export const commonColumns: Words = {
  id: 'The message’s id, from the id of FusionAuth’s event: the same event is there once',
  received_at: 'When the bridge took the webhook',
  uuid_ts: 'When the row was loaded',
  sent_at: 'When the row was loaded',
  original_timestamp: 'The event’s own time, as timestamp',
  timestamp: 'When it happened, by FusionAuth’s clock',
  user_id: 'FusionAuth’s id of the user whom it is about: users.id',
  anonymous_id: 'Under which id Segment knows the visitor, where the event says it (personal)',
  context_ip: 'Address of whoever called FusionAuth (personal)',
  context_user_agent: 'User-Agent of whoever called FusionAuth',
  context_device_name: 'Operating system and browser, as FusionAuth tells them',
  context_device_type: 'BROWSER, MOBILE …, as FusionAuth tells it',
  context_os_name: 'Operating system',
  context_location_city: 'Where the address is; with FusionAuth’s threat detection only (personal)',
  context_location_country: 'Where the address is; with FusionAuth’s threat detection only (personal)',
  context_location_region: 'Where the address is; with FusionAuth’s threat detection only (personal)',
  context_location_zipcode: 'Where the address is; with FusionAuth’s threat detection only (personal)',
  context_location_latitude: 'Where the address is; with FusionAuth’s threat detection only (personal)',
  context_location_longitude: 'Where the address is; with FusionAuth’s threat detection only (personal)',
  context_locale: 'The first of the user’s preferred languages',
  context_timezone: 'The user’s time zone',
  context_application_id: 'FusionAuth’s id of the application in which it happened',
  context_tenant_id: 'FusionAuth’s id of the tenant',
  context_group_id:
    'The customer whom the user belongs to: tenant or application, by groupId in the configuration file',
  context_library_name: 'What made the message: fusionauth-segment',
  context_library_version: 'The bridge’s version',
};

/** Of identifies and users: what is no field of FusionAuth's under its own name. */
export const traitColumns: Words = {
  avatar: 'The user’s picture: FusionAuth’s imageUrl (personal)',
  birthday: 'The user’s birthDate, under the name that Segment’s destinations know (personal)',
  created_at: 'When the user was created',
  email: 'The user’s e-mail address (personal)',
  name: 'The user’s full name (personal)',
  phone: 'The user’s telephone number (personal)',
  tenant_id: 'FusionAuth’s id of the tenant',
  username: 'The user’s name to log in with (personal)',
  verified: 'Whether the e-mail address, or what the user logs in with, is verified',
};

/** Of event tables. */
export const propertyColumns: Words = {
  application_id: 'FusionAuth’s id of the application',
  authentication_type: 'How the user logged in: PASSWORD, PASSWORDLESS, GOOGLE, PING (single sign-on) …',
  connector_id: 'FusionAuth’s id of the connector by which it was',
  existing_user_id: 'FusionAuth’s id of the user who has the login id',
  fusionauth_type: 'FusionAuth’s name of the event',
  group_id: 'FusionAuth’s id of the group',
  group_name: 'The group’s name',
  identity_provider_id: 'FusionAuth’s id of the identity provider; null where it was none',
  identity_provider_name: 'The identity provider’s name',
  previous_roles: 'The roles before, as a JSON list',
  roles: 'The registration’s roles, as a JSON list',
  tenant_id: 'FusionAuth’s id of the tenant',
};

/** What a table's columns mean in it alone. */
export const columnsByTable: Readonly<Record<string, Words>> = {
  aliases: { previous_id: 'The id before; user_id is the one from then on' },
  discards: {
    id: 'Of the value and its place: a value is discarded once, however often it is sent',
    row_id: 'id of the row that the value belongs to',
    table_name: 'Table of the row',
    column_name: 'Column that it did not fit',
    column_value: 'The value, as text',
    reason: 'Why it did not fit',
  },
  groups: {
    group_id: 'FusionAuth’s id of the group',
    name: 'The group’s name',
    tenant_id: 'FusionAuth’s id of the tenant',
    created_at: 'When the group was created',
    last_update_instant: 'When the group was changed last',
  },
  pages: { name: 'The page’s name', category: 'The page’s category' },
  screens: { name: 'The screen’s name', category: 'The screen’s category' },
  tracks: {
    event: 'The table that has the event’s own values',
    event_text: 'The event’s name',
  },
  [userTimesTable]: { id: 'FusionAuth’s id of the user', times: 'When, and which columns were said then' },
  users: {
    id: 'FusionAuth’s id of the user: user_id in all other tables',
    received_at: 'When the bridge took the last webhook that told of the user',
  },
};
