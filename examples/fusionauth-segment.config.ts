// An example of a configuration file. Copy it to the folder where you start the bridge, under this same name, and keep
// what you need: every line may be left out. The *.mapping.json files beside it test it:
//
//   CONFIG=examples/fusionauth-segment.config.ts ACME_KEY=any npm run -s cli -- test examples

import { defineConfig } from 'fusionauth-segment';

// Secrets stay out of the file: they come from the environment, or from .env beside it.
const { SEGMENT_WRITE_KEY, ACME_KEY, WAREHOUSE_URL } = process.env;

export default defineConfig({
  // Which events are delivered at all. Types or patterns; `tenants`, `applications` and a `filter` function as well.
  events: { include: ['user.*', 'group.*'], exclude: ['user.login.failed'] },

  // The names of tracks: Segment's own for B2B (Signed Up, Signed In …) in place of user.create.complete and the like.
  naming: 'segment',

  // What becomes of personal data, by path, before any destination sees it: keep, drop, hash, truncate, mask.
  // Parents' e-mail addresses and the like are dropped already; docs/events.md lists what is.
  privacy: { '**.*email*': 'hash', 'context.ip': 'truncate', 'traits.data.*': 'drop' },

  // FusionAuth's tenants are this product's customers: Segment's destinations group by context.groupId.
  groupId: 'tenant',

  // `segment` and `warehouse` are there without a word. One without a write key is off.
  destinations: {
    segment: { writeKey: SEGMENT_WRITE_KEY, region: 'eu' },
    // One customer gets the events of its own tenant in a Segment source of its own.
    acme: {
      type: 'segment',
      writeKey: ACME_KEY,
      events: { tenants: ['d7d09513-a3f5-401c-9685-34ab6c552453'] },
      privacy: { 'traits.email': 'keep' },
    },
    // Without a URL it is the embedded server.
    warehouse: { type: 'postgres', url: WAREHOUSE_URL },
  },

  // The last word, in code: given the event and the messages that it becomes, returns those to send. FusionAuth tells a
  // login, too, when single sign-on finds a session that is still good. Nobody typed a password, so it is no sign-in.
  map: (event, messages) =>
    event.type === 'user.login.success' && event.authenticationType === 'PING' ? [] : messages,
});
