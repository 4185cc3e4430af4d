// `events`: the catalogue.

import { catalogue } from '../fusionauth/catalogue.ts';
import { messageKindsOf } from '../mapping/map.ts';
import { formatTable, print, printJson } from './report.ts';

export function events({ text = '', json }: { text?: string | undefined; json?: boolean }): void {
  const entries = catalogue
    .filter(({ type }) => type.includes(text))
    .map((entry) => ({ ...entry, becomes: messageKindsOf(entry.type) }));
  if (json === true) {
    printJson(entries);
    return;
  }
  print(
    formatTable([
      ['TYPE', 'SINCE', 'BECOMES', 'SENT WHEN'],
      ...entries.map(({ type, since, becomes, when }) => [
        type,
        since,
        becomes.join(', ') || 'stored only',
        when,
      ]),
    ]),
  );
}
