// Bounds how deep a parsed JSON value is nested. V8's JSON.parse takes any depth, but on Node 24 JSON.stringify
// overflows the stack at some 5,000 levels, and every recursive reader of ours would too. So the two functions here
// keep a stack of their own.

type Container = Record<string, unknown> | unknown[];

/**
 * Replaces, in place, every object or array that lies deeper than `maxDepth` levels by its JSON text, so nothing is
 * lost. The root is level 1. Returns the root.
 */
export function boundDepth(root: object, maxDepth: number): object {
  const stack: { container: Container; depth: number }[] = [{ container: root as Container, depth: 1 }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    for (const [key, value] of entriesOf(next.container)) {
      if (typeof value !== 'object' || value === null) continue;
      if (next.depth < maxDepth) stack.push({ container: value as Container, depth: next.depth + 1 });
      else (next.container as Record<string, unknown>)[key] = deepJsonText(value);
    }
  }
  return root;
}

/** JSON.stringify for a value that came from JSON.parse, of any depth. */
export function deepJsonText(root: unknown): string {
  const parts: string[] = [];
  // What is still to be written, last first: finished text, or a value.
  const stack: ({ text: string } | { value: unknown })[] = [{ value: root }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if ('text' in next) parts.push(next.text);
    else if (typeof next.value !== 'object' || next.value === null) parts.push(JSON.stringify(next.value));
    else {
      const isArray = Array.isArray(next.value);
      parts.push(isArray ? '[' : '{');
      stack.push({ text: isArray ? ']' : '}' });
      const entries = entriesOf(next.value as Container);
      for (let index = entries.length - 1; index >= 0; index--) {
        const [key, value] = entries[index] as [string, unknown];
        stack.push({ value });
        const comma = index > 0 ? ',' : '';
        stack.push({ text: isArray ? comma : `${comma}${JSON.stringify(key)}:` });
      }
    }
  }
  return parts.join('');
}

function entriesOf(container: Container): [string, unknown][] {
  return Object.entries(container);
}
