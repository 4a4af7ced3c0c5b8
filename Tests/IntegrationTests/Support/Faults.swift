import Foundation
import TestSupport

/// A file system of a few MiB in memory, in a mount namespace of the broker's own, so that nothing of it is left
/// behind however the test ends.
struct SmallDisk {
  let path: String
  let megabytes: Int

  /// Only root can have one, and not in every container.
  static let isAvailable =
    (try? Finished.exitCode(of: ["/usr/bin/unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]))
    == 0

  init(in directory: TemporaryDirectory, megabytes: Int) throws {
    path = directory.file("disk")
    self.megabytes = megabytes
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  /// A wrapper that lets a broker see it.
  var wrapper: [String] {
    [
      "/usr/bin/unshare", "--mount", "/bin/sh", "-c",
      #"mount -t tmpfs -o size=\#(megabytes)m tmpfs "\#(path)" && exec "$0" "$@""#,
    ]
  }

  /// Makes it larger for a broker that has it.
  func resize(megabytes: Int, of broker: ChildProcess) async throws {
    let run = try await Finished.running(
      ["/usr/bin/nsenter", "--mount", "--target", "\(broker.pid)"]
        + ["mount", "-o", "remount,size=\(megabytes)m", path])
    if run.code != 0 { throw ChildProcess.Ended(description: run.errors) }
  }

  /// Leaves a broker that has it no room, by a file of somebody else's.
  func fill(for broker: ChildProcess) throws {
    let file = open(filler(broker), O_WRONLY | O_CREAT, 0o600)
    guard file >= 0 else { throw POSIXError(.EIO) }
    defer { close(file) }
    let page = [UInt8](repeating: 1, count: 4096)
    while write(file, page, page.count) > 0 {}
  }

  /// Removes that file.
  func empty(for broker: ChildProcess) throws {
    try FileManager.default.removeItem(atPath: filler(broker))
  }

  private func filler(_ broker: ChildProcess) -> String { "/proc/\(broker.pid)/root\(path)/filler" }
}

/// Makes a broker's write-ahead log fail as a broken disk would, from the moment a test says so. No real disk can be
/// made to do that in a test, so a library stands between the broker and the system.
struct BrokenDisk {
  enum Fault: String {
    /// fdatasync(2) returns EIO.
    case sync
    /// write(2) and its like return EIO.
    case write
    /// write(2) and its like return EDQUOT where the database and the files beside it would become longer, all together,
    /// than they are now, and so does fallocate(2). statvfs(2) knows nothing of that.
    case quota
    /// fdatasync(2) takes 20 ms.
    case slow
    /// fdatasync(2) does not return before this has ended.
    case hold
  }

  private let directory: TemporaryDirectory
  private let library: PreloadedLibrary

  init(in directory: TemporaryDirectory) async throws {
    self.directory = directory
    library = try await PreloadedLibrary(BrokenDisk.source, in: directory)
  }

  var environment: [String: String] {
    library.environment.merging(["FAULTS": directory.path]) { $1 }
  }

  /// From now on it is broken.
  func begin(_ fault: Fault) throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    let used = try files.filter { $0.hasPrefix("jobs.db") }.reduce(0) { sum, name in
      let attributes = try FileManager.default.attributesOfItem(atPath: directory.file(name))
      return sum + (attributes[.size] as? Int ?? 0)
    }
    try Data("\(used)".utf8).write(to: URL(fileURLWithPath: directory.file(fault.rawValue)), options: .atomic)
  }

  /// It is whole again.
  func end(_ fault: Fault) throws {
    try FileManager.default.removeItem(atPath: directory.file(fault.rawValue))
  }

  /// Whether a call is held up.
  var isHolding: Bool { FileManager.default.fileExists(atPath: directory.file("held")) }

  private static let source = """
    #define _GNU_SOURCE
    #include <dirent.h>
    #include <dlfcn.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/stat.h>
    #include <unistd.h>

    static int has(int fd, const char *fault) {
      char path[4096], link[64];
      snprintf(path, sizeof path, "%s/%s", getenv("FAULTS"), fault);
      if (access(path, F_OK) != 0) return 0;
      snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
      ssize_t length = readlink(link, path, sizeof path);
      return length >= 4 && memcmp(path + length - 4, "-wal", 4) == 0;
    }

    static int fails(int fd, const char *fault) {
      errno = EIO;
      return has(fd, fault);
    }

    static const char database[] = "jobs.db";

    static int is_of_database(int fd) {
      char link[64], path[4096] = "", start[4096];
      snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
      snprintf(start, sizeof start, "%s/%s", getenv("FAULTS"), database);
      return readlink(link, path, sizeof path - 1) > 0 && strncmp(path, start, strlen(start)) == 0;
    }

    static off64_t used(void) {
      off64_t sum = 0;
      DIR *directory = opendir(getenv("FAULTS"));
      for (struct dirent *entry; directory && (entry = readdir(directory));) {
        struct stat file;
        if (strncmp(entry->d_name, database, strlen(database)) != 0) continue;
        if (fstatat(dirfd(directory), entry->d_name, &file, 0) == 0) sum += file.st_size;
      }
      if (directory) closedir(directory);
      return sum;
    }

    static int is_denied(int fd, off64_t end) {
      char path[4096];
      struct stat file;
      long long quota;
      snprintf(path, sizeof path, "%s/quota", getenv("FAULTS"));
      FILE *limit = fopen(path, "r");
      if (!limit) return 0;
      int found = fscanf(limit, "%lld", &quota);
      fclose(limit);
      if (found != 1 || !is_of_database(fd) || fstat(fd, &file) != 0 || end <= file.st_size) return 0;
      return used() + end - file.st_size > quota;
    }

    static int fails_to_write(int fd, off64_t end) {
      if (!is_denied(fd, end)) return fails(fd, "write");
      errno = EDQUOT;
      return 1;
    }

    static void wait(int fd) {
      char path[4096];
      snprintf(path, sizeof path, "%s/held", getenv("FAULTS"));
      if (has(fd, "slow")) usleep(20000);
      for (; has(fd, "hold"); usleep(1000)) close(open(path, O_CREAT | O_WRONLY, 0600));
    }

    #define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
    int posix_fallocate(int fd, off_t at, off_t n) {
      return is_denied(fd, at + n) ? EDQUOT : REAL(posix_fallocate)(fd, at, n);
    }
    int posix_fallocate64(int fd, off64_t at, off64_t n) {
      return is_denied(fd, at + n) ? EDQUOT : REAL(posix_fallocate64)(fd, at, n);
    }
    int fsync(int fd) { return fails(fd, "sync") ? -1 : REAL(fsync)(fd); }
    int fdatasync(int fd) { wait(fd); return fails(fd, "sync") ? -1 : REAL(fdatasync)(fd); }
    ssize_t write(int fd, const void *p, size_t n) { return fails(fd, "write") ? -1 : REAL(write)(fd, p, n); }
    ssize_t pwrite(int fd, const void *p, size_t n, off_t at) {
      return fails_to_write(fd, at + n) ? -1 : REAL(pwrite)(fd, p, n, at);
    }
    ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at) {
      return fails_to_write(fd, at + n) ? -1 : REAL(pwrite64)(fd, p, n, at);
    }
    """
}
