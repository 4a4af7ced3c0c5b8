#include "log_buffer.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
  /// What a frame begins with: where in the database its page belongs, how large the database is after the transaction if
  /// this is its last frame, or else 0, and checksums.
  FRAME_HEADER = 24,
  /// SQLite's VFS for Unix writes less than 128 KiB at a time.
  CAPACITY = 120 << 10,
};

/// Stands in the place of the methods that the file had: whoever has the file finds it there.
typedef struct {
  sqlite3_io_methods methods;
  const sqlite3_io_methods *real;
  /// Where in the file the last write ended, whether it is gathered or not.
  sqlite3_int64 end;
  /// The page that comes next is the last of its transaction.
  bool commits;
  /// What is gathered: it belongs before `end`.
  int count;
  unsigned char bytes[CAPACITY];
} log_buffer;

static log_buffer *buffer_of(sqlite3_file *file) { return (log_buffer *)file->pMethods; }

static int flush(sqlite3_file *file) {
  log_buffer *buffer = buffer_of(file);
  int count = buffer->count;
  buffer->count = 0;
  return count == 0 ? SQLITE_OK : buffer->real->xWrite(file, buffer->bytes, count, buffer->end - count);
}

static bool ends_transaction(const unsigned char *header) {
  static const unsigned char none[4];
  return memcmp(header + 4, none, sizeof none) != 0;
}

static int write_log(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
  log_buffer *buffer = buffer_of(file);
  // Not so the header of the whole log, which is synced before a frame follows, and what a transaction larger than
  // SQLite's cache writes over: pages, and at its end the headers behind them.
  bool appends = offset != 0 && offset == buffer->end;
  if (!appends || count > CAPACITY - buffer->count) {
    int code = flush(file);
    if (code != SQLITE_OK) return code;
  }
  buffer->end = offset + count;
  if (count == FRAME_HEADER) buffer->commits = ends_transaction(bytes);
  if (!appends || count > CAPACITY) return buffer->real->xWrite(file, bytes, count, offset);

  memcpy(buffer->bytes + buffer->count, bytes, (size_t)count);
  buffer->count += count;
  return count != FRAME_HEADER && buffer->commits ? flush(file) : SQLITE_OK;
}

// Such a transaction also reads what it has written.
static int read_log(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
  int code = flush(file);
  return code == SQLITE_OK ? buffer_of(file)->real->xRead(file, bytes, count, offset) : code;
}

static int truncate_log(sqlite3_file *file, sqlite3_int64 size) {
  int code = flush(file);
  return code == SQLITE_OK ? buffer_of(file)->real->xTruncate(file, size) : code;
}

static int size_of_log(sqlite3_file *file, sqlite3_int64 *size) {
  int code = flush(file);
  return code == SQLITE_OK ? buffer_of(file)->real->xFileSize(file, size) : code;
}

// What is left was rolled back.
static int close_log(sqlite3_file *file) {
  log_buffer *buffer = buffer_of(file);
  file->pMethods = buffer->real;
  free(buffer);
  return file->pMethods->xClose(file);
}

static int find_log(sqlite3 *db, sqlite3_file **file) {
  int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, file);
  if (code != SQLITE_OK) return code;
  return *file && (*file)->pMethods ? SQLITE_OK : SQLITE_MISUSE;
}

void log_buffer_drop(sqlite3 *db) {
  sqlite3_file *file = NULL;
  if (find_log(db, &file) == SQLITE_OK && file->pMethods->xWrite == write_log) buffer_of(file)->count = 0;
}

int log_buffer_install(sqlite3 *db) {
  sqlite3_file *file = NULL;
  int code = find_log(db, &file);
  if (code != SQLITE_OK) return code;
  log_buffer *buffer = calloc(1, sizeof *buffer);
  if (!buffer) return SQLITE_NOMEM;
  buffer->real = file->pMethods;
  // Syncs, among others, go straight through. They may come from another thread, and find nothing here that they are to
  // make durable.
  buffer->methods = *buffer->real;
  buffer->methods.xClose = close_log;
  buffer->methods.xRead = read_log;
  buffer->methods.xWrite = write_log;
  buffer->methods.xTruncate = truncate_log;
  buffer->methods.xFileSize = size_of_log;
  file->pMethods = &buffer->methods;
  return SQLITE_OK;
}
