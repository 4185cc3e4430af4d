// Mapping tests, as users write them for their own configuration: an event, and the messages that it must become. What
// a test file holds is parsed here, and what an event became is compared with it. Pure: test.ts finds the files, maps
// and prints.

import { z } from 'zod';
import { isObject } from '../fusionauth/event.ts';
import type { FusionAuthEvent, JsonObject } from '../fusionauth/event.ts';
import type { UserCodeError } from '../mapping/user-code.ts';
import { discardReasons } from '../segment/discard-reasons.ts';
import type { DiscardReason } from '../segment/discard-reasons.ts';
import type { Message } from '../segment/message.ts';
import { parseEvent, sampleBody } from './event-input.ts';
import { discardOf } from './map-event.ts';
import type { Mapped } from './map-event.ts';
import { CommandError } from './report.ts';

/** One test. What it must become is in `expect`; the other keys hold for every message. */
export interface MappingTest {
  readonly name: string;
  /** With the test's changes. */
  readonly event: FusionAuthEvent;
  /** Undefined: as it is for all destinations. */
  readonly destination: string | undefined;
  /** In order, each with the fields that count. Undefined: any messages will do. */
  readonly expect: readonly JsonObject[] | undefined;
  /** Whether all fields of the messages count. */
  readonly exact: boolean;
  /** Paths that no message may have. */
  readonly absent: readonly string[];
  /** Texts that stand in the event and may stand nowhere in a message. */
  readonly withheld: readonly string[];
  /** Why Segment would drop some of the messages: all reasons, each once. */
  readonly discards: readonly DiscardReason[];
  /** How the user's own code fails: all reasons, each once. */
  readonly failures: readonly FailureReason[];
}

type FailureReason = UserCodeError['reason'];

export interface ParsedTestFile {
  readonly tests: readonly MappingTest[];
  /** What is wrong, each with the test and the key that it is about. */
  readonly faults: readonly string[];
}

/** Shown where somebody has no test file yet, or an empty one. */
export const exampleTest =
  '{ "name": "a login", "sample": "user.login.success", "expect": [{ "type": "track" }] }';

const failureReasons = [
  'filter_failed',
  'filter_timeout',
  'map_failed',
  'map_timeout',
] as const satisfies readonly FailureReason[];

const someText = z.string('must be a text').min(1, 'must not be empty');
const someObject = z.custom<JsonObject>(isObject, 'must be an object');
const flag = z.boolean('must be true or false');
const listOf = <Entry extends z.ZodType>(entry: Entry, what: string) =>
  z.array(entry, `must be a list ${what}`);
const reasonOf = <const Reason extends string>(reasons: readonly Reason[]) =>
  z.enum(reasons, `must be one of ${reasons.join(', ')}`);
const path = someText.refine(
  (value) => !/[*[\]]|^\.|\.\.|\.$/.test(value),
  'must be a path such as traits.email, without * and [ ]: it goes through lists by itself',
);

const testSchema = z.strictObject(
  {
    name: someText,
    event: someObject.optional(),
    sample: someText.optional(),
    with: someObject.optional(),
    destination: someText.optional(),
    expect: listOf(someObject, 'of messages, [] for none').optional(),
    exact: flag.optional(),
    absent: listOf(path, 'of paths').min(1, 'must not be empty').optional(),
    withheld: listOf(someText, 'of texts').min(1, 'must not be empty').optional(),
    discards: listOf(
      reasonOf(Object.keys(discardReasons) as DiscardReason[]),
      'of Segment’s discard reasons',
    ).optional(),
    failures: listOf(reasonOf(failureReasons), 'of reasons').optional(),
  },
  `must be an object such as ${exampleTest}`,
);
type WrittenTest = z.infer<typeof testSchema>;

/** One test or a list of them, as JSON. */
export function parseTestFile(file: string): ParsedTestFile {
  const text = file.replace(/^\uFEFF/, '');
  let written: unknown;
  try {
    written = JSON.parse(text);
  } catch (error) {
    return { tests: [], faults: [`is not JSON: ${placedJsonError(text, error as SyntaxError)}`] };
  }
  const entries: readonly unknown[] = Array.isArray(written) ? written : [written];
  if (entries.length === 0) return { tests: [], faults: [`has no test, such as ${exampleTest}`] };
  const parsed = entries.map(parseTest);
  return {
    tests: parsed.flatMap(({ tests }) => tests),
    faults: parsed.flatMap(({ faults }) => faults),
  };
}

