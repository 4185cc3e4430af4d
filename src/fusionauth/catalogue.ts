// Every event type that FusionAuth can send, from its own domain model (EventType in FusionAuth's client builder) and
// its documents: one entry for each. TypeScript's types, the samples, docs/events.md, `events` and the mapping's
// defaults come from here; how a new type is added stands in docs/architecture.md. A type that is not here is stored
// all the same and shown as unknown: new versions add types.

import {
  flag,
  formerly,
  free,
  instant,
  list,
  number,
  object,
  personal,
  secret,
  since,
  text,
  uuid,
} from './fields.ts';
import type { Fields, SampleIdentity, ValuesOf } from './fields.ts';
import {
  applicationId,
  entity,
  group,
  groupId,
  groupMember,
  identityProviderLink,
  info,
  refreshToken,
  registration,
  tenantId,
  twoFactorMethod,
  user,
  userId,
} from './objects.ts';

/**
 * What an event tells of the users that it names:
 * - `profile`: how its user now is;
 * - `activity`: something that its user did, or that happened to that user;
 * - `import`: how each of its `users` is;
 * - `membership`: that each of its `members` is in its group;
 * - `departure`: that each of its `members` is no longer in its group.
 */
export type Telling = 'profile' | 'activity' | 'import' | 'membership' | 'departure';

/** What is known of one event type. */
export interface CatalogueEntry {
  /** The name on the wire (`event.type`). */
  readonly type: string;
  /** Other spellings of it that FusionAuth's documents or versions use. */
  readonly aliases?: readonly string[];
  /** For people: object and past-tense verb, as Segment advises for names of events. */
  readonly title: string;
  /** When FusionAuth sends it. */
  readonly when: string;
  /** FusionAuth version that first sent it; `early` where it is older than the documents tell. */
  readonly since: string;
  /** The plan that FusionAuth's customer needs for it; all have it where nothing is said. */
  readonly plan?: 'paid' | 'enterprise';
  /** Whether a tenant may have FusionAuth wait for the webhook's answer, and undo the change where it is refused. */
  readonly transactional: boolean;
  /** `instance`: it has no tenant, and no switch in a tenant's settings. */
  readonly scope?: 'instance';
  readonly about: 'user' | 'group' | 'entity' | 'system';
  /** The event that FusionAuth sends of the same thing once it is committed. */
  readonly twin?: string;
  readonly tells: readonly Telling[];
  /** Where the id of the user stands whom it is about, the first that is there; `user.id` where nothing is said. */
  readonly userIdAt?: readonly string[];
  /**
   * Of whom its `info` tells where that is not its user: `actor`, whoever did it to its users, such as a moderator;
   * `anybody`, somebody who has not proved to be the user.
   */
  readonly infoIsOf?: 'actor' | 'anybody';
  /** Beyond those that all events have. */
  readonly fields: Fields;
  /** What its sample says differently from its fields' examples. */
  readonly sample?: (identity: SampleIdentity) => object;
}

/** The fields that every event has. */
export const baseFields = {
  createInstant: instant(),
  id: uuid((identity) => identity.eventId),
  info,
  tenantId: since('1.8', tenantId),
} as const satisfies Fields;

const ofUser = { linkedObjectId: since('1.53', userId), user };
const ofGroup = { group, linkedObjectId: since('1.53', groupId) };
const ofEntity = { entity, linkedObjectId: since('1.53', entity.fields.id) };

const loginFields = {
  applicationId,
  authenticationType: text('PASSWORD'),
  connectorId: uuid('e3306678-a53a-4964-9040-1c96f36dda72'),
  identityProviderId: uuid('82339786-3dff-42a6-aac6-1f1ceecb6c46'),
  identityProviderName: text('Google'),
  /** Deprecated: `info.ipAddress` has it since 1.30. */
  ipAddress: personal(text('203.0.113.42')),
  ...ofUser,
} as const;

