// Patterns for event types, as people write them: `*` stands for anything.

/** Whether a type fits one of these patterns. */
export function matchesAny(patterns: readonly string[]): (type: string) => boolean {
  const expressions = patterns.map(
    (pattern) =>
      new RegExp(
        `^${pattern
          .split('*')
          .map((part) => RegExp.escape(part))
          .join('.*')}$`,
      ),
  );
  return (type) => expressions.some((expression) => expression.test(type));
}
