import Glibc

/// The jobs of one server's life: numbered, each with an id that tells its number, all with the same 256 bytes.
struct Jobs {
  static let idSize = 16
  static let metadata = Array(#"{"p":"\#(String(repeating: "x", count: 248))"}"#.utf8)

  /// The first 12 bytes of all ids: of a UUID version 7, with the time when the run began.
  let prefix: [UInt8]

  init() {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let milliseconds = UInt64(now.tv_sec) * 1000 + UInt64(now.tv_nsec) / 1_000_000
    let time = (0..<6).map { UInt8(truncatingIfNeeded: milliseconds >> (40 - 8 * $0)) }
    let random = (0..<6).map { _ in UInt8.random(in: 0...255) }
    prefix =
      time + [0x70 | random[0] & 0x0F, random[1], 0x80 | random[2] & 0x3F, random[3], random[4], random[5]]
  }

  func appendID(_ number: UInt32, to output: inout [UInt8]) {
    output.append(contentsOf: prefix)
    output.appendBigEndian(number)
  }

  /// - Throws: `Failure` when the id is none of these jobs'.
  func number(_ id: UnsafeRawBufferPointer) throws -> UInt32 {
    guard id.count == Jobs.idSize, id.prefix(12).elementsEqual(prefix) else {
      throw Failure("a job that nobody made")
    }
    return id.bigEndian(at: 12)
  }

  /// The number of a job that is kept as its id followed by its metadata.
  func number(ofRecord record: UnsafeRawBufferPointer) throws -> UInt32 {
    guard record.count == Jobs.idSize + Jobs.metadata.count else {
      throw Failure("a job of \(record.count) bytes")
    }
    return try number(UnsafeRawBufferPointer(rebasing: record.prefix(Jobs.idSize)))
  }

  /// Appends a job as its id followed by its metadata, for peers that keep bytes only.
  func appendRecord(_ number: UInt32, to output: inout [UInt8]) {
    appendID(number, to: &output)
    output.append(contentsOf: Jobs.metadata)
  }

  static let recordSize = idSize + metadata.count
}

extension [UInt8] {
  mutating func appendBigEndian(_ value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }
}

extension UnsafeRawBufferPointer {
  func bigEndian<Value: FixedWidthInteger>(at offset: Int) -> Value {
    Value(bigEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
  }

  /// A part of it; its offsets begin at 0 again.
  func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self[range]) }
}
