import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  BatchRefusedError,
  BlockedError,
  RetryableError,
  UnknownHostError,
} from '../../../src/destinations/destination.ts';
import { loadError, unavailable } from '../../../src/destinations/warehouse/postgres-errors.ts';

const withCode = (code: string, fields: object = {}) => Object.assign(new Error('x'), { code, ...fields });

describe('where the warehouse cannot be written', () => {
  const cases: [code: string, kind: typeof RetryableError | typeof BlockedError, hint: RegExp][] = [
    ['28P01', BlockedError, /password was refused: mend it in WAREHOUSE_URL/],
    ['3D000', BlockedError, /database does not exist: create it/],
    ['42501', BlockedError, /lacks a right: GRANT/],
    ['25006', BlockedError, /read-only: name the primary/],
    ['ENOTFOUND', UnknownHostError, /host name is unknown: mend WAREHOUSE_URL, or DNS/],
    ['EAI_AGAIN', RetryableError, /DNS does not answer/],
    ['ECONNREFUSED', RetryableError, /start it/],
    ['53100', RetryableError, /disk is full: make room/],
    ['55P03', RetryableError, /holds a lock/],
    ['XX000', RetryableError, /cause in the log lines/],
  ];
  for (const [code, kind, hint] of cases) {
    test(`${code} is a ${kind.name}, and says what to mend`, () => {
      const error = unavailable(withCode(code));

      assert.equal(error.constructor, kind);
      assert.match(error.message, new RegExp(`\\(${code}\\)$`));
      assert.match(error.hint, hint);
    });
  }

  test('an error that says so already stays as it is', () => {
    const error = new BlockedError('It is so', { hint: 'Mend it' });

    assert.equal(unavailable(error), error);
  });
});

test('a row that PostgreSQL can never take is refused; a table that another session makes at the same moment is there later', () => {
  const refused = loadError(withCode('22003'));
  const conflict = loadError(withCode('23505', { constraint: 'pg_type_typname_nsp_index' }));

  assert.ok(refused instanceof BatchRefusedError);
  assert.equal(conflict.constructor, RetryableError);
});
