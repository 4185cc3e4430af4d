// The patterns of a privacy policy, and which rule decides for a value.
//
// A pattern is a path with dots between its segments. `*` in a segment stands for any run of characters, `**` as a
// whole segment for any number of segments, also none. A segment with a wildcard ignores case. Lists have no segment
// of their own: a pattern goes on in each of their elements.
//
// One rule decides for a value: the one that matches deepest on the way to it; at equal depth the one with more
// literal segments, then that of the later policy, then the later one. Only the depth depends on the message, so the
// rules are ranked once. The walk (privacy.ts) takes two things down with it, together a place: the patterns that match
// so far, and the rule that decides unless one of them comes to its end.

import type { PrivacyAction, PrivacyPolicy } from './privacy-actions.ts';

/** What a policy can reach. All else of a message, its ids, type, names and time, is never touched. */
export const reachableParts = ['traits', 'properties', 'context', 'integrations'] as const;

/** Undefined, or what is wrong with a pattern, as the end of a sentence that begins with it. */
export function findPatternFault(pattern: string): string | undefined {
  const segments = pattern.split('.');
  if (segments.some((segment) => segment.trim() === '')) return 'has an empty segment';
  if (segments.some((segment) => segment !== segment.trim())) return 'has a space around a segment';
  if (segments.some((segment) => segment.includes('**') && segment !== '**')) {
    return 'has ** beside other characters: it stands for whole segments, * for characters';
  }
  if (segments.some((segment) => /\[\d*\]$/.test(segment))) {
    return 'has an index: a pattern goes into every element of a list by itself';
  }
  const [first = ''] = segments;
  if (first !== '**' && !reachableParts.some((part) => createMatcher(first)(part, part))) {
    return `must begin with ${reachableParts.join(', ')} or a wildcard for them`;
  }
  return undefined;
}

export interface PolicyRule {
  readonly pattern: string;
  readonly action: PrivacyAction;
  /** Of the rules that match at one depth the highest decides. */
  readonly rank: number;
}

/** Patterns are a tree of their segments: those that begin alike share their beginning. */
interface PatternNode {
  readonly fits: Matcher;
  /** Of the pattern that ends here. */
  rule: PolicyRule | undefined;
  /** By segment. */
  readonly children: Map<string, PatternNode>;
}

/** Given a key as it is and in lower case. */
type Matcher = (key: string, lowerKey: string) => boolean;

/** Where every message's path begins. Throws a TypeError for a pattern with a fault. */
export function createRootPlace(policies: readonly PrivacyPolicy[]): Place {
  return createPlace(withDeep(compilePatterns(policies)), undefined, true);
}

function compilePatterns(policies: readonly PrivacyPolicy[]): PatternNode {
  const root = createNode('');
  policies
    .flatMap((policy) => Object.entries(policy))
    .map(([pattern, action]) => ({ pattern, action, segments: parsePattern(pattern) }))
    .sort((a, b) => countLiterals(a.segments) - countLiterals(b.segments)) // stable: what came later stays later
    .forEach(({ pattern, action, segments }, rank) => {
      // Where two rules have one pattern, the later one has the higher rank and stays.
      segments.reduce(childOf, root).rule = { pattern, action, rank };
    });
  return root;
}

function parsePattern(pattern: string): readonly string[] {
  const fault = findPatternFault(pattern);
  if (fault !== undefined) throw new TypeError(`The privacy pattern "${pattern}" ${fault}`);
  return pattern.split('.');
}

function countLiterals(segments: readonly string[]): number {
  return segments.filter((segment) => !isWildcard(segment)).length;
}

function isWildcard(segment: string): boolean {
  return segment.includes('*');
}

/** The node of the segment below this one, made where there is none yet. */
function childOf(node: PatternNode, segment: string): PatternNode {
  const child = node.children.get(segment) ?? createNode(segment);
  node.children.set(segment, child);
  return child;
}

function createNode(segment: string): PatternNode {
  const node: PatternNode = { fits: createMatcher(segment), rule: undefined, children: new Map() };
  // `**` is its own child: it goes on below what it matches.
  if (segment === '**') node.children.set('**', node);
  return node;
}

/** Not a regular expression: with several wildcards and a long hostile key, one tries for hours. */
function createMatcher(segment: string): Matcher {
  if (!isWildcard(segment)) return (key) => key === segment;
  const pieces = segment.toLowerCase().split('*');
  const start = pieces.shift() ?? '';
  const end = pieces.pop() ?? '';
  return (_key, lowerKey) => {
    if (!lowerKey.startsWith(start)) return false;
    let position = start.length;
    for (const piece of pieces) {
      const found = lowerKey.indexOf(piece, position);
      if (found === -1) return false;
      position = found + piece.length;
    }
    return position + end.length <= lowerKey.length && lowerKey.endsWith(end);
  };
}

// Places: what the patterns make of a path.

export interface Place {
  /** Those that the path leads to, and that something may match below. */
  readonly nodes: readonly PatternNode[];
  /** What decides here, and below unless a rule matches there. */
  readonly rule: PolicyRule | undefined;
  /** Nothing changes here or below. */
  readonly isInert: boolean;
  /** The places below, by key, that are remembered. Undefined where none may be. */
  readonly below: Map<string, Place> | undefined;
}

/** From a place to the one below it by a key. */
export type Step = (place: Place, key: string) => Place;

/** A few megabytes. Messages have the same few hundred keys again and again, but free-form data may have any. */
const maxRememberedPlaces = 5_000;
/** In characters. */
const maxRememberedKey = 64;

/** Remembers the first places that it finds, since finding one costs more than all else. */
export function createStep(): Step {
  let rememberedPlaces = 0;
  return (place, key) => {
    if (place.nodes.length === 0) return place;
    const known = place.below?.get(key);
    if (known !== undefined) return known;
    const isRemembered =
      place.below !== undefined && rememberedPlaces < maxRememberedPlaces && key.length <= maxRememberedKey;
    const found = findPlace(place, key, isRemembered);
    if (isRemembered) {
      place.below.set(key, found);
      rememberedPlaces++;
    }
    return found;
  };
}

function findPlace({ nodes, rule }: Place, key: string, isRemembered: boolean): Place {
  const lowerKey = key.toLowerCase();
  const matching: PatternNode[] = [];
  for (const node of nodes) {
    for (const child of node.children.values()) {
      if (child.fits(key, lowerKey)) matching.push(...withDeep(child));
    }
  }
  return createPlace(matching, rule, isRemembered);
}

/** With the `**` below it, since that may stand for no segment at all. */
function withDeep(node: PatternNode): readonly PatternNode[] {
  const deep = node.children.get('**');
  return deep === undefined ? [node] : [node, deep];
}

/** `matching`: the nodes of all patterns that lead here. `above`: what decides if none of them ends here. */
function createPlace(
  matching: readonly PatternNode[],
  above: PolicyRule | undefined,
  isRemembered: boolean,
): Place {
  const rules = matching.flatMap((node) => node.rule ?? []);
  const rule = rules.length === 0 ? above : rules.reduce((a, b) => (a.rank > b.rank ? a : b));
  // A set: with `**` there are several ways to one node, and more at each level.
  const nodes = [...new Set(matching)].filter((node) => node.children.size > 0);
  return {
    nodes,
    rule,
    isInert: nodes.length === 0 && (rule === undefined || rule.action === 'keep'),
    below: isRemembered ? new Map() : undefined,
  };
}
