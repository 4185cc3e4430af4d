// Every setting, declared once: its variable, what it means, what is allowed, its default. The configuration, its
// errors and docs/configuration.md come from this table.

import { z } from 'zod';
import { ConnectionError, parseConnection } from '../destinations/warehouse/connection.ts';
import { endpoints } from '../segment/tracking-api.ts';
import type { Region } from '../segment/tracking-api.ts';

const text = z.string();
const wholeNumber = (least: number, most: number) =>
  text.regex(/^\d+$/).transform(Number).pipe(z.number().min(least).max(most));
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const httpUrl = z.url({ protocol: /^https?$/ }).refine((url) => URL.parse(url)?.username === '');
const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export interface Setting {
  /** For its reader: one sentence. */
  readonly meaning: string;
  /** What is allowed, as the end of "must be …". */
  readonly allowed: string;
  /** As it would stand in the environment; undefined where the setting has none. */
  readonly default?: string;
  /** Its value stands in no message. */
  readonly isSecret?: boolean;
  readonly schema: z.ZodType;
}

export const settings = {
  CONFIG: {
    meaning:
      'Path of the configuration file (docs/mapping.md); `fusionauth-segment.config.ts` where it is not set and that is there',
    allowed: 'a path',
    schema: text,
  },
  HOST: {
    meaning: 'Address to listen on; a loopback address keeps the bridge to this machine',
    allowed: 'an IP address or a host name of this machine',
    default: '127.0.0.1',
    schema: text,
  },
  PORT: {
    meaning: 'Port of the webhook, the page, the API and the metrics',
    allowed: 'a port from 0 to 65535, where 0 takes any free one',
    default: '3000',
    schema: wholeNumber(0, 65_535),
  },
  DATA_DIR: {
    meaning: 'Folder of the log and of the embedded warehouse',
    allowed: 'a path',
    default: './data',
    schema: text,
  },
  SEGMENT_WRITE_KEY: {
    meaning: 'Write key of the HTTP API source at Segment; turns the destination `segment` on',
    allowed: 'a write key, without spaces',
    isSecret: true,
    schema: text.regex(/^[\x21-\x7e]+$/),
  },
  SEGMENT_REGION: {
    meaning: 'Region of the Segment workspace',
    allowed: 'us or eu',
    default: 'us',
    schema: z.enum(Object.keys(endpoints) as Region[]),
  },
  SEGMENT_ENDPOINT: {
    meaning: 'Base URL of any Segment-compatible API, in place of the region’s',
    allowed: 'an http or https URL without user and password',
    schema: httpUrl,
  },
  SEGMENT_EVENTS_PER_SECOND: {
    meaning:
      'How many messages a second go to Segment at most, which asks for no more than 1,000; `0` for no limit',
    allowed: 'a whole number from 0 to 1000000',
    default: '1000',
    schema: wholeNumber(0, 1_000_000),
  },
  SEGMENT_PUBLIC_API_TOKEN: {
    meaning:
      'Token for Segment’s Public API (Team and Business plans), with which `setup` makes the source and `doctor` sees what Segment dropped',
    allowed: 'a token, without spaces',
    isSecret: true,
    schema: text.regex(/^[\x21-\x7e]+$/),
  },
  SEGMENT_PUBLIC_API_URL: {
    meaning: 'Base URL of Segment’s Public API, in place of the region’s',
    allowed: 'an http or https URL without user and password',
    schema: httpUrl,
  },
  WAREHOUSE_URL: {
    meaning:
      'Connection string of a PostgreSQL server for the warehouse (docs/warehouse.md, with the `PG*` variables that may add to it); `off` for no warehouse',
    allowed:
      'a postgresql:// URL, odd characters of user and password percent-encoded, or host=… dbname=…, or off',
    isSecret: true,
    schema: text.superRefine(refuseWrongConnection),
  },
  WAREHOUSE_SCHEMA: {
    meaning: 'Schema that the warehouse’s tables stand in',
    allowed: 'small letters, digits and underscores, 63 at most, not beginning with a digit or pg_',
    default: 'fusionauth',
    schema: text.regex(/^(?!pg_)[a-z_][a-z0-9_]{0,62}$/),
  },
  WAREHOUSE_PORT: {
    meaning:
      'Port on 127.0.0.1 where the embedded warehouse answers; where it is not set and 5433 is taken, the next free one',
    allowed: 'a port from 1 to 65535',
    schema: wholeNumber(1, 65_535),
  },
  PRIVACY_SALT: {
    meaning:
      'Secret salt of the privacy policy’s `hash`; where it is not set, one is made and kept in `DATA_DIR/privacy-salt`',
    allowed: 'at least 16 characters',
    isSecret: true,
    schema: text.min(16),
  },
  FUSIONAUTH_URL: {
    meaning: 'Base URL of FusionAuth: its public keys are read from `/.well-known/jwks.json` there',
    allowed: 'an http or https URL without user and password',
    schema: httpUrl,
  },
  FUSIONAUTH_API_KEY: {
    meaning: 'API key of FusionAuth, for `setup` and `doctor`; of all tenants, not of one',
    allowed: 'an API key, without spaces',
    isSecret: true,
    schema: text.regex(/^[\x21-\x7e]+$/),
  },
  FUSIONAUTH_WEBHOOK_SECRET: {
    meaning:
      'HMAC secret that FusionAuth signs the webhook with; several, separated by commas or line ends, while one is replaced',
    allowed: 'at least one secret',
    isSecret: true,
    schema: text.transform(splitSecrets).refine((secrets) => secrets.length > 0),
  },
  FUSIONAUTH_ALLOW_UNSIGNED: {
    meaning: 'Whether unsigned webhooks are taken on an address that is not loopback',
    allowed: 'true or false',
    default: 'false',
    schema: flag,
  },
  ADMIN_TOKEN: {
    meaning:
      'Token for the API (as bearer token) and the page (to sign in with); without it they are closed off loopback',
    allowed: 'a token, without spaces',
    isSecret: true,
    schema: text.regex(/^[\x21-\x7e]+$/),
  },
  VIEWER_TOKEN: {
    meaning: 'A second token, which may read the API and the page and change nothing; needs `ADMIN_TOKEN`',
    allowed: 'a token, without spaces',
    isSecret: true,
    schema: text.regex(/^[\x21-\x7e]+$/),
  },
  MAX_BODY_BYTES: {
    meaning:
      'Largest webhook that is taken, in bytes; an import of users arrives as one event with all of them',
    allowed: 'a whole number from 1024 to 268435456',
    default: '20971520',
    schema: wholeNumber(1024, 268_435_456),
  },
  LOG_RETENTION: {
    meaning:
      'How long settled records stay in the log; pending and dead ones stay until they are settled or discarded',
    allowed: 'a length of time in hours or days (12h, 30d), or forever',
    default: '90d',
    schema: text.regex(/^([1-9]\d{0,5}[hd]|forever)$/).transform(parseRetention),
  },
  LOG_LEVEL: {
    meaning: 'The least important log lines that are written',
    allowed: levels.join(', '),
    default: 'info',
    schema: z.enum(levels),
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

/** The value that a setting has once parsed; undefined where it is not set and has no default. */
export type SettingValue<Name extends SettingName> = (typeof settings)[Name] extends { default: string }
  ? z.output<(typeof settings)[Name]['schema']>
  : z.output<(typeof settings)[Name]['schema']> | undefined;

/** Values of all settings, under their variables' names. */
export type SettingValues = { readonly [Name in SettingName]: SettingValue<Name> };

/** The end of "must be …" for a value that is not allowed; undefined for one that is. Quotes nothing of it. */
export function findSettingFault({ schema, allowed }: Setting, value: string): string | undefined {
  const { error } = schema.safeParse(value);
  const custom = error?.issues.find((issue) => issue.code === 'custom' && issue.params?.['isHint'] === true);
  return error && (custom ? `${allowed}: ${custom.message}` : allowed);
}

function refuseWrongConnection(value: string, context: z.RefinementCtx): void {
  if (value === 'off') return;
  try {
    parseConnection(value);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    context.addIssue({ code: 'custom', message: error.message, params: { isHint: true } });
  }
}

/** In milliseconds; undefined for ever. */
function parseRetention(value: string): number | undefined {
  if (value === 'forever') return undefined;
  const unitMs = value.endsWith('h') ? 3_600_000 : 86_400_000;
  return Number(value.slice(0, -1)) * unitMs;
}

/** Shorter parts between commas are taken for one secret with commas in it: each would be too easy to guess. */
const minPartLength = 8;

/**
 * Line ends always separate secrets; commas do where all parts could be secrets. Since a single secret may look like
 * that too, the whole is then a secret as well.
 */
function splitSecrets(value: string): string[] {
  const nonEmpty = (texts: readonly string[]) =>
    texts.map((text) => text.trim()).filter((text) => text !== '');
  return nonEmpty(value.split(/\r?\n/)).flatMap((line) => {
    const parts = nonEmpty(line.split(','));
    const isList = parts.length > 1 && parts.every((part) => part.length >= minPartLength);
    return isList ? [...parts, line] : [line];
  });
}
