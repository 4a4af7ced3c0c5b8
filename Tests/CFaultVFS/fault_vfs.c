#include "log.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
  sqlite3_file base;
  fault_vfs *vfs;
  // -1: a file without a name, which nobody finds again.
  int file;
  int flags;
  // Its first sync also makes its name durable, as the system's VFS does for logs and journals.
  bool syncs_name;
  // Behind this struct.
  sqlite3_file *real;
} fault_file;

static fault_file *as_fault(sqlite3_file *file) { return (fault_file *)file; }
static sqlite3_file *as_real(sqlite3_file *file) { return as_fault(file)->real; }
static fault_vfs *as_owner(sqlite3_vfs *vfs) { return vfs->pAppData; }

// Files.

static int file_close(sqlite3_file *file) { return as_real(file)->pMethods->xClose(as_real(file)); }

static int file_read(sqlite3_file *file, void *bytes, int length, sqlite3_int64 offset) {
  fault_vfs *vfs = as_fault(file)->vfs;
  pthread_mutex_lock(&vfs->mutex);
  int code = log_fault(vfs, FAULT_VFS_READ);
  pthread_mutex_unlock(&vfs->mutex);
  return code ? code : as_real(file)->pMethods->xRead(as_real(file), bytes, length, offset);
}

static int file_write(sqlite3_file *base, const void *bytes, int length, sqlite3_int64 offset) {
  fault_file *file = as_fault(base);
  fault_vfs *vfs = file->vfs;
  pthread_mutex_lock(&vfs->mutex);
  int code = log_fault(vfs, FAULT_VFS_WRITE);
  if (code) length /= 2;
  int written = file->real->pMethods->xWrite(file->real, bytes, length, offset);
  if (written == SQLITE_OK && file->file >= 0) {
    log_append(vfs, (fault_vfs_entry){FAULT_VFS_WRITE, file->file, NULL, offset, (size_t)length, bytes});
  }
  pthread_mutex_unlock(&vfs->mutex);
  return code ? code : written;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 length) {
  fault_file *file = as_fault(base);
  fault_vfs *vfs = file->vfs;
  pthread_mutex_lock(&vfs->mutex);
  int code = log_fault(vfs, FAULT_VFS_TRUNCATE);
  if (!code) code = file->real->pMethods->xTruncate(file->real, length);
  if (code == SQLITE_OK && file->file >= 0) {
    log_append(vfs, (fault_vfs_entry){FAULT_VFS_TRUNCATE, file->file, NULL, length, 0, NULL});
  }
  pthread_mutex_unlock(&vfs->mutex);
  return code;
}

static int file_sync(sqlite3_file *base, int flags) {
  (void)flags;
  fault_file *file = as_fault(base);
  fault_vfs *vfs = file->vfs;
  pthread_mutex_lock(&vfs->mutex);
  // What is written while the sync is under way need not be durable when it ends.
  int64_t before = (int64_t)vfs->count;
  int code = log_fault(vfs, FAULT_VFS_SYNC);
  if (code && file->file >= 0) {
    log_lose_unsynced(vfs, file->file);
    if (!vfs->keeps_unsynced) log_drop_lost(vfs, file->file, file->real);
  }
  void (*hold)(void *) = code ? NULL : vfs->hold;
  if (hold) vfs->hold = NULL;
  pthread_mutex_unlock(&vfs->mutex);
  if (hold) hold(vfs->hold_context);
  if (code || file->file < 0 || (file->flags & vfs->ignored)) return code;

  pthread_mutex_lock(&vfs->mutex);
  log_append(vfs, (fault_vfs_entry){FAULT_VFS_SYNC, file->file, NULL, before, 0, NULL});
  if (file->syncs_name) {
    log_append(vfs, (fault_vfs_entry){FAULT_VFS_SYNC_NAMES, -1, NULL, before, 0, NULL});
    file->syncs_name = false;
  }
  pthread_mutex_unlock(&vfs->mutex);
  return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
  return as_real(file)->pMethods->xFileSize(as_real(file), size);
}
static int file_lock(sqlite3_file *file, int level) { return as_real(file)->pMethods->xLock(as_real(file), level); }
static int file_unlock(sqlite3_file *file, int level) {
  return as_real(file)->pMethods->xUnlock(as_real(file), level);
}
static int file_check_lock(sqlite3_file *file, int *result) {
  return as_real(file)->pMethods->xCheckReservedLock(as_real(file), result);
}
static int file_control(sqlite3_file *file, int operation, void *argument) {
  return as_real(file)->pMethods->xFileControl(as_real(file), operation, argument);
}
static int file_sector_size(sqlite3_file *file) { return as_real(file)->pMethods->xSectorSize(as_real(file)); }
static int file_characteristics(sqlite3_file *file) {
  return as_real(file)->pMethods->xDeviceCharacteristics(as_real(file));
}
static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **memory) {
  return as_real(file)->pMethods->xShmMap(as_real(file), page, size, extend, memory);
}
static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
  return as_real(file)->pMethods->xShmLock(as_real(file), offset, count, flags);
}
static void file_shm_barrier(sqlite3_file *file) { as_real(file)->pMethods->xShmBarrier(as_real(file)); }
static int file_shm_unmap(sqlite3_file *file, int delete) {
  return as_real(file)->pMethods->xShmUnmap(as_real(file), delete);
}

