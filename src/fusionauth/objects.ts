// FusionAuth's objects, as they stand in its events (its domain model: User, UserRegistration, Group …). A field that
// holds an object of FusionAuth's which no event of ours needs is left out.

import {
  date,
  flag,
  free,
  instant,
  list,
  number,
  object,
  personal,
  secret,
  since,
  text,
  until,
  uuid,
} from './fields.ts';
import type { SampleIdentity } from './fields.ts';

const tenant = 'd7d09513-a3f5-401c-9685-34ab6c552453';
const application = 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e';
const groupUuid = '3c2fa6b1-9d6b-4f0c-8a3e-52f0a4d6c801';
const emailOf = ({ userId }: SampleIdentity) => `richard.${userId.slice(0, 8)}@example.com`;

export const tenantId = uuid(tenant);
export const applicationId = uuid(application);
export const userId = uuid((identity) => identity.userId);
export const groupId = uuid(groupUuid);
/** Free-form data of the customer's: careful defaults of `privacy` apply. */
const data = personal(free({ favouriteColour: 'green', seats: 3 }));

/** Where a request came from: of the person, or of the customer's server where that called FusionAuth's API. */
export const info = object({
  data: personal(free({ anonymousId: '8d8ac610-566d-4ef0-9c22-186b2a5ed793' })),
  deviceDescription: personal(text('Richard’s MacBook')),
  deviceName: text('macOS Chrome'),
  deviceType: text('BROWSER'),
  ipAddress: personal(text('203.0.113.42')),
  location: personal(
    object({
      city: text('Denver'),
      country: text('US'),
      displayString: text('Denver, CO, US'),
      latitude: number(39.77),
      longitude: number(-104.99),
      region: text('CO'),
      zipcode: text('80202'),
    }),
  ),
  os: text('macOS'),
  userAgent: text(
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  ),
});

export const registration = object({
  applicationId,
  authenticationToken: secret(text('a token that logs in')),
  cleanSpeakId: uuid('b2a3c1de-7c0b-4d2c-8f4e-1f0f6d1c9a77'),
  data,
  id: uuid('5cb9e8b8-3b1e-4d1e-9c1d-3c2c8f6b1c11'),
  insertInstant: instant(1),
  lastLoginInstant: instant(1),
  lastUpdateInstant: instant(1),
  preferredLanguages: list(text('en_US')),
  roles: list(text('user')),
  timezone: text('America/Los_Angeles'),
  tokens: secret(free({ Google: 'a token of an identity provider' })),
  username: personal(text('richard')),
  usernameStatus: text('ACTIVE'),
  verified: flag(true),
  verifiedInstant: instant(1),
});

const membership = object({
  data,
  groupId,
  id: uuid('1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9'),
  insertInstant: instant(1),
  userId,
});

const identity = object({
  displayValue: personal(text(emailOf)),
  insertInstant: instant(1),
  lastLoginInstant: instant(1),
  lastUpdateInstant: instant(1),
  moderationStatus: text('ACTIVE'),
  primary: flag(true),
  type: text('email'),
  value: personal(text(emailOf)),
  verified: flag(true),
  verifiedInstant: instant(1),
  verifiedReason: text('Completed'),
});

export const twoFactorMethod = object({
  authenticator: object({ algorithm: text('HmacSHA1'), codeLength: number(6), timeStep: number(30) }),
  email: personal(text('second.factor@example.com')),
  id: text('7GK2'),
  lastUsed: flag(true),
  method: text('authenticator'),
  mobilePhone: personal(text('+1 555 0199')),
  name: text('My phone'),
  secret: secret(text('a secret of the authenticator app')),
});

