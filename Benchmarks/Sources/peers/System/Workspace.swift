import Glibc

/// A temporary directory that holds everything of one run: sockets, stores, logs.
struct Workspace {
  let path: String

  /// - Parameter parent: on a real disk, or durability costs nothing.
  init(in parent: String) throws {
    var template = "\(parent)/jobbroker-peers-XXXXXX".utf8CString
    let made = template.withUnsafeMutableBufferPointer { name in
      name.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    guard let made else { throw Failure.system(parent) }
    path = made
    // A server of another user must get through to its own folder, which is private again.
    chmod(path, 0o711)
  }

  /// Makes an empty folder that only its owner may enter; one of the same name is removed before.
  func folder(_ name: String, owner: (uid: uid_t, gid: gid_t)? = nil) throws -> String {
    let folder = "\(path)/\(name)"
    Workspace.remove(folder)
    guard mkdir(folder, 0o700) == 0 else { throw Failure.system(folder) }
    if let owner, chown(folder, owner.uid, owner.gid) != 0 { throw Failure.system(folder) }
    return folder
  }

  func remove() { Workspace.remove(path) }

  /// Removes a file, or a folder and all that is in it.
  static func remove(_ path: String) {
    guard Glibc.remove(path) != 0, errno == ENOTEMPTY || errno == EEXIST else { return }
    for entry in entries(of: path) { remove("\(path)/\(entry)") }
    Glibc.remove(path)
  }

  /// The names in a folder; none if it can't be read.
  static func entries(of folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// The first of the names or absolute paths that is an executable file; `folders` are searched after PATH.
  static func program(_ name: String, alsoIn folders: [String] = []) -> String? {
    if name.contains("/") { return access(name, X_OK) == 0 ? name : nil }
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    let all = path.split(separator: ":").map(String.init) + folders + ["/usr/sbin"]
    return all.lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }
}
