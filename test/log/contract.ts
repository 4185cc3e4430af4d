// What every event log keeps: one suite, run against each implementation by `describeLog`; a file for each subject.

import { describe } from 'node:test';
import { describeAppend } from './contract/append.ts';
import { describeBooks } from './contract/books.ts';
import { describeConsume, describeLinger } from './contract/consume.ts';
import { describeDeadLetters } from './contract/dead-letters.ts';
import { describeFilter } from './contract/filter.ts';
import { describeFollow } from './contract/follow.ts';
import { describeJourney } from './contract/journey.ts';
import { describeModel, modelRuns } from './contract/model.ts';
import { describePrune } from './contract/prune.ts';
import { describeReplay } from './contract/replay.ts';
import { describeSearch } from './contract/search.ts';
import type { OpenLog } from './opened-log.ts';

export function describeLog(name: string, open: OpenLog): void {
  describe(
    `the log contract, kept by ${name}`,
    { concurrency: 4, timeout: 120_000 + modelRuns * 5_000 },
    () => {
      describeAppend(open);
      describeConsume(open);
      describeLinger(open);
      describeBooks(open);
      describeJourney(open);
      describeFilter(open);
      describeSearch(open);
      describeFollow(open);
      describeDeadLetters(open);
      describeReplay(open);
      describePrune(open);
      describeModel(open);
    },
  );
}