export const user = object({
  active: flag(true),
  birthDate: personal(date('1985-11-23')),
  breachedPasswordLastCheckedInstant: instant(1),
  breachedPasswordStatus: text('None'),
  cleanSpeakId: uuid('b2a3c1de-7c0b-4d2c-8f4e-1f0f6d1c9a77'),
  connectorId: uuid('e3306678-a53a-4964-9040-1c96f36dda72'),
  data,
  email: personal(text(emailOf)),
  encryptionScheme: secret(text('salted-pbkdf2-hmac-sha256')),
  expiry: instant(-365),
  factor: secret(number(24_000)),
  firstName: personal(text('Richard')),
  fullName: personal(text('Richard Hendricks')),
  id: userId,
  identities: since('1.59', list(identity)),
  imageUrl: personal(text('https://www.example.com/richard.png')),
  insertInstant: instant(1),
  lastLoginInstant: instant(1),
  lastName: personal(text('Hendricks')),
  lastUpdateInstant: instant(1),
  legacyIdentifier: since('1.69', personal(text('hooli-42'))),
  memberships: list(membership),
  middleName: personal(text('Thomas')),
  mobilePhone: personal(text('+1 555 0100')),
  parentEmail: personal(text('parent@example.com')),
  password: secret(text('the hash of a password')),
  passwordChangeReason: text('Administrative'),
  passwordChangeRequired: flag(false),
  passwordLastUpdateInstant: instant(1),
  phoneNumber: since('1.59', personal(text('+1 555 0100'))),
  preferredLanguages: list(text('en_US')),
  registrations: list(registration),
  salt: secret(text('the salt of a password')),
  tenantId,
  timezone: text('America/Los_Angeles'),
  twoFactor: object({ methods: list(twoFactorMethod), recoveryCodes: secret(list(text('a recovery code'))) }),
  /** In place of `twoFactor`. */
  twoFactorEnabled: until('1.26', flag(true)),
  uniqueUsername: personal(text('richard')),
  username: personal(text('richard')),
  usernameStatus: text('ACTIVE'),
  verified: flag(true),
  verifiedInstant: instant(1),
});

export const group = object({
  data: free({ plan: 'growth' }),
  id: groupId,
  insertInstant: instant(30),
  lastUpdateInstant: instant(1),
  name: text('Pied Piper'),
  /** By application. */
  roles: free({ [application]: [{ id: '2f3a4b5c-6d7e-4f80-91a2-b3c4d5e6f708', name: 'user' }] }),
  tenantId,
});

export const groupMember = object({
  data,
  id: uuid('1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9'),
  insertInstant: instant(),
  userId,
});

export const entity = object({
  clientId: text('92dbe0ed-0bd9-4c3b-a2f5-5c1a6b8d0e1f'),
  clientSecret: secret(text('a secret that gets tokens')),
  data: free({ location: 'Building 4' }),
  id: uuid('c4a8f1d2-6b3e-4f5a-9c7d-8e9f0a1b2c3d'),
  insertInstant: instant(30),
  lastUpdateInstant: instant(1),
  name: text('Printer of building 4'),
  parentId: uuid('a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d'),
  tenantId,
  type: object({ id: uuid('0f1e2d3c-4b5a-4968-8776-655443322110'), name: text('Printer') }),
});

export const identityProviderLink = object({
  data: personal(free({ locale: 'en' })),
  displayName: personal(text('Richard Hendricks')),
  identityProviderId: uuid('82339786-3dff-42a6-aac6-1f1ceecb6c46'),
  identityProviderName: text('Google'),
  identityProviderType: text('Google'),
  identityProviderUserId: personal(text('104567890123456789012')),
  insertInstant: instant(),
  lastLoginInstant: instant(),
  tenantId,
  token: secret(text('a token of the identity provider')),
  userId,
});

export const refreshToken = object({
  applicationId,
  id: uuid('6d0f3c1b-2a4e-4c5d-9b8a-7f6e5d4c3b2a'),
  insertInstant: instant(7),
  metaData: object({
    device: object({
      description: personal(text('Richard’s MacBook')),
      lastAccessedAddress: personal(text('203.0.113.42')),
      lastAccessedInstant: instant(),
      name: text('macOS Chrome'),
      type: text('BROWSER'),
    }),
  }),
  startInstant: instant(7),
  tenantId,
  token: secret(text('a refresh token')),
  userId,
});
