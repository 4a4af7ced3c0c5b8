// The log of a VFS, and what is known of its files.
#ifndef FAULT_VFS_LOG_H
#define FAULT_VFS_LOG_H

#include "fault_vfs.h"

#include <pthread.h>
#include <sqlite3.h>

typedef struct {
  char *path;
  int file;
} named_file;

typedef struct {
  long countdown;
  int code;
  bool persistent;
} fault;

struct fault_vfs {
  sqlite3_vfs base;
  sqlite3_vfs *real;
  // Guards what follows, and makes a change of a file and its entry one step.
  pthread_mutex_t mutex;
  fault_vfs_entry *entries;
  size_t count, capacity;
  named_file *names;
  size_t names_count;
  int files;
  fault faults[FAULT_VFS_KINDS];
  long failures;
  int ignored;
  bool keeps_unsynced;
  void (*hold)(void *);
  void *hold_context;
};

/// Appends an entry, with copies of its name and bytes.
void log_append(fault_vfs *vfs, fault_vfs_entry entry);
/// The file of that path; NULL when none is known.
named_file *log_find(fault_vfs *vfs, const char *path);
/// Knows a file under a path from now on.
named_file *log_name(fault_vfs *vfs, const char *path);
/// Forgets a name.
void log_forget(fault_vfs *vfs, named_file *name);
/// A sync of a file has failed: what it was to make durable never will be.
void log_lose_unsynced(fault_vfs *vfs, int file);
/// Takes what is lost out of a file, which stays as long as it is.
void log_drop_lost(fault_vfs *vfs, int file, sqlite3_file *real);
/// The SQLite result of a call: SQLITE_OK, or its fault's code.
int log_fault(fault_vfs *vfs, fault_vfs_kind kind);
void log_free(fault_vfs *vfs);

#endif
