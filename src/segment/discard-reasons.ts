// Why Segment would not keep a message: the closed set of reasons, for checks, docs and metrics.

/**
 * Each reason with its one sentence. Named as Segment names it (the discard reasons of its Delivery Overview, "Failed on
 * Ingest"); in the same style where Segment has no name, because it answers 400 or drops without a word.
 */
export const discardReasons = {
  bad_request: 'It is none of Segment’s six calls, or Segment refused it alone with 400 or 413.',
  message_too_large: 'Its JSON has more than 32 KB.',
  message_id_required: 'It has no messageId, so a copy of it could not be told from it.',
  message_id_not_string: 'Its messageId is no string.',
  message_id_too_long: 'Its messageId has 100 characters or more.',
  no_user_anon_id: 'It has neither userId nor anonymousId.',
  id_not_string: 'Its userId, anonymousId, groupId or previousId is an empty string or no string.',
  id_required: 'It is a group call without groupId, or an alias call without previousId or userId.',
  event_not_defined: 'It is a track call without an event name.',
  event_not_string: 'The event name of a track call is no string.',
  properties_not_object: 'Its properties are no object.',
  too_many_properties: 'It has more than 10,000 properties, of which Segment would drop the rest.',
  traits_not_object: 'Its traits are no object.',
  name_not_string: 'The name of a page or screen call is an empty string or no string.',
  category_not_string: 'The category of a page or screen call is an empty string or no string.',
  context_not_object: 'Its context is no object.',
  device_advertisingid_should_be_string: 'Its context.device.advertisingId is no string.',
  consent_categorypreferences_should_exist:
    'It is a "Segment Consent Preference Updated" without context.consent.categoryPreferences.',
  consent_categorypreferences_fields_should_be_object:
    'The context.consent.categoryPreferences of a "Segment Consent Preference Updated" are no object.',
  consent_categorypreferences_fields_should_be_bool:
    'A category of a "Segment Consent Preference Updated" is neither true nor false.',
  consent_version_should_be_number:
    'The context.consent.version of a "Segment Consent Preference Updated" is no number.',
  timestamp_not_iso_date: 'Its timestamp is no ISO 8601 date.',
} as const satisfies Record<string, string>;

export type DiscardReason = keyof typeof discardReasons;

export interface Discard {
  readonly reason: DiscardReason;
  /** For the developer. Names fields and their kinds, never their values: those are somebody's data. */
  readonly detail: string;
}
