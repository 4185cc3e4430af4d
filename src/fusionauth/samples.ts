// Sample events, in the shape of FusionAuth 1.59 and later, as `send` posts them and `map --sample` shows them.
// The people in them are nobody: example.com, and addresses of the documentation range.

import type { JsonObject } from './event.ts';
import type { KnownEventType } from './catalogue.ts';

export interface SampleIdentity {
  readonly eventId: string;
  readonly userId: string;
  /** Milliseconds since 1970. */
  readonly createInstant: number;
}

const tenantId = 'd7d09513-a3f5-401c-9685-34ab6c552453';
const applicationId = 'e9fdb985-9173-4e01-9d73-ac2d60d1dc8e';
const day = 86_400_000;

const samples = {
  'user.create.complete': (identity) => ({ ...base(identity), user: user(identity, identity.createInstant) }),
  'user.email.update': (identity) => ({
    ...base(identity),
    previousEmail: 'richard.hendricks@example.com',
    user: user(identity, identity.createInstant - day),
  }),
  'user.update.complete': (identity) => ({
    ...base(identity),
    original: { ...user(identity, identity.createInstant - day), firstName: 'Dick' },
    user: user(identity, identity.createInstant - day),
  }),
  'user.login.success': (identity) => ({
    ...base(identity),
    applicationId,
    authenticationType: 'PASSWORD',
    connectorId: 'e3306678-a53a-4964-9040-1c96f36dda72',
    ipAddress: '203.0.113.42',
    user: { ...user(identity, identity.createInstant - day), lastLoginInstant: identity.createInstant },
  }),
} as const satisfies Partial<Record<KnownEventType, (identity: SampleIdentity) => JsonObject>>;

export type SampleType = keyof typeof samples;
export const sampleTypes = Object.keys(samples) as readonly SampleType[];

export function isSampleType(type: string): type is SampleType {
  return Object.hasOwn(samples, type);
}

/** A sample event of this type: the same identity gives the same event. */
export function sampleEvent(type: SampleType, identity: SampleIdentity): JsonObject {
  return { type, ...samples[type](identity) };
}

function base({ eventId, createInstant, userId }: SampleIdentity): JsonObject {
  return {
    id: eventId,
    createInstant,
    tenantId,
    linkedObjectId: userId,
    info: {
      deviceName: 'macOS Chrome',
      deviceType: 'BROWSER',
      ipAddress: '203.0.113.42',
      os: 'macOS',
      userAgent:
        'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
    },
  };
}

function user({ userId }: SampleIdentity, insertInstant: number): JsonObject {
  const email = `richard.${userId.slice(0, 8)}@example.com`;
  return {
    id: userId,
    tenantId,
    active: true,
    birthDate: '1985-11-23',
    connectorId: 'e3306678-a53a-4964-9040-1c96f36dda72',
    data: { favouriteColour: 'green', seats: 3 },
    email,
    firstName: 'Richard',
    fullName: 'Richard Hendricks',
    identities: [
      { type: 'email', value: email, displayValue: email, primary: true, verified: true, insertInstant },
    ],
    imageUrl: 'https://www.example.com/richard.png',
    insertInstant,
    lastName: 'Hendricks',
    lastUpdateInstant: insertInstant,
    mobilePhone: '+1 555 0100',
    passwordChangeRequired: false,
    passwordLastUpdateInstant: insertInstant,
    preferredLanguages: ['en_US', 'fr'],
    registrations: [
      {
        id: '5cb9e8b8-3b1e-4d1e-9c1d-3c2c8f6b1c11',
        applicationId,
        roles: ['user'],
        insertInstant,
        lastLoginInstant: insertInstant,
        verified: true,
      },
    ],
    timezone: 'America/Los_Angeles',
    twoFactor: { methods: [{ id: '7GK2', method: 'authenticator' }] },
    username: 'richard',
    usernameStatus: 'ACTIVE',
    verified: true,
    verifiedInstant: insertInstant,
  };
}