// Version 2: without memory mapping, which would write past the log.
static const sqlite3_io_methods file_methods = {
  .iVersion = 2,
  .xClose = file_close,
  .xRead = file_read,
  .xWrite = file_write,
  .xTruncate = file_truncate,
  .xSync = file_sync,
  .xFileSize = file_size,
  .xLock = file_lock,
  .xUnlock = file_unlock,
  .xCheckReservedLock = file_check_lock,
  .xFileControl = file_control,
  .xSectorSize = file_sector_size,
  .xDeviceCharacteristics = file_characteristics,
  .xShmMap = file_shm_map,
  .xShmLock = file_shm_lock,
  .xShmBarrier = file_shm_barrier,
  .xShmUnmap = file_shm_unmap,
};

// Names.

/// Which file it is that has just been opened; one that is new to the log begins with what is in it.
static int identify(fault_vfs *vfs, const char *path, sqlite3_file *real) {
  named_file *known = log_find(vfs, path);
  if (known) return known->file;
  int file = log_name(vfs, path)->file;
  sqlite3_int64 size = 0;
  real->pMethods->xFileSize(real, &size);
  if (size == 0) {
    log_append(vfs, (fault_vfs_entry){FAULT_VFS_OPEN, file, path, 0, 0, NULL});
    return file;
  }
  unsigned char *bytes = malloc((size_t)size);
  if (!bytes) abort();
  // The system's VFS gives less than 128 KiB at a time.
  for (sqlite3_int64 done = 0; done < size; done += 65536) {
    int part = size - done < 65536 ? (int)(size - done) : 65536;
    if (real->pMethods->xRead(real, bytes + done, part, done) != SQLITE_OK) abort();
  }
  log_append(vfs, (fault_vfs_entry){FAULT_VFS_FOUND, file, path, 0, (size_t)size, bytes});
  free(bytes);
  return file;
}

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *opened, int flags, int *out_flags) {
  fault_vfs *vfs = as_owner(base);
  fault_file *file = as_fault(opened);
  memset(file, 0, sizeof *file);
  file->real = (sqlite3_file *)(file + 1);
  pthread_mutex_lock(&vfs->mutex);
  int code = log_fault(vfs, FAULT_VFS_OPEN);
  if (!code) code = vfs->real->xOpen(vfs->real, path, file->real, flags, out_flags);
  if (code == SQLITE_OK) {
    file->vfs = vfs;
    file->flags = flags;
    file->file = path ? identify(vfs, path, file->real) : -1;
    file->syncs_name = (flags & SQLITE_OPEN_CREATE) && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL));
    file->base.pMethods = &file_methods;
  }
  pthread_mutex_unlock(&vfs->mutex);
  return code;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync_names) {
  fault_vfs *vfs = as_owner(base);
  pthread_mutex_lock(&vfs->mutex);
  int code = log_fault(vfs, FAULT_VFS_DELETE);
  if (!code) code = vfs->real->xDelete(vfs->real, path, 0);
  named_file *name = log_find(vfs, path);
  if (code == SQLITE_OK && name) {
    log_append(vfs, (fault_vfs_entry){FAULT_VFS_DELETE, name->file, path, 0, 0, NULL});
    log_forget(vfs, name);
    if (sync_names) {
      log_append(vfs, (fault_vfs_entry){FAULT_VFS_SYNC_NAMES, -1, NULL, (int64_t)vfs->count, 0, NULL});
    }
  }
  pthread_mutex_unlock(&vfs->mutex);
  return code;
}

