// Names of tables and columns, exactly as Segment's warehouse connector makes them.

import { hash } from 'node:crypto';

/** PostgreSQL cuts longer identifiers off, in silence. In bytes; our names are ASCII. */
const maxIdentifierLength = 63;

/** A name as a PostgreSQL identifier: snake case, a long one shortened by a hash of the whole. Empty: unusable. */
export function identifierFor(name: string): string {
  return shortened(snakeCase(name));
}

/** A name in snake case, at most as long as PostgreSQL keeps. */
export function shortened(snake: string): string {
  if (snake.length <= maxIdentifierLength) return snake;
  return `${snake.slice(0, maxIdentifierLength - 9)}_${hash('sha256', snake).slice(0, 8)}`;
}

/**
 * Segment's own snake case (its open-source go-snakecase, whose test vectors this passes). It works on bytes and
 * knows ASCII only: everything else separates. Acronyms fuse with the word behind them: `IPAddress` is `ipaddress`.
 */
export function snakeCase(text: string): string {
  const prefix = scanPrefix(text);
  if (prefix.length === text.length) return text;

  let output = text.slice(0, prefix.length);
  let index = prefix.length;
  if (isUpper(text[index]) && prefix.joinsUpper) index = takeWord();

  while (index < text.length) {
    while (index < text.length && !isAlphanumeric(text[index])) index++;
    if (index === text.length) break;
    if (output !== '') output += '_';
    index = takeWord();
  }
  return output;

  /** Swallows capitals and digits, then small letters and digits; returns where it stopped. */
  function takeWord(): number {
    let end = index;
    while (isUpper(text[end]) || isDigit(text[end])) end++;
    while (isLower(text[end]) || isDigit(text[end])) end++;
    output += text.slice(index, end).toLowerCase();
    return end;
  }
}

/** The longest start that is snake case already, and whether a capital right behind it continues its last word. */
function scanPrefix(text: string): { length: number; joinsUpper: boolean } {
  let sawLower = false;
  let sawUnderscore = false;
  let sawLowerSinceUnderscore = false;
  let index = 0;
  for (; index < text.length; index++) {
    const character = text[index];
    if (isLower(character)) {
      sawLower = true;
      sawLowerSinceUnderscore = true;
    } else if (character === '_') {
      const next = text[index + 1];
      if (index === 0 || !(isLower(next) || isDigit(next))) break;
      sawUnderscore = true;
      sawLowerSinceUnderscore = false;
    } else if (!isDigit(character)) break;
  }
  return { length: index, joinsUpper: !sawLower || (sawUnderscore && !sawLowerSinceUnderscore) };
}

function isLower(character: string | undefined): boolean {
  return character !== undefined && character >= 'a' && character <= 'z';
}

function isUpper(character: string | undefined): boolean {
  return character !== undefined && character >= 'A' && character <= 'Z';
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9';
}

function isAlphanumeric(character: string | undefined): boolean {
  return isLower(character) || isUpper(character) || isDigit(character);
}
