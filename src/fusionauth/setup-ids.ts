// The ids under which FusionAuth keeps what the bridge has made there. They are fixed, so that a second run finds what
// the first one made, whoever that was: `setup` and the kickstart of deploy/ make the same webhook and the same key.

/** The webhook that posts to the bridge. */
export const webhookId = 'fa5e9000-0000-4000-8000-000000000001';

/** The key in FusionAuth's Key Master that signs it. */
export const signingKeyId = 'fa5e9000-0000-4000-8000-000000000002';

/** The one that does where an HMAC key was asked for. */
export const hmacKeyId = 'fa5e9000-0000-4000-8000-000000000003';
