/** Of the log's file, in bytes: SQLite's default, and set, so that a file whose header is damaged can be read as well. */
export const pageSize = 4096;
