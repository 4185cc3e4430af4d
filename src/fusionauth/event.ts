// What a webhook's body must be to become an event: the one place where FusionAuth's JSON is parsed and judged.
// From here on an event has an id and a type, and the few fields that the code relies on have the kind they should;
// everything else is as FusionAuth sent it and is read with care (`mapping/read.ts`).

import { boundDepth } from './depth.ts';
import { stripSecrets } from './secrets.ts';
import { findExcess } from './structure.ts';

/** A FusionAuth event id: a UUID from FusionAuth, 1 to 64 printable ASCII characters from anybody else. */
export type EventId = string & { readonly __id: 'event' };

/** A JSON object of which nothing is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** One FusionAuth event (`body.event`). Only `id` and `type` are certain; unknown types and fields are kept. */
export interface FusionAuthEvent extends JsonObject {
  readonly id: EventId;
  readonly type: string;
  /** Milliseconds since 1970, UTC. May be Java's Long.MAX: go through `isoInstant` (mapping/read.ts). */
  readonly createInstant?: number | null;
  readonly tenantId?: string | null;
  readonly applicationId?: unknown;
  readonly info?: JsonObject | null;
  readonly user?: JsonObject | null;
}

/** The body is not an event. `path` says where, `message` what is wrong; neither repeats what the body holds. */
export class InvalidEventError extends Error {
  readonly code = 'EVENT_INVALID';
  readonly path: string;

  constructor(message: string, path: string) {
    super(message);
    this.name = 'InvalidEventError';
    this.path = path;
  }
}

/** Deeper nesting is kept as JSON text: every later step may then recurse without fear for the stack. */
const maxDepth = 100;
const idPattern = /^[\x21-\x7e]{1,64}$/;
const maxTypeLength = 200;

/**
 * Parses a webhook's body, `{"event":{…}}` or the bare event (FusionAuth's Kafka test message and its older samples
 * are bare), and strips its secrets. Throws InvalidEventError.
 */
export function parseWebhookBody(body: Buffer): FusionAuthEvent {
  return toEvent(parseJson(body));
}

/** Reads an event back that `parseWebhookBody` returned and `JSON.stringify` wrote. */
export function reviveEvent(text: string): FusionAuthEvent {
  return JSON.parse(text) as FusionAuthEvent;
}

function parseJson(body: Buffer): unknown {
  const text = body.toString('utf8').replace(/^\uFEFF/, '');
  if (text.trim() === '') throw new InvalidEventError('The body is empty; a JSON object is expected', '');
  const excess = findExcess(body);
  if (excess !== undefined) throw new InvalidEventError(`The body is ${excess}`, '');
  try {
    return JSON.parse(text);
  } catch (error) {
    // Of V8's message only the place at its end: its text can quote the body, which holds personal data.
    const place = /at position \d+(?: \(line \d+ column \d+\))?$/.exec(String(error))?.[0];
    throw new InvalidEventError(
      `The body is not JSON${place === undefined ? ': it ends too early or is malformed' : `: error ${place}`}`,
      '',
    );
  }
}

function toEvent(root: unknown): FusionAuthEvent {
  if (!isObject(root)) throw new InvalidEventError(`The body must be a JSON object, not ${kindOf(root)}`, '');
  const bare = typeof root['id'] === 'string' && typeof root['type'] === 'string';
  const enveloped = 'event' in root && !bare;
  const event = enveloped ? root['event'] : root;
  const at = (field: string) => (enveloped ? `event.${field}` : field);

  if (!isObject(event)) throw new InvalidEventError(`event must be an object, not ${kindOf(event)}`, 'event');
  checkText(event['id'], at('id'));
  checkText(event['type'], at('type'));
  if (!idPattern.test(event['id'] as string)) {
    throw new InvalidEventError(
      `${at('id')} must be 1 to 64 printable ASCII characters, as a UUID is`,
      at('id'),
    );
  }
  if ((event['type'] as string).length > maxTypeLength) {
    throw new InvalidEventError(`${at('type')} is longer than ${maxTypeLength} characters`, at('type'));
  }
  checkKind(event, 'createInstant', 'a number of milliseconds', (value) => typeof value === 'number', at);
  checkKind(event, 'tenantId', 'a string', (value) => typeof value === 'string', at);
  checkKind(event, 'info', 'an object', isObject, at);
  checkKind(event, 'user', 'an object', isObject, at);

  const depth = stripSecrets(event);
  if (depth > maxDepth) boundDepth(event, maxDepth);
  return event as FusionAuthEvent;
}

function checkText(value: unknown, path: string): void {
  if (value === undefined) throw new InvalidEventError(`${path} is missing`, path);
  if (typeof value !== 'string') {
    throw new InvalidEventError(`${path} must be a string, not ${kindOf(value)}`, path);
  }
  if (value === '') throw new InvalidEventError(`${path} is empty`, path);
}

function checkKind(
  event: JsonObject,
  field: string,
  expected: string,
  fits: (value: unknown) => boolean,
  at: (field: string) => string,
): void {
  const value = event[field];
  if (value === undefined || value === null || fits(value)) return;
  throw new InvalidEventError(`${at(field)} must be ${expected}, not ${kindOf(value)}`, at(field));
}

/** True for a JSON object: neither null nor an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}
