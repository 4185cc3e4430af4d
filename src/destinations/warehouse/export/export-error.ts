/** Why nothing is exported. */
export type ExportFault =
  | 'EXPORT_UNKNOWN'
  | 'EXPORT_INVALID'
  | 'EXPORT_TOO_LONG'
  | 'EXPORT_FAILED'
  | 'EXPORTS_BUSY'
  | 'WAREHOUSE_OFF'
  | 'WAREHOUSE_UNAVAILABLE';

/** An export cannot be made; its code says why, its hint what to do. Names of tables and columns, no values. */
export class ExportError extends Error {
  readonly code: ExportFault;
  readonly hint: string;

  constructor(message: string, { code, hint, cause }: { code: ExportFault; hint: string; cause?: unknown }) {
    super(message, { cause });
    this.name = 'ExportError';
    this.code = code;
    this.hint = hint;
  }
}
