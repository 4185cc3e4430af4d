// The samples of docs/events.md: an event of each type, and the messages that it becomes by default. What is the same
// everywhere (a user, `info`, `context`) is shown in full once. Elsewhere the key "…" stands for it, which keeps the
// JSON valid: what is copied from the page can be mapped.

import { parseEvent, sampleBody } from '../src/commands/event-input.ts';
import type { CatalogueEntry } from '../src/fusionauth/catalogue.ts';
import { isObject } from '../src/fusionauth/event.ts';
import type { FusionAuthEvent, JsonObject } from '../src/fusionauth/event.ts';
import type { Field, Fields } from '../src/fusionauth/fields.ts';
import { user } from '../src/fusionauth/objects.ts';
import { createMapper } from '../src/mapping/map.ts';
import type { MappingOptions } from '../src/mapping/map.ts';
import { compilePrivacy, defaultPolicy } from '../src/mapping/privacy.ts';
import type { PrivacyAction } from '../src/mapping/privacy.ts';
import type { Message } from '../src/segment/message.ts';

export interface Sample {
  readonly event: FusionAuthEvent;
  /** As the default policy leaves them; those that it would become where its type is off. */
  readonly messages: readonly Message[];
  /** The values that the default policy changed, by path. */
  readonly redactions: ReadonlyMap<string, PrivacyAction>;
}

/** Stands for what is left out. */
export const rest = '…';

const library = { name: 'fusionauth-segment', version: rest };
const policy = compilePrivacy({ policies: [defaultPolicy], salt: '' });

/** The same each time. */
export function sampleOf(type: string, options: Pick<MappingOptions, 'groupId'> = {}): Sample {
  const event = parseEvent(sampleBody(type));
  const mapper = createMapper({ ...options, library, filters: [{ include: [type] }] });
  const redactions = new Map<string, PrivacyAction>();
  const messages = [...mapper.map(event)].flatMap((message) =>
    message.type === 'failure' ? [] : [policy(message, ({ path, action }) => redactions.set(path, action))],
  );
  return { event, messages, redactions };
}

/** The sample whose user, `info` and messages are shown in full. */
export const fullSample = sampleOf('user.update.complete');

/** What an event holds beyond `full`, which is shown elsewhere. */
export function abridgeEvent(event: FusionAuthEvent, { fields }: CatalogueEntry): JsonObject {
  const abridge = (name: string, value: unknown): unknown => {
    const field = fields[name];
    if (name === 'info') return { [rest]: 'see What every event has' };
    if (field === undefined) return value;
    if (name === 'original') return abridgeOriginal(value, field, event, fields);
    if (!isUser(field)) return value;
    return Array.isArray(value) ? value.map(abridgeUser) : abridgeUser(value);
  };
  return Object.fromEntries(Object.entries(event).map(([name, value]) => [name, abridge(name, value)]));
}

/** Without the context and the traits that every identify has. */
export function abridgeMessage(message: Message): JsonObject {
  const context = { [rest]: 'see What every message has' };
  if (message.type !== 'identify') return { ...message, context };
  const [full] = fullSample.messages;
  if (full?.type !== 'identify') return { ...message, context };
  return { ...message, context, traits: abridge(message.traits, full.traits, 'see Traits of a user') };
}

/** True for a user and for a list of them. */
export function isUser(field: Field): boolean {
  return fieldsOf(field) === user.fields;
}

/** `original` is how the event's object was before. */
function abridgeOriginal(value: unknown, field: Field, event: JsonObject, fields: Fields): unknown {
  const [sibling] =
    Object.entries(fields).find(
      ([name, other]) => name !== 'original' && fieldsOf(other) === fieldsOf(field),
    ) ?? [];
  const now = sibling === undefined ? undefined : event[sibling];
  return isObject(value) && isObject(now) ? abridge(value, now, `as ${sibling ?? ''}`) : value;
}

function abridgeUser(value: unknown): unknown {
  const full = fullSample.event.user;
  return isObject(value) && full ? { id: value['id'], ...abridge(value, full, 'see A user') } : value;
}

/** What differs, and that the rest is elsewhere. All of it where it lacks something that the other has. */
function abridge(value: JsonObject, full: JsonObject, where: string): JsonObject {
  if (Object.keys(full).some((key) => !Object.hasOwn(value, key))) return value;
  const differing = Object.entries(value).filter(
    ([key, entry]) => JSON.stringify(entry) !== JSON.stringify(full[key]),
  );
  return { ...Object.fromEntries(differing), [rest]: where };
}

function fieldsOf(field: Field): Fields | undefined {
  if (field.kind === 'list') return fieldsOf(field.of);
  return field.kind === 'object' ? field.fields : undefined;
}