function parseTest(written: unknown, index: number): ParsedTestFile {
  const name = isObject(written) && typeof written['name'] === 'string' ? `"${written['name']}"` : index + 1;
  const faulty = (faults: readonly string[]) => ({
    tests: [],
    faults: faults.map((fault) => `test ${name}: ${fault}`),
  });
  const parsed = testSchema.safeParse(written);
  if (!parsed.success) return faulty(parsed.error.issues.flatMap(faultsOf));
  const contradictions = findContradictions(parsed.data);
  if (contradictions.length > 0) return faulty(contradictions);
  try {
    const test = makeTest(parsed.data);
    const faults = findVainTexts(test);
    return faults.length > 0 ? faulty(faults) : { tests: [test], faults };
  } catch (error) {
    if (error instanceof CommandError) return faulty([error.message]);
    throw error;
  }
}

function faultsOf(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(testSchema.shape).join(', ');
    return issue.keys.map((key) => `"${key}" is not known; a test may have ${known}`);
  }
  const at = issue.path.map((key, index) => step(key as string | number, index)).join('');
  return [`${at} ${issue.message}`.trim()];
}

/** What is wrong with keys that are right by themselves. */
function findContradictions({ event, sample, with: changes, ...test }: WrittenTest): readonly string[] {
  const { expect, exact, absent, withheld, discards, failures } = test;
  return [
    ...((event === undefined) === (sample === undefined) ? ['needs either "event" or "sample"'] : []),
    ...(isObject(changes?.['event']) ? ['with is merged over the event itself: leave out its "event"'] : []),
    ...(exact === true && expect === undefined ? ['exact needs "expect"'] : []),
    ...([expect, absent, withheld, discards, failures].every((key) => key === undefined)
      ? ['checks nothing: it needs "expect", "absent" or "withheld"']
      : []),
  ];
}

/** Throws CommandError. */
function makeTest({ event, sample, with: changes = {}, ...test }: WrittenTest): MappingTest {
  const body = sample === undefined ? event : (JSON.parse(sampleBody(sample)) as JsonObject);
  const bare = isObject(body?.['event']) ? body['event'] : body;
  return {
    name: test.name,
    event: parseEvent(JSON.stringify({ event: mergePatch(bare, changes) })),
    destination: test.destination,
    expect: test.expect,
    exact: test.exact ?? false,
    absent: test.absent ?? [],
    withheld: test.withheld ?? [],
    discards: test.discards ?? [],
    failures: test.failures ?? [],
  };
}

/** JSON Merge Patch (RFC 7396): objects are merged, lists and values replaced, and null removes. */
function mergePatch(value: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map(Object.entries(isObject(value) ? value : {}));
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), change));
  }
  return Object.fromEntries(merged);
}

/** A text that does not stand in the event is no secret that a message could tell: a slip of the pen. */
function findVainTexts({ event, withheld }: MappingTest): readonly string[] {
  return withheld.flatMap((text) =>
    textsIn(event).some(({ value }) => value.includes(text))
      ? []
      : [`withheld: "${text}" does not stand in the event`],
  );
}

