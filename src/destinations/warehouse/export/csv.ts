// Rows as CSV: RFC 4180, in UTF-8. A null is an empty cell, an empty text is `""`, as PostgreSQL's own COPY has it.

/** A row's values as text, in the order of its columns. */
export type TextRow = readonly (string | null)[];

export interface CsvFormat {
  /** Of each column: whether its values are text that a spreadsheet could take for a formula, and not numbers or times. */
  readonly isText: readonly boolean[];
  /** Text as it stands in the warehouse, for programs: see `withoutFormula`. */
  readonly isRaw: boolean;
}

/** Tells Excel that the file is UTF-8 (https://support.microsoft.com, "Opening CSV UTF-8 files correctly in Excel"). */
export const byteOrderMark = '\ufeff';

/** The rows, each with its line end. */
export function csvLines(rows: readonly TextRow[], { isText, isRaw }: CsvFormat): string {
  let lines = '';
  for (const row of rows) {
    for (const [index, value] of row.entries()) {
      if (index > 0) lines += ',';
      if (value === null) continue;
      lines += quoted(isRaw || isText[index] !== true ? value : withoutFormula(value));
    }
    lines += '\r\n';
  }
  return lines;
}

/**
 * Spreadsheets run what begins like a formula, and anybody who signs up chooses a name: `=HYPERLINK(…)` would send the
 * neighbouring cells to a stranger at a click (OWASP, "CSV Injection"). An apostrophe in front makes it text again. What is
 * only a number, such as a telephone number of E.164, does nothing and stays.
 */
function withoutFormula(value: string): string {
  return /^[=+\-@\t\r\n＝＋－＠]/.test(value) && !/^[+-]\d+(\.\d+)?$/.test(value) ? `'${value}` : value;
}

function quoted(value: string): string {
  return value === '' || /[",\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
