#include "log.h"

#include <stdlib.h>
#include <string.h>

// A test has nothing better to do when memory is short.
static void *checked(void *memory) {
  if (!memory) abort();
  return memory;
}

static const char *last_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

void log_append(fault_vfs *vfs, fault_vfs_entry entry) {
  if (vfs->count == vfs->capacity) {
    vfs->capacity = vfs->capacity ? 2 * vfs->capacity : 256;
    vfs->entries = checked(realloc(vfs->entries, vfs->capacity * sizeof *vfs->entries));
  }
  entry.name = entry.name ? checked(strdup(last_part(entry.name))) : NULL;
  if (entry.bytes) entry.bytes = memcpy(checked(malloc(entry.length + 1)), entry.bytes, entry.length);
  vfs->entries[vfs->count++] = entry;
}

named_file *log_find(fault_vfs *vfs, const char *path) {
  for (size_t i = 0; i < vfs->names_count; i++) {
    if (strcmp(vfs->names[i].path, path) == 0) return &vfs->names[i];
  }
  return NULL;
}

named_file *log_name(fault_vfs *vfs, const char *path) {
  vfs->names = checked(realloc(vfs->names, (vfs->names_count + 1) * sizeof *vfs->names));
  named_file *name = &vfs->names[vfs->names_count++];
  *name = (named_file){checked(strdup(path)), vfs->files++};
  return name;
}

void log_forget(fault_vfs *vfs, named_file *name) {
  free(name->path);
  *name = vfs->names[--vfs->names_count];
}

// The system's VFS takes less than 128 KiB at a time, which SQLite never exceeds.
static void write_all(sqlite3_file *real, const unsigned char *bytes, size_t length, sqlite3_int64 offset) {
  for (size_t done = 0; done < length;) {
    size_t part = length - done < 65536 ? length - done : 65536;
    if (real->pMethods->xWrite(real, bytes + done, (int)part, offset + (sqlite3_int64)done) != SQLITE_OK) abort();
    done += part;
  }
}

void log_lose_unsynced(fault_vfs *vfs, int file) {
  size_t durable = 0;
  for (size_t i = 0; i < vfs->count; i++) {
    const fault_vfs_entry *entry = &vfs->entries[i];
    if (entry->file == file && entry->kind == FAULT_VFS_SYNC && (size_t)entry->offset > durable) {
      durable = (size_t)entry->offset;
    }
  }
  for (size_t i = durable; i < vfs->count; i++) {
    fault_vfs_entry *entry = &vfs->entries[i];
    if (entry->file == file && (entry->kind == FAULT_VFS_WRITE || entry->kind == FAULT_VFS_TRUNCATE)) {
      entry->is_lost = true;
    }
  }
}

void log_drop_lost(fault_vfs *vfs, int file, sqlite3_file *real) {
  sqlite3_int64 length = 0;
  real->pMethods->xFileSize(real, &length);
  real->pMethods->xTruncate(real, 0);
  for (size_t i = 0; i < vfs->count; i++) {
    const fault_vfs_entry *entry = &vfs->entries[i];
    if (entry->file != file || entry->is_lost) continue;
    if (entry->kind == FAULT_VFS_FOUND || entry->kind == FAULT_VFS_WRITE) {
      write_all(real, entry->bytes, entry->length, entry->offset);
    } else if (entry->kind == FAULT_VFS_TRUNCATE) {
      real->pMethods->xTruncate(real, entry->offset);
    }
  }
  real->pMethods->xTruncate(real, length);
}

int log_fault(fault_vfs *vfs, fault_vfs_kind kind) {
  fault *fault = &vfs->faults[kind];
  if (fault->countdown == 0 || --fault->countdown > 0) return SQLITE_OK;
  if (fault->persistent) fault->countdown = 1;
  vfs->failures++;
  return fault->code;
}

void log_free(fault_vfs *vfs) {
  for (size_t i = 0; i < vfs->count; i++) {
    free((void *)vfs->entries[i].name);
    free((void *)vfs->entries[i].bytes);
  }
  while (vfs->names_count > 0) log_forget(vfs, &vfs->names[0]);
  free(vfs->entries);
  free(vfs->names);
}