const duplicateFields = {
  duplicateEmail: personal(text('richard@example.com')),
  duplicateIdentities: since(
    '1.59',
    list(object({ type: text('email'), value: personal(text('richard@example.com')) })),
  ),
  duplicatePhoneNumber: since('1.59', personal(text('+1 555 0100'))),
  duplicateUsername: personal(text('richard')),
  existing: user,
  ...ofUser,
} as const;

const secondFactorFields = {
  applicationId,
  clientRisk: text('LOW'),
  method: text('authenticator'),
  ...ofUser,
} as const;

const secondFactorCodeFields = { ...secondFactorFields, messageType: text('SMS') } as const;

const registrationFields = { applicationId, registration, ...ofUser } as const;

/** A user who came into being with this event. */
const newUser = ({ createInstant }: SampleIdentity) => ({
  user: {
    insertInstant: createInstant,
    lastLoginInstant: createInstant,
    lastUpdateInstant: createInstant,
    passwordLastUpdateInstant: createInstant,
  },
});

/** The seven events of a registration come with the user's list of registrations emptied, by design. */
const withoutRegistrations = () => ({ user: { registrations: [] } });
const changedRegistration = () => ({ original: { roles: ['guest'] }, user: { registrations: [] } });

const rejectedUserId = '00000000-0000-4000-8000-00000000dddd';

