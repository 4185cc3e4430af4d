// Markdown as GitHub renders it: tables, anchors of headings, JSON that folds.

type Json = unknown;

/** In characters: what a JSON line may have before it is broken. */
const jsonWidth = 110;

/** Pipes in cells are escaped. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

export function code(text: string): string {
  return `\`${text}\``;
}

/** In code font. */
export function listOf(names: readonly string[], separator = ', '): string {
  return names.map(code).join(separator);
}

/** A link to a heading of the same page. */
export function linkTo(heading: string, text = heading): string {
  return `[${text}](#${anchorOf(heading)})`;
}

/** As GitHub makes it: dots and other punctuation are dropped, so `user.login.success` is `userloginsuccess`. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-');
}

/** A block of JSON that is shown at a click. */
export function foldedJson(summary: string, value: Json): string {
  return `<details><summary>${summary}</summary>\n\n\`\`\`json\n${formatJson(value)}\n\`\`\`\n\n</details>`;
}

/** With what fits on one line on one line. `column`: where it begins. */
export function formatJson(value: Json, indent = 0, column = indent): string {
  const inline = onOneLine(value);
  if (typeof value !== 'object' || value === null || column + inline.length <= jsonWidth) return inline;
  const inner = ' '.repeat(indent + 2);
  const lines = Array.isArray(value)
    ? value.map((entry) => inner + formatJson(entry, indent + 2))
    : Object.entries(value).map(([name, entry]) => {
        const key = `${inner}${JSON.stringify(name)}: `;
        return key + formatJson(entry, indent + 2, key.length + 1);
      });
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${lines.join(',\n')}\n${' '.repeat(indent)}${close}`;
}

function onOneLine(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(
    ([name, entry]) => `${JSON.stringify(name)}: ${onOneLine(entry)}`,
  );
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}
