import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as client from '@fusionauth/typescript-client';
import { baseFields, catalogue, entryOf, eventTypes, isKnownType } from '../../src/fusionauth/catalogue.ts';
import type { CatalogueEntry, EventOf, KnownEventType } from '../../src/fusionauth/catalogue.ts';
import type { Field, Fields } from '../../src/fusionauth/fields.ts';
import { describeFields } from '../../src/fusionauth/describe-fields.ts';

const entries: readonly CatalogueEntry[] = catalogue;

describe('the catalogue', () => {
  test('holds FusionAuth’s 64 event types, each once', () => {
    assert.equal(catalogue.length, 64);
    assert.equal(new Set(eventTypes).size, 64);
  });

  test('says of every type since when and when FusionAuth sends it', () => {
    for (const { type, since, when } of entries) {
      assert.match(type, /^[a-z]+(?:[.-][A-Za-z]+)*$/);
      assert.match(since, /^(?:early|1\.\d+)$/);
      assert.notEqual(when, '');
    }
  });

  test('has a title of its own for every type, in Title Case as Segment advises', () => {
    assert.equal(new Set(entries.map(({ title }) => title)).size, 64);
    for (const { title } of entries) assert.match(title, /^[A-Z][a-z]+(?:[ -][A-Z][a-z]+)*$/);
  });

  test('has beside every event that comes after a commit the one before it, and names the later as its twin', () => {
    const completed = eventTypes.filter((type) => type.endsWith('.complete'));
    const twins = entries.filter(({ twin }) => twin !== undefined);

    assert.deepEqual(
      completed.filter((type) => !isKnownType(type.slice(0, -'.complete'.length))),
      [],
    );
    for (const { type, twin, transactional, tells } of twins) {
      assert.equal(twin, `${type}.complete`);
      assert.equal(transactional, true);
      assert.equal(entryOf(twin)?.transactional, false);
      assert.deepEqual(entryOf(twin)?.tells, tells);
    }
    // A deletion comes as both or as the first alone, so neither gives way.
    assert.deepEqual(
      completed.filter((type) => !twins.some(({ twin }) => twin === type)),
      ['user.delete.complete'],
    );
  });

  test('has 32 types that a tenant may let FusionAuth wait for', () => {
    // FusionAuth counts `test` among them, which no tenant can have it wait for.
    assert.equal(entries.filter(({ transactional }) => transactional).length, 31);
  });

  test('has a user for every type about users and members, and none for the others', () => {
    for (const { type, about, tells } of entries) {
      const names = about === 'user' || type.startsWith('group.member.');

      assert.equal(tells.length > 0, names, type);
    }
  });

  test('finds an entry under each of its spellings, and nothing under another name', () => {
    assert.equal(entryOf('user.two-factor.failed.attempt')?.type, 'user.two-factor.failed-attempt');
    for (const type of ['constructor', '__proto__', '', 'USER.CREATE', 'user.create ', 'user.teleport']) {
      assert.equal(entryOf(type), undefined);
      assert.equal(isKnownType(type), false);
    }
    assert.equal(isKnownType('user.two-factor.failed.attempt'), false);
    assert.equal(isKnownType('test'), true);
  });

  test('gives no type a spelling that is another’s', () => {
    const spellings = entries.flatMap(({ type, aliases = [] }) => [type, ...aliases]);

    assert.equal(new Set(spellings).size, spellings.length);
  });

  test('says of no field that it is older than its version numbers can tell', () => {
    for (const { type, fields } of entries) {
      for (const { path, since } of describeFields({ ...baseFields, ...fields })) {
        assert.match(since ?? '1.0', /^1\.\d+$/, `${type}: ${path}`);
      }
    }
  });
});