export const catalogue = [
  {
    type: 'user.create',
    title: 'User Creation Started',
    when: 'a user is about to be created; not for imports',
    since: 'early',
    transactional: true,
    about: 'user',
    twin: 'user.create.complete',
    tells: ['profile', 'activity'],
    fields: ofUser,
    sample: newUser,
  },
  {
    type: 'user.create.complete',
    title: 'User Created',
    when: 'a user was created; not for imports',
    since: '1.30',
    transactional: false,
    about: 'user',
    tells: ['profile', 'activity'],
    fields: ofUser,
    sample: newUser,
  },
  {
    type: 'user.bulk.create',
    title: 'Users Imported',
    when: 'users were imported',
    since: 'early',
    transactional: true,
    about: 'user',
    tells: ['import'],
    infoIsOf: 'actor',
    fields: { users: list(user) },
  },
  {
    type: 'user.update',
    title: 'User Update Started',
    when: 'a user is about to be changed, or logs in by an identity provider',
    since: 'early',
    transactional: true,
    about: 'user',
    twin: 'user.update.complete',
    tells: ['profile'],
    fields: { original: user, ...ofUser },
    sample: () => ({ original: { firstName: 'Dick' } }),
  },
  {
    type: 'user.update.complete',
    title: 'User Updated',
    when: 'a user was changed, or logged in by an identity provider',
    since: '1.30',
    transactional: false,
    about: 'user',
    tells: ['profile'],
    fields: { original: user, ...ofUser },
    sample: () => ({ original: { firstName: 'Dick' } }),
  },
  {
    type: 'user.email.update',
    title: 'Email Updated',
    when: 'a user’s e-mail address was changed',
    since: '1.30',
    transactional: false,
    about: 'user',
    tells: ['profile', 'activity'],
    fields: { previousEmail: personal(text('richard.hendricks@example.com')), ...ofUser },
  },
  {
    type: 'user.email.verified',
    title: 'Email Verified',
    when: 'a user’s e-mail address was verified',
    since: '1.8',
    transactional: true,
    about: 'user',
    tells: ['profile', 'activity'],
    fields: ofUser,
  },
  {
    type: 'user.identity.verified',
    title: 'Identity Verified',
    when: 'an e-mail address or phone number was verified; for an address beside `user.email.verified`',
    since: '1.59',
    transactional: true,
    about: 'user',
    tells: ['profile', 'activity'],
    fields: { loginId: personal(text('+1 555 0100')), loginIdType: text('phoneNumber'), ...ofUser },
  },
  {
    type: 'user.identity.update',
    title: 'Identity Updated',
    when: 'an e-mail address, username or phone number was changed',
    since: '1.59',
    transactional: true,
    about: 'user',
    tells: ['profile', 'activity'],
    fields: {
      loginIdType: text('phoneNumber'),
      newLoginId: personal(text('+1 555 0100')),
      previousLoginId: personal(text('+1 555 0177')),
      ...ofUser,
    },
  },
  {
    type: 'user.deactivate',
    title: 'User Deactivated',
    when: 'a user was deactivated (locked)',
    since: 'early',
    transactional: true,
    about: 'user',
    tells: ['profile', 'activity'],
    fields: ofUser,
    sample: () => ({ user: { active: false } }),
  },
  {
    type: 'user.reactivate',
    title: 'User Reactivated',
    when: 'a deactivated user was reactivated',
    since: 'early',
    transactional: true,
    about: 'user',
    tells: ['profile', 'activity'],
    fields: ofUser,
  },
  {
    type: 'user.delete',
    title: 'User Deletion Started',
    when: 'a user is about to be deleted; the only one sent for bulk deletions and unverified users that expire',
    since: 'early',
    transactional: true,
    about: 'user',
    tells: ['activity'],
    fields: ofUser,
  },
  {
    type: 'user.delete.complete',
    title: 'User Deleted',
    when: 'a user was deleted; not for bulk deletions and unverified users that expire',
    since: '1.30',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: ofUser,
  },
  {
    type: 'user.identity-provider.link',
    title: 'Identity Provider Linked',
    when: 'a user was linked to an identity provider',
    since: '1.36',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: { identityProviderLink, ...ofUser },
  },
  {
    type: 'user.identity-provider.unlink',
    title: 'Identity Provider Unlinked',
    when: 'a user’s link to an identity provider was removed',
    since: '1.36',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: { identityProviderLink, ...ofUser },
  },
  {
    type: 'user.loginId.duplicate.create',
    title: 'Duplicate Login Id Rejected',
    when: 'somebody tried to create a user whose login id is in use; `user` is the rejected one, who never existed',
    since: '1.30',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    userIdAt: ['existing.id'],
    infoIsOf: 'anybody',
    fields: duplicateFields,
    sample: ({ userId }) => ({
      existing: { id: userId },
      linkedObjectId: rejectedUserId,
      user: { id: rejectedUserId },
    }),
  },
  {
    type: 'user.loginId.duplicate.update',
    title: 'Duplicate Login Id Update Rejected',
    when: 'somebody tried to give a user a login id that another one has',
    since: '1.30',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    infoIsOf: 'anybody',
    fields: duplicateFields,
    sample: () => ({ existing: { id: rejectedUserId } }),
  },
  {
    type: 'user.login.success',
    title: 'Login Succeeded',
    when: 'a user logged in, by single sign-on too',
    since: '1.6',
    transactional: true,
    about: 'user',
    tells: ['activity'],
    fields: loginFields,
    sample: ({ createInstant }) => ({ user: { lastLoginInstant: createInstant } }),
  },
  {
    type: 'user.login.failed',
    title: 'Login Failed',
    when: 'a user who exists failed to log in',
    since: '1.6',
    transactional: true,
    about: 'user',
    tells: ['activity'],
    infoIsOf: 'anybody',
    fields: {
      ...loginFields,
      reason: since(
        '1.53',
        object({
          code: text('credentials'),
          lambdaId: uuid('7a6b5c4d-3e2f-4a1b-8c9d-0e1f2a3b4c5d'),
          lambdaResult: free({ errors: { generalErrors: [] } }),
        }),
      ),
    },
  },
  {
    type: 'user.login.new-device',
    title: 'New Device Used',
    when: 'a user logged in from an unknown device; beside `user.login.success`',
    since: '1.30',
    plan: 'enterprise',
    transactional: true,
    about: 'user',
    tells: ['activity'],
    fields: loginFields,
  },
  {
    type: 'user.login.suspicious',
    title: 'Suspicious Login Detected',
    when: 'a login looked like an attack; beside `user.login.success`',
    since: '1.30',
    plan: 'enterprise',
    transactional: true,
    about: 'user',
    tells: ['activity'],
    infoIsOf: 'anybody',
    fields: { ...loginFields, threatsDetected: list(text('ImpossibleTravel')) },
  },
  {
    type: 'user.password.breach',
    title: 'Password Breach Detected',
    when: 'a user’s password was found among breached ones',
    since: '1.15',
    plan: 'paid',
    transactional: true,
    about: 'user',
    tells: ['activity'],
    fields: ofUser,
  },
  {
    type: 'user.password.reset.start',
    title: 'Password Reset Started',
    when: 'a password reset was started',
    since: '1.30',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    infoIsOf: 'anybody',
    fields: ofUser,
  },
  {
    type: 'user.password.reset.send',
    title: 'Password Reset Sent',
    when: 'the message for a password reset was sent',
    since: '1.30',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    infoIsOf: 'anybody',
    fields: ofUser,
  },
  {
    type: 'user.password.reset.success',
    title: 'Password Reset',
    when: 'a password was reset',
    since: '1.30',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: ofUser,
  },
  {
    type: 'user.password.update',
    title: 'Password Updated',
    when: 'a password was changed',
    since: '1.30',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: ofUser,
  },
  {
    type: 'user.registration.create',
    title: 'Registration Creation Started',
    when: 'a user is about to be registered for an application',
    since: '1.6',
    transactional: true,
    about: 'user',
    twin: 'user.registration.create.complete',
    tells: ['activity'],
    fields: registrationFields,
    sample: withoutRegistrations,
  },
  {
    type: 'user.registration.create.complete',
    title: 'Registration Created',
    when: 'a user was registered for an application',
    since: '1.30',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: registrationFields,
    sample: withoutRegistrations,
  },
  {
    type: 'user.registration.update',
    title: 'Registration Update Started',
    when: 'a user’s registration for an application is about to be changed',
    since: '1.6',
    transactional: true,
    about: 'user',
    twin: 'user.registration.update.complete',
    tells: ['activity'],
    fields: { original: registration, ...registrationFields },
    sample: changedRegistration,
  },
  {
    type: 'user.registration.update.complete',
    title: 'Registration Updated',
    when: 'a user’s registration for an application was changed',
    since: '1.30',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: { original: registration, ...registrationFields },
    sample: changedRegistration,
  },
  {
    type: 'user.registration.delete',
    title: 'Registration Deletion Started',
    when: 'a user’s registration for an application is about to be deleted',
    since: '1.6',
    transactional: true,
    about: 'user',
    twin: 'user.registration.delete.complete',
    tells: ['activity'],
    fields: registrationFields,
    sample: withoutRegistrations,
  },
  {
    type: 'user.registration.delete.complete',
    title: 'Registration Deleted',
    when: 'a user’s registration for an application was deleted',
    since: '1.30',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: registrationFields,
    sample: withoutRegistrations,
  },
  {
    type: 'user.registration.verified',
    title: 'Registration Verified',
    when: 'a user’s registration for an application was verified',
    since: '1.8',
    transactional: true,
    about: 'user',
    tells: ['activity'],
    fields: registrationFields,
    sample: withoutRegistrations,
  },
  {
    type: 'user.two-factor.method.add',
    title: 'Two-Factor Method Added',
    when: 'a user added a two-factor method',
    since: '1.30',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: { method: twoFactorMethod, ...ofUser },
  },
  {
    type: 'user.two-factor.method.remove',
    title: 'Two-Factor Method Removed',
    when: 'a user removed a two-factor method',
    since: '1.30',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: { method: twoFactorMethod, ...ofUser },
  },
  {
    type: 'user.two-factor.challenge',
    title: 'Two-Factor Challenge Started',
    when: 'a two-factor challenge was started, before a code was entered',
    since: '1.68',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    infoIsOf: 'anybody',
    fields: secondFactorFields,
  },
  {
    type: 'user.two-factor.failed-attempt',
    aliases: ['user.two-factor.failed.attempt'],
    title: 'Two-Factor Attempt Failed',
    when: 'a wrong two-factor code was entered',
    since: '1.68',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    infoIsOf: 'anybody',
    fields: secondFactorCodeFields,
  },
  {
    type: 'user.two-factor.success',
    title: 'Two-Factor Succeeded',
    when: 'the right two-factor code was entered',
    since: '1.68',
    plan: 'enterprise',
    transactional: false,
    about: 'user',
    tells: ['activity'],
    fields: secondFactorCodeFields,
  },
  {
    type: 'user.action',
    title: 'User Action Taken',
    when: 'a moderator acted on a user, or a timed action came to its next phase; switched on for each action',
    since: 'early',
    transactional: true,
    about: 'user',
    tells: ['activity'],
    userIdAt: ['actioneeUserId', 'actioneeId'],
    infoIsOf: 'actor',
    fields: {
      action: text('Suspend'),
      actionId: uuid('e4d3c2b1-a0f9-4e8d-9c7b-6a5f4e3d2c1b'),
      actioneeUserId: formerly('actioneeId', userId),
      actionerUserId: formerly('actionerId', uuid('00000000-0000-4000-8000-00000000aaaa')),
      applicationIds: list(applicationId),
      comment: personal(text('Posted spam')),
      // The e-mail that FusionAuth sent, in full: may hold links that log in.
      email: secret(free({ subject: 'You were suspended', text: 'a link that logs in' })),
      emailedUser: flag(true),
      expiry: instant(-7),
      linkedObjectId: since('1.53', uuid('e4d3c2b1-a0f9-4e8d-9c7b-6a5f4e3d2c1b')),
      localizedAction: text('Suspend'),
      localizedDuration: text('7 days'),
      localizedOption: text('Strict'),
      localizedReason: text('Spam'),
      notifyUser: flag(true),
      option: text('Strict'),
      phase: text('start'),
      reason: text('Spam'),
      reasonCode: text('SPAM'),
    },
  },
  {
    type: 'jwt.refresh',
    title: 'Access Token Refreshed',
    when: 'an access token was refreshed, which happens by itself as long as somebody is logged in',
    since: '1.16',
    transactional: true,
    about: 'user',
    tells: ['activity'],
    userIdAt: ['userId'],
    fields: {
      applicationId,
      linkedObjectId: since('1.53', userId),
      original: secret(text('the access token before')),
      refreshToken: secret(text('a refresh token')),
      token: secret(text('an access token')),
      userId,
    },
  },
  {
    type: 'jwt.refresh-token.revoke',
    title: 'Refresh Token Revoked',
    when: 'refresh tokens were revoked: one (a logout, as near as FusionAuth tells), all of a user or all of an application',
    since: 'early',
    transactional: true,
    about: 'user',
    tells: ['activity'],
    userIdAt: ['userId', 'user.id', 'refreshToken.userId'],
    fields: {
      applicationId,
      applicationTimeToLiveInSeconds: free({ 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e': 3600 }),
      refreshToken: since('1.37', refreshToken),
      userId,
      ...ofUser,
    },
  },
  {
    type: 'jwt.public-key.update',
    title: 'Public Key Updated',
    when: 'a key that signs tokens may have changed',
    since: 'early',
    transactional: true,
    about: 'system',
    tells: [],
    fields: { applicationIds: list(applicationId) },
  },
  {
    type: 'group.create',
    title: 'Group Creation Started',
    when: 'a group is about to be created',
    since: '1.38',
    transactional: true,
    about: 'group',
    twin: 'group.create.complete',
    tells: [],
    fields: ofGroup,
  },
  {
    type: 'group.create.complete',
    title: 'Group Created',
    when: 'a group was created',
    since: '1.38',
    transactional: false,
    about: 'group',
    tells: [],
    fields: ofGroup,
  },
  {
    type: 'group.update',
    title: 'Group Update Started',
    when: 'a group is about to be changed',
    since: '1.38',
    transactional: true,
    about: 'group',
    twin: 'group.update.complete',
    tells: [],
    fields: { original: group, ...ofGroup },
    sample: () => ({ original: { name: 'Pied Piper Inc.' } }),
  },
  {
    type: 'group.update.complete',
    title: 'Group Updated',
    when: 'a group was changed',
    since: '1.38',
    transactional: false,
    about: 'group',
    tells: [],
    fields: { original: group, ...ofGroup },
    sample: () => ({ original: { name: 'Pied Piper Inc.' } }),
  },
  {
    type: 'group.delete',
    title: 'Group Deletion Started',
    when: 'a group is about to be deleted',
    since: '1.38',
    transactional: true,
    about: 'group',
    twin: 'group.delete.complete',
    tells: [],
    fields: ofGroup,
  },
  {
    type: 'group.delete.complete',
    title: 'Group Deleted',
    when: 'a group was deleted',
    since: '1.38',
    transactional: false,
    about: 'group',
    tells: [],
    fields: ofGroup,
  },
  {
    type: 'group.member.add',
    title: 'Group Member Addition Started',
    when: 'users are about to be added to a group',
    since: '1.38',
    transactional: true,
    about: 'group',
    twin: 'group.member.add.complete',
    tells: ['membership'],
    infoIsOf: 'actor',
    fields: { members: list(groupMember), ...ofGroup },
  },
  {
    type: 'group.member.add.complete',
    title: 'Group Member Added',
    when: 'users were added to a group',
    since: '1.38',
    transactional: false,
    about: 'group',
    tells: ['membership'],
    infoIsOf: 'actor',
    fields: { members: list(groupMember), ...ofGroup },
  },
  {
    type: 'group.member.update',
    title: 'Group Member Update Started',
    when: 'a group’s members are about to be changed',
    since: '1.38',
    transactional: true,
    about: 'group',
    twin: 'group.member.update.complete',
    tells: ['membership'],
    infoIsOf: 'actor',
    fields: { members: list(groupMember), ...ofGroup },
  },
  {
    type: 'group.member.update.complete',
    title: 'Group Member Updated',
    when: 'a group’s members were changed',
    since: '1.38',
    transactional: false,
    about: 'group',
    tells: ['membership'],
    infoIsOf: 'actor',
    fields: { members: list(groupMember), ...ofGroup },
  },
  {
    type: 'group.member.remove',
    title: 'Group Member Removal Started',
    when: 'users are about to be removed from a group',
    since: '1.38',
    transactional: true,
    about: 'group',
    twin: 'group.member.remove.complete',
    tells: ['departure'],
    infoIsOf: 'actor',
    fields: { members: list(groupMember), ...ofGroup },
  },
  {
    type: 'group.member.remove.complete',
    title: 'Group Member Removed',
    when: 'users were removed from a group',
    since: '1.38',
    transactional: false,
    about: 'group',
    tells: ['departure'],
    infoIsOf: 'actor',
    fields: { members: list(groupMember), ...ofGroup },
  },
  {
    type: 'entity.create',
    title: 'Entity Creation Started',
    when: 'an entity is about to be created',
    since: '1.69',
    transactional: true,
    about: 'entity',
    twin: 'entity.create.complete',
    tells: [],
    fields: ofEntity,
  },
  {
    type: 'entity.create.complete',
    title: 'Entity Created',
    when: 'an entity was created',
    since: '1.69',
    transactional: false,
    about: 'entity',
    tells: [],
    fields: ofEntity,
  },
  {
    type: 'entity.update',
    title: 'Entity Update Started',
    when: 'an entity is about to be changed',
    since: '1.69',
    transactional: true,
    about: 'entity',
    twin: 'entity.update.complete',
    tells: [],
    fields: { original: entity, ...ofEntity },
    sample: () => ({ original: { name: 'Printer' } }),
  },
  {
    type: 'entity.update.complete',
    title: 'Entity Updated',
    when: 'an entity was changed',
    since: '1.69',
    transactional: false,
    about: 'entity',
    tells: [],
    fields: { original: entity, ...ofEntity },
    sample: () => ({ original: { name: 'Printer' } }),
  },
  {
    type: 'entity.delete',
    title: 'Entity Deletion Started',
    when: 'an entity is about to be deleted',
    since: '1.69',
    transactional: true,
    about: 'entity',
    twin: 'entity.delete.complete',
    tells: [],
    fields: ofEntity,
  },
  {
    type: 'entity.delete.complete',
    title: 'Entity Deleted',
    when: 'an entity was deleted',
    since: '1.69',
    transactional: false,
    about: 'entity',
    tells: [],
    fields: ofEntity,
  },
  {
    type: 'audit-log.create',
    title: 'Audit Log Written',
    when: 'an entry was written to the audit log',
    since: '1.30',
    transactional: false,
    scope: 'instance',
    about: 'system',
    tells: [],
    fields: {
      auditLog: object({
        data: free({ attributes: {} }),
        id: number(42),
        insertInstant: instant(),
        insertUser: personal(text('admin@example.com')),
        message: personal(text('Updated the user with Id [00000000-0000-4000-8000-000000000002]')),
        newValue: personal(free({ firstName: 'Richard' })),
        oldValue: personal(free({ firstName: 'Dick' })),
        reason: text('FusionAuth User Interface'),
        tenantId,
      }),
      info,
      tenantId: since('1.65', tenantId),
    },
  },
  {
    type: 'event-log.create',
    title: 'Event Log Written',
    when: 'an entry was written to the event log; one about a webhook that failed too',
    since: '1.30',
    transactional: false,
    scope: 'instance',
    about: 'system',
    tells: [],
    fields: {
      eventLog: object({
        id: number(42),
        insertInstant: instant(),
        message: personal(text('The webhook could not be reached')),
        type: text('Error'),
      }),
    },
  },
  {
    type: 'kickstart.success',
    title: 'Kickstart Succeeded',
    when: 'FusionAuth’s kickstart has finished',
    since: '1.30',
    transactional: false,
    scope: 'instance',
    about: 'system',
    tells: [],
    fields: { instanceId: uuid('9f8e7d6c-5b4a-4938-8271-605f4e3d2c1b') },
  },
  {
    type: 'test',
    title: 'Test Sent',
    when: 'somebody pressed the test button',
    since: 'early',
    transactional: false,
    scope: 'instance',
    about: 'system',
    tells: [],
    fields: { message: text('Hello from FusionAuth') },
  },
] as const satisfies readonly CatalogueEntry[];

/** The wire name of an event type that the catalogue knows. */
export type KnownEventType = (typeof catalogue)[number]['type'];

/** An event of one known type, as FusionAuth sends it and its secrets stripped. */
export type EventOf<Type extends KnownEventType> = ValuesOf<typeof baseFields> & {
  readonly id: string;
  readonly type: Type;
} & ValuesOf<Extract<(typeof catalogue)[number], { type: Type }>['fields']>;

/** An event of any known type: `event.type` tells which. */
export type KnownEvent = { [Type in KnownEventType]: EventOf<Type> }[KnownEventType];

export const eventTypes: readonly KnownEventType[] = catalogue.map(({ type }) => type);

const entries = new Map<string, CatalogueEntry>(
  (catalogue as readonly CatalogueEntry[]).flatMap((entry) =>
    [entry.type, ...(entry.aliases ?? [])].map((name): [string, CatalogueEntry] => [name, entry]),
  ),
);

export function isKnownType(type: string): type is KnownEventType {
  return entries.get(type)?.type === type;
}

/** What is known of a type, under any of its spellings; undefined where it is unknown. */
export function entryOf(type: string): CatalogueEntry | undefined {
  return entries.get(type);
}
