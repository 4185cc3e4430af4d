// JSON whose numbers keep their digits on the way through: a Java long, such as 9223372036854775807, has more of them than
// a number of JavaScript's holds.

/** `JSON.rawJSON` and the source in a reviver's context: in Node since 21, and not in TypeScript's library yet. */
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

/** As `JSON.parse`, for a value that `JSON.stringify` is to write again: numbers that would change stand for their digits. */
export function parseExactly(text: string): unknown {
  const keepDigits = (_key: string, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source;
    if (typeof value !== 'number' || source === undefined || JSON.stringify(value) === source) return value;
    return rawJSON(source);
  };
  return JSON.parse(text, keepDigits);
}
