// docs/events.md: every FusionAuth event, what it becomes, and an example of it. All of it is made from the catalogue,
// the rules and the mapping itself.

import assert from 'node:assert/strict';
import { baseFields, catalogue } from '../src/fusionauth/catalogue.ts';
import type { CatalogueEntry } from '../src/fusionauth/catalogue.ts';
import { user } from '../src/fusionauth/objects.ts';
import { describeBecoming, summarize } from '../src/mapping/describe.ts';
import { defaultAnonymousId } from '../src/mapping/messages.ts';
import { defaultPolicy } from '../src/mapping/privacy.ts';
import { secretsOf, tellings, typeSection, withLinks } from './events-section.ts';
import { fullSample, rest, sampleOf } from './events-samples.ts';
import {
  contextRows,
  leafRows,
  propertyRows,
  redactionsUnder,
  traitRows,
  valueTable,
} from './events-values.ts';
import type { ValueRow } from './events-values.ts';
import { code, foldedJson, formatTable, linkTo, listOf } from './markdown.ts';

/** Titles, and how the names of their types begin; of several that fit, the longest counts. */
const subjects = {
  Accounts: 'user.',
  Logins: 'user.login.',
  Passwords: 'user.password.',
  'Two-factor': 'user.two-factor.',
  Registrations: 'user.registration.',
  'Identity providers': 'user.identity-provider.',
  Groups: 'group.',
  Tokens: 'jwt.',
  Entities: 'entity.',
  System: '',
} as const satisfies Record<string, string>;

/** With all values that there are. */
const context = sampleOf('user.login.success', { groupId: 'tenant' }).messages[0]?.context ?? {};

const entries: readonly CatalogueEntry[] = catalogue;

export function eventsPage(): string {
  const types = groupBySubject();
  const sections = [
    introduction(),
    summary(types),
    howToRead(),
    whatEveryEventHas(),
    aUser(),
    whatEveryMessageHas(),
    traitsOfAUser(),
    traitsOfAGroup(),
    privacy(),
    ...[...types.values()].flat().map(typeSection),
  ];
  return `${sections.join('\n\n')}\n`;
}

function introduction(): string {
  return `# FusionAuth’s events

FusionAuth has ${entries.length} types of events; this page says of each when it is sent, what it becomes at Segment and in the
warehouse, and how it looks. What becomes of yours, under your own configuration, the bridge tells itself:

\`\`\`sh
npm run -s cli -- events                                          # all types
npm run -s cli -- map --sample user.login.success --explain       # one of them, step by step
\`\`\`

${[
  'All types',
  'How to read this page',
  'What every event has',
  'A user',
  'What every message has',
  'Traits of a user',
  'Traits of a group',
  'Privacy',
]
  .map((heading) => linkTo(heading))
  .join(' · ')}`;
}

function groupBySubject(): ReadonlyMap<string, readonly CatalogueEntry[]> {
  const longestFirst = Object.entries(subjects).sort(([, a], [, b]) => b.length - a.length);
  const titleOf = (type: string) => longestFirst.find(([, prefix]) => type.startsWith(prefix))?.[0];
  const byTitle = Map.groupBy(entries, ({ type }) => titleOf(type));
  return new Map(Object.keys(subjects).map((title) => [title, byTitle.get(title) ?? []]));
}

function summary(types: ReadonlyMap<string, readonly CatalogueEntry[]>): string {
  const rowOf = (entry: CatalogueEntry) => [
    linkTo(entry.type),
    entry.plan === undefined ? entry.since : `${entry.since}, ${entry.plan}`,
    withLinks(summarize(describeBecoming(entry)), entry),
    describeBecoming(entry, { naming: 'segment' }).eventName ?? '',
  ];
  return `## All types

${[...types]
  .map(
    ([title, ofSubject]) =>
      `### ${title}\n\n${formatTable(['type', 'since', 'becomes', "name under `naming: 'segment'`"], ofSubject.map(rowOf))}`,
  )
  .join('\n\n')}`;
}

function howToRead(): string {
  return `## How to read this page

- **Since**: the FusionAuth version that first sent it; *early* is older than FusionAuth’s documents tell.
- **Plan**: *paid* and *enterprise* are FusionAuth’s plans that have it; without a word all have it.
- **Transactional**: FusionAuth sends it before the change is committed, and a tenant may have FusionAuth wait for the
  answers of its webhooks and undo the change where too few are good. So it can tell of something that was undone in the
  end. Leave the tenant’s setting at *None*: with any other, logins and changes may fail while the bridge is down.
  What is not transactional is sent once the change is committed.
- **Tenant** or **instance**: an event of a tenant is sent where the tenant’s settings enable it, the webhook is for that
  tenant (or for all), and the webhook enables it, too. An event of the instance has no tenant, and the webhook alone
  enables it.
- **Twin**: of many changes FusionAuth sends two events, one before the commit and one after it. The one after it is
  mapped, the other is off.
