// An attempt as it is kept, so that the attempts of one record are found without a search.

import type { Attempt } from '../log.ts';

/** Positions from the first to the last of one stretch at most, so that whoever looks for a record knows how far to look. */
export const maxStretch = 1_000;

/** A part of an attempt's records. */
export interface Stretch {
  readonly first: number;
  readonly last: number;
  /** Whose messages were in it; undefined where those of all from the first to the last were. */
  readonly only: readonly number[] | undefined;
}

/**
 * The records of an attempt, as few stretches as may be. `sent`: positions in order, of the records that had messages to
 * send. One that was filtered has none, and those of a replay may lie far apart.
 */
export function stretchesOf({ first, last }: Attempt, sent: readonly number[]): readonly Stretch[] {
  const stretches: Stretch[] = [];
  const close = (positions: readonly number[]) => {
    const [from] = positions;
    const to = positions.at(-1);
    if (from === undefined || to === undefined) return;
    const isWhole = to - from === positions.length - 1;
    stretches.push({ first: from, last: to, only: isWhole ? undefined : positions });
  };
  let positions: number[] = [];
  for (const position of sent) {
    if (position < Number(first) || position > Number(last)) continue;
    if (position - (positions[0] ?? position) >= maxStretch) {
      close(positions);
      positions = [];
    }
    positions.push(position);
  }
  close(positions);
  return stretches;
}
