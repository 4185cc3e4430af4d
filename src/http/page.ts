// The first page, made on the server: what is connected, the books, the last events. It runs no script.

import { entryOf } from '../fusionauth/catalogue.ts';
import type { RecordSummary } from '../log/log.ts';
import { escapeHtml } from './html.ts';
import type { SessionKind } from './sessions.ts';
import type { DestinationStatus, Status } from './status.ts';

export interface PageData {
  readonly status: Status;
  readonly latest: readonly RecordSummary[];
  /** Of each destination that is on: where it is. No password. */
  readonly places: Readonly<Record<string, string>>;
  /** How webhooks are verified, in words. */
  readonly verification: string;
  readonly version: string;
  /** Of a visitor who signed in, and may sign out. */
  readonly session: SessionKind | undefined;
}

/** For the header Content-Security-Policy: styles of the page's own, a form to sign out, and nothing else. */
export const contentSecurityPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

export function renderPage({ status, latest, places, verification, version, session }: PageData): string {
  const names = Object.keys(status.destinations);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>fusionauth-segment</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>fusionauth-segment <small>${escapeHtml(version)}</small></h1>
<p>${escapeHtml(verification)}</p>
${signOutForm(session)}

<h2>Books</h2>
<dl>
${['received', 'duplicates', 'stored', 'rejected'].map((name) => number(name, status[name as 'received'])).join('\n')}
</dl>

<h2>Destinations</h2>
${names.length === 0 ? '<p>None is on: set <code>SEGMENT_WRITE_KEY</code>, or leave <code>WAREHOUSE_URL</code> unset.</p>' : destinationTable(status, places)}

<h2>Last events</h2>
${latest.length === 0 ? emptyState : eventTable(latest, names)}
</main>
</body>
</html>
`;
}

function signOutForm(session: SessionKind | undefined): string {
  if (session === undefined) return '';
  return `<form method="post" action="/sign-out">Signed in${session === 'viewer' ? ' to read only' : ''}. <button type="submit">Sign out</button></form>`;
}

const emptyState = `<p>Nothing has arrived yet. Post a sample:</p>
<pre>npm run -s cli -- send user.login.success</pre>`;

function destinationTable({ destinations }: Status, places: PageData['places']): string {
  const rows = Object.entries(destinations).map(
    ([name, books]) => `<tr>
<th scope="row">${escapeHtml(name)}<br><small>${escapeHtml(places[name] ?? '')}</small></th>
<td class="${books.state}">${escapeHtml(books.state)}${fault(books)}${discards(books)}</td>
${(['pending', 'delivered', 'filtered', 'dead'] as const).map((outcome) => `<td class="number">${books[outcome]}</td>`).join('')}
</tr>`,
  );
  return table(['destination', 'state', 'pending', 'delivered', 'filtered', 'dead'], rows);
}

function fault({ fault: current }: DestinationStatus): string {
  if (!current) return '';
  return `<br><small>${escapeHtml(current.message)}, ${current.attempts} attempts since ${escapeHtml(time(current.since))}.<br>${escapeHtml(current.hint)}</small>`;
}

function discards({ discardedValues = 0 }: DestinationStatus): string {
  if (discardedValues === 0) return '';
  return `<br><small>${discardedValues} values fitted no column; they stand in its table <code>discards</code>.</small>`;
}

function eventTable(latest: readonly RecordSummary[], names: readonly string[]): string {
  const rows = latest.map(
    (record) => `<tr>
<td>${escapeHtml(time(record.receivedAt))}</td>
<td>${escapeHtml(record.type)}${entryOf(record.type) ? '' : ' <small>unknown type</small>'}</td>
<td><code>${escapeHtml(record.id)}</code></td>
<td>${escapeHtml(record.verifiedBy)}</td>
${names.map((name) => `<td class="${record.outcomes[name] ?? ''}">${escapeHtml(record.outcomes[name] ?? '')}</td>`).join('')}
</tr>`,
  );
  return table(['received, UTC', 'type', 'event id', 'verified by', ...names], rows);
}

function table(headings: readonly string[], rows: readonly string[]): string {
  return `<div class="scroll"><table>
<thead><tr>${headings.map((heading) => `<th scope="col">${escapeHtml(heading)}</th>`).join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>`;
}

function number(name: string, value: number): string {
  return `<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('T', ' ').slice(0, 19);
}

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 small, small { font-weight: normal; opacity: 0.75; }
dl { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 0; }
dt { opacity: 0.75; }
dd { margin: 0; font-size: 1.75rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.75rem 0.35rem 0; border-bottom: 1px solid #8884; }
thead th { opacity: 0.75; font-weight: normal; white-space: nowrap; }
.number { font-variant-numeric: tabular-nums; }
.retrying, .dead { color: light-dark(#a40000, #ff8a80); }
code, pre { font-size: 0.9em; }
pre { padding: 0.75rem; background: #8882; overflow-x: auto; }
`;
