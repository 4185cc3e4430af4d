// Which fields of FusionAuth's events are secrets, and their removal. It runs on every event before anything is
// stored, logged or sent.
//
// FusionAuth itself strips some of these from `user` (User.secure() in its Java client) but not from other objects,
// and older versions may not: so all are stripped here, wherever they stand. What the catalogue marks as secret is
// among them: a field of the event itself for its type, a field of an object inside for all types.

import { catalogue } from './catalogue.ts';
import type { CatalogueEntry } from './catalogue.ts';
import type { Fields } from './fields.ts';

/** Never anything but a secret, so stripped at any depth, inside free-form `data` too. */
const secretsAnywhere = new Set([
  'authenticationToken', // registrations[]: a credential to log in with
  'clientSecret', // entity.*, applications in audit-log.create
  'client_secret', // identity providers in audit-log.create
  'encryptionScheme',
  'password',
  'recoveryCodes', // twoFactor
]);

const entries: readonly CatalogueEntry[] = catalogue;

/**
 * Secret in FusionAuth's own objects, but ordinary words: a customer's `data` may use them for its own ends. `factor`,
 * `salt`, `secret`, `token` and `tokens` are among them.
 */
const secretsOutsideData = new Set(entries.flatMap(({ fields }) => secretsInside(fields)));

/** By type: secret fields of the event itself. `original` is a token in jwt.refresh, an object in other types. */
const secretsOfType = new Map(
  entries.flatMap(({ type, aliases = [], fields }) => {
    const names = Object.keys(fields).filter((name) => fields[name]?.secret === true);
    return names.length === 0
      ? []
      : [type, ...aliases].map((name): [string, readonly string[]] => [name, names]);
  }),
);

/** An audit log's old and new values hold any object of FusionAuth's (keys, connectors, tenants …). */
const auditSecretPattern = /password|secret|token|salt|privatekey|apikey|authorization|^keys?$/i;

/**
 * Strips the secrets from an event that JSON.parse made, in place and at any depth. Answers how deep the event is
 * nested, which the walk has seen in passing; the event itself is level 1.
 */
export function stripSecrets(event: Record<string, unknown>): number {
  const type = event['type'];
  for (const name of secretsOfType.get(type as string) ?? []) {
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the names are the catalogue's
    delete event[name];
  }
  return stripDeep(event, type === 'audit-log.create');
}

function stripDeep(root: Record<string, unknown>, isAudit: boolean): number {
  // Not recursive: the event may be nested as deep as its sender likes.
  const stack = [{ container: root, depth: 1, insideData: false }];
  let deepest = 0;
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { container, depth, insideData } = next;
    if (depth > deepest) deepest = depth;
    const isArray = Array.isArray(container);
    for (const key of Object.keys(container)) {
      const value = container[key];
      if (!isArray && isSecret(key, value, insideData, isAudit)) {
        // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the key is one of its own
        delete container[key];
      } else if (typeof value === 'object' && value !== null) {
        stack.push({
          container: value as Record<string, unknown>,
          depth: depth + 1,
          insideData: insideData || (!isAudit && !isArray && key === 'data'),
        });
      }
    }
  }
  return deepest;
}

function isSecret(key: string, value: unknown, insideData: boolean, isAudit: boolean): boolean {
  if (secretsAnywhere.has(key)) return true;
  if (!insideData && secretsOutsideData.has(key)) return true;
  // refreshToken is an object on jwt.refresh-token.revoke, whose `token` is stripped; as a string it is the token.
  if (key === 'refreshToken') return typeof value === 'string';
  // Not objects (rules for passwords, settings of tokens), which are searched, nor numbers and booleans about them.
  return isAudit && isText(value) && auditSecretPattern.test(key);
}

/** A string or a list of strings. */
function isText(value: unknown): boolean {
  return Array.isArray(value) ? value.every((entry) => typeof entry === 'string') : typeof value === 'string';
}

/** The names of secret fields in objects inside, at any depth. */
function secretsInside(fields: Fields): string[] {
  return Object.values(fields).flatMap((field) => {
    const inner = field.kind === 'list' ? field.of : field;
    if (inner.kind !== 'object') return [];
    const secrets = Object.keys(inner.fields).filter((name) => inner.fields[name]?.secret === true);
    return [...secrets, ...secretsInside(inner.fields)];
  });
}
