// What errors of PostgreSQL, of poolers, of TLS and of the network mean for whoever must mend them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  BatchRefusedError,
  BlockedError,
  RetryableError,
  UnknownHostError,
} from '../../../src/destinations/destination.ts';
import { loadError, unavailable } from '../../../src/destinations/warehouse/postgres-errors.ts';

const errorOf = (code: string | undefined, message = '') =>
  Object.assign(new Error(message), code && { code });

describe('an error', () => {
  const cases: [code: string | undefined, message: string, isBlocked: boolean, hint: RegExp][] = [
    ['28P01', '', true, /password was refused/],
    ['42501', '', true, /lacks a right/],
    ['3D000', '', true, /database does not exist/],
    ['3F000', '', false, /schema does not exist/],
    ['25006', '', true, /read-only: name the primary/],
    ['53100', '', false, /disk is full/],
    ['57014', '', false, /statement_timeout/],
    ['58030', '', false, /disk: see its log/],
    ['XX001', '', false, /damaged file/],
    ['XX002', '', false, /reindex/],
    ['55P03', '', false, /holds a lock/],
    ['ENOTFOUND', '', false, /host name is unknown: mend WAREHOUSE_URL, or DNS/],
    ['EAI_AGAIN', '', false, /DNS does not answer/],
    ['ECONNREFUSED', '', false, /start it/],
    ['XX000', '', false, /cause in the log lines/],
    ['53300', 'sorry, too many clients already', false, /no connection to spare/],
    ['57P01', 'terminating connection due to administrator command', false, /ended the connection/],
    ['57P02', '', false, /crashed/],
    ['57P03', 'the database system is starting up', false, /starting or stopping/],
    ['57P05', '', false, /idle_session_timeout/],
    [
      '28000',
      'no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", no encryption',
      true,
      /append sslmode=require/,
    ],
    [
      '28000',
      'no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", SSL encryption',
      true,
      /pg_hba\.conf/,
    ],
    ['28000', 'connection requires a valid client certificate', true, /sslcert and sslkey/],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', '', true, /sslcert and sslkey/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', '', true, /sslcert and sslkey/],
    ['SELF_SIGNED_CERT_IN_CHAIN', '', true, /sslrootcert/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', '', true, /sslrootcert/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', '', true, /sslrootcert/],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', '', true, /sslrootcert/],
    ['CERT_HAS_EXPIRED', '', true, /expired: renew/],
    ['CERT_NOT_YET_VALID', '', false, /clock/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', '', true, /another host/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', '', false, /TLS versions/],
    [undefined, 'The server does not support SSL connections', true, /sslmode=disable/],
    ['08P01', 'unsupported startup parameter: options', true, /ignore_startup_parameters/],
    [
      '08P01',
      'server login has been failing, try again later (server_login_retry)',
      false,
      /pooler cannot reach/,
    ],
    ['26000', 'prepared statement "x" does not exist', false, /max_prepared_statements/],
    ['42P05', 'prepared statement "x" already exists', false, /max_prepared_statements/],
    ['XX000', 'Tenant or user not found', true, /postgres\.<project>/],
    ['XX000', 'Endpoint ID is not specified. Either please upgrade', true, /by the host name/],
    [undefined, 'timeout expired', false, /fell silent/],
    [undefined, 'Query read timeout', false, /fell silent/],
    [undefined, 'Connection terminated unexpectedly', false, /was cut/],
    ['ECONNRESET', 'read ECONNRESET', false, /was cut/],
    ['EPIPE', '', false, /was cut/],
    ['ENETUNREACH', '', false, /IPv6/],
    ['ENOENT', 'connect ENOENT /run/.s.PGSQL.5432', false, /no socket/],
  ];
  for (const [code, message, isBlocked, hint] of cases) {
    test(`${code ?? 'without a code'} ${message}`, () => {
      const failure = unavailable(errorOf(code, message));

      assert.match(failure.hint, hint);
      assert.equal(failure instanceof BlockedError, isBlocked);
    });
  }

  test('is told with its code', () => {
    assert.match(unavailable(errorOf('28P01')).message, /\(28P01\)$/);
  });

  test('of a host name that is unknown is one that may block later', () => {
    assert.equal(unavailable(errorOf('ENOTFOUND')).constructor, UnknownHostError);
  });

  test('that says so already stays as it is', () => {
    const error = new BlockedError('It is so', { hint: 'Mend it' });

    assert.equal(unavailable(error), error);
  });

  test('that lies in the rows refuses the batch', () => {
    assert.ok(loadError(errorOf('22P02')) instanceof BatchRefusedError);
    assert.ok(loadError(errorOf('22003')) instanceof BatchRefusedError);
  });

  test('of a table that another session makes at the same moment is tried again: the table is there later', () => {
    const conflict = Object.assign(errorOf('23505'), { constraint: 'pg_type_typname_nsp_index' });

    assert.equal(loadError(conflict).constructor, RetryableError);
  });
});
