// What PostgreSQL's and the network's error codes mean for a batch: not for this batch, ever; or later, and what to mend.

import { BatchRefusedError, BlockedError, RetryableError, UnknownHostError } from '../destination.ts';

/** SQLSTATE or errno → what an operator can do. (PostgreSQL's documents, appendix "Error Codes".) */
const hints: Readonly<Record<string, string>> = {
  '28P01': 'The password was refused: mend it in WAREHOUSE_URL',
  '28000': 'The server refused the user or the connection: mend WAREHOUSE_URL, or the server’s pg_hba.conf',
  '3D000': 'The database does not exist: create it, or name another in WAREHOUSE_URL',
  '42501':
    'The user lacks a right: GRANT CREATE ON DATABASE and rights on the schema’s tables, or name another user',
  '25006': 'The server is read-only: name the primary in WAREHOUSE_URL',
  '53100': 'The server’s disk is full: make room there',
  '53300': 'The server has no connection to spare: raise max_connections, or end idle sessions',
  '55P03': 'Another session holds a lock on a table of the warehouse: end it',
  '57P03': 'The server is starting or stopping',
  ECONNREFUSED: 'No server answers there: start it, or mend host and port in WAREHOUSE_URL',
  ENOTFOUND: 'The host name is unknown: mend WAREHOUSE_URL, or DNS',
  EAI_AGAIN: 'DNS does not answer: mend it on this machine; a container may have lost its network',
  ETIMEDOUT: 'The server does not answer: check the network and its firewall',
};

/** What somebody must mend: nothing will be loaded before. */
const blocking = new Set(['28P01', '28000', '3D000', '42501', '25006']);

/** A column's type cannot be changed, since a view of somebody's depends on it. */
export function isFixedColumn(error: unknown): boolean {
  return codeOf(error) === '0A000';
}

/** The error to throw for a failed load. */
export function loadError(error: unknown): BatchRefusedError | RetryableError {
  const code = codeOf(error);
  // Data exceptions, violated constraints, program limits: the same batch fails for ever.
  if (/^(22|23|54)/.test(code) && !isCatalogConflict(error)) {
    return new BatchRefusedError('warehouse_refused', `PostgreSQL refused a row (SQLSTATE ${code})`);
  }
  return unavailable(error);
}

/** The error to throw where the warehouse could not be reached or made ready. */
export function unavailable(error: unknown): RetryableError {
  if (error instanceof RetryableError) return error;
  const code = codeOf(error);
  const Kind = kindOf(code);
  return new Kind(`The warehouse could not be written${code === '' ? '' : ` (${code})`}`, {
    hint: hints[code] ?? 'See the cause in the log lines; events are kept and loaded later',
    cause: error,
  });
}

function kindOf(code: string) {
  if (blocking.has(code)) return BlockedError;
  return code === 'ENOTFOUND' ? UnknownHostError : RetryableError;
}

/** Another session was making the same table or schema at the same moment: it is there at the next attempt. */
function isCatalogConflict(error: unknown): boolean {
  const { constraint } = error as { constraint?: unknown };
  return codeOf(error) === '23505' && typeof constraint === 'string' && constraint.startsWith('pg_');
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
