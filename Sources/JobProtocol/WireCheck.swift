import CProtobufC

/// Why a message must not be unpacked.
struct WireFault: Error {
  /// Whether the bytes are no protobuf at all.
  var isMalformed: Bool
  /// The field, as in `create.jobs[3].type`; empty for the message as a whole.
  var path: String
  /// What is wrong with it.
  var reason: String
}

/// Checks the bytes of a message before protobuf-c unpacks them.
///
/// It sees what protobuf-c hides or does not bound: a NUL within a string (after unpacking, a C string just ends
/// there), bad UTF-8, and the number of unknown fields. The schema is not recursive, so neither is the depth of this
/// unbounded.
struct WireCheck {
  typealias Descriptor = UnsafePointer<ProtobufCMessageDescriptor>

  /// Room for a newer peer's fields; each costs an allocation.
  static let maximumUnknownFields = 1000

  private var unknownFields = 0

  /// Checks a whole message.
  static func check(_ message: UnsafeRawBufferPointer, as descriptor: Descriptor) throws(WireFault) {
    var check = WireCheck()
    try check.check(message, as: descriptor)
  }

  /// The `id` (field 1) of a request or response that need not be sound; 0 when there is none to be read.
  static func messageID(_ message: UnsafeRawBufferPointer) -> UInt64 {
    var reader = WireReader(message)
    var id: UInt64 = 0
    while let field = reader.next() {
      if field.number == 1, field.wireType == .varint { id = field.varint }
    }
    return id
  }

  private mutating func check(_ message: UnsafeRawBufferPointer, as descriptor: Descriptor) throws(WireFault)
  {
    var reader = WireReader(message)
    while !reader.isAtEnd {
      let start = reader.offset
      guard let field = reader.next() else {
        throw WireFault(isMalformed: true, path: "", reason: "is not a protobuf message")
      }
      guard let known = WireCheck.field(field.number, of: descriptor) else {
        unknownFields += 1
        guard unknownFields <= WireCheck.maximumUnknownFields else {
          throw WireFault(
            isMalformed: false, path: "",
            reason: "has more than \(WireCheck.maximumUnknownFields) fields that this version does not know")
        }
        continue
      }
      do throws(WireFault) {
        try check(field, as: known)
      } catch {
        let index =
          known.pointee.label == PROTOBUF_C_LABEL_REPEATED
          ? "[\(WireCheck.count(of: field.number, in: message, before: start))]" : ""
        let name = String(cString: known.pointee.name) + index
        throw WireFault(
          isMalformed: error.isMalformed, path: error.path.isEmpty ? name : "\(name).\(error.path)",
          reason: error.reason)
      }
    }
  }

  private mutating func check(
    _ field: WireReader.Field, as known: UnsafePointer<ProtobufCFieldDescriptor>
  ) throws(WireFault) {
    let type = known.pointee.type
    guard field.wireType == WireCheck.wireType(of: type) else {
      throw WireFault(
        isMalformed: false, path: "",
        reason:
          "has protobuf wire type \(field.wireType.rawValue), not \(WireCheck.wireType(of: type).rawValue)")
    }
    if type == PROTOBUF_C_TYPE_STRING {
      switch TextCheck(field.bytes) {
      case .sound: break
      case .containsNUL:
        throw WireFault(
          isMalformed: false, path: "", reason: "contains a NUL character, which is not allowed")
      case .notUTF8: throw WireFault(isMalformed: false, path: "", reason: "is not valid UTF-8")
      }
    } else if type == PROTOBUF_C_TYPE_MESSAGE {
      try check(
        field.bytes, as: known.pointee.descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self))
    }
  }

  private static func field(
    _ number: UInt32, of descriptor: Descriptor
  ) -> UnsafePointer<ProtobufCFieldDescriptor>? {
    // Numbers run from 1 without a gap unless a field was removed; `fields` is sorted by them.
    if number <= descriptor.pointee.n_fields {
      let field = descriptor.pointee.fields + Int(number - 1)
      if field.pointee.id == number { return field }
    }
    return protobuf_c_message_descriptor_get_field(descriptor, number)
  }

  private static func wireType(of type: ProtobufCType) -> WireReader.WireType {
    switch type {
    case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_MESSAGE: .bytes
    case PROTOBUF_C_TYPE_DOUBLE, PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64: .fixed64
    case PROTOBUF_C_TYPE_FLOAT, PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32: .fixed32
    default: .varint
    }
  }

  /// How often a field occurs in a message before `end`: its index, found only when an error has to name it.
  private static func count(of number: UInt32, in message: UnsafeRawBufferPointer, before end: Int) -> Int {
    var reader = WireReader(message)
    var count = 0
    while reader.offset < end, let field = reader.next() {
      if field.number == number { count += 1 }
    }
    return count
  }
}
