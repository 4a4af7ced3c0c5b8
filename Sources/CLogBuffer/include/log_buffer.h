#pragma once

struct sqlite3;

/// Gathers what a connection writes to its write-ahead log, so that a transaction is one write(2) instead of two for each
/// of its pages (a frame's header, and the page): with a few pages, those cost as much as all else that SQLite does.
///
/// The log is as complete as without it whenever anybody looks: what a transaction wrote is in the file when its last
/// write returns, before other connections are told of it (https://sqlite.org/walformat.html, the WAL-index), and before
/// anybody can ask for it to be synced.
///
/// @param db  A connection in WAL mode whose log is open; it stays so until the connection closes.
/// @return SQLITE_OK, or an SQLite result code: then nothing is gathered.
int log_buffer_install(struct sqlite3 *db);

/// Forgets what a transaction that was rolled back has left: written later, it would overwrite what another process has
/// committed since. To be called after each ROLLBACK; it does nothing to a connection whose writes are not gathered.
void log_buffer_drop(struct sqlite3 *db);
