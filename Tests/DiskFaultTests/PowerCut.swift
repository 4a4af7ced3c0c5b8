import CFaultVFS
import TrustSupport

/// The files that a power cut leaves, by name.
typealias DiskImage = [String: [UInt8]]

/// A power cut at one moment of a log. What was synced is there. What was not may be there, missing, torn or there
/// before what was written earlier: the disk writes what it has in any order, in units of its own.
///
/// More may go wrong here than with a page cache, which writes a sector with all that was ever put into it.
struct PowerCut {
  /// What becomes of what was not synced.
  enum Survival: CaseIterable {
    case nothing
    case everything
    /// Each write is there or not.
    case writes
    /// Each 512 bytes of it are there or not.
    case sectors
    /// Each 4096 bytes of it are there or not.
    case pages
    /// What was written before some moment; the write of that moment is torn.
    case beginning
  }

  /// What is where a file grew but its bytes were not written.
  private enum Hole: CaseIterable {
    /// The file did not grow.
    case none
    case zeros
    /// What was on the disk before.
    case garbage
  }

  let log: [fault_vfs_entry]
  /// Entries that happened.
  let moment: Int
  private let survival: Survival
  private let hole: Hole
  private let share: Int
  private let end: Int
  private var random: SeededRandom

  init(_ log: [fault_vfs_entry], at moment: Int, survival: Survival? = nil, random: inout SeededRandom) {
    self.log = log
    self.moment = moment
    self.survival = survival ?? Survival.allCases.randomElement(using: &random)!
    hole = Hole.allCases.randomElement(using: &random)!
    share = [10, 50, 90].randomElement(using: &random)!
    self.random = SeededRandom(seed: random.next())
    let synced = log[..<moment].lastIndex { $0.kind == FAULT_VFS_SYNC } ?? 0
    end = Int.random(in: synced...moment, using: &self.random)
  }

  /// What is found when the power is back.
  mutating func image() -> DiskImage {
    let (durable, durableNames) = durability()
    var contents: [Int32: [UInt8]] = [:]
    var names: [String: Int32] = [:]
    var settled: Set<String> = []
    // They were there from the start, though the log has them from when they were first opened.
    for entry in log where entry.kind == FAULT_VFS_FOUND {
      names[String(cString: entry.name)] = entry.file
      contents[entry.file] = Array(UnsafeBufferPointer(start: entry.bytes, count: entry.length))
    }
    for (index, entry) in log[..<moment].enumerated() {
      switch entry.kind {
      case FAULT_VFS_OPEN, FAULT_VFS_DELETE:
        let name = String(cString: entry.name)
        if index >= durableNames, !settled.contains(name), !happens(index) { settled.insert(name) }
        if settled.contains(name) { continue }
        names[name] = entry.kind == FAULT_VFS_OPEN ? entry.file : nil
      case FAULT_VFS_WRITE:
        let isDurable = index < durable[entry.file, default: 0] && !entry.is_lost
        write(entry, index, isDurable: isDurable, into: &contents[entry.file, default: []])
      case FAULT_VFS_TRUNCATE:
        let isDurable = index < durable[entry.file, default: 0] && !entry.is_lost
        if isDurable || happens(index) { contents[entry.file, default: []].resize(to: Int(entry.offset)) }
      default: break
      }
    }
    return names.mapValues { contents[$0] ?? [] }
  }

  /// Up to where in the log each file is durable, and the names are.
  private func durability() -> (files: [Int32: Int], names: Int) {
    var files: [Int32: Int] = [:]
    var names = 0
    for entry in log[..<moment] {
      // Of two syncs at a time, the one that ends first may have begun last.
      if entry.kind == FAULT_VFS_SYNC {
        files[entry.file] = max(files[entry.file] ?? 0, Int(entry.offset))
      }
      if entry.kind == FAULT_VFS_SYNC_NAMES { names = max(names, Int(entry.offset)) }
    }
    return (files, names)
  }

  /// Whether something that was not synced happened as a whole.
  private mutating func happens(_ index: Int) -> Bool {
    switch survival {
    case _ where log[index].is_lost: false
    case .nothing: false
    case .everything: true
    case .writes, .sectors, .pages: random.chance(share)
    case .beginning: index < end
    }
  }

  private mutating func write(
    _ entry: fault_vfs_entry, _ index: Int, isDurable: Bool, into contents: inout [UInt8]
  ) {
    let bytes = UnsafeRawBufferPointer(start: entry.bytes, count: entry.length)
    let offset = Int(entry.offset)
    let unit: Int? =
      switch survival {
      case _ where isDurable || entry.is_lost: nil
      case .sectors: 512
      case .pages: 4096
      case .beginning: index == end ? 512 : nil
      case .nothing, .everything, .writes: nil
      }
    guard let unit else {
      put(bytes[...], at: offset, isThere: isDurable || happens(index), into: &contents)
      return
    }
    var start = 0
    while start < bytes.count {
      let stop = min(bytes.count, start + unit - (offset + start) % unit)
      put(bytes[start..<stop], at: offset + start, isThere: random.chance(share), into: &contents)
      start = stop
    }
  }

  private mutating func put(
    _ bytes: Slice<UnsafeRawBufferPointer>, at offset: Int, isThere: Bool, into contents: inout [UInt8]
  ) {
    let end = offset + bytes.count
    if contents.count < end, isThere || hole != .none {
      let filler = hole == .garbage ? UInt8(truncatingIfNeeded: random.next()) : 0
      contents.append(contentsOf: repeatElement(filler, count: end - contents.count))
    }
    guard isThere else { return }
    contents.withUnsafeMutableBytes { target in
      UnsafeMutableRawBufferPointer(rebasing: target[offset..<end])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes))
    }
  }
}

extension [UInt8] {
  fileprivate mutating func resize(to length: Int) {
    if length <= count {
      removeSubrange(length...)
    } else {
      append(contentsOf: repeatElement(0, count: length - count))
    }
  }
}
