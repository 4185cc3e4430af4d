// How much Segment's Tracking API takes (its reference, "Max request size" and "Batch").

import type { Discard } from './discard-reasons.ts';

/** In UTF-8 bytes. Segment answers 400 to a larger message. */
export const maxMessageBytes = 32 * 1024;
/** In UTF-8 bytes, the envelope included: below Segment's 500 KB, whichever kilobyte it means. */
export const maxBatchBytes = 480_000;
/** Segment answers 200 to more than 2,500 and drops them; its own libraries stay far below, and so do we. */
export const maxBatchMessages = 500;
/** The documents say "fewer than 100" in one place and "limited to 100" in others. */
export const maxMessageIdLength = 99;
/** Of one message; Segment drops the rest in silence. */
export const maxProperties = 10_000;

/** Why Segment would refuse a message of this size, or undefined where it would not. `bytes`: its JSON's length in UTF-8. */
export function findOversize(bytes: number): Discard | undefined {
  if (bytes <= maxMessageBytes) return undefined;
  return {
    reason: 'message_too_large',
    detail: `The message has ${bytes} bytes; Segment takes ${maxMessageBytes}`,
  };
}
