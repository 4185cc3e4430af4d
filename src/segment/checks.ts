// What Segment drops after it has answered 200 (its Delivery Overview, the discard reasons "Failed on Ingest"). It holds
// for every destination: what Segment would drop is no message, and a warehouse of the same layout must not keep it.

import type { Discard, DiscardReason } from './discard-reasons.ts';
import { maxMessageIdLength, maxProperties } from './limits.ts';
import type { Message } from './message.ts';

/** A message before it is checked: it may come from a user's own code, so no field is of a known kind. */
type Unchecked = { readonly [Field in FieldName]?: unknown };
type FieldName = 'type' | 'timestamp' | 'context' | 'event' | 'name' | 'category' | ObjectField | IdField;
type ObjectField = 'properties' | 'traits';
type IdField = 'messageId' | 'userId' | 'anonymousId' | 'groupId' | 'previousId';

const messageTypes: ReadonlySet<string> = new Set<Message['type']>([
  'identify',
  'track',
  'group',
  'alias',
  'page',
  'screen',
]);
const consentEvent = 'Segment Consent Preference Updated';
/** A date, or a date and a time, with a zone or, though Segment asks for one, without. */
const isoDate = /^(\d{4}-\d{2}-(\d{2}))(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;

/**
 * Why Segment would not keep this message, whatever its size (that is findOversize), or undefined where it would. Only
 * `undefined` counts as absent, in a field that may be: null is neither a string nor an object.
 */
export function findDiscard(message: unknown): Discard | undefined {
  if (!isPlainObject(message))
    return { reason: 'bad_request', detail: `The message is ${kindOf(message)}, not an object` };
  const unchecked: Unchecked = message;
  return (
    checkType(unchecked) ??
    checkMessageId(unchecked) ??
    checkIds(unchecked) ??
    checkCall(unchecked) ??
    checkContext(unchecked) ??
    checkTimestamp(unchecked)
  );
}

function checkType({ type }: Unchecked): Discard | undefined {
  if (typeof type !== 'string') return wrongKind('bad_request', 'type', type);
  return messageTypes.has(type)
    ? undefined
    : { reason: 'bad_request', detail: 'type is none of Segment’s six calls' };
}

function checkMessageId({ messageId }: Unchecked): Discard | undefined {
  if (messageId === undefined || messageId === '')
    return { reason: 'message_id_required', detail: 'messageId is not set' };
  if (typeof messageId !== 'string') return wrongKind('message_id_not_string', 'messageId', messageId);
  if (messageId.length <= maxMessageIdLength) return undefined;
  return {
    reason: 'message_id_too_long',
    detail: `messageId has ${messageId.length} characters; Segment takes fewer than 100`,
  };
}

function checkIds(message: Unchecked): Discard | undefined {
  for (const field of ['userId', 'anonymousId', 'groupId', 'previousId'] as const) {
    if (!isAbsentOrText(message[field])) return wrongKind('id_not_string', field, message[field]);
  }
  if (message.userId !== undefined || message.anonymousId !== undefined) return undefined;
  return { reason: 'no_user_anon_id', detail: 'Neither userId nor anonymousId is set' };
}

/** What each of the six calls asks for. */
function checkCall(message: Unchecked): Discard | undefined {
  switch (message.type) {
    case 'identify':
      return checkObject(message, 'traits');
    case 'track':
      return checkEvent(message) ?? checkObject(message, 'properties') ?? checkConsent(message);
    case 'group':
      return checkRequired(message, 'groupId') ?? checkObject(message, 'traits');
    case 'alias':
      return checkRequired(message, 'previousId') ?? checkRequired(message, 'userId');
    case 'page':
    case 'screen':
      return checkNames(message) ?? checkObject(message, 'properties');
    default:
      return undefined;
  }
}

function checkRequired(message: Unchecked, field: IdField): Discard | undefined {
  if (message[field] !== undefined) return undefined;
  return { reason: 'id_required', detail: `${field} is not set` };
}

function checkObject(message: Unchecked, field: ObjectField): Discard | undefined {
  const value = message[field];
  if (value === undefined) return undefined;
  if (!isPlainObject(value)) return wrongKind(`${field}_not_object`, field, value);
  const count = Object.keys(value).length;
  if (field === 'traits' || count <= maxProperties) return undefined;
  return {
    reason: 'too_many_properties',
    detail: `The message has ${count} properties; Segment keeps ${maxProperties}`,
  };
}

function checkEvent({ event }: Unchecked): Discard | undefined {
  if (event === undefined || event === '')
    return { reason: 'event_not_defined', detail: 'The track message has no event name' };
  return typeof event === 'string' ? undefined : wrongKind('event_not_string', 'event', event);
}

function checkNames({ name, category }: Unchecked): Discard | undefined {
  if (!isAbsentOrText(name)) return wrongKind('name_not_string', 'name', name);
  return isAbsentOrText(category) ? undefined : wrongKind('category_not_string', 'category', category);
}

/** Segment checks the consent of this one event alone (its documents, "Consent in Unify"). */
function checkConsent({ event, context }: Unchecked): Discard | undefined {
  if (event !== consentEvent) return undefined;
  const consent = fieldsOf(fieldsOf(context)['consent']);
  const { categoryPreferences: preferences, version } = consent;
  const field = 'context.consent.categoryPreferences';
  if (preferences === undefined)
    return { reason: 'consent_categorypreferences_should_exist', detail: `${field} is not set` };
  if (!isPlainObject(preferences))
    return wrongKind('consent_categorypreferences_fields_should_be_object', field, preferences);
  const wrong = Object.values(preferences).find((preference) => typeof preference !== 'boolean');
  if (wrong !== undefined)
    return wrongKind('consent_categorypreferences_fields_should_be_bool', `A field of ${field}`, wrong);
  return version === undefined || typeof version === 'number'
    ? undefined
    : wrongKind('consent_version_should_be_number', 'context.consent.version', version);
}

function checkContext({ context }: Unchecked): Discard | undefined {
  if (context === undefined) return undefined;
  if (!isPlainObject(context)) return wrongKind('context_not_object', 'context', context);
  const { advertisingId } = fieldsOf(context['device']);
  return advertisingId === undefined || typeof advertisingId === 'string'
    ? undefined
    : wrongKind('device_advertisingid_should_be_string', 'context.device.advertisingId', advertisingId);
}

function checkTimestamp({ timestamp }: Unchecked): Discard | undefined {
  if (timestamp === undefined || (typeof timestamp === 'string' && isIsoDate(timestamp))) return undefined;
  return typeof timestamp === 'string'
    ? { reason: 'timestamp_not_iso_date', detail: 'timestamp is a string, but no ISO 8601 date' }
    : wrongKind('timestamp_not_iso_date', 'timestamp', timestamp);
}

function isIsoDate(text: string): boolean {
  const [, date, day] = isoDate.exec(text) ?? [];
  if (date === undefined || Number.isNaN(Date.parse(text))) return false;
  // Date takes a 30th of February for the 2nd of March.
  return new Date(date).getUTCDate() === Number(day);
}

function wrongKind(reason: DiscardReason, field: string, value: unknown): Discard {
  return { reason, detail: `${field} is ${kindOf(value)}` };
}

/** In words, for a detail. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (value === '') return 'an empty string';
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object') return `a ${typeof value}`;
  return isPlainObject(value) ? 'an object' : `an object (${tagOf(value)})`;
}

function isAbsentOrText(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && value !== '');
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isPlainObject(value) ? value : {};
}

/** By its tag: a Date and a Map become no object in JSON, and an object of another realm (`node:vm`) is one like ours. */
function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return tagOf(value) === 'Object';
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}
