// A time: how long ago, and exactly for who points at it.

import { Text } from '@mantine/core';

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** `3 min`. */
export function spanOf(milliseconds: number): string {
  const [unit, length] = units.find(([, length]) => milliseconds >= length) ?? ['s', 1_000];
  return `${Math.max(0, Math.floor(milliseconds / length))} ${unit}`;
}

/** `14:03:59`, or with the day where it is another one. */
export function clockOf(at: number): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString([], { hour12: false });
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString()} ${time}`;
}

export function Moment({ at }: { at: number }) {
  return (
    <Text
      component="time"
      size="sm"
      dateTime={new Date(at).toISOString()}
      title={new Date(at).toISOString()}
      inherit
    >
      {clockOf(at)}
    </Text>
  );
}
