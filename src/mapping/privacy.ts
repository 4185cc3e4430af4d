// The privacy policy: which values of a message may not reach a destination as they are. A rule is a pattern
// (privacy-patterns.ts says what it may be, and which of several decides) and an action (privacy-actions.ts). Pure.

import type { JsonMap, JsonValue, Message } from '../segment/message.ts';
import { applyAction } from './privacy-actions.ts';
import type { PrivacyAction, PrivacyPolicy } from './privacy-actions.ts';
import { createRootPlace, createStep, reachableParts } from './privacy-patterns.ts';
import type { Place, Step } from './privacy-patterns.ts';

export { privacyActions } from './privacy-actions.ts';
export type { PrivacyAction, PrivacyPolicy } from './privacy-actions.ts';

export interface PrivacyOptions {
  /** At equal depth and with as many literal segments a later policy wins. */
  readonly policies: readonly PrivacyPolicy[];
  /** The key of `hash`. */
  readonly salt: string;
}

/** One value that a rule changed or removed. */
export interface Redaction {
  /** As a pattern would name it: without the places in lists. */
  readonly path: string;
  readonly pattern: string;
  readonly action: PrivacyAction;
}

const freeFormData = [
  'traits.data',
  'traits.registrations.data',
  'traits.memberships.data',
  'properties.data',
  'properties.*.data',
];

/**
 * Keys of secrets, and of numbers that open an account or name a citizen. Where one is in doubt it goes, `secretaryName`
 * too: an operator keeps it with one line. None has a literal segment, so that in a later policy `traits.data.**`
 * outranks them all.
 */
const sensitiveKeys = [
  // FusionAuth's own are stripped before the log (fusionauth/secrets.ts); these are an application's.
  ...['*password*', '*passwd*', '*passphrase*', '*passcode*', '*pwd*', '*secret*'],
  // At the end only: accessToken is a credential, while tokensLeft, tokenCount and maxTokens are what somebody bought.
  // So is `tokens: 5`, but tokens by name, `tokens: { google: … }`, are credentials again.
  ...['*token', '*access*token*', '*refresh*token*', '*tokens.*', '*jwt*'],
  ...['*apiKey*', '*api_key*', '*api-key*', '*private*key*', '*recovery*code*', '*security*answer*', '*otp'],
  // Not *card*: a cardType or a loyaltyCard pays for nothing.
  ...['*credit*card*', '*debit*card*', '*card*number*', '*cvv*', '*cvc*', '*security*code*'],
  ...['*iban', 'iban*', '*bank*account*', '*routing*number*'],
  // Not *ssn*: it stands in businessName and className.
  ...['*ssn', 'ssn*', '*social*security*', '*taxId', '*tax_id'],
  ...['*passport*', '*driv*licen*', 'nationalId*', 'national_id*'],
];

/** What no destination gets unless a later policy says so. */
export const defaultPolicy: PrivacyPolicy = Object.fromEntries([
  // Another person's, who may not know of it.
  ['traits.parentEmail', 'drop'],
  // Where a second factor is sent is given for safety, not for marketing.
  ['traits.twoFactor.methods.email', 'drop'],
  ['traits.twoFactor.methods.mobilePhone', 'drop'],
  ['properties.method.email', 'drop'],
  ['properties.method.mobilePhone', 'drop'],
  // Free-form data holds whatever an application put there.
  ...freeFormData.flatMap((data) => sensitiveKeys.map((key) => [`${data}.**.${key}`, 'drop'] as const)),
]);

/**
 * The function that applies the policies. It never changes a message: what is redacted is a copy, and where nothing
 * is redacted it returns the very same object. A container that a rule empties is removed, except `traits`,
 * `properties` and `context` themselves. Throws a TypeError for a pattern with a fault.
 */
export function compilePrivacy({
  policies,
  salt,
}: PrivacyOptions): (message: Message, onRedaction?: (redaction: Redaction) => void) => Message {
  const step = createStep();
  const root = createRootPlace(policies);
  const places = reachableParts.map((part) => [part, step(root, part)] as const);

  return (message, onRedaction) => {
    let redacted = message;
    for (const [part, place] of places) {
      const before = (message as Partial<Record<typeof part, JsonMap>>)[part];
      if (before === undefined || place.isInert) continue;
      const after = redactMap(before, place, part, { step, salt, onRedaction });
      if (after !== before) redacted = { ...redacted, [part]: after };
    }
    return redacted;
  };
}

// The walk. Recursive, since values have 100 levels at most (fusionauth/event.ts).

interface Walk {
  readonly step: Step;
  readonly salt: string;
  readonly onRedaction: ((redaction: Redaction) => void) | undefined;
}

function redactMap(map: JsonMap, place: Place, path: string, walk: Walk): JsonMap {
  let changes: Map<string, JsonValue | undefined> | undefined;
  for (const key of Object.keys(map)) {
    const before = map[key] as JsonValue;
    const below = walk.step(place, key);
    if (below.isInert) continue;
    const after = redactValue(before, below, `${path}.${key}`, walk);
    if (after !== before) (changes ??= new Map()).set(key, after);
  }
  return changes === undefined ? map : withChanges(map, changes);
}

function withChanges(map: JsonMap, changes: ReadonlyMap<string, JsonValue | undefined>): JsonMap {
  const entries: [string, JsonValue][] = [];
  for (const [key, before] of Object.entries(map)) {
    const value = changes.has(key) ? changes.get(key) : before;
    if (value !== undefined) entries.push([key, value]);
  }
  // fromEntries defines its keys, so `__proto__` stays a key like any other.
  return Object.fromEntries(entries);
}

/** For a value whose place is not inert; undefined where nothing is left. */
function redactValue(value: JsonValue, place: Place, path: string, walk: Walk): JsonValue | undefined {
  if (!isContainer(value) || isEmpty(value)) return redactLeaf(value, place, path, walk);
  const after = isList(value) ? redactList(value, place, path, walk) : redactMap(value, place, path, walk);
  return isEmpty(after) ? undefined : after;
}

function redactList(
  list: readonly JsonValue[],
  place: Place,
  path: string,
  walk: Walk,
): readonly JsonValue[] {
  const after = list.map((entry) => redactValue(entry, place, path, walk));
  if (after.every((entry, index) => entry === list[index])) return list;
  return after.filter((entry) => entry !== undefined);
}

function redactLeaf(leaf: JsonValue, { rule }: Place, path: string, walk: Walk): JsonValue | undefined {
  if (rule === undefined) return leaf;
  const after = applyAction(rule.action, leaf, walk.salt);
  if (after !== leaf) walk.onRedaction?.({ path, pattern: rule.pattern, action: rule.action });
  return after;
}

type Container = JsonMap | readonly JsonValue[];

function isContainer(value: JsonValue): value is Container {
  return typeof value === 'object' && value !== null;
}

function isList(container: Container): container is readonly JsonValue[] {
  return Array.isArray(container);
}

function isEmpty(container: Container): boolean {
  return Object.keys(container).length === 0;
}
