// How much structure a body holds, counted in its bytes before JSON.parse makes objects of it: twenty megabytes of
// brackets become gigabytes of arrays, and keep the process busy for longer than FusionAuth waits.

/** What an import of users comes nowhere near. */
const maxDepth = 100_000;
const maxContainers = 1_000_000;

const quote = 0x22;
const backslash = 0x5c;
const open = new Set([0x5b, 0x7b]);
const close = new Set([0x5d, 0x7d]);

/** What is too much about a body that should be JSON, or undefined. */
export function findExcess(body: Buffer): string | undefined {
  // A smaller one cannot hold that many.
  if (body.length <= maxDepth) return undefined;
  let depth = 0;
  let containers = 0;
  let isInText = false;
  for (let index = 0; index < body.length; index++) {
    const byte = body[index] as number;
    if (isInText) {
      if (byte === backslash) index++;
      else if (byte === quote) isInText = false;
    } else if (byte === quote) isInText = true;
    else if (open.has(byte)) {
      if (++depth > maxDepth) return `nested deeper than ${maxDepth} levels`;
      if (++containers > maxContainers) return `made of more than ${maxContainers} objects and arrays`;
    } else if (close.has(byte)) depth--;
  }
  return undefined;
}