describe('what stands in FusionAuth’s events by one name', () => {
  /** Fields of objects inside, at any depth. */
  function inside(fields: Fields): [string, Field][] {
    return Object.values(fields).flatMap((field) => {
      const inner = field.kind === 'list' ? field.of : field;
      return inner.kind === 'object' ? [...Object.entries(inner.fields), ...inside(inner.fields)] : [];
    });
  }

  test('is everywhere a secret or nowhere: secrets are stripped by name', () => {
    const isSecret = new Map<string, boolean>();
    for (const [name, field] of entries.flatMap(({ fields }) => inside({ ...baseFields, ...fields }))) {
      assert.equal(isSecret.get(name) ?? field.secret === true, field.secret === true, name);
      isSecret.set(name, field.secret === true);
    }

    assert.deepEqual(
      Array.from(isSecret)
        .flatMap(([name, secret]) => (secret ? [name] : []))
        .sort(),
      [
        'authenticationToken',
        'clientSecret',
        'encryptionScheme',
        'factor',
        'password',
        'recoveryCodes',
        'salt',
        'secret',
        'token',
        'tokens',
      ],
    );
  });

  test('is no secret of an event itself where another object has it by a name that is stripped', () => {
    const names = new Set(
      entries.flatMap(({ fields }) => inside(fields)).flatMap(([name, { secret }]) => (secret ? name : [])),
    );
    for (const { type, fields } of entries) {
      for (const [name, field] of Object.entries<Field>({ ...baseFields, ...fields })) {
        assert.ok(field.secret === true || !names.has(name), `${type}: ${name} would be stripped`);
      }
    }
  });
});

describe('FusionAuth’s own TypeScript client', () => {
  const clientTypes = Object.values(client.EventType) as string[];

  test('knows no type that the catalogue does not know', () => {
    assert.ok(clientTypes.length >= 64);
    assert.deepEqual(
      clientTypes.filter((type) => !isKnownType(type)),
      [],
    );
  });

  test('knows every type of the catalogue by its name on the wire', () => {
    assert.deepEqual(
      eventTypes.filter((type) => !clientTypes.includes(type)),
      [],
    );
  });

  test('has no field of an event that ours lacks, unless there is a reason (checked when types are)', () => {
    const unexplained: Unexplained = {};

    assert.deepEqual(unexplained, {});
  });
});

/** The client’s interfaces, by the type that they are for. */
interface ClientEvents {
  'user.create': client.UserCreateEvent;
  'user.create.complete': client.UserCreateCompleteEvent;
  'user.bulk.create': client.UserBulkCreateEvent;
  'user.update': client.UserUpdateEvent;
  'user.update.complete': client.UserUpdateCompleteEvent;
  'user.email.update': client.UserEmailUpdateEvent;
  'user.email.verified': client.UserEmailVerifiedEvent;
  'user.identity.verified': client.UserIdentityVerifiedEvent;
  'user.identity.update': client.UserIdentityUpdateEvent;
  'user.deactivate': client.UserDeactivateEvent;
  'user.reactivate': client.UserReactivateEvent;
  'user.delete': client.UserDeleteEvent;
  'user.delete.complete': client.UserDeleteCompleteEvent;
  'user.identity-provider.link': client.UserIdentityProviderLinkEvent;
  'user.identity-provider.unlink': client.UserIdentityProviderUnlinkEvent;
  'user.loginId.duplicate.create': client.UserLoginIdDuplicateOnCreateEvent;
  'user.loginId.duplicate.update': client.UserLoginIdDuplicateOnUpdateEvent;
  'user.login.success': client.UserLoginSuccessEvent;
  'user.login.failed': client.UserLoginFailedEvent;
  'user.login.new-device': client.UserLoginNewDeviceEvent;
  'user.login.suspicious': client.UserLoginSuspiciousEvent;
  'user.password.breach': client.UserPasswordBreachEvent;
  'user.password.reset.start': client.UserPasswordResetStartEvent;
  'user.password.reset.send': client.UserPasswordResetSendEvent;
  'user.password.reset.success': client.UserPasswordResetSuccessEvent;
  'user.password.update': client.UserPasswordUpdateEvent;
  'user.registration.create': client.UserRegistrationCreateEvent;
  'user.registration.create.complete': client.UserRegistrationCreateCompleteEvent;
  'user.registration.update': client.UserRegistrationUpdateEvent;
  'user.registration.update.complete': client.UserRegistrationUpdateCompleteEvent;
  'user.registration.delete': client.UserRegistrationDeleteEvent;
  'user.registration.delete.complete': client.UserRegistrationDeleteCompleteEvent;
  'user.registration.verified': client.UserRegistrationVerifiedEvent;
  'user.two-factor.method.add': client.UserTwoFactorMethodAddEvent;
  'user.two-factor.method.remove': client.UserTwoFactorMethodRemoveEvent;
  'user.two-factor.challenge': client.UserTwoFactorChallengeEvent;
  'user.two-factor.failed-attempt': client.UserTwoFactorFailedAttemptEvent;
  'user.two-factor.success': client.UserTwoFactorSuccessEvent;
  'user.action': client.UserActionEvent;
  'jwt.refresh': client.JWTRefreshEvent;
  'jwt.refresh-token.revoke': client.JWTRefreshTokenRevokeEvent;
  'jwt.public-key.update': client.JWTPublicKeyUpdateEvent;
  'group.create': client.GroupCreateEvent;
  'group.create.complete': client.GroupCreateCompleteEvent;
  'group.update': client.GroupUpdateEvent;
  'group.update.complete': client.GroupUpdateCompleteEvent;
  'group.delete': client.GroupDeleteEvent;
  'group.delete.complete': client.GroupDeleteCompleteEvent;
  'group.member.add': client.GroupMemberAddEvent;
  'group.member.add.complete': client.GroupMemberAddCompleteEvent;
  'group.member.update': client.GroupMemberUpdateEvent;
  'group.member.update.complete': client.GroupMemberUpdateCompleteEvent;
  'group.member.remove': client.GroupMemberRemoveEvent;
  'group.member.remove.complete': client.GroupMemberRemoveCompleteEvent;
  'entity.create': client.EntityCreateEvent;
  'entity.create.complete': client.EntityCreateCompleteEvent;
  'entity.update': client.EntityUpdateEvent;
  'entity.update.complete': client.EntityUpdateCompleteEvent;
  'entity.delete': client.EntityDeleteEvent;
  'entity.delete.complete': client.EntityDeleteCompleteEvent;
  'audit-log.create': client.AuditLogCreateEvent;
  'event-log.create': client.EventLogCreateEvent;
  'kickstart.success': client.KickstartSuccessEvent;
  test: client.TestEvent;
}

