// An SQLite VFS for tests: it keeps a log of all that changes a file or its name, and can fail.
//
// It stands on the system's default VFS, whose files it really writes. It never really syncs: what a power cut would
// leave is worked out from the log. All functions may be called from any thread.
#ifndef FAULT_VFS_H
#define FAULT_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fault_vfs fault_vfs;

/// What a call did, or may fail to do.
typedef enum {
  /// A file that was there before the log began: its whole content, which is durable.
  FAULT_VFS_FOUND,
  /// Opened; in the log: made, under a name that was free.
  FAULT_VFS_OPEN,
  FAULT_VFS_WRITE,
  /// Cut or extended to `offset` bytes.
  FAULT_VFS_TRUNCATE,
  /// What was in the log of this file before `offset` is durable.
  FAULT_VFS_SYNC,
  /// What was in the log of all names before `offset` is durable.
  FAULT_VFS_SYNC_NAMES,
  FAULT_VFS_DELETE,
  FAULT_VFS_READ,
  FAULT_VFS_KINDS,
} fault_vfs_kind;

/// One entry of the log. The pointers are valid as long as the VFS.
typedef struct {
  fault_vfs_kind kind;
  /// Counted from 0. A file that is made again under its old name is another one.
  int file;
  /// The last part of its path.
  const char *name;
  int64_t offset;
  size_t length;
  const unsigned char *bytes;
  /// Never reaches the disk, whatever is synced later.
  bool is_lost;
} fault_vfs_entry;

/// Registers a VFS.
fault_vfs *fault_vfs_create(const char *name);
/// No connection may be open.
void fault_vfs_destroy(fault_vfs *vfs);

size_t fault_vfs_count(fault_vfs *vfs);
fault_vfs_entry fault_vfs_at(fault_vfs *vfs, size_t index);

/// Syncs of files that were opened with one of these SQLITE_OPEN_… flags do nothing and say that they did.
void fault_vfs_ignore_syncs(fault_vfs *vfs, int flags);

/// The `nth` call of a kind from now on, counted from 1, returns `code`, and so do all after it if `persistent`. A
/// write that fails writes its first half. 0 ends it.
void fault_vfs_fail(fault_vfs *vfs, fault_vfs_kind kind, long nth, int code, bool persistent);
/// What a failed sync was to make durable can still be read afterwards, as with most file systems, though it never is; else
/// it is gone at once.
void fault_vfs_keep_unsynced(fault_vfs *vfs);
/// How many calls have failed.
long fault_vfs_failures(fault_vfs *vfs);

/// The next sync calls `body` once it has begun, and goes on when that returns.
void fault_vfs_hold_sync(fault_vfs *vfs, void (*body)(void *), void *context);

#endif