/** V8's message with the place, on one line. Of some errors it tells no place, but quotes what stands around it. */
function placedJsonError(text: string, error: SyntaxError): string {
  const message = (error.message.split(/, (?:\.\.\.)?"/, 1)[0] ?? '').replace(/ in JSON.*$/, '');
  const told = /\(line \d+ column \d+\)/.exec(error.message)?.[0];
  if (told !== undefined) return `${message} ${told}`;
  const before = text.slice(0, positionOfError(text)).split('\n');
  return `${message} (line ${before.length} column ${(before.at(-1) ?? '').length + 1})`;
}

/** Every text that is cut behind the bad token has the error, and none that is cut before it. */
function positionOfError(text: string): number {
  let good = 0;
  let bad = text.length + 1;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (hasBadToken(text.slice(0, middle))) bad = middle;
    else good = middle;
  }
  return good;
}

function hasBadToken(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch (error) {
    return (error as SyntaxError).message.startsWith('Unexpected token');
  }
}

/** How what an event became differs from what a test says, each on one line; none where the test passes. */
export function findDifferences(
  test: MappingTest,
  { messages, failures }: Pick<Mapped, 'messages' | 'failures'>,
): readonly string[] {
  const discards = messages.flatMap((message, index) => {
    const discard = discardOf(message);
    return discard ? [{ reason: discard.reason, detail: `messages[${index}]: ${discard.detail}` }] : [];
  });
  return [
    ...compareReasons('failures', test.failures, failures),
    ...(test.expect ? compareMessages(test.expect, messages, test.exact) : []),
    ...compareReasons('discards', test.discards, discards),
    ...findUnwanted(test, messages),
  ];
}

function compareReasons(
  key: 'discards' | 'failures',
  expected: readonly string[],
  found: readonly { readonly reason: string; readonly detail: string }[],
): readonly string[] {
  return [
    ...found
      .filter(({ reason }) => !expected.includes(reason))
      .map(({ reason, detail }) => `${key}: got ${reason}: ${onOneLine(detail)}`),
    ...expected
      .filter((reason) => !found.some((each) => each.reason === reason))
      .map((reason) => `${key}: expected ${reason}, got nothing`),
  ];
}

/** Of a stack what happened, and where. Node may put the line of code and a blank line above it. */
function onOneLine(detail: string): string {
  const lines = detail.split('\n');
  const where = lines.findIndex((line) => /^ +at /.test(line));
  if (where === -1) return lines[0] ?? '';
  const what = lines.lastIndexOf('', where) + 1;
  return `${lines[what] ?? ''} ${(lines[where] ?? '').trim()}`;
}

/** As many as expected are compared one by one; else those that are alike, so that one missing spoils no other. */
function compareMessages(
  expected: readonly JsonObject[],
  messages: readonly Message[],
  isExact: boolean,
): readonly string[] {
  const differences: string[] = [];
  const isPaired = (index: number, wanted: JsonObject) =>
    expected.length === messages.length || isAlike(wanted, messages[index]);
  const reportSuperfluous = (from: number, to: number) => {
    for (let index = from; index < to; index++) {
      differences.push(`messages[${index}]: superfluous: ${describeMessage(messages[index])}`);
    }
  };
  let next = 0;
  for (const [index, wanted] of expected.entries()) {
    let found = next;
    while (found < messages.length && !isPaired(found, wanted)) found++;
    if (found === messages.length) {
      differences.push(`expect[${index}]: missing: ${describeMessage(wanted)}`);
      continue;
    }
    reportSuperfluous(next, found);
    differences.push(...compare(wanted, messages[found], `messages[${found}]`, isExact));
    next = found + 1;
  }
  reportSuperfluous(next, messages.length);
  return differences;
}

function isAlike(wanted: JsonObject, message: unknown): boolean {
  return ['type', 'event', 'userId', 'groupId'].every(
    (key) => !Object.hasOwn(wanted, key) || (isObject(message) && message[key] === wanted[key]),
  );
}

/** `track "Signed In" of 1234`. */
function describeMessage(message: unknown): string {
  const { type, event, userId } = isObject(message) ? message : {};
  const kind = typeof type === 'string' ? type : 'message';
  return `${kind}${typeof event === 'string' ? ` "${event}"` : ''}${typeof userId === 'string' ? ` of ${userId}` : ''}`;
}

function compare(expected: unknown, actual: unknown, at: string, isExact: boolean): readonly string[] {
  if (isObject(expected) && isObject(actual)) {
    const keys = new Set([...Object.keys(expected), ...(isExact ? Object.keys(actual) : [])]);
    return [...keys].flatMap((key) =>
      compare(ownValue(expected, key), ownValue(actual, key), at + step(key), isExact),
    );
  }
  if (Array.isArray(expected) && Array.isArray(actual) && expected.length === actual.length) {
    return expected.flatMap((entry, index) => compare(entry, actual[index], at + step(index), true));
  }
  return expected === actual ? [] : [`${at}: expected ${show(expected)}, got ${show(actual)}`];
}

function ownValue(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

function findUnwanted(
  { absent, withheld, expect }: MappingTest,
  messages: readonly Message[],
): readonly string[] {
  if (absent.length + withheld.length > 0 && messages.length === 0 && expect === undefined) {
    return ['messages: there is none to look at; where that is meant, say so: "expect": []'];
  }
  return messages.flatMap((message, index) => [
    ...absent
      .flatMap((wanted) => valuesAt(message, wanted.split('.'), `messages[${index}]`))
      .map(({ at, value }) => `${at}: expected nothing, got ${show(value)}`),
    ...textsIn(message, `messages[${index}]`).flatMap(({ at, value }) =>
      withheld.filter((text) => value.includes(text)).map((text) => `${at}: tells "${text}"`),
    ),
  ]);
}

interface Found<Value> {
  readonly at: string;
  readonly value: Value;
}

/** What stands at a path, in each entry of the lists on its way. */
function valuesAt(value: unknown, keys: readonly string[], at: string): readonly Found<unknown>[] {
  const [key, ...others] = keys;
  if (key === undefined) return [{ at, value }];
  if (Array.isArray(value)) return value.flatMap((entry, index) => valuesAt(entry, keys, at + step(index)));
  if (!isObject(value) || !Object.hasOwn(value, key)) return [];
  return valuesAt(value[key], others, at + step(key));
}

/** All texts of a value, keys too. */
function textsIn(value: unknown, at = ''): readonly Found<string>[] {
  if (typeof value === 'string') return [{ at, value }];
  if (Array.isArray(value)) return value.flatMap((entry, index) => textsIn(entry, at + step(index)));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, entry]) => [
    { at: at + step(key), value: key },
    ...textsIn(entry, at + step(key)),
  ]);
}

/** One step of a path, as code would write it; the first one of a path without a dot. */
function step(key: string | number, index = 1): string {
  if (typeof key === 'number') return `[${key}]`;
  if (!/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key)) return `[${JSON.stringify(key)}]`;
  return index === 0 ? key : `.${key}`;
}
