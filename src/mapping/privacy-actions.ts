// What each privacy action does to one value. Pure: the same value and salt give the same result.

import { createHmac } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import type { JsonValue } from '../segment/message.ts';

export const privacyActions = ['keep', 'drop', 'hash', 'truncate', 'mask'] as const;
export type PrivacyAction = (typeof privacyActions)[number];

/** Actions by pattern (privacy-patterns.ts). */
export type PrivacyPolicy = Readonly<Record<string, PrivacyAction>>;

/**
 * The value after the action; undefined where nothing may be left of it. `drop` takes anything. The others leave what
 * tells nothing as it is: null, an empty text, an empty object or list. A container that is not empty is the caller's
 * to take apart.
 */
export function applyAction(action: PrivacyAction, value: JsonValue, salt: string): JsonValue | undefined {
  if (action === 'keep') return value;
  if (action === 'drop') return undefined;
  if (value === '' || typeof value === 'object') return value;
  switch (action) {
    case 'hash':
      return hash(String(value), salt);
    case 'truncate':
      return typeof value === 'string' ? truncate(value) : undefined;
    case 'mask':
      return typeof value === 'string' ? mask(value) : stars;
  }
}

/** HMAC and not a plain hash: whoever lacks the salt cannot try all telephone numbers until one fits. */
function hash(text: string, salt: string): string {
  return createHmac('sha256', salt).update(text).digest('hex');
}

/** Addresses separated by commas, as X-Forwarded-For has them, are all shortened or, if one cannot be, all dropped. */
function truncate(text: string): string | undefined {
  const parts = text.split(',').map((part) => truncateAddress(part.trim()));
  return parts.includes(undefined) ? undefined : parts.join(', ');
}

/** The network of an IP address, the domain of an e-mail address. */
function truncateAddress(text: string): string | undefined {
  if (isIPv4(text)) return truncateIpv4(text);
  if (isIPv6(text)) return truncateIpv6(text);
  const email = parseEmail(text);
  return email && `@${email.domain}`;
}

function truncateIpv4(address: string): string {
  return address.replace(/\d+$/, '0');
}

/** The first 48 bits, which is what one site is given, in the canonical form of RFC 5952. */
function truncateIpv6(address: string): string {
  const groups = groupsOf(address);
  const [first = 0, second = 0, third = 0, , , sixth, seventh = 0, eighth = 0] = groups;
  // ::ffff:0:0/96 is IPv4 in IPv6's clothes (RFC 4291, 2.5.5.2).
  if (sixth === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return truncateIpv4(octetsOf(seventh, eighth).join('.'));
  }
  // 2002::/16 has a whole IPv4 address in its next 32 bits (RFC 3056): its last octet goes, too.
  const kept = [first, second, first === 0x2002 ? third & 0xff00 : third];
  while (kept.at(-1) === 0) kept.pop();
  return `${kept.map((group) => group.toString(16)).join(':')}::`;
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const [head = [], tail] = address
    .replace(/%.*$/, '') // the zone of a link-local address
    .replace(/[\d.]+\.[\d.]+$/, (ipv4) => {
      const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number);
      return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
    })
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').map((group) => parseInt(group, 16))));
  if (tail === undefined) return head;
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function octetsOf(...groups: readonly number[]): readonly number[] {
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

/** Always as many, so that the length is not told. */
const stars = '***';

function mask(text: string): string {
  const email = parseEmail(text);
  if (email !== undefined) return `${charactersOf(email.name)[0] ?? ''}${stars}@${email.domain}`;
  const characters = charactersOf(text);
  return characters.length > 4 ? `${stars}${characters.slice(-2).join('')}` : stars;
}

/** Code points: half an emoji is not a character. */
function charactersOf(text: string): readonly string[] {
  return Array.from(text);
}

/** A domain with a dot and letters at its end: nothing that could be a person's name, or an address of a machine. */
const emailPattern = /^([^\s,]+)@((?:[\p{L}\p{N}-]+\.)+\p{L}[\p{L}\p{N}-]+)$/u;

function parseEmail(text: string): { name: string; domain: string } | undefined {
  const [, name, domain] = emailPattern.exec(text) ?? [];
  return name === undefined || domain === undefined ? undefined : { name, domain };
}
