// One type of event in docs/events.md: when it is sent, what it becomes and why, what its messages tell, an example.

import { rowsOf } from '../src/destinations/warehouse/rows.ts';
import { catalogue } from '../src/fusionauth/catalogue.ts';
import type { CatalogueEntry, Telling } from '../src/fusionauth/catalogue.ts';
import { describeFields } from '../src/fusionauth/describe-fields.ts';
import type { FusionAuthEvent } from '../src/fusionauth/event.ts';
import type { Field, Fields } from '../src/fusionauth/fields.ts';
import { describeBecoming } from '../src/mapping/describe.ts';
import { isDeletion, redundantTrack, ruleOf } from '../src/mapping/rules.ts';
import { abridgeEvent, abridgeMessage, isUser, sampleOf } from './events-samples.ts';
import type { Sample } from './events-samples.ts';
import { leafRows, propertyRows, redactionsUnder, valueTable } from './events-values.ts';
import { code, foldedJson, linkTo, listOf } from './markdown.ts';

/** What an event may tell, in words. */
export const tellings = {
  profile: { becomes: 'identify', words: 'how its user now is' },
  activity: { becomes: 'track', words: 'what its user did, or what happened to that user' },
  import: { becomes: 'identify', words: 'how each of its users is' },
  membership: { becomes: 'group', words: 'that each of its members is in its group' },
  departure: { becomes: 'track', words: 'that each of its members is no longer in its group' },
} as const satisfies Record<Telling, { becomes: string; words: string }>;

const entries: readonly CatalogueEntry[] = catalogue;

export function typeSection(entry: CatalogueEntry): string {
  const sample = sampleOf(entry.type);
  return [
    `## ${entry.type}`,
    `Sent when ${entry.when}.`,
    factsLine(entry),
    becomingParagraph(entry, sample),
    ...remarks(entry),
    ...valuesOf(entry, sample),
    foldedJson('Event', { event: abridgeEvent(sample.event, entry) }),
    ...(sample.messages.length === 0
      ? []
      : [foldedJson(messagesTitle(entry), sample.messages.map(abridgeMessage))]),
  ].join('\n\n');
}

function factsLine({ since, plan, transactional, scope }: CatalogueEntry): string {
  return [
    since === 'early' ? 'Since early versions' : `Since ${since}`,
    { all: 'all plans', paid: 'paid plans', enterprise: 'enterprise plan' }[plan ?? 'all'],
    transactional ? 'transactional' : 'not transactional',
    scope === 'instance' ? 'of the instance' : 'of a tenant',
  ].join(' · ');
}

function becomingParagraph(entry: CatalogueEntry, { messages }: Sample): string {
  const { state, reason = '' } = describeBecoming(entry);
  if (state === 'never') {
    return `Becomes **nothing**: ${reason}.`;
  }
  const filters = [{ include: [entry.type] }];
  const phrase = describeBecoming(entry, { filters }).phrase;
  const { eventName } = describeBecoming(entry, { naming: 'segment', filters });
  const why = `since it tells ${entry.tells.map((telling) => tellings[telling].words).join(', and ')}`;
  const tables = [
    ...new Set(messages.flatMap((message) => rowsOf(message, 0).map(({ table }) => code(table)))),
  ];
  const becomes =
    state === 'on'
      ? `Becomes **${phrase}**, ${why}.`
      : `Becomes **nothing** by default: ${withLinks(reason, entry)}. Switched on, it becomes **${phrase}**, ${why}.`;
  return [
    becomes,
    ...(eventName === undefined ? [] : [`Under \`naming: 'segment'\` the track is called **${eventName}**.`]),
    `In the warehouse: ${tables.join(', ')}.`,
  ].join(' ');
}

function remarks(entry: CatalogueEntry): readonly string[] {
  const { type, aliases = [], userIdAt, fields } = entry;
  const rule = ruleOf(type);
  const before = entries.find((other) => other.twin === type);
  const redundant = rule && redundantTrack(rule, { loginIdType: 'email' } as unknown as FusionAuthEvent);
  const secrets = secretsOf(fields, (field) => !isUser(field));
  const renamed = Object.entries(fields).filter(([, field]) => field.formerly !== undefined);
  const ids =
    rule?.each === 'users' ? ['users[].id'] : rule?.each === 'members' ? ['members[].userId'] : userIdAt;
  const lines = [
    before !== undefined && `Its twin before the commit: ${linkTo(before.type)}.`,
    isDeletion(entry) &&
      `${linkTo('user.delete')} and ${linkTo('user.delete.complete')} of one deletion become one message: both have the same id.`,
    redundant !== undefined && `No track where \`loginIdType\` is \`email\`: ${withLinks(redundant, entry)}.`,
    entry.tells.length > 0 && ids !== undefined && `Its user is ${listOf(ids, ', else ')}.`,
    aliases.length > 0 && `Also spelled ${listOf(aliases)}.`,
    renamed.length > 0 &&
      `Also read by a former name: ${renamed.map(([name, { formerly = '' }]) => `${code(name)} as ${code(formerly)}`).join(', ')}.`,
    secrets.length > 0 && `Secret, and stripped: ${listOf(secrets)}.`,
  ].filter((line) => line !== false);
  return lines.length === 0 ? [] : [lines.map((line) => `- ${line}`).join('\n')];
}

/** Links to the other types that a text names. */
export function withLinks(text: string, { type }: CatalogueEntry): string {
  const isOther = (name: string) => name !== type && entries.some((entry) => entry.type === name);
  return text.replaceAll(/[\w-]+(?:\.[\w-]+)+/g, (name) => (isOther(name) ? linkTo(name) : name));
}

/** The tables of what its messages tell; of a type that becomes nothing, of its own fields. */
function valuesOf(entry: CatalogueEntry, sample: Sample): readonly string[] {
  const kinds = new Set(sample.messages.map(({ type }) => type));
  if (kinds.size === 0) {
    return [valueTable('field', leafRows(entry.fields, entry))];
  }
  return [
    ...(kinds.has('track')
      ? [valueTable('property', propertyRows(entry, sample), redactionsUnder('properties', sample))]
      : []),
    ...(kinds.has('identify')
      ? [`The identify has the ${linkTo('Traits of a user', 'traits of a user')}.`]
      : []),
    ...(kinds.has('group')
      ? [`The group call has the ${linkTo('Traits of a group', 'traits of a group')}.`]
      : []),
  ];
}

function messagesTitle(entry: CatalogueEntry): string {
  return describeBecoming(entry).state === 'on' ? 'Messages' : 'Messages, where it is switched on';
}

/** Paths of secret fields, of objects that are secret as a whole the object alone. */
export function secretsOf(
  fields: Fields,
  isWanted: (field: Field) => boolean = () => true,
): readonly string[] {
  const wanted = Object.fromEntries(Object.entries(fields).filter(([, field]) => isWanted(field)));
  return describeFields(wanted).flatMap(({ path, isSecret }) => (isSecret ? [path] : []));
}
