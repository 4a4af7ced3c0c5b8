import JobModel
import JobStore

extension QueueIndex {
  /// Reads the index from the database. The queries are answered from indexes alone, so that a million jobs take
  /// well under a second.
  static func load(_ statements: inout StatementCache) throws(SQLiteError) -> QueueIndex {
    var contents = Contents()
    var types = TypeNames()
    var pending: [[QueueKey]] = []
    for statement in [JobStatement.loadReady, .loadDelayed] {
      try statements(statement).forEach { row in
        let type = row.withText(0) { types.number(of: $0) }
        if type == pending.count { pending.append([]) }
        pending[type].append(QueueKey(priority: Int32(clamping: row.integer(1)), sequence: row.integer(2)))
        return true
      }
    }
    for (type, keys) in pending.enumerated() { contents.pending[types.names[type]] = keys }

    var others: [[Int]] = []
    types = TypeNames()
    try statements(.loadOthers).forEach { row in
      let type = row.withText(0) { types.number(of: $0) }
      if type == others.count { others.append(Array(repeating: 0, count: JobStatus.allCases.count)) }
      let status = row.withText(1) { name in
        JobStatus.allCases.firstIndex { $0.rawValue.utf8.elementsEqual(name) }
      }
      if let status { others[type][status] += 1 }
      return true
    }
    for (type, counts) in others.enumerated() {
      contents.others[types.names[type]] = Dictionary(uniqueKeysWithValues: zip(JobStatus.allCases, counts))
    }

    contents.pausedTypes = Set(try statements(.loadPaused).all { TypeName($0.text(0)) })
    return QueueIndex(contents)
  }
}

/// Numbers the types that rows name. Neighbouring rows mostly have the same type: comparing bytes with the last
/// one is far cheaper than making a string of each.
private struct TypeNames {
  private(set) var names: [TypeName] = []
  private var numbers: [TypeName: Int] = [:]
  private var last: (bytes: [UInt8], number: Int) = ([], -1)

  mutating func number(of bytes: UnsafeBufferPointer<UInt8>) -> Int {
    if last.number >= 0, last.bytes.elementsEqual(bytes) { return last.number }
    let name = TypeName(String(decoding: bytes, as: UTF8.self))
    let number = numbers[name] ?? names.count
    if number == names.count {
      numbers[name] = number
      names.append(name)
    }
    last = (Array(bytes), number)
    return number
  }
}