static int vfs_access(sqlite3_vfs *base, const char *path, int flags, int *result) {
  sqlite3_vfs *real = as_owner(base)->real;
  return real->xAccess(real, path, flags, result);
}
static int vfs_full_path(sqlite3_vfs *base, const char *path, int length, char *full) {
  sqlite3_vfs *real = as_owner(base)->real;
  return real->xFullPathname(real, path, length, full);
}
static int vfs_randomness(sqlite3_vfs *base, int length, char *bytes) {
  sqlite3_vfs *real = as_owner(base)->real;
  return real->xRandomness(real, length, bytes);
}
static int vfs_sleep(sqlite3_vfs *base, int microseconds) {
  sqlite3_vfs *real = as_owner(base)->real;
  return real->xSleep(real, microseconds);
}
static int vfs_time(sqlite3_vfs *base, double *time) {
  sqlite3_vfs *real = as_owner(base)->real;
  return real->xCurrentTime(real, time);
}
static int vfs_time_64(sqlite3_vfs *base, sqlite3_int64 *time) {
  sqlite3_vfs *real = as_owner(base)->real;
  return real->xCurrentTimeInt64(real, time);
}
static int vfs_last_error(sqlite3_vfs *base, int length, char *text) {
  sqlite3_vfs *real = as_owner(base)->real;
  return real->xGetLastError(real, length, text);
}

// What tests see.

fault_vfs *fault_vfs_create(const char *name) {
  sqlite3_vfs *real = sqlite3_vfs_find(NULL);
  fault_vfs *vfs = calloc(1, sizeof *vfs);
  char *copy = strdup(name);
  if (!real || !vfs || !copy) abort();
  vfs->real = real;
  pthread_mutex_init(&vfs->mutex, NULL);
  vfs->base = (sqlite3_vfs){
    .iVersion = 2,
    .szOsFile = (int)sizeof(fault_file) + real->szOsFile,
    .mxPathname = real->mxPathname,
    .zName = copy,
    .pAppData = vfs,
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_path,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_time,
    .xGetLastError = vfs_last_error,
    .xCurrentTimeInt64 = vfs_time_64,
  };
  if (sqlite3_vfs_register(&vfs->base, 0) != SQLITE_OK) abort();
  return vfs;
}

void fault_vfs_destroy(fault_vfs *vfs) {
  sqlite3_vfs_unregister(&vfs->base);
  log_free(vfs);
  free((void *)vfs->base.zName);
  pthread_mutex_destroy(&vfs->mutex);
  free(vfs);
}

size_t fault_vfs_count(fault_vfs *vfs) {
  pthread_mutex_lock(&vfs->mutex);
  size_t count = vfs->count;
  pthread_mutex_unlock(&vfs->mutex);
  return count;
}

fault_vfs_entry fault_vfs_at(fault_vfs *vfs, size_t index) {
  pthread_mutex_lock(&vfs->mutex);
  fault_vfs_entry entry = vfs->entries[index];
  pthread_mutex_unlock(&vfs->mutex);
  return entry;
}

void fault_vfs_ignore_syncs(fault_vfs *vfs, int flags) {
  pthread_mutex_lock(&vfs->mutex);
  vfs->ignored = flags;
  pthread_mutex_unlock(&vfs->mutex);
}

void fault_vfs_fail(fault_vfs *vfs, fault_vfs_kind kind, long nth, int code, bool persistent) {
  pthread_mutex_lock(&vfs->mutex);
  vfs->faults[kind] = (fault){nth, code, persistent};
  pthread_mutex_unlock(&vfs->mutex);
}

void fault_vfs_keep_unsynced(fault_vfs *vfs) {
  pthread_mutex_lock(&vfs->mutex);
  vfs->keeps_unsynced = true;
  pthread_mutex_unlock(&vfs->mutex);
}

long fault_vfs_failures(fault_vfs *vfs) {
  pthread_mutex_lock(&vfs->mutex);
  long failures = vfs->failures;
  pthread_mutex_unlock(&vfs->mutex);
  return failures;
}

void fault_vfs_hold_sync(fault_vfs *vfs, void (*body)(void *), void *context) {
  pthread_mutex_lock(&vfs->mutex);
  vfs->hold = body;
  vfs->hold_context = context;
  pthread_mutex_unlock(&vfs->mutex);
}