/** Dotted paths of fields of the client’s that ours leave out, and why. */
interface Reasons {
  /** The client has an object here, while on the wire it is a text: `email`. */
  'user.identities.type.name': true;
  'users.identities.type.name': true;
  'original.identities.type.name': true;
  'existing.identities.type.name': true;
  /** Of the type of an entity, which no event is about. */
  'entity.type.data': true;
  'entity.type.insertInstant': true;
  'entity.type.jwtConfiguration': true;
  'entity.type.lastUpdateInstant': true;
  'entity.type.permissions': true;
  'original.type.data': true;
  'original.type.insertInstant': true;
  'original.type.jwtConfiguration': true;
  'original.type.lastUpdateInstant': true;
  'original.type.permissions': true;
  /** FusionAuth leaves it out, since the group stands beside its members. */
  'members.groupId': true;
  /** Of a token, which is no user’s business at a destination. */
  'refreshToken.data': true;
  'refreshToken.metaData.data': true;
  'refreshToken.metaData.resources': true;
  'refreshToken.metaData.scopes': true;
}

/** Free-form in ours: any JSON. */
type IsFree<T> = unknown extends T ? true : false;
type ElementOf<T> = NonNullable<T> extends readonly (infer Element)[] ? ElementOf<Element> : NonNullable<T>;
type IsAny<T> = 0 extends 1 & T ? true : false;
/** An object whose fields are known: not a text, a number, a record of anything, or what is free-form in ours. */
type IsObject<T> =
  IsAny<T> extends true ? false : T extends object ? (string extends keyof T ? false : true) : false;

/** Paths of fields that the client’s type has and ours lacks. */
type Lacking<Theirs, Ours, Prefix extends string = ''> = {
  [Name in keyof Theirs & string]-?: Name extends keyof Ours
    ? IsFree<Ours[Name]> extends true
      ? never
      : IsObject<ElementOf<Theirs[Name]>> extends true
        ? Lacking<ElementOf<Theirs[Name]>, ElementOf<Ours[Name]>, `${Prefix}${Name}.`>
        : never
    : `${Prefix}${Name}`;
}[keyof Theirs & string];

type Unexplained = {
  readonly [
    Type in KnownEventType as [Exclude<Lacking<ClientEvents[Type], EventOf<Type>>, keyof Reasons>] extends [
      never,
    ]
      ? never
      : Type
  ]: Exclude<Lacking<ClientEvents[Type], EventOf<Type>>, keyof Reasons>;
};
