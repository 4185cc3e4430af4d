// What Segment's Tracking API refuses (its reference, "Max request size" and "Batch"), and what it drops in silence
// after a 200 (the Delivery Overview's discard reasons).

import type { Message } from './message.ts';

/** In UTF-8 bytes. Segment answers 400 to a larger message. */
export const maxMessageBytes = 32 * 1024;
/** In UTF-8 bytes, the envelope included: below Segment's 500 KB, whichever kilobyte it means. */
export const maxBatchBytes = 480_000;
/** Segment answers 200 to more than 2,500 and drops them; its own libraries stay far below, and so do we. */
export const maxBatchMessages = 500;
/** The documents say "fewer than 100" in one place and "limited to 100" in others. */
const maxMessageIdLength = 99;

/** Segment's own name for the reason where it has one (its discard codes), in the same style where it has none. */
export type DiscardReason =
  'message_too_large' | 'message_id_too_long' | 'no_user_anon_id' | 'event_not_defined';

export interface Discard {
  readonly reason: DiscardReason;
  readonly detail: string;
}

/** Why Segment would not keep this message, or undefined where it would. `bytes`: its JSON's length in UTF-8. */
export function findDiscard(message: Message, bytes: number): Discard | undefined {
  if (bytes > maxMessageBytes) {
    return {
      reason: 'message_too_large',
      detail: `The message has ${bytes} bytes; Segment takes ${maxMessageBytes}`,
    };
  }
  if (message.messageId.length > maxMessageIdLength) {
    return {
      reason: 'message_id_too_long',
      detail: `messageId has ${message.messageId.length} characters; Segment takes fewer than 100`,
    };
  }
  if (!message.userId && !message.anonymousId) {
    return { reason: 'no_user_anon_id', detail: 'Neither userId nor anonymousId is set' };
  }
  if (message.type === 'track' && message.event === '') {
    return { reason: 'event_not_defined', detail: 'The track message has no event name' };
  }
  return undefined;
}
