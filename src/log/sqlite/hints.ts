import { errcodeOf, WorkerFaultError } from './worker-rpc.ts';

export const fullDiskHint =
  'The disk is full: make room on the volume of DATA_DIR; the bridge goes on by itself';

/** What an operator can do, by SQLite's primary result code. */
export function hintFor(cause: unknown): string {
  if (cause instanceof WorkerFaultError && cause.hint !== undefined) return cause.hint;
  switch (errcodeOf(cause) & 0xff) {
    case 13: // SQLITE_FULL
      return fullDiskHint;
    case 10: // SQLITE_IOERR
      return 'The disk reports errors: check the volume of DATA_DIR';
    case 8: // SQLITE_READONLY
    case 14: // SQLITE_CANTOPEN
      return 'DATA_DIR must be writable for this user';
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return 'The file log.sqlite in DATA_DIR is damaged: restart the bridge, which keeps it aside and makes a new one of what can be read';
    default:
      return 'See the cause in the log lines, and check the volume of DATA_DIR';
  }
}
