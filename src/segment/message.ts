// The messages of Segment's spec (its documents, "Spec: Common Fields" and the page of each call).

/** Values that survive JSON. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonMap = Readonly<Record<string, JsonValue>>;

/** At most 100 characters; Segment and the warehouse drop a second message of the same id. */
export type MessageId = string & { readonly __id: 'message' };

interface Common {
  readonly messageId: MessageId;
  /** Of the person the message is about. Segment drops a message that has neither this nor `anonymousId`. */
  readonly userId?: string;
  readonly anonymousId?: string;
  /** ISO 8601, UTC. Absent where the source knows no time: Segment then takes its own. */
  readonly timestamp?: string;
  readonly context: JsonMap;
}

export interface IdentifyMessage extends Common {
  readonly type: 'identify';
  readonly traits: JsonMap;
}

export interface TrackMessage extends Common {
  readonly type: 'track';
  readonly event: string;
  readonly properties: JsonMap;
}

export interface GroupMessage extends Common {
  readonly type: 'group';
  readonly groupId: string;
  readonly traits: JsonMap;
}

export interface AliasMessage extends Common {
  readonly type: 'alias';
  readonly previousId: string;
}

export interface PageMessage extends Common {
  readonly type: 'page' | 'screen';
  readonly name?: string;
  readonly category?: string;
  readonly properties: JsonMap;
}

/** One Segment call. */
export type Message = IdentifyMessage | TrackMessage | GroupMessage | AliasMessage | PageMessage;