- **Off**: it becomes nothing, until \`events.include\` in the configuration file has its full name.
- **Nothing**: it is stored and shown all the same, and so is a type that is not on this page. Your own \`map\` can make
  messages of it ([mapping.md](mapping.md)).
- **Name**: of a track. Under \`naming: 'segment'\` its property \`fusionauthType\` keeps FusionAuth’s type.
- **Time**: in an event milliseconds since 1970, in a message ISO 8601 (\`2026-01-01T00:00:00.000Z\`). \`[]\` behind a name
  is a list of such. Fields that FusionAuth leaves empty are missing, in messages as well.
- **Personal**: it tells about a person; ${linkTo('Privacy')} says how to withhold it.
- **Secret**: stripped before the event is stored, logged or sent.
- **\`"${rest}"\`** in an example stands for what is the same everywhere, and is shown in full where it says. So the
  examples are JSON, and \`map\` takes the events. Messages are those of the default configuration.

What an event tells decides what it becomes:

${formatTable(
  ['it tells', 'and becomes'],
  Object.values(tellings).map(({ words, becomes }) => [words, becomes]),
)}`;
}

function whatEveryEventHas(): string {
  return `## What every event has

Events of the instance have \`id\`, \`type\` and \`createInstant\` alone.

${valueTable('field', [{ path: 'type', kind: 'text', isPersonal: false }, ...leafRows(baseFields)])}

\`info\` is where the request came from: of the person’s browser, or of your server where that called FusionAuth’s API. Its
\`data\` is what the caller gives as \`eventInfo.data\`.

${foldedJson('<code>info</code> in full', fullSample.event.info)}`;
}

function aUser(): string {
  return `## A user

${linkTo('Traits of a user')} says which of its fields become traits. Secret, and stripped wherever a user stands: ${listOf(
    secretsOf(user.fields),
  )}.

${foldedJson('A user in full', fullSample.event.user)}`;
}

function whatEveryMessageHas(): string {
  return `## What every message has

| field | |
| --- | --- |
| \`messageId\` | from the event’s id: the same event always has the same, so that a copy is recognised |
| \`userId\` | the id of the user whom it is about, never of the one who acted |
| \`anonymousId\` | \`${defaultAnonymousId}\`, where the event has it |
| \`timestamp\` | the event’s \`createInstant\` |
| \`context\` | the values below |

${valueTable('context', contextRows(context))}

${foldedJson('<code>context</code> in full', context)}`;
}

function traitsOfAUser(): string {
  const [message] = fullSample.messages;
  return `## Traits of a user

An \`identify\` has all of them that FusionAuth tells.

${valueTable('trait', traitRows(), redactionsUnder('traits'))}

${foldedJson('An identify in full', message)}`;
}

function traitsOfAGroup(): string {
  const { messages } = sampleOf('group.member.add.complete');
  const traits = messages.find((message) => message.type === 'group')?.traits ?? {};
  return `## Traits of a group

A \`group\` call has the group’s id as \`groupId\` and these traits: ${listOf(Object.keys(traits))}. They come from the group’s
fields of the same names, \`createdAt\` from \`insertInstant\`. The group’s \`roles\` are left out.`;
}

function privacy(): string {
  const properties = entries.flatMap((entry) =>
    propertyRows(entry, sampleOf(entry.type))
      .filter(({ isPersonal }) => isPersonal)
      .map(({ path }) => ({ path: policyPath('properties', path), type: entry.type })),
  );
  const personal = (part: string, rows: readonly ValueRow[]) =>
    listOf(rows.filter(({ isPersonal }) => isPersonal).map(({ path }) => policyPath(part, path)));
  return `## Privacy

A policy in the configuration file drops, hashes, truncates or masks values by their path ([mapping.md](mapping.md)). These
are personal:

- in every message: ${personal('context', contextRows(context))}, and \`anonymousId\`
- in every \`identify\`: ${personal('traits', traitRows())}
- in the \`group\` calls: none
- in tracks:

${formatTable(
  ['path', 'of'],
  [...Map.groupBy(properties, ({ path }) => path)].map(([path, of]) => [
    code(path),
    of.map(({ type }) => linkTo(type)).join(', '),
  ]),
)}

Without a word of yours this is the policy, for all destinations:

${defaultPolicyTables()}`;
}

/** Rules for keys in free-form data, a pattern for each key and place, are told as one. */
function defaultPolicyTables(): string {
  const separator = '.**.';
  const rules = Object.entries(defaultPolicy);
  const exact = rules.filter(([pattern]) => !pattern.includes(separator));
  const inData = rules
    .filter(([pattern]) => pattern.includes(separator))
    .map(([pattern, action]) => {
      const end = pattern.indexOf(separator);
      return { place: pattern.slice(0, end), key: pattern.slice(end + separator.length), action };
    });
  const places = [...Map.groupBy(inData, ({ place }) => place)];
  const keysOf = (rulesOfPlace: typeof inData) => rulesOfPlace.map(({ key, action }) => `${key} ${action}`);
  for (const [, ofPlace] of places) assert.deepEqual(keysOf(ofPlace), keysOf(places[0]?.[1] ?? []));
  assert.deepEqual([...new Set(inData.map(({ action }) => action))], ['drop']);
  return `${formatTable(
    ['path', 'action'],
    exact.map(([pattern, action]) => [code(pattern), action]),
  )}

In ${listOf(places.map(([place]) => place))}, at any depth, what has a key like one of these is dropped, whether written
in small letters or capitals:

${listOf([...new Set(inData.map(({ key }) => key))])}`;
}

/** As a policy names it: lists have no place of their own. */
function policyPath(part: string, path: string): string {
  return `${part}.${path.replaceAll('[]', '')}`;
}
