// Every event type that FusionAuth can send, from its own domain model (EventType in FusionAuth's client builder) and
// its documents. A type that is not here is stored all the same and shown as unknown: new versions add types.

/** What is known of one event type. */
export interface CatalogueEntry {
  /** The name on the wire (`event.type`). */
  readonly type: string;
  /** FusionAuth version that first sent it; `early` where it is older than the documents tell. */
  readonly since: string;
  /** When FusionAuth sends it. */
  readonly when: string;
}

export const catalogue = [
  { type: 'audit-log.create', since: '1.30', when: 'a row was written to the audit log' },
  { type: 'event-log.create', since: '1.30', when: 'a row was written to the event log' },
  { type: 'kickstart.success', since: '1.30', when: 'kickstart has finished' },
  { type: 'jwt.public-key.update', since: 'early', when: 'a key that signs tokens may have changed' },
  { type: 'jwt.refresh', since: '1.16', when: 'an access token was refreshed' },
  {
    type: 'jwt.refresh-token.revoke',
    since: 'early',
    when: 'refresh tokens were revoked: one, a user’s, an application’s',
  },
  { type: 'group.create', since: '1.38', when: 'a group is about to be created' },
  { type: 'group.create.complete', since: '1.38', when: 'a group was created' },
  { type: 'group.delete', since: '1.38', when: 'a group is about to be deleted' },
  { type: 'group.delete.complete', since: '1.38', when: 'a group was deleted' },
  { type: 'group.update', since: '1.38', when: 'a group is about to be changed' },
  { type: 'group.update.complete', since: '1.38', when: 'a group was changed' },
  { type: 'group.member.add', since: '1.38', when: 'members are about to be added to a group' },
  { type: 'group.member.add.complete', since: '1.38', when: 'members were added to a group' },
  { type: 'group.member.remove', since: '1.38', when: 'members are about to be removed from a group' },
  { type: 'group.member.remove.complete', since: '1.38', when: 'members were removed from a group' },
  { type: 'group.member.update', since: '1.38', when: 'a group’s members are about to be changed' },
  { type: 'group.member.update.complete', since: '1.38', when: 'a group’s members were changed' },
  { type: 'entity.create', since: '1.69', when: 'an entity is about to be created' },
  { type: 'entity.create.complete', since: '1.69', when: 'an entity was created' },
  { type: 'entity.delete', since: '1.69', when: 'an entity is about to be deleted' },
  { type: 'entity.delete.complete', since: '1.69', when: 'an entity was deleted' },
  { type: 'entity.update', since: '1.69', when: 'an entity is about to be changed' },
  { type: 'entity.update.complete', since: '1.69', when: 'an entity was changed' },
  { type: 'user.action', since: 'early', when: 'a moderation action was taken, or changed its phase' },
  { type: 'user.bulk.create', since: 'early', when: 'users were imported' },
  { type: 'user.create', since: 'early', when: 'a user is about to be created' },
  { type: 'user.create.complete', since: '1.30', when: 'a user was created' },
  { type: 'user.update', since: 'early', when: 'a user is about to be changed, or logs in by a provider' },
  { type: 'user.update.complete', since: '1.30', when: 'a user was changed' },
  { type: 'user.deactivate', since: 'early', when: 'a user was deactivated' },
  { type: 'user.reactivate', since: 'early', when: 'a user was reactivated' },
  { type: 'user.delete', since: 'early', when: 'a user is about to be deleted' },
  { type: 'user.delete.complete', since: '1.30', when: 'a user was deleted' },
  { type: 'user.email.update', since: '1.30', when: 'a user’s e-mail address was changed' },
  { type: 'user.email.verified', since: '1.8', when: 'a user’s e-mail address was verified' },
  { type: 'user.identity.verified', since: '1.59', when: 'an e-mail address or phone number was verified' },
  { type: 'user.identity.update', since: '1.59', when: 'an e-mail address, username or phone was changed' },
  { type: 'user.identity-provider.link', since: '1.36', when: 'a user was linked to an identity provider' },
  {
    type: 'user.identity-provider.unlink',
    since: '1.36',
    when: 'a link to an identity provider was removed',
  },
  { type: 'user.loginId.duplicate.create', since: '1.30', when: 'a new user’s login id is in use already' },
  {
    type: 'user.loginId.duplicate.update',
    since: '1.30',
    when: 'a changed user’s login id is in use already',
  },
  { type: 'user.login.success', since: '1.6', when: 'a user logged in' },
  { type: 'user.login.failed', since: '1.6', when: 'a known user failed to log in' },
  { type: 'user.login.new-device', since: '1.30', when: 'a user logged in from a new device' },
  { type: 'user.login.suspicious', since: '1.30', when: 'a login looked suspicious' },
  { type: 'user.password.breach', since: '1.15', when: 'a password was found among breached ones' },
  { type: 'user.password.reset.start', since: '1.30', when: 'a password reset was started' },
  { type: 'user.password.reset.send', since: '1.30', when: 'a password reset message was sent' },
  { type: 'user.password.reset.success', since: '1.30', when: 'a password was reset' },
  { type: 'user.password.update', since: '1.30', when: 'a password was changed' },
  { type: 'user.registration.create', since: '1.6', when: 'a registration is about to be created' },
  { type: 'user.registration.create.complete', since: '1.30', when: 'a registration was created' },
  { type: 'user.registration.update', since: '1.6', when: 'a registration is about to be changed' },
  { type: 'user.registration.update.complete', since: '1.30', when: 'a registration was changed' },
  { type: 'user.registration.delete', since: '1.6', when: 'a registration is about to be deleted' },
  { type: 'user.registration.delete.complete', since: '1.30', when: 'a registration was deleted' },
  { type: 'user.registration.verified', since: '1.8', when: 'a registration was verified' },
  { type: 'user.two-factor.method.add', since: '1.30', when: 'a two-factor method was added' },
  { type: 'user.two-factor.method.remove', since: '1.30', when: 'a two-factor method was removed' },
  { type: 'user.two-factor.challenge', since: '1.68', when: 'a two-factor challenge was started' },
  { type: 'user.two-factor.failed-attempt', since: '1.68', when: 'a wrong two-factor code was entered' },
  { type: 'user.two-factor.success', since: '1.68', when: 'the right two-factor code was entered' },
  { type: 'test', since: 'early', when: 'somebody pressed the test button' },
] as const satisfies readonly CatalogueEntry[];

/** The wire name of an event type that the catalogue knows. */
export type KnownEventType = (typeof catalogue)[number]['type'];
